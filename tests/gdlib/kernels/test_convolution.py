"""Convolution against XLA's own, in value and in gradient."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from forms import PRECISIONS, agree
from hypothesis import given, settings
from hypothesis import strategies as st
from jax.test_util import check_grads

from gdlib.kernels import convolution
from gdlib.kernels.convolution import convolution as convolve
from gdlib.kernels.pooling import max_pool


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

    def loss(inputs, groups):
        kernel = jnp.asarray(np.random.default_rng(1).normal(size=(2, 2, 2 // groups, 2)), jnp.float32)
        x = jnp.asarray(inputs)
        y = convolve(x, kernel, (1, 1), [(1, 1), (2, 0)], feature_group_count=groups)
        return jnp.sum(jnp.sin(y))

    for groups in (1, 2):
        check_grads(partial(loss, groups=groups), (inputs,), order=1, modes=["rev"], eps=1e-2, rtol=0.02)


@pytest.mark.parametrize("options", [{}, {"feature_group_count": 2}, {"rhs_dilation": (2,)}])
def test_one_end_may_be_cut_off_and_the_other_padded(options):
    """XLA's own values are wrong here, and its gradient in a dilated kernel (jax 0.7 and 0.10, CPU).

    What it reads outside the image may happen to be 0: so the program is looked at, too.
    """
    inputs = jax.random.normal(jax.random.key(0), (2, 6, 4))
    kernel = jax.random.normal(jax.random.key(1), (2, 4 // options.get("feature_group_count", 1), 2))

    def cut(x, kernel):
        return convolve(x, kernel, (1,), [(-1, 1)], **options)

    def moved(x, kernel):
        x = jnp.pad(x, ((0, 0), (0, 1), (0, 0)))[:, 1:]
        return convolve(x, kernel, (1,), "VALID", **options)

    found, expected = (
        jax.value_and_grad(lambda x, k, f=f: jnp.sum(jnp.sin(f(x, k))), (0, 1))(inputs, kernel)
        for f in (cut, moved)
    )
    jax.tree.map(partial(np.testing.assert_allclose, rtol=1e-4, atol=1e-5), found, expected)
    assert "stablehlo.pad" in jax.jit(cut).trace(inputs, kernel).lower(lowering_platforms=("cpu",)).as_text()


def test_groups_are_convolutions_of_their_own_in_gradient_too():
    """With a rest that no window reaches: the gradient there is 0."""
    inputs = jax.random.normal(jax.random.key(0), (2, 6, 4))
    kernel = jax.random.normal(jax.random.key(1), (1, 2, 6))

    def whole(x, k):
        return convolve(x, k, (4,), "VALID", feature_group_count=2)

    def apart(x, k):
        parts = zip(jnp.split(x, 2, axis=-1), jnp.split(k, 2, axis=-1), strict=True)
        return jnp.concatenate([convolve(*part, (4,), "VALID") for part in parts], axis=-1)

    found, expected = (
        jax.value_and_grad(lambda x, k, f=f: jnp.sum(jnp.sin(f(x, k))), (0, 1))(inputs, kernel)
        for f in (whole, apart)
    )
    jax.tree.map(partial(np.testing.assert_allclose, rtol=1e-4, atol=1e-5), found, expected)


@pytest.mark.parametrize(("dtype", "tolerance"), PRECISIONS)
@pytest.mark.parametrize("strides", [(1, 1), (2, 1)])
def test_the_forms_for_all_processors_are_one_function(strides, dtype, tolerance):
    inputs = jax.random.normal(jax.random.key(0), (2, 2, 6, 5, 3)).astype(dtype)
    kernel = 0.3 * jax.random.normal(jax.random.key(1), (2, 3, 2, 3, 4)).astype(dtype)
    movement = convolution.Movement(strides, ((1, 1), (0, 1)), (1, 1), (1, 1), 1, None)
    forms = (convolution.convolution_by_patches, convolution._by_xla, convolution._by_xla_once_padded)
    for form in forms[1:]:
        agree([partial(f, movement=movement) for f in (forms[0], form)], inputs, kernel, tolerance=tolerance)


def test_without_names_of_the_axes_channels_come_last():
    x = jax.random.normal(jax.random.key(0), (2, 5, 5, 4))
    for options in ({}, {"rhs_dilation": (2, 1)}, {"lhs_dilation": (1, 2)}, {"feature_group_count": 2}):
        kernel = jax.random.normal(jax.random.key(1), (2, 2, 4 // options.get("feature_group_count", 1), 6))
        named = options | {"dimension_numbers": ("NHWC", "HWIO", "NHWC")}
        found, expected = (
            convolve(x, kernel, (1, 1), [(0, 0)] * 2, **given)
            for convolve, given in (
                (convolve, options),
                (jax.lax.conv_general_dilated, named),
            )
        )
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    "names",
    [
        ("NCHW", "OIHW", "NCHW"),
        ("NHWC", "HWIO", "NCHW"),
        ("NHWC", "WHIO", "NHWC"),
        jax.lax.ConvDimensionNumbers((0, 1, 2, 3), (0, 1, 2, 3), (0, 1, 2, 3)),
    ],
)
def test_channels_that_do_not_come_last_are_refused(untyped, names):
    with pytest.raises(
        ValueError, match=r"dimension_numbers: expected channels last, as in \('NHWC'.*got .*[CO0]"
    ):
        convolve(jnp.zeros((3, 3, 3, 3)), jnp.zeros((3, 3, 3, 3)), (1, 1), "VALID", dimension_numbers=names)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"batch_group_count": 2}, TypeError, "batch_group_count"),
        ({"out_sharding": "data"}, ValueError, "out_sharding: expected None, got data"),
        ({"padding": "CAUSAL"}, ValueError, "padding: expected 'SAME', .* or 2 pairs, got 'CAUSAL'"),
        ({"padding": [(1, 1)]}, ValueError, "padding: expected 'SAME', .* or 2 pairs, got"),
        ({"window_strides": (1,)}, ValueError, r"window_strides: expected 2 sizes .* \(1, 4, 4, 1\), got 1"),
        ({"rhs_dilation": (0, 1)}, ValueError, "rhs_dilation: expected an integer of at least 1, got 0"),
        ({"kernel": jnp.zeros((2, 1, 1))}, ValueError, r"kernel: expected 4 axes.*got shape \(2, 1, 1\)"),
    ],
)
def test_options_that_it_does_not_know_are_refused(untyped, change, error, message):
    known = {"kernel": jnp.zeros((2, 2, 1, 1)), "window_strides": (1, 1), "padding": "VALID"}
    with pytest.raises(error, match=message):
        convolve(jnp.zeros((1, 4, 4, 1)), **(known | change))


@pytest.mark.parametrize("dtype", ["bfloat16", "float16", "float32"])
def test_it_keeps_its_type_or_takes_the_preferred_one(dtype):
    x = jax.random.normal(jax.random.key(0), (1, 5, 5, 2)).astype(dtype)
    kernel = jax.random.normal(jax.random.key(1), (3, 3, 2, 4)).astype(dtype)
    assert convolve(x, kernel, (1, 1), "SAME").dtype == dtype
    found = convolve(x, kernel, (1, 1), "SAME", preferred_element_type=jnp.float32)
    expected = convolve(*(a.astype(jnp.float32) for a in (x, kernel)), (1, 1), "SAME")
    np.testing.assert_array_equal(found, expected, strict=True)
    assert max_pool(x, (2, 2)).dtype == dtype


def test_no_images_give_no_images():
    assert convolve(jnp.zeros((0, 5, 2)), jnp.zeros((3, 2, 4)), (1,), "SAME").shape == (0, 5, 4)


@settings(deadline=None, max_examples=20)  # each is compiled
@given(convolutions())
def test_it_is_xlas_convolution(drawn):
    inputs, kernel, arguments, options = drawn

    def loss(convolve, x, kernel):
        y = convolve(x, kernel, *arguments, **options)
        return jnp.sum(jnp.sin(y)), y

    ours, theirs = (
        jax.value_and_grad(partial(loss, form), (0, 1), has_aux=True)(inputs, kernel)
        for form in (convolve, xlas)
    )
    for a, b in zip(jax.tree.leaves(ours), jax.tree.leaves(theirs), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("groups", [1, 2])
def test_channels_that_are_not_the_kernels_are_named(groups):
    """Two channels and a kernel for one could be reshaped into each other without complaint."""
    with pytest.raises(ValueError, match=rf"inputs: expected {2 * groups} channels.*\(1, 5, 5, 3\)"):
        convolve(
            jnp.zeros((1, 5, 5, 3)), jnp.zeros((3, 3, 2, 4)), (1, 1), "VALID", feature_group_count=groups
        )


def test_images_that_are_too_small_are_named():
    with pytest.raises(
        ValueError, match=r"inputs: expected at least the window's size \(2, 2\), got \(1, 5\)"
    ):
        max_pool(jnp.zeros((1, 1, 5, 1)), (2, 2))
    with pytest.raises(ValueError, match=r"inputs: expected at least the window's size \(3,\), got \(2,\)"):
        convolve(jnp.zeros((1, 2, 1)), jnp.zeros((3, 1, 1)), (1,), "VALID")
    with pytest.raises(
        ValueError, match=r"window: expected 2 sizes for inputs of shape \(1, 4, 4, 1\), got 1"
    ):
        max_pool(jnp.zeros((1, 4, 4, 1)), (2,))
    with pytest.raises(ValueError, match="strides: expected an integer of at least 1, got 0"):
        max_pool(jnp.zeros((1, 4, 1)), (2,), (0,))


@pytest.mark.parametrize("options", [{"kernel_dilation": 2}, {"feature_group_count": 2}, {}])
def test_flax_takes_it_for_its_own(options):
    x = jnp.asarray(np.random.default_rng(0).normal(size=(2, 8, 8, 4)), jnp.float32)
    ours, own = (
        nnx.Conv(4, 6, (3, 3), rngs=nnx.Rngs(0), **options, **extra)
        for extra in ({"conv_general_dilated": convolve}, {})
    )
    np.testing.assert_allclose(ours(x), own(x), rtol=1e-4, atol=1e-5)
