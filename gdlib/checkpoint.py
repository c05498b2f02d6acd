"""A run of `fit` on disk: Orbax writes it whole or not at all, and nothing is pickled."""

import zlib
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import orbax.checkpoint as ocp
from jaxtyping import PyTree

from gdlib.history import History


class Checkpoint:
    """The folder of one run.

    Args:
      folder: where; made if it is not there.
      every: save each so many epochs, and the last one.
      identity: what tells this run from another (its key, its data, …).
    """

    def __init__(self, folder, every: int, identity: dict[str, str]):
        self.folder, self.every, self.identity = Path(folder).resolve(), every, identity
        options = ocp.CheckpointManagerOptions(max_to_keep=1, enable_async_checkpointing=False)
        self.manager = ocp.CheckpointManager(self.folder, options=options)

    @staticmethod
    def fingerprint(tree: PyTree) -> str:
        """A checksum of a pytree's structure and of every value in it."""
        leaves, structure = jax.tree.flatten(tree)
        total = zlib.crc32(str(structure).encode())
        for leaf in leaves:
            total = zlib.crc32(np.ascontiguousarray(leaf), total)
        return f"{total:08x}"

    def save(self, epoch: int, state: PyTree, history: History, *, last: bool) -> None:
        if last or epoch % self.every == 0:
            tree = {"state": _named(state), "history": _packed(history)}
            self.manager.save(
                epoch,
                args=ocp.args.Composite(
                    run=ocp.args.StandardSave(tree), identity=ocp.args.JsonSave(self.identity)
                ),
                force=True,
            )

    def latest(self, state: PyTree) -> tuple[int, PyTree, History] | None:
        """(epochs done, state, history) of the newest checkpoint, or None where there is none.

        Raises ValueError where it is of another run, or cannot be read.
        """
        epoch = self.manager.latest_step()
        if epoch is None:
            return None
        try:
            identity = self.manager.restore(
                epoch, args=ocp.args.Composite(identity=ocp.args.JsonRestore())
            ).identity
            different = [name for name, value in self.identity.items() if identity.get(name) != value]
            if not different:
                run = self.manager.restore(epoch, args=ocp.args.Composite(run=ocp.args.StandardRestore())).run
        except Exception as error:
            raise ValueError(
                f"checkpoint: {self.folder} cannot be read ({type(error).__name__}: {error})"
            ) from error
        if different:
            found = ", ".join(
                f"{name} {identity.get(name)} and not {self.identity[name]}" for name in different
            )
            raise ValueError(f"checkpoint: expected this run in {self.folder}, got another's: {found}")
        return epoch, _unnamed(run["state"], state), _unpacked(run["history"])


def _is_key(leaf: Any) -> bool:
    return jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)


def _named(state: PyTree) -> dict[str, np.ndarray]:
    """path → array; random keys as the numbers they hold."""
    leaves = jax.tree_util.tree_flatten_with_path(state)[0]
    return {
        jax.tree_util.keystr(path): np.asarray(jax.random.key_data(leaf) if _is_key(leaf) else leaf)
        for path, leaf in leaves
    }


def _unnamed(named: dict[str, Any], like: PyTree) -> PyTree:
    def restored(path, leaf):
        value = jnp.asarray(named[jax.tree_util.keystr(path)])
        if _is_key(leaf):
            value = jax.random.wrap_key_data(value, impl=jax.random.key_impl(leaf))
        return jax.device_put(value, leaf.sharding)

    return jax.tree_util.tree_map_with_path(restored, like)


def _packed(history: History) -> dict[str, Any]:
    diverged = [
        np.asarray(list(pair), np.int64) for pair in (history.diverged.keys(), history.diverged.values())
    ]
    return {
        "steps_per_epoch": np.asarray(history.steps_per_epoch),
        "train": history.train,
        "validation": history.validation,
        "validation_steps": history.validation_steps,
        "seconds": np.asarray(history.seconds),
        "diverged": np.stack(diverged, axis=1),
    }


def _unpacked(packed: dict[str, Any]) -> History:
    packed = jax.tree.map(np.asarray, packed)
    diverged = {int(seed): int(step) for seed, step in packed["diverged"]}
    return History(
        int(packed["steps_per_epoch"]), packed["train"], packed.get("validation") or {},
        packed["validation_steps"], float(packed["seconds"]), diverged,
    )  # fmt: skip
