"""What the benchmarks count: operations by formula against XLA's own count, and the report's arithmetic."""

import importlib.util
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import pytest

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


def test_the_report_takes_ratios_round_by_round(modules):
    _, report = modules
    rounds = {"gdlib": [2.0, 4.0], "Keras": [3.0, 4.0]}
    results = {
        "trained": {"vae": {name: [{"step_ms": ms} for ms in times] for name, times in rounds.items()}}
    }
    assert report.ratios(results, "vae", "Keras") == [1.5, 1.0]
    assert report.fastest_peer(results, "vae") == "Keras"
    assert report.spread([3.0, 1.0, 2.0]) == "2.00 (1.00–3.00)"
