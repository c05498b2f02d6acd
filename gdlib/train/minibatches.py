"""Which examples a step sees: minibatches of arrays, or what a source yields.

Inside `fit` both are chunks (data, indices): of each step, `data[indices]` is its minibatch. Arrays are one `data`
for all chunks, and the indices are an epoch's order; what a source yields is a `data` of its own, and the indices count
its steps.
"""

import math
from collections.abc import Iterable, Iterator
from typing import Protocol, runtime_checkable

import jax
import numpy as np
from jaxtyping import Array, PyTree

from gdlib import expect
from gdlib.train.fingerprint import fingerprint

Chunk = tuple[PyTree, np.ndarray]


@runtime_checkable
class Source(Protocol):
    """Minibatches from elsewhere: augmented on the host, larger than memory, or the share of this process.

    Attributes:
      steps_per_epoch: minibatches an epoch.
      identity: a text that tells its minibatches from another's, the same in all processes; a checkpoint is of a run
        with the same.
    """

    steps_per_epoch: int
    identity: str

    def epoch(self, number: int) -> Iterable[PyTree]:
        """The minibatches of epoch `number`, from 0, stacked by the chunk: arrays of shape (steps, batch, …).

        The same each time it is asked, so that a run can be resumed. All minibatches have one shape and one type; an
        epoch's last chunk may be of smaller ones.
        """
        ...


class OfArrays:
    """Minibatches without replacement, in an order of each epoch that depends on the key and the epoch alone.

    The order is drawn with NumPy's bit generators, whose numbers are the same on every machine and in every version.
    """

    def __init__(self, data: PyTree, rng_key: Array, batch_size: int, chunk_size: int | None, sharding):
        self.examples = expect.examples("data", data)
        self.sharding = sharding
        self.batch_size = _batch_size(batch_size, self.examples, sharding)
        self.chunk_size = _chunk_size(chunk_size, self.examples // self.batch_size)
        self.steps_per_epoch = -(-self.examples // self.batch_size)
        self.data = jax.device_put(data, replicated(sharding))
        self._keys = np.asarray(jax.random.key_data(rng_key))

    def epoch(self, number: int) -> Iterator[Chunk]:
        """The full minibatches by the chunk, (steps, *seeds, batch), then the rest."""
        order = self.order(number)
        full = self.examples - self.examples % self.batch_size
        batches = np.split(order[..., :full], full // self.batch_size, axis=-1)
        for start in range(0, len(batches), self.chunk_size):
            yield self.data, np.stack(batches[start : start + self.chunk_size])
        if full < self.examples:
            yield self.data, order[..., full:][None]

    def identity(self) -> str:
        """A checksum of the data."""
        return fingerprint(self.data)

    def order(self, epoch: int) -> np.ndarray:
        """A permutation of the examples for each key, (*seeds, examples)."""
        *seeds, words = self._keys.shape
        keys = self._keys.reshape(-1, words).tolist()
        orders = [_permutation([*key, epoch], self.examples) for key in keys]
        return np.stack(orders).reshape(*seeds, self.examples)


def _permutation(entropy: list[int], count: int) -> np.ndarray:
    """Sorted by random numbers: those of a bit generator never change, while `Generator.permutation` may."""
    numbers = np.random.PCG64(np.random.SeedSequence(entropy)).random_raw(count)
    return np.argsort(numbers, kind="stable").astype(np.int32)


class OfSource:
    """What a source yields, looked at as it comes in. With many seeds, all of them see the same minibatches."""

    def __init__(self, source: Source, rng_key: Array, sharding):
        self.source, self.sharding, self.seeds = source, sharding, rng_key.shape
        self.steps_per_epoch = expect.positive_int("data.steps_per_epoch", source.steps_per_epoch)
        self.batch_size = self.chunk_size = None
        self._form = None

    def epoch(self, number: int) -> Iterator[Chunk]:
        """Raises TypeError or ValueError for what is no stacked minibatches, and where they do not make an epoch."""
        done = 0
        for chunk in self.source.epoch(number):
            where = f"data: epoch {number}, from step {done}"
            steps = expect.examples(where, chunk)
            done += steps
            if done > self.steps_per_epoch:
                break
            self._check_form(where, chunk, last=done == self.steps_per_epoch)
            indices = np.arange(steps).reshape(-1, *(1 for _ in self.seeds))
            yield self._put(chunk), np.broadcast_to(indices, (steps, *self.seeds))
        if done != self.steps_per_epoch:
            came = f"more than {self.steps_per_epoch}" if done > self.steps_per_epoch else done
            raise ValueError(
                f"data: expected {self.steps_per_epoch} minibatches an epoch, its steps_per_epoch, and the source gave "
                f"{came} in epoch {number}"
            )

    def identity(self) -> str:
        """What the source says of itself."""
        return f"{self.source.identity}, {self.steps_per_epoch} steps an epoch"

    def _check_form(self, where: str, chunk: PyTree, *, last: bool) -> None:
        """Raise ValueError unless minibatches are like the first; an epoch's last ones may have fewer examples."""
        form = jax.tree.map(lambda leaf: (leaf.shape[1:], leaf.dtype), chunk)
        self._form = form if self._form is None else self._form
        if form == self._form or (last and _of_examples(form) == _of_examples(self._form)):
            return
        raise ValueError(f"{where}: expected minibatches like the first, {self._form}, got {form}")

    def _put(self, chunk: PyTree) -> PyTree:
        if self.sharding is None:
            return jax.device_put(chunk)
        spec = jax.P(None, *self.sharding.spec)
        layout = jax.sharding.NamedSharding(self.sharding.mesh, spec)
        return jax.tree.map(lambda leaf: jax.make_array_from_process_local_data(layout, leaf), chunk)


def _of_examples(form: PyTree) -> PyTree:
    """Shape and type of each example, out of those of minibatches."""
    return jax.tree.map(
        lambda pair: (pair[0][1:], pair[1]), form, is_leaf=lambda node: isinstance(node, tuple)
    )


def minibatches(
    data: PyTree | Source, rng_key: Array, batch_size: int | None, chunk_size: int | None, sharding
) -> OfArrays | OfSource:
    """The minibatches of arrays or of a source. Raises TypeError or ValueError for what is neither."""
    sharding = _automatic(sharding)
    if not isinstance(data, Source):
        if batch_size is None:
            raise TypeError(
                "batch_size: expected an integer, how many of the examples make a minibatch, got None (only a source, "
                "with steps_per_epoch, identity and epoch, makes its own)"
            )
        return OfArrays(data, rng_key, batch_size, chunk_size, sharding)
    for name, size in {"batch_size": batch_size, "chunk_size": chunk_size}.items():
        if size is not None:
            raise ValueError(f"{name}: expected None, as the source makes the minibatches, got {size}")
    return OfSource(data, rng_key, sharding)


def replicated(sharding):
    """The whole of an array on each of the devices."""
    return None if sharding is None else jax.sharding.NamedSharding(sharding.mesh, jax.P())


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
