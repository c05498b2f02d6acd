"""The work that every contender does: its data, its sizes, and how many floating-point operations it takes.

python benchmarks/work.py digits.npz    writes the data

Every model trains in float32 on minibatches of 128, in a new order each epoch. An epoch is 31 whole minibatches of
the same 3968 images; held out are 1000 others.
"""

import itertools
import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np

BATCH, STEPS_PER_EPOCH = 128, 31
EXAMPLES = BATCH * STEPS_PER_EPOCH
HEIGHT, PIXELS, CLASSES = 28, 28 * 28, 10

RATE = 1e-3  # Adam's, for the VAE and the CNN
VAE_ENCODER, VAE_LATENT, VAE_DECODER = 256, 2, 512
GAN_LATENT, GAN_HIDDEN, GAN_RATE, GAN_B1, GAN_LEAK = 32, (256, 512), 2e-4, 0.5, 0.2
CNN_CHANNELS, CNN_WINDOW, CNN_POOL, CNN_HIDDEN = (32, 64), 3, 2, 128

MODELS = ("vae", "gan", "cnn")
# A held-out score and which side of it is better, so that "how long until …" can be asked of each framework.
TARGETS = {"vae": ("−ELBO, nats", 170.0), "cnn": ("accuracy", 0.95)}


def reached(model: str, score: float) -> bool:
    """Whether a held-out score is as good as the target."""
    target = TARGETS[model][1]
    return score >= target if model == "cnn" else score <= target


class Digits(NamedTuple):
    """Grey images in [0, 1], (n, 28, 28), and their labels: those to train on, and those held out."""

    images: np.ndarray
    labels: np.ndarray
    held_out_images: np.ndarray
    held_out_labels: np.ndarray

    def for_model(self, model: str) -> "Digits":
        """The pixels as that model sees them: zeros and ones for the VAE, in [−1, 1] for the GAN."""
        change = {
            "vae": lambda x: (x > 0.5).astype(np.float32),
            "gan": lambda x: 2 * x - 1,
            "cnn": lambda x: x,
        }
        return self._replace(
            images=change[model](self.images), held_out_images=change[model](self.held_out_images)
        )


def save_digits(path: Path) -> None:
    """Write the digits to a file, once: so that all contenders read the same bytes, and only gdlib imports gdlib."""
    from gdlib import datasets

    training, test = datasets.mnist_5000()
    digits = Digits(
        training.inputs[:EXAMPLES, ..., 0], training.labels[:EXAMPLES], test.inputs[..., 0], test.labels
    )
    np.savez(path, **digits._asdict())


def load_digits(path: Path) -> Digits:
    with np.load(path) as arrays:
        return Digits(**arrays)


# ------------------------------------------------------------------------- floating-point operations, by formula


def product(rows: int, inputs: int, outputs: int) -> int:
    """Of (rows, inputs) @ (inputs, outputs): a multiplication and an addition for each of the triples."""
    return 2 * rows * inputs * outputs


def passes(layers: list[tuple[int, int, int]], *, weights: bool = True, inputs: bool = False) -> int:
    """Forward through `layers`, each (rows, inputs, outputs), and back.

    Each layer's forward product has two companions of the same size: the gradient in its weights, and the one in its
    inputs. The first layer's inputs are data, which need none unless `inputs`.
    """
    sizes = [product(*layer) for layer in layers]
    backward = weights * sum(sizes) + sum(sizes if inputs else sizes[1:])
    return sum(sizes) + backward


def dense(*sizes: int) -> list[tuple[int, int, int]]:
    return [(BATCH, a, b) for a, b in itertools.pairwise(sizes)]


def vae_flops() -> int:
    encoder = dense(PIXELS, VAE_ENCODER, 2 * VAE_LATENT)  # the two heads count as one layer
    return passes(encoder + dense(VAE_LATENT, VAE_DECODER, PIXELS))


def gan_flops() -> int:
    """The discriminator's update on 128 real and 128 generated images, then the generator's on 128 new ones."""
    generator, discriminator = dense(GAN_LATENT, *GAN_HIDDEN, PIXELS), dense(PIXELS, *GAN_HIDDEN, 1)
    generated = sum(product(*layer) for layer in generator)
    return (
        (generated + 2 * passes(discriminator))
        + passes(generator)
        + passes(discriminator, weights=False, inputs=True)
    )


def cnn_flops() -> int:
    """A convolution is a product with a row for each image and position that its pooling looks at."""
    layers, size, channels = [], HEIGHT, 1
    for outputs in CNN_CHANNELS:
        size = (size - CNN_WINDOW + 1) // CNN_POOL
        layers.append((BATCH * (CNN_POOL * size) ** 2, CNN_WINDOW**2 * channels, outputs))
        channels = outputs
    return passes(layers + dense(size**2 * channels, CNN_HIDDEN, CLASSES))


FLOPS = {"vae": vae_flops(), "gan": gan_flops(), "cnn": cnn_flops()}

if __name__ == "__main__":
    save_digits(Path(sys.argv[1]))
