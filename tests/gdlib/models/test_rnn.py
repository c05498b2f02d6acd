"""The cells against Flax's and against plain loops; the loop over time against autodiff's own."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from gdlib import layers
from gdlib.models import rnn

CELLS = (rnn.PlainCell, rnn.LSTMCell, rnn.GRUCell)
BATCH, TIME, FEATURES, HIDDEN = 3, 5, 4, 6


def made(kind):
    """A cell whose biases are not zero: zeros would hide their absence."""
    cell = kind(FEATURES, HIDDEN, rngs=nnx.Rngs(0))
    for layer in (cell.inputs, cell.recurrent):
        if layer.bias is not None:
            layer.bias[...] = 0.3 * jnp.cos(jnp.arange(layer.bias.size, dtype=jnp.float32))
    return cell


@pytest.fixture(scope="module")
def sequences():
    return jax.random.normal(jax.random.key(1), (BATCH, TIME, FEATURES))


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def by_hand(cell, sequence):
    """One sequence through a cell, gate by gate, in NumPy: the states, and the last carry."""
    kernel, bias, recurrent = (
        np.asarray(a[...], np.float64) for a in (cell.inputs.kernel, cell.inputs.bias, cell.recurrent.kernel)
    )
    recurrent_bias = 0 if cell.recurrent.bias is None else np.asarray(cell.recurrent.bias[...], np.float64)
    h, c, states = np.zeros(HIDDEN), np.zeros(HIDDEN), []
    for x in np.asarray(sequence, np.float64):
        driven = (x @ kernel + bias).reshape(cell.gates, HIDDEN)
        own = (h @ recurrent + recurrent_bias).reshape(cell.gates, HIDDEN)
        if isinstance(cell, rnn.PlainCell):
            h = np.tanh(driven[0] + own[0])
        elif isinstance(cell, rnn.LSTMCell):
            i, f, g, o = driven + own
            c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
            h = sigmoid(o) * np.tanh(c)
        else:
            r, z = sigmoid(driven[:2] + own[:2])
            h = (1 - z) * np.tanh(driven[2] + r * own[2]) + z * h
        states.append(h)
    return np.array(states), (c, h)


@pytest.mark.parametrize("kind", CELLS)
def test_the_loop_over_time_is_a_loop_over_time(kind, sequences):
    cell = made(kind)
    states, carry = rnn.unroll(cell, sequences)
    for i, sequence in enumerate(sequences):
        expected, last = by_hand(cell, sequence)
        np.testing.assert_allclose(states[i], expected, rtol=1e-4, atol=1e-5)
        for found, wanted in zip(carry, last[-len(carry) :], strict=True):
            np.testing.assert_allclose(found[i], wanted, rtol=1e-4, atol=1e-5)


def flax_cell(cell):
    """Flax's cell with the same weights. Its layers, too, hold the rows of all gates, in the same order."""
    kinds = {rnn.PlainCell: nnx.SimpleCell, rnn.LSTMCell: nnx.OptimizedLSTMCell, rnn.GRUCell: nnx.GRUCell}
    flax = kinds[type(cell)](FEATURES, HIDDEN, rngs=nnx.Rngs(1))
    flax.dense_i.kernel[...] = cell.inputs.kernel[...]
    flax.dense_h.kernel[...] = cell.recurrent.kernel[...]
    (biased,) = (layer for layer in (flax.dense_i, flax.dense_h) if layer.bias is not None)
    biased.bias[...] = cell.inputs.bias[...]
    return flax


@pytest.mark.parametrize("kind", CELLS)
def test_each_cell_is_flaxs(kind, sequences):
    cell = made(kind)
    if kind is rnn.GRUCell:
        cell.recurrent.bias[...] = jnp.zeros_like(cell.recurrent.bias[...])  # Flax's has no second bias
    flax, carry = flax_cell(cell), cell.start(BATCH)
    theirs = carry if kind is rnn.LSTMCell else carry[-1]
    for x in sequences.swapaxes(0, 1):
        carry = cell(carry, x)
        theirs, shown = flax(theirs, x)
        np.testing.assert_allclose(carry[-1], shown, rtol=1e-5, atol=1e-6)


def plain_loss(cell, sequences, lengths, carry):
    """A loss of all states and the last carry by Python's loop, with autodiff's own gradient."""
    total = 0.0
    for t in range(sequences.shape[1]):
        new = cell(carry, sequences[:, t])
        if lengths is not None:
            new = tuple(jnp.where((t < lengths)[:, None], a, b) for a, b in zip(new, carry, strict=True))
        carry = new
        total += jnp.sum(jnp.sin((t + 1) * carry[-1]))
    return total + sum(jnp.sum(part**2) for part in carry)


def scanned_loss(cell, sequences, lengths, carry):
    states, carry = rnn.unroll(cell, sequences, lengths, carry)
    steps = jnp.arange(1, sequences.shape[1] + 1)[None, :, None]
    return jnp.sum(jnp.sin(steps * states)) + sum(jnp.sum(part**2) for part in carry)


@pytest.mark.parametrize("lengths", [None, [2, 5, 1]])
@pytest.mark.parametrize("kind", CELLS)
def test_backpropagation_through_time_is_autodiffs(kind, lengths, sequences):
    cell = made(kind)
    lengths = None if lengths is None else jnp.array(lengths)
    carry = tuple(
        jax.random.normal(key, (BATCH, HIDDEN)) for key in jax.random.split(jax.random.key(2), cell.memories)
    )

    def gradients(loss):
        both = nnx.value_and_grad(
            lambda cell, sequences, carry: loss(cell, sequences, lengths, carry), argnums=(0, 1, 2)
        )
        return jax.tree.leaves(both(cell, sequences, carry))

    for found, expected in zip(gradients(scanned_loss), gradients(plain_loss), strict=True):
        np.testing.assert_allclose(found, expected, rtol=2e-4, atol=2e-5)


@pytest.mark.parametrize("kind", CELLS)
def test_a_padded_batch_gives_what_single_sequences_give(kind):
    model = rnn.SequenceClassifier(made(kind), 3, dense=5, vocabulary=9, rngs=nnx.Rngs(0))
    lengths = jnp.array([2, 5, 3])
    tokens = jax.random.randint(jax.random.key(0), (3, 5), 0, 9)

    def loss(model, tokens, lengths=None):
        return jnp.sum(jnp.sin(model(tokens, lengths)))

    whole = nnx.value_and_grad(loss)(model, tokens, lengths)
    alone = [nnx.value_and_grad(loss)(model, row[None, :n]) for row, n in zip(tokens, lengths, strict=True)]
    summed = jax.tree.map(lambda *leaves: sum(leaves), *alone)
    for found, expected in zip(jax.tree.leaves(whole), jax.tree.leaves(summed), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)
    other = jnp.where(jnp.arange(5) < lengths[:, None], tokens, (tokens + 1) % 9)
    np.testing.assert_array_equal(model(tokens, lengths), model(other, lengths))
    assert not np.allclose(model(tokens), model(other))


def test_states_after_the_last_valid_step_stand_still(sequences):
    states, (_, last) = rnn.unroll(made(rnn.LSTMCell), sequences, jnp.array([2, 5, 1]))
    np.testing.assert_array_equal(states[:, -1], last)
    np.testing.assert_array_equal(states[0, 1:], np.broadcast_to(states[0, 1], (4, HIDDEN)))


def test_the_loop_works_under_jit_and_for_many_seeds(sequences):
    def create(rng_key):
        return rnn.LSTMCell(FEATURES, HIDDEN, rngs=nnx.Rngs(rng_key))

    cells = nnx.vmap(create)(jax.random.split(jax.random.key(0), 2))
    both = nnx.jit(nnx.vmap(lambda cell: rnn.unroll(cell, sequences, jnp.array([2, 5, 1]))[0]))(cells)
    assert both.shape == (2, BATCH, TIME, HIDDEN)
    first = nnx.merge(nnx.graphdef(cells), jax.tree.map(lambda leaf: leaf[0], nnx.state(cells)))
    np.testing.assert_allclose(
        both[0], rnn.unroll(first, sequences, jnp.array([2, 5, 1]))[0], rtol=1e-5, atol=1e-6
    )


def test_weights_begin_as_documented():
    cell = rnn.LSTMCell(FEATURES, 32, rngs=nnx.Rngs(0))
    for gate in np.split(np.asarray(cell.recurrent.kernel[...]), 4, axis=1):
        np.testing.assert_allclose(gate @ gate.T, np.eye(32), atol=1e-5)
    bias = np.asarray(cell.inputs.bias[...]).reshape(4, 32)
    np.testing.assert_array_equal(bias, np.repeat([[0], [1], [0], [0]], 32, axis=1))
    assert not rnn.LSTMCell(FEATURES, 32, forget_bias=0.0, rngs=nnx.Rngs(0)).inputs.bias[...].any()


@pytest.mark.parametrize(
    ("kind", "gates", "biases"), [(rnn.PlainCell, 1, 1), (rnn.LSTMCell, 4, 1), (rnn.GRUCell, 3, 2)]
)
def test_parameters_by_arithmetic(kind, gates, biases):
    count = sum(leaf.size for leaf in jax.tree.leaves(nnx.state(made(kind), nnx.Param)))
    assert count == gates * HIDDEN * (FEATURES + HIDDEN + biases)


def test_the_classifier_reads_its_last_valid_state(sequences):
    model = rnn.SequenceClassifier(made(rnn.GRUCell), 3, dense=5, rngs=nnx.Rngs(0))
    lengths = jnp.array([2, 5, 1])
    states = model.states(sequences)
    last = states[jnp.arange(BATCH), lengths - 1]
    np.testing.assert_allclose(model(sequences, lengths), model.read_out(last), rtol=1e-5, atol=1e-6)


def test_the_character_model_says_the_same_step_by_step():
    model = rnn.CharacterModel(made(rnn.LSTMCell), 9, 4, rngs=nnx.Rngs(0))
    tokens, conditions = jnp.array([[1, 5, 6, 8], [1, 7, 7, 4]]), jnp.array([0, 3])
    logits, carry = model(tokens, conditions), model.start(2)
    for t in range(4):
        carry, found = model.next(carry, tokens[:, t], conditions)
        np.testing.assert_allclose(found, logits[:, t], rtol=1e-5, atol=1e-6)
    assert not np.allclose(logits, model(tokens, jnp.array([1, 3])))


@pytest.mark.parametrize(
    ("shape", "lengths", "said"),
    [
        ((3, 5), None, r"sequences: expected shape \(batch, time, 4\)"),
        ((3, 5, 2), None, r"got \(3, 5, 2\)"),
        ((3, 0, 4), None, "at least one step"),
        ((3, 5, 4), [1, 2], "lengths: expected 3 of them"),
        ((3, 5, 4), [0, 2, 3], "lengths: expected values from 1 to 5"),
        ((3, 5, 4), [1, 2, 6], "lengths: expected values from 1 to 5"),
    ],
)
def test_sequences_that_do_not_fit_are_refused(untyped, shape, lengths, said):
    with pytest.raises(ValueError, match=said):
        rnn.unroll(made(rnn.PlainCell), jnp.zeros(shape), None if lengths is None else jnp.array(lengths))


def test_lengths_that_are_no_integers_are_refused(untyped):
    with pytest.raises(TypeError, match="lengths: expected integers"):
        rnn.unroll(made(rnn.PlainCell), jnp.zeros((1, 2, 4)), jnp.array([1.0]))


def test_under_jit_a_length_of_nothing_leaves_the_carry(sequences):
    run = nnx.jit(lambda cell, lengths: rnn.unroll(cell, sequences, lengths)[1])
    (last,) = run(made(rnn.PlainCell), jnp.array([0, 1, 2]))
    assert not last[0].any()
    assert last[1].all()


def test_tokens_out_of_range_are_refused_and_under_jit_are_zeros(untyped):
    model = rnn.SequenceClassifier(made(rnn.PlainCell), 3, vocabulary=9, rngs=nnx.Rngs(0))
    for bad in (-1, 9):
        with pytest.raises(ValueError, match="tokens: expected values from 0 to 8"):
            model(jnp.array([[1, bad]]))
    with pytest.raises(TypeError, match="tokens: expected integers"):
        model(jnp.array([[1.0, 2.0]]))
    found = nnx.jit(layers.embedded)(model.embedding, jnp.array([[8, 9, -1]]))
    np.testing.assert_array_equal(found[0, 0], model.embedding.embedding[...][8])
    assert not found[0, 1:].any()


@pytest.mark.parametrize("sizes", [(0, 4), (4, 0), (4, 2.5), (True, 4)])
def test_sizes_that_are_none_are_refused(untyped, sizes):
    with pytest.raises((TypeError, ValueError), match=r"(features|hidden): expected an integer"):
        rnn.LSTMCell(*sizes, rngs=nnx.Rngs(0))


@pytest.mark.parametrize("kind", [rnn.PlainCell, rnn.LSTMCell, rnn.GRUCell])
def test_padding_that_is_nan_changes_neither_states_nor_gradients(kind):
    cell = kind(2, 3, rngs=nnx.Rngs(0))
    sequences = jax.random.normal(jax.random.key(1), (2, 5, 2))
    lengths = jnp.array([5, 3])
    spoilt = sequences.at[1, 3:].set(jnp.nan)
    graphdef, weights = nnx.split(cell)

    def loss(weights, sequences):
        return jnp.sum(jnp.sin(rnn.unroll(nnx.merge(graphdef, weights), sequences, lengths)[0]))

    found, expected = (jax.value_and_grad(loss, (0, 1))(weights, x) for x in (spoilt, sequences))
    for a, b in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
        np.testing.assert_array_equal(a, b)
