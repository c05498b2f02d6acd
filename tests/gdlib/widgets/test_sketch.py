"""What the board to draw on holds; that it answers as Flax does is tests/book/test_sketch.py's."""

import re

import numpy as np
import pytest
from held import payload, unpacked

from gdlib import widgets

rng = np.random.default_rng(0)


def layer(inputs, outputs):
    return widgets.quantize(rng.normal(size=(inputs, outputs)), rng.normal(size=outputs))


# 15 × 12 → 13 × 10, pooled 6 × 5 → 4 × 3, pooled 2 × 1.
CONVOLUTIONS = [layer(9, 4), layer(36, 6)]
DENSE = [layer(12, 5), layer(5, 3)]
SAMPLES = rng.uniform(size=(2, 15, 12))
PROBABILITIES = np.full((2, 3), 1 / 3)
CLASSES = ("0", "<b>1", "</script>")


def sketch(**changed):
    given = {"convolutions": CONVOLUTIONS, "dense": DENSE, "samples": SAMPLES, "classes": CLASSES}
    return widgets.sketch(**(given | {"probabilities": PROBABILITIES} | changed))


def test_the_block_holds_exactly_these_layers_images_and_answers():
    found = payload(sketch())
    for name, layers in {"convolutions": CONVOLUTIONS, "dense": DENSE}.items():
        assert len(found[name]) == len(layers)
        for held, given in zip(found[name], layers, strict=True):
            for part, array in given._asdict().items():
                np.testing.assert_array_equal(unpacked(held[part]), array.ravel())
    np.testing.assert_array_equal(unpacked(found["samples"]), SAMPLES.astype(np.float32).ravel())
    np.testing.assert_array_equal(unpacked(found["probabilities"]), np.full(6, 1 / 3, np.float32))
    assert (found["height"], found["width"], found["classes"]) == (15, 12, list(CLASSES))


def test_the_block_asks_for_nothing_and_no_class_ends_its_script():
    block = sketch()._repr_html_()
    assert block.count("</script>") == 2
    assert "<b>1" not in block
    assert not re.search(r"https?://|import\(|fetch\(|src=", block)
    assert "A board to draw a digit on, by pointer or by keys, and 2 images to pick" in repr(sketch())


def test_images_may_have_an_axis_of_one_channel():
    assert sketch(samples=SAMPLES[..., None])._repr_html_() == sketch()._repr_html_()


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"convolutions": []}, "convolutions: expected at least one, got none"),
        (
            {"convolutions": [layer(8, 4), CONVOLUTIONS[1]]},
            r"convolutions\[0\]: expected a kernel of 3 · 3 · 1 = 9 rows, got shape \(8, 4\)",
        ),
        (
            {"convolutions": [CONVOLUTIONS[0], layer(4, 6)]},
            r"convolutions\[1\]: expected a kernel of 3 · 3 · 4 = 36 rows, got shape \(4, 6\)",
        ),
        (
            {"samples": SAMPLES[:, :9]},
            "samples: expected images large enough for 2 convolutions, got 9 × 12",
        ),
        ({"samples": SAMPLES[0]}, r"samples: expected \(k, height, width\).*got \(15, 12\)"),
        ({"samples": SAMPLES[:0]}, r"samples: expected .*got \(0, 15, 12\)"),
        ({"samples": np.zeros((2, 15, 12, 3))}, r"samples: expected .*got \(2, 15, 12, 3\)"),
        ({"samples": SAMPLES + 0.5}, "samples: expected values from 0 to 1"),
        ({"samples": np.full_like(SAMPLES, np.nan)}, "samples: expected values from 0 to 1, got nan"),
        ({"dense": []}, r"dense: expected to lead from 12 to 3 numbers, .*got layers of shapes \[\]"),
        ({"dense": [layer(13, 5), DENSE[1]]}, r"dense: expected to lead from 12 to 3 numbers"),
        ({"classes": "01"}, r"dense: expected to lead from 12 to 2 numbers, .*\[\(12, 5\), \(5, 3\)\]"),
        ({"dense": [layer(12, 6), DENSE[1]]}, "dense: expected each to take what the one before gives"),
        ({"probabilities": PROBABILITIES[:1]}, r"probabilities: expected shape \(2, 3\), got \(1, 3\)"),
        ({"probabilities": 4 * PROBABILITIES}, "probabilities: expected values from 0 to 1"),
        ({"probabilities": np.nan * PROBABILITIES}, "probabilities: expected values from 0 to 1, got nan"),
    ],
)
def test_what_makes_no_board_is_named(changed, message):
    with pytest.raises(ValueError, match=message):
        sketch(**changed)
