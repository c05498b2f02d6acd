import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

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
    assert f"{evaluate.spread([1.0, 2.0, 3.0]):.1f}" == "2.0 ± 1.0"


@pytest.mark.parametrize("values", [[], [1.0], [[1.0, 2.0]]])
def test_one_run_has_no_spread(values):
    with pytest.raises(ValueError, match="values: expected a vector of at least two runs"):
        evaluate.spread(values)


def test_a_run_that_diverged_is_not_averaged_away():
    with pytest.raises(ValueError, match=r"values: expected finite numbers.*row 1"):
        evaluate.spread([1.0, np.nan])


def test_bits_per_dimension_of_a_fair_coin_is_one():
    assert evaluate.bits_per_dimension(784 * math.log(2), 784) == pytest.approx(1)
    with pytest.raises(ValueError, match="dimensions: expected an integer of at least 1"):
        evaluate.bits_per_dimension(1.0, 0)
