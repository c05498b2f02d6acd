"""The bill in a browser: a reader types a price, and the costs follow."""

import pytest
from alone import fits_and_can_be_read, says, written

from gdlib import widgets


@pytest.fixture
def opened(page, tmp_path):
    block = widgets.bill({"whole": 1000.0, "student": 4000.0}, price=0.36, busy=100)
    page.goto(written(tmp_path / "bill.html", block))
    return page


def costs(page):
    return page.locator(".gdlib-costs td:last-child").all_inner_texts()


def test_a_million_at_a_thousand_a_second_is_a_thousand_seconds(opened):
    assert costs(opened) == ["0.1", "0.025"]
    assert opened.locator(".gdlib-costs td:nth-child(2)").all_inner_texts() == ["1,000", "4,000"]


def test_the_costs_follow_what_is_typed_by_keyboard(opened):
    opened.get_by_label("Price of the machine").focus()
    opened.keyboard.press("ControlOrMeta+A")
    opened.keyboard.type("3.6")
    opened.keyboard.press("Tab")
    opened.keyboard.press("ControlOrMeta+A")
    opened.keyboard.type("10")
    assert costs(opened) == ["10", "2.5"]
    assert says(opened) == "Of each 3.6 that an hour costs, 3.24 are paid for waiting."


@pytest.mark.parametrize(
    ("field", "typed", "sentence"),
    [
        ("Price", "", "The price has to be a number, 0 or more."),
        ("Price", "-1", "The price has to be a number, 0 or more."),
        ("Share", "0", "The share has to be above 0 and at most 100 %."),
        ("Share", "101", "The share has to be above 0 and at most 100 %."),
    ],
)
def test_what_makes_no_sense_gets_a_sentence_and_no_number(opened, field, typed, sentence):
    opened.get_by_label(field).fill(typed)
    assert says(opened) == sentence
    assert costs(opened) == ["?", "?"]


@pytest.mark.parametrize("width", [360, 1000])
def test_it_fits_and_can_be_read(opened, width):
    fits_and_can_be_read(opened, width)
