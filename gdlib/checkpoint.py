"""A run of `fit` on disk: Orbax writes it whole or not at all, and nothing is pickled."""

import os
import re
import tempfile
import zlib
from collections.abc import Callable
from os import PathLike
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import orbax.checkpoint as ocp
from jaxtyping import PyTree

from gdlib.history import History


def fingerprint(tree: PyTree) -> str:
    """A checksum of a pytree's structure and of the type, the shape and every value of its arrays."""
    leaves, structure = jax.tree.flatten(tree)
    total = zlib.crc32(str(structure).encode())
    for leaf in map(_numbers, leaves):
        total = zlib.crc32(f"{leaf.dtype}{leaf.shape}".encode(), total)
        total = zlib.crc32(np.ascontiguousarray(leaf), total)
    return f"{total:08x}"


def program(function: Callable, *arguments: Any) -> str:
    """A checksum of what `function` computes: its operations, what it captures, and how its results are named."""
    traced, results = jax.make_jaxpr(function, return_shape=True)(*arguments)
    operations = re.sub(r"0x[0-9a-f]+", "", str(traced))  # where a function lies in memory tells nothing
    return fingerprint([operations, str(jax.tree.structure(results)), *traced.consts])


class Checkpoint:
    """The folder of one run.

    Args:
      folder: where, on this machine; made if it is not there. "~" is the home folder.
      every: save each so many epochs, and the last one.
      identity: what tells this run from another (its key, its data, …).

    Raises TypeError or ValueError for what is no path, an empty one and a URL, and OSError where the folder cannot be
    made or written to.
    """

    def __init__(self, folder: str | PathLike, every: int, identity: dict[str, str]):
        self.folder, self.every, self.identity = _writable(folder), every, identity
        options = ocp.CheckpointManagerOptions(max_to_keep=1, enable_async_checkpointing=False)
        self.manager = ocp.CheckpointManager(self.folder, options=options)

    def save(self, epoch: int, state: PyTree, history: History, *, last: bool) -> None:
        """Write the run after `epoch` epochs, if it is its turn; only then is the one before removed.

        Raises OSError where it cannot be written: the checkpoint before is still there.
        """
        if not last and epoch % self.every:
            return
        arrays = {"state": _named(state), "train": history.train, "validation": history.validation}
        arrays = {name: tree for name, tree in arrays.items() if tree}  # Orbax writes nothing that is empty
        record = {"identity": self.identity, "history": _scalars(history)}
        items = {"arrays": ocp.args.StandardSave(arrays), "record": ocp.args.JsonSave(record)}
        try:
            self.manager.save(epoch, args=ocp.args.Composite(**items), force=True)
        except Exception as error:
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
            found = record["identity"]
            different = [name for name, value in self.identity.items() if found.get(name) != value]
            if not different:
                arrays = self._restore(epoch, "arrays", ocp.args.StandardRestore())
                return epoch, _unnamed(arrays["state"], state), _history(arrays, record["history"])
        except Exception as error:
            raise ValueError(
                f"checkpoint: {self.folder} cannot be read ({type(error).__name__}: {error})"
            ) from error
        pairs = ", ".join(f"{name} {found.get(name)} and not {self.identity[name]}" for name in different)
        raise ValueError(f"checkpoint: expected this run in {self.folder}, got another's: {pairs}")

    def _restore(self, epoch: int, item: str, how: Any) -> Any:
        return self.manager.restore(epoch, args=ocp.args.Composite(**{item: how}))[item]


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


def _is_key(leaf: Any) -> bool:
    return jnp.issubdtype(getattr(leaf, "dtype", None), jax.dtypes.prng_key)


def _numbers(leaf: Any) -> np.ndarray:
    """A leaf as an array; a random key as the numbers it holds."""
    return np.asarray(jax.random.key_data(leaf) if _is_key(leaf) else leaf)


def _named(state: PyTree) -> dict[str, np.ndarray]:
    """path → array; random keys as the numbers they hold."""
    leaves = jax.tree_util.tree_flatten_with_path(state)[0]
    return {jax.tree_util.keystr(path): _numbers(leaf) for path, leaf in leaves}


def _unnamed(named: dict[str, Any], like: PyTree) -> PyTree:
    def restored(path, leaf):
        value = jnp.asarray(named[jax.tree_util.keystr(path)])
        if _is_key(leaf):
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
