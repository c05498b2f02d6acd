import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from gdlib import evaluate

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


def test_a_proportion_of_more_than_all_is_refused():
    with pytest.raises(ValueError, match="successes: expected values from 0 to 3, got 4"):
        evaluate.proportion(4, 3)
    with pytest.raises(ValueError, match="trials: expected an integer of at least 1, got 0"):
        evaluate.proportion(0, 0)


def test_the_bootstrap_of_groups_of_one_is_that_of_the_mean():
    values = np.random.default_rng(1).normal(3, 2, size=400)
    low, high = evaluate.bootstrap(values, np.arange(400), draws=4000)
    half = 1.96 * values.std() / 20
    np.testing.assert_allclose([low, high], [values.mean() - half, values.mean() + half], atol=0.03)
    again = evaluate.bootstrap(values, [f"group {i:3}" for i in range(400)], draws=4000)
    assert again == (low, high)
    assert evaluate.bootstrap(values, np.arange(400), draws=4000, seed=1) != (low, high)


def test_values_that_go_together_make_the_interval_wider():
    values = np.repeat(np.random.default_rng(1).normal(size=100), 9)
    alone = np.diff(evaluate.bootstrap(values, np.arange(900)))
    together = np.diff(evaluate.bootstrap(values, np.arange(900) // 9))
    np.testing.assert_allclose(together / alone, 3, rtol=0.15)
    narrower = np.diff(evaluate.bootstrap(values, np.arange(900) // 9, confidence=0.5))
    np.testing.assert_allclose(narrower / together, 0.674 / 1.96, rtol=0.15)


def test_a_mean_of_groups_of_unequal_size_is_that_of_the_values():
    low, high = evaluate.bootstrap([1, 1, 1, 1, 0], [0, 0, 0, 0, 1], draws=3000)
    assert (low, high) == (0, 1)  # a draw may hold one of the two groups alone
    assert evaluate.bootstrap([1, 1, 1, 1, 0], [0, 0, 0, 0, 1], draws=3000, confidence=0.4) == (0.8, 0.8)


@pytest.mark.parametrize(
    ("values", "groups", "options", "message"),
    [
        ([1.0, 2.0], [0], {}, "groups: expected one for each value"),
        ([], [], {}, "groups: expected one for each value"),
        ([1.0, np.nan], [0, 1], {}, "values: expected finite"),
        ([1.0, 2.0], [0, 1], {"draws": 0}, "draws: expected an integer of at least 1"),
        ([1.0, 2.0], [0, 1], {"confidence": 95.0}, "confidence: expected values from 0 to 1"),
    ],
)
def test_what_cannot_be_drawn_anew_is_named(values, groups, options, message):
    with pytest.raises(ValueError, match=message):
        evaluate.bootstrap(values, groups, **options)
