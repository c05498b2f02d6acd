"""What the block of the bill holds; that it computes what it says is tests/book/test_bill.py's."""

import json
import re

import numpy as np
import pytest

from gdlib import widgets

RATES = {"whole": 1000.0, "student": 4000.0}


def test_the_block_holds_what_it_is_given_and_asks_for_nothing():
    block = widgets.bill(RATES, price=0.5, busy=20)._repr_html_()
    payload = json.loads(re.search(r'<script type="application/json">(.*?)</script>', block, re.S).group(1))
    assert payload == {"rates": [["whole", 1000.0], ["student", 4000.0]], "price": 0.5, "busy": 20}
    assert not re.search(r"https?://|import\(|fetch\(|src=", block)


def test_in_plain_text_it_says_what_it_would_show():
    # A million answers at a thousand a second take 1000 s, 5/18 of an hour, of five times as many that are paid.
    assert "whole 0.6944, student 0.1736" in repr(widgets.bill(RATES, price=0.5, busy=20))


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"rates": {}}, "rates: expected at least one"),
        ({"rates": {"whole": 0.0}}, r"rates\['whole'\]: expected a finite number above 0, got 0.0"),
        ({"rates": {"whole": np.nan}}, "above 0, got nan"),
        ({"price": -1.0}, "price: expected a finite number above 0, got -1.0"),
        ({"price": np.inf}, "above 0, got inf"),
        ({"busy": 0}, "busy: expected above 0 and at most 100 per cent, got 0"),
        ({"busy": 101}, "got 101"),
        ({"busy": np.nan}, "got nan"),
    ],
)
def test_what_does_not_fit_is_named(changed, message):
    given = {"rates": RATES, "price": 0.5} | changed
    with pytest.raises(ValueError, match=message):
        widgets.bill(given.pop("rates"), **given)
