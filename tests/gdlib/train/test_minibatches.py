"""Which examples a step sees, of arrays and of a source."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from toy import ADAM, DATA, EVALUATION, INPUTS, STEP, fresh, line, weights

from gdlib import train
from gdlib.data import Dataset, GrainSource
from gdlib.train import minibatches


def recording(batch_size=None):
    """A step that changes nothing and reports which examples it saw, in base 51."""

    def step(modules, batch, rng_key):
        del rng_key
        return {"loss": jnp.zeros(()), "seen": jnp.sum(batch), "size": jnp.asarray(float(len(batch)))}

    return step


def seen(examples, batch_size, *, epochs=2, seed=0, chunk_size=None):
    data = 2.0 ** np.arange(examples, dtype=np.float32)  # a sum of distinct powers names its terms
    history = train.fit(
        recording(), fresh(), data, jax.random.key(seed),
        epochs=epochs, batch_size=batch_size, chunk_size=chunk_size, progress=False,
    )  # fmt: skip
    return history.train["seen"].astype(int), history.train["size"].astype(int), history


def order_of(key, epoch):
    """The fifty examples by the size of random numbers, which NumPy's bit generators draw from key and epoch."""
    seeds = np.random.SeedSequence([*np.asarray(jax.random.key_data(key)).tolist(), epoch])
    return np.argsort(np.random.PCG64(seeds).random_raw(50), kind="stable")


@pytest.mark.parametrize(("examples", "batch_size"), [(12, 4), (12, 5), (12, 12), (12, 1), (13, 6), (7, 4)])
def test_every_epoch_visits_every_example_once(examples, batch_size):
    sums, sizes, history = seen(examples, batch_size)
    per_epoch = history.steps_per_epoch
    assert per_epoch == -(-examples // batch_size)
    for epoch in range(2):
        rows = slice(epoch * per_epoch, (epoch + 1) * per_epoch)
        assert sizes[rows].tolist() == [batch_size] * (examples // batch_size) + [
            examples % batch_size
        ] * bool(examples % batch_size)
        bits = [set(np.flatnonzero([s >> i & 1 for i in range(examples)])) for s in sums[rows]]
        assert sum(map(len, bits)) == examples
        assert set().union(*bits) == set(range(examples))


def test_the_order_depends_on_the_key_and_on_the_epoch_alone():
    one, _, _ = seen(12, 4)
    again, _, _ = seen(12, 4, chunk_size=2)
    other, _, _ = seen(12, 4, seed=1)
    np.testing.assert_array_equal(one, again)
    assert (one != other).any()
    assert (one[:3] != one[3:]).any()


def test_the_order_is_the_same_on_every_machine():
    assert order_of(jax.random.key(7), 0)[:8].tolist() == [37, 42, 0, 26, 11, 14, 6, 36]


@pytest.mark.parametrize(
    ("full", "expected"), [(1, 1), (28, 28), (128, 128), (468, 117), (467, 467), (129, 43), (254, 127)]
)
def test_the_default_chunk_divides_the_epoch(full, expected):
    assert minibatches._chunk_size(None, full) == expected


@pytest.mark.parametrize(
    ("data", "error", "message"),
    [
        ((), ValueError, "data: expected arrays, got an empty pytree"),
        ([1.0, 2.0], TypeError, "data: expected a pytree of arrays, got one that holds a float"),
        ((np.zeros((5, 2)), np.zeros(4)), ValueError, "data: expected arrays with one first axis"),
        (np.zeros((0, 2)), ValueError, "data: expected arrays with one first axis of at least 1"),
        (np.float32(1), ValueError, "data: expected arrays with one first axis"),
        (np.array([[1.0], [np.nan]]), ValueError, "data: expected finite numbers.*row 1"),
    ],
)
def test_bad_data_is_named(data, error, message):
    with pytest.raises(error, match=message):
        train.fit(STEP, fresh(), data, jax.random.key(0), epochs=1, batch_size=1, progress=False)


class Halves:
    """The toy data from a source: each epoch in an order of its own, in chunks of two minibatches of ten."""

    steps_per_epoch, identity = 5, "halves"

    def __init__(self, change=lambda number, chunk: chunk, chunks=(0, 2, 4)):
        self.change, self.chunks = change, chunks

    def epoch(self, number):
        order = np.random.default_rng(number).permutation(50).reshape(5, 10)
        for start in self.chunks:
            yield self.change((number, start), DATA[order[start : start + 2]])


def fit_source(source, modules=None, rng_key=None, **options):
    rng_key = jax.random.key(7) if rng_key is None else rng_key
    modules = fresh() if modules is None else modules
    settings = {"epochs": 3, "progress": False} | options
    return train.fit(settings.pop("step", STEP), modules, source, rng_key, **settings), modules


def test_a_sources_run_is_the_plain_loop_of_its_minibatches():
    history, modules = fit_source(Halves(), epochs=2, validate=EVALUATION, validation_data=DATA)
    plain, step_key = fresh(), jax.random.split(jax.random.key(7), 3)[1]
    losses = []
    for epoch in range(2):
        for chunk in Halves().epoch(epoch):
            for i in range(len(chunk.labels)):
                batch = jax.tree.map(lambda leaf, i=i: jnp.asarray(leaf[i]), chunk)
                losses.append(float(STEP(plain, batch, jax.random.fold_in(step_key, len(losses)))["loss"]))
    assert history.steps == 10
    assert history.validation_steps.tolist() == [5, 10]
    np.testing.assert_allclose(history.train["loss"], losses, rtol=1e-5)
    np.testing.assert_allclose(weights(modules), weights(plain), rtol=1e-4, atol=1e-6)


def test_a_sources_run_resumes_to_the_same_bits_and_another_sources_is_refused(tmp_path):
    whole, modules = fit_source(Halves(), epochs=4)
    fit_source(Halves(), epochs=2, checkpoint=tmp_path)
    resumed, again = fit_source(Halves(), epochs=4, checkpoint=tmp_path)
    np.testing.assert_array_equal(resumed.train["loss"], whole.train["loss"])
    np.testing.assert_array_equal(weights(again), weights(modules))
    other = Halves()
    other.identity = "thirds"
    with pytest.raises(ValueError, match="data halves, 5 steps an epoch and not thirds, 5 steps an epoch"):
        fit_source(other, epochs=5, checkpoint=tmp_path)


def test_many_seeds_see_a_sources_same_minibatches():
    keys = jax.random.split(jax.random.key(2), 2)
    stacked = train.create(line, keys, ADAM)
    history, _ = fit_source(Halves(), stacked, keys)
    for seed in range(2):
        alone, _ = fit_source(Halves(), train.create(line, keys[seed], ADAM), keys[seed])
        np.testing.assert_allclose(history.train["loss"][:, seed], alone.train["loss"], rtol=1e-4)


def interrupting(where, chunk):
    if where == (1, 2):
        raise KeyboardInterrupt
    return chunk


def test_an_interrupt_in_the_source_leaves_the_modules_whole():
    modules = fresh()
    with pytest.raises(KeyboardInterrupt) as caught:
        fit_source(Halves(interrupting), modules)
    assert "after step 7 of 15" in caught.value.__notes__[0]
    assert modules[1].step[...] == caught.value.history.steps == 7


def test_divergence_in_a_sources_epoch_is_named():
    def step(modules, batch, rng_key):
        bad = jnp.where(modules[1].step[...] == 8, jnp.nan, 0.0)
        metrics = STEP(modules, batch, rng_key)
        return metrics | {"loss": metrics["loss"] + bad}

    modules = fresh()
    with pytest.raises(train.Diverged, match=r"step 8 \(epoch 1, minibatch 3\)"):
        fit_source(Halves(), modules, step=step)
    assert modules[1].step[...] == 8


def spoilt(where, value):
    """The source's chunk there holds `value` for one input."""

    def change(here, chunk):
        if here == where:
            chunk.inputs[0, 3, 1] = value
        return chunk

    return change


def cut(where, rows):
    """The source's chunk there has minibatches of `rows` examples."""
    return lambda here, chunk: jax.tree.map(lambda leaf: leaf[:, :rows], chunk) if here == where else chunk


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (Halves(chunks=(0, 2)), "expected 5 minibatches an epoch, .*the source gave 4 in epoch 0"),
        (Halves(chunks=(0, 2, 4, 0)), "expected 5 minibatches an epoch, .*the source gave more than 5"),
        (Halves(chunks=()), "the source gave 0 in epoch 0"),
        (Halves(spoilt((1, 2), np.nan)), "data: epoch 1, from step 2: expected finite numbers.*row 0"),
        (
            Halves(cut((1, 2), 9)),
            r"data: epoch 1, from step 2: expected minibatches like the first, .*\(10, 3\)",
        ),
        (Halves(lambda where, chunk: ()), "data: epoch 0, from step 0: expected arrays, got an empty pytree"),
        (
            Halves(lambda where, chunk: (chunk.inputs, chunk.labels[:1])),
            "data: epoch 0, from step 0: expected arrays with one first axis",
        ),
    ],
)
def test_a_source_that_ends_early_changes_its_shapes_or_yields_nan_is_named(source, message):
    modules = fresh()
    with pytest.raises(ValueError, match=message):
        fit_source(source, modules)
    assert np.isfinite(weights(modules)).all()


def test_a_sources_last_minibatches_may_be_smaller():
    history, _ = fit_source(Halves(cut((0, 4), 6)), epochs=1)
    assert history.steps == 5


def test_sizes_are_the_sources_and_an_arrays_are_asked_for(untyped):
    with pytest.raises(
        ValueError, match="batch_size: expected None, as the source makes the minibatches, got 10"
    ):
        fit_source(Halves(), batch_size=10)
    with pytest.raises(TypeError, match="batch_size: expected an integer"):
        fit_source(DATA)


def grain_dataset(seed=3):
    grain = pytest.importorskip("grain")

    def noisy(example, rng):
        inputs, label = example
        return {"inputs": inputs + rng.normal(size=3).astype(np.float32), "label": label}

    rows = list(zip(INPUTS, DATA.labels, strict=True))
    return grain.MapDataset.source(rows).seed(seed).shuffle().random_map(noisy)


def rows_of(source, epoch):
    chunks = list(source.epoch(epoch))
    return jax.tree.map(
        lambda *leaves: np.concatenate([leaf.reshape(-1, *leaf.shape[2:]) for leaf in leaves]), *chunks
    )


def test_grains_epochs_visit_the_examples_in_another_order_with_other_noise_and_the_same_each_time():
    source = GrainSource(grain_dataset(), batch_size=8, chunk_size=4)
    assert source.steps_per_epoch == 6
    assert [len(chunk["label"]) for chunk in source.epoch(0)] == [4, 2]
    first, again, second = rows_of(source, 0), rows_of(source, 0), rows_of(source, 1)
    np.testing.assert_array_equal(first["inputs"], again["inputs"])
    nearest = [np.linalg.norm(INPUTS - row, axis=1).argmin() for row in first["inputs"]]
    assert len(set(nearest)) > 20  # noise of size 1 moves some to a neighbour
    assert not (first["inputs"][:, None] == second["inputs"]).all(axis=-1).any()
    exact = GrainSource(plain_grain(), batch_size=10)
    seen = [rows_of(exact, epoch) for epoch in range(2)]
    for rows in seen:
        assert sorted(rows.tolist()) == list(range(50))
    assert (seen[0] != seen[1]).any()


def plain_grain():
    grain = pytest.importorskip("grain")
    return grain.MapDataset.source(np.arange(50)).seed(1).shuffle()


def test_a_run_on_grain_resumes_to_the_same_bits_and_another_seed_is_another_run(tmp_path):
    def step(modules, batch, rng_key):
        return STEP(modules, Dataset(batch["inputs"], batch["label"], DATA.classes), rng_key)

    def source(seed=3):
        return GrainSource(grain_dataset(seed), batch_size=8, chunk_size=4)

    whole, _ = fit_source(source(), step=step, epochs=3)
    fit_source(source(), step=step, epochs=1, checkpoint=tmp_path)
    resumed, _ = fit_source(source(), step=step, epochs=3, checkpoint=tmp_path)
    np.testing.assert_array_equal(resumed.train["loss"], whole.train["loss"])
    with pytest.raises(ValueError, match="another's: data 50 examples in minibatches of 8"):
        fit_source(source(seed=4), step=step, epochs=3, checkpoint=tmp_path)


def test_grain_needs_examples_enough_for_a_minibatch():
    with pytest.raises(ValueError, match="batch_size: expected at most the 50 examples, got 51"):
        GrainSource(plain_grain(), batch_size=51)
