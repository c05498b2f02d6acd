"""The largest value in each window: on the CPU by selections, elsewhere as XLA has it."""

from collections.abc import Sequence
from functools import partial

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float

from gdlib.kernels.windows import check_fits, one_a_direction, shifted


def max_pool(
    inputs: Float[Array, "batch *space channels"],
    window: Sequence[int],
    strides: Sequence[int] | None = None,
) -> Float[Array, "batch *new_space channels"]:
    """The largest value in each window, without padding: `nnx.max_pool`, whose gradient is slow on the CPU.

    Args:
      inputs: images, or sequences.
      window: its size in each direction of space.
      strides: from one window to the next. Default: `window`; what is left over at the end is ignored.

    Of equal values in a window the first gets all of the gradient, as in XLA: one subgradient of many. NaN in
    a window gives NaN. Raises ValueError for images smaller than the window.
    """
    window = one_a_direction("window", window, inputs)
    strides = window if strides is None else one_a_direction("strides", strides, inputs)
    check_fits(inputs.shape[1:-1], window)
    return _pooled(inputs, window, strides)


@partial(jax.jit, static_argnames=("window", "strides"), inline=True)
def _pooled(inputs: Array, window: tuple[int, ...], strides: tuple[int, ...]) -> Array:
    return jax.lax.platform_dependent(
        inputs,
        cpu=partial(_pooled_by_selection, window=window, strides=strides),
        default=partial(nnx.max_pool, window_shape=window, strides=strides),
    )


def _pooled_by_selection(inputs: Array, window: tuple[int, ...], strides: tuple[int, ...]) -> Array:
    largest, *others = shifted(inputs, window, strides)
    for other in others:
        # Selections, not `maximum`: their gradient needs no division of ties, and fuses into one pass.
        largest = jnp.where((other > largest) | (other != other), other, largest)
    return largest
