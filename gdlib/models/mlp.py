"""The multilayer perceptron: a classifier that knows nothing of how its inputs are arranged."""

import itertools
import math
from collections.abc import Sequence

from flax import nnx
from jaxtyping import Array, Float

from gdlib import expect


class MLP(nnx.Module):
    """An example → one logit a class: dense layers with ReLU between them.

    Without hidden layers it is linear: softmax regression.

    Args:
      example_shape: of one example, without the batch axis.
      hidden: units of the hidden layers.
      classes: how many.
      rngs: the source of the initial weights.

    Raises TypeError or ValueError where a size is no positive integer.
    """

    def __init__(
        self, example_shape: tuple[int, ...], hidden: Sequence[int], classes: int, *, rngs: nnx.Rngs
    ):
        named = {"example_shape": example_shape, "hidden": hidden, "classes": (classes,)}
        for name, sizes in named.items():
            for size in sizes:
                expect.positive_int(name, size)
        self.example_shape, self.classes = tuple(example_shape), classes
        sizes = (math.prod(example_shape), *hidden)
        self.hidden = nnx.List(
            nnx.Linear(a, b, kernel_init=nnx.initializers.he_normal(), rngs=rngs)
            for a, b in itertools.pairwise(sizes)
        )
        self.logits = nnx.Linear(sizes[-1], classes, rngs=rngs)

    def __call__(self, examples: Float[Array, "batch ..."]) -> Float[Array, "batch classes"]:
        expect.trailing_shape("examples", examples, self.example_shape)
        h = examples.reshape(len(examples), math.prod(self.example_shape))
        for layer in self.hidden:
            h = nnx.relu(layer(h))
        return self.logits(h)
