"""Images to judge, in a browser: by keyboard, counted, and blind until the answer is given."""

import numpy as np
import pytest
from alone import says, written
from axe_playwright_python.sync_playwright import Axe

from gdlib import widgets

IMAGES = np.random.default_rng(0).random((3, 28, 28, 1))


@pytest.fixture
def opened(page, tmp_path):
    block = widgets.judge(IMAGES, np.array([1, 9, 7]), np.array([7, 4, 2]), classes=10)
    page.goto(written(tmp_path / "judge.html", block))
    return page


def choices(page):
    return page.locator(".gdlib-choices button").all_inner_texts()


def test_the_order_does_not_tell_which_is_the_label(opened):
    assert choices(opened) == ["1", "7", "neither"]
    opened.get_by_role("button", name="1", exact=True).click()
    assert choices(opened) == ["4", "9", "neither"]  # here the label is the second


def test_by_keyboard_every_answer_is_counted_and_the_end_is_said(opened):
    opened.get_by_role("button", name="7", exact=True).focus()
    opened.keyboard.press("Enter")
    assert says(opened) == "Image 1: you say 7; its label is 1, the model's guess 7."
    opened.keyboard.press("Enter")  # the second again: 9, the label
    opened.keyboard.press("Tab")
    opened.keyboard.press("Space")
    tally = "Of 3 judged, your answer was the label's in 1, the model's in 1, and neither in 1."
    assert opened.locator(".gdlib-tally").inner_text() == tally
    assert opened.locator(".gdlib-asks").inner_text() == "All judged."
    assert opened.locator(".gdlib-choices button:enabled").count() == 0


@pytest.mark.parametrize("width", [360, 1000])
def test_it_fits_and_can_be_read(opened, width):
    opened.set_viewport_size({"width": width, "height": 700})
    assert opened.evaluate("document.documentElement.scrollWidth") <= width
    found = Axe().run(opened, context=".gdlib-widget").response["violations"]
    assert [violation["id"] for violation in found] == []
