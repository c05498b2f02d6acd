"""Inside the compiled part of `fit`: a chunk of steps as one scan, validation, and what counts as finite."""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, PyTree

Metrics = dict[str, Array]
Step = Callable[[tuple, PyTree, Array], Metrics]


def scalars(name: str, metrics: Any) -> Metrics:
    """`metrics`, if they are a dict of scalars. Shapes are static: once compiled, this costs nothing.

    Raises TypeError or ValueError that names what came instead.
    """
    if not isinstance(metrics, dict) or not metrics:
        raise TypeError(f"{name}: expected it to return a dict of scalars, got {metrics!r:.80}")
    for key, value in metrics.items():
        if not hasattr(value, "shape") and not isinstance(value, bool | int | float):
            raise TypeError(f"{name}: expected scalars, got {key!r} of type {type(value).__name__}")
        if jnp.shape(value):
            raise ValueError(f"{name}: expected scalars, got {key!r} of shape {jnp.shape(value)}")
    return {key: jnp.asarray(value) for key, value in metrics.items()}


def one_step(step: Step, graphdef, sharding, state, data: PyTree, indices: Array, rng_key: Array):
    """(state, minibatch) → (state, metrics), as a pure function."""
    batch = jax.tree.map(lambda leaf: leaf[indices], data)
    if sharding is not None:
        batch = jax.lax.with_sharding_constraint(batch, sharding)
    modules = nnx.merge(graphdef, state, copy=True)  # the step changes them in place
    metrics = scalars("step", step(modules, batch, rng_key))
    return nnx.state(modules), metrics


def _keys(rng_key: Array) -> Array:
    """The key of a run's steps, and that of its validation."""
    return jax.random.split(rng_key, 3)[1:]


@partial(jax.jit, static_argnames=("step", "graphdef", "sharding", "guarded"))
def run_steps(step: Step, graphdef, sharding, state, alive, data, indices, rng_key, first, *, guarded: bool):
    """Steps `first`, `first` + 1, … on the rows of `indices`, (steps, *seeds, …), as one scan.

    A step's minibatch is `data[indices]`. `rng_key` is the run's: each step folds its number into one made of it.
    Returns the state, the metrics (steps, *seeds), and how many steps each seed survived, (*seeds).
    Guarded, a seed that is not `alive` stands still, one that leaves the finite numbers stands still from
    there, and its later metrics are NaN. That costs a copy of the weights a step; without it, a seed
    that has left them somewhere in the chunk merely counts as having survived no step.
    """

    def body(rng_key, carry, numbered):
        old, alive = carry
        indices, number = numbered
        new, metrics = one_step(
            step, graphdef, sharding, old, data, indices, jax.random.fold_in(rng_key, number)
        )
        if guarded:
            metrics = jax.tree.map(lambda value: jnp.where(alive, value, jnp.nan), metrics)
            alive = alive & _stays_finite(new, old) & _finite(metrics)
            new = jax.tree.map(lambda a, b: jnp.where(alive, a, b), new, old)
        return (new, alive), (metrics, alive)

    def run(state, alive, indices, rng_key):
        numbers, (step_key, _) = first + jnp.arange(len(indices)), _keys(rng_key)
        (new, _), (metrics, alive) = jax.lax.scan(partial(body, step_key), (state, alive), (indices, numbers))
        if guarded:
            return new, metrics, alive.sum()
        healthy = _stays_finite(new, state) & _finite(metrics)
        return new, metrics, jnp.where(healthy, len(indices), 0)

    if not rng_key.ndim:
        return run(state, alive, indices, rng_key)
    new, metrics, survived = _each_seed(run, state, alive, jnp.moveaxis(indices, 1, 0), rng_key)
    return new, jax.tree.map(lambda rows: jnp.moveaxis(rows, 0, -1), metrics), survived


def _each_seed(function: Callable, *arguments: PyTree):
    """`function` of each seed's arguments, stacked: all seeds at once, but one after the other on the CPU.

    There the cores are busy with one seed, whose numbers the cache holds, and XLA's products of stacked matrices are
    slower than as many single ones.
    """
    function = jax.jit(function)  # for its cache: both forms share one trace
    return jax.lax.platform_dependent(
        *arguments, cpu=partial(_in_turn, function), default=partial(_side_by_side, function)
    )


def _in_turn(function: Callable, *arguments: PyTree):
    return jax.lax.map(lambda one: function(*one), arguments)


def _side_by_side(function: Callable, *arguments: PyTree):
    return jax.vmap(function)(*arguments)


@partial(jax.jit, static_argnames=("validate", "graphdef"))
def run_validation(validate: Step, graphdef, state, data: PyTree, rng_key: Array) -> Metrics:
    """The scalars of `validate` on all of the data, each (*seeds); whatever it changes is forgotten."""

    def run(state, rng_key):
        _, validation_key = _keys(rng_key)
        return scalars("validate", validate(nnx.merge(graphdef, state), data, validation_key))

    return _each_seed(run, state, rng_key) if rng_key.ndim else run(state, rng_key)


def _finite(metrics: Metrics) -> Array:
    """Whether every floating-point metric is finite."""
    numbers = [value for value in metrics.values() if jnp.issubdtype(value.dtype, jnp.inexact)]
    return jnp.all(jnp.array([jnp.isfinite(value).all() for value in numbers]))


def _stays_finite(new: PyTree, old: PyTree) -> Array:
    """Whether no number has left the finite ones: an infinity that stood there before, a mask's, may stay."""
    pairs = zip(jax.tree.leaves(new), jax.tree.leaves(old), strict=True)
    kept = [(jnp.isfinite(a) | (a == b)).all() for a, b in pairs if jnp.issubdtype(a.dtype, jnp.inexact)]
    return jnp.all(jnp.array(kept))
