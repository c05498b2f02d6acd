"""The checks that eager entry points share.

Each error names the argument, what was expected and what came. Values are looked at here, once, where data enters;
never inside a compiled step.
"""

import operator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import PyTree


def integer(name: str, value: Any) -> int:
    """`value` as an int. Raises TypeError."""
    try:
        return operator.index(value)
    except TypeError:
        raise TypeError(f"{name}: expected an integer, got {value!r}") from None


def positive_int(name: str, value: Any) -> int:
    """`value` as an int ≥ 1. Raises TypeError or ValueError."""
    number = integer(name, value)
    if isinstance(value, bool) or number < 1:
        raise ValueError(f"{name}: expected an integer of at least 1, got {value!r}")
    return number


def random_key(name: str, value: Any) -> jax.Array:
    """`value`, a typed key or a vector of them. Raises TypeError or ValueError."""
    if not jnp.issubdtype(getattr(value, "dtype", np.dtype(object)), jax.dtypes.prng_key):
        raise TypeError(f"{name}: expected a key from jax.random.key, got {describe(value)}")
    if value.ndim > 1 or value.size == 0:
        raise ValueError(f"{name}: expected one key or a vector of keys, got shape {value.shape}")
    return value


def numbers(name: str, array: Any) -> None:
    """Raise TypeError for an array of anything else."""
    if not any(jnp.issubdtype(array.dtype, kind) for kind in (jnp.bool_, jnp.number)):
        raise TypeError(f"{name}: expected numbers, got {describe(array)}")


def booleans(name: str, array: Any) -> None:
    """Raise TypeError for an array of anything else: a mask of 0 and −∞ would be read upside down."""
    if array.dtype != jnp.bool_:
        raise TypeError(f"{name}: expected booleans, got {describe(array)}")


def finite(name: str, array: Any) -> None:
    """Raise ValueError where a floating-point array holds NaN or an infinity; traced, it has no values yet."""
    if isinstance(array, Tracer):
        return
    array = np.asarray(array)
    if jnp.issubdtype(array.dtype, jnp.inexact) and not np.isfinite(array).all():
        bad = int(np.argmin(np.isfinite(array).reshape(len(array), -1).all(axis=1)))
        raise ValueError(f"{name}: expected finite numbers, got NaN or infinity, first in row {bad}")


def within(name: str, array: Any, low: float | int, high: float | int) -> None:
    """Raise ValueError where a value lies outside [low, high] (NaN does)."""
    array = np.asarray(array)
    if array.size and not ((array >= low) & (array <= high)).all():
        raise ValueError(
            f"{name}: expected values from {low:g} to {high:g}, got {array.min():g} to {array.max():g}"
        )


def positions(name: str, labels: Any, count: int, classes: int, *, lowest: int = 0) -> None:
    """Raise TypeError or ValueError unless `labels` are `count` integers from `lowest` to `classes` − 1."""
    traced = isinstance(labels, Tracer)  # it has no values yet, but a type and a shape
    labels = labels if traced else np.asarray(labels)
    if not jnp.issubdtype(labels.dtype, jnp.integer):
        raise TypeError(f"{name}: expected integers, got {describe(labels)}")
    if labels.shape != (count,):
        raise ValueError(f"{name}: expected {count} of them, got shape {labels.shape}")
    if not traced:
        within(name, labels, lowest, classes - 1)


def tokens(name: str, ids: Any, vocabulary: int) -> None:
    """Raise TypeError or ValueError unless `ids` are integers from 0 to `vocabulary` − 1; traced, their type alone."""
    if not jnp.issubdtype(ids.dtype, jnp.integer):
        raise TypeError(f"{name}: expected integers, got {describe(ids)}")
    if not isinstance(ids, Tracer):
        within(name, ids, 0, vocabulary - 1)


def examples(name: str, data: PyTree) -> int:
    """How many examples a pytree of arrays holds along its one first axis.

    Raises TypeError or ValueError where it holds none, what is no number, NaN or infinity, or numbers that
    the device's types cannot hold (64 bits become 32, unless JAX is told otherwise).
    """
    leaves = jax.tree.leaves(data)
    if not leaves:
        raise ValueError(f"{name}: expected arrays, got an empty pytree")
    for leaf in leaves:
        if not hasattr(leaf, "shape") or not hasattr(leaf, "dtype"):
            raise TypeError(f"{name}: expected a pytree of arrays, got one that holds a {describe(leaf)}")
    lengths = {leaf.shape[0] if leaf.shape else 0 for leaf in leaves}
    if len(lengths) != 1 or 0 in lengths:
        raise ValueError(f"{name}: expected arrays with one first axis of at least 1, got lengths {lengths}")
    for leaf in leaves:
        finite(name, _on_the_device(name, leaf))
    return lengths.pop()


def _on_the_device(name: str, array: Any) -> np.ndarray:
    """`array` in the type that it has once it is on the device."""
    numbers(name, array)
    dtype = jax.dtypes.canonicalize_dtype(array.dtype)
    array = np.asarray(array)
    with np.errstate(over="ignore"):
        held = array.astype(dtype, copy=False)
    if np.issubdtype(dtype, np.integer) and (held != array).any():
        raise ValueError(f"{name}: expected integers that fit {dtype}, got {array.min()} to {array.max()}")
    return held


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
