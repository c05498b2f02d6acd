"""`fit` by its contract, on a model small enough to repeat by hand: a line through points."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from toy import ADAM, DATA, EVALUATION, STEP, create, fit, fresh, objective, weights

from gdlib import train
from gdlib.train import chunk, loop


def order_of(key, epoch):
    """The fifty examples by the size of random numbers, which NumPy's bit generators draw from key and epoch."""
    seeds = np.random.SeedSequence([*np.asarray(jax.random.key_data(key)).tolist(), epoch])
    return np.argsort(np.random.PCG64(seeds).random_raw(50), kind="stable")


def test_a_fit_is_the_plain_loop_of_its_steps():
    """The same steps, one by one in Python: the scan, the chunks and the write-back add nothing."""
    modules, key = fresh(), jax.random.key(7)
    history = fit(modules, key, epochs=2, batch_size=20)

    plain = fresh()
    _, step_key, _ = jax.random.split(key, 3)
    losses = []
    for epoch in range(2):
        order = order_of(key, epoch)
        for indices in (order[:20], order[20:40], order[40:]):
            batch = jax.tree.map(lambda leaf, i=indices: jnp.asarray(leaf)[i], DATA)
            metrics = STEP(plain, batch, jax.random.fold_in(step_key, len(losses)))
            losses.append(float(metrics["loss"]))
    np.testing.assert_allclose(history.train["loss"], losses, rtol=1e-5)
    np.testing.assert_allclose(weights(modules), weights(plain), rtol=1e-4, atol=1e-6)


def test_same_seed_same_bits():
    one, other, third = fresh(), fresh(), fresh()
    fit(one)
    fit(other)
    fit(third, jax.random.key(8))
    np.testing.assert_array_equal(weights(one), weights(other))
    assert (weights(one) != weights(third)).any()


def test_a_rest_is_compiled_once_and_a_second_fit_not_at_all():
    step = train.gradient_step(objective)
    before = chunk.run_steps._cache_size()
    fit(fresh(), step=step, epochs=4, batch_size=20)
    assert chunk.run_steps._cache_size() == before + 2  # the full minibatches, and the rest of ten
    fit(fresh(1), step=step, epochs=2, batch_size=20)
    assert chunk.run_steps._cache_size() == before + 2


def test_validation_is_by_epoch_or_by_chunk_and_changes_nothing():
    plain, watched = fresh(), fresh()
    fit(plain)
    history = fit(watched, validate=EVALUATION, validation_data=DATA)
    np.testing.assert_array_equal(weights(plain), weights(watched))
    assert history.validation_steps.tolist() == [5, 10, 15]
    assert history.validation_epochs.tolist() == [1, 2, 3]
    by_chunk = fit(
        fresh(), validate=EVALUATION, validation_data=DATA, validate_every="chunk", chunk_size=2, epochs=1
    )
    assert by_chunk.validation_steps.tolist() == [2, 4, 5]
    key = jax.random.split(jax.random.key(7), 3)[2]
    np.testing.assert_allclose(
        history.validation["loss"][-1], EVALUATION(watched, DATA, key)["loss"], rtol=1e-5
    )


@pytest.mark.parametrize("form", ["_in_turn", "_side_by_side"])
def test_many_seeds_at_once_are_the_same_runs_one_by_one(form, monkeypatch, request):
    """In turn, as on a CPU, and side by side."""
    monkeypatch.setattr(chunk, "_in_turn", getattr(chunk, form))
    request.addfinalizer(jax.clear_caches)
    jax.clear_caches()
    init, keys = jax.random.split(jax.random.key(1), 3), jax.random.split(jax.random.key(2), 3)
    stacked = nnx.vmap(create)(init)
    history = fit(stacked, keys, validate=EVALUATION, validation_data=DATA, batch_size=20)
    assert history.train["loss"].shape == (9, 3)
    assert history.validation["loss"].shape == (3, 3)
    assert history.seed_shape == (3,)
    for seed in range(3):
        alone = create(init[seed])
        single = fit(alone, keys[seed], validate=EVALUATION, validation_data=DATA, batch_size=20)
        np.testing.assert_allclose(history.train["loss"][:, seed], single.train["loss"], rtol=1e-4)
        np.testing.assert_allclose(history.validation["loss"][:, seed], single.validation["loss"], rtol=1e-4)
        selected = train.select_seed(stacked, seed)
        np.testing.assert_allclose(weights(selected), weights(alone), rtol=1e-4, atol=1e-6)


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


def test_an_interrupt_leaves_the_state_of_the_last_chunk(monkeypatch):
    modules, expected = fresh(), fresh()
    run, calls = chunk.run_steps, []

    def interrupted(*arguments, **options):
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return run(*arguments, **options)

    monkeypatch.setattr(loop, "run_steps", interrupted)
    with pytest.raises(KeyboardInterrupt) as caught:
        fit(modules)
    assert "after step 10 of 15" in caught.value.__notes__[0]
    assert caught.value.history.steps == 10
    monkeypatch.undo()
    fit(expected, epochs=2)
    np.testing.assert_array_equal(weights(modules), weights(expected))


def test_an_interrupt_while_the_modules_are_written_leaves_them_whole(monkeypatch):
    modules, expected = fresh(), fresh()
    fit(fresh())  # what is traced calls nnx.update, too
    update, calls = nnx.update, []

    def interrupted(*arguments):
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt
        update(*arguments)

    monkeypatch.setattr(loop.nnx, "update", interrupted)
    with pytest.raises(KeyboardInterrupt) as caught:
        fit(modules)
    monkeypatch.undo()
    assert "after step 10 of 15" in caught.value.__notes__[0]
    fit(expected, epochs=2)
    np.testing.assert_array_equal(weights(modules), weights(expected))


def test_an_interrupt_between_metrics_and_state_counts_the_steps_that_the_modules_made(monkeypatch):
    modules, expected = fresh(), fresh()
    append, calls = train.History.append_training, []

    def interrupted(*arguments):
        append(*arguments)
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(train.History, "append_training", interrupted)
    with pytest.raises(KeyboardInterrupt) as caught:
        fit(modules)
    monkeypatch.undo()
    assert "after step 5 of 15" in caught.value.__notes__[0]
    assert caught.value.history.steps == 5
    fit(expected, epochs=1)
    np.testing.assert_array_equal(weights(modules), weights(expected))


def test_the_bar_can_be_seen_and_silenced(capsys):
    fit(fresh(), progress=True)
    assert "15/15" in capsys.readouterr().err
    fit(fresh(), progress=False)
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"epochs": 0}, ValueError, "epochs: expected an integer of at least 1"),
        ({"epochs": 2.5}, TypeError, "epochs: expected an integer"),
        ({"batch_size": 51}, ValueError, "batch_size: expected at most the 50 examples, got 51"),
        ({"batch_size": 0}, ValueError, "batch_size: expected an integer of at least 1"),
        ({"chunk_size": 0}, ValueError, "chunk_size: expected"),
        ({"validate": EVALUATION}, ValueError, "validate: expected it together with validation_data"),
        ({"validate_every": "step"}, ValueError, 'validate_every: expected "epoch" or "chunk"'),
        ({"rng_key": 3}, TypeError, "rng_key: expected a key"),
        ({"rng_key": jax.random.split(jax.random.key(0), 2)}, ValueError, "leading axis of 2 seeds"),
    ],
)
def test_bad_arguments_are_named(untyped, options, error, message):
    with pytest.raises(error, match=message):
        fit(fresh(), **options)


@pytest.mark.parametrize("name", ["step", "validate"])
def test_what_a_step_returns_is_a_dict_of_scalars(untyped, name):
    options = {name: lambda modules, batch, rng_key: {"loss": jnp.zeros(2)}}
    data = DATA if name == "validate" else None
    with pytest.raises(ValueError, match=rf"{name}: expected scalars, got 'loss' of shape \(2,\)"):
        fit(fresh(), validation_data=data, **options)


def test_a_step_may_return_numbers_and_must_return_the_same_names():
    history = fit(fresh(), step=lambda modules, batch, rng_key: {"loss": 1, "rate": 0.5})
    assert (history.train["rate"] == 0.5).all()
    by_size = train.gradient_step(lambda model, batch, rng_key: objective(model, batch, rng_key) | (
        {"rest": 0.0} if len(batch) == 10 else {}
    ))  # fmt: skip
    with pytest.raises(ValueError, match=r"step: expected the scalars \['grad_norm', 'loss'\] each time"):
        fit(fresh(), step=by_size, batch_size=20)


def test_a_mistake_in_validation_shows_before_the_first_step():
    def wrong(modules, batch, rng_key):
        raise ValueError("no such thing")

    modules, untouched = fresh(), fresh()
    with pytest.raises(ValueError, match="no such thing"):
        fit(modules, validate=wrong, validation_data=DATA)
    np.testing.assert_array_equal(weights(modules), weights(untouched))


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


def test_modules_must_be_a_tuple(untyped):
    with pytest.raises(TypeError, match="modules: expected a tuple"):
        fit(fresh()[0])
