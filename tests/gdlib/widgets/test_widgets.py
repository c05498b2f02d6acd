"""What a widget holds; that it moves, and agrees with Flax, is tests/book/test_widgets.py's."""

import base64
import json
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from gdlib import widgets

rng = np.random.default_rng(0)
LAYERS = [
    widgets.quantize(rng.normal(size=(2, 5)), rng.normal(size=5)),
    widgets.quantize(rng.normal(size=(5, 12)), rng.normal(size=12)),
]
PROBE = (np.zeros((1, 2)), np.full((1, 12), 0.5))
POINTS = rng.normal(size=(6, 2))
LABELS = np.array([0, 1, 0, 1, 1, 0])
CLASSES = ("0", "</script>")


def plane(**changed):
    given = {
        "layers": LAYERS,
        "points": POINTS,
        "labels": LABELS,
        "classes": CLASSES,
        "probe": PROBE,
    } | changed
    layers, points, labels, classes = (given.pop(name) for name in ("layers", "points", "labels", "classes"))
    return widgets.latent_plane(layers, points, labels, classes, image_shape=(3, 4), **given)


@settings(deadline=None)
@given(arrays(np.float32, (4, 3), elements=st.floats(-100, 100, width=32)))
def test_quantized_weights_are_within_half_a_step(kernel):
    layer = widgets.quantize(kernel, np.zeros(3))
    assert layer.integers.dtype == np.int8
    assert (np.abs(layer.kernel - kernel) <= layer.scale * 0.5001).all()
    counts = np.abs(kernel).max(axis=0) >= 127 * np.finfo(np.float32).tiny
    np.testing.assert_array_equal(np.abs(layer.integers).max(axis=0), np.where(counts, 127, 0))


def test_the_block_holds_exactly_these_weights_and_asks_for_nothing():
    block = plane()._repr_html_()
    payload = json.loads(re.search(r'<script type="application/json">(.*?)</script>', block, re.S).group(1))
    found = np.frombuffer(base64.b64decode(payload["layers"][1]["integers"]["data"]), np.int8)
    np.testing.assert_array_equal(found.reshape(5, 12), LAYERS[1].integers)
    assert payload["classes"] == list(CLASSES)  # and no class name can end the script early
    assert block.count("</script>") == 2
    assert not re.search(r"https?://|import\(|fetch\(|src=", block)


def test_the_same_arrays_give_the_same_block():
    assert plane()._repr_html_() == plane()._repr_html_()
    assert plane()._repr_html_() != plane(labels=1 - LABELS)._repr_html_()


def test_in_plain_text_it_says_what_it_shows():
    assert "A plane with the codes of 6 images" in repr(plane())


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"points": POINTS[:5]}, r"points: expected \(n, 2\) and n labels"),
        ({"points": rng.normal(size=(6, 3))}, r"points: expected \(n, 2\)"),
        ({"points": np.full((6, 2), np.nan)}, "points: expected finite"),
        ({"labels": LABELS + 1}, "labels: expected values from 0 to 1"),
        ({"classes": "abcdefghijk"}, "classes: expected 1 to 10, got 11"),
        ({"layers": LAYERS[:1]}, "layers: expected to lead from 2 to 12 numbers, got from 2 to 5"),
        (
            {"layers": [LAYERS[0], LAYERS[0], LAYERS[1]]},
            "layers: expected each to take what the one before gives",
        ),
        ({"probe": (np.zeros((1, 2)), np.zeros((1, 11)))}, "probe: expected codes"),
        ({"probe": (np.zeros((0, 2)), np.zeros((0, 12)))}, "probe: expected codes"),
        ({"probe": (np.zeros((1, 2)), np.full((1, 12), np.inf))}, "probe images: expected finite"),
    ],
)
def test_what_makes_no_widget_is_named(changed, message):
    with pytest.raises(ValueError, match=message):
        plane(**changed)


def test_labels_that_are_no_integers_are_refused():
    with pytest.raises(TypeError, match="labels: expected integers, got an array of float64"):
        plane(labels=LABELS + 0.5)


@pytest.mark.parametrize(
    ("kernel", "bias", "message"),
    [
        (np.zeros(3), np.zeros(3), "kernel: expected"),
        (np.zeros((2, 3)), np.zeros(2), "kernel: expected"),
        (np.full((2, 3), np.nan), np.zeros(3), "kernel: expected finite"),
        (np.zeros((2, 3)), np.full(3, np.inf), "bias: expected finite"),
    ],
)
def test_what_is_no_layer_is_named(kernel, bias, message):
    with pytest.raises(ValueError, match=message):
        widgets.quantize(kernel, bias)


def test_a_question_without_a_choice_or_without_its_answer_is_named():
    with pytest.raises(ValueError, match="answers: expected at least two, got 1"):
        widgets.quiz("?", {"a": "b"}, right="a")
    with pytest.raises(ValueError, match=r"right: expected one of \['a', 'b'\], got 'c'"):
        widgets.quiz("?", {"a": "", "b": ""}, right="c")


def test_a_question_may_hold_any_character():
    says = "</script><!--<script>"  # after such a comment a page would look for the end of two scripts
    block = widgets.quiz("p < q & r?", {"<b>": says, "no": ""}, right="no")._repr_html_()
    assert "<legend>p &lt; q &amp; r?</legend>" in block
    assert "&lt;b&gt;" in block
    assert block.count("</script>") == 2
    assert "<!--" not in block
