"""Steps, and the one loop that runs them.

A step is `step(modules, batch, rng_key) -> dict of scalars`. `modules` is a tuple of everything that
changes, optimizers included, which the step updates in place. `fit` runs any step: it knows minibatches,
chunks, seeds, checkpoints and what to do when a number stops being finite, and nothing of models.
"""

import operator
import time
from collections.abc import Callable, Iterator
from functools import partial
from os import PathLike
from typing import Literal

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx
from jaxtyping import Array, ArrayLike, PyTree
from tqdm import tqdm

from gdlib import validation
from gdlib.checkpoint import Checkpoint
from gdlib.history import History

Metrics = dict[str, Array]
Step = Callable[[tuple, PyTree, Array], Metrics]
Objective = Callable[[nnx.Module, PyTree, Array], Metrics]


def gradient_step(objective: Objective) -> Step:
    """A step for `modules = (model, optimizer)`: one update down the gradient of the loss.

    Args:
      objective: `objective(model, batch, rng_key) -> dict of scalars`; "loss" is the one minimised.

    The step returns these scalars and "grad_norm", the Euclidean norm of the whole gradient.
    """

    def step(modules: tuple, batch: PyTree, rng_key: Array) -> Metrics:
        model, optimizer = modules

        def loss(model: nnx.Module) -> tuple[Array, Metrics]:
            metrics = objective(model, batch, rng_key)
            return metrics["loss"], metrics

        gradient, metrics = nnx.grad(loss, has_aux=True)(model)
        optimizer.update(model, gradient)
        return {**metrics, "grad_norm": optax.tree.norm(gradient)}

    return step


def evaluation_step(objective: Objective) -> Step:
    """A step that updates nothing: the objective's scalars on the first of the modules, the model."""

    def step(modules: tuple, batch: PyTree, rng_key: Array) -> Metrics:
        return objective(modules[0], batch, rng_key)

    return step


class Diverged(FloatingPointError):
    """Training met a loss, gradient or weight that is not finite.

    `step` is the first such step, from 0; `history` reaches up to it. The modules hold the last finite
    state.
    """

    def __init__(self, message: str, step: int, history: History):
        super().__init__(message)
        self.step, self.history = step, history


def fit(
    step: Step,
    modules: tuple,
    data: PyTree,
    rng_key: Array,
    *,
    epochs: int,
    batch_size: int,
    chunk_size: int | None = None,
    validate: Step | None = None,
    validation_data: PyTree = None,
    validate_every: Literal["epoch", "chunk"] = "epoch",
    checkpoint: str | PathLike | None = None,
    checkpoint_every: int = 1,
    sharding: jax.sharding.NamedSharding | None = None,
    progress: bool = True,
) -> History:
    """Run `step` over minibatches of `data`, and update `modules` in place.

    Each epoch visits every example once, in an order drawn from fold_in(·, epoch); where `batch_size`
    does not divide the examples, the epoch's last minibatch is the smaller rest. A chunk of steps is
    one compiled scan. After each the modules are written back: an interrupt leaves them usable.

    Many seeds at once: with a vector of keys, one a seed, the modules carry a leading seed axis (made
    by `nnx.vmap`), each seed sees its own order, and every metric has a trailing seed axis. A seed that
    diverges stops at its last finite state and is named in `History.diverged`; the others go on.

    Args:
      step: `step(modules, batch, rng_key) -> dict of scalars`.
      modules: a tuple of NNX modules and optimizers. A second call compiles nothing anew where `step`, the
        shapes and the optimizers' transformations (`tx`) are the very same objects.
      data: a pytree of arrays with one first axis, such as a `Dataset`. It is put on the device once.
      rng_key: a key, or a vector of keys. It determines the order and every step's key.
      epochs: passes over the data in all, those of a resumed checkpoint included.
      batch_size: examples a minibatch, at most as many as there are.
      chunk_size: steps a chunk. Default: the epoch in equal parts of at most 128 steps if it has such.
      validate: a step for `validation_data`, run whole after each epoch or chunk; see `evaluation_step`.
        Its key is the same each time, so that what changes is the model.
      validate_every: "epoch" or "chunk".
      checkpoint: a folder. What it holds of this very run is resumed from, to the bit; each
        `checkpoint_every` epochs the run is saved there, atomically.
      sharding: how a minibatch lies on the devices, such as NamedSharding(mesh, P("data")). Weights and
        data are then replicated over the mesh.
      progress: show a progress bar.

    Raises:
      TypeError, ValueError: an argument is not as above, or the data holds NaN or infinity.
      Diverged: a weight, or a scalar that the step returns, is no longer finite (with many seeds: in
        all of them).
    """
    rng_key = validation.random_key("rng_key", rng_key)
    epochs = validation.positive_int("epochs", epochs)
    examples = _examples("data", data)
    batch_size = _batch_size(batch_size, examples, sharding)
    chunk_size = _chunk_size(chunk_size, examples // batch_size)
    _check_validation(validate, validation_data, validate_every)
    _check_seeds(modules, rng_key)

    saved = None
    if checkpoint is not None:
        watched = (validation_data, validate_every if validate is not None else "never")
        identity = _identity(rng_key, data, modules, batch_size, chunk_size, watched)
        saved = Checkpoint(
            checkpoint, validation.positive_int("checkpoint_every", checkpoint_every), identity
        )
    order_key, step_key, validation_key = _three_keys(rng_key)
    replicated = None if sharding is None else jax.sharding.NamedSharding(sharding.mesh, jax.P())
    data, validation_data, state = jax.device_put((data, validation_data, nnx.state(modules)), replicated)
    graphdef = nnx.graphdef(modules)
    run = partial(_run_chunk, step, graphdef, sharding)

    history = History(-(-examples // batch_size))
    first_epoch = 0
    if saved is not None and (found := saved.latest(state)) is not None:
        first_epoch, state, history = found
        nnx.update(modules, state)
    total = history.steps_per_epoch * max(epochs, first_epoch)
    started = time.perf_counter() - history.seconds

    def record_validation() -> None:
        history.append_validation(_validate(validate, graphdef, state, validation_data, validation_key))

    # TQDM_DISABLE in the environment silences the bar, unless `disable` is given: so only where it is meant.
    quiet = {} if progress else {"disable": True}
    with tqdm(total=total, initial=history.steps, unit="step", **quiet) as bar:
        try:
            for epoch in range(first_epoch, epochs):
                for indices in _minibatches(order_key, epoch, examples, batch_size, chunk_size):
                    state, metrics, survived = _advance(run, state, data, indices, step_key, history)
                    history.append_training(metrics, survived)
                    nnx.update(modules, state)
                    history.seconds = time.perf_counter() - started
                    if not history.alive(rng_key.shape).any():
                        raise _diverged(history)
                    bar.update(len(indices))
                    bar.set_postfix_str(history.latest())
                    if validate is not None and validate_every == "chunk":
                        record_validation()
                if validate is not None and validate_every == "epoch":
                    record_validation()
                if saved is not None:
                    saved.save(epoch + 1, state, history, last=epoch + 1 == epochs)
        except KeyboardInterrupt as interrupt:
            nnx.update(modules, state)  # it may have come while they were being written
            interrupt.add_note(f"fit: the modules hold the state after step {history.steps} of {total}.")
            raise
    history.seconds = time.perf_counter() - started
    return history


def select_seed(modules: PyTree, seed: int) -> PyTree:
    """One seed's modules, out of modules with a leading seed axis: copies, without that axis."""
    graphdef, state = nnx.split(modules)
    seeds = {leaf.shape[0] if leaf.ndim else None for leaf in jax.tree.leaves(state)}
    if len(seeds) != 1 or None in seeds:
        raise ValueError(f"modules: expected one leading seed axis in every array, got sizes {seeds}")
    if not 0 <= operator.index(seed) < (count := seeds.pop()):
        raise ValueError(f"seed: expected 0 to {count - 1}, got {seed}")
    return nnx.merge(graphdef, jax.tree.map(lambda leaf: leaf[seed], state))


# ------------------------------------------------------------------------------- inside the scan


def _one_step(step, graphdef, sharding, state, data, indices, rng_key):
    """(state, minibatch) → (state, metrics), as a pure function."""
    batch = jax.tree.map(lambda leaf: leaf[indices], data)
    if sharding is not None:
        batch = jax.lax.with_sharding_constraint(batch, sharding)
    modules = nnx.merge(graphdef, state, copy=True)  # the step changes them in place
    metrics = step(modules, batch, rng_key)
    return nnx.state(modules), metrics


@partial(jax.jit, static_argnames=("step", "graphdef", "sharding", "guarded"))
def _run_chunk(step, graphdef, sharding, state, alive, data, indices, rng_key, first, *, guarded):
    """Steps `first`, `first` + 1, … on the rows of `indices`, (steps, *seeds, batch), as one scan.

    Returns the state, the metrics (steps, *seeds), and how many steps each seed survived, (*seeds).
    Guarded, a seed that is not `alive` stands still, one that leaves the finite numbers stands still from
    there, and its later metrics are NaN. That costs a copy of the weights a step; without it, a seed
    that has left them somewhere in the chunk merely counts as having survived no step.
    """

    def one(carry, indices, rng_key, number):
        state, alive = carry
        rng_key = jax.random.fold_in(rng_key, number)
        new, metrics = _one_step(step, graphdef, sharding, state, data, indices, rng_key)
        if guarded:
            metrics = jax.tree.map(lambda value: jnp.where(alive, value, jnp.nan), metrics)
            alive = alive & _finite(new) & _finite(metrics)
            new = jax.tree.map(lambda a, b: jnp.where(alive, a, b), new, state)
        return (new, alive), (metrics, alive)

    over_seeds = jax.vmap(one, in_axes=(0, 0, 0, None)) if rng_key.ndim else one

    def body(carry, numbered):
        indices, number = numbered
        return over_seeds(carry, indices, rng_key, number)

    numbers = first + jnp.arange(len(indices))
    (state, _), (metrics, alive) = jax.lax.scan(body, (state, alive), (indices, numbers))
    if guarded:
        return state, metrics, alive.sum(axis=0)
    finite = jax.vmap(_finite) if rng_key.ndim else _finite
    by_seed = jax.tree.map(lambda rows: jnp.moveaxis(rows, 0, -1), metrics)
    return state, metrics, jnp.where(finite((state, by_seed)), len(indices), 0)


def _finite(tree: PyTree) -> Array:
    """Whether every floating-point number in the tree is finite."""
    numbers = [leaf for leaf in jax.tree.leaves(tree) if jnp.issubdtype(leaf.dtype, jnp.inexact)]
    return jnp.all(jnp.array([jnp.isfinite(leaf).all() for leaf in numbers]))


@partial(jax.jit, static_argnames=("validate", "graphdef"))
def _validate(validate, graphdef, state, data, rng_key) -> Metrics:
    def one(state, rng_key):
        return validate(nnx.merge(graphdef, state), data, rng_key)

    return (jax.vmap(one) if rng_key.ndim else one)(state, rng_key)


# ------------------------------------------------------------------------------ around the scan


def _three_keys(rng_key: Array) -> Array:
    """Keys for the order, the steps and validation, each of the shape of `rng_key`."""
    if rng_key.ndim:
        return jnp.moveaxis(jax.vmap(partial(jax.random.split, num=3))(rng_key), 0, 1)
    return jax.random.split(rng_key, 3)


@partial(jax.jit, static_argnames="examples")
def _order(order_key: Array, epoch: ArrayLike, examples: int) -> Array:
    """A permutation of the examples, (*seeds, examples)."""

    def one(key):
        return jax.random.permutation(jax.random.fold_in(key, epoch), examples)

    return (jax.vmap(one) if order_key.ndim else one)(order_key)


def _minibatches(order_key, epoch, examples, batch_size, chunk_size) -> Iterator[np.ndarray]:
    """The epoch's chunks of indices, (steps, *seeds, batch): all of the full minibatches, then the rest."""
    order = np.asarray(_order(order_key, epoch, examples))
    full = examples - examples % batch_size
    batches = np.split(order[..., :full], full // batch_size, axis=-1)
    for start in range(0, len(batches), chunk_size):
        yield np.stack(batches[start : start + chunk_size])
    if full < examples:
        yield order[..., full:][None]


def _advance(run, state, data, indices, step_key, history):
    """One chunk: the state after it, its metrics, how many steps each seed survived.

    A chunk in which a number stopped being finite is run again, guarded. It is deterministic, so it
    meets that number again, and now stops before it.
    """
    alive = history.alive(step_key.shape)
    chunk = partial(run, state, jnp.asarray(alive), data, indices, step_key, history.steps)
    if alive.all():
        after, metrics, survived = chunk(guarded=False)
        if (np.asarray(survived) == len(indices)).all():
            return after, metrics, survived
    return chunk(guarded=True)


def _diverged(history: History) -> Diverged:
    step = max(history.diverged.values())
    if history.seeds:
        return Diverged(f"every seed diverged, the last at step {step}: {history.diverged}", step, history)
    history.truncate(step + 1)
    values = ", ".join(f"{name} = {rows[-1]:g}" for name, rows in history.train.items())
    epoch, batch = divmod(step, history.steps_per_epoch)
    return Diverged(
        f"step {step} (epoch {epoch}, minibatch {batch}) left the finite numbers: {values}. The modules "
        "hold the last finite state.",
        step,
        history,
    )


# ---------------------------------------------------------------------- what comes in from outside


def _examples(name: str, data: PyTree) -> int:
    leaves = jax.tree.leaves(data)
    if not leaves:
        raise ValueError(f"{name}: expected arrays, got an empty pytree")
    for leaf in leaves:
        if not hasattr(leaf, "shape") or not hasattr(leaf, "dtype"):
            raise TypeError(
                f"{name}: expected a pytree of arrays, got one that holds a {type(leaf).__name__}"
            )
    lengths = {leaf.shape[0] if leaf.shape else None for leaf in leaves}
    if len(lengths) != 1 or lengths & {None, 0}:
        raise ValueError(f"{name}: expected arrays with one first axis of at least 1, got lengths {lengths}")
    for leaf in leaves:
        validation.finite(name, leaf)
    return lengths.pop()


def _batch_size(batch_size: int, examples: int, sharding) -> int:
    batch_size = validation.positive_int("batch_size", batch_size)
    if batch_size > examples:
        raise ValueError(f"batch_size: expected at most the {examples} examples, got {batch_size}")
    if sharding is not None:
        devices = sharding.mesh.size
        if batch_size % devices or examples % batch_size % devices:
            raise ValueError(
                f"batch_size: expected minibatches that {devices} devices share evenly, got "
                f"{batch_size} with a rest of {examples % batch_size}"
            )
    return batch_size


def _chunk_size(chunk_size: int | None, full: int) -> int:
    """By default the largest divisor of an epoch's full minibatches up to 128: one shape to compile."""
    if chunk_size is not None:
        return validation.positive_int("chunk_size", chunk_size)
    largest = max(size for size in range(1, min(full, 128) + 1) if full % size == 0)
    return largest if largest >= min(full, 16) else full


def _check_validation(validate, validation_data, validate_every: str) -> None:
    if (validate is None) != (validation_data is None):
        raise ValueError("validate: expected it together with validation_data, got one without the other")
    if validate_every not in ("epoch", "chunk"):
        raise ValueError(f'validate_every: expected "epoch" or "chunk", got {validate_every!r}')
    if validation_data is not None:
        _examples("validation_data", validation_data)


def _check_seeds(modules: tuple, rng_key: Array) -> None:
    if not isinstance(modules, tuple):
        raise TypeError(f"modules: expected a tuple such as (model, optimizer), got {type(modules).__name__}")
    for leaf in jax.tree.leaves(nnx.state(modules)):
        if rng_key.ndim and leaf.shape[:1] != rng_key.shape:
            raise ValueError(
                f"modules: expected a leading axis of {rng_key.size} seeds, one a key of rng_key, in every "
                f"array, got shape {leaf.shape}"
            )


def _identity(rng_key, data, modules, batch_size, chunk_size, watched) -> dict[str, str]:
    """What has to agree for a checkpoint to be of this very run."""
    validation_data, validate_every = watched
    return {
        "rng_key": str(jax.random.key_data(rng_key).tolist()),
        "batch_size": str(batch_size),
        "chunk_size": str(chunk_size),
        "data": Checkpoint.fingerprint(data),
        "validation": f"{validate_every} on {Checkpoint.fingerprint(validation_data)}",
        "modules": Checkpoint.fingerprint(jax.tree.map(jnp.shape, nnx.state(modules))),
    }
