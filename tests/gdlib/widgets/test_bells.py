"""What the two bells' block holds; that it moves, and learns what it should, is tests/book/test_bells.py's."""

import json
import re

import numpy as np
import pytest

from gdlib import widgets

POINTS = np.random.default_rng(0).normal(size=(6, 2))
LABELS = np.array([0, 1, 0, 1, 1, 0])


def bells(**changed):
    given = {"ridge": 1.0, "floor": 1e-3, "naive": [1, 2, 3], "logistic": [4, 5, 6]} | changed
    return widgets.bells(given.pop("points", POINTS), given.pop("labels", LABELS), **given)


def test_the_block_holds_the_settings_and_the_probe_and_asks_for_nothing():
    block = bells(ridge=0.5)._repr_html_()
    payload = json.loads(re.search(r'<script type="application/json">(.*?)</script>', block, re.S).group(1))
    assert (payload["ridge"], payload["floor"]) == (0.5, 1e-3)
    assert payload["probe"]["labels"] == LABELS.tolist()
    assert payload["probe"]["naive"] == [1, 2, 3]
    assert not re.search(r"https?://|import\(|fetch\(|src=", block)
    assert "two classes" in repr(bells())


@pytest.mark.parametrize(
    ("changed", "error", "message"),
    [
        ({"points": POINTS[:, :1]}, ValueError, r"points: expected shape \(n, 2\), got \(6, 1\)"),
        ({"points": np.full((6, 2), np.nan)}, ValueError, "points: expected finite numbers"),
        ({"labels": LABELS[:5]}, ValueError, r"labels: expected 6 of them, got shape \(5,\)"),
        ({"labels": LABELS + 1}, ValueError, "labels: expected values from 0 to 1"),
        ({"labels": LABELS * 0}, ValueError, "labels: expected both 0 and 1, got only 0"),
        ({"labels": LABELS * 1.0}, TypeError, "labels: expected integers"),
        ({"naive": [1, 2]}, ValueError, r"naive: expected \(w₁, w₂, b\), got shape \(2,\)"),
        ({"logistic": [1, 2, np.inf]}, ValueError, "logistic: expected finite numbers"),
        ({"ridge": 0.0}, ValueError, "expected a ridge above 0 and a floor of at least 0, got 0.0 and 0.001"),
        ({"floor": -1.0}, ValueError, "got 1.0 and -1.0"),
    ],
)
def test_what_does_not_fit_is_named(untyped, changed, error, message):
    with pytest.raises(error, match=message):
        bells(**changed)
