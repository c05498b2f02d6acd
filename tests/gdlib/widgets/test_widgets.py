"""What a widget holds; that it moves, and agrees with Flax, is tests/book/test_widgets.py's."""

import base64
import io
import json
import re

import matplotlib.pyplot as plt
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from gdlib import widgets
from gdlib.widgets import embed

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


def frame(**changed):
    given = {
        "step": 64,
        "samples": rng.normal(size=(5, 2)),
        "surface": np.linspace(0, 1, 9).reshape(3, 3),
        "field": rng.normal(size=(2, 2, 2)),
        "note": "2 of 8 modes </script>",
    } | changed
    return widgets.Frame(**given)


def test_a_game_holds_its_frames_to_the_digits_it_says():
    shown = frame()
    shown.samples[0] = -7.0, 5.0  # outside: drawn at the edge
    block = widgets.game({"a": [shown], "b": [frame()]}, POINTS, extent=2.0)._repr_html_()
    payload = json.loads(re.search(r'<script type="application/json">(.*?)</script>', block, re.S).group(1))
    packed = payload["games"]["a"][0]

    def unpack(name, dtype):
        return np.frombuffer(base64.b64decode(packed[name]["data"]), dtype)

    samples = unpack("samples", "<i2").reshape(5, 2) / 32767 * 2.0
    np.testing.assert_allclose(samples, np.clip(shown.samples, -2, 2), atol=1e-4)
    np.testing.assert_allclose(unpack("surface", np.uint8).reshape(3, 3) / 255, shown.surface, atol=0.002)
    field = unpack("field", np.int8).reshape(2, 2, 2) / 127 * packed["largest"]
    np.testing.assert_allclose(field, shown.field, atol=packed["largest"] / 250)
    assert block.count("</script>") == 2


@pytest.mark.parametrize(
    ("games", "message"),
    [
        ({}, "games: expected as many frames in each"),
        ({"a": []}, "games: expected as many frames in each"),
        ({"a": [frame()], "b": [frame(), frame()]}, "games: expected as many frames in each"),
        ({"a": [frame(samples=np.zeros((5, 3)))]}, r"samples: expected shape \(n, 2\)"),
        ({"a": [frame(samples=np.full((5, 2), np.nan))]}, "samples: expected finite"),
        ({"a": [frame(surface=np.full((3, 3), 1.1))]}, "surface: expected values from 0 to 1"),
        ({"a": [frame(surface=np.zeros((3, 2)))]}, r"surface: expected shape \(g, g\)"),
        ({"a": [frame(field=np.zeros((3, 2, 2)))]}, r"field: expected shape \(k, k, 2\)"),
    ],
)
def test_what_makes_no_game_is_named(games, message):
    with pytest.raises(ValueError, match=message):
        widgets.game(games, POINTS, extent=2.0)
    with pytest.raises(ValueError, match=r"modes: expected shape \(m, 2\)"):
        widgets.game({"a": [frame()]}, np.zeros(3), extent=2.0)
    with pytest.raises(ValueError, match="extent: expected a number above 0"):
        widgets.game({"a": [frame()]}, POINTS, extent=0.0)


def test_a_film_holds_its_pictures():
    images = np.zeros((4, 3, 5, 1))
    images[3] = 1.0  # the second of the second row
    block = widgets.film({"first": images, "last": 1 - images}, columns=2, alt="digits")._repr_html_()
    payload = json.loads(re.search(r'<script type="application/json">(.*?)</script>', block, re.S).group(1))
    assert [entry["name"] for entry in payload["frames"]] == ["first", "last"]
    sheet = plt.imread(io.BytesIO(base64.b64decode(payload["frames"][0]["image"])))
    assert sheet.shape == (6, 10)
    assert (sheet[3:, 5:] == 0).all()  # drawn black
    assert sheet.sum() == 60 - 15


@pytest.mark.parametrize(
    ("frames", "message"),
    [
        ({}, "frames: expected"),
        ({"a": np.zeros((4, 3, 5, 2))}, "frames: expected"),
        ({"a": np.zeros((3, 3, 5, 1))}, "n a multiple of 2"),
        ({"a": np.zeros((4, 3, 5, 1)), "b": np.zeros((2, 3, 5, 1))}, "frames: expected"),
        ({"a": np.full((4, 3, 5, 1), 2.0)}, r"frames\['a'\]: expected values from 0 to 1"),
    ],
)
def test_what_makes_no_film_is_named(frames, message):
    with pytest.raises(ValueError, match=message):
        widgets.film(frames, columns=2, alt="x")


@pytest.mark.parametrize("number", [np.inf, np.nan])
def test_a_payload_holds_numbers_that_a_page_can_read(number):
    with pytest.raises(ValueError, match="plane: expected finite numbers for the page"):
        embed.widget("plane", "", {"x": [1.0, number]}, description="none")


def test_a_layer_without_a_bias_for_each_output_is_named():
    layer = embed.quantize(np.ones((2, 3)), np.zeros(3))
    with pytest.raises(ValueError, match="layers: expected a scale and a bias for each output"):
        embed.layers_packed([layer._replace(bias=layer.bias[:2])])


def moment(step=0, samples=4, points=3):
    arrays = np.zeros((samples, 2)), np.full((points, points), 0.5), np.zeros((points, points, 2))
    return widgets.Frame(step, *arrays, note="")


def test_frames_of_a_game_have_one_shape_and_any_kind_of_integer():
    widgets.game({"a": [moment(np.int64(3))]}, np.zeros((1, 2)), extent=1.0)
    for other in (moment(samples=5), moment(points=4)):
        with pytest.raises(ValueError, match=r"games: expected frames .* have the same shapes"):
            widgets.game({"a": [moment()], "b": [other]}, np.zeros((1, 2)), extent=1.0)
