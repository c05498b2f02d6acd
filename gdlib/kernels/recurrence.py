"""Backpropagation through time, written out: the recurrent kernel's gradient is one product for all steps."""

from collections.abc import Callable
from functools import wraps

import jax
import jax.numpy as jnp


def with_gradient_by_hand(formula: Callable) -> Callable:
    """`formula`, a recurrence (advance, driven, …, valid) → (states, carry), with `backward` for its gradient."""
    recurrence = jax.custom_vjp(formula, nondiff_argnums=(0,))
    recurrence.defvjp(_forward, backward)
    return wraps(formula)(lambda *arguments: recurrence(*arguments))


def _forward(advance, driven, kernel, bias, carry, valid):
    def step(carry, now):
        driven, valid = now
        stepped = _standing_still(_sparing(advance), valid)
        new, pull_back = jax.vjp(stepped, carry, driven, carry[-1] @ kernel + bias)
        return new, (new[-1], carry[-1], pull_back)

    carry, (states, before, pull_backs) = jax.lax.scan(step, carry, (driven, valid))
    return (states, carry), (kernel, before, pull_backs)


def backward(advance, saved, cotangents):
    """Backpropagation through time: from the last step to the first, δ is the loss's gradient in the carry.

    What the state sent to the loss joins it, `pull_back` takes it through one `advance`, and Uᵀ to the state before.

    Args:
      saved: the kernel U, the state before each step, and each step's `pull_back`.
      cotangents: the loss's gradient in all states, and in the last carry.
    """
    del advance
    kernel, before, pull_backs = saved
    from_states, from_carry = cotangents

    def step(delta, now):
        from_state, pull_back = now
        *memories, h = delta
        delta, driven, recurrent = pull_back((*memories, h + from_state))
        *memories, h = delta
        return (*memories, h + recurrent @ kernel.T), (driven, recurrent)

    delta, (driven, recurrent) = jax.lax.scan(step, from_carry, (from_states, pull_backs), reverse=True)
    in_kernel = jnp.einsum("tbh,tbg->hg", before, recurrent)  # all steps in one product
    return driven, in_kernel, recurrent.sum(axis=(0, 1)), delta, None


def _standing_still(advance, valid):
    """`advance`, but where a step is not valid the carry stays as it is."""

    def stepped(carry, driven, recurrent):
        new = advance(carry, driven, recurrent)
        if valid is None:
            return new
        return jax.tree.map(lambda a, b: jnp.where(valid[:, None], a, b), new, carry)

    return stepped


def _sparing(advance):
    """`advance`, but backpropagation keeps no more of it than the squashed values: the rest follows from them."""

    def squashed(operation, *_, **__):
        return operation.name in ("tanh", "logistic")

    return jax.checkpoint(advance, policy=squashed, prevent_cse=False)
