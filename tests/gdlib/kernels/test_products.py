"""Products in the order of factors that suits a processor."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from gdlib.kernels import products
from gdlib.kernels.products import rows_product, steps_product


@pytest.mark.parametrize("leading", [(), (3,), (2, 3), (2, 1, 4)])
@pytest.mark.parametrize("product", [rows_product, steps_product])
def test_a_product_of_rows_is_a_dense_layers(product, leading):
    plain = nnx.Linear(5, 6, rngs=nnx.Rngs(0))
    ours = nnx.Linear(5, 6, dot_general=product, rngs=nnx.Rngs(0))
    x = jax.random.normal(jax.random.key(0), (*leading, 5))

    def both(layer):
        return nnx.value_and_grad(lambda layer, x: jnp.sum(jnp.sin(layer(x))), argnums=(0, 1))(layer, x)

    for found, expected in zip(jax.tree.leaves(both(ours)), jax.tree.leaves(both(plain)), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("shape", "dimensions"),
    [
        ((5, 6), (((0,), (0,)), ((), ()))),
        ((5, 6), (((1,), (1,)), ((), ()))),
        ((5, 6, 7), (((1,), (0,)), ((), ()))),
    ],
)
@pytest.mark.parametrize("product", [rows_product, steps_product])
def test_other_products_are_refused(untyped, product, shape, dimensions):
    with pytest.raises(ValueError, match="dimension_numbers: expected lhs's last axis and a matrix's first"):
        product(jnp.ones((4, 5)), jnp.ones(shape), dimensions)


def test_a_product_of_steps_keeps_the_types_of_its_factors():
    layer = nnx.Linear(5, 6, dot_general=steps_product, preferred_element_type=jnp.float32, rngs=nnx.Rngs(0))
    x = jnp.ones((2, 3, 5), "bfloat16")
    gradient = jax.vmap(jax.grad(lambda x: jnp.sum(layer(x).astype(float))))(x[None])
    assert gradient.dtype == x.dtype


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
def test_a_transposed_product_is_the_same_on_all_processors(dtype):
    large, small = (
        jax.random.normal(key, (2, 3, 5, n)).astype(dtype)
        for key, n in zip(jax.random.split(jax.random.key(0)), (4, 6), strict=True)
    )

    def derivatives(product):
        def one(large, small):
            return jnp.sum(jnp.sin(product(large, small)))

        return product(large, small), jax.vmap(jax.grad(one, (0, 1)))(large, small)

    forms = (products._large_transposed, products._small_transposed, products.transposed_product)
    expected, *others = map(derivatives, forms)
    for found in others:
        for a, b in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
            assert a.dtype == b.dtype == dtype
            np.testing.assert_allclose(
                np.asarray(a, np.float32),
                np.asarray(b, np.float32),
                rtol=0.05 if dtype != "float32" else 1e-5,
                atol=0.05 if dtype != "float32" else 1e-5,
            )
