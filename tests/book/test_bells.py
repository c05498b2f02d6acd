"""The two bells in a browser: what they learn, how often it errs, and that they move."""

import numpy as np
import pytest
import scipy.optimize
import scipy.stats
from alone import asked, says, settle, written

from gdlib import widgets

RIDGE, FLOOR = 0.7, 1e-3


def naive(X, y):
    means = np.stack([X[y == k].mean(axis=0) for k in (0, 1)])
    variances = ((X - means[y]) ** 2).mean(axis=0) + FLOOR
    w = (means[1] - means[0]) / variances
    odds = np.log((y == 1).sum() / (y == 0).sum())
    return np.array([*w, odds - w @ means.mean(axis=0)])


def logistic(X, y):
    def loss(v):
        lines = X @ v[:2] + v[2]
        return (np.logaddexp(0, lines) - y * lines).sum() + RIDGE / 2 * v[:2] @ v[:2]

    return scipy.optimize.minimize(loss, np.zeros(3), tol=1e-10).x


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    y = np.array([0, 1] * 15 + [1] * 5)
    return (rng.normal(size=(35, 2)) + y[:, None] * [1.5, -0.5]).astype(np.float32), y


@pytest.fixture(scope="module")
def block(data):
    return widgets.bells(*data, ridge=RIDGE, floor=FLOOR, naive=naive(*data), logistic=logistic(*data))


@pytest.fixture
def opened(page, block, tmp_path):
    page.goto(written(tmp_path / "bells.html", block))
    settle(page)
    return page


def test_it_learns_what_the_chapter_learns_and_says_so(opened):
    root = opened.locator(".gdlib-widget")
    assert float(root.get_attribute("data-disagreement")) < 1e-4
    assert "agree" in root.locator(".gdlib-agrees").inner_text()


def test_it_says_where_it_does_not(page, data, tmp_path):
    off = naive(*data) + np.array([0, 0.1, 0])
    wrong = widgets.bells(*data, ridge=RIDGE, floor=FLOOR, naive=off, logistic=logistic(*data))
    page.goto(written(tmp_path / "wrong.html", wrong))
    assert "disagree by 1e-1" in page.locator(".gdlib-agrees").inner_text()


def test_separable_examples_have_a_ridged_line(opened):
    points = [[-2.0, 0.1], [-1.0, 0.0], [1.0, 0.2], [2.0, -0.1]]
    found = asked(opened, "bells", "(b, X, y) => b.logistic(X.flat(), y)", points, [0, 0, 1, 1])
    np.testing.assert_allclose(found, logistic(np.array(points), np.array([0, 0, 1, 1])), atol=1e-3)


def test_its_errors_are_those_of_the_two_distributions(opened):
    asked(
        opened,
        "bells",
        "b => { b.world.widths = [1.5, 0.7]; b.world.tilt = 0.6; b.world.means[1] = [0.5, 1.2]; }",
    )
    line = np.array([0.8, 1.1, -0.4])
    found = asked(opened, "bells", "(b, line) => b.error(line)", line.tolist())
    shares = []
    for mean, width, sign in (([-1, 0], 1.5, 1), ([0.5, 1.2], 0.7, -1)):
        deviation = width * np.sqrt(line[:2] @ [[1, 0.6], [0.6, 1]] @ line[:2])
        shares.append(scipy.stats.norm.cdf(sign * (line[:2] @ mean + line[2]) / deviation))
    assert found == pytest.approx(np.mean(shares), abs=1e-6)


def test_its_examples_have_the_distribution_that_is_drawn(opened):
    asked(
        opened,
        "bells",
        "b => { b.world.widths = [1.5, 0.7]; b.world.tilt = 0.6; b.world.means[1] = [0.5, 1.2]; }",
    )
    draws = asked(
        opened,
        "bells",
        "b => Array.from({ length: 16 }, (_, d) => b.examples(d, 256)).map(([X, y]) => [[...X], y])",
    )
    X = np.concatenate([np.reshape(points, (-1, 2)) for points, _ in draws])
    y = np.concatenate([labels for _, labels in draws])
    for k, mean, width in ((0, [-1, 0], 1.5), (1, [0.5, 1.2], 0.7)):
        own = X[y == k]
        assert len(own) == 16 * 256
        np.testing.assert_allclose(own.mean(axis=0), mean, atol=5 * width / np.sqrt(len(own)))
        np.testing.assert_allclose(np.cov(own.T) / width**2, [[1, 0.6], [0.6, 1]], atol=0.1)


def test_both_come_to_the_best_line_and_naive_bayes_does_not_where_it_is_wrong(opened):
    right = asked(opened, "bells", "b => b.curves()")
    for name in ("naive", "logistic"):
        assert right[name][-1] == pytest.approx(scipy.stats.norm.cdf(-1), abs=0.005)
        assert right[name][0] > right[name][-1] + 0.03
    wrong = asked(
        opened, "bells", "b => { b.world.tilt = 0.9; b.world.means[1] = [1, 1]; return b.curves(); }"
    )
    assert wrong["logistic"][-1] < wrong["naive"][-1] - 0.02


def test_keys_move_the_means_and_change_over(opened):
    plane = opened.locator(".gdlib-plane")
    assert says(opened).startswith("crosses at (1.0, 0.0) · 8 of each class")
    for key, expected in [
        ("ArrowRight", "crosses at (1.1, 0.0)"), ("Shift+ArrowUp", "crosses at (1.1, 0.5)"),
        (" ", "circles at (−1.0, 0.0)"), ("ArrowDown", "circles at (−1.0, −0.1)"),
        ("a", "circles at (−1.0, −0.1)"), ("Home", "circles at (−1.0, 0.0)"), (" ", "crosses at (1.0, 0.0)"),
    ]:  # fmt: skip
        plane.press(key)
        assert says(opened).startswith(expected), key
    for _ in range(9):
        plane.press("Shift+ArrowRight")
    assert says(opened).startswith("crosses at (4.0, 0.0)")  # it stops at the edge


def test_the_pointer_takes_the_nearer_mean(opened):
    box = opened.locator(".gdlib-plane").bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    opened.mouse.move(x - 60, y)
    assert says(opened).startswith("crosses at (1.0, 0.0)")  # no button, no move
    opened.mouse.down()
    opened.mouse.move(x - 70, y - 50)
    opened.mouse.up()
    scale = 8 / box["width"]
    assert says(opened).startswith(f"circles at (−{70 * scale:.1f}, {50 * scale:.1f})")


def test_every_control_changes_the_boundaries(opened):
    opened.locator(".gdlib-plane").press("ArrowRight")
    seen = {says(opened)}
    for control in opened.locator(".gdlib-widget input").all():
        control.press("ArrowRight")
        assert says(opened) not in seen
        seen.add(says(opened))
    before = opened.locator(".gdlib-board").get_attribute("aria-label")
    opened.locator(".gdlib-play").press("Enter")
    assert says(opened) not in seen
    assert opened.locator(".gdlib-board").get_attribute("aria-label") == before  # the mean over all draws
    assert "2: naive Bayes" in before
    assert "256: naive Bayes" in before
