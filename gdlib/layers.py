"""What Flax lacks, or runs slowly: a convolution that is fast inside a scan on the CPU."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float


def convolution(
    inputs: Float[Array, "batch height width inputs"],
    kernel: Float[Array, "rows columns per_group outputs"],
    window_strides,
    padding,
    **options,
) -> Float[Array, "batch new_height new_width outputs"]:
    """y[b, i, j] = Σₘₙ x[b, s i + m, s j + n] @ kernel[m, n] on the padded x: `jax.lax.conv_general_dilated`.

    On the CPU, XLA's own convolution inside a scan is many times slower than outside (jax issue 12868). There
    this one puts the shifted images side by side and makes one matrix product of it. Elsewhere, and for
    dilations and groups, it is XLA's. Give it to Flax: `nnx.Conv(…, conv_general_dilated=convolution)`.
    """
    dilations = [options.get(name) or (1,) for name in ("lhs_dilation", "rhs_dilation")]
    plain = {*dilations[0], *dilations[1], options.get("feature_group_count", 1)} == {1}
    if jax.default_backend() != "cpu" or not plain:
        return jax.lax.conv_general_dilated(inputs, kernel, window_strides, padding, **options)
    rows, columns, _, outputs = kernel.shape
    if isinstance(padding, str):
        padding = jax.lax.padtype_to_pads(inputs.shape[1:3], (rows, columns), window_strides, padding)
    x = jnp.pad(inputs, ((0, 0), *padding, (0, 0)))
    down, right = window_strides
    height, width = (x.shape[1] - rows) // down + 1, (x.shape[2] - columns) // right + 1
    shifted = [
        x[:, m : m + down * (height - 1) + 1 : down, n : n + right * (width - 1) + 1 : right]
        for m in range(rows)
        for n in range(columns)
    ]
    return jnp.matmul(
        jnp.concatenate(shifted, axis=-1), kernel.reshape(-1, outputs), precision=options.get("precision")
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
