"""Many runs in one: modules with a leading axis of seeds."""

import operator
from collections.abc import Callable
from functools import partial

import jax
import optax
from flax import nnx
from jaxtyping import Array, ArrayLike, PyTree

from gdlib import expect


def create(
    make: Callable[[nnx.Rngs], PyTree],
    rng_key: Array,
    optimizer: optax.GradientTransformation | None = None,
) -> PyTree:
    """What `make(rngs)` makes of a key, in one compiled program; of a vector of keys, with a leading axis of seeds.

    Args:
      make: `make(rngs) -> modules`, such as `lambda rngs: MLP((28, 28, 1), (128,), 10, rngs=rngs)`.
      rng_key: a key, or a vector of keys, one a seed.
      optimizer: where it is given, `make` makes a model, and (model, its optimizer) is returned: the `modules` of a
        `gradient_step`.

    Raises TypeError or ValueError for what is no such key.
    """
    rng_key = expect.random_key("rng_key", rng_key)
    on_cpu = {device.platform for device in rng_key.devices()} == {"cpu"}
    return nnx.merge(*(_created_quickly if on_cpu else _created)(make, optimizer, rng_key))


def _split(make, optimizer, rng_key: Array) -> tuple:
    def one(rng_key: Array) -> tuple:
        made = make(nnx.Rngs(rng_key))
        return nnx.split(made if optimizer is None else (made, nnx.Optimizer(made, optimizer, wrt=nnx.Param)))

    return (jax.vmap(one) if rng_key.ndim else one)(rng_key)


_jit = partial(jax.jit, static_argnames=("make", "optimizer"))
_created = _jit(_split)
# Weights are drawn once: what the compiler would win in the drawing, it takes longer to find.
_created_quickly = _jit(_split, compiler_options={"xla_backend_optimization_level": 0})


def select_seed(modules: PyTree, seed: int) -> PyTree:
    """One seed's modules, out of modules with a leading seed axis: copies, without that axis."""
    graphdef, state = nnx.split(modules)
    seeds = {leaf.shape[0] if leaf.ndim else None for leaf in jax.tree.leaves(state)}
    if len(seeds) != 1 or None in seeds:
        raise ValueError(f"modules: expected one leading seed axis in every array, got sizes {seeds}")
    if not 0 <= operator.index(seed) < (count := seeds.pop()):
        raise ValueError(f"seed: expected 0 to {count - 1}, got {seed}")
    return nnx.merge(graphdef, _row(state, seed))


@jax.jit
def _row(tree: PyTree, index: ArrayLike) -> PyTree:
    return jax.tree.map(lambda leaf: leaf[index], tree)
