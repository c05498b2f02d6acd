"""IDX files, the format that MNIST is published in: read from a folder, or downloaded once and checked by hash."""

import errno
import gzip
import math
import os
import zlib
from pathlib import Path

import numpy as np

from gdlib.data.dataset import Dataset

FILES = {
    "train": ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"),
    "test": ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"),
}
TYPES = {8: "bytes", 9: "signed bytes", 11: "shorts", 12: "integers", 13: "floats", 14: "doubles"}


def dataset(folder: str | os.PathLike, classes: tuple[str, ...]) -> tuple[Dataset, Dataset]:
    """(train, test) from a folder's four files, packed (.gz) or not.

    Raises FileNotFoundError where one is missing, and ValueError that names the file where one is truncated, corrupt or
    another's.
    """

    def part(name: str) -> Dataset:
        pixels, labels = (read(_packed_or_not(Path(folder), file)) for file in FILES[name])
        try:
            return Dataset.of_images(pixels, labels, classes)
        except ValueError as error:
            raise ValueError(f"{folder}, {' and '.join(FILES[name])}: {error}") from None

    train, test = part("train"), part("test")
    if train.inputs.shape[1:] != test.inputs.shape[1:]:
        raise ValueError(
            f"{folder}: expected images of one size, got {train.inputs.shape[1:3]} to train on and "
            f"{test.inputs.shape[1:3]} to test on"
        )
    return train, test


def _packed_or_not(folder: Path, name: str) -> Path:
    for path in (folder / f"{name}.gz", folder / name):
        if path.is_file():
            return path
    raise FileNotFoundError(f"folder: expected a file {name} or {name}.gz in {folder}, found neither")


def read(path: Path) -> np.ndarray:
    """The array of bytes in an IDX file: two zeros, a type (8: bytes), the rank, the sizes, the data.

    Raises ValueError that names the file where it is truncated, corrupt or of another kind.
    """
    try:
        data = path.read_bytes()
        data = gzip.decompress(data) if path.suffix == ".gz" else data
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise ValueError(f"{path}: expected a whole gzip file, got a corrupt one ({error})") from error
    if len(data) < 4 or data[:2] != b"\x00\x00" or data[2] not in TYPES:
        raise ValueError(f"{path}: expected an IDX file, got one that begins with {data[:4]!r}")
    if TYPES[data[2]] != "bytes":
        raise ValueError(f"{path}: expected an IDX file of bytes, got one of {TYPES[data[2]]}")
    header = 4 + 4 * data[3]
    if len(data) < header:
        raise ValueError(f"{path}: expected a header of {header} bytes, got a file of {len(data)}")
    sizes = tuple(np.frombuffer(data[4:header], ">u4").tolist())
    if len(data) - header != math.prod(sizes):
        raise ValueError(
            f"{path}: expected {math.prod(sizes)} bytes of data for the shape {sizes}, got {len(data) - header}"
        )
    return np.frombuffer(data, np.uint8, offset=header).reshape(sizes)


def download(name: str, url: str, hashes: dict[str, str]) -> Path:
    """Fetch the files into pooch's cache: hashed, retried, and put in place only when whole; returns the folder.

    Raises OSError where the cache cannot be written to, and ConnectionError where the files cannot be fetched.
    """
    import pooch  # only who downloads waits for it

    folder = pooch.os_cache("gdlib") / name
    source = pooch.create(path=folder, base_url=url, registry=hashes, retry_if_failed=3)
    elsewhere = "put its four IDX files into a folder and pass folder=…, or use mnist_5000()"
    try:
        for file in hashes:
            source.fetch(file, progressbar=True)
    except OSError as error:
        if isinstance(error, PermissionError) or error.errno in (errno.ENOSPC, errno.EROFS, errno.EDQUOT):
            raise OSError(
                f"{name} could not be kept in {folder} ({error}). Make room there, or {elsewhere}."
            ) from error
        raise ConnectionError(
            f"could not download {name} from {url} ({type(error).__name__}: {error}). Where there is no network, "
            f"{elsewhere}."
        ) from error
    return folder
