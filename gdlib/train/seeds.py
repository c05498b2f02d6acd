"""Many runs in one: modules with a leading axis of seeds."""

import operator
from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import optax
from flax import nnx
from jaxtyping import Array, ArrayLike, PyTree

from gdlib import expect


def create(
    make: Callable[..., PyTree],
    rng_key: Array,
    optimizer: optax.GradientTransformation | None = None,
    *arguments: ArrayLike,
) -> PyTree:
    """What `make` makes of a key, in one compiled program; of a vector of keys, with a leading axis of seeds.

    Args:
      make: `make(rngs, *arguments) -> modules`, such as `lambda rngs: MLP((28, 28, 1), (128,), 10, rngs=rngs)`.
      rng_key: a key, or a vector of keys, one a seed.
      optimizer: where it is given, `make` makes a model, and (model, its optimizer) is returned: the `modules` of a
        `gradient_step`.
      arguments: arrays for `make`; with many keys, a row for each.

    Raises TypeError or ValueError for what is no such key.

    Example:
      >>> keys = jax.random.split(jax.random.key(0), 3)
      >>> model, optimizer = create(lambda rngs: nnx.Linear(2, 5, rngs=rngs), keys, optax.adam(1e-3))
      >>> model.kernel.shape
      (3, 2, 5)
    """
    own = _no_optimizers if optimizer is None else _one_optimizer
    return _created(make, own, optimizer, expect.random_key("rng_key", rng_key), arguments)


def create_game(
    make: Callable[..., PyTree], rng_key: Array, optimizer: optax.GradientTransformation
) -> PyTree:
    """(GAN, its generator's optimizer, its discriminator's), the `modules` of an `adversarial_step`: as `create`.

    Args:
      make: `make(rngs)` makes what has a `generator` and a `discriminator`.
    """
    return _created(make, _two_optimizers, optimizer, expect.random_key("rng_key", rng_key), ())


def _no_optimizers(made: PyTree, optimizer: None) -> PyTree:
    del optimizer
    return made


def _one_optimizer(model: nnx.Module, optimizer: optax.GradientTransformation) -> tuple:
    return model, nnx.Optimizer(model, optimizer, wrt=nnx.Param)


def _two_optimizers(gan: Any, optimizer: optax.GradientTransformation) -> tuple:
    players = gan.generator, gan.discriminator
    return gan, *(nnx.Optimizer(player, optimizer, wrt=nnx.Param) for player in players)


def _created(make, with_optimizers, optimizer, rng_key: Array, arguments: tuple) -> PyTree:
    # Weights are drawn once: what the compiler would win in the drawing, it takes longer to find. The key's own device
    # runs the program; what other compilers make of that option is not known.
    on_cpu = {device.device_kind for device in rng_key.devices()} == {"cpu"}
    program = _split_quickly if on_cpu else _split
    return nnx.merge(*program(make, with_optimizers, optimizer, rng_key, arguments))


def _made(make, with_optimizers, optimizer, rng_key: Array, arguments: tuple) -> tuple:
    def one(rng_key: Array, arguments: tuple) -> tuple:
        return nnx.split(with_optimizers(make(nnx.Rngs(rng_key), *arguments), optimizer))

    if not rng_key.ndim:
        return one(rng_key, arguments)
    # Seed after seed: on a machine with two cores, batches of the QR factorisations that draw orthogonal weights wait
    # for each other for ever (jaxlib 0.10.2).
    return jax.lax.map(lambda seed: one(*seed), (rng_key, arguments))


_jit = partial(jax.jit, static_argnames=("make", "with_optimizers", "optimizer"))
_split = _jit(_made)
_split_quickly = _jit(_made, compiler_options={"xla_backend_optimization_level": 0})


def select_seed(modules: PyTree, seed: int) -> PyTree:
    """One seed's modules, out of modules with a leading seed axis: copies, without that axis.

    Example:
      >>> models = create(lambda rngs: nnx.Linear(2, 5, rngs=rngs), jax.random.split(jax.random.key(0), 3))
      >>> models.kernel.shape, select_seed(models, 1).kernel.shape
      ((3, 2, 5), (2, 5))
    """
    graphdef, state = nnx.split(modules)
    counts = {leaf.shape[0] if leaf.ndim else 0 for leaf in jax.tree.leaves(state)}
    if len(counts) != 1 or 0 in counts:
        raise ValueError(f"modules: expected one leading seed axis in every array, got sizes {counts}")
    if not 0 <= operator.index(seed) < (count := counts.pop()):
        raise ValueError(f"seed: expected 0 to {count - 1}, got {seed}")
    return nnx.merge(graphdef, _row(state, seed))


def each_seed(modules: PyTree) -> list[PyTree]:
    """Every seed's modules, out of modules with a leading seed axis, as `select_seed` gives them."""
    seeds = jax.tree.leaves(nnx.state(modules))[0].shape[0]
    return [select_seed(modules, seed) for seed in range(seeds)]


@jax.jit
def _row(tree: PyTree, index: ArrayLike) -> PyTree:
    return jax.tree.map(lambda leaf: leaf[index], tree)
