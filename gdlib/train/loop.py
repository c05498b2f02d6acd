"""The one loop that runs steps.

It knows minibatches, chunks, seeds, checkpoints and what to do when a number stops being finite, and nothing of models.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache, partial
from os import PathLike
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Array, PyTree
from tqdm import tqdm

from gdlib import expect
from gdlib.train.checkpoint import checkpoint_of, identity_of
from gdlib.train.chunk import Step, run_steps
from gdlib.train.fingerprint import fingerprint
from gdlib.train.history import History
from gdlib.train.minibatches import Source, minibatches, replicated
from gdlib.train.processes import agree, is_of_the_network, name_the_lost, speaks
from gdlib.train.watch import Watch


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
    data: PyTree | Source,
    rng_key: Array,
    *,
    epochs: int,
    batch_size: int | None = None,
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

    Each epoch visits every example once, in an order that depends on the key and the epoch alone; where `batch_size`
    does not divide the examples, the epoch's last minibatch is the smaller rest. A chunk of steps is
    one compiled scan. After each the modules are written back: an interrupt leaves them usable. What a step
    captures (a number, an array, a global) is frozen when it is compiled: what changes belongs into
    `modules`, or into a new step.

    Many seeds at once: with a vector of keys, one a seed, the modules carry a leading seed axis (`create` makes
    such), each seed sees its own order, and every metric has a trailing seed axis. A seed that
    diverges stops at its last finite state and is named in `History.diverged`; the others go on. One
    program holds them all: side by side under `vmap`, but on the CPU, where that is slower, in turn.

    With `jax_debug_nans` or `jax_debug_infs` a single run raises JAX's own FloatingPointError, and the modules hold the
    state after the chunk before; under `jax.disable_jit()` it names the very operation. Many seeds at once ignore
    both: there such a number is a result.

    Args:
      step: `step(modules, batch, rng_key) -> dict of scalars`.
      modules: a tuple of NNX modules and optimizers. A second call compiles nothing anew where `step`, the
        shapes and the optimizers' transformations (`tx`) are the very same objects.
      data: a pytree of arrays with one first axis, such as a `Dataset`, which is put on the device once; or a
        `Source` of minibatches.
      rng_key: a key, or a vector of keys. It determines the order and every step's key.
      epochs: passes over the data in all, those of a resumed checkpoint included.
      batch_size: examples a minibatch, at most as many as there are. A source makes its own.
      chunk_size: steps a chunk. Default: the epoch in equal parts of at most 128 steps if it has such.
      validate: a step for `validation_data`, run whole after each epoch or chunk; see `evaluation_step`.
        Its key is the same each time, so that what changes is the model.
      validate_every: "epoch" or "chunk".
      checkpoint: a folder on this machine ("~" is the home folder). What it holds of this very run is resumed
        from, to the bit; each `checkpoint_every` epochs the run is saved there, atomically. It is of this very run
        where key, data, sizes, the number of devices and the operations of `step` and `validate` are the same, their
        constants (a learning rate) included; the modules are as they were at its beginning, or as they were saved.
      sharding: how a minibatch lies on the devices, such as NamedSharding(mesh, P("data")). Weights and
        data are then replicated over the mesh. It may hold the devices of several processes, joined by
        `jax.distributed.initialize`: all of them call `fit` with the same arguments, but for a source, which yields
        each process's own share. The first shows progress; a checkpoint's folder must be one that all of them see.
      progress: show a progress bar.

    Raises:
      TypeError, ValueError: an argument is not as above; the data holds NaN, infinity or what the device's
        types cannot hold; a source ends early or changes its shapes; the checkpoint is of another run, of more
        epochs, or no folder's path but a URL.
      OSError: the checkpoint's folder cannot be written to, or another run writes to it. Its kinds
        TimeoutError and ConnectionError: another process never came, or is gone.
      Diverged: a weight, or a scalar that the step returns, is no longer finite (with many seeds: in
        all of them). An infinity that a module held from the start, in a mask, does not count.
      KeyboardInterrupt: of an interrupt, with the `history` so far.

    Example:
      >>> import optax
      >>> from gdlib.train import create, gradient_step
      >>> def objective(model, batch, rng_key):
      ...     return {"loss": jnp.mean((model(batch["x"]) - batch["y"]) ** 2)}
      >>> modules = create(lambda rngs: nnx.Linear(1, 1, rngs=rngs), jax.random.key(0), optax.adam(0.1))
      >>> x = np.linspace(0, 1, 64, dtype=np.float32)[:, None]
      >>> history = fit(
      ...     gradient_step(objective),
      ...     modules,
      ...     {"x": x, "y": 3 * x},
      ...     jax.random.key(1),
      ...     epochs=50,
      ...     batch_size=16,
      ...     progress=False,
      ... )
      >>> history.train["loss"].shape, bool(history.train["loss"][-1] < 0.01)
      ((200,), True)
    """
    rng_key, epochs = expect.random_key("rng_key", rng_key), expect.positive_int("epochs", epochs)
    together = sharding is not None and not sharding.is_fully_addressable  # with other processes
    if together:
        agree(lambda: _given(modules, data, rng_key, epochs, batch_size))
    batches = minibatches(data, rng_key, batch_size, chunk_size, sharding)
    _check_modules(modules, rng_key)
    graphdef, state = nnx.split(modules)
    state = jax.device_put(state, replicated(batches.sharding))
    run = partial(run_steps, step, graphdef, batches.sharding)
    watch = Watch(validate, validation_data, validate_every, graphdef, state, rng_key, batches.sharding)
    identity = cache(lambda: identity_of(step, graphdef, state, batches, watch, rng_key))
    if together:
        agree(identity)
    saved = checkpoint_of(checkpoint, checkpoint_every, identity)
    with saved, _debugging(rng_key):
        first_epoch, state, history = saved.resume(state, History(batches.steps_per_epoch), epochs)
        if first_epoch:
            nnx.update(modules, state)
        done, started = history.steps, time.perf_counter() - history.seconds
        bar = _progress_bar(done, epochs * batches.steps_per_epoch, progress and (speaks() or not together))
        try:
            for epoch in range(first_epoch, epochs):
                for chunk in batches.epoch(epoch):
                    after, metrics, survived = _advance(run, state, *chunk, rng_key, history)
                    history.append_training(metrics, survived)
                    state, done = after, history.steps
                    nnx.update(modules, state)
                    history.seconds = time.perf_counter() - started
                    if not history.alive(rng_key.shape).any():
                        raise _diverged(history)
                    bar.set_postfix_str(history.latest(), refresh=False)
                    bar.update(done - bar.n)
                    watch.after("chunk", state, history)
                watch.after("epoch", state, history)
                saved.save(epoch + 1, state, history, last=epoch + 1 == epochs)
        except KeyboardInterrupt as interrupt:
            nnx.update(modules, state)  # it may have come while they were being written
            _tell(interrupt, history, done, bar.total)
            raise
        except Exception as error:
            if is_of_the_network(error):
                name_the_lost(error, history)
            raise
        finally:
            bar.close()
    history.seconds = time.perf_counter() - started
    return history


def _given(modules: tuple, data: PyTree | Source, rng_key: Array, epochs: int, batch_size) -> dict[str, Any]:
    """What all processes of a run have to be given alike, as it is before it lies on their devices."""
    whole = f"{data.steps_per_epoch} steps an epoch" if isinstance(data, Source) else fingerprint(data)
    key = jax.random.key_data(rng_key).tolist()
    weights = fingerprint(nnx.state(modules))
    return {"rng_key": key, "epochs": epochs, "batch_size": batch_size, "data": whole, "modules": weights}


def _advance(run, state: PyTree, data: PyTree, indices: np.ndarray, rng_key: Array, history: History):
    """One chunk: the state after it, its metrics, how many steps each seed survived.

    A chunk in which a number stopped being finite is run again, guarded. It is deterministic, so it
    meets that number again, and now stops before it.
    """
    alive = history.alive(rng_key.shape)
    chunk = partial(run, state, alive, data, indices, rng_key, history.steps)
    if alive.all():
        after, metrics, survived = chunk(guarded=False)
        if (np.asarray(survived) == len(indices)).all():
            return after, metrics, survived
    return chunk(guarded=True)


def _tell(interrupt: Any, history: History, done: int, total: int | float) -> None:
    """What a run that was interrupted leaves behind: the history up to there, and a note."""
    history.truncate(done)
    interrupt.history = history
    interrupt.add_note(f"fit: the modules hold the state after step {done} of {total}.")


def _progress_bar(done: int, total: int, progress: bool) -> tqdm:
    # TQDM_DISABLE in the environment silences the bar, unless `disable` is given: so only where it is meant.
    bar = partial(tqdm, total=total, initial=done, unit="step")
    return bar() if progress else bar(disable=True)


@contextmanager
def _debugging(rng_key: Array) -> Iterator[None]:
    """JAX's checks for NaN and infinity as they are set, but off for many seeds."""
    single = not rng_key.ndim
    config: Any = jax.config
    nans, infs = config.jax_debug_nans and single, config.jax_debug_infs and single
    with jax.debug_nans(nans), jax.debug_infs(infs):
        yield


def _diverged(history: History) -> Diverged:
    step = max(history.diverged.values())
    if history.seed_shape:
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
