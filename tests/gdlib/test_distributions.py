import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from gdlib import distributions as D

numbers = st.floats(-3, 3, width=32)
vectors = arrays(np.float32, (4, 3), elements=numbers)


@settings(deadline=None)
@given(vectors, vectors, vectors)
def test_gaussian_log_prob_is_scipys(x, mean, logvar):
    expected = scipy.stats.norm.logpdf(x, mean, np.exp(logvar / 2)).sum(axis=-1)
    np.testing.assert_allclose(D.gaussian_log_prob(*map(jnp.asarray, (x, mean, logvar))), expected, rtol=1e-4)


@settings(deadline=None)
@given(vectors, vectors)
def test_gaussian_kl_is_the_textbook_formula_and_not_negative(mean, logvar):
    mean64, logvar64 = mean.astype(np.float64), logvar.astype(np.float64)
    expected = 0.5 * (mean64**2 + np.exp(logvar64) - 1 - logvar64).sum(axis=-1)
    kl = D.gaussian_kl(jnp.asarray(mean), jnp.asarray(logvar))
    np.testing.assert_allclose(kl, expected, rtol=1e-5, atol=1e-6)
    assert (kl >= 0).all()


def test_gaussian_kl_keeps_its_digits_near_zero():
    logvar = jnp.full((1, 1), 1e-3)
    exact = 0.5 * (np.expm1(1e-3) - 1e-3)
    np.testing.assert_allclose(D.gaussian_kl(jnp.zeros((1, 1)), logvar), [exact], rtol=2e-3)


def test_gaussian_sample_has_the_mean_and_variance_asked_for():
    n = 200_000
    mean, logvar = jnp.full((n, 1), 1.5), jnp.full((n, 1), -1.0)
    z = np.asarray(D.gaussian_sample(jax.random.key(0), mean, logvar))
    variance = np.exp(-1.0)
    assert abs(z.mean() - 1.5) < 5 * np.sqrt(variance / n)
    assert abs(z.var() - variance) < 5 * variance * np.sqrt(2 / n)


@settings(deadline=None)
@given(vectors, arrays(np.float32, (4, 3), elements=st.sampled_from([0.0, 1.0])))
def test_bernoulli_log_prob_is_scipys(logits, x):
    p = 1 / (1 + np.exp(-logits.astype(np.float64)))
    expected = scipy.stats.bernoulli.logpmf(x, p).sum(axis=-1)
    actual = D.bernoulli_log_prob(jnp.asarray(x), jnp.asarray(logits))
    np.testing.assert_allclose(actual, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("logit", [-1e4, 1e4])
def test_bernoulli_log_prob_and_its_gradient_stay_finite(logit):
    value, slope = jax.value_and_grad(lambda logits: D.bernoulli_log_prob(jnp.ones(1), logits)[()])(
        jnp.array([logit])
    )
    assert np.isfinite(value)
    assert np.isfinite(slope).all()


def test_bernoulli_sample_leaves_black_and_white_alone_and_draws_grey():
    image = jnp.array([[0.0, 1.0, 0.0]])
    assert (D.bernoulli_sample(jax.random.key(0), image) == image).all()
    drawn = np.asarray(D.bernoulli_sample(jax.random.key(0), jnp.full((100_000,), 0.3)))
    assert set(np.unique(drawn)) == {0.0, 1.0}
    assert abs(drawn.mean() - 0.3) < 5 * np.sqrt(0.21 / 100_000)


@pytest.mark.parametrize("logit", [-12.0, -1.0, -0.011, -0.009, 0.0, 1e-4, 0.5, 3.0, 12.0])
def test_the_continuous_bernoulli_integrates_to_one(logit):
    x = np.linspace(0, 1, 100_001)
    density = np.exp(x * logit - np.logaddexp(0, logit))
    log_c = float(D.continuous_bernoulli_log_normalizer(jnp.float32(logit)))
    assert np.exp(log_c) * np.trapezoid(density, x) == pytest.approx(1, abs=1e-5)
    slope = jax.grad(D.continuous_bernoulli_log_normalizer)(jnp.float32(logit))
    assert np.isfinite(slope)


def test_a_sample_whose_rows_would_share_their_noise_is_refused(untyped):
    with pytest.raises(ValueError, match=r"logvar: expected the mean's shape \(3,\), got \(2, 3\)"):
        D.gaussian_sample(jax.random.key(0), jnp.zeros(3), jnp.zeros((2, 3)))


def test_the_normalisers_slope_is_right_on_both_sides_of_its_switch():
    """d log C / dl = 1/l − 1/sinh l, in double precision; and it falls to 0 as l / 6."""
    logits = np.concatenate([np.geomspace(1e-4, 30, 200), [0.49999, 0.50001]])
    slope = jax.vmap(jax.grad(D.continuous_bernoulli_log_normalizer))
    expected = np.where(logits < 1e-2, logits / 6 - 7 * logits**3 / 360, 1 / logits - 1 / np.sinh(logits))
    for sign in (1, -1):
        np.testing.assert_allclose(slope(jnp.array(sign * logits, jnp.float32)), sign * expected, rtol=2e-4)
    values = D.continuous_bernoulli_log_normalizer(jnp.array(logits, jnp.float32))
    np.testing.assert_allclose(values, np.log(logits / np.tanh(logits / 2)), rtol=1e-6)
    assert slope(jnp.zeros(1))[0] == 0
