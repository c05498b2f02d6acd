"""A run that is cut off, by anything at any moment, goes on to the very bits of an unbroken one."""

import json
import os
import random
import subprocess
import sys
import time
from pathlib import Path

import jax
import numpy as np
import optax
import pytest
from flax import nnx
from toy import ADAM, DATA, EVALUATION, STEP, create, fit, fresh, objective, weights

from gdlib import train
from gdlib.train import checkpoint
from gdlib.train.fingerprint import fingerprint

EPOCHS = 40
HERE = Path(__file__).parent
FOLDERS = (str(HERE), str(HERE.parent))  # as they are: the package may stand behind links
WATCHED = {"validate": EVALUATION, "validation_data": DATA}
PROGRAM = f"""
import resource, sys
from toy import *
from test_checkpoint import WATCHED
folder, out, limit = sys.argv[1:]
modules = fresh()
print("ready", flush=True)
if limit != "none":
    fit(modules, epochs=2, checkpoint=folder, **WATCHED)
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(limit), int(limit)))
history = fit(modules, epochs={EPOCHS}, checkpoint=folder, **WATCHED)
np.savez(out, weights=weights(modules), loss=history.train["loss"], validation=history.validation["loss"])
"""


def start(folder, out, limit="none"):
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(FOLDERS)}
    command = [sys.executable, "-c", PROGRAM, str(folder), str(out), limit]
    return subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def assert_unbroken(out):
    modules = fresh()
    history = fit(modules, epochs=EPOCHS, **WATCHED)
    found = np.load(out)
    np.testing.assert_array_equal(found["weights"], weights(modules))
    np.testing.assert_array_equal(found["loss"], history.train["loss"])
    np.testing.assert_array_equal(found["validation"], history.validation["loss"])


@pytest.mark.once
def test_killed_at_random_moments_it_resumes_to_the_same_bits(tmp_path):
    folder, out = tmp_path / "run", tmp_path / "out.npz"
    seed = random.randrange(10**6)
    moments = random.Random(seed)
    killed = 0
    while not out.exists():
        process = start(folder, out)
        assert process.stdout.readline() == "ready\n", process.stderr.read()
        if killed < 5:
            time.sleep(moments.uniform(0.6, 2.0))  # compilation takes the first of them
            process.kill()
            killed += process.wait() < 0
        else:
            assert process.wait(timeout=120) == 0, f"moments of seed {seed}: {process.stderr.read()}"
        process.communicate()
    assert killed, "every run ended before it was killed"
    assert_unbroken(out)


def test_a_full_disk_is_named_and_the_checkpoint_before_survives(tmp_path):
    folder, out = tmp_path / "run", tmp_path / "out.npz"
    _, error = start(folder, out, limit="0").communicate(timeout=120)
    assert "OSError: checkpoint: epoch 3 could not be written" in error
    assert not out.exists()
    process = start(folder, out)
    assert process.wait(timeout=120) == 0, process.stderr.read()
    process.communicate()
    assert_unbroken(out)


def test_many_seeds_one_of_them_diverged_resume_to_the_same_bits(tmp_path):
    def step(modules, batch, rng_key):
        metrics = STEP(modules, batch, rng_key)
        bad = (modules[1].step[...] == 6) & (modules[0].bias[0] > 50)
        return metrics | {"loss": jax.numpy.where(bad, jax.numpy.nan, metrics["loss"])}

    def stacked():
        modules = nnx.vmap(create)(jax.random.split(jax.random.key(1), 3))
        modules[0].bias[...] = modules[0].bias[...].at[1].set(100.0)
        return modules

    keys = jax.random.split(jax.random.key(2), 3)
    whole, parts = stacked(), stacked()
    unbroken = fit(whole, keys, step=step, epochs=4)
    fit(parts, keys, step=step, epochs=2, checkpoint=tmp_path)
    resumed = fit(stacked(), keys, step=step, epochs=4, checkpoint=tmp_path)
    assert resumed.diverged == unbroken.diverged == {1: 5}
    np.testing.assert_array_equal(resumed.train["loss"], unbroken.train["loss"])


def test_checkpoint_every_so_many_epochs_and_the_last(tmp_path, monkeypatch):
    written = []
    manager = checkpoint.Checkpoint.save

    def save(self, epoch, state, history, *, last):
        manager(self, epoch, state, history, last=last)
        written.append(self.manager.latest_step())

    monkeypatch.setattr(checkpoint.Checkpoint, "save", save)
    fit(fresh(), epochs=5, checkpoint=tmp_path, checkpoint_every=2)
    assert written == [None, 2, 2, 4, 5]


def test_a_finished_run_is_loaded_and_trained_no_further(tmp_path):
    modules, again = fresh(), fresh()
    history = fit(modules, checkpoint=tmp_path)
    loaded = fit(again, checkpoint=tmp_path)
    np.testing.assert_array_equal(weights(again), weights(modules))
    np.testing.assert_array_equal(loaded.train["loss"], history.train["loss"])
    assert loaded.seconds == pytest.approx(history.seconds, abs=5)


@pytest.mark.parametrize(
    ("options", "what"),
    [
        ({"rng_key": jax.random.key(8)}, "rng_key"),
        ({"batch_size": 5}, "batch_size 10 and not 5"),
        ({"chunk_size": 1}, "chunk_size"),
        (WATCHED, "validation"),
        ({"checkpoint_every": 0}, "checkpoint_every: expected an integer of at least 1"),
    ],
)
def test_another_runs_checkpoint_is_refused(tmp_path, options, what):
    fit(fresh(), checkpoint=tmp_path)
    with pytest.raises(ValueError, match=what):
        fit(fresh(), checkpoint=tmp_path, **options)


def test_other_data_and_other_shapes_are_refused(tmp_path):
    fit(fresh(), checkpoint=tmp_path)
    options = {"epochs": 3, "batch_size": 10, "progress": False, "checkpoint": tmp_path}
    with pytest.raises(ValueError, match=r"another's: .*data"):
        train.fit(STEP, fresh(), DATA[:40], jax.random.key(7), **options)
    model = nnx.Linear(3, 2, rngs=nnx.Rngs(0))
    with pytest.raises(ValueError, match=r"another's: .*modules"):
        fit((model, nnx.Optimizer(model, ADAM, wrt=nnx.Param)), checkpoint=tmp_path)


def with_optimizer(transformation):
    model, _ = fresh()
    return model, nnx.Optimizer(model, transformation, wrt=nnx.Param)


CAPTURED = np.array([1.0, 2.0, 3.0], np.float32)


def weighted(weights):
    def step(modules, batch, rng_key):
        return STEP(modules, batch, rng_key) | {"weighted": jax.numpy.sum(batch.inputs @ weights)}

    return step


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({"modules": with_optimizer(ADAM)}, {"modules": with_optimizer(optax.adam(2e-2))}),
        ({"modules": with_optimizer(ADAM)}, {"modules": with_optimizer(optax.adam(1e-2, b2=0.9))}),
        ({"step": weighted(CAPTURED)}, {"step": weighted(2 * CAPTURED)}),
        ({"step": STEP}, {"step": train.gradient_step(lambda *args: {"loss": 2 * objective(*args)["loss"]})}),
        (
            WATCHED,
            WATCHED | {"validate": train.evaluation_step(lambda *args: {"other": objective(*args)["loss"]})},
        ),
    ],
    ids=["learning rate", "decay", "captured array", "objective", "validation"],
)
def test_another_experiment_in_the_same_folder_is_refused(tmp_path, before, after):
    """Same key, data and shapes: what differs is only what a step computes."""
    fit(**{"modules": fresh()} | before, checkpoint=tmp_path)
    with pytest.raises(ValueError, match=r"got another's: (step|validation) "):
        fit(**{"modules": fresh()} | after, checkpoint=tmp_path)


def test_a_checkpoint_of_more_epochs_is_refused_and_kept(tmp_path):
    modules = fresh()
    fit(modules, epochs=3, checkpoint=tmp_path)
    with pytest.raises(ValueError, match="epochs: expected at least the checkpoint's 3, got 2"):
        fit(fresh(), epochs=2, checkpoint=tmp_path)
    again = fresh()
    fit(again, epochs=3, checkpoint=tmp_path)
    np.testing.assert_array_equal(weights(again), weights(modules))


def test_the_modules_that_it_saved_go_on(tmp_path):
    whole, parts = fresh(), fresh()
    fit(whole, epochs=4)
    fit(parts, epochs=2, checkpoint=tmp_path)
    fit(parts, epochs=4, checkpoint=tmp_path)
    np.testing.assert_array_equal(weights(parts), weights(whole))


def test_other_initial_weights_are_another_run(tmp_path):
    fit(fresh(), checkpoint=tmp_path)
    other = fresh(seed=3)
    with pytest.raises(ValueError, match=r"got another's: initial weights \(to go on"):
        fit(other, epochs=5, checkpoint=tmp_path)
    np.testing.assert_array_equal(weights(other), weights(fresh(seed=3)))


def test_two_runs_cannot_write_to_one_folder(tmp_path):
    other = checkpoint._locked(tmp_path)  # as a run has it, in this process or in another
    modules = fresh()
    with pytest.raises(OSError, match=r"checkpoint: expected a folder of its own, got .*another run writes"):
        fit(modules, checkpoint=tmp_path)
    np.testing.assert_array_equal(weights(modules), weights(fresh()))
    other.close()
    fit(modules, checkpoint=tmp_path)
    fit(fresh(), checkpoint=tmp_path)  # a run that has ended is in nobody's way


def test_a_fingerprint_tells_types_shapes_and_keys_apart():
    zeros = np.zeros(4, np.float32)
    trees = [
        zeros,
        zeros.astype(np.int32),
        zeros.reshape(2, 2),
        [zeros],
        jax.random.key(0),
        jax.random.key(1),
    ]
    assert len({fingerprint(tree) for tree in trees}) == len(trees)
    assert fingerprint(zeros.copy()) == fingerprint(zeros)


def test_a_folder_that_cannot_be_written_to_is_named_before_the_first_step(tmp_path):
    (tmp_path / "file").write_text("in the way")
    modules = fresh()
    with pytest.raises(OSError, match=r"checkpoint: expected a folder to write to, got .*file"):
        fit(modules, checkpoint=tmp_path / "file" / "run")
    np.testing.assert_array_equal(weights(modules), weights(fresh()))


def test_the_home_folder_is_expanded(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    modules, again = fresh(), fresh()
    fit(modules, checkpoint="~/run")
    assert not (tmp_path / "~").exists()
    fit(again, checkpoint=tmp_path / "home" / "run")
    np.testing.assert_array_equal(weights(again), weights(modules))


def looped(folder):
    (folder / "loop").symlink_to(folder / "loop")
    return folder / "loop" / "run"


@pytest.mark.parametrize(
    ("made", "error", "said"),
    [
        (lambda _: "gs://bucket/run", ValueError, "folder on this machine, got the URL 'gs://bucket/run'"),
        (lambda _: "s3://bucket", ValueError, "folder on this machine, got the URL 's3://bucket'"),
        (lambda _: Path("gs://bucket/run"), ValueError, "folder on this machine, got the URL"),
        (lambda _: "file:///tmp/run", ValueError, "folder on this machine, got the URL"),
        (lambda _: "", ValueError, "folder's path, got an empty one"),
        (lambda _: 3, TypeError, "folder's path, got 3"),
        (lambda _: "~nobody-of-this-name/run", OSError, "folder to write to, got '~nobody-of-this-name/run'"),
        (lambda folder: f"{folder}/a\0b", OSError, r"folder to write to, got .*x00b'"),
        (looped, OSError, "folder to write to, got .*loop"),
    ],
)
def test_what_is_no_folder_is_named_before_the_first_step(untyped, tmp_path, monkeypatch, made, error, said):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    modules = fresh()
    with pytest.raises(error, match=f"checkpoint: expected a {said}"):
        fit(modules, checkpoint=made(tmp_path))
    np.testing.assert_array_equal(weights(modules), weights(fresh()))
    assert not list((tmp_path / "here").iterdir())


def test_a_path_with_a_colon_is_no_url(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    fit(fresh(), epochs=1, checkpoint="lr:0.1/run")
    assert (tmp_path / "lr:0.1" / "run").is_dir()


@pytest.mark.parametrize("lost", ["history", "identity", "steps_per_epoch"])
def test_a_record_that_lacks_something_is_named_before_the_first_step(tmp_path, lost):
    fit(fresh(), checkpoint=tmp_path)
    (path,) = (path for path in tmp_path.rglob("metadata") if path.parent.name == "record")
    record = json.loads(path.read_text())
    (record["history"] if lost in record["history"] else record).pop(lost)
    path.write_text(json.dumps(record))
    modules = fresh()
    with pytest.raises(ValueError, match=f"checkpoint: {tmp_path} cannot be read .*{lost}"):
        fit(modules, checkpoint=tmp_path)
    np.testing.assert_array_equal(weights(modules), weights(fresh()))


def test_a_damaged_checkpoint_is_named(tmp_path):
    fit(fresh(), checkpoint=tmp_path)
    for path in tmp_path.rglob("*"):
        if path.is_file() and path.stat().st_size > 100:
            path.write_bytes(path.read_bytes()[:50])
    with pytest.raises(ValueError, match=f"checkpoint: {tmp_path} cannot be read"):
        fit(fresh(), checkpoint=tmp_path)


def test_nothing_is_pickled(tmp_path, monkeypatch):
    def refuse(*arguments, **options):
        raise AssertionError("pickled")

    monkeypatch.setattr("pickle.dump", refuse)
    monkeypatch.setattr("pickle.dumps", refuse)
    fit(fresh(), checkpoint=tmp_path)
    assert not [path for path in tmp_path.rglob("*") if path.suffix in (".pkl", ".pickle")]
