"""What Flax lacks."""

import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from gdlib import layers


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


def test_weights_are_counted_without_what_training_leaves_alone():
    class Normed(nnx.Module):
        def __init__(self):
            rngs = nnx.Rngs(0)
            self.dense, self.norm, self.drop = (
                nnx.Linear(3, 5, rngs=rngs),
                nnx.BatchNorm(5, rngs=rngs),
                nnx.Dropout(0.5),
            )

    assert layers.count_weights(Normed()) == 3 * 5 + 5 + 2 * 5
