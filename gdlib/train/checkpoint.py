"""A run of `fit` on disk: Orbax writes it whole or not at all, and nothing is pickled."""

import os
import re
import tempfile
from collections.abc import Callable
from functools import partial
from os import PathLike
from pathlib import Path
from typing import IO, Any

import jax
import jax.numpy as jnp
import numpy as np
import orbax.checkpoint as ocp
from flax import nnx
from jaxtyping import PyTree

from gdlib import expect
from gdlib.train.chunk import one_step
from gdlib.train.fingerprint import fingerprint, is_key, numbers, program
from gdlib.train.history import History
from gdlib.train.processes import agree, is_of_the_network, speaks


class Unsaved:
    """Where a run without a folder is saved: nowhere."""

    def __enter__(self) -> "Unsaved":
        return self

    def __exit__(self, *_) -> None:
        pass

    def resume(self, state: PyTree, history: History, epochs: int) -> tuple[int, PyTree, History]:
        """The run from its beginning."""
        del epochs
        return 0, state, history

    def save(self, epoch: int, state: PyTree, history: History, *, last: bool) -> None:
        """Nothing."""


class Checkpoint:
    """The folder of one run; as a context, no other run of this machine may write to it.

    Args:
      folder: where, on this machine; made if it is not there. "~" is the home folder.
      every: save each so many epochs, and the last one.
      identity: what tells this run from another (its key, its data, …).

    Raises TypeError or ValueError for what is no path, an empty one and a URL, and OSError where the folder cannot be
    made or written to.
    """

    def __init__(self, folder: str | PathLike, every: int, identity: dict[str, str]):
        self.folder, self.identity = _writable(folder), identity
        self.every = expect.positive_int("checkpoint_every", every)

    def __enter__(self) -> "Checkpoint":
        self._lock = _locked(self.folder) if speaks() else None
        options = ocp.CheckpointManagerOptions(max_to_keep=1, enable_async_checkpointing=False)
        self.manager = ocp.CheckpointManager(self.folder, options=options)
        return self

    def __exit__(self, *_) -> None:
        self.manager.close()
        if self._lock is not None:
            self._lock.close()

    def resume(self, state: PyTree, history: History, epochs: int) -> tuple[int, PyTree, History]:
        """(epochs done, state, history): those of the folder, where it holds this run; else the given ones.

        Raises ValueError where it holds another run, or one of more than `epochs`.
        """
        self.initial = _some_numbers(state)
        found = self.latest(state)
        agree(lambda: {"checkpoint, epochs done": found[0] if found else 0})
        if found is None:
            return 0, state, history
        if found[0] > epochs:
            raise ValueError(f"epochs: expected at least the checkpoint's {found[0]}, got {epochs}")
        return found

    def save(self, epoch: int, state: PyTree, history: History, *, last: bool) -> None:
        """Write the run after `epoch` epochs, if it is its turn; only then is the one before removed.

        Raises OSError where it cannot be written: the checkpoint before is still there.
        """
        if not last and epoch % self.every:
            return
        arrays = {"state": _by_path(state), "train": history.train, "validation": history.validation}
        arrays = {name: tree for name, tree in arrays.items() if tree}  # Orbax writes nothing that is empty
        record = {"identity": self.identity, "initial": self.initial, "history": _scalars(history)}
        items = {"arrays": ocp.args.StandardSave(arrays), "record": ocp.args.JsonSave(record)}
        try:
            self.manager.save(epoch, args=ocp.args.Composite(**items), force=True)
        except Exception as error:
            if is_of_the_network(error):  # and not of the disk
                raise
            raise OSError(
                f"checkpoint: epoch {epoch} could not be written to {self.folder} ({type(error).__name__}: "
                f"{error}). The modules hold its state; the checkpoint before it, if any, is untouched."
            ) from error

    def latest(self, state: PyTree) -> tuple[int, PyTree, History] | None:
        """(epochs done, state, history) of the newest checkpoint, or None where there is none.

        Raises ValueError where it is of another run, is not whole, or cannot be read.
        """
        epoch = self.manager.latest_step()
        if epoch is None:
            return None
        try:
            record = self._restore(epoch, "record", ocp.args.JsonRestore())
            different = self._differences(record["identity"])
            if not different:
                arrays = self._restore(epoch, "arrays", ocp.args.StandardRestore())
                started = record["initial"], _some_numbers(_from_paths(arrays["state"], state))
                if any(_close(self.initial, numbers) for numbers in started):
                    return epoch, _from_paths(arrays["state"], state), _history(arrays, record["history"])
                different = [
                    "initial weights (to go on with a run, give the modules as they were at its beginning)"
                ]
        except Exception as error:
            raise ValueError(
                f"checkpoint: {self.folder} cannot be read ({type(error).__name__}: {error})"
            ) from error
        raise ValueError(
            f"checkpoint: expected this run in {self.folder}, got another's: {', '.join(different)}"
        )

    def _differences(self, found: dict[str, str]) -> list[str]:
        return [
            f"{name} {found.get(name)} and not {value}"
            for name, value in self.identity.items()
            if found.get(name) != value
        ]

    def _restore(self, epoch: int, item: str, how: Any) -> Any:
        return self.manager.restore(epoch, args=ocp.args.Composite(**{item: how}))[item]


def restore(folder: str | PathLike, module: nnx.Module) -> int:
    """Put the weights of a run's newest checkpoint into a module. Returns how many epochs the run had done.

    Args:
      folder: what `fit` was given as `checkpoint`.
      module: like the first of the modules that `fit` trained. Its weights are replaced, all or none.

    Raises FileNotFoundError where there is no checkpoint, and ValueError where it cannot be read, or holds other arrays
    than the module has, or numbers that are not finite.
    """
    path = Path(folder).expanduser().resolve()
    if not path.is_dir():
        raise FileNotFoundError(f"checkpoint: expected a folder, got {str(folder)!r}")
    with ocp.CheckpointManager(path) as manager:
        epochs = manager.latest_step()
        if epochs is None:
            raise FileNotFoundError(f"checkpoint: expected one in {path}, found none")
        try:
            arrays = manager.restore(epochs, args=ocp.args.Composite(arrays=ocp.args.StandardRestore()))
            named = arrays["arrays"]["state"]
        except Exception as error:
            raise ValueError(
                f"checkpoint: {path} cannot be read ({type(error).__name__}: {error})"
            ) from error
    state = nnx.state((module,))
    ours = {name: array.shape for name, array in _by_path(state).items()}
    theirs = {name: array.shape for name, array in named.items() if name.startswith("[0]")}
    if ours != theirs:
        different = sorted(name for name in ours.keys() | theirs.keys() if ours.get(name) != theirs.get(name))
        name = different[0]
        raise ValueError(
            f"checkpoint: expected the arrays of the module, got others in {path}: {len(different)} differ, of them "
            f"{name}: expected {ours.get(name, 'none')}, got {theirs.get(name, 'none')}"
        )
    found = _from_paths(named, state)
    if not all(np.isfinite(array).all() for array in _by_path(found).values()):
        raise ValueError(f"checkpoint: expected finite numbers in {path}, got NaN or infinite ones")
    nnx.update((module,), found)
    return epochs


def checkpoint_of(
    folder: str | PathLike | None, every: int, identity: Callable[[], dict[str, str]]
) -> Checkpoint | Unsaved:
    """Where a run of `fit` with this identity is saved."""
    if folder is None:
        expect.positive_int("checkpoint_every", every)
        return Unsaved()
    return Checkpoint(folder, every, identity())


def identity_of(step, graphdef, state, batches, watch, rng_key) -> dict[str, str]:
    """All that tells a run of `fit` from another: the step, by what it computes."""
    data, indices = next(iter(batches.epoch(0)))
    one = partial(one_step, step, graphdef, None)
    over_seeds = jax.vmap(one, in_axes=(0, None, 0, 0)) if rng_key.ndim else one
    watched = (watch.every, fingerprint(watch.data), program(watch.run, state)) if watch.validate else "never"
    return {
        "rng_key": f"{jax.random.key_impl(rng_key)} {jax.random.key_data(rng_key).tolist()}",
        "modules": fingerprint(jax.tree.map(lambda leaf: f"{leaf.dtype}{leaf.shape}", state)),
        "devices": str(1 if batches.sharding is None else batches.sharding.num_devices),
        "step": program(over_seeds, state, data, jnp.asarray(indices[0]), rng_key),
        "data": batches.identity(),
        "batch_size": str(batches.batch_size),
        "chunk_size": str(batches.chunk_size),
        "validation": str(watched),
    }


def _locked(folder: Path) -> IO:
    """A file that is locked until it is closed, or its process ends in whatever way.

    Raises OSError where another run has it. Where the system knows no such locks, nobody is kept out.
    """
    file = (folder / "lock").open("a")
    try:
        import fcntl  # not on Windows

        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        raise OSError(
            f"checkpoint: expected a folder of its own, got {folder}, to which another run writes"
        ) from None
    except (ImportError, OSError):
        pass
    return file


def _some_numbers(state: PyTree) -> dict[str, list[float]]:
    """Of each array a few numbers, enough to tell other initial weights."""

    def some(array: np.ndarray) -> list[float]:
        flat = array.ravel()
        return flat[np.linspace(0, flat.size - 1, min(flat.size, 8)).astype(int)].astype(float).tolist()

    return {path: some(array) for path, array in _by_path(state).items()}


def _close(ours: dict[str, list[float]], theirs: dict[str, list[float]]) -> bool:
    """Equal, but for the rounding of another processor."""
    return ours.keys() == theirs.keys() and all(
        np.allclose(numbers, theirs[path], rtol=1e-3, atol=1e-5, equal_nan=True)
        for path, numbers in ours.items()
    )


def _writable(folder: str | PathLike) -> Path:
    """The folder, made if it is not there. Raises as `Checkpoint` does."""
    path = os.fspath(folder) if isinstance(folder, str | PathLike) else None
    if not isinstance(path, str):
        raise TypeError(f"checkpoint: expected a folder's path, got {folder!r}")
    if not path:
        raise ValueError(
            'checkpoint: expected a folder\'s path, got an empty one ("." is the present folder)'
        )
    if re.match(r"[A-Za-z][A-Za-z0-9+.-]+:/", path):  # Path("gs://run") has lost one of the slashes
        raise ValueError(
            f"checkpoint: expected a folder on this machine, got the URL {path!r}. Only paths of the file system are "
            "supported: mount the bucket, or copy the folder afterwards"
        )
    try:
        whole = Path(path).expanduser().resolve()
        whole.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=whole).close()
    except (OSError, RuntimeError, ValueError) as error:  # a loop of links, an unknown user; a NUL
        reason = getattr(error, "strerror", None) or error
        raise OSError(f"checkpoint: expected a folder to write to, got {path!r} ({reason})") from error
    return whole


def _by_path(state: PyTree) -> dict[str, np.ndarray]:
    """path → array; random keys as the numbers they hold."""
    leaves = jax.tree_util.tree_flatten_with_path(state)[0]
    return {jax.tree_util.keystr(path): numbers(leaf) for path, leaf in leaves}


def _from_paths(named: dict[str, Any], like: PyTree) -> PyTree:
    def restored(path, leaf):
        value = jnp.asarray(named[jax.tree_util.keystr(path)])
        if is_key(leaf):
            value = jax.random.wrap_key_data(value, impl=jax.random.key_impl(leaf))
        return jax.device_put(value, leaf.sharding)

    return jax.tree_util.tree_map_with_path(restored, like)


def _scalars(history: History) -> dict[str, Any]:
    """What of a history is no row of metrics, as JSON: floats come back to the bit."""
    return {
        "steps_per_epoch": history.steps_per_epoch,
        "validation_steps": history.validation_steps.tolist(),
        "seconds": history.seconds,
        "diverged": list(history.diverged.items()),
    }


def _history(arrays: dict[str, Any], scalars: dict[str, Any]) -> History:
    return History(
        steps_per_epoch=scalars["steps_per_epoch"],
        train=jax.tree.map(np.asarray, arrays["train"]),
        validation=jax.tree.map(np.asarray, arrays.get("validation", {})),
        validation_steps=np.array(scalars["validation_steps"], int),
        seconds=scalars["seconds"],
        diverged={int(seed): int(step) for seed, step in scalars["diverged"]},
    )
