"""Points in the plane, drawn from laws that are known."""

import jax
import numpy as np
from numpy.typing import ArrayLike

from gdlib import expect
from gdlib.data.dataset import Dataset


def ring_means(modes: int = 8, radius: float = 1.0) -> np.ndarray:
    """`modes` points evenly on a circle, (modes, 2) float32: means for `gaussian_mixture`."""
    angles = 2 * np.pi * np.arange(expect.positive_int("modes", modes)) / modes
    return (radius * np.stack([np.cos(angles), np.sin(angles)], axis=1)).astype(np.float32)


def gaussian_mixture(rng_key: jax.Array, n: int, means: ArrayLike, scale: float) -> Dataset:
    """`n` draws from Gaussians N(meanᵢ, scale² I), each as probable as the others; labels say which.

    Args:
      rng_key: what the draws depend on.
      n: how many.
      means: (modes, d).
      scale: the standard deviation in every direction, at least 0.
    """
    n, means = expect.positive_int("n", n), np.asarray(means, np.float32)
    if means.ndim != 2 or not means.size:
        raise ValueError(f"means: expected shape (modes, d), got {means.shape}")
    expect.finite("means", means)
    expect.within("scale", scale, 0, np.inf)
    mode_key, noise_key = jax.random.split(expect.random_key("rng_key", rng_key))
    labels = jax.random.randint(mode_key, (n,), 0, len(means))
    noise = jax.random.normal(noise_key, (n, means.shape[1]))
    return Dataset.checked(means[labels] + scale * noise, labels, tuple(map(str, range(len(means)))))
