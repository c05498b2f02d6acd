"""Forms of one function, for different processors: compared in value, gradient and the gradient of a gradient."""

import jax
import jax.numpy as jnp
import numpy as np

PRECISIONS = [("float32", 1e-4), ("bfloat16", 0.05), ("float16", 0.02)]


def twice(function):
    """(value, gradient, the gradient of the gradient's length) of a function of arrays, as a penalty needs them."""

    def length(*arrays):
        slopes = jax.grad(lambda *arrays: jnp.sum(jnp.sin(function(*arrays))), tuple(range(len(arrays))))(
            *arrays
        )
        return sum(jnp.sum(slope**2) for slope in slopes), slopes

    def all_three(*arrays):
        seconds, slopes = jax.grad(length, tuple(range(len(arrays))), has_aux=True)(*arrays)
        return function(*arrays), slopes, seconds

    return all_three


def agree(forms, *arrays, tolerance):
    """Both forms, and their derivatives, for each of the arrays' first axis at once."""
    one, other = (jax.jit(jax.vmap(twice(form)))(*arrays) for form in forms)
    for a, b in zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True):
        assert a.dtype == b.dtype == arrays[0].dtype
        a, b = np.asarray(a, np.float32), np.asarray(b, np.float32)
        np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance * max(np.abs(b).max(), 1))
