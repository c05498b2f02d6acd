"""Steps, one at a time, and what they refuse."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx
from toy import ADAM, DATA, INPUTS, fit, fresh, weights

from gdlib import train


def order_of(key, epoch):
    """The fifty examples by the size of random numbers, which NumPy's bit generators draw from key and epoch."""
    seeds = np.random.SeedSequence([*np.asarray(jax.random.key_data(key)).tolist(), epoch])
    return np.argsort(np.random.PCG64(seeds).random_raw(50), kind="stable")


def test_the_step_reports_the_norm_of_the_gradient():
    model, _ = fresh()
    history = fit((model, nnx.Optimizer(model, optax.sgd(0.0), wrt=nnx.Param)), epochs=1, batch_size=50)
    key = jax.random.fold_in(jax.random.split(jax.random.key(7), 3)[1], 0)
    order = order_of(jax.random.key(7), 0)
    error = np.asarray(model(INPUTS[order])[:, 0] - DATA.labels[order] + 0.1 * jax.random.normal(key, (50,)))
    slope = 2 * np.append((error[:, None] * INPUTS[order]).mean(axis=0), error.mean())
    np.testing.assert_allclose(history.train["grad_norm"], [np.linalg.norm(slope)], rtol=1e-4)


class Pair(nnx.Module):
    """Two lines that play against each other."""

    def __init__(self, rng_key):
        rngs = nnx.Rngs(rng_key)
        self.generator, self.discriminator = nnx.Linear(3, 3, rngs=rngs), nnx.Linear(3, 1, rngs=rngs)


def players(seed=0):
    pair = Pair(jax.random.key(seed))
    sgd = optax.sgd(0.1)
    own = (nnx.Optimizer(player, sgd, wrt=nnx.Param) for player in (pair.generator, pair.discriminator))
    return (pair, *own)


def discriminator_objective(generator, discriminator, batch, rng_key):
    fake = generator(jax.random.normal(rng_key, batch.inputs.shape))
    return {"loss": jnp.mean(discriminator(fake)) - jnp.mean(discriminator(batch.inputs)), "size": len(fake)}


def generator_objective(generator, discriminator, batch, rng_key):
    fake = generator(jax.random.normal(rng_key, batch.inputs.shape))
    return {"loss": -jnp.mean(discriminator(fake))}


def test_in_a_game_each_player_descends_its_own_loss_in_its_turn():
    step = train.adversarial_step(discriminator_objective, generator_objective, critic_steps=2)
    pair, *optimizers = players()
    expected = Pair(jax.random.key(0))
    keys = jax.random.split(jax.random.key(3), 3)
    batch = DATA[:10]
    metrics = step((pair, *optimizers), batch, jax.random.key(3))

    for key, part in zip(keys[:2], (batch[:5], batch[5:]), strict=True):
        slope = nnx.grad(
            lambda d, k=key, p=part: discriminator_objective(expected.generator, d, p, k)["loss"]
        )(expected.discriminator)
        judged = discriminator_objective(expected.generator, expected.discriminator, part, key)["loss"]
        for name in ("kernel", "bias"):
            weight = getattr(expected.discriminator, name)
            weight[...] = weight[...] - 0.1 * slope[name][...]
    slope = nnx.grad(lambda g: generator_objective(g, expected.discriminator, batch[5:], keys[2])["loss"])(
        expected.generator
    )
    for name in ("kernel", "bias"):
        weight = getattr(expected.generator, name)
        weight[...] = weight[...] - 0.1 * slope[name][...]
    np.testing.assert_allclose(weights(pair), weights(expected), rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(metrics["discriminator_loss"], judged, rtol=1e-5)
    assert metrics["discriminator_size"] == 5
    squares = sum(jnp.sum(leaf**2) for leaf in jax.tree.leaves(slope))
    np.testing.assert_allclose(metrics["generator_grad_norm"], jnp.sqrt(squares), rtol=1e-5)


def test_fit_runs_a_game_with_many_seeds():
    step = train.adversarial_step(discriminator_objective, generator_objective)

    @nnx.vmap
    def create(rng_key):
        pair = Pair(rng_key)
        adam = (nnx.Optimizer(player, ADAM, wrt=nnx.Param) for player in (pair.generator, pair.discriminator))
        return (pair, *adam)

    stacked = create(jax.random.split(jax.random.key(0), 2))
    history = fit(stacked, jax.random.split(jax.random.key(1), 2), step=step)
    assert history.train["generator_loss"].shape == (15, 2)
    assert "discriminator_loss" in history.latest()
    assert "generator_loss" in history.latest()


def test_a_minibatch_is_cut_into_parts_of_which_none_is_empty():
    sizes = fit(
        players(), step=train.adversarial_step(discriminator_objective, generator_objective, critic_steps=3)
    )
    assert (sizes.train["discriminator_size"] == 3).all()  # of ten: 4, 3 and 3
    step = train.adversarial_step(discriminator_objective, generator_objective, critic_steps=11)
    with pytest.raises(
        ValueError, match="critic_steps: expected at most as many as a minibatch has examples, got 11 for 10"
    ):
        fit(players(), step=step)
    with pytest.raises(ValueError, match="critic_steps: expected an integer of at least 1"):
        train.adversarial_step(discriminator_objective, generator_objective, critic_steps=0)


@pytest.mark.parametrize(
    ("metrics", "error", "message"),
    [
        (None, TypeError, "expected it to return a dict of scalars, got None"),
        ({}, TypeError, "expected it to return a dict of scalars"),
        ({"loss": jnp.zeros(3)}, ValueError, r"expected scalars, got 'loss' of shape \(3,\)"),
        ({"loss": "small"}, TypeError, "expected scalars, got 'loss' of type str"),
        ({"nll": jnp.zeros(())}, ValueError, "expected \"loss\" among its scalars, got \\['nll'\\]"),
    ],
)
def test_what_an_objective_returns_is_a_dict_of_scalars_with_a_loss(untyped, metrics, error, message):
    with pytest.raises(error, match="objective: " + message):
        fit(fresh(), step=train.gradient_step(lambda model, batch, rng_key: metrics))


def test_evaluation_is_without_dropout_and_leaves_mode_and_statistics_alone():
    class Noisy(nnx.Module):
        def __init__(self):
            self.norm = nnx.BatchNorm(3, rngs=nnx.Rngs(0))
            self.drop = nnx.Dropout(0.5, rngs=nnx.Rngs(1))

        def __call__(self, x):
            return self.drop(self.norm(x))

    model = Noisy()
    statistics = model.norm.mean[...].copy()
    evaluate = train.evaluation_step(lambda model, batch, rng_key: {"loss": jnp.mean(model(batch))})
    found = evaluate((model,), jnp.asarray(INPUTS), jax.random.key(0))["loss"]
    np.testing.assert_allclose(found, INPUTS.mean() / np.sqrt(1 + 1e-5), rtol=1e-4)  # mean 0, variance 1
    np.testing.assert_array_equal(model.norm.mean[...], statistics)
    assert not model.drop.deterministic


class Counting(nnx.Module):
    """It counts its calls, whatever its mode."""

    def __init__(self):
        self.calls = nnx.BatchStat(jnp.zeros(()))

    def __call__(self, inputs):
        self.calls[...] += 1
        return inputs * self.calls[...]


def test_what_a_model_writes_down_in_evaluation_is_not_its_own():
    model = Counting()
    evaluate = train.evaluation_step(lambda model, batch, rng_key: {"loss": jnp.mean(model(batch))})
    found = evaluate((model,), jnp.ones(3), jax.random.key(0))["loss"]
    assert found == 1
    assert model.calls[...] == 0
