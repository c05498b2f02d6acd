"""Each rule equals Optax's over a hundred steps, on a loss that is no quadratic, and says what it lacks."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from optax import contrib

from gdlib import optimizers

START = {"W": jnp.linspace(-1, 1, 12).reshape(3, 4), "b": jnp.array([0.5, -2.0, 0.1])}
PAIRS = {
    "gradient descent": (optimizers.gradient_descent(0.05), optax.sgd(0.05)),
    "signs": (optimizers.sign_descent(0.01), optax.sign_sgd(0.01)),
    "heavy ball": (optimizers.heavy_ball(0.02, 0.8), optax.sgd(0.02, 0.8)),
    "Nesterov": (optimizers.nesterov(0.02, 0.8), optax.sgd(0.02, 0.8, nesterov=True)),
    "AdaGrad": (optimizers.adagrad(0.1, 0.2, 1e-4), optax.adagrad(0.1, 0.2, 1e-4)),
    "RMSProp": (optimizers.rmsprop(0.01, 0.8, 1e-3), optax.rmsprop(0.01, 0.8, 1e-3)),
    "Adam": (optimizers.adam(0.02, 0.8, 0.95, 1e-3), optax.adam(0.02, 0.8, 0.95, 1e-3)),
    "AdamW": (
        optimizers.adamw(0.02, 0.8, 0.95, 1e-3, weight_decay=0.3),
        optax.adamw(0.02, 0.8, 0.95, 1e-3, weight_decay=0.3),
    ),
    "clipping": (
        optax.chain(optimizers.clip(0.5), optimizers.gradient_descent(0.05)),
        optax.chain(optax.clip_by_global_norm(0.5), optax.sgd(0.05)),
    ),
}


def loss(w, noise):
    waves = jnp.sum(jnp.cos(w["W"] + noise) ** 2) + 0.3 * jnp.sum(jnp.sin(w["W"])) * w["b"][0]
    return waves + jnp.sum(w["b"] ** 2)


def walk(rule, start=START, loss=loss):
    """The weights after each of a hundred noisy steps."""

    def step(carry, noise):
        w, state = carry
        update, state = rule.update(jax.grad(loss)(w, noise), state, w)
        w = optax.apply_updates(w, update)
        return (w, state), w

    noise = 0.3 * jax.random.normal(jax.random.key(0), (100,))
    return jax.lax.scan(step, (start, rule.init(start)), noise)[1]


@pytest.mark.parametrize("name", PAIRS)
def test_a_rule_is_optaxs(name):
    ours, theirs = map(walk, PAIRS[name])
    for a, b in zip(jax.tree.leaves(ours), jax.tree.leaves(theirs), strict=True):
        assert np.ptp(np.asarray(a), axis=0).max() > 1e-2  # it went somewhere
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("shape", [(5, 3), (4, 4)])  # Optax before 0.2.7 makes the steps of wide ones longer
def test_muon_is_optaxs_on_matrices(shape):
    start = {"W": jax.random.normal(jax.random.key(1), shape)}
    axes = {"W": contrib.MuonDimensionNumbers(reduction_axis=0, output_axis=1)}
    theirs = optax.chain(
        contrib.scale_by_muon(beta=0.9, nesterov=False, weight_dimension_numbers=axes), optax.scale(-0.02)
    )

    def loss(w, noise):
        return jnp.sum(jnp.cos(w["W"] + noise) ** 2)

    ours, expected = (walk(rule, start, loss)["W"] for rule in (optimizers.muon(0.02, 0.9), theirs))
    np.testing.assert_allclose(ours[:20], expected[:20], rtol=1e-3, atol=1e-4)


def test_a_wide_matrix_is_a_tall_one_turned():
    tall = jax.random.normal(jax.random.key(2), (5, 3))
    np.testing.assert_allclose(
        optimizers.orthogonalised(tall.T), optimizers.orthogonalised(tall).T, rtol=1e-4
    )


def test_singular_values_are_brought_near_one_and_the_vectors_stay():
    matrix = jax.random.normal(jax.random.key(2), (4, 6))
    U, _, V = jnp.linalg.svd(matrix, full_matrices=False)
    found = U.T @ optimizers.orthogonalised(matrix) @ V.T
    assert jnp.abs(found - jnp.diag(jnp.diag(found))).max() < 1e-3
    assert (jnp.diag(found) > 0.5).all()
    assert (jnp.diag(found) < 1.5).all()


def test_what_is_no_matrix_is_named(untyped):
    with pytest.raises(ValueError, match=r"matrix: expected two axes, got shape \(3,\)"):
        optimizers.orthogonalised(jnp.ones(3))


def test_decay_without_the_weights_is_named():
    rule = optimizers.adamw(0.1)
    with pytest.raises(
        ValueError, match=r"params: expected the weights, update\(gradients, state, weights\), got None"
    ):
        rule.update(START, rule.init(START))


def test_a_vector_is_no_matrix_for_muon(untyped):
    rule = optimizers.muon(0.1)
    with pytest.raises(ValueError, match=r"matrix: expected two axes, got shape \(3,\)"):
        rule.update(START["b"], rule.init(START["b"]))
