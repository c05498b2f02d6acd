"""What a cell displays beside figures."""

import json
import re
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from gdlib import evaluate, show, train
from gdlib.models import rnn


def documented(x):
    """Twice x.

    Args:
      x: a number.
    """

    def inner(y):
        """Itself.

        Nothing more.
        """
        return y

    return 2 * inner(x)


def test_a_chapter_shows_the_source_that_runs():
    shown = show.source(documented, test_a_chapter_shows_the_source_that_runs).data
    assert shown.startswith("```python\ndef documented(x):")
    assert "      x: a number." in shown
    assert "def test_a_chapter_shows_the_source_that_runs():" in shown
    assert shown.endswith("\n```")


def test_docstrings_can_be_cut_to_their_first_sentence():
    shown = show.source(documented, docstrings=False).data
    expected = [
        "```python", "def documented(x):", '    """Twice x."""', "", "    def inner(y):", '        """Itself."""',
        "        return y", "", "    return 2 * inner(x)", "```",
    ]  # fmt: skip
    assert shown.splitlines() == expected


def test_a_table_has_its_text_to_the_left_and_its_numbers_to_the_right():
    shown = show.table(("model", "error"), [("a", 1), ("b", "2.0")], note="In nats.").data
    assert shown.splitlines() == [
        "| model | error |", "| --- | ---: |", "| a | 1 |", "| b | 2.0 |", "", "In nats.",
    ]  # fmt: skip
    assert show.table(("a", "b"), [], align="rl").data.splitlines()[1] == "| ---: | --- |"


def test_a_sentence_keeps_its_template_and_its_numbers():
    shown = show.found(
        "A gap of {gap:.1f} nats, {right:.0f} % right with {name}, {gap:.3f} exactly; $x^{{2}}$.",
        gap=np.float32(2.25),
        right=evaluate.spread([90.0, 92.0]),
        name="Adam",
    )
    assert shown.data == "A gap of 2.2 nats, 91\u00a0±\u00a01 % right with Adam, 2.250 exactly; $x^{2}$."
    _, metadata = shown._repr_markdown_()
    kept = metadata["gdlib_found"]
    assert kept["template"].startswith("A gap of {gap:.1f} nats")
    assert kept["numbers"]["right"] == {
        "mean": 91.0,
        "deviation": 2**0.5,
        "runs": 2,
        "text": "91\u00a0±\u00a01",
    }
    assert kept["numbers"]["gap"]["value"] == 2.25
    assert kept["numbers"]["name"] == {"text": "Adam"}
    json.dumps(metadata, allow_nan=False)


def test_places_and_numbers_belong_together():
    with pytest.raises(ValueError, match=r"expected one for each of .*\['gap'\], got \['gap', 'other'\]"):
        show.found("{gap:.1f}", gap=1.0, other=2.0)
    with pytest.raises(ValueError, match=r"\['gap'\], got \[\]"):
        show.found("{gap:.1f}")


def test_a_table_keeps_its_cells():
    _, metadata = show.table(("model", "error"), [("a", 1)])._repr_markdown_()
    assert metadata["gdlib_table"] == {"columns": ["model", "error"], "rows": [["a", "1"]]}


def test_rows_and_alignments_of_another_length_are_named():
    with pytest.raises(ValueError, match=r"rows: expected 2, one for each of \['a', 'b'\], got \['1'\]"):
        show.table(("a", "b"), [(1,)])
    with pytest.raises(ValueError, match=r"align: expected 2, .*got l"):
        show.table(("a", "b"), [], align="l")


def test_diagnoses_are_shown_one_by_one_and_together():
    diagnoses = show.Diagnoses()
    one = diagnoses.add("a sum", "loss of 100", "no mean", "the first loss", "take the mean").data
    assert one == "**Symptom:** loss of 100. **Cure:** take the mean."
    two = diagnoses.add("b", "a loss of {loss:.1f}", "d", "e", "$x^{2}$", loss=2.25)
    assert two.data == "**Symptom:** a loss of 2.2. **Cure:** $x^{2}$."
    assert two._repr_markdown_()[1]["gdlib_found"]["numbers"]["loss"]["value"] == 2.25
    assert diagnoses.add("c", "$y^{2}$", "d", "e", "f").data == "**Symptom:** $y^{2}$. **Cure:** f."
    assert len(diagnoses) == 3
    lines = diagnoses.table().data.splitlines()
    assert lines[2:] == [
        "| a sum | loss of 100 | no mean | the first loss | take the mean |",
        "| b | a loss of 2.2 | d | e | $x^{2}$ |",
        "| c | $y^{2}$ | d | e | f |",
    ]


def test_a_listing_leads_to_the_public_name_of_what_it_shows():
    shown = show.source(train.fit, rnn.GRUCell.advance, rnn.GRUCell, documented).data
    *_, last = shown.splitlines()
    assert (
        last == "[gdlib.train.fit](#gdlib.train.fit) · [gdlib.models.rnn.GRUCell](#gdlib.models.rnn.GRUCell)"
    )
    assert show.source(show._shortened, documented).data.endswith("```")  # private, and not gdlib's


DRAWINGS = sorted((Path(show.__file__).parent / "drawings").glob("*.svg"))


@pytest.mark.parametrize("path", DRAWINGS, ids=lambda path: path.stem)
def test_a_drawing_is_whole_follows_the_theme_and_says_what_it_shows(path):
    drawing = show.drawing(path.stem)
    bundle = drawing._repr_mimebundle_()
    assert len(bundle["text/plain"]) > 100
    assert bundle["text/html"].count("<svg") == 1
    root = ElementTree.fromstring(drawing.svg)
    assert root.attrib["role"] == "img"
    assert "viewBox" in root.attrib
    ids = {element.attrib["id"] for element in root.iter() if "id" in element.attrib}
    assert ids
    assert all(identifier.startswith(f"{path.stem}-") for identifier in ids)  # several share a page
    assert set(root.attrib["aria-labelledby"].split()) <= ids
    colours = set(re.findall(r'(?:fill|stroke)="([^"]*)"', drawing.svg))
    assert colours <= {"none", "currentColor", "#0072B2", "#D55E00", "#009E73", "#CC79A7"}
    assert "http" not in re.sub(r'xmlns="[^"]*"', "", drawing.svg)


def test_a_drawing_that_does_not_exist_is_named():
    with pytest.raises(ValueError, match=r"name: expected one of \[.*'vae'.*\], got 'vea'"):
        show.drawing("vea")
