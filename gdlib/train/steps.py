"""Steps: what is done with one minibatch.

A step is `step(modules, batch, rng_key) -> dict of scalars`. `modules` is a tuple of everything that changes,
optimizers included, which the step updates in place.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import optax
from flax import nnx
from jaxtyping import Array, PyTree

from gdlib import expect
from gdlib.train.chunk import Metrics, Step, scalars
from gdlib.train.update import at_weights, descend

Objective = Callable[[nnx.Module, PyTree, Array], Metrics]
Game = Callable[[nnx.Module, nnx.Module, PyTree, Array], Metrics]


def gradient_step(objective: Objective) -> Step:
    """A step for `modules = (model, optimizer)`: one update down the gradient of the loss.

    Args:
      objective: `objective(model, batch, rng_key) -> dict of scalars`; "loss" is the one minimised.

    The step returns these scalars and "grad_norm", the Euclidean norm of the whole gradient. An optimizer that
    asks for the loss gets it (`optax.contrib.reduce_on_plateau`, `optax.lbfgs`).

    Raises TypeError where the optimizer wants more than the gradient, the weights and the loss.
    """

    def step(modules: tuple, batch: PyTree, rng_key: Array) -> Metrics:
        model, optimizer = modules

        def loss(model: nnx.Module) -> tuple[Array, Metrics]:
            return _loss_and_scalars(objective(model, batch, rng_key))

        loss_at = at_weights(loss, model)
        gradient, metrics = nnx.grad(loss, has_aux=True)(model)
        descend(optimizer, model, gradient, metrics["loss"], loss_at)
        return {**metrics, "grad_norm": optax.tree.norm(gradient)}

    return step


def evaluation_step(objective: Objective) -> Step:
    """A step that updates nothing: the objective's scalars on the first of the modules, the model.

    It works on a copy in evaluation mode (no dropout, batch normalisation by its running statistics): the
    model keeps its mode and its statistics.
    """

    def step(modules: tuple, batch: PyTree, rng_key: Array) -> Metrics:
        model = nnx.merge(*nnx.split(modules[0]), copy=True)
        model.eval()
        return scalars("objective", objective(model, batch, rng_key))

    return step


def adversarial_step(
    discriminator_objective: Game, generator_objective: Game, *, critic_steps: int = 1
) -> Step:
    """A step for `modules = (gan, generator_optimizer, discriminator_optimizer)`.

    The minibatch is cut into `critic_steps` parts. The discriminator makes an update on each of
    them, and then the generator makes one; each down the gradient of its own loss, in its own
    weights alone.

    Args:
      discriminator_objective, generator_objective: `objective(generator, discriminator, batch,
        rng_key) -> dict of scalars`, with a "loss".
      critic_steps: updates of the discriminator for each of the generator.

    The step returns the scalars of both at their last update, and the norms of their gradients,
    each name led by "generator_" or "discriminator_".

    Raises ValueError for more critic steps than a minibatch has examples, and TypeError as `gradient_step` does.
    """
    critic_steps = expect.positive_int("critic_steps", critic_steps)

    def update(objective, argument, gan, optimizer, batch, rng_key) -> Metrics:
        def loss(generator: nnx.Module, discriminator: nnx.Module) -> tuple[Array, Metrics]:
            return _loss_and_scalars(objective(generator, discriminator, batch, rng_key))

        players = (gan.generator, gan.discriminator)
        loss_at = at_weights(loss, *players, argument=argument)
        gradient, metrics = nnx.grad(loss, argnums=argument, has_aux=True)(*players)
        descend(optimizer, players[argument], gradient, metrics["loss"], loss_at)
        return {**metrics, "grad_norm": optax.tree.norm(gradient)}

    def step(modules: tuple, batch: PyTree, rng_key: Array) -> Metrics:
        gan, generator_optimizer, discriminator_optimizer = modules
        *critic_keys, generator_key = jax.random.split(rng_key, critic_steps + 1)
        for key, part in zip(critic_keys, _parts(batch, critic_steps), strict=True):
            judged = update(discriminator_objective, 1, gan, discriminator_optimizer, part, key)
        made = update(generator_objective, 0, gan, generator_optimizer, part, generator_key)
        named = {"discriminator": judged, "generator": made}
        return {f"{player}_{name}": v for player, found in named.items() for name, v in found.items()}

    return step


def _loss_and_scalars(metrics: Metrics) -> tuple[Array, Metrics]:
    metrics = scalars("objective", metrics)
    if "loss" not in metrics:
        raise ValueError(f'objective: expected "loss" among its scalars, got {sorted(metrics)}')
    return metrics["loss"], metrics


def _parts(batch: PyTree, count: int) -> list[PyTree]:
    """The minibatch cut along its first axis, into parts as equal as can be."""
    leaves, structure = jax.tree.flatten(batch)
    if len(leaves[0]) < count:
        raise ValueError(
            f"critic_steps: expected at most as many as a minibatch has examples, got {count} for {len(leaves[0])}"
        )
    cut = [jnp.array_split(leaf, count) for leaf in leaves]
    return [jax.tree.unflatten(structure, part) for part in zip(*cut, strict=True)]
