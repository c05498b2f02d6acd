"""Transformers: every position looks at all others at once, and what it looks at depends on what stands there.

Blocks are *pre-norm*: x ← x + f(norm(x)). Masks are booleans that broadcast to (batch, to, from): which position may
look at which. Beside its outputs, attention returns its weights; who does not use them pays nothing under jit.
"""

import math
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Bool, Float, Int

from gdlib import expect, layers
from gdlib.kernels.attention import with_gradient_by_hand
from gdlib.kernels.products import rows_product

Dense = partial(nnx.Linear, dot_general=rows_product)
# What others see of positions: their keys and their values, (batch, heads, from, width / heads) each.
KeysValues = tuple[Float[Array, "batch heads from d"], Float[Array, "batch heads from d"]]


def sinusoids(length: int, width: int) -> Float[Array, "length width"]:
    """p[t, 2i] = sin(t ωᵢ), p[t, 2i + 1] = cos(t ωᵢ), with ωᵢ = 10000^(−2i / width).

    Reference: Vaswani et al. (2017).
    """
    angles = jnp.arange(length)[:, None] * 10_000.0 ** (-jnp.arange(0, width, 2) / width)
    return jnp.stack([jnp.sin(angles), jnp.cos(angles)], axis=-1).reshape(length, -1)[:, :width]


@with_gradient_by_hand
def attend(
    queries: Float[Array, "*batch to d"],
    keys: Float[Array, "*batch from d"],
    values: Float[Array, "*batch from v"],
    mask: Bool[Array, "*#batch #to from"] | None = None,
    *,
    scale: float | None = None,
) -> tuple[Float[Array, "*batch to v"], Float[Array, "*batch to from"]]:
    """(softmax(scale · Q Kᵀ) V, the softmax's weights): for each query the mean of the values, weighted by its keys.

    Args:
      mask: where it is false, the weight is 0 and nothing flows, whatever finite numbers stand there. A query that
        may look at nothing gets weights and a mean of 0.
      scale: default 1/√d.

    Raises TypeError for a mask that is not of booleans. Reverse mode alone differentiates it.
    Reference: Vaswani et al. (2017).
    """
    if scale is None:
        scale = 1 / math.sqrt(queries.shape[-1])
    scores = scale * queries @ keys.swapaxes(-1, -2)
    if mask is not None:
        scores = jnp.where(mask, scores, jnp.finfo(scores.dtype).min)
    weights = jax.nn.softmax(scores, axis=-1)
    if mask is not None:  # 0 already, but for a query from which all is hidden
        weights = jnp.where(mask, weights, 0)
    return weights @ values, weights


class Attention(nnx.Module):
    """Several heads side by side: each projects to width / heads numbers and attends; one matrix mixes their means.

    Args:
      width: of a position's vector.
      heads: how many; they divide the width.
      rngs: the source of the initial weights.

    `scale` multiplies the scores; it begins at 1/√(width / heads).
    """

    def __init__(self, width: int, heads: int, *, rngs: nnx.Rngs):
        self.width, self.heads = (
            expect.positive_int(name, size) for name, size in (("width", width), ("heads", heads))
        )
        if width % heads:
            raise ValueError(f"heads: expected a divisor of the width {width}, got {heads}")
        self.scale = (width // heads) ** -0.5
        self.query = Dense(width, width, use_bias=False, rngs=rngs)
        self.key_value = Dense(width, 2 * width, use_bias=False, rngs=rngs)
        self.out = Dense(width, width, use_bias=False, rngs=rngs)

    def keys_values(self, x: Float[Array, "batch from width"]) -> KeysValues:
        """What others see of each position."""
        keys, values = jnp.split(self.key_value(x), 2, axis=-1)
        return self._by_head(keys), self._by_head(values)

    def __call__(
        self,
        x: Float[Array, "batch to width"],
        keys_values: KeysValues,
        mask: Array | None = None,
    ) -> tuple[Float[Array, "batch to width"], Float[Array, "batch heads to from"]]:
        """(what each position of x finds, the weights with which each head looked).

        Raises ValueError for a mask that does not broadcast to (batch, to, from).
        """
        keys, values = keys_values
        if mask is not None:
            mask = _checked_mask(mask, (len(x), x.shape[1], keys.shape[2]))[:, None]
        found, weights = attend(self._by_head(self.query(x)), keys, values, mask, scale=self.scale)
        return self.out(found.swapaxes(1, 2).reshape(x.shape)), weights

    def _by_head(self, x: Array) -> Array:
        return x.reshape(*x.shape[:-1], self.heads, -1).swapaxes(1, 2)


def _checked_mask(mask: Array, shape: tuple[int, int, int]) -> Array:
    if (
        mask.ndim != 3
        or mask.dtype != jnp.bool_
        or any(m not in (1, n) for m, n in zip(mask.shape, shape, strict=True))
    ):
        raise ValueError(
            f"mask: expected booleans that broadcast to (batch, to, from) = {shape}, got {expect.describe(mask)}"
        )
    return mask


class FeedForward(nnx.Module):
    """Two dense layers, ReLU between them, for each position alone."""

    def __init__(self, width: int, hidden: int, *, rngs: nnx.Rngs):
        self.hidden = Dense(
            width,
            expect.positive_int("hidden", hidden),
            kernel_init=nnx.initializers.he_normal(),
            rngs=rngs,
        )
        self.out = Dense(hidden, width, rngs=rngs)

    def __call__(self, x: Float[Array, "*batch width"]) -> Float[Array, "*batch width"]:
        return self.out(nnx.relu(self.hidden(x)))


class EncoderBlock(nnx.Module):
    """x ← x + attention(norm(x)), then x ← x + feed_forward(norm(x))."""

    def __init__(self, width: int, heads: int, hidden: int, *, rngs: nnx.Rngs):
        self.attention = Attention(width, heads, rngs=rngs)
        self.feed_forward = FeedForward(width, hidden, rngs=rngs)
        self.before_attention, self.before_feed_forward = (nnx.LayerNorm(width, rngs=rngs) for _ in range(2))

    def __call__(self, x: Float[Array, "batch time width"], mask: Array | None = None):
        """(x, the weights of its attention)."""
        h = self.before_attention(x)
        found, weights = self.attention(h, self.attention.keys_values(h), mask)
        x = x + found
        return x + self.feed_forward(self.before_feed_forward(x)), weights


class Encoder(nnx.Module):
    """Blocks one after the other, and a last norm.

    Args:
      width, heads: as in `Attention`.
      blocks: how many.
      hidden: units of each block's feed-forward layer.
      rngs: the source of the initial weights.
    """

    def __init__(self, width: int, heads: int, blocks: int, hidden: int, *, rngs: nnx.Rngs):
        self.blocks = nnx.List(
            EncoderBlock(width, heads, hidden, rngs=rngs)
            for _ in range(expect.positive_int("blocks", blocks))
        )
        self.norm = nnx.LayerNorm(width, rngs=rngs)

    def __call__(
        self, x: Float[Array, "batch time width"], mask: Array | None = None
    ) -> tuple[Float[Array, "batch time width"], Float[Array, "blocks batch heads time time"]]:
        """(a vector for each position, the weights of all blocks)."""
        weights = []
        for block in self.blocks:
            x, looked = block(x, mask)
            weights.append(looked)
        return self.norm(x), jnp.stack(weights)


class PositionalEmbedding(nnx.Module):
    """Each element's vector plus its position's.

    Args:
      width: of the vectors.
      longest: the longest sequence there can be.
      vocabulary: for tokens: how many there are. Their vectors are learned, and multiplied by √width.
      features: for vectors: how many numbers one has. They are projected to the width.
      positions: (longest, width) → a table of that shape.
      rngs: the source of the initial weights.
    """

    def __init__(
        self,
        width: int,
        longest: int,
        *,
        vocabulary: int | None = None,
        features: int | None = None,
        positions: Callable[[int, int], Array] = sinusoids,
        rngs: nnx.Rngs,
    ):
        if (vocabulary is None) == (features is None):
            raise ValueError(
                f"vocabulary, features: expected one of them, got {vocabulary!r} and {features!r}"
            )
        self.longest, self.width = (
            expect.positive_int(name, size) for name, size in (("longest", longest), ("width", width))
        )
        self.positions = positions
        if vocabulary is not None:
            self.tokens = nnx.Embed(expect.positive_int("vocabulary", vocabulary), width, rngs=rngs)
        else:
            self.vectors = Dense(expect.positive_int("features", features), width, rngs=rngs)

    def __call__(self, elements: Array, first: int | Int[Array, ""] = 0) -> Float[Array, "batch time width"]:
        """Vectors of (batch, time) tokens, or of (batch, time, features); `first` is the first one's position.

        Raises ValueError for a sequence without elements or longer than `longest`, and for what is neither.
        """
        is_tokens = hasattr(self, "tokens")
        if elements.ndim != (2 if is_tokens else 3) or not 1 <= elements.shape[1] <= self.longest:
            wanted = "(batch, time)" if is_tokens else f"(batch, time, {self.vectors.in_features})"
            raise ValueError(
                f"sequences: expected shape {wanted} with time from 1 to {self.longest}, got {elements.shape}"
            )
        if is_tokens:
            x = math.sqrt(self.width) * layers.embedded(self.tokens, elements)
        else:
            expect.trailing_shape("sequences", elements[:, 0], (self.vectors.in_features,))
            x = self.vectors(elements)
        table = self.positions(self.longest, self.width)
        return x + jax.lax.dynamic_slice_in_dim(table, first, elements.shape[1]).astype(x.dtype)


def padding_mask(
    lengths: Int[Array, " batch"] | None, batch: int, time: int
) -> Bool[Array, "batch 1 time"] | None:
    """The mask that hides padding: position < length. Raises for lengths outside 1 to `time`."""
    if lengths is None:
        return None
    expect.positions("lengths", lengths, batch, time + 1, lowest=1)
    return jnp.arange(time) < lengths[:, None, None]


def causal(time: int) -> Bool[Array, "1 time time"]:
    """The mask that hides the future: from ≤ to."""
    return jnp.tril(jnp.ones((1, time, time), bool))


class TransformerClassifier(nnx.Module):
    """A sequence → one logit a class: an encoder, the mean of its valid positions' vectors, a dense layer.

    Args:
      classes: how many.
      vocabulary, features: give one of them, as in `PositionalEmbedding`.
      longest, positions: as in `PositionalEmbedding`.
      width, heads, blocks, hidden: as in `Encoder`.
      rngs: the source of the initial weights.
    """

    def __init__(
        self,
        classes: int,
        *,
        longest: int,
        vocabulary: int | None = None,
        features: int | None = None,
        width: int = 64,
        heads: int = 4,
        blocks: int = 2,
        hidden: int = 256,
        positions: Callable[[int, int], Array] = sinusoids,
        rngs: nnx.Rngs,
    ):
        self.embedding = PositionalEmbedding(
            width, longest, vocabulary=vocabulary, features=features, positions=positions, rngs=rngs
        )
        self.encoder = Encoder(width, heads, blocks, hidden, rngs=rngs)
        self.logits = Dense(width, expect.positive_int("classes", classes), rngs=rngs)

    def __call__(
        self, sequences: Array, lengths: Int[Array, " batch"] | None = None
    ) -> Float[Array, "batch classes"]:
        """Logits, from sequences (batch, time, features) or tokens (batch, time); what follows a length is ignored.

        Raises ValueError for lengths outside 1 to time. Under jit, where they have no values yet, a sequence of
        length 0 gets the logits of a mean of 0.
        """
        mask = padding_mask(lengths, *sequences.shape[:2])
        x, _ = self.encoder(self.embedding(sequences), mask)
        if mask is None:
            return self.logits(x.mean(axis=1))
        valid = mask[:, 0, :, None]
        count = jnp.maximum(valid.sum(axis=1), 1)  # 0/0 in one sequence would be the gradient of all
        return self.logits(jnp.sum(x, axis=1, where=valid) / count)


class Source(NamedTuple):
    """What a decoder sees of the texts it translates.

    keys_values: of each decoder block. mask: (batch, 1, time).
    """

    keys_values: tuple[KeysValues, ...]
    mask: Array


class DecoderBlock(nnx.Module):
    """Looks at the target so far, then at the source, then works on each position; each time x ← x + f(norm(x))."""

    def __init__(self, width: int, heads: int, hidden: int, *, rngs: nnx.Rngs):
        self.self_attention, self.cross_attention = (Attention(width, heads, rngs=rngs) for _ in range(2))
        self.feed_forward = FeedForward(width, hidden, rngs=rngs)
        self.before_self_attention, self.before_cross_attention, self.before_feed_forward = (
            nnx.LayerNorm(width, rngs=rngs) for _ in range(3)
        )

    def keys_values(self, x: Float[Array, "batch time width"]) -> KeysValues:
        """The keys and values of these positions, for them and those after them."""
        return self.self_attention.keys_values(self.before_self_attention(x))

    def __call__(self, x, seen, mask, source, source_mask):
        """(x, the weights of its self-attention, those on the source).

        Args:
          x: (batch, to, width).
          seen, mask: keys and values of the target so far, and which of them may be looked at.
          source, source_mask: those of the source.
        """
        found, own_weights = self.self_attention(self.before_self_attention(x), seen, mask)
        x = x + found
        found, cross_weights = self.cross_attention(self.before_cross_attention(x), source, source_mask)
        x = x + found
        return x + self.feed_forward(self.before_feed_forward(x)), own_weights, cross_weights


class Translation(NamedTuple):
    """Logits of the next tokens, (batch, time, targets), and with which weights each block and head looked.

    self_attention: (blocks, batch, heads, time, time). cross_attention: (blocks, batch, heads, time, source time).
    """

    logits: Array
    self_attention: Array
    cross_attention: Array


class Translator(nnx.Module):
    """p(target | source) = Πₜ p(targetₜ | targets before it, source): an encoder and a decoder.

    Args:
      sources, targets: how many tokens each side has.
      longest: tokens of a text on either side.
      width, heads, blocks, hidden: of the encoder and of the decoder, as in `Encoder`.
      positions: as in `PositionalEmbedding`.
      rngs: the source of the initial weights.

    Reference: Vaswani et al. (2017); with the norms before the layers, as in Xiong et al. (2020).
    """

    def __init__(
        self,
        sources: int,
        targets: int,
        *,
        longest: int,
        width: int = 64,
        heads: int = 4,
        blocks: int = 2,
        hidden: int = 256,
        positions: Callable[[int, int], Array] = sinusoids,
        rngs: nnx.Rngs,
    ):
        self.sources = PositionalEmbedding(width, longest, vocabulary=sources, positions=positions, rngs=rngs)
        self.targets = PositionalEmbedding(width, longest, vocabulary=targets, positions=positions, rngs=rngs)
        self.encoder = Encoder(width, heads, blocks, hidden, rngs=rngs)
        self.blocks = nnx.List(DecoderBlock(width, heads, hidden, rngs=rngs) for _ in range(blocks))
        self.norm = nnx.LayerNorm(width, rngs=rngs)
        self.logits = Dense(width, targets, rngs=rngs)
        self.longest, self.width = longest, width

    def read(self, sources: Int[Array, "batch time"], lengths: Int[Array, " batch"] | None = None) -> Source:
        """What the decoder sees of texts; done once for each, however long the translation."""
        x, _ = self.encode(sources, lengths)
        mask = padding_mask(lengths, *sources.shape)
        if mask is None:
            mask = jnp.ones((len(sources), 1, sources.shape[1]), bool)
        return Source(tuple(block.cross_attention.keys_values(x) for block in self.blocks), mask)

    def encode(self, sources, lengths=None) -> tuple[Array, Array]:
        """(the encoder's vectors, its attention's weights): see `Encoder`."""
        return self.encoder(self.sources(sources), padding_mask(lengths, *sources.shape))

    def __call__(self, targets: Int[Array, "batch time"], source: Source) -> Translation:
        """At each position the logits of the token that comes next, all at once; `targets` begins with START."""
        x, mask, looked = self.targets(targets), causal(targets.shape[1]), []
        for block, keys_values in zip(self.blocks, source.keys_values, strict=True):
            x, *weights = block(x, block.keys_values(x), mask, keys_values, source.mask)
            looked.append(weights)
        return Translation(self.logits(self.norm(x)), *map(jnp.stack, zip(*looked, strict=True)))

    def start(self, batch: int, steps: int | None = None) -> tuple[Array, tuple[KeysValues, ...]]:
        """Before the first token: (position 0, an empty cache of keys and values for each block).

        steps: tokens there is room for; default, and at most, `longest`. Raises ValueError for more.
        """
        steps = self.longest if steps is None else steps
        if steps > self.longest:
            raise ValueError(f"steps: expected at most the model's {self.longest}, got {steps}")
        heads = self.blocks[0].self_attention.heads
        empty = jnp.zeros((batch, heads, steps, self.width // heads), self.logits.kernel.dtype)
        return jnp.zeros((), jnp.int32), ((empty, empty),) * len(self.blocks)

    def next(
        self, carry: tuple[Array, tuple[KeysValues, ...]], tokens: Int[Array, " batch"], source: Source
    ) -> tuple[tuple[Array, tuple[KeysValues, ...]], Float[Array, "batch targets"]]:
        """One token further: (carry, the logits of the token that comes next). For as many tokens as there is room."""
        position, caches = carry
        x, kept = self.targets(tokens[:, None], position), []
        mask = (jnp.arange(caches[0][0].shape[2]) <= position)[None, None]
        for block, cache, keys_values in zip(self.blocks, caches, source.keys_values, strict=True):
            put = partial(jax.lax.dynamic_update_slice_in_dim, start_index=position, axis=2)
            kept.append(tuple(map(put, cache, block.keys_values(x))))
            x, *_ = block(x, kept[-1], mask, keys_values, source.mask)
        return (position + 1, tuple(kept)), self.logits(self.norm(x))[:, 0]
