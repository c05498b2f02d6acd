"""What the benchmarks count: operations by formula against XLA's own count, and the report's arithmetic."""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from gdlib.models import transformer

FOLDER = Path(__file__).resolve().parents[2] / "benchmarks"


def load(name):
    """A module of benchmarks/, whose files import each other by name."""
    spec = importlib.util.spec_from_file_location(name, FOLDER / f"{name}.py")
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def modules():
    names = ("work", "report")
    yield tuple(map(load, names))
    for name in names:
        del sys.modules[name]


def test_operations_of_a_dense_network_are_what_xla_counts(modules):
    """Forward and back through two layers, the gradient in the data left out."""
    work, _ = modules
    x, (a, b) = jnp.ones((work.BATCH, 30)), (jnp.ones((30, 20)), jnp.ones((20, 10)))

    def loss(weights):
        return jnp.sum((x @ weights[0]) @ weights[1])  # linear: nothing but products

    counted = jax.jit(lambda weights: jax.vjp(loss, weights)[1](1.0)).lower((a, b)).cost_analysis()["flops"]
    assert work.passes(work.dense(30, 20, 10)) == pytest.approx(counted, rel=0.2)


def test_the_vae_takes_six_operations_a_weight_but_for_the_first_layers_inputs(modules):
    work, _ = modules
    weights = 784 * 256 + 256 * 4 + 2 * 512 + 512 * 784
    assert work.FLOPS["vae"] == 128 * (6 * weights - 2 * 784 * 256)


def test_the_lstm_takes_its_two_products_at_every_row(modules):
    work, _ = modules
    cell, dense = 28 * 256 + 64 * 256, 64 * 128 + 128 * 10
    assert work.FLOPS["lstm"] == 128 * (28 * (6 * cell - 2 * 28 * 256) + 6 * dense)


def test_the_transformers_operations_are_what_xla_counts(modules):
    """All products of gdlib's model, those of attention included, and little else."""
    work, _ = modules
    model = transformer.Translator(137, work.ISO_TOKENS, longest=work.READ, rngs=nnx.Rngs(0))
    graphdef, weights = nnx.split(model)
    sources, targets = (jnp.ones((work.BATCH, time), int) for time in (work.READ, work.WRITTEN))

    def loss(weights):
        model = nnx.merge(graphdef, weights)
        return jnp.sum(model(targets, model.read(sources)).logits)

    counted = jax.jit(jax.grad(loss)).lower(weights).cost_analysis()["flops"]
    assert work.FLOPS["transformer"] == pytest.approx(counted, rel=0.1)


def test_the_peers_positions_are_gdlibs(modules):
    work, _ = modules
    np.testing.assert_allclose(work.sinusoids(), transformer.sinusoids(work.READ, work.WIDTH), atol=1e-5)


def test_a_date_is_right_only_as_a_whole(modules):
    work, _ = modules
    targets = np.array([[1, 5, 6, 2], [1, 7, 8, 2]])
    dates = work.Dates(*[None] * 5, held_out_targets=targets, source_tokens=9)
    assert dates.right(np.array([[5, 6, 2], [7, 9, 2]])) == 0.5


def test_more_is_better_of_accuracies_alone(modules):
    work, _ = modules
    assert work.reached("lstm", 0.94)
    assert not work.reached("lstm", 0.92)
    assert work.reached("transformer", 0.9)
    assert not work.reached("transformer", 1.1)


def test_the_report_compares_decoders_round_by_round(modules):
    _, report = modules
    rates = {"gdlib": [2e3, 4e3], "Keras": [3e3, 4e3], "PyTorch, eager": [1e3, 2e3]}
    found = {
        name: [{"tokens_per_second": rate, "decoded_right": 0.5} for rate in rounds]
        for name, rounds in rates.items()
    }
    results = {"trained": {"transformer": found}}
    assert report.fastest_decoder(results) == ("Keras", 1.25)
    assert report.decoding_rows(results)[0] == ["gdlib", "3.00 (2.00–4.00)", "50%"]
    results["trained"]["transformer"]["gdlib, shared"] = [{"step_ms": 1.0}]
    assert len(report.decoding_rows(results)) == 3


def test_the_faster_of_gdlibs_two_ways_is_set_against_the_fastest_peer(modules):
    _, report = modules
    times = {"gdlib": 3.0, "gdlib, shared": 2.0, "Keras": 2.5, "PyTorch, eager": 4.0}
    results = {"trained": {"lstm": {name: [{"step_ms": ms}] for name, ms in times.items()}}}
    assert report.fastest(results, "lstm") == ("gdlib, shared", "Keras")
    assert report.ratios(results, "lstm", "Keras", "gdlib, shared") == [1.25]


def test_the_report_takes_ratios_round_by_round(modules):
    _, report = modules
    rounds = {"gdlib": [2.0, 4.0], "Keras": [3.0, 4.0]}
    results = {
        "trained": {"vae": {name: [{"step_ms": ms} for ms in times] for name, times in rounds.items()}}
    }
    assert report.ratios(results, "vae", "Keras") == [1.5, 1.0]
    assert report.fastest(results, "vae") == ("gdlib", "Keras")
    assert report.spread([3.0, 1.0, 2.0]) == "2.00 (1.00–3.00)"


@pytest.mark.parametrize(("contender", "model"), [("torch", "vae"), ("gdlib", "bert")])
def test_what_is_no_contender_or_no_model_is_refused(modules, contender, model):
    measure = load("measure")
    del sys.modules["measure"]
    with pytest.raises(ValueError, match=r"expected one of \('.*got '(torch|bert)'"):
        measure.builder(contender, model, None)


@pytest.mark.parametrize("model", ["vae", "gan"])
def test_gdlibs_side_runs_by_fit_by_the_scan_alone_and_with_seeds(modules, model):
    work, _ = modules
    with_gdlib = load("with_gdlib")
    data = work.digits().for_model(model)
    score = with_gdlib.trainer(model, data).fit(1, validate=model == "vae")
    assert model == "gan" or 100 < score < 700  # nats
    with_gdlib.trainer(model, data, seeds=2).fit(1)
    with_gdlib.scan(model, data)(1)
    del sys.modules["with_gdlib"]


def test_the_report_says_who_is_first_at_the_target(modules):
    _, report = modules
    seconds = {
        "gdlib": [4.0, 6.0],
        "gdlib, shared": [3.0, 4.5],
        "Keras": [9.0, 3.6],
        "PyTorch, eager": [7.0, 7.0],
    }
    trained = {name: [{"target_seconds": s} for s in rounds] for name, rounds in seconds.items()}
    found = report.first_to_target({"trained": {"cnn": trained}}, "cnn")
    assert found == "CNN, first at the target: **met**. gdlib, shared takes 3.75 s, Keras 6.30 s."
    trained["Keras"] = [{"target_seconds": 3.0}, {}]  # once it was not reached
    assert "**missed**" in report.first_to_target({"trained": {"cnn": trained}}, "cnn")


def test_the_time_of_a_step_is_sorted_by_operation(modules, monkeypatch):
    work, report = modules
    load("with_gdlib")
    measure = load("measure")
    found = measure.where("vae", work.digits().for_model("vae"))
    assert found["traced"] + found["compiled"] > 0.1
    assert found["busy_ms"]["products and sums"] > found["busy_ms"]["moving"] > 0
    assert set(found["busy_ms"]) == set(report.KINDS)
    monkeypatch.setattr(report, "TITLES", {"vae": "VAE"})
    shares = report.where_rows({"where": {"vae": found}})[0][-3:]
    assert abs(sum(float(share.rstrip("%")) for share in shares) - 100) <= 1
    for name in ("measure", "with_gdlib"):
        del sys.modules[name]


@pytest.fixture
def runner(modules, monkeypatch):
    """benchmarks/run.py on a machine that is always quiet, and what its processes are to answer, in turn."""
    for name in ("measure", "run"):
        load(name)
    run, answers = sys.modules["run"], []

    def process(command, **options):
        answer = answers.pop(0)
        if answer is None:
            raise subprocess.TimeoutExpired(command, options["timeout"])
        return subprocess.CompletedProcess(command, 0, stdout=json.dumps(answer))

    monkeypatch.setattr(run, "wait_until_quiet", lambda: None)
    monkeypatch.setattr(run.subprocess, "run", process)
    yield run, answers
    for name in ("measure", "run"):
        del sys.modules[name]


def test_a_measurement_that_hangs_is_repeated(runner, capsys):
    run, answers = runner
    answers += [None, {"elsewhere": 0.5}, {"elsewhere": 0.0, "step_ms": 2.0}]
    assert run.run(["train", "gdlib"], [])["step_ms"] == 2.0
    assert "train gdlib: no answer after 900 s, repeated" in capsys.readouterr().out
    answers += [None] * run.TRIES
    with pytest.raises(SystemExit, match="expected an answer within 900 s, got none in 3 tries"):
        run.run(["train", "gdlib"], [])


def test_what_an_interrupted_run_has_measured_is_not_measured_again(runner, tmp_path):
    run, _ = runner
    path = tmp_path / "unfinished.jsonl"

    def interrupted():
        raise KeyboardInterrupt

    first = run.Notebook(path, resume=False)
    first.note("0 rate jax", lambda: {"gflops": 2.0})
    with pytest.raises(KeyboardInterrupt):
        first.note("0 rate torch", interrupted)
    second = run.Notebook(path, resume=True)
    assert second.note("0 rate jax", interrupted) == {"gflops": 2.0}
    assert second.note("0 rate torch", lambda: {"gflops": 3.0}) == {"gflops": 3.0}
    assert run.Notebook(path, resume=False).note("0 rate jax", lambda: {"gflops": 4.0}) == {"gflops": 4.0}
