"""Numbers to judge a trained model by: units named, spread shown."""

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, Key
from numpy.typing import ArrayLike

from gdlib import validation
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
    validation.finite("values", values)
    return Spread(float(values.mean()), float(values.std(ddof=1)), len(values))


def bits_per_dimension(nats: float, dimensions: int) -> float:
    """nats / (dimensions · ln 2): the same code length, in bits for each pixel."""
    return nats / (validation.positive_int("dimensions", dimensions) * math.log(2))


def importance_weighted_bound(log_weights: Float[Array, "samples batch"], k: int) -> Float[Array, " batch"]:
    """E[ log (1/k) Σᵢ exp(log_weightsᵢ) ] over groups of k: a lower bound of log p(x), tighter as k grows.

    Args:
      log_weights: log p(x, z) − log q(z|x) at independent samples, in nats: `objectives.log_weights`.
      k: samples a group; the samples make samples // k independent groups, whose mean is returned.

    k = 1 gives the ELBO. Raises ValueError where k does not divide the samples.
    Reference: Burda, Grosse & Salakhutdinov (2016).
    """
    samples, batch = log_weights.shape
    k = validation.positive_int("k", k)
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
    validation.finite("mean", mean)
    return jnp.sum(jnp.var(mean, axis=0) > threshold)
