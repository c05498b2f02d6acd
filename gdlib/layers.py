"""What Flax lacks, or runs slowly on the CPU: convolution, pooling, products of rows, embeddings that refuse."""

import itertools
import math
from collections.abc import Sequence

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float, Int

from gdlib import validation


def convolution(
    inputs: Float[Array, "batch *space inputs"],
    kernel: Float[Array, "*window per_group outputs"],
    window_strides,
    padding,
    **options,
) -> Float[Array, "batch *new_space outputs"]:
    """y[b, i, j] = Σₘₙ x[b, s i + m, s j + n] @ kernel[m, n] on the padded x: `jax.lax.conv_general_dilated`.

    On the CPU, XLA's own convolution inside a scan is many times slower than outside (jax issue 12868). There
    this one puts the shifted images side by side and makes one matrix product of it. Elsewhere, and for
    dilated windows and groups, it is XLA's. Give it to Flax: `nnx.Conv(…, conv_general_dilated=convolution)`.

    Raises ValueError for channels that are not the kernel's, and for images so small that no position of the
    window is left.
    """
    rank, groups = inputs.ndim - 2, options.get("feature_group_count", 1)
    if inputs.shape[-1] != groups * kernel.shape[-2]:
        raise ValueError(
            f"inputs: expected {groups * kernel.shape[-2]} channels, for a kernel of shape {kernel.shape} and "
            f"{groups} group(s), got inputs of shape {inputs.shape}"
        )
    dilations = [options.get(name) or (1,) * rank for name in ("lhs_dilation", "rhs_dilation")]
    window = [1 + d * (size - 1) for d, size in zip(dilations[1], kernel.shape[:-2], strict=True)]
    space = [1 + d * (size - 1) for d, size in zip(dilations[0], inputs.shape[1:-1], strict=True)]
    if isinstance(padding, str):
        padding = jax.lax.padtype_to_pads(space, window, window_strides, padding)
    padded = [int(size + sum(pads)) for size, pads in zip(space, padding, strict=True)]
    _check_fits(padded, window)
    if jax.default_backend() != "cpu":
        return jax.lax.conv_general_dilated(inputs, kernel, window_strides, padding, **options)
    # By hand: with more zeros around an image than the window covers, XLA's gradient is wrong here (jax 0.10).
    zeros = [(*pads, dilation - 1) for pads, dilation in zip(padding, dilations[0], strict=True)]
    x = jax.lax.pad(inputs, jnp.zeros((), inputs.dtype), ((0, 0, 0), *zeros, (0, 0, 0)))
    if {*dilations[1], groups} != {1}:
        return jax.lax.conv_general_dilated(
            x, kernel, window_strides, "VALID", **options | {"lhs_dilation": None}
        )
    patches = jnp.concatenate(list(_shifted(x, window, window_strides)), axis=-1)
    *positions, features = patches.shape
    # Two matrices, not a batch of them: so the kernel's gradient, too, is one product without a copy.
    flat = jnp.matmul(
        patches.reshape(math.prod(positions), features),
        kernel.reshape(features, -1),
        precision=options.get("precision"),
    )
    return flat.reshape(*positions, -1)


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
    window = tuple(window)
    strides = window if strides is None else tuple(strides)
    rank = inputs.ndim - 2
    for name, sizes in (("window", window), ("strides", strides)):
        if len(sizes) != rank:
            raise ValueError(
                f"{name}: expected {rank} sizes for inputs of shape {inputs.shape}, got {len(sizes)}"
            )
        for size in sizes:
            validation.positive_int(name, size)
    _check_fits(inputs.shape[1:-1], window)
    if jax.default_backend() != "cpu":
        return nnx.max_pool(inputs, window, strides)
    largest, *others = _shifted(inputs, window, strides)
    for other in others:
        # Selections, not `maximum`: their gradient needs no division of ties, and fuses into one pass.
        largest = jnp.where((other > largest) | (other != other), other, largest)
    return largest


def _shifted(x: Array, window: Sequence[int], strides: Sequence[int]):
    """For each position in the window, what stands there as the window moves; (batch, *new_space, channels)."""
    for offset in itertools.product(*map(range, window)):
        slices = (
            slice(start, start + size - extent + 1, stride)
            for start, size, extent, stride in zip(offset, x.shape[1:-1], window, strides, strict=True)
        )
        yield x[(slice(None), *slices)]


def _check_fits(space: Sequence[int], window: Sequence[int]) -> None:
    if any(size < extent for size, extent in zip(space, window, strict=True)):
        raise ValueError(
            f"inputs: expected at least the window's size {tuple(window)}, got {tuple(space)}, padding included"
        )


def depth_to_space(images: Float[Array, "batch height width channels"]) -> Float[Array, "batch _ _ _"]:
    """Twice as high and wide: every four channels become a square of 2 × 2 pixels. Raises ValueError where they do not.

    Reference: Shi et al. (2016), sub-pixel convolution.
    """
    batch, height, width, channels = images.shape
    if channels % 4:
        raise ValueError(f"images: expected a multiple of 4 channels, got shape {images.shape}")
    squares = images.reshape(batch, height, width, 2, 2, channels // 4)
    return squares.transpose(0, 1, 3, 2, 4, 5).reshape(batch, 2 * height, 2 * width, channels // 4)


def rows_product(
    lhs: Float[Array, "*rows inputs"], rhs: Float[Array, "inputs outputs"], dimension_numbers, **options
) -> Float[Array, "*rows outputs"]:
    """What a dense layer needs of `jax.lax.dot_general`, with all leading axes as the rows of one matrix.

    The same numbers; but the kernel's gradient is one product without a copy, which takes two thirds of the time on
    the CPU. Give it to Flax: `nnx.Linear(…, dot_general=rows_product)`.

    Raises ValueError for any other product than lhs's last axis with rhs's first.
    """
    if dimension_numbers != (((lhs.ndim - 1,), (0,)), ((), ())) or rhs.ndim != 2:
        raise ValueError(
            f"dimension_numbers: expected lhs's last axis and a matrix's first, got {dimension_numbers} for shapes "
            f"{lhs.shape} and {rhs.shape}"
        )
    flat = jax.lax.dot_general(lhs.reshape(-1, lhs.shape[-1]), rhs, (((1,), (0,)), ((), ())), **options)
    return flat.reshape(*lhs.shape[:-1], rhs.shape[-1])


def embedded(embedding: nnx.Embed, tokens: Int[Array, "*batch"]) -> Float[Array, "*batch features"]:
    """Each token's vector. Raises TypeError or ValueError for tokens that are no integers from 0 to vocabulary − 1.

    Under jit, where tokens have no values yet, one out of range gets zeros.
    """
    validation.tokens("tokens", tokens, embedding.num_embeddings)
    known = (tokens >= 0) & (tokens < embedding.num_embeddings)
    return jnp.where(known[..., None], embedding(tokens), 0.0)
