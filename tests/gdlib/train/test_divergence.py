"""Losses and weights that are no longer finite: named, and the last finite state kept."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from toy import ADAM, DATA, EVALUATION, STEP, create, fit, fresh, weights

from gdlib import train


def exploding(at, what):
    """A step whose loss, or only its update, is NaN once the optimizer has made `at` steps."""

    def step(modules, batch, rng_key):
        model, optimizer = modules
        bad = jnp.where(optimizer.step[...] == at, jnp.nan, 0.0)
        metrics = STEP(modules, batch, rng_key)
        model.kernel[...] = model.kernel[...] + bad
        return metrics | {"loss": metrics["loss"] + (bad if what == "loss" else 0.0)}

    return step


@pytest.mark.parametrize("what", ["loss", "weights"])
@pytest.mark.parametrize("at", [0, 3, 7])
def test_divergence_stops_names_the_step_and_restores_the_last_finite_state(what, at):
    modules = fresh()
    with pytest.raises(train.Diverged, match=rf"step {at} \(epoch {at // 5}, minibatch {at % 5}\)") as caught:
        fit(modules, step=exploding(at, what))
    assert caught.value.step == at
    assert caught.value.history.steps == at + 1
    expected = fresh()
    if at:
        losses = fit(expected, step=exploding(-1, what)).train["loss"]
        np.testing.assert_allclose(caught.value.history.train["loss"][:at], losses[:at], rtol=1e-5)
    assert np.isfinite(weights(modules)).all()
    assert modules[1].step[...] == at  # as many updates as there were finite steps


def test_a_seed_that_diverges_is_reported_and_the_others_go_on():
    def step(modules, batch, rng_key):
        model, optimizer = modules
        bad = jnp.where((optimizer.step[...] == 6) & (model.bias[0] > 50), jnp.nan, 0.0)
        metrics = STEP(modules, batch, rng_key)
        return metrics | {"loss": metrics["loss"] + bad}

    keys = jax.random.split(jax.random.key(2), 3)
    stacked = nnx.vmap(create)(jax.random.split(jax.random.key(1), 3))
    stacked[0].bias[...] = stacked[0].bias[...].at[1].set(100.0)
    healthy = nnx.merge(*nnx.split(stacked), copy=True)
    history = fit(stacked, keys, step=step)
    reference = fit(healthy, keys)

    assert history.diverged == {1: 6}
    assert history.steps == 15
    assert np.isnan(history.train["loss"][6:, 1]).all()
    assert np.isfinite(history.train["loss"][:6]).all()
    for seed in (0, 2):
        np.testing.assert_allclose(
            history.train["loss"][:, seed], reference.train["loss"][:, seed], rtol=1e-5
        )
    assert np.isfinite(weights(stacked)).all()
    assert stacked[1].step[...].tolist() == [15, 6, 15]


def test_when_every_seed_diverges_fit_says_so():
    stacked = nnx.vmap(create)(jax.random.split(jax.random.key(1), 2))
    with pytest.raises(train.Diverged, match="every seed diverged"):
        fit(stacked, jax.random.split(jax.random.key(2), 2), step=exploding(4, "loss"))
    assert stacked[1].step[...].tolist() == [4, 4]


def logarithmic(at):
    """A step that takes the logarithm of a negative number once more than `at` updates were made."""

    def step(modules, batch, rng_key):
        made = modules[1].step[...].astype(float)
        return STEP(modules, batch, rng_key) | {"log": jnp.log(at + 0.5 - made)}

    return step


@pytest.mark.parametrize("check", [jax.debug_nans, jax.debug_infs], ids=["nans", "infs"])
def test_many_seeds_record_their_divergence_whatever_jax_is_told_to_check(check):
    def step(modules, batch, rng_key):
        scale = jnp.where((modules[1].step[...] == 6) & (modules[0].bias[0] > 50), 0.0, 1.0)
        return STEP(modules, batch, rng_key) | {"log": jnp.log(scale), "root": jnp.sqrt(2 * scale - 1)}

    keys = jax.random.split(jax.random.key(2), 2)
    stacked = nnx.vmap(create)(keys)
    stacked[0].bias[...] = stacked[0].bias[...].at[1].set(100.0)
    with check(True):
        history = fit(stacked, keys, step=step, validate=EVALUATION, validation_data=DATA)
        assert jax.config.jax_debug_nans == (check is jax.debug_nans)  # as it was
    assert history.diverged == {1: 6}
    assert history.steps == 15
    assert np.isfinite(history.train["loss"][:, 0]).all()


def test_with_one_key_the_check_raises_and_out_of_the_scan_names_the_operation():
    modules = fresh()
    with (
        jax.debug_nans(True),
        pytest.raises(FloatingPointError, match=r"\(nan\) encountered in scan") as caught,
    ):
        fit(modules, step=logarithmic(6))
    assert not isinstance(caught.value, train.Diverged)
    assert np.isfinite(weights(modules)).all()
    assert modules[1].step[...] == 5  # of the chunk before
    names = pytest.raises(FloatingPointError, match=r"\(nan\) encountered in log")
    with jax.debug_nans(True), jax.disable_jit(), names:
        fit(fresh(), step=logarithmic(-1), epochs=1)
    with pytest.raises(train.Diverged, match="step 7 "):
        fit(fresh(), step=logarithmic(6))


class Masked(nnx.Module):
    """A line whose inputs are let through where a mask holds 0, and not where it holds −∞."""

    def __init__(self):
        self.line = nnx.Linear(3, 1, rngs=nnx.Rngs(0))
        self.mask = nnx.Variable(jnp.array([0.0, 0.0, -jnp.inf]))

    def __call__(self, x):
        return self.line(x * jnp.exp(self.mask[...]))


def test_an_infinity_that_a_module_holds_is_no_divergence():
    model = Masked()
    history = fit((model, nnx.Optimizer(model, ADAM, wrt=nnx.Param)))
    assert history.steps == 15
    assert not history.diverged


def test_a_number_that_becomes_infinite_is_one():
    def step(modules, batch, rng_key):
        modules[0].bias[...] = modules[0].bias[...] * 1e20
        return {"loss": jnp.zeros(())}

    model = nnx.Linear(3, 1, rngs=nnx.Rngs(0))
    model.bias[...] = jnp.ones(1)
    with pytest.raises(train.Diverged, match="step 1 "):
        fit((model,), step=step)
    assert model.bias[...] == pytest.approx(1e20)


def test_weights_that_are_nan_from_the_start_are_named():
    modules = fresh()
    modules[0].bias[...] = jnp.array([jnp.nan])
    with pytest.raises(ValueError, match=r"modules: expected numbers, got NaN in \[0\]\['bias'\]"):
        fit(modules)
