"""The one normal form of a notebook: idempotent, free of outputs, and stamped from one address."""

import json

import nbformat
import pytest
import yaml
from notebooks import METADATA, ROOT, SETUP_TAG, complaints, normal_form, setup_source

SETUP = "# @title Set-up\nsetup = 1"


def notebook(*cells, minor=5, **metadata):
    return json.dumps({"nbformat": 4, "nbformat_minor": minor, "metadata": metadata, "cells": list(cells)})


def code(source, *, tags=(), **more):
    return {
        "cell_type": "code", "metadata": {"tags": list(tags)}, "source": source, "id": "a1",
        "outputs": [], "execution_count": None,
    } | more  # fmt: skip


def cells_of(text):
    return json.loads(text)["cells"]


def test_outputs_counts_and_foreign_metadata_go_and_tags_stay():
    output = {"output_type": "stream", "name": "stdout", "text": "hello"}
    cell = code("x = 1", tags=["keep"], outputs=[output], execution_count=3)
    cell["metadata"] |= {"collapsed": True, "mystnb": {"image": {"alt": "a"}}}
    text = normal_form(notebook(cell, kernelspec={"name": "conda-mine"}, widgets={}), SETUP)
    (cell,) = cells_of(text)
    assert cell["outputs"] == []
    assert cell["execution_count"] is None
    assert cell["metadata"] == {"tags": ["keep"], "mystnb": {"image": {"alt": "a"}}}
    assert json.loads(text)["metadata"] == METADATA


def test_normal_form_is_a_fixed_point():
    text = notebook(code("x = 1  \n"), {"cell_type": "markdown", "metadata": {}, "source": ["a\n", "b"]})
    once = normal_form(text, SETUP)
    assert normal_form(once, SETUP) == once


def test_what_colab_saves_is_repaired():
    """Colab writes format 4.0 without ids, its own metadata, and now and then an empty last cell."""
    cell = {"cell_type": "code", "source": ["x = 1"], "metadata": {"id": "AbC_-1", "colab": {"base_uri": "x"}},
            "execution_count": None, "outputs": []}  # fmt: skip
    empty = dict(cell, source=[])
    text = normal_form(notebook(cell, dict(cell), empty, minor=0, colab={"provenance": []}), SETUP)
    nbformat.validate(nbformat.reads(text, as_version=4))
    ids = [cell["id"] for cell in cells_of(text)]
    assert len(set(ids)) == len(ids) == 2
    assert "colab" not in text


def test_the_set_up_cell_is_stamped_and_hidden_cells_fold_in_colab():
    text = normal_form(
        notebook(
            code("old", tags=[SETUP_TAG, "hide-input"]), code("# @title T\n", tags=["hide-cell"], id="b")
        ),
        SETUP,
    )
    setup, hidden = cells_of(text)
    assert "".join(setup["source"]) == SETUP
    assert setup["metadata"]["cellView"] == hidden["metadata"]["cellView"] == "form"
    assert complaints(text) == []


def test_a_hidden_cell_folds_behind_its_title_and_one_that_is_not_has_none():
    cell = code("# @title Figure: a {curve}\nx = 1", tags=["hide-input"])
    cell["metadata"]["mystnb"] = {"image": {"alt": "a"}, "code_prompt_show": "an older title"}
    open_cell = code("x = 2", id="b2")
    open_cell["metadata"]["mystnb"] = {"code_prompt_show": "it was hidden once"}
    folded, shown = cells_of(normal_form(notebook(cell, open_cell), SETUP))
    title = "Figure: a {curve}"
    prompts = {"code_prompt_show": title, "code_prompt_hide": title}
    assert folded["metadata"]["mystnb"] == {"image": {"alt": "a"}} | prompts
    assert "mystnb" not in shown["metadata"]


@pytest.mark.parametrize(
    ("title", "tag"),
    [("Question: a blank", "remove-input"), ("Drawing: a", "remove-input"), ("Check: a", "hide-input")],
)
def test_a_quizs_answers_stand_in_no_fold_of_the_built_page(title, tag):
    (cell,) = cells_of(normal_form(notebook(code(f"# @title {title}\nx", tags=["hide-input"])), SETUP))
    assert cell["metadata"]["tags"] == [tag]
    assert cell["metadata"]["cellView"] == "form"  # in Colab it is folded


def test_what_no_tool_can_mend_is_named():
    assert "expected one cell with the tag" in complaints(normal_form(notebook(code("x = 1")), SETUP))[0]
    text = notebook(code("x", tags=[SETUP_TAG]), code("plot()", tags=["hide-input"], id="b"))
    assert "cell 1 is hidden: expected it to begin with '# @title" in complaints(normal_form(text, SETUP))[0]


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"cells": [{}]}'])
def test_what_is_no_notebook_is_refused(text):
    with pytest.raises((ValueError, KeyError)):
        normal_form(text, SETUP)


PROJECT = (
    '[project]\nversion = "{}"\nrequires-python = ">=3.12"\ndependencies = ["jaxtyping>=1", "jax>=0.9.1"]\n'
)


@pytest.mark.parametrize(("version", "where"), [("2.3.4", "v2.3.4"), ("2.4.0.dev0", "trunk")])
def test_the_stamp_follows_address_version_and_bounds(tmp_path, version, where):
    """A release is installed by its tag; what is under way, from the branch."""
    (tmp_path / "pyproject.toml").write_text(PROJECT.format(version))
    address = {"url": "https://example.org/book", "branch": "trunk"}
    (tmp_path / "_config.yml").write_text(yaml.safe_dump({"repository": address}))
    source = setup_source(tmp_path)
    assert f'SOURCE = "git+https://example.org/book@{where}"\nRELEASE = "{version}"\n' in source
    assert 'OLDEST = {"Python": "3.12", "jax": "0.9.1"}\n' in source
    assert "0.0.0" not in source


def test_the_public_address_stands_in_one_place():
    url = yaml.safe_load((ROOT / "_config.yml").read_text())["repository"]["url"]
    for path in (ROOT / "chapters").rglob("*.ipynb"):
        assert path.read_text().count(url) == 1, f"{path} names the address outside its set-up cell"
    for path in [*(ROOT / "gdlib").rglob("*.py"), *(ROOT / "tools").rglob("*.py"), *ROOT.glob("*.md")]:
        assert url not in path.read_text(), path


@pytest.mark.parametrize(
    ("source", "tags", "complaint"),
    [
        ("x = 1\n" * 16, [], "cell 1 has 16 lines: a visible cell has at most 15"),
        ("x = 1\n" * 15, [], None),
        ("# @title Figure\n" + "x = 1\n" * 30, ["hide-input"], None),
        ("for x in y:\n    assert x", [], "cell 1 asserts in sight: fold it behind a title"),
        ("# @title Check\nassert x", ["hide-input"], None),
        ("asserted = 1", [], None),
    ],
)
def test_what_a_reader_sees_is_short_and_asserts_nothing(source, tags, complaint):
    text = normal_form(
        notebook(code("", tags=[SETUP_TAG, "hide-input"]) | {"source": "x"}, code(source, tags=tags)), SETUP
    )
    found = complaints(text)
    assert len(found) == (complaint is not None)
    assert complaint is None or found[0].startswith(complaint)
