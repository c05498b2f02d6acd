"""Convolution and pooling against XLA's own, in value and in gradient."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from hypothesis import given, settings
from hypothesis import strategies as st
from jax.test_util import check_grads

from gdlib import layers


@st.composite
def convolutions(draw):
    """(inputs, kernel, arguments of a convolution) of a random rank, and of random sizes that fit."""
    rank = draw(st.integers(1, 3))

    def sizes(low, high):
        return tuple(draw(st.integers(low, high)) for _ in range(rank))

    window, groups, per_group = sizes(1, 3), draw(st.sampled_from([1, 1, 2])), draw(st.integers(1, 3))
    dilated = draw(st.booleans())
    dilations = (sizes(1, 2), sizes(1, 2)) if dilated else ((1,) * rank, (1,) * rank)
    space = tuple(
        d * (w - 1) + 1 + extra for w, d, extra in zip(window, dilations[1], sizes(0, 4), strict=True)
    )
    pads = st.tuples(st.integers(0, 2), st.integers(0, 2))
    padding = draw(st.lists(pads, min_size=rank, max_size=rank))
    if not dilated:  # XLA knows no names of paddings for inputs that are dilated
        padding = draw(st.sampled_from(["SAME", "VALID", padding]))
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    inputs = jnp.asarray(rng.normal(size=(2, *space, groups * per_group)), jnp.float32)
    kernel = jnp.asarray(rng.normal(size=(*window, per_group, 2 * groups)), jnp.float32)
    letters = "XYZ"[:rank]
    options = {
        "dimension_numbers": (f"N{letters}C", f"{letters}IO", f"N{letters}C"),
        "feature_group_count": groups,
        "lhs_dilation": dilations[0],
        "rhs_dilation": dilations[1],
    }
    return inputs, kernel, (sizes(1, 3), padding), options


def xlas(inputs, kernel, strides, padding, *, lhs_dilation, **options):
    """XLA's, on an image that was dilated and padded first.

    Where there are more zeros than the window covers, XLA's own gradient in the image is wrong (jax 0.10, CPU).
    """
    if isinstance(padding, str):
        return jax.lax.conv_general_dilated(inputs, kernel, strides, padding, **options)
    zeros = [(*pads, dilation - 1) for pads, dilation in zip(padding, lhs_dilation, strict=True)]
    x = jax.lax.pad(inputs, 0.0, [(0, 0, 0), *zeros, (0, 0, 0)])
    return jax.lax.conv_general_dilated(x, kernel, strides, "VALID", **options)


def test_its_gradient_is_right_where_there_are_more_zeros_than_the_window_covers():
    """Against differences: here XLA's own gradient in the image is not (jax 0.10, CPU)."""
    rng = np.random.default_rng(0)
    inputs = jnp.asarray(rng.normal(size=(2, 2, 2, 2)), jnp.float32)
    dimension_numbers = ("NXYC", "XYIO", "NXYC")

    def loss(inputs, groups):
        kernel = jnp.asarray(np.random.default_rng(1).normal(size=(2, 2, 2 // groups, 2)), jnp.float32)
        options = {"dimension_numbers": dimension_numbers, "feature_group_count": groups}
        return jnp.sum(
            jnp.sin(layers.convolution(jnp.asarray(inputs), kernel, (1, 1), [(1, 1), (2, 0)], **options))
        )

    for groups in (1, 2):
        check_grads(partial(loss, groups=groups), (inputs,), order=1, modes=["rev"], eps=1e-2, rtol=0.02)


@settings(deadline=None, max_examples=20)  # each is compiled
@given(convolutions())
def test_it_is_xlas_convolution(drawn):
    inputs, kernel, arguments, options = drawn

    def loss(convolve, x, kernel):
        y = convolve(x, kernel, *arguments, **options)
        return jnp.sum(jnp.sin(y)), y

    ours, theirs = (
        jax.value_and_grad(partial(loss, convolve), (0, 1), has_aux=True)(inputs, kernel)
        for convolve in (layers.convolution, xlas)
    )
    for a, b in zip(jax.tree.leaves(ours), jax.tree.leaves(theirs), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-4)


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
        jax.value_and_grad(partial(loss, pool), has_aux=True)(inputs)
        for pool in (layers.max_pool, nnx.max_pool)
    )
    for a, b in zip(jax.tree.leaves(ours), jax.tree.leaves(theirs), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("place", range(4))
def test_pooling_does_not_hide_a_nan(place):
    values = np.zeros(4, np.float32)
    values[place] = np.nan
    assert np.isnan(layers.max_pool(jnp.asarray(values).reshape(1, 2, 2, 1), (2, 2))).all()


@pytest.mark.parametrize("groups", [1, 2])
def test_channels_that_are_not_the_kernels_are_named(groups):
    """Two channels and a kernel for one could be reshaped into each other without complaint."""
    with pytest.raises(ValueError, match=rf"inputs: expected {2 * groups} channels.*\(1, 5, 5, 3\)"):
        layers.convolution(
            jnp.zeros((1, 5, 5, 3)), jnp.zeros((3, 3, 2, 4)), (1, 1), "VALID", feature_group_count=groups
        )


def test_images_that_are_too_small_are_named():
    with pytest.raises(
        ValueError, match=r"inputs: expected at least the window's size \(2, 2\), got \(1, 5\)"
    ):
        layers.max_pool(jnp.zeros((1, 1, 5, 1)), (2, 2))
    with pytest.raises(ValueError, match=r"inputs: expected at least the window's size \(3,\), got \(2,\)"):
        layers.convolution(jnp.zeros((1, 2, 1)), jnp.zeros((3, 1, 1)), (1,), "VALID")
    with pytest.raises(
        ValueError, match=r"window: expected 2 sizes for inputs of shape \(1, 4, 4, 1\), got 1"
    ):
        layers.max_pool(jnp.zeros((1, 4, 4, 1)), (2,))
    with pytest.raises(ValueError, match="strides: expected an integer of at least 1, got 0"):
        layers.max_pool(jnp.zeros((1, 4, 1)), (2,), (0,))


@pytest.mark.parametrize("options", [{"kernel_dilation": 2}, {"feature_group_count": 2}, {}])
def test_flax_takes_it_for_its_own(options):
    x = jnp.asarray(np.random.default_rng(0).normal(size=(2, 8, 8, 4)), jnp.float32)
    ours, own = (
        nnx.Conv(4, 6, (3, 3), rngs=nnx.Rngs(0), **options, **extra)
        for extra in ({"conv_general_dilated": layers.convolution}, {})
    )
    np.testing.assert_allclose(ours(x), own(x), rtol=1e-4, atol=1e-5)


def test_four_channels_become_a_square_of_pixels():
    image = jnp.arange(8.0).reshape(1, 1, 2, 4)
    expected = [[0, 1, 4, 5], [2, 3, 6, 7]]
    np.testing.assert_array_equal(layers.depth_to_space(image)[0, :, :, 0], expected)
    two = jnp.stack([image, image + 10], axis=-1).reshape(1, 1, 2, 8)  # four pixels of two channels each
    np.testing.assert_array_equal(layers.depth_to_space(two)[0, :, :, 1], np.array(expected) + 10)
    with pytest.raises(
        ValueError, match=r"images: expected a multiple of 4 channels, got shape \(1, 1, 2, 3\)"
    ):
        layers.depth_to_space(jnp.zeros((1, 1, 2, 3)))


@pytest.mark.parametrize("leading", [(), (3,), (2, 3), (2, 1, 4)])
def test_a_product_of_rows_is_a_dense_layers(leading):
    plain = nnx.Linear(5, 6, rngs=nnx.Rngs(0))
    ours = nnx.Linear(5, 6, dot_general=layers.rows_product, rngs=nnx.Rngs(0))
    x = jax.random.normal(jax.random.key(0), (*leading, 5))

    def both(layer):
        return nnx.value_and_grad(lambda layer, x: jnp.sum(jnp.sin(layer(x))), argnums=(0, 1))(layer, x)

    for found, expected in zip(jax.tree.leaves(both(ours)), jax.tree.leaves(both(plain)), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("shape", "dimensions"),
    [
        ((5, 6), (((0,), (0,)), ((), ()))),
        ((5, 6), (((1,), (1,)), ((), ()))),
        ((5, 6, 7), (((1,), (0,)), ((), ()))),
    ],
)
def test_other_products_are_refused(untyped, shape, dimensions):
    with pytest.raises(ValueError, match="dimension_numbers: expected lhs's last axis and a matrix's first"):
        layers.rows_product(jnp.ones((4, 5)), jnp.ones(shape), dimensions)
