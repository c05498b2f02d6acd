"""Data: real, looked at when it is loaded, and split by what the examples are."""

from gdlib.data.dataset import Dataset
from gdlib.data.dates import written_dates
from gdlib.data.digits import CLOTHES, DIGITS, fashion_mnist, mnist, mnist_5000
from gdlib.data.manual import python_manual
from gdlib.data.names import place_names
from gdlib.data.points import gaussian_mixture, ring_means
from gdlib.data.sequences import Regression, adding, mnist_1d
from gdlib.data.sources import GrainSource
from gdlib.data.split import hold_out, hold_out_entities

__all__ = [
    "CLOTHES",
    "DIGITS",
    "Dataset",
    "GrainSource",
    "Regression",
    "adding",
    "fashion_mnist",
    "gaussian_mixture",
    "hold_out",
    "hold_out_entities",
    "mnist",
    "mnist_1d",
    "mnist_5000",
    "place_names",
    "python_manual",
    "ring_means",
    "written_dates",
]
