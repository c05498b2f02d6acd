"""Data that no array holds: a loader's minibatches as a source that `train.fit` takes."""

import hashlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import jax
import numpy as np
from jaxtyping import PyTree

from gdlib import expect

if TYPE_CHECKING:
    import grain


class GrainSource:
    """Minibatches of a `grain.MapDataset`, read and transformed by threads while the device works on those before.

    Each epoch is a pass of `dataset.repeat()`: what is random after `dataset.seed(…)`, the order of `shuffle()` and the
    draws of `random_map`, is another in each epoch, and the same each time that epoch is asked for.

    Args:
      dataset: whose elements are pytrees of arrays, all of one form.
      batch_size: examples a minibatch. What an epoch leaves over, fewer than that, is not seen in it.
      chunk_size: minibatches a chunk. Two chunks wait in memory.

    Raises TypeError or ValueError for sizes that are no positive integers, and for fewer examples than a minibatch has.
    Reference: Grain, the loader of JAX's own stack; install it with `pip install "gdlib[grain]"`.
    """

    def __init__(self, dataset: "grain.MapDataset", *, batch_size: int, chunk_size: int = 32):
        self.dataset, self.examples = dataset, len(dataset)
        self.batch_size = expect.positive_int("batch_size", batch_size)
        self.chunk_size = expect.positive_int("chunk_size", chunk_size)
        self.steps_per_epoch = self.examples // self.batch_size
        if not self.steps_per_epoch:
            raise ValueError(f"batch_size: expected at most the {self.examples} examples, got {batch_size}")

    @property
    def identity(self) -> str:
        """How many examples there are, and a checksum of the first."""
        leaves, structure = jax.tree.flatten(self.dataset[0])
        text = f"{structure}{[(np.asarray(leaf).dtype, np.asarray(leaf).tobytes()) for leaf in leaves]}"
        first = hashlib.sha256(text.encode()).hexdigest()[:16]
        return f"{self.examples} examples in minibatches of {self.batch_size}, the first one {first}"

    def epoch(self, number: int) -> Iterator[PyTree]:
        """The minibatches of that epoch, (steps, batch, …) a chunk."""
        import grain  # whoever has a dataset of its own has it

        start = number * self.examples
        whole: Any = self.dataset.repeat().slice(slice(start, start + self.steps_per_epoch * self.batch_size))
        chunks = whole.batch(self.batch_size).batch(self.chunk_size)
        return iter(chunks.to_iter_dataset(grain.ReadOptions(num_threads=2, prefetch_buffer_size=2)))
