"""The work that every contender does: its data, its sizes, and how many floating-point operations it takes.

python benchmarks/work.py FOLDER    writes the data

Every model trains in float32 on minibatches of 128, in a new order each epoch. An epoch is 31 whole minibatches of
the same 3968 images, or dates; held out are 1000 other images, or 500 other dates.
"""

import itertools
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np

BATCH, STEPS_PER_EPOCH = 128, 31
EXAMPLES = BATCH * STEPS_PER_EPOCH
HEIGHT, PIXELS, CLASSES = 28, 28 * 28, 10

RATE = 1e-3  # Adam's, for all models but the GAN
VAE_ENCODER, VAE_LATENT, VAE_DECODER = 256, 2, 512
GAN_LATENT, GAN_HIDDEN, GAN_RATE, GAN_B1, GAN_LEAK = 32, (256, 512), 2e-4, 0.5, 0.2
CNN_CHANNELS, CNN_WINDOW, CNN_POOL, CNN_HIDDEN = (32, 64), 3, 2, 128
LSTM_UNITS, LSTM_HIDDEN = 64, 128  # it reads a digit row by row
WIDTH, HEADS, BLOCKS, FEED_FORWARD = 64, 4, 2, 256  # the transformer's; so many blocks on either side
NORM_EPSILON = 1e-6  # its layer norms'; each library has another default
START = 1  # the token that a target begins with
READ, WRITTEN, TEXTS = 40, 11, 500  # tokens of a source, padding included; of a target; held-out texts
ISO_TOKENS = 15  # ten digits, the hyphen, and the marks: padding, start, end and unknown

MODELS = ("vae", "gan", "cnn", "lstm", "transformer")
# A held-out score, so that "how long until …" can be asked of each framework. Of accuracies more is better.
TARGETS = {
    "vae": ("−ELBO, nats", 170.0),
    "cnn": ("accuracy", 0.95),
    "lstm": ("accuracy", 0.93),
    "transformer": ("nats a text", 1.0),
}


def reached(model: str, score: float) -> bool:
    """Whether a held-out score is as good as the target."""
    name, target = TARGETS[model]
    return score >= target if name == "accuracy" else score <= target


class Contender(NamedTuple):
    """A model in a framework.

    fit: `fit(epochs, validate=False)` trains on, and gives the held-out score where asked. decode: for the transformer,
    writes the most probable translation of all held-out texts, token by token: (TEXTS, WRITTEN) tokens.
    """

    fit: Callable[..., float | None]
    decode: Callable[[], np.ndarray] | None = None


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
        }.get(model, lambda x: x)
        return self._replace(images=change(self.images), held_out_images=change(self.held_out_images))


class Dates(NamedTuple):
    """Dates as tokens: (n, READ) as people write them, padded, and their lengths; (n, 1 + WRITTEN) START, ISO, END.

    source_tokens: how many there are.
    """

    sources: np.ndarray
    lengths: np.ndarray
    targets: np.ndarray
    held_out_sources: np.ndarray
    held_out_lengths: np.ndarray
    held_out_targets: np.ndarray
    source_tokens: int

    def for_model(self, model: str) -> "Dates":
        return self._replace(source_tokens=int(self.source_tokens))

    def right(self, decoded: np.ndarray) -> float:
        """The share of the held-out texts that are translated without a mistake."""
        return float((decoded == self.held_out_targets[:, 1:]).all(axis=1).mean())


def sinusoids() -> np.ndarray:
    """The transformer's table of positions, (READ, WIDTH): sines and cosines in turn."""
    angles = np.arange(READ)[:, None] * 10_000.0 ** (-np.arange(0, WIDTH, 2) / WIDTH)
    return np.stack([np.sin(angles), np.cos(angles)], axis=-1).reshape(READ, WIDTH).astype(np.float32)


def save_data(folder: Path) -> None:
    """Write the data to files, once: so that all contenders read the same bytes, and only gdlib imports gdlib."""
    np.savez(folder / "digits.npz", **digits()._asdict())
    np.savez(folder / "dates.npz", **dates()._asdict())


def digits() -> Digits:
    from gdlib.data import mnist_5000

    training, test = mnist_5000()
    return Digits(
        training.inputs[:EXAMPLES, ..., 0], training.labels[:EXAMPLES], test.inputs[..., 0], test.labels
    )


def dates() -> Dates:
    from gdlib.data import tokens, written_dates

    training, test = written_dates()
    source, target = tokens.Vocabulary(training.texts), tokens.Vocabulary(training.iso)
    rows = []
    for side, count in ((training, EXAMPLES), (test, TEXTS)):
        rows += source.encode(side.texts[:count], length=READ)
        rows.append(target.encode(side.iso[:count], start=True, end=True).ids)
    return Dates(*rows, source_tokens=len(source))


def load_data(folder: Path, model: str) -> Digits | Dates:
    kind, name = (Dates, "dates") if model == "transformer" else (Digits, "digits")
    with np.load(folder / f"{name}.npz") as arrays:
        data = kind(**arrays)
    return data.for_model(model)


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


def lstm_flops() -> int:
    """At every row of the image the products of input and state for four gates, then two dense layers."""
    rows, gates = HEIGHT * BATCH, 4 * LSTM_UNITS
    return passes(
        [(rows, HEIGHT, gates), (rows, LSTM_UNITS, gates), *dense(LSTM_UNITS, LSTM_HIDDEN, CLASSES)]
    )


def transformer_flops() -> int:
    """What an embedding gives is learned, so that the first layers, too, need the gradient in their inputs."""
    read, written = BATCH * READ, BATCH * WRITTEN
    encoder = [*attention(read, read, READ), *feed_forward(read)]
    decoder = [
        *attention(written, written, WRITTEN),
        *attention(written, read, READ),
        *feed_forward(written),
    ]
    return passes(BLOCKS * (encoder + decoder) + [(written, WIDTH, ISO_TOKENS)], inputs=True)


def attention(queries: int, keys: int, looked_at: int) -> list[tuple[int, int, int]]:
    """Layers with `queries` and `keys` rows; each query looks at so many keys, those that a mask hides included.

    The heads' products Q Kᵀ and A V together are as large as those of one head as wide as all of them.
    """
    projections = [(queries, WIDTH, WIDTH), (keys, WIDTH, 2 * WIDTH), (queries, WIDTH, WIDTH)]
    return [*projections, (queries, WIDTH, looked_at), (queries, looked_at, WIDTH)]


def feed_forward(rows: int) -> list[tuple[int, int, int]]:
    return [(rows, WIDTH, FEED_FORWARD), (rows, FEED_FORWARD, WIDTH)]


FLOPS = {
    "vae": vae_flops(),
    "gan": gan_flops(),
    "cnn": cnn_flops(),
    "lstm": lstm_flops(),
    "transformer": transformer_flops(),
}

if __name__ == "__main__":
    save_data(Path(sys.argv[1]))
