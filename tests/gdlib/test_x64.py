"""With `jax_enable_x64`: every family trains, and what is float32 stays it. In a process of its own, as users do it."""

import os
import subprocess
import sys
from pathlib import Path

PROGRAM = """
import sys
import families, jax, jax.numpy as jnp, numpy as np
from flax import nnx
from gdlib import decoding, train
from gdlib.train import chunk

assert jnp.zeros(()).dtype == jnp.float64


def types(tree):
    return [leaf.dtype for leaf in jax.tree.leaves(tree)]


def floats_as(dtype, tree):
    def cast(leaf):
        return jnp.asarray(leaf, dtype if jnp.issubdtype(leaf.dtype, jnp.floating) else leaf.dtype)

    return jax.tree.map(cast, tree)


def after_steps(step, graphdef, state, data):
    '''The state after two steps, by its shapes and types: nothing is computed.'''
    arguments = (jnp.asarray(True), data, jnp.zeros((2, 4), int), jax.random.key(0), 0)
    run = lambda state, *arguments: chunk.run_steps(step, graphdef, None, state, *arguments, guarded=True)
    return jax.eval_shape(run, state, *arguments)[0]


for name in families.FAMILIES:
    step, modules, data = families.made(name)
    graphdef, state = nnx.split(modules)
    assert not any(dtype == jnp.float64 for dtype in types(state)), name
    for weights in (jnp.float32, jnp.float64):
        before = floats_as(weights, state)
        after = after_steps(step, graphdef, before, floats_as(jnp.float64, data))
        assert types(after) == types(before), (name, weights)
    history = train.fit(step, modules, data, jax.random.key(0), epochs=2, batch_size=4, progress=False)
    assert types(nnx.state(modules)) == types(state), name
    assert all(np.isfinite(values).all() for values in history.train.values()), name
    assert all(values.dtype == np.float32 for key, values in history.train.items() if "loss" in key), name
    if name == "character model":
        carry = modules[0].start(2)
        assert set(types(carry)) == {jnp.dtype(jnp.float32)}
        assert decoding.decode(modules[0], jnp.array([0, 1]), jax.random.key(0), steps=4).shape == (2, 4)
    if name == "translator":
        source = modules[0].read(jnp.asarray(families.TOKENS), jnp.asarray(families.LENGTHS))
        assert set(types(modules[0].start(2)[1])) == {jnp.dtype(jnp.float32)}
        assert decoding.decode(modules[0], source, jax.random.key(0), steps=4).shape == (8, 4)

from gdlib.models import rnn

create = lambda key: families.FAMILIES["lstm"](nnx.Rngs(key))[1]
keys = jax.random.split(jax.random.key(0), 2)
step, _, data = families.made("lstm")
modules = nnx.vmap(create)(keys)
before = types(nnx.state(modules))
history = train.fit(step, modules, data, keys, epochs=1, batch_size=4, progress=False)
assert types(nnx.state(modules)) == before
assert np.isfinite(history.train["loss"]).all()
cell = rnn.GRUCell(2, 4, rngs=nnx.Rngs(0))
for numbers in (jnp.float32, jnp.float64):
    states, (last,) = rnn.unroll(cell, jnp.asarray(families.VECTORS, numbers))
    assert states.dtype == last.dtype == numbers
"""


def test_every_family_trains_and_keeps_its_types():
    environment = os.environ | {
        "JAX_ENABLE_X64": "1",
        "JAX_PLATFORMS": "cpu",
        "XLA_FLAGS": "--xla_backend_optimization_level=0 --xla_cpu_use_fusion_emitters=false",
        "PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")]),
    }
    result = subprocess.run(
        [sys.executable, "-c", PROGRAM], env=environment, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
