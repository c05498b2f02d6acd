"""The variational autoencoder of Kingma & Welling (2014), with Gaussian latents and binary pixels.

Beside it one that is told the class, and one that has to guess it (Kingma et al. 2014).
"""

import math
from typing import Any, NamedTuple

import jax
from flax import nnx
from jaxtyping import Array, Float, Int

from gdlib import expect, layers


class Encoder(nnx.Module):
    """x → (mean, logvar) of q(z|x), from one hidden layer and a head for each of the two."""

    def __init__(self, in_features: int, hidden: int, latent: int, *, rngs: nnx.Rngs):
        self.hidden = nnx.Linear(in_features, hidden, rngs=rngs)
        self.mean = nnx.Linear(hidden, latent, rngs=rngs)
        self.logvar = nnx.Linear(hidden, latent, rngs=rngs)

    def __call__(
        self, x: Float[Array, "batch pixels"]
    ) -> tuple[Float[Array, "batch latent"], Float[Array, "batch latent"]]:
        h = nnx.relu(self.hidden(x))
        return self.mean(h), self.logvar(h)


class Decoder(nnx.Module):
    """z → logits of p(x|z), one a pixel."""

    def __init__(self, latent: int, hidden: int, out_features: int, *, rngs: nnx.Rngs):
        self.hidden = nnx.Linear(latent, hidden, rngs=rngs)
        self.logits = nnx.Linear(hidden, out_features, rngs=rngs)

    def __call__(self, z: Float[Array, "batch latent"]) -> Float[Array, "batch pixels"]:
        return self.logits(nnx.relu(self.hidden(z)))


class VAE(nnx.Module):
    """An encoder and a decoder for images of one shape.

    Args:
      image_shape: (height, width, channels).
      latent: the number of latent dimensions.
      encoder_hidden, decoder_hidden: units of the hidden layers.
      rngs: the source of the initial weights.

    Raises ValueError or TypeError where a size is no positive integer.
    """

    def __init__(
        self,
        image_shape: tuple[int, int, int],
        latent: int,
        *,
        encoder_hidden: int = 256,
        decoder_hidden: int = 512,
        rngs: nnx.Rngs,
    ):
        if len(image_shape) != 3:
            raise ValueError(f"image_shape: expected (height, width, channels), got {image_shape}")
        names = ("height", "width", "channels", "latent", "encoder_hidden", "decoder_hidden")
        for name, size in zip(names, (*image_shape, latent, encoder_hidden, decoder_hidden), strict=True):
            expect.positive_int(name, size)
        self.image_shape = tuple(image_shape)
        self.latent = latent
        pixels = math.prod(image_shape)
        self.encoder = Encoder(pixels, encoder_hidden, latent, rngs=rngs)
        self.decoder = Decoder(latent, decoder_hidden, pixels, rngs=rngs)

    def encode(
        self, images: Float[Array, "batch h w c"]
    ) -> tuple[Float[Array, "batch latent"], Float[Array, "batch latent"]]:
        """Mean and log-variance of q(z|x), each (batch, latent)."""
        expect.trailing_shape("images", images, self.image_shape)
        return self.encoder(images.reshape(len(images), math.prod(self.image_shape)))

    def decode(self, latent: Float[Array, "batch latent"]) -> Float[Array, "batch h w c"]:
        """Logits of p(x|z): a pixel is on with probability sigmoid(logit)."""
        expect.trailing_shape("latent", latent, (self.latent,))
        return self.decoder(latent).reshape(len(latent), *self.image_shape)

    def generate(self, latent: Float[Array, "batch latent"]) -> Float[Array, "batch h w c"]:
        """The mean image sigmoid(decode(latent)), in [0, 1]: for looking at, not for a likelihood."""
        return jax.nn.sigmoid(self.decode(latent))


class ConditionalVAE(nnx.Module):
    """A VAE that is told the class y: q(z|x, y) and p(x|z, y), with the prior N(0, I) for z whatever the class.

    In the encoder and in the decoder each class adds a vector of its own to the hidden layer, before the ReLU. That
    is what a dense layer makes of a class in one-hot code beside its inputs.

    Args:
      vae: the VAE whose encoder and decoder are told.
      classes: how many.
      rngs: the source of the classes' initial vectors.

    Raises ValueError or TypeError where `classes` is no positive integer.
    Reference: Kingma et al. (2014), their generative semi-supervised model.
    """

    def __init__(self, vae: VAE, classes: int, *, rngs: nnx.Rngs):
        self.vae, self.classes = vae, expect.positive_int("classes", classes)
        self.encoder_classes = nnx.Embed(classes, vae.encoder.hidden.out_features, rngs=rngs)
        self.decoder_classes = nnx.Embed(classes, vae.decoder.hidden.out_features, rngs=rngs)

    def encode(
        self, images: Float[Array, "batch h w c"], labels: Int[Array, " batch"]
    ) -> tuple[Float[Array, "batch latent"], Float[Array, "batch latent"]]:
        """Mean and log-variance of q(z|x, y), each (batch, latent)."""
        expect.trailing_shape("images", images, self.vae.image_shape)
        expect.positions("labels", labels, len(images), self.classes)
        encoder, pixels = self.vae.encoder, images.reshape(len(images), math.prod(self.vae.image_shape))
        h = nnx.relu(encoder.hidden(pixels) + layers.embedded(self.encoder_classes, labels))
        return encoder.mean(h), encoder.logvar(h)

    def decode(
        self, latent: Float[Array, "batch latent"], labels: Int[Array, " batch"]
    ) -> Float[Array, "batch h w c"]:
        """Logits of p(x|z, y): a pixel is on with probability sigmoid(logit)."""
        expect.trailing_shape("latent", latent, (self.vae.latent,))
        expect.positions("labels", labels, len(latent), self.classes)
        decoder = self.vae.decoder
        h = nnx.relu(decoder.hidden(latent) + layers.embedded(self.decoder_classes, labels))
        return decoder.logits(h).reshape(len(latent), *self.vae.image_shape)

    def generate(
        self, latent: Float[Array, "batch latent"], labels: Int[Array, " batch"]
    ) -> Float[Array, "batch h w c"]:
        """The mean image sigmoid(decode(latent, labels)), in [0, 1]."""
        return jax.nn.sigmoid(self.decode(latent, labels))

    def given(self, labels: Int[Array, " batch"]) -> "Given":
        """The model for images of these classes: wherever a VAE goes, as in `objectives.elbo_terms`, it goes."""
        return Given(self, labels)


class Given(NamedTuple):
    """A `ConditionalVAE` and the classes of a batch, as a model of images alone: q(z|x, y), p(x|z, y)."""

    model: ConditionalVAE
    labels: Int[Array, " batch"]

    def encode(self, images):
        """Mean and log-variance of q(z|x, y)."""
        return self.model.encode(images, self.labels)

    def decode(self, latent):
        """Logits of p(x|z, y)."""
        return self.model.decode(latent, self.labels)


class SemiSupervisedVAE(nnx.Module):
    """M2 of Kingma et al. (2014): a VAE that is told the class, and a classifier q(y|x) for where nobody tells.

    Args:
      conditional: p(x|z, y) and q(z|x, y); says its `classes`.
      classifier: `classifier(images) -> logits` of q(y|x); says its `classes`.

    Raises ValueError where the two have not the same classes.
    """

    def __init__(self, conditional: ConditionalVAE, classifier: Any):
        if conditional.classes != classifier.classes:
            raise ValueError(
                "conditional, classifier: expected the same number of classes, got "
                f"{conditional.classes} and {classifier.classes}"
            )
        self.conditional, self.classifier = conditional, classifier
