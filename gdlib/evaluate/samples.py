"""Samples against real examples: which modes are there, how far two sets are apart, and in which way."""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from gdlib import expect


class ModeCoverage(NamedTuple):
    """How samples cover a mixture's modes.

    found: modes to which a high-quality sample is nearest.
    high_quality: share of samples within three standard deviations of their nearest mode.
    weight: (modes,) the share of samples nearest to each mode.
    scale: (modes,) the standard deviation of these about their own mean, in each direction; NaN for fewer than two.
    """

    found: int
    high_quality: float
    weight: np.ndarray
    scale: np.ndarray


def mode_coverage(samples: ArrayLike, means: ArrayLike, scale: float) -> ModeCoverage:
    """Samples, (n, d), against a mixture of Gaussians N(meanᵢ, scale² I), means (modes, d).

    Samples from a ring of two dimensions themselves score a high quality of 1 − e^(−9/2) = 98.9 %: more
    means too narrow. Reference: the protocol of Srivastava et al. (2017).
    """
    samples, means = np.asarray(samples, np.float64), np.asarray(means, np.float64)
    if samples.ndim != 2 or means.ndim != 2 or not means.size or samples.shape[1] != means.shape[1]:
        raise ValueError(
            f"samples: expected (n, d) and means (modes, d), got {samples.shape} and {means.shape}"
        )
    if not len(samples) or not scale > 0:
        raise ValueError(
            f"samples: expected at least one and a scale above 0, got {len(samples)} and {scale}"
        )
    expect.finite("samples", samples)
    distances = np.linalg.norm(samples[:, None] - means, axis=-1)
    nearest, good = distances.argmin(axis=1), distances.min(axis=1) <= 3 * scale
    members = [samples[nearest == mode] for mode in range(len(means))]
    scales = [np.sqrt(own.var(axis=0, ddof=1).mean()) if len(own) > 1 else np.nan for own in members]
    weight = np.array([len(own) for own in members]) / len(samples)
    return ModeCoverage(len(set(nearest[good])), float(good.mean()), weight, np.array(scales))


def frechet_distance(first: ArrayLike, second: ArrayLike) -> float:
    """|μ₁ − μ₂|² + tr(S₁ + S₂ − 2 (S₁S₂)^½): the squared Fréchet distance of two Gaussians fitted to features.

    Args:
      first, second: features, (n, d) each, n at least 2. The smaller n, the larger the distance of two
        sets from one distribution: compare at equal n only, and beside real against real.

    Reference: Heusel et al. (2017), who take the features of an Inception network.
    """
    first, second = np.asarray(first, np.float64), np.asarray(second, np.float64)
    _check_features(first, second, least=2)
    if (largest := max(np.abs(first).max(), np.abs(second).max())) > 1e75:
        raise ValueError(f"features: expected magnitudes whose fourth powers are finite, got {largest:g}")
    covariances = [np.atleast_2d(np.cov(features, rowvar=False)) for features in (first, second)]
    values, vectors = np.linalg.eigh(covariances[0])
    root = (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T
    # tr (S₁S₂)^½ = tr (S₁^½ S₂ S₁^½)^½, of a symmetric matrix: its eigenvalues are real, and stay so when rounded.
    cross = np.sqrt(np.maximum(np.linalg.eigvalsh(root @ covariances[1] @ root), 0)).sum()
    apart = np.sum((first.mean(axis=0) - second.mean(axis=0)) ** 2)
    return float(max(apart + np.trace(covariances[0]) + np.trace(covariances[1]) - 2 * cross, 0.0))


class PrecisionRecall(NamedTuple):
    """Precision: the share of samples that lie among real examples. Recall: of real ones among samples."""

    precision: float
    recall: float


def precision_recall(real: ArrayLike, samples: ArrayLike, *, neighbours: int = 3) -> PrecisionRecall:
    """A point lies *among* a set where it is no further from some member than that one's k-th neighbour is.

    Args:
      real, samples: features, (n, d) each, more than `neighbours`. Compare at equal n.
      neighbours: k.

    Reference: Kynkäänniemi et al. (2019), who take k = 3.
    """
    real, samples = np.asarray(real, np.float64), np.asarray(samples, np.float64)
    neighbours = expect.positive_int("neighbours", neighbours)
    _check_features(real, samples, least=neighbours + 1)
    origin = real.mean(axis=0)  # far from it the squares below would lose the distances' digits
    ours, theirs = real - origin, samples - origin

    def share_among(points: np.ndarray, members: np.ndarray) -> float:
        radii = np.sort(_distances(members, members), axis=1)[:, neighbours]  # itself comes first
        return float((_distances(points, members) <= radii).any(axis=1).mean())

    return PrecisionRecall(share_among(theirs, ours), share_among(ours, theirs))


def _distances(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    squares = (a**2).sum(axis=1)[:, None] + (b**2).sum(axis=1) - 2 * a @ b.T
    return np.sqrt(np.maximum(squares, 0))


def _check_features(first: np.ndarray, second: np.ndarray, *, least: int) -> None:
    if first.ndim != 2 or second.ndim != 2 or first.shape[1] != second.shape[1]:
        raise ValueError(f"features: expected (n, d) twice, got {first.shape} and {second.shape}")
    if min(len(first), len(second)) < least:
        raise ValueError(f"features: expected at least {least} rows, got {len(first)} and {len(second)}")
    expect.finite("features", first)
    expect.finite("features", second)
