"""`fit` by its contract, on a model small enough to repeat by hand: a line through points."""

import time

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from toy import DATA, EVALUATION, STEP, create, fit, fresh, objective, weights

from gdlib import train
from gdlib.train import chunk


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


def test_modules_must_be_a_tuple(untyped):
    with pytest.raises(TypeError, match="modules: expected a tuple"):
        fit(fresh()[0])


def test_the_seconds_are_those_of_the_run():
    began = time.perf_counter()
    history = fit(fresh())
    assert 0 < history.seconds <= time.perf_counter() - began
