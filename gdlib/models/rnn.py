"""Recurrent networks: one function of a state and an input, used at every step of a sequence.

A cell's step has two products, one of the input and one of the state, for all of its gates at once; `advance`
combines them, unit by unit. Its carry is a tuple whose last member is the state h, the only one that others see.
"""

from collections.abc import Callable
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Bool, Float, Int

from gdlib import expect, layers
from gdlib.kernels.products import steps_product
from gdlib.kernels.recurrence import with_gradient_by_hand

Carry = tuple[Array, ...]


class Cell(nnx.Module):
    """One step, carry → carry: advance(carry, W x + b, U h), where W and U hold the rows of all gates.

    Args:
      features: of an input.
      hidden: units of the state.
      rngs: the source of the initial weights: W by LeCun's rule, each gate's U orthogonal.

    Raises TypeError or ValueError where a size is no positive integer.
    """

    gates: ClassVar[int]
    memories: ClassVar[int] = 1
    recurrent_bias: ClassVar[bool] = False

    def __init__(self, features: int, hidden: int, *, rngs: nnx.Rngs):
        self.features = expect.positive_int("features", features)
        self.hidden = expect.positive_int("hidden", hidden)
        self.inputs = nnx.Linear(features, self.gates * hidden, dot_general=steps_product, rngs=rngs)
        self.recurrent = nnx.Linear(
            hidden, self.gates * hidden, use_bias=self.recurrent_bias, kernel_init=_orthogonal, rngs=rngs
        )

    def start(self, batch: int) -> Carry:
        """Zeros, (batch, hidden) each, of the weights' type."""
        return (jnp.zeros((batch, self.hidden), self.recurrent.kernel.dtype),) * self.memories

    @staticmethod
    def advance(
        carry: Carry, driven: Float[Array, "batch gates"], recurrent: Float[Array, "batch gates"]
    ) -> Carry:
        """The carry after a step, unit by unit."""
        raise NotImplementedError

    def __call__(self, carry: Carry, inputs: Float[Array, "batch features"]) -> Carry:
        expect.trailing_shape("inputs", inputs, (self.features,))
        return self.advance(carry, self.inputs(inputs), self.recurrent(carry[-1]))


def _orthogonal(rng_key, shape, dtype=jnp.float32, out_sharding=None):
    """An orthogonal matrix for each gate, side by side."""
    hidden, width = shape
    keys = jax.random.split(rng_key, width // hidden)
    return jnp.concatenate(
        [nnx.initializers.orthogonal()(key, (hidden, hidden), dtype) for key in keys], axis=1
    )


class PlainCell(Cell):
    """h′ = tanh(W x + b + U h). Reference: Elman (1990)."""

    gates = 1

    @staticmethod
    def advance(carry, driven, recurrent):
        return (jnp.tanh(driven + recurrent),)


class LSTMCell(Cell):
    """The carry is (c, h), a memory and a state.

    With i, f, g, o the four parts of W x + b + U h:

      c′ = σ(f) c + σ(i) tanh(g),    h′ = σ(o) tanh(c′).

    Args:
      forget_bias: what the bias of f is at first. With 1, σ(f) is near 0.73 and a
        memory halves in 2.2 steps; with 0, in one.

    Reference: Hochreiter & Schmidhuber (1997); the forget gate and its positive bias by Gers et al.
    (2000); the value 1 by Jozefowicz et al. (2015).
    """

    gates, memories = 4, 2

    def __init__(self, features: int, hidden: int, *, forget_bias: float = 1.0, rngs: nnx.Rngs):
        super().__init__(features, hidden, rngs=rngs)
        bias: Any = self.inputs.bias
        bias[...] = bias[...].at[hidden : 2 * hidden].set(forget_bias)

    @staticmethod
    def advance(carry, driven, recurrent):
        memory, _ = carry
        i, f, g, o = jnp.split(driven + recurrent, 4, axis=-1)
        memory = jax.nn.sigmoid(f) * memory + jax.nn.sigmoid(i) * jnp.tanh(g)
        return memory, jax.nn.sigmoid(o) * jnp.tanh(memory)


class GRUCell(Cell):
    """The carry is (h,): the update gate z mixes the state before and a new one.

    With r̂, ẑ, n̂ the three parts of W x + b and r̂′, ẑ′, n̂′ those of U h + b′:

      r = σ(r̂ + r̂′),  z = σ(ẑ + ẑ′),    h′ = (1 − z) tanh(n̂ + r n̂′) + z h.

    Reference: Cho et al. (2014), whose reset gate acts on h before the product; here, as in cuDNN, after it.
    """

    gates, recurrent_bias = 3, True

    @staticmethod
    def advance(carry, driven, recurrent):
        (h,) = carry
        (r, z, n), (r_h, z_h, n_h) = (jnp.split(part, 3, axis=-1) for part in (driven, recurrent))
        update = jax.nn.sigmoid(z + z_h)
        return ((1 - update) * jnp.tanh(n + jax.nn.sigmoid(r + r_h) * n_h) + update * h,)


def unroll(
    cell: Cell,
    sequences: Float[Array, "batch time features"],
    lengths: Int[Array, " batch"] | None = None,
    carry: Carry | None = None,
) -> tuple[Float[Array, "batch time hidden"], Carry]:
    """(the state after every step, the last carry): the cell used once a step, in one compiled scan.

    Args:
      cell: whose `advance` is applied to each step.
      sequences: the inputs; padding may follow where `lengths` says so.
      lengths: how many steps of each sequence count, default all. After them the carry stands still: what is
        returned is then the last *valid* state, and the padding has no influence on values or gradients.
      carry: where to begin, default `cell.start`.

    Raises ValueError for inputs of another width, no steps at all, and lengths outside 1 to `time`. Under jit,
    where lengths have no values yet, a length of 0 leaves the carry as it began, and one beyond `time` counts as
    `time`. Its gradient is written by hand, so that reverse mode alone differentiates it.
    """
    sequences, valid = _time_first(cell, sequences, lengths)
    start = cell.start(sequences.shape[1]) if carry is None else carry
    driven = cell.inputs(sequences)  # W x + b of all steps at once
    states, last = recur(cell.advance, *_recurrent(cell, driven, start), valid)
    return states.swapaxes(0, 1), last


@with_gradient_by_hand
def recur(
    advance: Callable,
    driven: Float[Array, "time batch gates"],
    kernel: Float[Array, "hidden gates"],
    bias: Float[Array, " gates"],
    carry: Carry,
    valid: Bool[Array, "time batch"] | None,
) -> tuple[Float[Array, "time batch hidden"], Carry]:
    """(states, last carry): carry ← advance(carry, driven, U h + bias), but where a step is not valid it stays."""

    def step(carry: Carry, now: tuple) -> tuple[Carry, Array]:
        driven, valid = now
        new = advance(carry, driven, carry[-1] @ kernel + bias)
        if valid is not None:
            new = jax.tree.map(lambda a, b: jnp.where(valid[:, None], a, b), new, carry)
        return new, new[-1]

    carry, states = jax.lax.scan(step, carry, (driven, valid))
    return states, carry


def _time_first(cell: Cell, sequences: Array, lengths: Array | None) -> tuple[Array, Array | None]:
    """Sequences as a scan wants them, (time, batch, features), and which steps are valid; zeros where none is."""
    if sequences.ndim != 3 or sequences.shape[-1] != cell.features or not sequences.shape[1]:
        raise ValueError(
            f"sequences: expected shape (batch, time, {cell.features}) with at least one step, got {sequences.shape}"
        )
    batch, time, _ = sequences.shape
    if lengths is None:
        return sequences.swapaxes(0, 1), None
    expect.positions("lengths", lengths, batch, time + 1, lowest=1)
    valid = jnp.arange(time)[:, None] < lengths
    return jnp.where(valid[..., None], sequences.swapaxes(0, 1), 0), valid


def _recurrent(cell: Cell, driven: Array, carry: Carry) -> tuple[Array, Array, Array, Carry]:
    """What a recurrence takes, in the type that holds it all: what a scan carries keeps its type."""
    kernel = cell.recurrent.kernel[...]
    own: Any = cell.recurrent.bias
    bias = own[...] if cell.recurrent_bias else jnp.zeros(kernel.shape[1], kernel.dtype)
    arrays = driven, kernel, bias, carry
    dtype = jnp.result_type(*jax.tree.leaves(arrays))
    return jax.tree.map(lambda array: array.astype(dtype), arrays)


class SequenceClassifier(nnx.Module):
    """A sequence → one logit a class, from the last valid state: a dense layer with ReLU, and one to the logits.

    Args:
      cell: that reads the sequence.
      classes: how many.
      dense: units of the layer between state and logits.
      vocabulary: where sequences are tokens, how many there are; each gets a vector of `cell.features` numbers.
      rngs: the source of the initial weights.
    """

    def __init__(
        self, cell: Cell, classes: int, *, dense: int = 128, vocabulary: int | None = None, rngs: nnx.Rngs
    ):
        expect.positive_int("classes", classes)
        expect.positive_int("dense", dense)
        self.cell, self.vocabulary = cell, vocabulary
        if vocabulary is not None:
            expect.positive_int("vocabulary", vocabulary)
            self.embedding = nnx.Embed(vocabulary, cell.features, rngs=rngs)
        self.dense = nnx.Linear(cell.hidden, dense, kernel_init=nnx.initializers.he_normal(), rngs=rngs)
        self.logits = nnx.Linear(dense, classes, rngs=rngs)

    def states(
        self, sequences: Array, lengths: Int[Array, " batch"] | None = None
    ) -> Float[Array, "batch time hidden"]:
        """The state after every step; after the last valid one, that one."""
        return unroll(self.cell, self._embedded(sequences), lengths)[0]

    def read_out(self, states: Float[Array, "*batch hidden"]) -> Float[Array, "*batch classes"]:
        """Logits from states."""
        return self.logits(nnx.relu(self.dense(states)))

    def __call__(
        self, sequences: Array, lengths: Int[Array, " batch"] | None = None
    ) -> Float[Array, "batch classes"]:
        """Logits, from sequences (batch, time, features) or tokens (batch, time)."""
        _, carry = unroll(self.cell, self._embedded(sequences), lengths)
        return self.read_out(carry[-1])

    def _embedded(self, sequences: Array) -> Float[Array, "batch time features"]:
        if self.vocabulary is None:
            return sequences
        return layers.embedded(self.embedding, sequences)


class CharacterModel(nnx.Module):
    """p(text | condition) = Πₜ p(tokenₜ | tokens before it, condition): tokens → the next one's logits.

    Args:
      cell: that reads the text so far.
      vocabulary: how many tokens there are.
      conditions: how many there are; each has a vector that is added to every token's.
      rngs: the source of the initial weights.
    """

    def __init__(self, cell: Cell, vocabulary: int, conditions: int, *, rngs: nnx.Rngs):
        expect.positive_int("vocabulary", vocabulary)
        expect.positive_int("conditions", conditions)
        self.cell = cell
        self.embedding = nnx.Embed(vocabulary, cell.features, rngs=rngs)
        self.condition = nnx.Embed(conditions, cell.features, rngs=rngs)
        self.logits = nnx.Linear(cell.hidden, vocabulary, rngs=rngs)

    def __call__(
        self, tokens: Int[Array, "batch time"], conditions: Int[Array, " batch"]
    ) -> Float[Array, "batch time vocabulary"]:
        """At each position the logits of the token that comes next."""
        inputs = layers.embedded(self.embedding, tokens) + layers.embedded(
            self.condition, conditions[:, None]
        )
        return self.logits(unroll(self.cell, inputs)[0])

    def check_conditions(self, conditions: Int[Array, " batch"]) -> None:
        """Raise TypeError or ValueError for what is none of them."""
        expect.tokens("conditions", conditions, self.condition.num_embeddings)

    def start(self, batch: int, steps: int | None = None) -> Carry:
        """What is known before the first token: nothing. A state has room for any number of steps."""
        del steps
        return self.cell.start(batch)

    def next(
        self, carry: Carry, tokens: Int[Array, " batch"], conditions: Int[Array, " batch"]
    ) -> tuple[Carry, Float[Array, "batch vocabulary"]]:
        """One token further: (carry, the logits of the token that comes next)."""
        inputs = layers.embedded(self.embedding, tokens) + layers.embedded(self.condition, conditions)
        carry = self.cell(carry, inputs)
        return carry, self.logits(carry[-1])
