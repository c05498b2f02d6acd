"""A problem small enough to repeat by hand: a line through points, and `fit` on it."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx

from gdlib import train
from gdlib.data import Dataset

rng = np.random.default_rng(0)
INPUTS = rng.normal(size=(50, 3)).astype(np.float32)
DATA = Dataset.checked(INPUTS, np.arange(50) % 2, ("a", "b"))


def objective(model, batch, rng_key):
    noise = 0.1 * jax.random.normal(rng_key, batch.labels.shape)
    error = model(batch.inputs)[:, 0] - batch.labels + noise
    return {"loss": jnp.mean(error**2)}


STEP = train.gradient_step(objective)
EVALUATION = train.evaluation_step(objective)


ADAM = optax.adam(1e-2)


def line(rngs):
    return nnx.Linear(3, 1, rngs=rngs)


def create(rng_key):
    model = line(nnx.Rngs(rng_key))
    return model, nnx.Optimizer(model, ADAM, wrt=nnx.Param)


def fresh(seed=0):
    return create(jax.random.key(seed))


def fit(modules, rng_key=None, **options):
    rng_key = jax.random.key(7) if rng_key is None else rng_key
    settings = {"epochs": 3, "batch_size": 10, "progress": False} | options
    return train.fit(
        options.pop("step", STEP),
        modules,
        DATA,
        rng_key,
        **{k: v for k, v in settings.items() if k != "step"},
    )


def weights(modules):
    return np.concatenate([np.ravel(leaf) for leaf in jax.tree.leaves(nnx.state(modules))])
