"""Attention against plain loops and Flax's; masks by what they must hide; the cache against the whole computation."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from jax.test_util import check_grads

from gdlib import decoding
from gdlib.data import tokens
from gdlib.models import transformer

BATCH, TIME, WIDTH, HEADS = 3, 5, 8, 2
SMALL = {"width": WIDTH, "heads": HEADS, "blocks": 2, "hidden": 12, "longest": 9}


def stirred(module):
    """The module with every weight changed: zeros and ones would hide what they multiply."""
    state = nnx.state(module, nnx.Param)
    leaves, structure = jax.tree.flatten(state)
    keys = jax.random.split(jax.random.key(5), len(leaves))
    new = [leaf + 0.2 * jax.random.normal(key, leaf.shape) for key, leaf in zip(keys, leaves, strict=True)]
    nnx.update(module, jax.tree.unflatten(structure, new))
    return module


@pytest.fixture(scope="module")
def vectors():
    return jax.random.normal(jax.random.key(1), (BATCH, TIME, WIDTH))


@pytest.fixture(scope="module")
def translator():
    return stirred(transformer.Translator(11, 7, **SMALL, rngs=nnx.Rngs(0)))


SOURCES = jnp.array([[4, 5, 6, 7, 0, 0], [8, 9, 10, 4, 5, 6], [7, 0, 0, 0, 0, 0]])
LENGTHS = jnp.array([4, 6, 1])
TARGETS = jnp.array([[1, 4, 5, 6, 2], [1, 5, 5, 4, 6], [1, 6, 4, 2, 0]])


def test_attention_is_a_weighted_mean_query_by_query():
    q, k, v = (
        np.asarray(jax.random.normal(key, (n, d)), np.float64)
        for key, n, d in zip(jax.random.split(jax.random.key(0), 3), (3, 4, 4), (5, 5, 2), strict=True)
    )
    mask = np.array([[True, True, False, True], [False, False, True, False], [True, True, True, True]])
    found, weights = transformer.attend(*(jnp.array(x, jnp.float32) for x in (q, k, v)), jnp.array(mask))
    for i in range(3):
        scores = [np.exp(q[i] @ k[j] / np.sqrt(5)) if mask[i, j] else 0.0 for j in range(4)]
        share = np.array(scores) / sum(scores)
        np.testing.assert_allclose(weights[i], share, rtol=1e-5, atol=1e-7)
        np.testing.assert_allclose(found[i], share @ v, rtol=1e-5, atol=1e-6)


def test_who_may_look_at_nothing_gets_zeros_and_no_nan():
    x = jax.random.normal(jax.random.key(0), (2, 3, 4))
    mask = jnp.array([[[True, False, True]], [[False, False, False]]])

    def total(x):
        found, weights = transformer.attend(x, x, x, mask)
        return jnp.sum(found**2) + jnp.sum(weights), (found, weights)

    slope, (found, weights) = jax.grad(total, has_aux=True)(x)
    assert not found[1].any()
    assert not weights[1].any()
    assert not slope[1].any()
    assert jnp.isfinite(slope).all()
    np.testing.assert_allclose(weights[0].sum(axis=-1), 1, rtol=1e-6)
    infinite = transformer.attend(x, x.at[:, 1].set(1e30), x.at[:, 1].set(-7.0), mask)[0]
    np.testing.assert_array_equal(infinite[0], found[0])  # what is hidden may be anything


@pytest.mark.parametrize("masked", [False, True])
def test_its_gradient_is_that_of_the_formula_through_means_and_weights(masked):
    q, k, v = (
        jax.random.normal(key, (2, 3, n, d))
        for key, n, d in zip(jax.random.split(jax.random.key(2), 3), (5, 4, 4), (6, 6, 2), strict=True)
    )
    mask = (
        jax.random.bernoulli(jax.random.key(3), 0.6, (2, 1, 5, 4)).at[0, 0, 1].set(False) if masked else None
    )
    in_means, in_weights = (
        jax.random.normal(jax.random.key(4), (5, 2)),
        jax.random.normal(jax.random.key(5), (5, 4)),
    )

    def formula(q, k, v):
        share = jnp.exp(0.7 * jnp.einsum("bhtd,bhsd->bhts", q, k))
        share = share if mask is None else share * mask
        total = share.sum(axis=-1, keepdims=True)
        weights = jnp.where(total > 0, share / jnp.where(total > 0, total, 1), 0)
        return jnp.einsum("bhts,bhsv->bhtv", weights, v), weights

    def loss(attend):
        def one(q, k, v):
            means, weights = attend(q, k, v)
            return jnp.sum(means * in_means) + jnp.sum(weights * in_weights)

        return one

    def ours(q, k, v):
        return transformer.attend(q, k, v, mask, scale=0.7)

    for found, expected in zip(
        jax.grad(loss(ours), (0, 1, 2))(q, k, v), jax.grad(loss(formula), (0, 1, 2))(q, k, v), strict=True
    ):
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def test_its_gradient_has_a_gradient():
    """Against differences: a penalty on slopes differentiates twice."""
    q, k, v = (jax.random.normal(key, (3, 4)) for key in jax.random.split(jax.random.key(0), 3))

    def length(q):
        return jnp.sum(jax.grad(lambda q: jnp.sum(jnp.sin(transformer.attend(q, k, v)[0])))(q) ** 2)

    check_grads(length, (q,), order=1, modes=["rev"], eps=1e-2, rtol=0.02)


@pytest.mark.parametrize("masked", [False, True])
def test_several_heads_are_flaxs(masked, vectors):
    ours = transformer.Attention(WIDTH, HEADS, rngs=nnx.Rngs(0))
    flax = nnx.MultiHeadAttention(HEADS, WIDTH, use_bias=False, decode=False, rngs=nnx.Rngs(1))
    keys, values = jnp.split(ours.key_value.kernel[...], 2, axis=1)
    flax.query.kernel[...] = ours.query.kernel[...].reshape(WIDTH, HEADS, -1)
    flax.key.kernel[...] = keys.reshape(WIDTH, HEADS, -1)
    flax.value.kernel[...] = values.reshape(WIDTH, HEADS, -1)
    flax.out.kernel[...] = ours.out.kernel[...].reshape(HEADS, -1, WIDTH)
    looked_at = vectors[:, ::-1] ** 2
    mask = transformer.causal(TIME) if masked else None
    found, weights = ours(vectors, ours.keys_values(looked_at), mask)
    expected = flax(vectors, looked_at, mask=None if mask is None else mask[:, None])
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6)
    assert weights.shape == (BATCH, HEADS, TIME, TIME)


def test_the_scale_is_one_over_the_root_of_a_heads_width_and_can_be_changed(vectors):
    attention = transformer.Attention(WIDTH, HEADS, rngs=nnx.Rngs(0))
    assert attention.scale == 4**-0.5
    attention.scale = 0.0
    _, weights = attention(vectors, attention.keys_values(vectors))
    np.testing.assert_allclose(weights, 1 / TIME, rtol=1e-6)


def test_without_positions_an_encoder_does_not_see_the_order(vectors):
    encoder = stirred(transformer.Encoder(WIDTH, HEADS, 2, 12, rngs=nnx.Rngs(0)))
    order = jnp.array([3, 1, 4, 0, 2])
    found, weights = encoder(vectors)
    permuted, permuted_weights = encoder(vectors[:, order])
    np.testing.assert_allclose(permuted, found[:, order], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(permuted_weights, weights[..., order, :][..., order], rtol=1e-4, atol=1e-5)
    placed = transformer.PositionalEmbedding(WIDTH, TIME, features=WIDTH, rngs=nnx.Rngs(0))
    found, permuted = (encoder(placed(x))[0] for x in (vectors, vectors[:, order]))
    assert jnp.abs(permuted - found[:, order]).max() > 0.1


def test_sinusoids_are_what_their_formula_says_and_a_shift_turns_them():
    table = np.asarray(transformer.sinusoids(50, 6))
    for t, i in [(0, 0), (7, 1), (49, 2)]:
        angle = t * 10_000 ** (-2 * i / 6)
        np.testing.assert_allclose(
            table[t, 2 * i : 2 * i + 2], [np.sin(angle), np.cos(angle)], rtol=1e-3, atol=1e-5
        )
    turn = np.linalg.lstsq(table[:40], table[5:45], rcond=None)[0]
    np.testing.assert_allclose(table[5:], table[:-5] @ turn, atol=1e-4)
    assert transformer.sinusoids(4, 5).shape == (4, 5)


def test_a_block_adds_to_what_comes_in(vectors):
    block = transformer.EncoderBlock(WIDTH, HEADS, 12, rngs=nnx.Rngs(0))
    for layer in (block.attention.out, block.feed_forward.out):
        layer.kernel[...] = jnp.zeros_like(layer.kernel[...])
    np.testing.assert_array_equal(block(vectors)[0], vectors)


def test_an_encoder_block_step_by_step(vectors):
    block = stirred(transformer.EncoderBlock(WIDTH, HEADS, 12, rngs=nnx.Rngs(0)))
    h = block.before_attention(vectors)
    mean, deviation = vectors.mean(axis=-1, keepdims=True), vectors.std(axis=-1, keepdims=True)
    scale, bias = block.before_attention.scale[...], block.before_attention.bias[...]
    np.testing.assert_allclose(h, (vectors - mean) / deviation * scale + bias, rtol=1e-3, atol=1e-4)
    x = vectors + block.attention(h, block.attention.keys_values(h))[0]
    h = block.before_feed_forward(x)
    first, second = block.feed_forward.hidden, block.feed_forward.out
    hidden = jnp.maximum(h @ first.kernel[...] + first.bias[...], 0)
    expected = x + hidden @ second.kernel[...] + second.bias[...]
    np.testing.assert_allclose(block(vectors)[0], expected, rtol=1e-4, atol=1e-5)


def test_no_logit_sees_the_future(translator):
    source = translator.read(SOURCES, LENGTHS)
    found = translator(TARGETS, source)
    for t in range(1, TARGETS.shape[1]):
        changed = translator(TARGETS.at[:, t:].set(3), source)
        np.testing.assert_array_equal(changed.logits[:, :t], found.logits[:, :t])
        assert jnp.abs(changed.logits[:, t] - found.logits[:, t]).max() > 1e-3
    assert not jnp.triu(found.self_attention, k=1).any()


def test_padding_changes_nothing_and_a_padded_batch_is_its_texts_one_by_one(translator):
    found = translator(TARGETS, translator.read(SOURCES, LENGTHS))
    other = jnp.where(SOURCES == tokens.PAD, 9, SOURCES)
    np.testing.assert_array_equal(translator(TARGETS, translator.read(other, LENGTHS)).logits, found.logits)
    for i, length in enumerate(LENGTHS.tolist()):
        alone = translator(TARGETS[i : i + 1], translator.read(SOURCES[i : i + 1, :length]))
        np.testing.assert_allclose(alone.logits[0], found.logits[i], rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(
            alone.cross_attention[:, 0], found.cross_attention[:, i, ..., :length], rtol=1e-4, atol=1e-6
        )
        assert not found.cross_attention[:, i, ..., length:].any()
    unmasked = translator(TARGETS, translator.read(SOURCES)).logits
    assert jnp.abs(unmasked - found.logits).max() > 1e-3


def test_every_source_token_and_its_place_matter(translator):
    source = translator.read(SOURCES, LENGTHS)
    found = translator(TARGETS, source).logits
    for i, length in enumerate(LENGTHS.tolist()):
        for t in range(length):
            changed = translator(TARGETS, translator.read(SOURCES.at[i, t].set(3), LENGTHS)).logits
            assert jnp.abs(changed[i] - found[i]).max() > 1e-4
    swapped = translator(TARGETS, translator.read(SOURCES.at[0, :2].set(SOURCES[0, 1::-1]), LENGTHS)).logits
    assert jnp.abs(swapped[0] - found[0]).max() > 1e-4


def test_the_cache_gives_what_the_whole_computation_gives(translator):
    source = translator.read(SOURCES, LENGTHS)
    expected, carry = translator(TARGETS, source).logits, translator.start(len(TARGETS))
    for t in range(TARGETS.shape[1]):
        carry, logits = translator.next(carry, TARGETS[:, t], source)
        np.testing.assert_allclose(logits, expected[:, t], rtol=1e-4, atol=1e-5)


def test_greedy_decoding_is_recomputation_from_the_beginning(translator):
    source = translator.read(SOURCES, LENGTHS)
    found = decoding.decode(translator, source, jax.random.key(0), steps=6, temperature=0)
    for i in range(len(SOURCES)):
        written = [tokens.START]
        row = jax.tree.map(lambda x, i=i: x[i : i + 1], source)
        while len(written) <= 6 and written[-1] != tokens.END:
            logits = translator(jnp.array([written]), row).logits[0, -1]
            written.append(int(logits.at[jnp.array([tokens.PAD, tokens.START])].set(-jnp.inf).argmax()))
        expected = (written[1:] + [tokens.PAD] * 6)[:6]
        np.testing.assert_array_equal(found[i], expected)


def test_more_steps_than_positions_are_refused(translator):
    source = translator.read(SOURCES, LENGTHS)
    with pytest.raises(ValueError, match="steps: expected at most the model's 9, got 10"):
        decoding.decode(translator, source, jax.random.key(0), steps=10)
    assert decoding.decode(translator, source, jax.random.key(0), steps=9).shape == (3, 9)


def test_a_classifier_averages_the_valid_positions():
    model = stirred(transformer.TransformerClassifier(4, vocabulary=11, **SMALL, rngs=nnx.Rngs(0)))
    found = model(SOURCES, LENGTHS)
    for i, length in enumerate(LENGTHS.tolist()):
        x, _ = model.encoder(model.embedding(SOURCES[i : i + 1, :length]))
        np.testing.assert_allclose(found[i], model.logits(x.mean(axis=1))[0], rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(model(jnp.where(SOURCES == 0, 3, SOURCES), LENGTHS), found)


def test_a_compiled_classifier_of_an_empty_sequence_is_finite_and_harms_no_other():
    model = stirred(transformer.TransformerClassifier(4, vocabulary=11, **SMALL, rngs=nnx.Rngs(0)))

    def first_only(model, lengths):
        return jnp.sum(model(SOURCES, lengths)[0] ** 2)

    with_empty = LENGTHS.at[1].set(0)
    found = nnx.jit(model.__class__.__call__)(model, SOURCES, with_empty)
    np.testing.assert_allclose(found[0], model(SOURCES, LENGTHS)[0], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(found[1], model.logits.bias[...], rtol=1e-6)
    slopes, expected = (nnx.jit(nnx.grad(first_only))(model, lengths) for lengths in (with_empty, LENGTHS))
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-5),
        nnx.state(slopes),
        nnx.state(expected),
    )


def test_a_classifier_of_vectors_at_other_sizes():
    sizes = {"width": 10, "heads": 5, "blocks": 3, "hidden": 7, "longest": 20}
    model = transformer.TransformerClassifier(4, features=2, **sizes, rngs=nnx.Rngs(0))
    assert model(jnp.ones((2, 20, 2))).shape == (2, 4)
    count = sum(leaf.size for leaf in jax.tree.leaves(nnx.state(model, nnx.Param)))
    block = 4 * 10**2 + (10 * 7 + 7 + 7 * 10 + 10) + 2 * 2 * 10
    assert count == (2 * 10 + 10) + 3 * block + 2 * 10 + (10 * 4 + 4)


def test_tokens_are_scaled_before_their_positions_are_added():
    placed = transformer.PositionalEmbedding(WIDTH, 9, vocabulary=11, rngs=nnx.Rngs(0))
    table = transformer.sinusoids(9, WIDTH)
    expected = WIDTH**0.5 * placed.tokens.embedding[...][jnp.array([4, 9])] + table[2:4]
    np.testing.assert_allclose(placed(jnp.array([[4, 9]]), 2)[0], expected, rtol=1e-6)
    bare = transformer.PositionalEmbedding(
        WIDTH, 9, vocabulary=11, positions=lambda time, width: jnp.zeros((time, width)), rngs=nnx.Rngs(0)
    )
    np.testing.assert_allclose(bare(jnp.array([[4, 9]]))[0], expected - table[2:4], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("sources", "lengths", "said"),
    [
        (jnp.full((2, 10), 4), None, "expected shape (batch, time) with time from 1 to 9, got (2, 10)"),
        (jnp.zeros((2, 0), jnp.int32), None, "with time from 1 to 9, got (2, 0)"),
        (jnp.zeros((2, 3, 4)), None, "with time from 1 to 9, got (2, 3, 4)"),
        (jnp.array([[4, 11]]), None, "tokens: expected values from 0 to 10, got 4 to 11"),
        (jnp.array([[4, -1]]), None, "tokens: expected values from 0 to 10, got -1 to 4"),
        (jnp.array([[4, 5]]), jnp.array([0]), "lengths: expected values from 1 to 2, got 0 to 0"),
        (jnp.array([[4, 5]]), jnp.array([3]), "lengths: expected values from 1 to 2, got 3 to 3"),
        (jnp.array([[4, 5]]), jnp.array([1, 1]), "lengths: expected 1 of them, got shape (2,)"),
    ],
)
def test_what_cannot_be_read_is_refused(untyped, translator, sources, lengths, said):
    with pytest.raises(ValueError, match=re.escape(said)):
        translator.read(sources, lengths)


def test_targets_and_vectors_that_do_not_fit_are_refused(untyped, translator):
    source = translator.read(SOURCES, LENGTHS)
    with pytest.raises(ValueError, match="tokens: expected values from 0 to 6, got 1 to 7"):
        translator(jnp.array([[1, 7]] * 3), source)
    with pytest.raises(TypeError, match="tokens: expected integers"):
        translator(jnp.ones((3, 2)), source)
    placed = transformer.PositionalEmbedding(WIDTH, 9, features=2, rngs=nnx.Rngs(0))
    with pytest.raises(ValueError, match=r"sequences: expected shape \(batch, 2\), got \(1, 3\)"):
        placed(jnp.ones((1, 4, 3)))
    with pytest.raises(ValueError, match=r"expected shape \(batch, time, 2\) with time from 1 to 9"):
        placed(jnp.ones((4, 2)))


@pytest.mark.parametrize(
    "mask",
    [
        jnp.ones((BATCH, TIME), bool),
        jnp.ones((BATCH, TIME, TIME + 1), bool),
        jnp.ones((2, 1, TIME), bool),
        jnp.ones((BATCH, TIME, TIME)),
    ],
)
def test_masks_of_another_shape_or_type_are_refused(untyped, mask, vectors):
    attention = transformer.Attention(WIDTH, HEADS, rngs=nnx.Rngs(0))
    with pytest.raises(
        ValueError, match=r"mask: expected booleans that broadcast to .* = \(3, 5, 5\), got an array"
    ):
        attention(vectors, attention.keys_values(vectors), mask)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"heads": 3}, "heads: expected a divisor of the width 8, got 3"),
        ({"heads": 0}, "heads: expected an integer of at least 1"),
        ({"blocks": 0}, "blocks: expected an integer of at least 1"),
        ({"hidden": 0}, "hidden: expected an integer of at least 1"),
        ({"longest": 0}, "longest: expected an integer of at least 1"),
        ({"width": 0}, "width: expected an integer of at least 1"),
    ],
)
def test_sizes_that_are_none_are_refused(untyped, change, said):
    with pytest.raises(ValueError, match=said):
        transformer.Translator(11, 7, **(SMALL | change), rngs=nnx.Rngs(0))


def test_tokens_or_vectors_not_both_and_not_neither():
    for both in ({}, {"vocabulary": 3, "features": 2}):
        with pytest.raises(ValueError, match="vocabulary, features: expected one of them"):
            transformer.TransformerClassifier(4, **both, **SMALL, rngs=nnx.Rngs(0))


@pytest.mark.parametrize("mask", [jnp.full((3, 3), 0.5), jnp.where(jnp.eye(3) > 0, 0.0, -jnp.inf)])
def test_a_mask_of_numbers_is_refused(untyped, mask):
    with pytest.raises(TypeError, match="mask: expected booleans, got an array of float32"):
        transformer.attend(*jnp.zeros((3, 3, 2)), mask)


def test_huge_values_that_are_hidden_send_no_gradient():
    queries, keys, values = jax.random.normal(jax.random.key(0), (3, 4, 2))
    mask = jnp.arange(4)[None] < 3

    def loss(queries, keys, values):
        return 100 * jnp.sum(jnp.sin(transformer.attend(queries, keys, values, mask)[0]))

    huge = [array.at[3].set(1e37) for array in (keys, values)]  # a hundred times as much is infinite
    found = jax.grad(loss, (0, 1, 2))(queries, *huge)
    expected = jax.grad(loss, (0, 1, 2))(queries, keys, values)
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5)
    assert not found[1][3].any()
    assert not found[2][3].any()


def test_by_default_a_translator_has_four_heads_of_sixteen():
    model = transformer.Translator(5, 6, longest=4, rngs=nnx.Rngs(0))
    assert (model.blocks[0].self_attention.heads, model.width, len(model.blocks)) == (4, 64, 2)
    assert model.encoder.blocks[0].attention.heads == 4
