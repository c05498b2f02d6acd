"""The transformer in Keras on TensorFlow: own layers of `Dense` and `LayerNormalization`, and decoding with a cache.

`keras.layers.MultiHeadAttention` keeps no cache. The layers here do its arithmetic, and one product gives the queries,
keys and values of a position that looks at its own sequence.
"""

import math

import keras
import tensorflow as tf
import work
from keras import layers


def by_head(x):
    """(batch, time, width) → (batch, heads, time, width / heads)."""
    return tf.transpose(tf.reshape(x, (-1, x.shape[1], work.HEADS, x.shape[2] // work.HEADS)), (0, 2, 1, 3))


def attend(queries, keys, values, mask=None):
    """Softmax(Q Kᵀ / √d) V, the heads side by side again."""
    scores = tf.matmul(queries, keys, transpose_b=True) * queries.shape[-1] ** -0.5
    if mask is not None:
        scores = tf.where(mask, scores, scores.dtype.min)
    found = tf.transpose(tf.matmul(tf.nn.softmax(scores), values), (0, 2, 1, 3))
    return tf.reshape(found, (-1, found.shape[1], work.WIDTH))


def product(outputs: int) -> layers.Layer:
    return layers.Dense(outputs, use_bias=False)


class SelfAttention(layers.Layer):
    def __init__(self):
        super().__init__()
        self.all, self.out = product(3 * work.WIDTH), product(work.WIDTH)

    def project(self, x):
        """Queries, keys and values."""
        return [by_head(part) for part in tf.split(self.all(x), 3, axis=-1)]

    def call(self, x, mask):
        return self.out(attend(*self.project(x), mask))


class CrossAttention(layers.Layer):
    def __init__(self):
        super().__init__()
        self.query, self.key_value = product(work.WIDTH), product(2 * work.WIDTH)
        self.out = product(work.WIDTH)

    def keys_values(self, source):
        return [by_head(part) for part in tf.split(self.key_value(source), 2, axis=-1)]

    def call(self, x, keys, values, mask):
        return self.out(attend(by_head(self.query(x)), keys, values, mask))


def norm() -> layers.Layer:
    return layers.LayerNormalization(epsilon=work.NORM_EPSILON)


def feed_forward() -> keras.Model:
    """With the norm before it."""
    return keras.Sequential(
        [norm(), layers.Dense(work.FEED_FORWARD, activation="relu"), layers.Dense(work.WIDTH)]
    )


class EncoderBlock(layers.Layer):
    def __init__(self):
        super().__init__()
        self.before, self.attention, self.feed_forward = norm(), SelfAttention(), feed_forward()

    def call(self, x, mask):
        x = x + self.attention(self.before(x), mask)
        return x + self.feed_forward(x)


class DecoderBlock(layers.Layer):
    def __init__(self):
        super().__init__()
        self.before_self_attention, self.self_attention = norm(), SelfAttention()
        self.before_cross_attention, self.cross_attention = norm(), CrossAttention()
        self.feed_forward = feed_forward()

    def rest(self, x, source, mask):
        x = x + self.cross_attention(self.before_cross_attention(x), *source, mask)
        return x + self.feed_forward(x)

    def call(self, x, causal, source, mask):
        x = x + self.self_attention(self.before_self_attention(x), causal)
        return self.rest(x, source, mask)

    def next(self, x, cache, source, mask):
        """The same for one token: (x, the cache with its key and value). A cache is [keys, values] so far."""
        queries, *new = self.self_attention.project(self.before_self_attention(x))
        cache = [tf.concat(parts, axis=2) for parts in zip(cache, new, strict=True)] if cache else new
        x = x + self.self_attention.out(attend(queries, *cache))
        return self.rest(x, source, mask), cache


class PositionalEmbedding(layers.Layer):
    def __init__(self, vocabulary: int):
        super().__init__()
        self.tokens = layers.Embedding(vocabulary, work.WIDTH)
        self.positions = tf.constant(work.sinusoids())

    def call(self, tokens, first: int = 0):
        return math.sqrt(work.WIDTH) * self.tokens(tokens) + self.positions[first : first + tokens.shape[1]]


class Translator(keras.Model):
    """Of (sources, lengths, targets): logits, or in `train_step` and `test_step` the loss in nats a text."""

    def __init__(self, source_tokens: int):
        super().__init__()
        self.sources, self.targets = PositionalEmbedding(source_tokens), PositionalEmbedding(work.ISO_TOKENS)
        self.encoder = [EncoderBlock() for _ in range(work.BLOCKS)]
        self.decoder = [DecoderBlock() for _ in range(work.BLOCKS)]
        self.encoder_norm, self.decoder_norm = norm(), norm()
        self.logits = layers.Dense(work.ISO_TOKENS)

    def read(self, sources, lengths):
        """(each decoder block's keys and values of the source, the mask that hides its padding)."""
        mask = tf.sequence_mask(lengths, work.READ)[:, None, None]
        x = self.sources(sources)
        for block in self.encoder:
            x = block(x, mask)
        x = self.encoder_norm(x)
        return [block.cross_attention.keys_values(x) for block in self.decoder], mask

    def call(self, batch):
        sources, lengths, targets = batch
        read, mask = self.read(sources, lengths)
        x = self.targets(targets)
        causal = tf.linalg.band_part(tf.ones((work.WRITTEN, work.WRITTEN), bool), -1, 0)
        for block, source in zip(self.decoder, read, strict=True):
            x = block(x, causal, source, mask)
        return self.logits(self.decoder_norm(x))

    def loss_of(self, batch, training):
        """No target is padded: all are as long."""
        sources, lengths, targets = batch
        logits = self((sources, lengths, targets[:, :-1]), training=training)
        losses = tf.nn.sparse_softmax_cross_entropy_with_logits(targets[:, 1:], logits)
        return tf.reduce_mean(tf.reduce_sum(losses, axis=1))

    def train_step(self, data):
        (batch,) = data
        with tf.GradientTape() as tape:
            loss = self.loss_of(batch, training=True)
        weights = self.trainable_variables
        self.optimizer.apply_gradients(zip(tape.gradient(loss, weights), weights, strict=True))
        return {"nats": loss}

    def test_step(self, data):
        (batch,) = data
        return {"nats": self.loss_of(batch, training=False)}

    @tf.function
    def translate(self, sources, lengths):
        """The most probable token each time, WRITTEN times. The loop is Python's: each step has its own shapes."""
        read, mask = self.read(sources, lengths)
        caches = [None] * work.BLOCKS
        latest = tf.fill((work.TEXTS, 1), work.START)
        written = []
        for position in range(work.WRITTEN):
            x = self.targets(latest, first=position)
            for i, block in enumerate(self.decoder):
                x, caches[i] = block.next(x, caches[i], read[i], mask)
            latest = tf.argmax(self.logits(self.decoder_norm(x)), axis=-1, output_type=tf.int32)
            written.append(latest)
        return tf.concat(written, axis=1)
