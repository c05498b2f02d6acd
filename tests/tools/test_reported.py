"""What is read out of a built book's outputs, and when a number counts as moved."""

import json
import sys

import pytest
import reported
from nbformat.v4 import new_code_cell, new_notebook, new_output, writes

from gdlib import evaluate, show


def cell(shown, source="# @title Table: errors\nshow()"):
    text, metadata = shown._repr_markdown_()
    output = new_output("execute_result", data={"text/markdown": text}, metadata=metadata)
    return new_code_cell(source, outputs=[output])


@pytest.fixture
def page():
    errors = evaluate.spread([1.0, 2.0])
    sentence = show.found(
        "{gap:.1f} nats and {error:.1f} % with {name}.", gap=2.34, error=errors, name="Adam"
    )
    rows = [("plain", f"{errors:.1f}", "0.950 (0.888 to 0.978)"), ("plain", "−3", "none")]
    cells = [cell(sentence), cell(show.table(("model", "error, %", "right"), rows))]
    return json.loads(writes(new_notebook(cells=cells)))


def test_numbers_are_read_from_sentences_and_tables(page):
    numbers = reported.of_page(page)
    assert numbers["gap"] == {"value": 2.34, "text": "2.3"}
    assert numbers["error"]["spread"] == pytest.approx(0.5**0.5)
    assert numbers["name"] == {"text": "Adam"}
    assert numbers["Table: errors: plain, error, %"] == {
        "value": 1.5,
        "text": "1.5\u00a0±\u00a00.7",
        "spread": 0.7,
    }
    assert numbers["Table: errors: plain, right"]["spread"] == pytest.approx(0.062)
    assert numbers["Table: errors: plain, error, % (2)"]["value"] == -3
    assert len(numbers) == 6


@pytest.mark.parametrize(
    ("text", "value"),
    [("12", 12), ("1 234.5", 1234.5), ("**3.1 %**", 3.1), ("+0.5 ± 0.1", 0.5), ("1.2e-05", 1.2e-5)],
)
def test_a_cell_that_is_a_number(text, value):
    assert reported.of_cell(text)["value"] == value


@pytest.mark.parametrize("text", ["–", "", "about 3", "3 of 5", "784–256–2", "Ng and Jordan (2002)"])
def test_a_cell_that_is_none(text):
    assert reported.of_cell(text) is None


@pytest.mark.parametrize(
    ("old", "new", "counts"),
    [
        ({"value": 1.0, "spread": 0.5, "text": "1.0 ± 0.5"}, {"value": 1.4, "spread": 0.1, "text": "1.4 ± 0.1"}, False),
        ({"value": 1.0, "spread": 0.1, "text": "1.0 ± 0.1"}, {"value": 1.2, "spread": 0.1, "text": "1.2 ± 0.1"}, True),
        ({"value": 1.01, "text": "1.0"}, {"value": 1.02, "text": "1.0"}, False),
        ({"value": 1.01, "text": "1.0"}, {"value": 1.06, "text": "1.1"}, True),
        ({"text": "Adam"}, {"text": "RMSProp"}, True),
    ],
)  # fmt: skip
def test_a_number_moves_by_more_than_its_spread(old, new, counts):
    assert reported.moved(old, new) == counts
    assert (
        reported.compare({"a": {"x": old}}, {"a": {"x": new}})
        == [f"a: x: {old['text']} → {new['text']}"] * counts
    )


def test_numbers_that_come_and_go_are_listed():
    one = {"text": "1"}
    assert reported.compare({"a": {"x": one}}, {"a": {"y": one}}) == ["a: x: 1 → –", "a: y: – → 1"]


def test_two_builds_are_compared(page, tmp_path, monkeypatch, capsys):
    folder = tmp_path / "chapters"
    folder.mkdir()
    (folder / "page.ipynb").write_text(json.dumps(page))
    monkeypatch.setattr(reported, "NUMBERS", tmp_path / "numbers.json")
    reported.write(tmp_path, reported.NUMBERS)
    old = tmp_path / "old.json"
    old.write_text(reported.NUMBERS.read_text().replace('"2.3"', '"9.9"'))
    monkeypatch.setattr(sys, "argv", ["reported.py", "--against", str(old)])
    assert reported.main() == 1
    assert capsys.readouterr().out == "page: gap: 9.9 → 2.3\n"
    monkeypatch.setattr(sys, "argv", ["reported.py", "--against", str(reported.NUMBERS)])
    assert reported.main() == 0
    monkeypatch.setattr(sys, "argv", ["reported.py", "--against", str(tmp_path / "none.json")])
    with pytest.raises(SystemExit, match="no such file"):
        reported.main()
