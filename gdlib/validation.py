"""The checks that eager entry points share. Each error names the argument, what was expected and
what came. Values are looked at here, once, where data enters; never inside a compiled step."""

import operator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np


def positive_int(name: str, value: Any) -> int:
    """`value` as an int ≥ 1. Raises TypeError or ValueError."""
    try:
        number = operator.index(value)
    except TypeError:
        raise TypeError(f"{name}: expected an integer, got {value!r}") from None
    if isinstance(value, bool) or number < 1:
        raise ValueError(f"{name}: expected an integer of at least 1, got {value!r}")
    return number


def random_key(name: str, value: Any) -> jax.Array:
    """`value`, a typed key or a vector of them. Raises TypeError or ValueError."""
    if not jnp.issubdtype(getattr(value, "dtype", None), jax.dtypes.prng_key):
        raise TypeError(f"{name}: expected a key from jax.random.key, got {describe(value)}")
    if value.ndim > 1 or value.size == 0:
        raise ValueError(f"{name}: expected one key or a vector of keys, got shape {value.shape}")
    return value


def finite(name: str, array: Any) -> None:
    """Raise ValueError where a floating-point array holds NaN or an infinity."""
    array = np.asarray(array)
    if np.issubdtype(array.dtype, np.inexact) and not np.isfinite(array).all():
        bad = int(np.argmin(np.isfinite(array).reshape(len(array), -1).all(axis=1)))
        raise ValueError(f"{name}: expected finite numbers, got NaN or infinity, first in row {bad}")


def within(name: str, array: Any, low: float | int, high: float | int) -> None:
    """Raise ValueError where a value lies outside [low, high] (NaN does)."""
    array = np.asarray(array)
    if array.size and not ((array >= low) & (array <= high)).all():
        raise ValueError(
            f"{name}: expected values from {low:g} to {high:g}, got {array.min():g} to {array.max():g}"
        )


def trailing_shape(name: str, array: Any, expected: tuple[int, ...]) -> None:
    """Raise ValueError unless `array` is (batch, *expected). Shapes are static: fine under jit."""
    if array.ndim != len(expected) + 1 or array.shape[1:] != expected:
        wanted = ", ".join(map(str, expected))
        raise ValueError(f"{name}: expected shape (batch, {wanted}), got {array.shape}")


def describe(value: Any) -> str:
    """A short name of what came: an array by dtype and shape, all else by its type."""
    if hasattr(value, "dtype") and hasattr(value, "shape"):
        return f"an array of {value.dtype}{list(value.shape)}"
    return type(value).__name__
