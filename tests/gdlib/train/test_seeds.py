"""Modules of many seeds: made, and picked out."""

import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from toy import ADAM, create, fresh

from gdlib import train
from gdlib.train import seeds


def test_select_seed_names_what_is_wrong():
    stacked = nnx.vmap(create)(jax.random.split(jax.random.key(1), 3))
    with pytest.raises(ValueError, match="seed: expected 0 to 2, got 3"):
        train.select_seed(stacked, 3)
    with pytest.raises(ValueError, match="one leading seed axis"):
        train.select_seed(fresh(), 0)


class Mixed(nnx.Module):
    """Weights, an orthogonal one among them, and what does not hang on the key."""

    def __init__(self, rngs):
        self.dense = nnx.Linear(5, 7, rngs=rngs)
        self.turned = nnx.Param(nnx.initializers.orthogonal()(rngs(), (6, 6)))
        self.norm = nnx.BatchNorm(7, rngs=rngs)
        self.drop = nnx.Dropout(0.5, rngs=rngs)


def test_what_is_created_is_what_op_by_op_would_be():
    key = jax.random.key(3)
    model, optimizer = train.create(Mixed, key, ADAM)
    expected = Mixed(nnx.Rngs(key))
    for found, same in zip(
        jax.tree.leaves(nnx.state(model)), jax.tree.leaves(nnx.state(expected)), strict=True
    ):
        assert found.dtype == same.dtype
        if jnp.issubdtype(found.dtype, jnp.inexact):
            np.testing.assert_allclose(found, same, rtol=1e-4, atol=1e-6)
    assert jax.tree.structure(nnx.state(optimizer)) == jax.tree.structure(
        nnx.state(nnx.Optimizer(expected, ADAM, wrt=nnx.Param))
    )
    assert optimizer.tx == ADAM


def test_each_seed_is_what_its_key_alone_makes():
    keys = jax.random.split(jax.random.key(4), 3)
    stacked = train.create(Mixed, keys)
    assert {leaf.shape[0] for leaf in jax.tree.leaves(nnx.state(stacked))} == {3}
    for seed in range(3):
        alone = train.create(Mixed, keys[seed])
        picked = train.select_seed(stacked, seed)
        np.testing.assert_allclose(picked.dense.kernel[...], alone.dense.kernel[...], rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(picked.turned[...], alone.turned[...], rtol=1e-4, atol=1e-5)
    assert (stacked.dense.kernel[0] != stacked.dense.kernel[1]).any()


def test_the_same_maker_is_compiled_once():
    created = seeds._split_quickly
    train.create(Mixed, jax.random.key(0), ADAM)
    before = created._cache_size()
    train.create(Mixed, jax.random.key(1), ADAM)
    assert created._cache_size() == before


def test_what_is_no_key_is_named(untyped):
    with pytest.raises(TypeError, match="rng_key: expected a key"):
        train.create(Mixed, 3)


def test_arguments_are_given_to_each_seed_in_turn():
    def scaled(rngs, scale):
        model = nnx.Linear(3, 1, rngs=rngs)
        model.kernel[...] = scale * model.kernel[...]
        return model

    keys = jnp.stack([jax.random.key(0)] * 2)
    model, _ = train.create(scaled, keys, ADAM, jnp.array([1.0, 10.0]))
    np.testing.assert_allclose(10 * model.kernel[0], model.kernel[1], rtol=1e-5)


class Pair(nnx.Module):
    def __init__(self, rngs):
        self.generator, self.discriminator = nnx.Linear(3, 3, rngs=rngs), nnx.Linear(3, 1, rngs=rngs)


def test_each_player_of_a_game_gets_an_optimizer_of_its_own():
    pair, for_generator, for_discriminator = train.create_game(Pair, jax.random.key(0), ADAM)
    for player, optimizer in ((pair.generator, for_generator), (pair.discriminator, for_discriminator)):
        moments = jax.tree.leaves(nnx.state(optimizer.opt_state))
        assert sum(leaf.shape == player.kernel.shape for leaf in moments) == 2


def test_each_seed_gives_all_of_them_in_order():
    keys = jax.random.split(jax.random.key(4), 3)
    stacked = train.create(Mixed, keys)
    for seed, model in enumerate(train.each_seed(stacked)):
        np.testing.assert_array_equal(model.dense.kernel[...], stacked.dense.kernel[seed])


MANY = """
import jax
from flax import nnx
from gdlib import train
from gdlib.models import rnn

def make(rngs):
    return rnn.LSTMCell(3, 64, rngs=rngs)

for seed in range(20):
    keys = jax.random.split(jax.random.key(seed), 4)
    jax.block_until_ready(nnx.state(train.create(make, keys)))
"""


def test_orthogonal_weights_of_many_seeds_do_not_wait_for_each_other_for_ever():
    # Four factorisations in one program, each of a batch of four, did on two cores.
    subprocess.run([sys.executable, "-c", MANY], check=True, timeout=300)
