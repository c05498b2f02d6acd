"""Spread over runs, and intervals of means and of shares."""

import math
import operator
import statistics
from typing import NamedTuple, SupportsIndex

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import stdtrit

from gdlib import expect


class Spread(NamedTuple):
    """A mean over runs with the standard deviation between them; prints as mean ± deviation."""

    mean: float
    deviation: float
    runs: int

    def __str__(self) -> str:
        return format(self, "")

    def __format__(self, spec: str) -> str:
        return f"{self.mean:{spec}}\u00a0±\u00a0{self.deviation:{spec}}"  # no line breaks inside it


def spread(values: ArrayLike) -> Spread:
    """Mean and sample standard deviation (divisor runs − 1) of one figure per run.

    Raises ValueError for fewer than two runs, which have no spread, and for NaN or infinity.

    Example:
      >>> mean, deviation, runs = spread([93.1, 93.4, 93.0])
      >>> round(mean, 2), round(deviation, 2), runs
      (93.17, 0.21, 3)
    """
    values = np.asarray(values, dtype=float)
    if values.ndim != 1 or len(values) < 2:
        raise ValueError(f"values: expected a vector of at least two runs, got shape {values.shape}")
    expect.finite("values", values)
    return Spread(float(values.mean()), float(values.std(ddof=1)), len(values))


class MeanInterval(NamedTuple):
    """A mean over runs and the half width of its confidence interval; prints as mean ± half width."""

    mean: float
    half: float

    def __str__(self) -> str:
        return format(self, "")

    def __format__(self, spec: str) -> str:
        return f"{self.mean:{spec}}\u00a0±\u00a0{self.half:{spec.lstrip('+')}}"


def mean_interval(values: ArrayLike, *, confidence: float = 0.95) -> MeanInterval:
    """mean ± t · deviation / √runs: where the mean of infinitely many runs lies, by Student's t.

    It holds for independent runs whose figures are normal, and closely enough for others that are not very skew. Of
    two methods on the same draws give the differences, in pairs: what the draws share then drops out. It speaks of
    what varied between the runs alone. Raises as `spread` does. Reference: Student (1908).

    Example:
      >>> mean, half = mean_interval([93.1, 93.4, 93.0])
      >>> round(mean, 2), round(half, 2)
      (93.17, 0.52)
    """
    expect.within("confidence", confidence, 0, 1)
    mean, deviation, runs = spread(values)
    return MeanInterval(mean, float(stdtrit(runs - 1, (1 + confidence) / 2)) * deviation / math.sqrt(runs))


class Proportion(NamedTuple):
    """A share with its confidence interval; prints as value (low to high)."""

    value: float
    low: float
    high: float
    trials: int

    def __str__(self) -> str:
        return format(self, "")

    def __format__(self, spec: str) -> str:
        return f"{self.value:{spec}} ({self.low:{spec}} to {self.high:{spec}})"


def proportion(successes: SupportsIndex, trials: int, *, confidence: float = 0.95) -> Proportion:
    """successes / trials with Wilson's interval: the p for which |share − p| ≤ z √(p (1 − p) / trials).

    It covers the true probability in about `confidence` of repetitions, near 0 and 1 too. It speaks of the draw of
    the trials alone: not of another training, and not of other data. Reference: Wilson (1927).

    Example:
      >>> print(f"{proportion(95, 100):.3f}")
      0.950 (0.888 to 0.978)
    """
    trials = expect.positive_int("trials", trials)
    expect.within("successes", successes, 0, trials)
    expect.within("confidence", confidence, 0, 1)
    z = statistics.NormalDist().inv_cdf((1 + confidence) / 2)
    share = operator.index(successes) / trials
    middle = (share + z**2 / (2 * trials)) / (1 + z**2 / trials)
    half = z / (1 + z**2 / trials) * math.sqrt(share * (1 - share) / trials + z**2 / (4 * trials**2))
    # Rounding may leave an end a hair on the wrong side of the share.
    return Proportion(share, max(min(middle - half, share), 0.0), min(max(middle + half, share), 1.0), trials)


def bootstrap(
    values: ArrayLike, groups: ArrayLike, *, draws: int = 1000, confidence: float = 0.95, seed: int = 0
) -> tuple[float, float]:
    """The middle `confidence` of the mean of `values` when whole groups are drawn anew, with replacement.

    For values that are not independent: all names of one place are right or wrong together.

    Args:
      values: (n,) figures, such as a 1 for a right answer.
      groups: (n,) which group each belongs to: numbers or texts.
      draws: how often.
      seed: of NumPy's generator.

    This is the percentile bootstrap, over groups.

    Example:
      >>> low, high = bootstrap([1, 1, 0, 0, 1], ["a", "a", "b", "b", "c"])
      >>> low < 0.6 < high
      True
    """
    values, draws = np.asarray(values, float), expect.positive_int("draws", draws)
    _, group = np.unique(groups, return_inverse=True)
    if values.ndim != 1 or group.shape != values.shape or not len(values):
        raise ValueError(f"groups: expected one for each value, got shapes {group.shape} and {values.shape}")
    expect.finite("values", values)
    expect.within("confidence", confidence, 0, 1)
    sizes, totals = np.bincount(group), np.bincount(group, weights=values)
    drawn = np.random.default_rng(seed).integers(len(sizes), size=(draws, len(sizes)))
    means = totals[drawn].sum(axis=1) / sizes[drawn].sum(axis=1)
    low, high = np.percentile(means, [50 * (1 - confidence), 50 * (1 + confidence)])
    return float(low), float(high)
