import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gdlib import evaluate


def test_bits_per_dimension_of_a_fair_coin_is_one():
    assert evaluate.bits_per_dimension(784 * math.log(2), 784) == pytest.approx(1)
    with pytest.raises(ValueError, match="dimensions: expected an integer of at least 1"):
        evaluate.bits_per_dimension(1.0, 0)


def test_the_importance_weighted_bound_is_its_formula_and_grows_with_k():
    log_weights = np.random.default_rng(0).normal(size=(60, 7)).astype(np.float32)
    for k in (1, 4, 60):
        groups = np.exp(log_weights.astype(np.float64)).reshape(60 // k, k, 7)
        expected = np.log(groups.mean(axis=1)).mean(axis=0)
        found = evaluate.importance_weighted_bound(jnp.asarray(log_weights), k)
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)
    bounds = [
        np.asarray(evaluate.importance_weighted_bound(jnp.asarray(log_weights), k)) for k in (1, 2, 4, 12, 60)
    ]
    assert (np.diff(bounds, axis=0) >= -1e-6).all()  # nested groups: Jensen, sample by sample


def test_the_bound_keeps_its_digits_far_from_zero():
    weights = jnp.full((10, 1), -1000.0)
    np.testing.assert_allclose(evaluate.importance_weighted_bound(weights, 10), [-1000.0])


def test_a_k_that_leaves_samples_over_is_named():
    with pytest.raises(ValueError, match="k: expected a divisor of the 10 samples, got 3"):
        evaluate.importance_weighted_bound(jnp.zeros((10, 2)), 3)


def test_codes_that_never_overlap_tell_which_image_it_was():
    """Far apart, the information is log n exactly; all alike, it is nothing."""
    n = 500
    apart = jnp.arange(n, dtype=jnp.float32)[:, None] * 100
    logvar = jnp.zeros((n, 1))
    split = evaluate.split_rate(apart, logvar, jax.random.key(0))
    assert float(split.mutual_information) == pytest.approx(math.log(n), abs=1e-3)
    alike = evaluate.split_rate(jnp.ones((n, 1)), logvar, jax.random.key(0))
    assert float(alike.mutual_information) == pytest.approx(0, abs=1e-5)
    assert float(alike.marginal_kl) == pytest.approx(0.5, abs=1e-5)


def test_the_split_of_a_gaussian_channel_is_known():
    """x ~ N(0, s²) as the mean of z with noise variance v, so z ~ N(0, s² + v): I = ½ log(1 + s²/v)."""
    n, s2, v = 4000, 0.8, 0.2
    mean = math.sqrt(s2) * jax.random.normal(jax.random.key(0), (n, 1))
    split = evaluate.split_rate(mean, jnp.full((n, 1), math.log(v)), jax.random.key(1))
    assert float(split.mutual_information) == pytest.approx(0.5 * math.log(1 + s2 / v), abs=0.05)
    assert float(split.marginal_kl) == pytest.approx(0, abs=0.05)  # s² + v = 1: the prior


def test_a_unit_is_active_where_its_mean_moves():
    mean = jnp.stack([jnp.linspace(-1, 1, 100), jnp.full(100, 3.0), 0.05 * jnp.linspace(-1, 1, 100)], axis=1)
    assert evaluate.active_units(mean) == 1
    assert evaluate.active_units(mean, threshold=1e-4) == 2
    assert jax.jit(evaluate.active_units)(mean) == 1


def test_no_unit_of_a_diverged_model_is_called_dead():
    with pytest.raises(ValueError, match=r"mean: expected finite numbers.*row 2"):
        evaluate.active_units(jnp.zeros((4, 2)).at[2].set(jnp.nan))


def test_no_samples_and_no_images_are_named():
    with pytest.raises(ValueError, match="samples: expected an integer of at least 1"):
        evaluate.importance_weighted_bound(jnp.zeros((0, 3)), 1)
    with pytest.raises(ValueError, match="mean: expected at least one image's"):
        evaluate.split_rate(jnp.zeros((0, 3)), jnp.zeros((0, 3)), jax.random.key(0))
