"""Images to judge, in a browser: by keyboard, counted, and blind until the answer is given."""

import numpy as np
import pytest
from alone import fits_and_can_be_read, says, written

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
    opened.get_by_role("button", name="Next").click()
    assert choices(opened) == ["4", "9", "neither"]  # here the label is the second


def test_by_keyboard_every_answer_is_counted_and_it_begins_again(opened):
    opened.get_by_role("button", name="7", exact=True).focus()
    opened.keyboard.press("Enter")
    assert says(opened).startswith("You say 7; its label is 1, the model's guess 7. Of 1 judged")
    assert opened.locator(".gdlib-judged").get_attribute("alt").startswith("Image 1")  # it is still there
    assert opened.locator(".gdlib-choices button:enabled").count() == 0
    opened.keyboard.press("Enter")  # Next has the focus
    opened.keyboard.press("Tab")
    opened.keyboard.press("Space")  # 9, the label
    opened.keyboard.press("Enter")
    opened.keyboard.press("Tab")
    opened.keyboard.press("Tab")
    opened.keyboard.press("Space")
    tally = "Of 3 judged, your answer was the label's in 1, the model's in 1, and neither in 1."
    assert says(opened).endswith(tally)
    opened.get_by_role("button", name="Again").click()
    assert opened.locator(".gdlib-asks").inner_text() == "Image 1 of 3. What is it?"
    opened.get_by_role("button", name="1", exact=True).click()
    assert "Of 1 judged" in says(opened)


@pytest.mark.parametrize("width", [360, 1000])
def test_it_fits_and_can_be_read(opened, width):
    fits_and_can_be_read(opened, width)
