"""The transformer in PyTorch: modules around `F.scaled_dot_product_attention`, and greedy decoding with a cache.

As is usual there, one product gives the queries, keys and values of a position that looks at its own sequence.
"""

import math

import torch
import work
from torch import Tensor, nn
from torch.nn import functional as F


def by_head(x: Tensor) -> Tensor:
    """(batch, time, width) → (batch, heads, time, width / heads)."""
    return x.unflatten(-1, (work.HEADS, -1)).transpose(1, 2)


class Attention(nn.Module):
    """The projections of one attention; what is looked at, keys and values, is handed from outside."""

    def __init__(self):
        super().__init__()
        self.out = nn.Linear(work.WIDTH, work.WIDTH, bias=False)

    def attend(self, queries: Tensor, keys: Tensor, values: Tensor, **mask) -> Tensor:
        found = F.scaled_dot_product_attention(queries, keys, values, **mask)
        return self.out(found.transpose(1, 2).flatten(-2))


class SelfAttention(Attention):
    def __init__(self):
        super().__init__()
        self.all = nn.Linear(work.WIDTH, 3 * work.WIDTH, bias=False)

    def project(self, x: Tensor) -> list[Tensor]:
        """Queries, keys and values."""
        return [by_head(part) for part in self.all(x).chunk(3, dim=-1)]

    def forward(self, x: Tensor, **mask) -> Tensor:
        return self.attend(*self.project(x), **mask)


class CrossAttention(Attention):
    def __init__(self):
        super().__init__()
        self.query = nn.Linear(work.WIDTH, work.WIDTH, bias=False)
        self.key_value = nn.Linear(work.WIDTH, 2 * work.WIDTH, bias=False)

    def keys_values(self, source: Tensor) -> list[Tensor]:
        return [by_head(part) for part in self.key_value(source).chunk(2, dim=-1)]

    def forward(self, x: Tensor, keys_values: list[Tensor], mask: Tensor) -> Tensor:
        return self.attend(by_head(self.query(x)), *keys_values, attn_mask=mask)


def norm() -> nn.Module:
    return nn.LayerNorm(work.WIDTH, eps=work.NORM_EPSILON)


def feed_forward() -> nn.Module:
    """With the norm before it."""
    return nn.Sequential(
        norm(), nn.Linear(work.WIDTH, work.FEED_FORWARD), nn.ReLU(), nn.Linear(work.FEED_FORWARD, work.WIDTH)
    )


class EncoderBlock(nn.Module):
    def __init__(self):
        super().__init__()
        self.before, self.attention, self.feed_forward = norm(), SelfAttention(), feed_forward()

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        x = x + self.attention(self.before(x), attn_mask=mask)
        return x + self.feed_forward(x)


class DecoderBlock(nn.Module):
    def __init__(self):
        super().__init__()
        self.before_self_attention, self.self_attention = norm(), SelfAttention()
        self.before_cross_attention, self.cross_attention = norm(), CrossAttention()
        self.feed_forward = feed_forward()

    def rest(self, x: Tensor, source: list[Tensor], mask: Tensor) -> Tensor:
        x = x + self.cross_attention(self.before_cross_attention(x), source, mask)
        return x + self.feed_forward(x)

    def forward(self, x: Tensor, source: list[Tensor], mask: Tensor) -> Tensor:
        x = x + self.self_attention(self.before_self_attention(x), is_causal=True)
        return self.rest(x, source, mask)

    def next(self, x: Tensor, cache: Tensor, position: int, source: list[Tensor], mask: Tensor) -> Tensor:
        """The same for one token; its key and value are written into the cache, (2, batch, heads, time, …)."""
        queries, keys, values = self.self_attention.project(self.before_self_attention(x))
        cache[0, :, :, position], cache[1, :, :, position] = keys[:, :, 0], values[:, :, 0]
        x = x + self.self_attention.attend(queries, *cache[:, :, :, : position + 1])
        return self.rest(x, source, mask)


class PositionalEmbedding(nn.Module):
    def __init__(self, vocabulary: int):
        super().__init__()
        self.tokens = nn.Embedding(vocabulary, work.WIDTH)
        self.register_buffer("positions", torch.from_numpy(work.sinusoids()))

    def forward(self, tokens: Tensor, first: int = 0) -> Tensor:
        return math.sqrt(work.WIDTH) * self.tokens(tokens) + self.positions[first : first + tokens.shape[1]]


class Translator(nn.Module):
    def __init__(self, source_tokens: int):
        super().__init__()
        self.sources, self.targets = PositionalEmbedding(source_tokens), PositionalEmbedding(work.ISO_TOKENS)
        self.encoder = nn.ModuleList(EncoderBlock() for _ in range(work.BLOCKS))
        self.decoder = nn.ModuleList(DecoderBlock() for _ in range(work.BLOCKS))
        self.encoder_norm, self.decoder_norm = norm(), norm()
        self.logits = nn.Linear(work.WIDTH, work.ISO_TOKENS)
        for weights in self.parameters():
            if weights.dim() > 1:  # as in PyTorch's tutorial on translation
                nn.init.xavier_uniform_(weights)

    def read(self, sources: Tensor, lengths: Tensor) -> tuple[list[list[Tensor]], Tensor]:
        """(each decoder block's keys and values of the source, the mask that hides its padding)."""
        mask = (torch.arange(work.READ) < lengths[:, None])[:, None, None]
        x = self.sources(sources)
        for block in self.encoder:
            x = block(x, mask)
        x = self.encoder_norm(x)
        return [block.cross_attention.keys_values(x) for block in self.decoder], mask

    def forward(self, sources: Tensor, lengths: Tensor, targets: Tensor) -> Tensor:
        read, mask = self.read(sources, lengths)
        x = self.targets(targets)
        for block, source in zip(self.decoder, read, strict=True):
            x = block(x, source, mask)
        return self.logits(self.decoder_norm(x))

    def loss(self, sources: Tensor, lengths: Tensor, targets: Tensor) -> Tensor:
        """In nats a text. No target is padded: all are as long."""
        logits = self(sources, lengths, targets[:, :-1])
        return F.cross_entropy(logits.flatten(0, 1), targets[:, 1:].flatten(), reduction="sum") / len(sources)

    def translate(self, sources: Tensor, lengths: Tensor) -> Tensor:
        """The most probable token each time, WRITTEN times."""
        read, mask = self.read(sources, lengths)
        heads = (work.HEADS, work.WRITTEN, work.WIDTH // work.HEADS)
        caches = [torch.empty(2, len(sources), *heads) for _ in self.decoder]
        latest = torch.full_like(sources[:, :1], work.START)
        written = []
        for position in range(work.WRITTEN):
            x = self.targets(latest, position)
            for block, cache, source in zip(self.decoder, caches, read, strict=True):
                x = block.next(x, cache, position, source, mask)
            latest = self.logits(self.decoder_norm(x)).argmax(dim=-1)
            written.append(latest)
        return torch.cat(written, dim=1)
