"""What the date to type holds; that it writes and looks as Flax does is tests/book/test_attention.py's."""

import copy
import re

import jax
import numpy as np
import pytest
from flax import nnx
from held import payload, unpacked

from gdlib import widgets
from gdlib.models import transformer

SIZES = {"width": 4, "heads": 2, "blocks": 2, "hidden": 3, "longest": 5}
STATE = nnx.state(transformer.Translator(7, 6, **SIZES, rngs=nnx.Rngs(0)), nnx.Param)
WEIGHTS = jax.tree.map(np.asarray, nnx.to_pure_dict(STATE))
GIVEN = {
    "weights": WEIGHTS,
    "heads": 2,
    "characters": "abč",
    "written": "<0",
    "samples": ("ab", "</script>"[:5]),
    "probabilities": [np.full((2, 6), 0.5), np.full((3, 6), 0.25)],
    "longest": 5,
    "steps": 3,
}


def attention(**changed):
    return widgets.attention(**(GIVEN | changed))


def test_the_block_holds_exactly_these_weights_and_answers():
    found, rounded = payload(attention()), widgets.rounded(WEIGHTS)

    def compare(kept, given, near):
        if "kernel" in given:
            kernel = unpacked(kept["integers"]).astype(np.float32).reshape(given["kernel"].shape)
            np.testing.assert_array_equal(kernel * unpacked(kept["scale"]), near["kernel"])
            bias = given.get("bias", np.zeros(given["kernel"].shape[1]))
            np.testing.assert_array_equal(unpacked(kept["bias"]), bias)
            assert 0 < np.abs(near["kernel"] - given["kernel"]).max() < 0.01
        elif isinstance(given, dict):
            assert kept.keys() == {str(name) for name in given}
            for name, inner in given.items():
                compare(kept[str(name)], inner, near[name])
        else:
            np.testing.assert_array_equal(unpacked(kept), np.asarray(given).ravel())
            np.testing.assert_array_equal(near, given)

    compare(found["weights"], WEIGHTS, rounded)
    np.testing.assert_array_equal(unpacked(found["probabilities"]), [0.5] * 12 + [0.25] * 18)
    kept = [found[name] for name in ("heads", "width", "characters", "written", "longest", "steps")]
    assert kept == [2, 4, "abč", "<0", 5, 3]


def test_the_block_asks_for_nothing_and_no_text_ends_its_script():
    block = attention()._repr_html_()
    assert block.count("</script>") == 2
    assert not re.search(r"https?://|import\(|fetch\(|src=", block)
    assert "A date to type, and 2 to try" in repr(attention())


def changed_weights(path, value):
    weights = copy.deepcopy(WEIGHTS)
    *inner, last = path
    nest = weights
    for name in inner:
        nest = nest[name]
    if value is None:
        del nest[last]
    else:
        nest[last] = value
    return {"weights": weights}


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"heads": 3}, "heads: expected a divisor of the width 4, got 3"),
        ({"heads": 0}, "heads: expected an integer of at least 1"),
        ({"longest": 0}, "longest: expected an integer of at least 1"),
        ({"characters": "ab"}, r"weights\['sources'\].*: expected shape \(6, 4\), got \(7, 4\)"),
        ({"written": "<01"}, r"weights\['logits'\]\['bias'\]: expected shape \(7,\), got \(6,\)"),
        ({"weights": {}}, "weights: expected those of a Translator as nested dicts, lacks 'norm'"),
        (
            changed_weights(("blocks", 1, "cross_attention", "out", "kernel"), np.zeros((4, 5))),
            r"\['cross_attention'\]\['out'\]\['kernel'\]: expected shape \(4, 4\), got \(4, 5\)",
        ),
        (changed_weights(("blocks", 1), None), r"weights\['blocks'\]\[1\].*got None"),
        (changed_weights(("more",), np.zeros(2)), r"weights\['more'\]: expected shape None, got \(2,\)"),
        (
            changed_weights(("norm", "bias"), np.full(4, np.nan)),
            r"weights\['norm'\]\['bias'\]: expected finite",
        ),
        ({"samples": ()}, "samples: expected at least one, and probabilities for each, got 0 and 2"),
        ({"samples": ("ab",)}, "samples: expected at least one, and probabilities for each, got 1 and 2"),
        ({"samples": ("ab", "")}, "samples: expected 1 to 5 characters each, got ''"),
        ({"samples": ("ab", "ababab")}, "samples: expected 1 to 5 characters each, got 'ababab'"),
        (
            {"probabilities": [np.full((2, 6), 0.5), np.full((4, 6), 0.5)]},
            r"probabilities: expected shape \(1 to 3, 6\)",
        ),
        (
            {"probabilities": [np.full((2, 6), 0.5), np.full((3, 5), 0.5)]},
            r"probabilities: expected shape \(1 to 3, 6\)",
        ),
        (
            {"probabilities": [np.full((2, 6), 0.5), np.full((3, 6), 1.5)]},
            "probabilities: expected values from 0",
        ),
    ],
)
def test_what_does_not_fit_is_refused(untyped, changed, message):
    with pytest.raises(ValueError, match=message):
        attention(**changed)
