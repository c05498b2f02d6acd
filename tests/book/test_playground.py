"""The playground in a browser: it learns what the chapter's code learns, by pointer and by keyboard."""

import numpy as np
import pytest
from alone import asked, says, settle, written

from gdlib import widgets

RATE, STEPS = 0.5, 40


def learn(weights, X, y, steps=STEPS):
    """Gradient descent on the mean loss, one example at a time written out."""
    W, b, v, c = (np.array(part, float) for part in weights)
    for _ in range(steps):
        A = X @ W.T + b
        g = 1 / (1 + np.exp(-(np.maximum(A, 0) @ v + c))) - y
        delta = g[:, None] * v * (A > 0)
        slopes = delta.T @ X, delta.sum(0), np.maximum(A, 0).T @ g, g.sum()
        W, b, v, c = (w - RATE * s / len(y) for w, s in zip((W, b, v, c), slopes, strict=True))
    return W, b, v, c


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    y = np.arange(40) % 2
    angle, radius = rng.uniform(0, 2 * np.pi, 40), np.where(y == 1, 2.0, 0.5)
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], 1), y


@pytest.fixture(scope="module")
def begin():
    rng = np.random.default_rng(1)
    return rng.normal(size=(3, 2)), np.zeros(3), rng.normal(size=3), 0.0


@pytest.fixture
def opened(page, data, begin, tmp_path):
    block = widgets.playground(*data, begin=begin, rate=RATE, steps=STEPS, learned=learn(begin, *data))
    page.goto(written(tmp_path / "playground.html", block))
    settle(page)
    return page


def test_it_learns_what_the_chapter_learns_and_says_so(opened):
    root = opened.locator(".gdlib-widget")
    assert float(root.get_attribute("data-disagreement")) < 1e-9
    assert "agree: no weight, after 40 steps," in root.locator(".gdlib-agrees").inner_text()


def test_it_says_where_it_does_not(page, data, begin, tmp_path):
    learned = learn(begin, *data)
    off = learned[0] + 0.01, *learned[1:]
    page.goto(
        written(
            tmp_path / "wrong.html",
            widgets.playground(*data, begin=begin, rate=RATE, steps=STEPS, learned=off),
        )
    )
    assert "disagree by 1e-2" in page.locator(".gdlib-agrees").inner_text()


def test_training_goes_on_until_it_is_paused_and_lowers_the_loss(opened):
    assert says(opened).startswith("3 hidden units · step 0 · loss not measured yet")
    opened.locator(".gdlib-play").first.click()
    opened.wait_for_function("document.querySelector('.gdlib-widget').playground.world.steps >= 200")
    assert opened.locator(".gdlib-play").first.inner_text() == "Pause"
    opened.locator(".gdlib-play").first.click()
    settle(opened)
    stopped = asked(opened, "playground", "p => p.world.steps")
    settle(opened)
    assert asked(opened, "playground", "p => p.world.steps") == stopped
    first, last = asked(opened, "playground", "p => [p.world.losses[0][1], p.world.losses.at(-1)[1]]")
    assert last < first / 2
    assert "After step" in opened.locator(".gdlib-board").get_attribute("aria-label")


def test_keys_draw_change_over_and_take_away(opened):
    plane = opened.locator(".gdlib-plane")
    assert says(opened).endswith("of 40 points right")
    for key in ("ArrowRight", "Shift+ArrowUp", "Enter"):
        plane.press(key)
    assert says(opened).endswith("of 41 points right")
    points, labels = asked(opened, "playground", "p => [p.world.points.slice(-2), p.world.labels.slice(-1)]")
    assert points == pytest.approx([0.1, 0.5])
    assert labels == [1]
    plane.press(" ")
    assert opened.locator(".gdlib-kind").first.is_checked()
    plane.press("Enter")
    assert asked(opened, "playground", "p => p.world.labels.slice(-1)") == [0]
    for _ in range(2):
        plane.press("Backspace")
    assert says(opened).endswith("of 40 points right")
    for _ in range(9):
        plane.press("Shift+ArrowLeft")
    assert asked(opened, "playground", "p => p.world.at[0]") == -3  # it stops at the edge


def test_a_touch_draws_and_the_buttons_clear_and_bring_back(opened):
    box = opened.locator(".gdlib-plane").bounding_box()
    opened.locator(".gdlib-kind").first.check()
    opened.mouse.click(box["x"] + box["width"] * 0.75, box["y"] + box["height"] * 0.25)
    points, labels = asked(opened, "playground", "p => [p.world.points.slice(-2), p.world.labels.slice(-1)]")
    assert points == pytest.approx([1.5, 1.5], abs=0.05)
    assert labels == [0]
    opened.locator(".gdlib-clear").click()
    settle(opened)
    assert says(opened).endswith("no points yet")
    opened.locator(".gdlib-play").first.click()  # with no points there is nothing to learn
    assert opened.locator(".gdlib-play").first.inner_text() == "Train"
    opened.locator(".gdlib-reset").click()
    assert says(opened).endswith("of 40 points right")


def test_sliders_say_their_value_and_begin_anew(opened):
    hidden = opened.locator(".gdlib-hidden")
    hidden.fill("8")
    assert says(opened).startswith("8 hidden units · step 0")
    assert asked(opened, "playground", "p => p.world.net.b.length") == 8
    first = asked(opened, "playground", "p => [...p.world.net.W]")
    opened.locator(".gdlib-again").click()
    settle(opened)
    assert asked(opened, "playground", "p => [...p.world.net.W]") != first
    opened.locator(".gdlib-rate").fill("0")
    assert opened.get_by_text("0.01").is_visible()
