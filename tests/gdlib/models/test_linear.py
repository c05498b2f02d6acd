import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.stats import norm
from sklearn.linear_model import LogisticRegression

from gdlib.models import linear

rng = np.random.default_rng(0)
Y = jnp.array(rng.integers(0, 2, 60).astype(np.float32))
X = jnp.array(rng.normal(size=(60, 3)).astype(np.float32)) * jnp.array([1.0, 2.0, 0.5]) + Y[:, None]


def test_naive_bayes_has_the_maximum_of_the_joint_likelihood():
    found = linear.naive_bayes(X, Y)
    x, y = np.asarray(X), np.asarray(Y)
    means = np.stack([x[y == k].mean(axis=0) for k in (0, 1)])
    np.testing.assert_allclose(found.means, means, rtol=1e-5)
    np.testing.assert_allclose(found.variances, ((x - means[y.astype(int)]) ** 2).mean(axis=0), rtol=1e-5)
    assert found.log_odds == pytest.approx(np.log(y.mean() / (1 - y.mean())), rel=1e-5)
    joint = np.log([1 - y.mean(), y.mean()]) + norm.logpdf(x[:, None], means, np.sqrt(found.variances)).sum(
        axis=-1
    )
    np.testing.assert_allclose(found.log_joint(X), joint, rtol=1e-4)

    def likelihood(bells):
        return jnp.take_along_axis(bells.log_joint(X), Y.astype(int)[:, None], axis=1).sum()

    slopes = jax.grad(likelihood)(found)
    assert all(jnp.abs(slope).max() < 1e-2 for slope in slopes)


def test_its_line_is_bayes_rule():
    found = linear.naive_bayes(X, Y)
    joint = found.log_joint(X)
    np.testing.assert_allclose(found.line().log_odds(X), joint[:, 1] - joint[:, 0], rtol=1e-4, atol=1e-4)


def test_a_floor_is_added_to_each_variance():
    constant = X.at[:, 1].set(3.0)
    assert linear.naive_bayes(constant, Y, floor=0.1).variances[1] == pytest.approx(0.1)
    plain, raised = (linear.naive_bayes(X, Y, floor=floor).variances for floor in (0.0, 0.25))
    np.testing.assert_allclose(raised - plain, 0.25, rtol=1e-5)


@pytest.mark.parametrize("ridge", [0.1, 10.0])
def test_logistic_regression_is_scikit_learns(ridge):
    found = linear.logistic_regression(X, Y, ridge=ridge)
    expected = LogisticRegression(C=1 / ridge, tol=1e-8, max_iter=1000).fit(X, Y)
    np.testing.assert_allclose(found.w, expected.coef_[0], rtol=1e-3, atol=1e-4)
    assert found.b == pytest.approx(expected.intercept_[0], rel=1e-3, abs=1e-4)


def test_it_stays_where_a_line_separates_the_classes():
    found = linear.logistic_regression(jnp.array([[-2.0], [-1.0], [1.0], [2.0]]), jnp.array([0, 0, 1, 1]))
    assert 0.5 < found.w[0] < 3
    assert abs(found.b) < 1e-3


@pytest.mark.parametrize("learn", [linear.naive_bayes, linear.logistic_regression])
def test_only_the_examples_that_are_used_count(learn):
    use = (jnp.arange(len(Y)) < 40).astype(float)
    for part, whole in zip(learn(X, Y, use), learn(X[:40], Y[:40]), strict=True):
        np.testing.assert_allclose(part, whole, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("learn", [linear.naive_bayes, linear.logistic_regression])
def test_shapes_that_do_not_fit_are_named(untyped, learn):
    with pytest.raises(ValueError, match=r"x: expected shape \(n, features\), got \(60,\)"):
        learn(X[:, 0], Y)
    with pytest.raises(ValueError, match=r"x: expected shape \(n, features\), got \(0, 3\)"):
        learn(X[:0], Y[:0])
    with pytest.raises(ValueError, match=r"y: expected one for each of the 60 examples, got shape \(59,\)"):
        learn(X, Y[1:])
    with pytest.raises(ValueError, match=r"use: expected one for each of the 60 examples, got shape \(1,\)"):
        learn(X, Y, jnp.ones(1))
