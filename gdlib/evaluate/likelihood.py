"""What a model of latent variables says of images: bounds, bits, and where its rate goes."""

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, Key

from gdlib import expect
from gdlib.distributions import gaussian_kl, gaussian_log_prob, gaussian_sample


def bits_per_dimension(nats: float, dimensions: int) -> float:
    """nats / (dimensions · ln 2): the same code length, in bits for each pixel.

    Example:
      >>> round(bits_per_dimension(97.0, 28 * 28), 3)
      0.178
    """
    return nats / (expect.positive_int("dimensions", dimensions) * math.log(2))


def importance_weighted_bound(log_weights: Float[Array, "samples batch"], k: int) -> Float[Array, " batch"]:
    """E[ log (1/k) Σᵢ exp(log_weightsᵢ) ] over groups of k: a lower bound of log p(x), tighter as k grows.

    Args:
      log_weights: log p(x, z) − log q(z|x) at independent samples, in nats: `objectives.log_weights`.
      k: samples a group; the samples make samples // k independent groups, whose mean is returned.

    k = 1 gives the ELBO. Raises ValueError for no samples, and where k does not divide them.
    Reference: Burda, Grosse & Salakhutdinov (2016).
    """
    samples, batch = log_weights.shape
    expect.positive_int("samples", samples)
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
    information is at most log n. Raises ValueError for no images.

    Reference: Hoffman & Johnson (2016).
    """
    if not len(mean):
        raise ValueError(f"mean: expected at least one image's, got shape {mean.shape}")
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
