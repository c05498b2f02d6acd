"""The two players of Goodfellow et al. (2014): a generator makes samples, a discriminator judges them."""

import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float, Int

from gdlib import expect, layers
from gdlib.kernels.convolution import convolution


def _dense(sizes: Sequence[int], rngs: nnx.Rngs) -> list[nnx.Linear]:
    return [nnx.Linear(a, b, rngs=rngs) for a, b in itertools.pairwise(sizes)]


def _checked_sizes(hidden: Sequence[int], sample_shape: tuple[int, ...]) -> None:
    for name, sizes in (("hidden", hidden), ("sample_shape", sample_shape)):
        if not sizes:
            raise ValueError(f"{name}: expected at least one size, got none")
        for size in sizes:
            expect.positive_int(name, size)


class Generator(nnx.Module):
    """z → a sample: dense layers with ReLU between them, and `output` at the end.

    Args:
      latent: numbers in a code.
      hidden: units of the hidden layers.
      sample_shape: of one sample, without the batch axis.
      output: elementwise, such as `jnp.tanh` for samples in [−1, 1]. Default: none.
      rngs: the source of the initial weights.

    Raises ValueError or TypeError where a size is no positive integer.
    """

    def __init__(
        self,
        latent: int,
        hidden: Sequence[int],
        sample_shape: tuple[int, ...],
        *,
        output: Callable[[Array], Array] = lambda x: x,
        rngs: nnx.Rngs,
    ):
        self.latent = expect.positive_int("latent", latent)
        _checked_sizes(hidden, sample_shape)
        self.sample_shape, self.output = tuple(sample_shape), output
        self.layers = nnx.List(_dense((latent, *hidden, math.prod(sample_shape)), rngs))

    def __call__(self, latent: Float[Array, "batch latent"]) -> Float[Array, "batch ..."]:
        expect.trailing_shape("latent", latent, (self.latent,))
        *hidden, last = self.layers
        h = latent
        for layer in hidden:
            h = nnx.relu(layer(h))
        return self.output(last(h)).reshape(len(latent), *self.sample_shape)


class Discriminator(nnx.Module):
    """A sample → one logit, log D/(1 − D): dense layers with leaky ReLU (slope 0.2) between them.

    Args:
      sample_shape: of one sample, without the batch axis.
      hidden: units of the hidden layers.
      rngs: the source of the initial weights.

    Raises ValueError or TypeError where a size is no positive integer.
    """

    def __init__(self, sample_shape: tuple[int, ...], hidden: Sequence[int], *, rngs: nnx.Rngs):
        _checked_sizes(hidden, sample_shape)
        self.sample_shape = tuple(sample_shape)
        self.layers = nnx.List(_dense((math.prod(sample_shape), *hidden, 1), rngs))

    def __call__(self, samples: Float[Array, "batch ..."]) -> Float[Array, " batch"]:
        expect.trailing_shape("samples", samples, self.sample_shape)
        *hidden, last = self.layers
        h = samples.reshape(len(samples), math.prod(self.sample_shape))
        for layer in hidden:
            h = jax.nn.leaky_relu(layer(h), 0.2)
        return last(h)[:, 0]


def _convolution(inputs: int, outputs: int, stride: int, rngs: nnx.Rngs) -> nnx.Conv:
    return nnx.Conv(inputs, outputs, (3, 3), strides=stride, conv_general_dilated=convolution, rngs=rngs)


def _two(channels: tuple[int, ...]) -> tuple[int, int]:
    if len(channels) != 2:
        raise ValueError(f"channels: expected two numbers, one for each convolution, got {tuple(channels)}")
    return channels


def _quarter(sample_shape: tuple[int, ...]) -> tuple[int, int]:
    if len(sample_shape) != 3 or sample_shape[0] % 4 or sample_shape[1] % 4:
        raise ValueError(
            "sample_shape: expected (height, width, channels), height and width multiples of 4, "
            f"got {tuple(sample_shape)}"
        )
    return sample_shape[0] // 4, sample_shape[1] // 4


class ConvGenerator(nnx.Module):
    """z → an image: a dense layer to a quarter of its height and width, then two convolutions.

    Each of them makes four channels for every one it needs, and lays them out as pixels of an image twice as high and
    wide.

    Args:
      latent: numbers in a code.
      channels: of the image of a quarter of the size, and of the one of half.
      sample_shape: (height, width, channels), height and width multiples of 4.
      output: elementwise, such as `jnp.tanh`.
      rngs: the source of the initial weights.
    """

    def __init__(
        self,
        latent: int,
        channels: tuple[int, int],
        sample_shape: tuple[int, int, int],
        *,
        output: Callable[[Array], Array] = lambda x: x,
        rngs: nnx.Rngs,
    ):
        self.latent = expect.positive_int("latent", latent)
        _checked_sizes(_two(channels), sample_shape)
        self.small = (*_quarter(sample_shape), channels[0])
        self.sample_shape, self.output = tuple(sample_shape), output
        self.dense = nnx.Linear(latent, math.prod(self.small), rngs=rngs)
        self.first = _convolution(channels[0], 4 * channels[1], 1, rngs)
        self.second = _convolution(channels[1], 4 * sample_shape[2], 1, rngs)

    def __call__(self, latent: Float[Array, "batch latent"]) -> Float[Array, "batch ..."]:
        expect.trailing_shape("latent", latent, (self.latent,))
        h = nnx.relu(self.dense(latent)).reshape(len(latent), *self.small)
        h = layers.depth_to_space(nnx.relu(self.first(h)))
        return self.output(layers.depth_to_space(self.second(h)))


class ConvDiscriminator(nnx.Module):
    """An image → one logit: two convolutions of stride 2 with leaky ReLU (slope 0.2), and a dense layer.

    Args:
      sample_shape: (height, width, channels), height and width multiples of 4.
      channels: after the first and the second convolution.
      rngs: the source of the initial weights.
    """

    def __init__(self, sample_shape: tuple[int, int, int], channels: tuple[int, int], *, rngs: nnx.Rngs):
        _checked_sizes(_two(channels), sample_shape)
        features = math.prod(_quarter(sample_shape)) * channels[1]
        self.sample_shape = tuple(sample_shape)
        self.first = _convolution(sample_shape[2], channels[0], 2, rngs)
        self.second = _convolution(*channels, 2, rngs)
        self.logit = nnx.Linear(features, 1, rngs=rngs)

    def __call__(self, samples: Float[Array, "batch ..."]) -> Float[Array, " batch"]:
        expect.trailing_shape("samples", samples, self.sample_shape)
        h = jax.nn.leaky_relu(self.first(samples), 0.2)
        h = jax.nn.leaky_relu(self.second(h), 0.2)
        return self.logit(h.reshape(len(h), -1))[:, 0]


class GAN(nnx.Module):
    """A generator and a discriminator that fit each other.

    Args:
      generator: `generator(latent) -> samples`; says its `latent` and its `sample_shape`.
      discriminator: `discriminator(samples) -> logits`; says its `sample_shape`.

    Raises ValueError where the one makes what the other does not take.
    """

    def __init__(self, generator: Any, discriminator: Any):
        if generator.sample_shape != discriminator.sample_shape:
            raise ValueError(
                "generator, discriminator: expected the same sample_shape, got a generator that makes "
                f"{generator.sample_shape} and a discriminator that takes {discriminator.sample_shape}"
            )
        self.generator, self.discriminator = generator, discriminator

    def generate(self, latent: Float[Array, "batch latent"]) -> Float[Array, "batch ..."]:
        """Samples from codes drawn from N(0, I)."""
        return self.generator(latent)


class ConditionalGenerator(nnx.Module):
    """z and a class → a sample: `generator` reads codes whose last numbers are the class in one-hot code.

    Args:
      generator: with codes of more than `classes` numbers; `latent` of them are left for chance.
      classes: how many.

    Raises ValueError or TypeError where `classes` is no positive integer below the generator's code.
    Reference: Mirza & Osindero (2014).
    """

    def __init__(self, generator: Any, classes: int):
        self.generator, self.classes = generator, expect.positive_int("classes", classes)
        self.latent, self.sample_shape = generator.latent - classes, generator.sample_shape
        if self.latent < 1:
            raise ValueError(
                f"classes: expected fewer than the generator's {generator.latent}, got {classes}"
            )

    def __call__(
        self, latent: Float[Array, "batch latent"], labels: Int[Array, " batch"]
    ) -> Float[Array, "batch ..."]:
        expect.trailing_shape("latent", latent, (self.latent,))
        expect.positions("labels", labels, len(latent), self.classes)
        of_class = jax.nn.one_hot(labels, self.classes, dtype=latent.dtype)
        return self.generator(jnp.concatenate([latent, of_class], axis=1))


class ConditionalDiscriminator(nnx.Module):
    """A sample and its class → one logit: of a network's logits, one a class, the one of that class.

    Every class so has a judge of its own, and all judges see the same features. It is the projection discriminator of
    Miyato & Koyama (2018), without its part for all classes.

    Args:
      network: `network(samples) -> (batch, classes)`; says its `example_shape` and its `classes`.
    """

    def __init__(self, network: Any):
        self.network, self.classes, self.sample_shape = network, network.classes, network.example_shape

    def __call__(
        self, samples: Float[Array, "batch ..."], labels: Int[Array, " batch"]
    ) -> Float[Array, " batch"]:
        expect.trailing_shape("samples", samples, self.sample_shape)
        expect.positions("labels", labels, len(samples), self.classes)
        return jnp.take_along_axis(self.network(samples), labels[:, None], axis=1)[:, 0]
