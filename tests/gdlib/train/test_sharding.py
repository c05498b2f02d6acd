"""The same step over two devices: in a process of its own, since the device count is fixed at start."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import jax, numpy as np, pytest
from toy import STEP, DATA, fresh, weights
from gdlib import train
assert jax.device_count() == 2
mesh = jax.make_mesh((2,), ("data",), axis_types=(jax.sharding.AxisType.Auto,))
sharding = jax.sharding.NamedSharding(mesh, jax.P("data"))
one, two = fresh(), fresh()
options = dict(epochs=2, batch_size=20, progress=False)
alone = train.fit(STEP, one, DATA, jax.random.key(0), **options)
shared = train.fit(STEP, two, DATA, jax.random.key(0), sharding=sharding, **options)
assert len(two[0].kernel[...].sharding.device_set) == 2
np.testing.assert_allclose(alone.train["loss"], shared.train["loss"], rtol=1e-4)
np.testing.assert_allclose(weights(one), weights(two), rtol=1e-3, atol=1e-5)
with pytest.raises(ValueError, match="2 devices share evenly"):
    train.fit(STEP, one, DATA, jax.random.key(0), sharding=sharding, **options | {"batch_size": 15})

# jax.make_mesh makes explicit axes; and a mesh may have an axis that no minibatch is cut along.
for shape, names in [((2,), ("data",)), ((1, 2), ("data", "model"))]:
    three = fresh()
    sharding = jax.sharding.NamedSharding(jax.make_mesh(shape, names), jax.P("data"))
    batch_size = 20 if shape == (2,) else 25
    train.fit(STEP, three, DATA, jax.random.key(0), sharding=sharding, **options | {"batch_size": batch_size})
    assert np.isfinite(weights(three)).all()
"""


NO_GATHERING = """
import jax
import jax.numpy as jnp
from flax import nnx

from gdlib.models import rnn

mesh = jax.sharding.Mesh(jax.devices(), ("data",))
graphdef, weights = nnx.split(rnn.LSTMCell(3, 4, rngs=nnx.Rngs(0)))


def loss(weights, sequences):
    sequences = jax.lax.with_sharding_constraint(sequences, jax.sharding.NamedSharding(mesh, jax.P("data")))
    return jnp.sum(rnn.unroll(nnx.merge(graphdef, weights), sequences)[0] ** 2)


compiled = jax.jit(jax.grad(loss)).lower(weights, jnp.ones((6, 5, 3))).compile().as_text()
assert "all-reduce" in compiled
assert "all-gather" not in compiled and "all-to-all" not in compiled
"""


@pytest.mark.parametrize("program", [PROGRAM, NO_GATHERING], ids=["losses", "recurrence"])
def test_two_devices_give_the_losses_of_one_and_no_recurrence_gathers_the_minibatch(program):
    environment = os.environ | {
        "XLA_FLAGS": "--xla_force_host_platform_device_count=2",
        "JAX_PLATFORMS": "cpu",
        "PYTHONPATH": str(Path(__file__).parent.parent),
    }
    result = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
