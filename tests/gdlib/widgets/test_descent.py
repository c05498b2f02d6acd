"""What the block of the descents holds; that it walks as gdlib does is tests/book/test_descent.py's."""

import json
import re

import numpy as np
import pytest

from gdlib import widgets
from gdlib.widgets.descent import RULES, SURFACES

PATHS = {surface: {rule: np.ones((5, 2)) for rule in RULES} for surface in SURFACES}
RATES = dict.fromkeys(RULES, 0.1)


def descent(**changed):
    given = {"paths": PATHS, "start": [1.0, -1.0], "rates": RATES} | changed
    return widgets.descent(given.pop("paths"), **given)


def test_the_block_holds_start_rates_and_paths_and_asks_for_nothing():
    block = descent(momentum=0.8)._repr_html_()
    payload = json.loads(re.search(r'<script type="application/json">(.*?)</script>', block, re.S).group(1))
    assert payload["start"] == [1.0, -1.0]
    assert payload["momentum"] == 0.8
    assert payload["rates"]["Adam"] == 0.1
    assert payload["paths"]["valley"]["Adam"] == [1.0] * 10
    assert not re.search(r"https?://|import\(|fetch\(|src=", block)
    assert "five update rules" in repr(descent())


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"start": [1.0]}, r"start: expected shape \(2,\), got \(1,\)"),
        ({"start": [3.0, 0.0]}, "start: expected values from -2 to 2"),
        ({"start": [np.nan, 0.0]}, "start: expected values from -2 to 2"),
        ({"momentum": 1.0}, "momentum: expected values from 0 to 0.98"),
        ({"rates": {"Adam": 0.1}}, "rates: expected descent, heavy ball, Nesterov, RMSProp, Adam, got Adam"),
        ({"rates": RATES | {"Adam": 0.0}}, "rates: expected finite numbers above 0, got 0.0 for Adam"),
        ({"paths": {"bowl": PATHS["bowl"]}}, "paths: expected bowl, valley, saddle, got bowl"),
        ({"paths": PATHS | {"bowl": {"Adam": np.ones((5, 2))}}}, "paths of bowl: expected descent"),
        (
            {"paths": PATHS | {"bowl": PATHS["bowl"] | {"Adam": np.ones(5)}}},
            r"path of Adam on bowl: expected shape \(steps, 2\), got \(5,\)",
        ),
        (
            {"paths": PATHS | {"bowl": PATHS["bowl"] | {"Adam": np.full((5, 2), np.inf)}}},
            "path of Adam on bowl: expected finite numbers",
        ),
    ],
)
def test_what_does_not_fit_is_named(untyped, changed, message):
    with pytest.raises(ValueError, match=message):
        descent(**changed)
