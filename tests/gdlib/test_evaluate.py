import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.linalg
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from gdlib import datasets, evaluate

runs = st.lists(st.floats(-1e3, 1e3), min_size=2, max_size=20)


@settings(deadline=None)
@given(runs)
def test_spread_is_the_mean_and_the_sample_deviation(values):
    found = evaluate.spread(values)
    mean = sum(values) / len(values)
    deviation = math.sqrt(sum((v - mean) ** 2 for v in values) / (len(values) - 1))
    assert found.mean == pytest.approx(mean, abs=1e-9)
    assert found.deviation == pytest.approx(deviation, abs=1e-6)
    assert found.runs == len(values)


def test_spread_prints_as_it_is_read():
    assert f"{evaluate.spread([1.0, 2.0, 3.0]):.1f}" == "2.0\u00a0±\u00a01.0"
    assert str(evaluate.spread([1.0, 2.0, 3.0])) == "2.0\u00a0±\u00a01.0"


@pytest.mark.parametrize("values", [[], [1.0], [[1.0, 2.0]]])
def test_one_run_has_no_spread(values):
    with pytest.raises(ValueError, match="values: expected a vector of at least two runs"):
        evaluate.spread(values)


def test_a_run_that_diverged_is_not_averaged_away():
    with pytest.raises(ValueError, match=r"values: expected finite numbers.*row 1"):
        evaluate.spread([1.0, np.nan])


@settings(deadline=None)
@given(runs, st.floats(0.5, 0.999))
def test_the_interval_of_a_mean_is_scipys(values, confidence):
    found = evaluate.mean_interval(values, confidence=confidence)
    error = stats.sem(values)
    low, high = (
        stats.t.interval(confidence, len(values) - 1, np.mean(values), error) if error else [values[0]] * 2
    )
    assert found.mean == pytest.approx((low + high) / 2, abs=1e-9)
    assert found.half == pytest.approx((high - low) / 2, abs=1e-6, rel=1e-6)


def test_the_interval_of_a_mean_of_five_runs_holds_the_truth_as_often_as_it_says():
    draws = np.random.default_rng(0).normal(3.0, 2.0, size=(2000, 5))
    intervals = [evaluate.mean_interval(values) for values in draws]
    assert np.mean([abs(mean - 3.0) < half for mean, half in intervals]) == pytest.approx(0.95, abs=0.015)


def test_the_interval_of_a_mean_prints_as_it_is_read_and_wants_runs_and_a_share():
    found = evaluate.mean_interval([1.0, 2.0, 3.0])
    assert f"{found:+.1f}" == "+2.0\u00a0±\u00a02.5"
    assert str(evaluate.mean_interval([2.0, 2.0])) == "2.0\u00a0±\u00a00.0"
    with pytest.raises(ValueError, match="values: expected a vector of at least two runs"):
        evaluate.mean_interval([1.0])
    with pytest.raises(ValueError, match="confidence: expected values from 0 to 1, got 95"):
        evaluate.mean_interval([1.0, 2.0], confidence=95.0)


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


RING = datasets.ring()


def test_the_mixtures_own_samples_cover_it():
    samples = datasets.gaussian_mixture(jax.random.key(0), 20_000, RING, 0.01).inputs
    found = evaluate.mode_coverage(samples, RING, 0.01)
    assert found.found == 8
    assert found.high_quality == pytest.approx(1 - math.exp(-4.5), abs=0.005)
    np.testing.assert_allclose(found.weight, 1 / 8, atol=0.015)
    np.testing.assert_allclose(found.scale, 0.01, rtol=0.05)


def test_one_mode_one_stray_and_a_gap_are_counted_for_what_they_are():
    samples = np.concatenate([np.tile(RING[2], (30, 1)), RING[:1] + 0.031, [[0.0, 0.1]]])
    found = evaluate.mode_coverage(samples, RING, 0.01)
    assert found.found == 1  # the stray near mode 0 is beyond three deviations
    assert found.high_quality == pytest.approx(30 / 32)
    assert found.weight[2] == pytest.approx(31 / 32)
    assert np.isnan(found.scale[5])


def test_coverage_takes_any_mixture():
    grid = np.stack(np.meshgrid(np.arange(5), np.arange(5)), axis=-1).reshape(-1, 2)
    assert evaluate.mode_coverage(grid, grid, 0.05).found == 25
    cube = np.eye(3)
    assert evaluate.mode_coverage(cube[:2], cube, 0.1).found == 2


@pytest.mark.parametrize(
    ("samples", "scale", "message"),
    [
        (np.zeros((5, 3)), 0.1, r"samples: expected \(n, d\) and means \(modes, d\), got \(5, 3\)"),
        (np.zeros((0, 2)), 0.1, "samples: expected at least one"),
        (np.zeros((5, 2)), 0.0, "a scale above 0, got 5 and 0.0"),
        (np.full((5, 2), np.nan), 0.1, "samples: expected finite"),
    ],
)
def test_samples_that_cover_nothing_are_named(samples, scale, message):
    with pytest.raises(ValueError, match=message):
        evaluate.mode_coverage(samples, RING, scale)


def test_the_frechet_distance_of_gaussians_is_known():
    rng = np.random.default_rng(0)
    first = rng.normal(size=(200_000, 2)) * [1.0, 2.0]
    second = rng.normal(size=(200_000, 2)) * [3.0, 1.0] + [1.0, -1.0]
    # diagonal covariances commute: Σ (s₁ − s₂)² + |μ₁ − μ₂|²
    assert evaluate.frechet_distance(first, second) == pytest.approx(4 + 1 + 2, rel=0.01)
    assert evaluate.frechet_distance(first, first) == pytest.approx(0, abs=1e-9)


def test_the_frechet_distance_of_correlated_gaussians_is_the_matrix_root():
    rng = np.random.default_rng(1)
    mixes = rng.normal(size=(2, 3, 3))
    first, second = (rng.normal(size=(500, 3)) @ mix for mix in mixes)
    covariances = np.cov(first, rowvar=False), np.cov(second, rowvar=False)
    root = scipy.linalg.sqrtm(covariances[0] @ covariances[1]).real
    apart = np.sum((first.mean(axis=0) - second.mean(axis=0)) ** 2)
    expected = apart + np.trace(covariances[0] + covariances[1] - 2 * root)
    assert evaluate.frechet_distance(first, second) == pytest.approx(expected, rel=1e-6)


def test_few_examples_look_further_apart_than_many():
    rng = np.random.default_rng(0)
    few, many = (
        np.mean([evaluate.frechet_distance(*rng.normal(size=(2, n, 5))) for _ in range(20)])
        for n in (50, 500)
    )
    assert few > 5 * many


def test_precision_and_recall_tell_missing_variety_from_bad_samples():
    rng = np.random.default_rng(0)
    real = rng.normal(size=(400, 2))
    same = evaluate.precision_recall(real, rng.normal(size=(400, 2)))
    assert min(same) > 0.85
    narrow = evaluate.precision_recall(real, 0.05 * rng.normal(size=(400, 2)))
    assert narrow.precision > 0.95
    assert narrow.recall < 0.1
    far = evaluate.precision_recall(real, 10 + rng.normal(size=(400, 2)))
    assert far == (0.0, 0.0)


def test_precision_and_recall_of_points_on_a_line_by_hand():
    real, samples = np.array([[0.0], [1.0], [2.0]]), np.array([[1.9], [3.5], [9.0]])
    # every real point reaches 1; the samples reach 1.6, 1.6 and 5.5
    assert evaluate.precision_recall(real, samples, neighbours=1) == (1 / 3, 2 / 3)


def test_features_that_cannot_be_compared_are_named():
    for compare in (evaluate.frechet_distance, evaluate.precision_recall):
        with pytest.raises(ValueError, match=r"features: expected \(n, d\) twice, got \(5, 2\) and \(5, 3\)"):
            compare(np.zeros((5, 2)), np.zeros((5, 3)))
        with pytest.raises(ValueError, match="features: expected at least"):
            compare(np.zeros((5, 2)), np.zeros((1, 2)))
        with pytest.raises(ValueError, match="features: expected finite"):
            compare(np.zeros((5, 2)), np.full((5, 2), np.inf))


@settings(deadline=None)
@given(st.integers(1, 500).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilsons_interval_solves_its_equation(drawn):
    successes, trials = drawn
    found = evaluate.proportion(successes, trials)
    for end in (found.low, found.high):
        # At its ends the share lies 1.96 standard deviations away, unless the end was cut off at 0 or 1.
        away = abs(found.value - end) - 1.959964 * math.sqrt(end * (1 - end) / trials)
        assert abs(away) < 1e-6
    assert 0 <= found.low <= found.value <= found.high <= 1


def test_the_interval_covers_as_often_as_it_says():
    draws = np.random.default_rng(0).binomial(200, 0.95, 2000)
    covered = [f.low <= 0.95 <= f.high for f in (evaluate.proportion(d, 200) for d in draws)]
    assert 0.93 < np.mean(covered) < 0.97
    assert f"{evaluate.proportion(9, 10):.0%}" == "90% (60% to 98%)"


LOGITS = np.array([[2.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 3.0, 0.0], [0.0, 0.0, 0.5]])
LABELS = np.array([0, 1, 2, 2])


def test_accuracy_and_confusion_count():
    assert evaluate.accuracy(LOGITS, LABELS).value == 0.75
    np.testing.assert_array_equal(evaluate.confusion(LOGITS, LABELS), [[1, 0, 0], [0, 1, 0], [0, 1, 1]])


def test_calibration_is_the_sum_over_bins_by_hand():
    found = evaluate.calibration(LOGITS, LABELS, bins=10)
    confident = np.exp(LOGITS.max(axis=1)) / np.exp(LOGITS).sum(axis=1)  # 0.79, 0.58, 0.91, 0.45
    expected = np.mean(np.abs(np.array([1, 1, 0, 1]) - confident))  # each in a bin of its own
    assert found.error == pytest.approx(expected)
    np.testing.assert_allclose(found.share, [0, 0, 0, 0, 0.25, 0.25, 0, 0.25, 0, 0.25])
    np.testing.assert_allclose(found.accuracy[[4, 5, 7, 9]], [1, 1, 1, 0])
    assert np.isnan(found.accuracy[0])


def sampled_labels(logits, rng_key):
    return np.asarray(jax.random.categorical(rng_key, logits))


def test_labels_drawn_from_the_model_are_calibrated_and_temperature_finds_what_scaled_them():
    logits = 2 * jax.random.normal(jax.random.key(0), (20000, 5))
    labels = sampled_labels(logits, jax.random.key(1))
    assert evaluate.calibration(logits, labels).error < 0.02
    assert evaluate.temperature(logits, labels) == pytest.approx(1, abs=0.03)
    assert evaluate.temperature(3 * logits, labels) == pytest.approx(3, abs=0.1)
    assert evaluate.calibration(3 * logits, labels).error > 0.1


@pytest.mark.parametrize(
    "function", [evaluate.accuracy, evaluate.confusion, evaluate.calibration, evaluate.temperature]
)
def test_what_is_no_classification_is_named(function):
    for logits, labels, error, message in [
        (
            np.zeros((0, 3)),
            np.zeros(0, int),
            ValueError,
            r"logits: expected shape \(n, classes\), n at least 1",
        ),
        (np.zeros(3), np.zeros(3, int), ValueError, "logits: expected shape"),
        (np.full((2, 3), np.nan), np.zeros(2, int), ValueError, "logits: expected finite numbers"),
        (np.zeros((2, 3)), np.array([0, 3]), ValueError, "labels: expected values from 0 to 2"),
        (np.zeros((2, 3)), np.zeros(2), TypeError, "labels: expected integers"),
    ]:
        with pytest.raises(error, match=message):
            function(logits, labels)


def test_a_proportion_of_more_than_all_is_refused():
    with pytest.raises(ValueError, match="successes: expected values from 0 to 3, got 4"):
        evaluate.proportion(4, 3)
    with pytest.raises(ValueError, match="trials: expected an integer of at least 1, got 0"):
        evaluate.proportion(0, 0)
