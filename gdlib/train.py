"""Steps, and the one loop that runs them.

A step is `step(modules, batch, rng_key) -> dict of scalars`. `modules` is a tuple of everything that
changes, optimizers included, which the step updates in place. `fit` runs any step: it knows minibatches,
chunks, seeds, checkpoints and what to do when a number stops being finite, and nothing of models.
"""

import contextlib
import math
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

from gdlib import expect
from gdlib.checkpoint import Checkpoint, fingerprint, program
from gdlib.chunk import Metrics, Step, one_step, run_steps, run_validation, scalars
from gdlib.history import History
from gdlib.update import at_weights, descend

Objective = Callable[[nnx.Module, PyTree, Array], Metrics]
Game = Callable[[nnx.Module, nnx.Module, PyTree, Array], Metrics]


def gradient_step(objective: Objective) -> Step:
    """A step for `modules = (model, optimizer)`: one update down the gradient of the loss.

    Args:
      objective: `objective(model, batch, rng_key) -> dict of scalars`; "loss" is the one minimised.

    The step returns these scalars and "grad_norm", the Euclidean norm of the whole gradient. An optimizer that
    asks for the loss gets it (`optax.contrib.reduce_on_plateau`, `optax.lbfgs`).

    Raises TypeError where the optimizer wants more than the gradient, the weights and the loss.
    """

    def step(modules: tuple, batch: PyTree, rng_key: Array) -> Metrics:
        model, optimizer = modules

        def loss(model: nnx.Module) -> tuple[Array, Metrics]:
            return _loss_and_scalars(objective(model, batch, rng_key))

        loss_at = at_weights(loss, model)
        gradient, metrics = nnx.grad(loss, has_aux=True)(model)
        descend(optimizer, model, gradient, metrics["loss"], loss_at)
        return {**metrics, "grad_norm": optax.tree.norm(gradient)}

    return step


def evaluation_step(objective: Objective) -> Step:
    """A step that updates nothing: the objective's scalars on the first of the modules, the model.

    It works on a copy in evaluation mode (no dropout, batch normalisation by its running statistics): the
    model keeps its mode and its statistics.
    """

    def step(modules: tuple, batch: PyTree, rng_key: Array) -> Metrics:
        model = nnx.merge(*nnx.split(modules[0]), copy=True)
        model.eval()
        return scalars("objective", objective(model, batch, rng_key))

    return step


def adversarial_step(
    discriminator_objective: Game, generator_objective: Game, *, critic_steps: int = 1
) -> Step:
    """A step for `modules = (gan, generator_optimizer, discriminator_optimizer)`.

    The minibatch is cut into `critic_steps` parts. The discriminator makes an update on each of
    them, and then the generator makes one; each down the gradient of its own loss, in its own
    weights alone.

    Args:
      discriminator_objective, generator_objective: `objective(generator, discriminator, batch,
        rng_key) -> dict of scalars`, with a "loss".
      critic_steps: updates of the discriminator for each of the generator.

    The step returns the scalars of both at their last update, and the norms of their gradients,
    each name led by "generator_" or "discriminator_".

    Raises ValueError for more critic steps than a minibatch has examples, and TypeError as `gradient_step` does.
    """
    critic_steps = expect.positive_int("critic_steps", critic_steps)

    def update(objective, argument, gan, optimizer, batch, rng_key) -> Metrics:
        def loss(generator: nnx.Module, discriminator: nnx.Module) -> tuple[Array, Metrics]:
            return _loss_and_scalars(objective(generator, discriminator, batch, rng_key))

        players = (gan.generator, gan.discriminator)
        loss_at = at_weights(loss, *players, argument=argument)
        gradient, metrics = nnx.grad(loss, argnums=argument, has_aux=True)(*players)
        descend(optimizer, players[argument], gradient, metrics["loss"], loss_at)
        return {**metrics, "grad_norm": optax.tree.norm(gradient)}

    def step(modules: tuple, batch: PyTree, rng_key: Array) -> Metrics:
        gan, generator_optimizer, discriminator_optimizer = modules
        *critic_keys, generator_key = jax.random.split(rng_key, critic_steps + 1)
        for key, part in zip(critic_keys, _parts(batch, critic_steps), strict=True):
            judged = update(discriminator_objective, 1, gan, discriminator_optimizer, part, key)
        made = update(generator_objective, 0, gan, generator_optimizer, part, generator_key)
        named = {"discriminator": judged, "generator": made}
        return {f"{player}_{name}": v for player, found in named.items() for name, v in found.items()}

    return step


def _loss_and_scalars(metrics: Metrics) -> tuple[Array, Metrics]:
    metrics = scalars("objective", metrics)
    if "loss" not in metrics:
        raise ValueError(f'objective: expected "loss" among its scalars, got {sorted(metrics)}')
    return metrics["loss"], metrics


def _parts(batch: PyTree, count: int) -> list[PyTree]:
    """The minibatch cut along its first axis, into parts as equal as can be."""
    leaves, structure = jax.tree.flatten(batch)
    if len(leaves[0]) < count:
        raise ValueError(
            f"critic_steps: expected at most as many as a minibatch has examples, got {count} for {len(leaves[0])}"
        )
    cut = [jnp.array_split(leaf, count) for leaf in leaves]
    return [jax.tree.unflatten(structure, part) for part in zip(*cut, strict=True)]


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
    one compiled scan. After each the modules are written back: an interrupt leaves them usable. What a step
    captures (a number, an array, a global) is frozen when it is compiled: what changes belongs into
    `modules`, or into a new step.

    Many seeds at once: with a vector of keys, one a seed, the modules carry a leading seed axis (made
    by `nnx.vmap`), each seed sees its own order, and every metric has a trailing seed axis. A seed that
    diverges stops at its last finite state and is named in `History.diverged`; the others go on. One
    program holds them all: side by side under `vmap`, but on the CPU, where that is slower, in turn.

    With `jax_debug_nans` or `jax_debug_infs` a single run raises JAX's own FloatingPointError, and the modules hold the
    state after the chunk before; under `jax.disable_jit()` it names the very operation. Many seeds at once ignore
    both: there such a number is a result.

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
      checkpoint: a folder on this machine ("~" is the home folder). What it holds of this very run is resumed
        from, to the bit; each `checkpoint_every` epochs the run is saved there, atomically. It is of this very run
        where key, data, sizes and the operations of `step` and `validate` are the same, their constants (a learning
        rate) included.
      sharding: how a minibatch lies on the devices, such as NamedSharding(mesh, P("data")). Weights and
        data are then replicated over the mesh.
      progress: show a progress bar.

    Raises:
      TypeError, ValueError: an argument is not as above; the data holds NaN, infinity or what the device's
        types cannot hold; the checkpoint is of another run, of more epochs, or no folder's path but a URL.
      OSError: the checkpoint's folder cannot be written to.
      Diverged: a weight, or a scalar that the step returns, is no longer finite (with many seeds: in
        all of them). An infinity that a module held from the start, in a mask, does not count.
      KeyboardInterrupt: of an interrupt, with the `history` so far.
    """
    rng_key = expect.random_key("rng_key", rng_key)
    epochs = expect.positive_int("epochs", epochs)
    examples = expect.examples("data", data)
    sharding = _automatic(sharding)
    batch_size = _batch_size(batch_size, examples, sharding)
    chunk_size = _chunk_size(chunk_size, examples // batch_size)
    _check_validation(validate, validation_data, validate_every)
    _check_modules(modules, rng_key)
    checkpoint_every = expect.positive_int("checkpoint_every", checkpoint_every)

    order_key, step_key, validation_key = _three_keys(rng_key)
    replicated = None if sharding is None else jax.sharding.NamedSharding(sharding.mesh, jax.P())
    data, validation_data, state = jax.device_put((data, validation_data, nnx.state(modules)), replicated)
    graphdef = nnx.graphdef(modules)
    run = partial(run_steps, step, graphdef, sharding)
    watch = partial(run_validation, validate, graphdef, data=validation_data, rng_key=validation_key)
    if validate is not None:
        jax.eval_shape(watch, state)  # a mistake in it shows now, not after the first epoch

    saved, history, first_epoch = None, History(-(-examples // batch_size)), 0
    if checkpoint is not None:
        sizes = {"batch_size": str(batch_size), "chunk_size": str(chunk_size)}
        watched = (
            (validate_every, fingerprint(validation_data), program(watch, state)) if validate else "never"
        )
        identity = {
            **_identity(step, graphdef, state, data, batch_size, rng_key),
            **sizes,
            "validation": str(watched),
        }
        saved = Checkpoint(checkpoint, checkpoint_every, identity)
        if (found := saved.latest(state)) is not None:
            first_epoch, state, history = found
            if first_epoch > epochs:
                raise ValueError(f"epochs: expected at least the checkpoint's {first_epoch}, got {epochs}")
            nnx.update(modules, state)
    done, total = history.steps, history.steps_per_epoch * epochs
    started = time.perf_counter() - history.seconds

    # TQDM_DISABLE in the environment silences the bar, unless `disable` is given: so only where it is meant.
    quiet = {} if progress else {"disable": True}
    with _debugging(rng_key), tqdm(total=total, initial=history.steps, unit="step", **quiet) as bar:
        try:
            for epoch in range(first_epoch, epochs):
                for indices in _minibatches(order_key, epoch, examples, batch_size, chunk_size):
                    after, metrics, survived = _advance(run, state, data, indices, step_key, history)
                    history.append_training(metrics, survived)
                    state, done = after, history.steps
                    nnx.update(modules, state)
                    history.seconds = time.perf_counter() - started
                    if not history.alive(rng_key.shape).any():
                        raise _diverged(history)
                    bar.update(len(indices))
                    bar.set_postfix_str(history.latest())
                    if validate is not None and validate_every == "chunk":
                        history.append_validation(watch(state))
                if validate is not None and validate_every == "epoch":
                    history.append_validation(watch(state))
                if saved is not None:
                    saved.save(epoch + 1, state, history, last=epoch + 1 == epochs)
        except KeyboardInterrupt as interrupt:
            nnx.update(modules, state)  # it may have come while they were being written
            history.truncate(done)
            interrupt.history = history
            interrupt.add_note(f"fit: the modules hold the state after step {done} of {total}.")
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
    return nnx.merge(graphdef, _row(state, seed))


@jax.jit
def _row(tree: PyTree, index: ArrayLike) -> PyTree:
    return jax.tree.map(lambda leaf: leaf[index], tree)


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


@contextlib.contextmanager
def _debugging(rng_key: Array) -> Iterator[None]:
    """JAX's checks for NaN and infinity as they are set, but off for many seeds."""
    single = not rng_key.ndim
    nans, infs = jax.config.jax_debug_nans and single, jax.config.jax_debug_infs and single
    with jax.debug_nans(nans), jax.debug_infs(infs):
        yield


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


def _batch_size(batch_size: int, examples: int, sharding) -> int:
    batch_size = expect.positive_int("batch_size", batch_size)
    if batch_size > examples:
        raise ValueError(f"batch_size: expected at most the {examples} examples, got {batch_size}")
    if sharding is not None:
        devices = _shares(sharding)
        if batch_size % devices or examples % batch_size % devices:
            raise ValueError(
                f"batch_size: expected minibatches that {devices} devices share evenly, got "
                f"{batch_size} with a rest of {examples % batch_size}"
            )
    return batch_size


def _chunk_size(chunk_size: int | None, full: int) -> int:
    """By default the largest divisor of an epoch's full minibatches up to 128: one shape to compile."""
    if chunk_size is not None:
        return expect.positive_int("chunk_size", chunk_size)
    largest = max(size for size in range(1, min(full, 128) + 1) if full % size == 0)
    return largest if largest >= min(full, 16) else full


def _check_validation(validate, validation_data, validate_every: str) -> None:
    if (validate is None) != (validation_data is None):
        raise ValueError("validate: expected it together with validation_data, got one without the other")
    if validate_every not in ("epoch", "chunk"):
        raise ValueError(f'validate_every: expected "epoch" or "chunk", got {validate_every!r}')
    if validation_data is not None:
        expect.examples("validation_data", validation_data)


def _automatic(sharding):
    """The same sharding on automatic axes: `jax.make_mesh` makes explicit ones, which no constraint takes."""
    if sharding is None:
        return None
    mesh = jax.sharding.Mesh(sharding.mesh.devices, sharding.mesh.axis_names)
    return jax.sharding.NamedSharding(mesh, sharding.spec)


def _shares(sharding) -> int:
    """Into how many parts a minibatch's first axis is cut."""
    axes = sharding.spec[0] if len(sharding.spec) else None
    axes = (axes,) if isinstance(axes, str) else axes or ()
    return math.prod(sharding.mesh.shape[axis] for axis in axes)


def _check_modules(modules: tuple, rng_key: Array) -> None:
    if not isinstance(modules, tuple):
        raise TypeError(f"modules: expected a tuple such as (model, optimizer), got {type(modules).__name__}")
    for path, leaf in jax.tree_util.tree_leaves_with_path(nnx.state(modules)):
        where = jax.tree_util.keystr(path)
        if rng_key.ndim and leaf.shape[:1] != rng_key.shape:
            raise ValueError(
                f"modules: expected a leading axis of {rng_key.size} seeds, one a key of rng_key, in every "
                f"array, got shape {leaf.shape} in {where}"
            )
        # In NumPy: jax would compile it for every shape.
        if jnp.issubdtype(leaf.dtype, jnp.inexact) and np.isnan(leaf).any():
            raise ValueError(f"modules: expected numbers, got NaN in {where}")


def _identity(step, graphdef, state, data, batch_size, rng_key) -> dict[str, str]:
    """What has to agree for a checkpoint to be of this very run; the step, by all that it computes."""
    one = partial(one_step, step, graphdef, None)
    over_seeds = jax.vmap(one, in_axes=(0, None, 0, 0)) if rng_key.ndim else one
    indices = jnp.zeros((*rng_key.shape, batch_size), int)
    return {
        "rng_key": f"{jax.random.key_impl(rng_key)} {jax.random.key_data(rng_key).tolist()}",
        "modules": fingerprint(jax.tree.map(lambda leaf: f"{leaf.dtype}{leaf.shape}", state)),
        "step": program(over_seeds, state, data, indices, rng_key),
        "data": fingerprint(data),
    }
