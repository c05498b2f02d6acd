"""What the playground's block holds; that it learns what it should is tests/book/test_playground.py's."""

import json
import re

import numpy as np
import pytest

from gdlib import widgets

POINTS = np.random.default_rng(0).uniform(-2, 2, (6, 2))
LABELS = np.array([0, 1, 0, 1, 1, 0])
WEIGHTS = (np.ones((3, 2)), np.zeros(3), np.arange(3.0), 0.5)


def playground(**changed):
    given = {"begin": WEIGHTS, "rate": 0.5, "steps": 10, "learned": WEIGHTS} | changed
    return widgets.playground(given.pop("points", POINTS), given.pop("labels", LABELS), **given)


def test_the_block_holds_points_weights_and_the_probe_and_asks_for_nothing():
    block = playground()._repr_html_()
    payload = json.loads(re.search(r'<script type="application/json">(.*?)</script>', block, re.S).group(1))
    assert payload["labels"] == LABELS.tolist()
    assert payload["begin"] == {"W": [1.0] * 6, "b": [0.0] * 3, "v": [0.0, 1.0, 2.0], "c": 0.5}
    assert (payload["probe"]["rate"], payload["probe"]["steps"]) == (0.5, 10)
    assert not re.search(r"https?://|import\(|fetch\(|src=", block)
    assert "points of two classes" in repr(playground())


@pytest.mark.parametrize(
    ("changed", "error", "message"),
    [
        ({"points": POINTS[:, :1]}, ValueError, r"points: expected shape \(n, 2\), got \(6, 1\)"),
        ({"points": POINTS * 3}, ValueError, "points: expected values from -3 to 3"),
        ({"points": POINTS * np.nan}, ValueError, "points: expected values from -3 to 3"),
        ({"labels": LABELS[:5]}, ValueError, r"labels: expected 6 of them, got shape \(5,\)"),
        ({"labels": LABELS * 0}, ValueError, "labels: expected both 0 and 1, got only 0"),
        ({"labels": LABELS * 1.0}, TypeError, "labels: expected integers"),
        ({"rate": 0.0}, ValueError, "rate: expected a finite number above 0, got 0.0"),
        ({"rate": np.inf}, ValueError, "rate: expected a finite number above 0, got inf"),
        ({"steps": 0}, ValueError, "steps"),
        ({"steps": 1.5}, TypeError, "steps"),
        (
            {"begin": (np.ones((3, 3)), *WEIGHTS[1:])},
            ValueError,
            r"begin: expected W \(H, 2\).*got shapes \(3, 3\)",
        ),
        ({"learned": (*WEIGHTS[:2], np.ones(2), 0.5)}, ValueError, "learned: expected W"),
        ({"begin": (np.ones((9, 2)), np.ones(9), np.ones(9), 0.0)}, ValueError, "with H from 1 to 8"),
        ({"learned": (*WEIGHTS[:3], np.nan)}, ValueError, "learned: expected finite numbers"),
    ],
)
def test_what_does_not_fit_is_named(untyped, changed, error, message):
    with pytest.raises(error, match=message):
        playground(**changed)
