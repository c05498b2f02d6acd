"""One update of an optimizer, with all that a transformation of Optax may ask for; or its refusal, by name."""

import inspect
import traceback
from collections.abc import Callable
from pathlib import Path

import jax
import optax
import optax.contrib
from flax import nnx
from jaxtyping import Array, PyTree

OPTAX = Path(optax.__file__).parent


def at_weights(loss: Callable, *modules: nnx.Module, argument: int = 0) -> Callable[..., Array]:
    """The loss as a pure function of the weights of one of its modules, for what tries several of them.

    All else stays as it is now, the noise of dropout too: at the present weights it is the loss itself.
    """
    graphdef, state = nnx.split(modules)
    state = jax.tree.map(lambda leaf: leaf, state)  # the loss changes the modules' own in place

    def loss_at(weights: PyTree, obj_fn: Callable | None = None) -> Array:
        del obj_fn  # a line search hands on to its `value_fn` what it does not take itself
        copies = nnx.merge(graphdef, state, copy=True)
        nnx.update(copies[argument], weights)
        return loss(*copies)[0]

    return loss_at


def descend(optimizer: nnx.Optimizer, model, gradient: PyTree, loss: Array, loss_at: Callable) -> None:
    """`optimizer.update(model, gradient)`, with the loss for a transformation that asks for it, too.

    Raises TypeError where the transformation wants still more, a gradient for each example, or a state of
    another form after the update.
    """
    gradient = nnx.state(gradient, optimizer.wrt)
    offered = {"value": loss, "grad": gradient, "value_fn": loss_at, "obj_fn": loss_at}
    parameters = inspect.signature(optimizer.tx.update).parameters
    if not any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values()):
        offered = {name: value for name, value in offered.items() if name in parameters}
    before = _forms(optimizer)
    try:
        optimizer.update(model, gradient, **offered)
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        raise TypeError(
            "optimizer: expected a transformation that needs no more than the gradient, the weights and the "
            f"loss (value, grad, value_fn, obj_fn); {_transformation(error)} says: {error}"
        ) from error
    if (after := _forms(optimizer)) != before:
        changed = sorted({name for name, _ in set(before) ^ set(after)})
        raise TypeError(
            "optimizer: expected a state that keeps its structure, shapes and types in an update, got another "
            f"{' and another '.join(changed)} after it"
        )


def _forms(optimizer: nnx.Optimizer) -> list[tuple[str, tuple]]:
    """Of each transformation that the optimizer chains: its state's name, and its structure, types and shapes.

    Raises TypeError for one that aggregates gradients of single examples: it would take the first axis of the
    weights for the examples.
    """
    private = optax.contrib.DifferentiallyPrivateAggregateState
    states = jax.tree.leaves(optimizer.opt_state, is_leaf=lambda node: isinstance(node, private))
    if any(isinstance(state, private) for state in states):
        raise TypeError(
            "optimizer: expected a transformation of one gradient a minibatch; differentially_private_aggregate "
            "(as in dpsgd) wants one for each example"
        )
    states = jax.tree.leaves(optimizer.opt_state, is_leaf=lambda node: hasattr(node, "_fields"))
    return [(type(state).__name__, _form(state)) for state in states]


def _form(tree: PyTree) -> tuple:
    leaves, structure = jax.tree.flatten(tree)
    return structure, tuple((leaf.dtype, leaf.shape) for leaf in leaves)


def _transformation(error: Exception) -> str:
    """The innermost of Optax's transformations that an error came through, by its constructor's name."""
    codes = [frame.f_code for frame, _ in traceback.walk_tb(error.__traceback__)]
    inside = [code.co_qualname for code in codes if Path(code.co_filename).is_relative_to(OPTAX)]
    made = [name.split(".")[0] for name in inside if ".<locals>." in name]
    return made[-1] if made else "its update"
