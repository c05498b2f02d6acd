"""The descents in a browser: they walk as gdlib's rules do, and answer to pointer, keys and sliders."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from alone import asked, says, settle, written

from gdlib import optimizers, widgets

HEIGHTS = {
    "bowl": lambda w: 0.5 * (w[0] ** 2 + 20 * w[1] ** 2),
    "valley": lambda w: (1 - w[0]) ** 2 + 5 * (w[1] - w[0] ** 2) ** 2,
    "saddle": lambda w: 0.5 * w[0] ** 2 + 0.25 * (w[1] ** 2 - 1) ** 2,
}
RATES = {"descent": 0.02, "heavy ball": 0.01, "Nesterov": 0.01, "RMSProp": 0.03, "Adam": 0.1}
START = (-1.5, 1.0)


def rules(momentum=0.8):
    return {
        "descent": optimizers.gradient_descent(RATES["descent"]),
        "heavy ball": optimizers.heavy_ball(RATES["heavy ball"], momentum),
        "Nesterov": optimizers.nesterov(RATES["Nesterov"], momentum),
        "RMSProp": optimizers.rmsprop(RATES["RMSProp"]),
        "Adam": optimizers.adam(RATES["Adam"], momentum),
    }


def walk(height, rule, steps=40):
    def step(carry, _):
        w, state = carry
        update, state = rule.update(jax.grad(height)(w), state, w)
        w = optax.apply_updates(w, update)
        return (w, state), w

    w = jnp.array(START)
    return jax.lax.scan(step, (w, rule.init(w)), length=steps)[1]


@pytest.fixture(scope="module")
def paths():
    return {
        surface: {name: walk(height, rule) for name, rule in rules().items()}
        for surface, height in HEIGHTS.items()
    }


@pytest.fixture
def opened(page, paths, tmp_path):
    block = widgets.descent(paths, start=START, rates=RATES, momentum=0.8)
    page.goto(written(tmp_path / "descent.html", block))
    settle(page)
    return page


def test_it_walks_as_gdlib_does_and_says_so(opened):
    root = opened.locator(".gdlib-widget")
    assert float(root.get_attribute("data-disagreement")) < 1e-4
    assert "This page and gdlib agree" in root.locator(".gdlib-agrees").inner_text()


@pytest.mark.parametrize("surface", HEIGHTS)
@pytest.mark.parametrize("rule", RATES)
def test_it_says_where_it_does_not(page, paths, tmp_path, surface, rule):
    off = {name: dict(own) for name, own in paths.items()}
    off[surface][rule] = np.asarray(off[surface][rule]) + 0.01
    block = widgets.descent(off, start=START, rates=RATES, momentum=0.8)
    page.goto(written(tmp_path / "wrong.html", block))
    assert "disagree by 1e-2" in page.locator(".gdlib-agrees").inner_text()


def test_keys_and_pointer_move_the_start(opened):
    plane = opened.locator(".gdlib-plane")
    assert says(opened).startswith("bowl · from (−1.5, 1.0): descent ")
    for key, expected in [
        ("ArrowRight", "(−1.4, 1.0)"),
        ("Shift+ArrowDown", "(−1.4, 0.5)"),
        ("Home", "(−1.5, 1.0)"),
    ]:
        plane.press(key)
        assert f"from {expected}" in says(opened), key
    box = plane.bounding_box()
    opened.mouse.click(box["x"] + box["width"] * 0.75, box["y"] + box["height"] * 0.25)
    assert "from (1.0, 1.0)" in says(opened)


def test_surfaces_and_sliders_change_what_becomes_of_the_rules(opened):
    opened.get_by_label("valley").check()
    first = says(opened)
    assert first.startswith("valley")
    opened.locator(".gdlib-rate").fill("1")
    faster = says(opened)
    assert "leaves after" in faster  # ten times the rate is above the limit
    opened.locator(".gdlib-rate").fill("0")
    assert says(opened) == first
    opened.locator(".gdlib-momentum").fill("0")
    places = asked(
        opened,
        "descent",
        """d => ['descent', 'heavy ball'].map(
            rule => d.path('bowl', rule, [1, 1], { rate: 0.01, momentum: 0 }, 9).at(-1))""",
    )
    assert places[0] == places[1]
    assert "0.00" in opened.locator(".gdlib-momentum ~ output").inner_text()
    assert "Heights against steps" in opened.locator(".gdlib-board").get_attribute("aria-label")
