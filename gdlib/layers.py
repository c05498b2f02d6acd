"""What Flax lacks: an embedding that refuses, an image from channels, the number of weights."""

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float, Int

from gdlib import expect


def depth_to_space(images: Float[Array, "batch height width channels"]) -> Float[Array, "batch _ _ _"]:
    """Twice as high and wide: every four channels become a square of 2 × 2 pixels. Raises ValueError where they do not.

    Reference: Shi et al. (2016), sub-pixel convolution.
    """
    batch, height, width, channels = images.shape
    if channels % 4:
        raise ValueError(f"images: expected a multiple of 4 channels, got shape {images.shape}")
    squares = images.reshape(batch, height, width, 2, 2, channels // 4)
    return squares.transpose(0, 1, 3, 2, 4, 5).reshape(batch, 2 * height, 2 * width, channels // 4)


def embedded(embedding: nnx.Embed, tokens: Int[Array, "*batch"]) -> Float[Array, "*batch features"]:
    """Each token's vector. Raises TypeError or ValueError for tokens that are no integers from 0 to vocabulary − 1.

    Under jit, where tokens have no values yet, one out of range gets zeros.
    """
    expect.tokens("tokens", tokens, embedding.num_embeddings)
    known = (tokens >= 0) & (tokens < embedding.num_embeddings)
    return jnp.where(known[..., None], embedding(tokens), 0.0)


def count_weights(model: nnx.Module) -> int:
    """How many numbers training changes."""
    return sum(weights.size for weights in jax.tree.leaves(nnx.state(model, nnx.Param)))
