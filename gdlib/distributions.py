"""Log-densities, divergences and samples.

Natural logarithms, so every quantity is in nats; a sum runs over the last axis, so every result is per example.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key

LOG_2PI = 1.8378770664093453


def gaussian_log_prob(
    x: Float[Array, "*#batch d"], mean: Float[Array, "*#batch d"], logvar: Float[Array, "*#batch d"]
) -> Float[Array, "*#batch"]:
    """log N(x; mean, diag exp(logvar)) = −½ Σᵢ [log 2π + logvarᵢ + (xᵢ − meanᵢ)² / exp(logvarᵢ)]."""
    return -0.5 * jnp.sum(LOG_2PI + logvar + (x - mean) ** 2 * jnp.exp(-logvar), axis=-1)


def gaussian_sample(
    rng_key: Key[Array, ""], mean: Float[Array, "*batch d"], logvar: Float[Array, "*batch d"]
) -> Float[Array, "*batch d"]:
    """mean + exp(½ logvar) ⊙ ε with ε ~ N(0, I): a sample through which gradients flow.

    Raises ValueError where mean and logvar have not one shape: broadcast, rows would share their noise.
    Reference: Kingma & Welling (2014), the reparameterisation trick.
    """
    if mean.shape != logvar.shape:
        raise ValueError(f"logvar: expected the mean's shape {mean.shape}, got {logvar.shape}")
    noise = jax.random.normal(rng_key, mean.shape, mean.dtype)
    return mean + jnp.exp(0.5 * logvar) * noise


def gaussian_kl(mean: Float[Array, "*batch d"], logvar: Float[Array, "*batch d"]) -> Float[Array, "*batch"]:
    """KL( N(mean, diag exp(logvar)) ‖ N(0, I) ) = ½ Σᵢ [meanᵢ² + exp(logvarᵢ) − 1 − logvarᵢ] ≥ 0.

    `expm1` keeps the digits that exp(logvar) − 1 would lose near logvar = 0, where the KL vanishes.
    Reference: Kingma & Welling (2014), appendix on the Gaussian case.

    Example:
      >>> float(gaussian_kl(jnp.array([1.0, 2.0]), jnp.zeros(2)))
      2.5
    """
    return 0.5 * jnp.sum(mean**2 + jnp.expm1(logvar) - logvar, axis=-1)


def bernoulli_log_prob(
    x: Float[Array, "*batch d"], logits: Float[Array, "*batch d"]
) -> Float[Array, "*batch"]:
    """Σᵢ log Bernoulli(xᵢ; sigmoid(logitsᵢ)) = Σᵢ [xᵢ logitsᵢ − softplus(logitsᵢ)], for xᵢ in {0, 1}.

    On logits, because log(sigmoid(l)) written out is −∞ already at l = −104 in float32.
    """
    return jnp.sum(x * logits - jax.nn.softplus(logits), axis=-1)


def continuous_bernoulli_log_normalizer(logits: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """log C(l) with C(l) ∫₀¹ exp(x l − softplus(l)) dx = 1, elementwise: C(l) = l / tanh(l / 2), and C(0) = 2.

    What has to be added to each pixel of `bernoulli_log_prob` before it is the log-density of grey values.
    Near 0 the quotient is 0 / 0; there its series in y = l / 2 stands in, log 2 + y²/3 − 7 y⁴/90 + 62 y⁶/2835.
    Reference: Loaiza-Ganem & Cunningham (2019).
    """
    small = jnp.abs(logits) < 0.5
    square = jnp.where(small, logits / 2, 0) ** 2
    series = jnp.log(2.0) + square * (1 / 3 - square * (7 / 90 - square * (62 / 2835)))
    safe = jnp.where(small, 1.0, logits)
    return jnp.where(small, series, jnp.log(safe / jnp.tanh(safe / 2)))


def bernoulli_sample(rng_key: Key[Array, ""], probs: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """Zeros and ones, one with probability `probs`. Where `probs` is 0 or 1 it comes back as it is."""
    return jax.random.bernoulli(rng_key, probs).astype(probs.dtype)
