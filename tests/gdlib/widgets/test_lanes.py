"""What the block of the lanes holds; that it simulates as the chapter does is tests/book/test_lanes.py's."""

import json
import re

import numpy as np
import pytest

from gdlib import widgets
from gdlib.widgets.lanes import RULES

TIMES = np.ones((3, 4))
PATHS = {rule: [0.9, 0.8] for rule in RULES}


def lanes(**changed):
    given = {"times": TIMES, "paths": PATHS, "seconds": 5.0} | changed
    return widgets.lanes(given.pop("times"), given.pop("paths"), **given)


def test_the_block_holds_times_settings_and_paths_and_asks_for_nothing():
    block = lanes(uneven=0.5, slow=2.0, rate=0.3)._repr_html_()
    payload = json.loads(re.search(r'<script type="application/json">(.*?)</script>', block, re.S).group(1))
    assert payload["times"] == TIMES.tolist()
    assert payload["settings"] == {"uneven": 0.5, "slow": 2.0, "rate": 0.3}
    assert payload["paths"]["backup"] == [0.9, 0.8]
    assert not re.search(r"https?://|import\(|fetch\(|src=", block)
    assert "3 workers as lanes" in repr(lanes())


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"times": np.ones(3)}, r"times: expected shape \(workers, gradients\), .*, got \(3,\)"),
        ({"times": np.ones((1, 3))}, r"got \(1, 3\)"),
        ({"times": np.ones((3, 0))}, r"got \(3, 0\)"),
        ({"times": np.zeros((3, 4))}, "times: expected numbers above 0, got 0"),
        ({"times": np.full((3, 4), np.nan)}, "times: expected finite numbers"),
        ({"seconds": 0.0}, "seconds: expected 1 to 1000, got 0"),
        ({"seconds": np.nan}, "seconds: expected 1 to 1000, got nan"),
        ({"uneven": 1.5}, "uneven: expected values from 0 to 1"),
        ({"slow": 0.5}, "slow: expected values from 1 to 5"),
        ({"rate": 3.0}, "rate: expected values from 0.02 to 2"),
        ({"paths": {"wait": [1.0]}}, "paths: expected wait, backup, nobody waits, got wait"),
        ({"paths": PATHS | {"wait": [[1.0]]}}, r"path of wait: expected shape \(updates,\), got \(1, 1\)"),
        ({"paths": PATHS | {"wait": []}}, r"path of wait: expected shape \(updates,\), got \(0,\)"),
        ({"paths": PATHS | {"wait": [np.inf]}}, "path of wait: expected finite numbers"),
    ],
)
def test_what_does_not_fit_is_named(untyped, changed, message):
    with pytest.raises(ValueError, match=message):
        lanes(**changed)
