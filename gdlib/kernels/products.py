"""Products of matrices whose fast order of factors depends on the processor."""

from functools import partial

import jax
from jaxtyping import Array, Float


def rows_product(
    lhs: Float[Array, "*rows inputs"], rhs: Float[Array, "inputs outputs"], dimension_numbers, **options
) -> Float[Array, "*rows outputs"]:
    """What a dense layer needs of `jax.lax.dot_general`, with all leading axes as the rows of one matrix.

    The same numbers; but the kernel's gradient is one product without a copy, which takes two thirds of the time on
    the CPU. Give it to Flax: `nnx.Linear(…, dot_general=rows_product)`.

    Raises ValueError for any other product than lhs's last axis with rhs's first.
    """
    if dimension_numbers != (((lhs.ndim - 1,), (0,)), ((), ())) or rhs.ndim != 2:
        raise ValueError(
            f"dimension_numbers: expected lhs's last axis and a matrix's first, got {dimension_numbers} for shapes "
            f"{lhs.shape} and {rhs.shape}"
        )
    flat = jax.lax.dot_general(lhs.reshape(-1, lhs.shape[-1]), rhs, (((1,), (0,)), ((), ())), **options)
    return flat.reshape(*lhs.shape[:-1], rhs.shape[-1])


@partial(jax.jit, inline=True)
def transposed_product(
    large: Float[Array, "*batch to from"], small: Float[Array, "*batch to d"]
) -> Float[Array, "*batch from d"]:
    """largeᵀ @ small."""
    return jax.lax.platform_dependent(large, small, cpu=_small_transposed, default=_large_transposed)


def _large_transposed(large, small):
    return large.swapaxes(-1, -2) @ small


def _small_transposed(large, small):
    """(smallᵀ @ large)ᵀ: XLA's product on the CPU is several times slower where the large factor is transposed."""
    return _laid_out(_laid_out(small) @ large)


def _laid_out(matrices: Array) -> Array:
    """Transposed, once: between barriers, or XLA would make it part of the products before and after."""
    return jax.lax.optimization_barrier(jax.lax.optimization_barrier(matrices).swapaxes(-1, -2))
