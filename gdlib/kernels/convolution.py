"""Convolution: on the CPU as one product of matrices, elsewhere as XLA has it."""

import math
from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from gdlib import expect
from gdlib.kernels.windows import check_fits, one_a_direction, shifted


class Movement(NamedTuple):
    """How a window moves over images: all that a convolution knows beside its two arrays. A number a direction."""

    strides: tuple[int, ...]
    padding: tuple[tuple[int, int], ...]
    input_dilation: tuple[int, ...]
    kernel_dilation: tuple[int, ...]
    groups: int
    precision: jax.lax.PrecisionLike


def convolution(
    inputs: Float[Array, "batch *space inputs"],
    kernel: Float[Array, "*window per_group outputs"],
    window_strides: Sequence[int],
    padding: str | Sequence[tuple[int, int]],
    *,
    lhs_dilation: Sequence[int] | None = None,
    rhs_dilation: Sequence[int] | None = None,
    dimension_numbers=None,
    feature_group_count: int = 1,
    precision: jax.lax.PrecisionLike = None,
    preferred_element_type=None,
    out_sharding=None,
) -> Float[Array, "batch *new_space outputs"]:
    """y[b, i, j] = Σₘₙ x[b, s i + m, s j + n] @ kernel[m, n] on the padded x: `jax.lax.conv_general_dilated`.

    Give it to Flax: `nnx.Conv(…, conv_general_dilated=convolution)`. The two differ in this:

    - Channels come last, as in Flax, and no other `dimension_numbers` are taken.
    - On the CPU, XLA's own convolution inside a scan is many times slower than outside (jax issue 12868). There this
      one puts the shifted images side by side and makes one matrix product of it (for dilated windows and groups, it
      is XLA's there, too). What the program is compiled for decides, not where it is traced.

    Args:
      inputs, kernel: of any two floating-point types; the result has the one that both fit into.
      window_strides: a step in each direction.
      padding: "SAME", "SAME_LOWER", "VALID", or how many zeros (before, after) in each direction. A negative number
        cuts off.
      lhs_dilation, rhs_dilation: how far apart the inputs' and the kernel's numbers are, default 1.
      dimension_numbers: names of the axes such as ("NHWC", "HWIO", "NHWC"), or what Flax passes.
      feature_group_count: into how many groups the channels are cut, each with outputs of its own.
      precision: as in `jax.lax.conv_general_dilated`.
      preferred_element_type: the result's type. The product is computed in one that holds all three.
      out_sharding: Flax's name for a layout that is not known here: None.

    Raises ValueError for channels that are not the kernel's or do not come last, for images so small that no position
    of the window is left, for what is not one number a direction, and for an `out_sharding`.
    """
    _check_channels(inputs, kernel, dimension_numbers, feature_group_count)
    if out_sharding is not None:
        raise ValueError(f"out_sharding: expected None, got {out_sharding}")
    ones = (1,) * (inputs.ndim - 2)
    strides, input_dilation, kernel_dilation = (
        one_a_direction(name, ones if sizes is None else sizes, inputs)
        for name, sizes in (
            ("window_strides", window_strides),
            ("lhs_dilation", lhs_dilation),
            ("rhs_dilation", rhs_dilation),
        )
    )
    space, window = (
        [1 + d * (size - 1) for d, size in zip(dilation, sizes, strict=True)]
        for dilation, sizes in zip(
            (input_dilation, kernel_dilation), (inputs.shape[1:-1], kernel.shape[:-2]), strict=True
        )
    )
    pads = _pairs(padding, space, window, strides)
    check_fits([size + sum(pair) for size, pair in zip(space, pads, strict=True)], window)
    dtype = jnp.promote_types(inputs.dtype, kernel.dtype)
    result = dtype if preferred_element_type is None else jnp.dtype(preferred_element_type)
    x, kernel = (array.astype(jnp.promote_types(dtype, result)) for array in (inputs, kernel))
    movement = Movement(strides, pads, input_dilation, kernel_dilation, feature_group_count, precision)
    return _convolved(x, kernel, movement).astype(result)


# A program of its own where nothing else is compiled: so the arrays' device chooses the form.
@partial(jax.jit, static_argnames="movement", inline=True)
def _convolved(inputs: Array, kernel: Array, movement: Movement) -> Array:
    plain = {*movement.kernel_dilation, movement.groups} == {1}
    on_cpu = convolution_by_patches if plain else _by_xla_once_padded
    return jax.lax.platform_dependent(
        inputs, kernel, cpu=partial(on_cpu, movement=movement), default=partial(_by_xla, movement=movement)
    )


def convolution_by_patches(
    inputs: Float[Array, "batch *space inputs"],
    kernel: Float[Array, "*window inputs outputs"],
    movement: Movement,
) -> Float[Array, "batch *new_space outputs"]:
    """What the window covers at each position, as the rows of one matrix; the kernel is the other."""
    moved = shifted(_padded(inputs, movement), kernel.shape[:-2], movement.strides)
    patches = jnp.concatenate(list(moved), axis=-1)
    *positions, features = patches.shape
    # Two matrices, not a batch of them: so the kernel's gradient, too, is one product without a copy.
    rows, columns = patches.reshape(math.prod(positions), features), kernel.reshape(features, -1)
    return jnp.matmul(rows, columns, precision=movement.precision).reshape(*positions, kernel.shape[-1])


def _by_xla(inputs: Array, kernel: Array, movement: Movement) -> Array:
    letters = "".join(chr(ord("a") + i) for i in range(inputs.ndim - 2))
    return jax.lax.conv_general_dilated(
        inputs,
        kernel,
        movement.strides,
        movement.padding,
        lhs_dilation=movement.input_dilation,
        rhs_dilation=movement.kernel_dilation,
        dimension_numbers=(f"N{letters}C", f"{letters}IO", f"N{letters}C"),
        feature_group_count=movement.groups,
        precision=movement.precision,
    )


def _by_xla_once_padded(inputs: Array, kernel: Array, movement: Movement) -> Array:
    ones = (1,) * len(movement.strides)
    unpadded = movement._replace(padding=((0, 0),) * len(ones), input_dilation=ones)
    return _by_xla(_padded(inputs, movement), kernel, unpadded)


def _padded(inputs: Array, movement: Movement) -> Array:
    """The images with their zeros, around and between.

    By hand: on the CPU XLA's convolution has a wrong gradient where there are more zeros around an image than the
    window covers, and wrong values where it cuts off one end and pads the other (jax 0.7 to 0.10).
    """
    zeros = [
        (*pair, dilation - 1)
        for pair, dilation in zip(movement.padding, movement.input_dilation, strict=True)
    ]
    return jax.lax.pad(inputs, jnp.zeros((), inputs.dtype), ((0, 0, 0), *zeros, (0, 0, 0)))


def _check_channels(inputs: Array, kernel: Array, dimension_numbers, groups: int) -> None:
    expect.positive_int("feature_group_count", groups)
    if kernel.ndim != inputs.ndim:
        raise ValueError(
            f"kernel: expected {inputs.ndim} axes, (*window, inputs, outputs), for inputs of shape {inputs.shape}, "
            f"got shape {kernel.shape}"
        )
    if dimension_numbers is not None:
        _check_channels_last(dimension_numbers, inputs.shape, kernel.shape)
    if inputs.shape[-1] != groups * kernel.shape[-2]:
        raise ValueError(
            f"inputs: expected {groups * kernel.shape[-2]} channels, for a kernel of shape {kernel.shape} and "
            f"{groups} group(s), got inputs of shape {inputs.shape}"
        )


def _check_channels_last(
    dimension_numbers, inputs_shape: tuple[int, ...], kernel_shape: tuple[int, ...]
) -> None:
    rank = len(inputs_shape) - 2
    images, window = (0, rank + 1, *range(1, rank + 1)), (rank + 1, rank, *range(rank))
    expected = jax.lax.ConvDimensionNumbers(images, window, images)
    if jax.lax.conv_dimension_numbers(inputs_shape, kernel_shape, dimension_numbers) != expected:
        raise ValueError(
            "dimension_numbers: expected channels last, as in ('NHWC', 'HWIO', 'NHWC') for images, got "
            f"{dimension_numbers}"
        )


def _pairs(padding, space: Sequence[int], window: Sequence[int], strides: Sequence[int]):
    """The zeros (before, after) in each direction. Raises ValueError for what says nothing of the kind."""
    if isinstance(padding, str) and padding.upper() in ("SAME", "SAME_LOWER", "VALID"):
        padding = jax.lax.padtype_to_pads(space, window, strides, padding)
    if isinstance(padding, str) or len(padding) != len(space) or any(len(pair) != 2 for pair in padding):
        raise ValueError(
            f"padding: expected 'SAME', 'SAME_LOWER', 'VALID' or {len(space)} pairs, got {padding!r}"
        )
    return tuple((int(before), int(after)) for before, after in padding)
