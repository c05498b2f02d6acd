"""The convolution against XLA's own, in value and in gradient."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from gdlib import layers

LAYOUT = ("NHWC", "HWIO", "NHWC")


@pytest.mark.parametrize("strides", [(1, 1), (2, 2), (2, 1), (3, 2)])
@pytest.mark.parametrize("padding", ["SAME", "VALID", [(0, 2), (1, 1)]])
@pytest.mark.parametrize("window", [(3, 3), (2, 5), (1, 1)])
def test_it_is_xlas_convolution(strides, padding, window):
    rng = np.random.default_rng(0)
    x = jnp.asarray(rng.normal(size=(2, 7, 9, 3)), jnp.float32)
    kernel = jnp.asarray(rng.normal(size=(*window, 3, 4)), jnp.float32)

    def loss(convolve, x, kernel):
        y = convolve(x, kernel, strides, padding, dimension_numbers=LAYOUT)
        return jnp.sum(jnp.sin(y)), y

    own, ours = jax.value_and_grad(loss, (1, 2), has_aux=True)(layers.convolution, x, kernel)
    xla, theirs = jax.value_and_grad(loss, (1, 2), has_aux=True)(jax.lax.conv_general_dilated, x, kernel)
    np.testing.assert_allclose(own[1], xla[1], rtol=1e-4, atol=1e-5)
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-4)


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
