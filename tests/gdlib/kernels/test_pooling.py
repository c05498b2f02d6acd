"""Pooling against XLA's own, in value and in gradient."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from forms import PRECISIONS, agree
from hypothesis import given, settings
from hypothesis import strategies as st

from gdlib.kernels import pooling
from gdlib.kernels.pooling import max_pool


@pytest.mark.parametrize(("dtype", "tolerance"), PRECISIONS)
@pytest.mark.parametrize("strides", [(2, 2), (1, 2)])
def test_the_forms_of_pooling_are_one_function_ties_included(strides, dtype, tolerance):
    inputs = jnp.asarray(np.random.default_rng(0).integers(0, 3, (2, 2, 5, 6, 2)), dtype)
    forms = (
        partial(pooling._pooled_by_selection, window=(2, 2), strides=strides),
        partial(nnx.max_pool, window_shape=(2, 2), strides=strides),
    )
    agree(forms, inputs, tolerance=tolerance)
    for x in (inputs[0].at[0, 1, 1, 0].set(jnp.nan), jnp.full_like(inputs[0], -jnp.inf)):
        np.testing.assert_array_equal(*(np.asarray(form(x), np.float32) for form in forms))


@st.composite
def pools(draw):
    rank = draw(st.integers(1, 3))
    window, strides, extra = (tuple(draw(st.integers(low, 3)) for _ in range(rank)) for low in (1, 1, 0))
    space = tuple(w + e for w, e in zip(window, extra, strict=True))
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    # Small integers: many ties, at which the gradients have to agree too.
    return jnp.asarray(rng.integers(0, 3, (2, *space, 2)), jnp.float32), window, strides


@settings(deadline=None, max_examples=20)
@given(pools())
def test_it_is_xlas_pooling_ties_included(drawn):
    inputs, window, strides = drawn

    def loss(pool, x):
        y = pool(x, window, strides)
        weights = jnp.cos(jnp.arange(y.size)).reshape(y.shape)
        return jnp.sum(weights * y), y

    ours, theirs = (
        jax.value_and_grad(partial(loss, pool), has_aux=True)(inputs) for pool in (max_pool, nnx.max_pool)
    )
    for a, b in zip(jax.tree.leaves(ours), jax.tree.leaves(theirs), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("place", range(4))
def test_pooling_does_not_hide_a_nan(place):
    values = np.zeros(4, np.float32)
    values[place] = np.nan
    assert np.isnan(max_pool(jnp.asarray(values).reshape(1, 2, 2, 1), (2, 2))).all()
