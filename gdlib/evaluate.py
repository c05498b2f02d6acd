"""Numbers to judge a trained model by: units named, spread shown."""

import math
import operator
import statistics
from typing import NamedTuple, SupportsIndex

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, Key
from numpy.typing import ArrayLike
from scipy.optimize import minimize_scalar
from scipy.special import stdtrit

from gdlib import expect
from gdlib.distributions import gaussian_kl, gaussian_log_prob, gaussian_sample


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
    """
    expect.within("confidence", confidence, 0, 1)
    mean, deviation, runs = spread(values)
    return MeanInterval(mean, float(stdtrit(runs - 1, (1 + confidence) / 2)) * deviation / math.sqrt(runs))


def bits_per_dimension(nats: float, dimensions: int) -> float:
    """nats / (dimensions · ln 2): the same code length, in bits for each pixel."""
    return nats / (expect.positive_int("dimensions", dimensions) * math.log(2))


def importance_weighted_bound(log_weights: Float[Array, "samples batch"], k: int) -> Float[Array, " batch"]:
    """E[ log (1/k) Σᵢ exp(log_weightsᵢ) ] over groups of k: a lower bound of log p(x), tighter as k grows.

    Args:
      log_weights: log p(x, z) − log q(z|x) at independent samples, in nats: `objectives.log_weights`.
      k: samples a group; the samples make samples // k independent groups, whose mean is returned.

    k = 1 gives the ELBO. Raises ValueError where k does not divide the samples.
    Reference: Burda, Grosse & Salakhutdinov (2016).
    """
    samples, batch = log_weights.shape
    k = expect.positive_int("k", k)
    if samples % k:
        raise ValueError(f"k: expected a divisor of the {samples} samples, got {k}")
    groups = log_weights.reshape(samples // k, k, batch)
    return jnp.mean(jax.nn.logsumexp(groups, axis=1) - jnp.log(k), axis=0)


class RateSplit(NamedTuple):
    """The mean rate in two parts, in nats: what codes tell about images, and how far they are from the prior."""

    mutual_information: Float[Array, ""]
    marginal_kl: Float[Array, ""]


def split_rate(mean: Float[Array, "n d"], logvar: Float[Array, "n d"], rng_key: Key[Array, ""]) -> RateSplit:
    """mean KL(q(z|x) ‖ p(z)) = I(x; z) + KL(q(z) ‖ p(z)) over the n images themselves.

    Here x is one of the n images, each with probability 1/n, and q(z) = (1/n) Σ q(z|xᵢ), their mixture. Its
    log-density at one z of each image is a sum over all n: no bound, but it takes n² densities. The mutual
    information is at most log n.

    Reference: Hoffman & Johnson (2016).
    """
    z = gaussian_sample(rng_key, mean, logvar)

    def log_mixture(z: Float[Array, " d"]) -> Float[Array, ""]:
        return jax.nn.logsumexp(gaussian_log_prob(z, mean, logvar)) - jnp.log(len(mean))

    information = jnp.mean(gaussian_log_prob(z, mean, logvar) - jax.lax.map(log_mixture, z, batch_size=256))
    return RateSplit(information, jnp.mean(gaussian_kl(mean, logvar)) - information)


def active_units(mean: Float[Array, "n d"], *, threshold: float = 0.01) -> Int[Array, ""]:
    """How many latent dimensions react to the image: those whose mean varies by more than `threshold`.

    A unit counts where the variance over images of its posterior mean exceeds the threshold.
    Reference: Burda, Grosse & Salakhutdinov (2016), who use 0.01.
    """
    expect.finite("mean", mean)
    return jnp.sum(jnp.var(mean, axis=0) > threshold)


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

    def share_among(points: np.ndarray, members: np.ndarray) -> float:
        radii = np.sort(_distances(members, members), axis=1)[:, neighbours]  # itself comes first
        return float((_distances(points, members) <= radii).any(axis=1).mean())

    return PrecisionRecall(share_among(samples, real), share_among(real, samples))


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


# ------------------------------------------------------------------------------------------- classifiers


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


def accuracy(logits: ArrayLike, labels: ArrayLike, *, confidence: float = 0.95) -> Proportion:
    """The share of examples whose largest logit is their label's, with `proportion`'s interval.

    Args:
      logits: (n, classes). labels: (n,) integers from 0 to classes − 1.
    """
    logits, labels = _checked_logits(logits, labels)
    return proportion(int((logits.argmax(axis=1) == labels).sum()), len(labels), confidence=confidence)


def confusion(logits: ArrayLike, labels: ArrayLike) -> np.ndarray:
    """(classes, classes) counts: of each class (row), how many got their largest logit in which (column)."""
    logits, labels = _checked_logits(logits, labels)
    counts = np.zeros((logits.shape[1],) * 2, int)
    np.add.at(counts, (labels, logits.argmax(axis=1)), 1)
    return counts


class Calibration(NamedTuple):
    """Answers in bins of their confidence, the largest probability.

    confidence, accuracy: (bins,) means over a bin; NaN where it is empty. share: (bins,) of the answers.
    error: Σ share · |accuracy − confidence|, the expected calibration error.
    """

    confidence: np.ndarray
    accuracy: np.ndarray
    share: np.ndarray
    error: float


def calibration(logits: ArrayLike, labels: ArrayLike, *, bins: int = 15) -> Calibration:
    """How often answers of some confidence are right, in bins of equal width.

    The error of a perfectly calibrated model is not 0 on n examples: each bin's accuracy is a random share.
    Reference: Guo et al. (2017), after Naeini et al. (2015).
    """
    logits, labels = _checked_logits(logits, labels)
    bins = expect.positive_int("bins", bins)
    probabilities = np.exp(_log_softmax(logits))
    confident, right = probabilities.max(axis=1), logits.argmax(axis=1) == labels
    position = np.minimum((confident * bins).astype(int), bins - 1)
    count = np.bincount(position, minlength=bins)
    with np.errstate(invalid="ignore"):
        means = [np.bincount(position, values, bins) / count for values in (confident, right)]
    share = count / len(labels)
    return Calibration(*means, share, float(np.nansum(share * np.abs(means[1] - means[0]))))


def temperature(logits: ArrayLike, labels: ArrayLike) -> float:
    """The T > 0, between 1/100 and 100, for which logits / T have the least mean cross-entropy on these examples.

    It changes no answer, only the confidence. Take examples that the model was not trained on, and not the test's.
    Reference: Guo et al. (2017).
    """
    logits, labels = _checked_logits(logits, labels)
    own = np.arange(len(labels)), labels

    def loss(log_temperature: float) -> float:
        return -_log_softmax(logits / math.exp(log_temperature))[own].mean()

    widest = math.log(100)
    return math.exp(minimize_scalar(loss, bounds=(-widest, widest), method="bounded").x)


def _log_softmax(logits: np.ndarray) -> np.ndarray:
    shifted = logits - logits.max(axis=1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))


def _checked_logits(logits: ArrayLike, labels: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    logits, labels = np.asarray(logits, np.float64), np.asarray(labels)
    if logits.ndim != 2 or not logits.size:
        raise ValueError(f"logits: expected shape (n, classes), n at least 1, got {logits.shape}")
    expect.finite("logits", logits)
    expect.positions("labels", labels, *logits.shape)
    return logits, labels
