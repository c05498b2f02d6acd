"""Decoding, with a model whose distribution is known in closed form."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from gdlib import decoding
from gdlib.data import tokens
from gdlib.models import rnn

A, B = 4, 5


class Counter(nnx.Module):
    """Its condition is a number of A's; then it may say B or end. Impossible tokens get the largest logits."""

    def __init__(self, chance=0.25):
        self.chance = nnx.Param(jnp.array(chance))

    def start(self, batch, steps):
        return jnp.zeros(batch, jnp.int32)

    def next(self, carry, tokens_, conditions):
        logits = jnp.full((len(tokens_), 6), -jnp.inf)
        logits = logits.at[:, [tokens.PAD, tokens.START]].set(50.0)
        saying = (carry < conditions)[:, None] & (jnp.arange(6) == A)
        ending = (carry >= conditions)[:, None]
        logits = jnp.where(saying, 0.0, logits)
        logits = jnp.where(ending & (jnp.arange(6) == B), jnp.log(self.chance[...]), logits)
        logits = jnp.where(ending & (jnp.arange(6) == tokens.END), jnp.log1p(-self.chance[...]), logits)
        return carry + 1, logits


def test_the_most_probable_token_is_taken_and_padding_follows_the_end():
    found = decoding.decode(Counter(), jnp.array([0, 1, 3]), jax.random.key(0), steps=4, temperature=0)
    np.testing.assert_array_equal(
        found, [[tokens.END, 0, 0, 0], [A, tokens.END, 0, 0], [A, A, A, tokens.END]]
    )


def test_a_text_without_an_end_has_none():
    found = decoding.decode(Counter(), jnp.array([9]), jax.random.key(0), steps=3)
    np.testing.assert_array_equal(found, [[A, A, A]])


@pytest.mark.parametrize(("temperature", "share"), [(1.0, 0.25), (0.5, 0.1)])
def test_draws_have_the_models_distribution(temperature, share):
    conditions = jnp.zeros(4000, jnp.int32)
    found = decoding.decode(Counter(), conditions, jax.random.key(0), steps=3, temperature=temperature)
    # 1/16 against 9/16 at half the temperature: 0.1.
    again = np.asarray(found[:, 0] == B)
    assert abs(again.mean() - share) < 5 * np.sqrt(share * (1 - share) / len(again))
    second = np.asarray(found[again, 1] == B)
    assert abs(second.mean() - share) < 5 * np.sqrt(share * (1 - share) / len(second))


def test_another_temperature_or_key_compiles_nothing_anew():
    model, conditions = Counter(), jnp.array([0, 1])
    decoding.decode(model, conditions, jax.random.key(0), steps=5)
    compiled = decoding._decode._cache_size()
    decoding.decode(model, conditions, jax.random.key(1), steps=5, temperature=0.3)
    decoding.decode(model, conditions + 1, jax.random.key(1), steps=5, temperature=0)
    assert decoding._decode._cache_size() == compiled


@pytest.mark.parametrize(
    ("conditions", "options", "said"),
    [
        (
            jnp.zeros(0, jnp.int32),
            {"steps": 3},
            "conditions: expected arrays with one first axis of at least 1",
        ),
        (jnp.zeros(1, jnp.int32), {"steps": 0}, "steps: expected an integer of at least 1"),
        (jnp.zeros(1, jnp.int32), {"steps": 1, "temperature": -1.0}, "temperature: expected values from 0"),
        (jnp.zeros(1, jnp.int32), {"steps": 1, "temperature": np.nan}, "temperature: expected values from 0"),
    ],
)
def test_what_cannot_be_decoded_is_refused(conditions, options, said):
    with pytest.raises(ValueError, match=said):
        decoding.decode(Counter(), conditions, jax.random.key(0), **options)


def test_by_default_texts_are_drawn_from_the_model_itself():
    conditions = jnp.zeros(50, jnp.int32)
    plain = decoding.decode(Counter(), conditions, jax.random.key(0), steps=4)
    one = decoding.decode(Counter(), conditions, jax.random.key(0), steps=4, temperature=1.0)
    np.testing.assert_array_equal(plain, one)
    cold = decoding.decode(Counter(), conditions, jax.random.key(0), steps=4, temperature=0.3)
    assert (plain != cold).any()


class Lost(Counter):
    """Its logits are NaN for texts without an A, from the second token on."""

    def next(self, carry, tokens_, conditions):
        carry, logits = super().next(carry, tokens_, conditions)
        return carry, jnp.where(((carry == 2) & (conditions == 0))[:, None], jnp.nan, logits)


def test_logits_that_are_nan_are_named_and_no_text_is_given():
    with pytest.raises(ValueError, match="model: expected logits that are numbers, got NaN"):
        decoding.decode(Lost(), jnp.array([1, 0]), jax.random.key(0), steps=3)
    decoding.decode(Lost(), jnp.array([1, 0]), jax.random.key(0), steps=1)


@pytest.mark.parametrize("condition", [-1, 5])
def test_a_condition_that_the_model_does_not_know_is_named(condition):
    cell = rnn.GRUCell(4, 3, rngs=nnx.Rngs(0))
    model = rnn.CharacterModel(cell, 6, 5, rngs=nnx.Rngs(0))
    with pytest.raises(ValueError, match="conditions: expected values from 0 to 4"):
        decoding.decode(model, jnp.array([0, condition]), jax.random.key(0), steps=2)
    assert decoding.decode(model, jnp.array([0, 4]), jax.random.key(0), steps=2).shape == (2, 2)
