"""Several processes that make one run: as one does, or an error that names who differs and who is missing."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from toy import fit, fresh, weights

PROGRAM = """
import os, sys
address, count, index, out = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
import jax
jax.config.update("jax_cpu_collectives_implementation", "gloo")
jax.distributed.initialize(address, num_processes=count, process_id=index)
import numpy as np
from toy import DATA, STEP, fresh, weights
from gdlib import train
from gdlib.train import processes
processes.PATIENCE = 60.0

class Own:
    "Each process's share of the minibatches that `fit` would draw."
    steps_per_epoch, identity = 3, "the toy, shared"
    def epoch(self, number):
        from gdlib.train.minibatches import OfArrays
        order = OfArrays(DATA, jax.random.key(7), 16, 3, None).order(number)[:48].reshape(3, count, -1)[:, index]
        yield jax.tree.map(lambda rows: np.asarray(rows)[order], DATA)

mesh = jax.make_mesh((count,), ("data",))
settings = dict(epochs=3, batch_size=10, sharding=jax.sharding.NamedSharding(mesh, jax.P("data")))
modules, data, seed = fresh(), DATA, 7
exec(sys.argv[5])
try:
    history = train.fit(STEP, modules, data, jax.random.key(seed), **settings)
except Exception as error:
    print(type(error).__name__, error, flush=True)
    os._exit(3)
np.savez(f"{out}.{index}.npz", weights=weights(modules), loss=history.train["loss"])
"""


def run(out, *particulars, kill=None):
    """Start a process for each of the particulars, each a piece of program; (exit status, text) of each."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    environment = os.environ | {
        "PYTHONPATH": str(Path(__file__).parent.parent),
        "JAX_PLATFORMS": "cpu",
        "XLA_FLAGS": "",
        "TQDM_DISABLE": "",
    }
    started = [
        subprocess.Popen(
            [sys.executable, "-c", PROGRAM, address, str(len(particulars)), str(index), str(out), particular],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for index, particular in enumerate(particulars)
    ]
    try:
        if kill is not None:
            kill(started)
        texts = [process.communicate(timeout=120)[0] for process in started]
    finally:
        for process in started:
            process.kill()
            process.wait()
    return [(process.returncode, text) for process, text in zip(started, texts, strict=True)]


def saved(folder):
    """The epochs after which a whole checkpoint is there."""
    return [int(path.name) for path in folder.glob("*") if path.name.isdigit()]


def wait_for(condition):
    until = time.monotonic() + 60
    while not condition() and time.monotonic() < until:
        time.sleep(0.01)


def found(out, processes=2):
    return [np.load(f"{out}.{index}.npz") for index in range(processes)]


def test_two_processes_train_as_one_does_and_one_of_them_shows_it(tmp_path):
    out = tmp_path / "out"
    first, second = run(out, "", "")
    assert first[0] == second[0] == 0, first[1] + second[1]
    assert "step" in first[1]
    assert "step/s" not in second[1]
    modules = fresh()
    history = fit(modules)
    for one in found(out):
        np.testing.assert_allclose(one["loss"], history.train["loss"], rtol=1e-4)
        np.testing.assert_allclose(one["weights"], weights(modules), rtol=1e-3, atol=1e-5)


def test_each_process_may_bring_its_own_share(tmp_path):
    out = tmp_path / "out"
    both = run(out, *["data = Own(); settings.pop('batch_size')"] * 2)
    assert [status for status, _ in both] == [0, 0], both
    shares = found(out)
    assert len(shares[0]["loss"]) == 9
    np.testing.assert_array_equal(shares[0]["weights"], shares[1]["weights"])
    ((status, text),) = run(tmp_path / "one", "data = Own(); settings.pop('batch_size')")
    assert status == 0, text
    np.testing.assert_allclose(shares[0]["loss"], found(tmp_path / "one", 1)[0]["loss"], rtol=1e-4)


def test_one_of_them_may_train_something_of_its_own_meanwhile(tmp_path):
    own = "train.fit(STEP, fresh(), DATA, jax.random.key(1), epochs=1, batch_size=10)"
    both = run(tmp_path / "out", "", own)
    assert [status for status, _ in both] == [0, 0], both
    assert "step" in both[1][1]  # and shows it


def test_all_killed_the_run_goes_on_from_its_checkpoint_to_the_same_bits(tmp_path):
    folder = tmp_path / "run"
    long = f"settings |= dict(epochs=60, checkpoint={str(folder)!r})"

    def once_saved(started):
        wait_for(lambda: saved(folder))
        for process in started:
            process.send_signal(signal.SIGKILL)

    broken = run(tmp_path / "broken", long, long, kill=once_saved)
    assert [status for status, _ in broken] == [-signal.SIGKILL] * 2, broken
    assert 0 < max(saved(folder)) < 60
    resumed = run(tmp_path / "resumed", long, long)
    assert [status for status, _ in resumed] == [0, 0], resumed
    whole = run(tmp_path / "whole", *["settings |= dict(epochs=60)"] * 2)
    assert [status for status, _ in whole] == [0, 0], whole
    for one, other in zip(found(tmp_path / "resumed"), found(tmp_path / "whole"), strict=True):
        np.testing.assert_array_equal(one["weights"], other["weights"])
        np.testing.assert_array_equal(one["loss"], other["loss"])


@pytest.mark.parametrize(
    ("particular", "named"),
    [
        ("seed = 8", "rng_key"),
        ("data = DATA[::-1]", "data"),
        ("modules = fresh(1)", "modules"),
        ("settings |= dict(epochs=4)", "epochs"),
        ("settings |= dict(batch_size=20)", "batch_size"),
        (
            "STEP = train.gradient_step(lambda model, batch, key: {'loss': (model(batch.inputs) ** 2).mean()})",
            "step",
        ),
    ],
)
def test_processes_that_differ_are_told_in_what(tmp_path, particular, named):
    (status, text), (other, _) = run(tmp_path / "out", "", particular)
    assert status == 3
    assert re.search(
        f"ValueError {named}: expected the same in all processes, .* in process 0 .* in process 1", text
    )
    assert other  # by its own error, or ended by JAX when the first is gone


def test_a_process_that_never_comes_is_named(tmp_path):
    def leave(started):
        started[0].wait(timeout=60)
        started[1].kill()

    (status, text), _ = run(
        tmp_path / "out", "processes.PATIENCE = 4.0", "import time; time.sleep(100)", kill=leave
    )
    assert status == 3
    assert "TimeoutError fit: expected 2 processes, and nothing came from process 1 in 4 s" in text


def test_a_process_that_is_lost_is_named_and_the_other_does_not_hang(tmp_path):
    folder = tmp_path / "run"
    long = f"settings |= dict(epochs=100_000, checkpoint={str(folder)!r}, progress=False)"

    def lose(started):
        wait_for(lambda: saved(folder))
        started[1].kill()

    (status, text), _ = run(tmp_path / "out", long, long, kill=lose)
    assert status, text
    # Often fit says so; sometimes the runtime is quicker, and ends the process.
    assert re.search(r"ConnectionError .*Gone: process 1\.|unhealthy .*\n(\S*task:)?1\n", text), text
