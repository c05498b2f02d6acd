"""What the name to type holds; that it answers as Flax does is tests/book/test_letters.py's."""

import re

import numpy as np
import pytest
from held import payload, unpacked

from gdlib import widgets

rng = np.random.default_rng(0)


def layer(inputs, outputs):
    return widgets.quantize(rng.normal(size=(inputs, outputs)), rng.normal(size=outputs))


GIVEN = {
    "embedding": rng.normal(size=(4 + 3, 2)),
    "inputs": layer(2, 15),
    "recurrent": layer(5, 15),
    "dense": [layer(5, 4), layer(4, 2)],
    "characters": "abč",
    "classes": ("<b>one", "</script>"),
    "samples": ("ab", "čab"),
    "probabilities": [np.full((2, 2), 0.5), np.full((3, 2), 0.25)],
    "longest": 4,
}


def letters(**changed):
    return widgets.letters(**(GIVEN | changed))


def test_the_block_holds_exactly_these_weights_names_and_answers():
    found = payload(letters())
    np.testing.assert_array_equal(unpacked(found["embedding"]), GIVEN["embedding"].astype(np.float32).ravel())
    held = [found["inputs"], found["recurrent"], *found["dense"]]
    for one, given in zip(held, [GIVEN["inputs"], GIVEN["recurrent"], *GIVEN["dense"]], strict=True):
        for part, array in given._asdict().items():
            np.testing.assert_array_equal(unpacked(one[part]), array.ravel())
    np.testing.assert_array_equal(unpacked(found["probabilities"]), [0.5] * 4 + [0.25] * 6)
    assert (found["characters"], found["samples"], found["longest"]) == ("abč", ["ab", "čab"], 4)
    assert found["classes"] == list(GIVEN["classes"])


def test_the_block_asks_for_nothing_and_no_class_ends_its_script():
    block = letters()._repr_html_()
    assert block.count("</script>") == 2
    assert "<b>one" not in block
    assert not re.search(r"https?://|import\(|fetch\(|src=", block)
    assert "A name to type, and 2 to try" in repr(letters())


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (
            {"characters": "ab"},
            r"embedding: expected a row for each of 4 special tokens and 2 characters, got",
        ),
        ({"embedding": np.zeros(7)}, r"embedding: expected a row .* got shape \(7,\)"),
        ({"embedding": np.full((7, 2), np.nan)}, "embedding: expected finite numbers"),
        ({"inputs": layer(3, 15)}, r"inputs: expected shape \(2, 15\), got \(3, 15\)"),
        ({"inputs": layer(2, 10)}, r"inputs: expected shape \(2, 15\), got \(2, 10\)"),
        ({"recurrent": layer(5, 10)}, r"recurrent: expected shape \(5, 15\), got \(5, 10\)"),
        ({"dense": []}, "dense: expected to lead from 5 to 2 numbers"),
        ({"dense": [layer(4, 2)]}, r"dense: expected to lead from 5 to 2 numbers.*\[\(4, 2\)\]"),
        ({"dense": [layer(5, 3)]}, "dense: expected to lead from 5 to 2 numbers"),
        ({"dense": [layer(5, 4), layer(3, 2)]}, "dense: expected each to take what the one before gives"),
        ({"samples": ()}, "samples: expected at least one, and probabilities for each, got 0 and 2"),
        ({"samples": ("ab",)}, "samples: expected at least one, and probabilities for each, got 1 and 2"),
        ({"samples": ("ab", "")}, "samples: expected 1 to 4 characters each, got ''"),
        ({"longest": 2}, "samples: expected 1 to 2 characters each, got 'čab'"),
        ({"longest": 0}, "longest: expected an integer of at least 1"),
        ({"probabilities": [np.ones((2, 2))] * 2}, r"probabilities: expected shape \(3, 2\) for 'čab', got"),
        (
            {"probabilities": [np.full((2, 2), 2.0), GIVEN["probabilities"][1]]},
            "probabilities: expected values from 0 to 1",
        ),
    ],
)
def test_what_does_not_fit_is_refused(changed, message):
    with pytest.raises(ValueError, match=message):
        letters(**changed)
