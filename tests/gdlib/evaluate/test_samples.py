import math

import jax
import numpy as np
import pytest
import scipy.linalg

from gdlib import evaluate
from gdlib.data import gaussian_mixture, ring_means

RING = ring_means()


def test_the_mixtures_own_samples_cover_it():
    samples = gaussian_mixture(jax.random.key(0), 20_000, RING, 0.01).inputs
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


def test_coverage_does_not_hang_on_the_origin():
    rng = np.random.default_rng(0)
    real, samples = rng.normal(size=(60, 3)), rng.normal(size=(60, 3)) + 0.5
    here, far = (evaluate.precision_recall(real + shift, samples + shift) for shift in (0.0, 1e8))
    np.testing.assert_allclose(far, here, atol=0.02)


def test_features_too_large_to_be_squared_are_named():
    features = np.random.default_rng(0).normal(size=(5, 2))
    with pytest.raises(ValueError, match="features: expected magnitudes whose fourth powers are finite"):
        evaluate.frechet_distance(1e200 * features, features)
    assert np.isfinite(evaluate.frechet_distance(1e70 * features, features))
