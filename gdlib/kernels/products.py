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
    _expect_dense(lhs, rhs, dimension_numbers)
    flat = jax.lax.dot_general(lhs.reshape(-1, lhs.shape[-1]), rhs, (((1,), (0,)), ((), ())), **options)
    return flat.reshape(*lhs.shape[:-1], rhs.shape[-1])


def steps_product(
    lhs: Float[Array, "*steps inputs"], rhs: Float[Array, "inputs outputs"], dimension_numbers, **options
) -> Float[Array, "*steps outputs"]:
    """As `rows_product`, for a recurrence, whose second axis may be a minibatch that several devices share.

    The leading axes stay as they are: as rows of one matrix, the minibatch would be gathered on every device. Of
    several steps reverse mode alone differentiates it.
    """
    _expect_dense(lhs, rhs, dimension_numbers)
    product = partial(jax.lax.dot_general, **options)
    return product(lhs, rhs, dimension_numbers) if lhs.ndim == 2 else _steps_product(product, lhs, rhs)


@partial(jax.custom_vjp, nondiff_argnums=(0,))
def _steps_product(product, lhs, rhs):
    return product(lhs, rhs, (((lhs.ndim - 1,), (0,)), ((), ())))


def _forward(product, lhs, rhs):
    return _steps_product(product, lhs, rhs), (lhs, rhs)


def _backward(product, kept, gradient):
    lhs, rhs = kept
    last, steps = (lhs.ndim - 1,), tuple(range(lhs.ndim - 1))
    of_lhs = product(gradient, rhs, ((last, (1,)), ((), ())))
    # JAX's own rule has the two factors the other way round, and copies the gradient, the larger one.
    of_rhs = product(lhs, gradient, ((steps, steps), ((), ())))
    return of_lhs.astype(lhs.dtype), of_rhs.astype(rhs.dtype)


_steps_product.defvjp(_forward, _backward)


def _expect_dense(lhs: Array, rhs: Array, dimension_numbers: tuple) -> None:
    if dimension_numbers != (((lhs.ndim - 1,), (0,)), ((), ())) or rhs.ndim != 2:
        raise ValueError(
            f"dimension_numbers: expected lhs's last axis and a matrix's first, got {dimension_numbers} for shapes "
            f"{lhs.shape} and {rhs.shape}"
        )


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
