"""From a model that predicts the next token to whole texts: one compiled loop for a batch."""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, ArrayLike, Bool, Int, Key, PyTree

from gdlib import expect
from gdlib.data import tokens


def decode(
    model: Any,
    conditions: PyTree,
    rng_key: Key[Array, ""],
    *,
    steps: int,
    temperature: ArrayLike = 1.0,
) -> Int[Array, "batch steps"]:
    """Draw texts from p(text | condition), token by token.

    Args:
      model: gives `start(batch, steps) -> carry`, with room for so many tokens, and
        `next(carry, tokens, conditions) -> (carry, logits)`; and, if it likes, `check_conditions`, which raises.
      conditions: a pytree of arrays with one row for each text.
      rng_key: what the draws depend on.
      steps: tokens at most.
      temperature: logits are divided by it. 1 draws from the model; 0 takes the most probable token each time.

    Returns tokens without START; after END comes PAD. A text that found no end within `steps` has none. PAD and
    START are never drawn: no text holds them. Raises ValueError for no rows, conditions that the model does not know, a
    temperature below 0, more steps than the model can write, and a model whose logits are NaN.
    """
    batch = expect.examples("conditions", conditions)
    if hasattr(model, "check_conditions"):
        model.check_conditions(conditions)
    steps = expect.positive_int("steps", steps)
    expect.within("temperature", temperature, 0, jnp.inf)
    chosen, numbers = _decode(
        *nnx.split(model), conditions, rng_key, jnp.asarray(temperature, jnp.float32), batch, steps
    )
    if not numbers:
        raise ValueError("model: expected logits that are numbers, got NaN")
    return chosen


@partial(jax.jit, static_argnames=("graphdef", "batch", "steps"))
def _decode(graphdef, state, conditions, rng_key, temperature, batch: int, steps: int):
    return write(nnx.merge(graphdef, state), conditions, rng_key, temperature, batch, steps)


def write(
    model: Any, conditions: PyTree, rng_key: Key[Array, ""], temperature: Array, batch: int, steps: int
) -> tuple[Int[Array, "batch steps"], Bool[Array, ""]]:
    """What `decode` compiles, to be compiled with something before it: (tokens, whether all logits were numbers).

    Nothing is checked.
    """

    def one(loop, rng_key):
        carry, latest, ended = loop
        carry, logits = model.next(carry, latest, conditions)
        numbers = ~jnp.isnan(logits).any()
        logits = logits.at[:, [tokens.PAD, tokens.START]].set(-jnp.inf)
        drawn = jax.random.categorical(rng_key, logits / jnp.where(temperature > 0, temperature, 1))
        chosen = jnp.where(temperature > 0, drawn, logits.argmax(axis=-1))
        chosen = jnp.where(ended, tokens.PAD, chosen)
        return (carry, chosen, ended | (chosen == tokens.END)), (chosen, numbers)

    first = (model.start(batch, steps), jnp.full(batch, tokens.START), jnp.zeros(batch, bool))
    _, (chosen, numbers) = jax.lax.scan(one, first, jax.random.split(rng_key, steps))
    return chosen.T, numbers.all()
