"""Examples and their labels, looked at where they come in.

Images are float32 in [0, 1], (n, height, width, channels); labels are int32.
"""

import dataclasses
from typing import Any

import jax
import numpy as np
from numpy.typing import ArrayLike

from gdlib import expect


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Dataset:
    """Examples and their labels, example by example along the first axis.

    A pytree: `jax.tree.map` acts on both arrays, and a minibatch of a Dataset is a Dataset.
    Make one from your own arrays with `Dataset.checked`, which looks at every value.
    """

    inputs: Any
    labels: Any
    classes: tuple[str, ...] = dataclasses.field(metadata={"static": True})

    __iter__ = None  # else Python counts through __getitem__, which no jax array ends

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: Any) -> "Dataset":
        """The examples at `index`: a slice, or an array of positions."""
        return dataclasses.replace(self, inputs=self.inputs[index], labels=self.labels[index])

    @classmethod
    def checked(cls, inputs: ArrayLike, labels: ArrayLike, classes: tuple[str, ...]) -> "Dataset":
        """A Dataset of arrays that have been looked at.

        Args:
          inputs: (n, …) numbers; floats become float32.
          labels: (n,) integers, each the position of a class in `classes`.
          classes: the names of the classes.

        Raises:
          TypeError: inputs are no numbers, labels no integers.
          ValueError: no examples, lengths that differ, NaN or infinity, a label outside the classes.
        """
        inputs, labels = np.asarray(inputs), np.asarray(labels)
        if labels.ndim != 1 or inputs.ndim < 1 or len(inputs) != len(labels):
            raise ValueError(
                f"labels: expected one for each of the inputs, got shapes {inputs.shape} and {labels.shape}"
            )
        if not len(labels):
            raise ValueError("inputs: expected at least one example, got none")
        expect.numbers("inputs", inputs)
        if np.issubdtype(inputs.dtype, np.floating):
            inputs = inputs.astype(np.float32)
        expect.finite("inputs", inputs)
        expect.positions("labels", labels, len(inputs), len(classes))
        return cls(inputs, labels.astype(np.int32), tuple(classes))

    @classmethod
    def of_images(cls, pixels: ArrayLike, labels: ArrayLike, classes: tuple[str, ...]) -> "Dataset":
        """A Dataset from grey values 0–255, (n, height, width): scaled to [0, 1], with a channel axis.

        Raises as `checked` does, and ValueError for floats of at most 1, which are scaled already.
        """
        pixels = np.asarray(pixels)
        if pixels.ndim != 3:
            raise ValueError(f"pixels: expected shape (n, height, width), got {pixels.shape}")
        expect.numbers("pixels", pixels)
        expect.within("pixels", pixels, 0, 255)
        if np.issubdtype(pixels.dtype, np.floating) and 0 < pixels.max(initial=0) <= 1:
            raise ValueError(
                f"pixels: expected grey values from 0 to 255, got floats up to {pixels.max():g}. Where they are scaled "
                "already, give them to `Dataset.checked`, with a channel axis"
            )
        return cls.checked((pixels / np.float32(255))[..., None], labels, classes)
