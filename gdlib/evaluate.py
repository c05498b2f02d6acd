"""Numbers to judge a trained model by: units named, spread shown."""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from gdlib import validation


class Spread(NamedTuple):
    """A mean over runs with the standard deviation between them; prints as mean ± deviation."""

    mean: float
    deviation: float
    runs: int

    def __format__(self, spec: str) -> str:
        return f"{self.mean:{spec}} ± {self.deviation:{spec}}"


def spread(values: ArrayLike) -> Spread:
    """Mean and sample standard deviation (divisor runs − 1) of one figure per run.

    Raises ValueError for fewer than two runs, which have no spread, and for NaN or infinity.
    """
    values = np.asarray(values, dtype=float)
    if values.ndim != 1 or len(values) < 2:
        raise ValueError(f"values: expected a vector of at least two runs, got shape {values.shape}")
    validation.finite("values", values)
    return Spread(float(values.mean()), float(values.std(ddof=1)), len(values))


def bits_per_dimension(nats: float, dimensions: int) -> float:
    """nats / (dimensions · ln 2): the same code length, in bits for each pixel."""
    return nats / (validation.positive_int("dimensions", dimensions) * math.log(2))
