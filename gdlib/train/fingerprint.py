"""Checksums of data and of programs: what tells one run from another."""

import re
import zlib
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import PyTree


def fingerprint(tree: PyTree) -> str:
    """A checksum of a pytree's structure and of the type, the shape and every value of its arrays."""
    leaves, structure = jax.tree.flatten(tree)
    total = zlib.crc32(str(structure).encode())
    for leaf in map(numbers, leaves):
        total = zlib.crc32(f"{leaf.dtype}{leaf.shape}".encode(), total)
        total = zlib.crc32(np.ascontiguousarray(leaf), total)
    return f"{total:08x}"


def program(function: Callable, *arguments: Any) -> str:
    """A checksum of what `function` computes: its operations, what it captures, and how its results are named."""
    traced, results = jax.make_jaxpr(function, return_shape=True)(*arguments)
    operations = re.sub(r"0x[0-9a-f]+", "", str(traced))  # where a function lies in memory tells nothing
    return fingerprint([operations, str(jax.tree.structure(results)), *traced.consts])


def is_key(leaf: Any) -> bool:
    """Whether it is a random key."""
    return jnp.issubdtype(getattr(leaf, "dtype", np.dtype(object)), jax.dtypes.prng_key)


def numbers(leaf: Any) -> np.ndarray:
    """A leaf as an array; a random key as the numbers it holds."""
    return np.asarray(jax.random.key_data(leaf) if is_key(leaf) else leaf)
