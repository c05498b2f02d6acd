"""A step, compiled for a device that is not here: it holds that device's form of each layer, and no CPU's."""

import collections
import re
from pathlib import Path

import families
import jax
import jax.numpy as jnp
import pytest
from flax import nnx
from jax import export

import gdlib
from gdlib.train import chunk

ELSEWHERE = ("cuda", "tpu")
WITH_WINDOWS = {"cnn", "sequence cnn", "convolutional gan"}
WITH_ATTENTION = {"transformer", "transformer of tokens", "translator"}


def counted(module) -> collections.Counter:
    """How often each operation stands in a program."""
    return collections.Counter(re.findall(r"stablehlo\.(\w+)", str(module)))


def exported(name, platform) -> collections.Counter:
    """The operations of one training step, for a platform."""
    step, modules, data = families.made(name)
    graphdef, state = nnx.split(modules)

    def pure(state, batch, key_data):
        modules = nnx.merge(graphdef, state, copy=True)
        metrics = step(modules, batch, jax.random.wrap_key_data(key_data))
        return nnx.state(modules), metrics

    shapes = jax.eval_shape(lambda: (state, data, jax.random.key_data(jax.random.key(0))))
    return counted(export.export(jax.jit(pure), platforms=[platform])(*shapes).mlir_module())


@pytest.mark.parametrize("name", families.FAMILIES)
def test_a_step_holds_the_forms_of_its_platform_alone(name):
    here = exported(name, "cpu")
    assert not here["convolution"] + here["select_and_scatter"] + here["reduce_window"]
    assert (here["optimization_barrier"] > 0) == (name in WITH_ATTENTION)
    for platform in ELSEWHERE:
        there = exported(name, platform)
        assert not there["optimization_barrier"]
        assert (there["convolution"] > 0) == (name in WITH_WINDOWS)
        # Each convolution is one product on the CPU, and all else is the same.
        assert there["convolution"] + there["dot_general"] == here["dot_general"]


@pytest.mark.parametrize("platform", ELSEWHERE)
def test_the_cnns_step_is_xlas_convolutions_and_poolings(platform):
    """Two forward; backward one in the first kernel, two in the second; and a dense layer has three products."""
    found = exported("cnn", platform)
    assert (found["convolution"], found["dot_general"]) == (5, 6)
    assert found["reduce_window"] == found["select_and_scatter"] == 2


def steps_of_many_seeds(seeds, steps):
    """`run_steps`, traced, and how often Python ran the step meanwhile."""
    step, _, data = families.made("mlp")
    runs = []

    def seen(modules, batch, rng_key):
        runs.append(batch)
        return step(modules, batch, rng_key)

    def create(rng_key):
        _, modules, _ = families.FAMILIES["mlp"](nnx.Rngs(rng_key))
        return modules

    keys = jax.random.split(jax.random.key(0), seeds)
    graphdef, state = nnx.split(nnx.vmap(create)(keys))
    alive, indices = jnp.ones(seeds, bool), jnp.zeros((steps, seeds, 2), int)
    rest = (jax.tree.map(jnp.asarray, data), indices, keys, 0)
    return chunk.run_steps.trace(seen, graphdef, None, state, alive, *rest, guarded=True), len(runs)


def test_many_seeds_are_side_by_side_elsewhere_and_in_turn_on_the_cpu():
    """A loop over the steps; on the CPU another around it, whose body holds products of one seed's matrices."""
    seeds, hidden = 7, 5
    traced, _ = steps_of_many_seeds(seeds, steps=3)
    for platform, loops in (("cpu", 2), ("cuda", 1), ("tpu", 1)):
        text = traced.lower(lowering_platforms=(platform,)).as_text()
        assert counted(text)["while"] == loops
        stacked = f"-> tensor<{seeds}x2x{hidden}xf32>"
        assert any(stacked in line for line in text.splitlines() if "dot_general" in line) == (
            platform != "cpu"
        )


def test_one_program_for_several_platforms_can_be_made():
    traced, _ = steps_of_many_seeds(seeds=2, steps=3)
    assert counted(traced.lower(lowering_platforms=ELSEWHERE).as_text())["while"] == 1


def test_the_two_forms_of_many_seeds_share_one_trace_of_the_step():
    scan_traces_it = 1
    assert steps_of_many_seeds(seeds=2, steps=3)[1] == scan_traces_it


def test_no_form_is_chosen_by_the_machine_that_traces():
    """`jax.default_backend()` and its like know where Python runs, not what is compiled for what."""
    asks = re.compile(r"default_backend|jax\.(local_)?devices\(|\.platform\b")
    found = [path for path in Path(gdlib.__file__).parent.rglob("*.py") if asks.search(path.read_text())]
    assert not found
