"""The form of a page: a ✓ for each claim and its cell, and an estimate of the sitting."""

import io
from pathlib import Path

import claims
import nbformat
import pytest
import sittings
from bs4 import BeautifulSoup
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from notebooks import METADATA
from sphinx.application import Sphinx

TOOLS = Path(__file__).resolve().parents[2] / "tools" / "extensions"
CONF = """
import sys
sys.path.insert(0, {tools!r})
extensions = ["myst_nb", "claims", "sittings"]
nb_execution_mode = "off"
nb_render_markdown_format = "myst"
myst_enable_extensions = ["dollarmath"]
root_doc = "index"
suppress_warnings = ["app.add_node", "app.add_directive", "app.add_role"]  # of a second build in one process
"""
ASSERTING = "# @title Figure: a race in two worlds\nassert 1 < 2"
LINKED = "# A\n\nOne is less [✓](#cell:a-race-in-two-worlds).\n"


@pytest.fixture
def build(tmp_path):
    """build(markdown, (source, *tags), …) → (the page, the warnings)."""

    def build(markdown, *cells, seconds=None, outputs=()):
        source = tmp_path / "source"
        source.mkdir()
        (source / "conf.py").write_text(CONF.format(tools=str(TOOLS)))
        (source / "index.md").write_text("# Index\n\n```{toctree}\na\n```\n")
        made = [
            new_code_cell(code, metadata={"tags": list(tags)}, outputs=list(outputs)) for code, *tags in cells
        ]
        metadata = METADATA | ({} if seconds is None else {"seconds": seconds})
        notebook = new_notebook(cells=[new_markdown_cell(markdown), *made], metadata=metadata)
        nbformat.write(notebook, source / "a.ipynb")
        warnings, out = io.StringIO(), tmp_path / "out"
        app = Sphinx(source, source, out, tmp_path / "doctrees", "html", status=None, warning=warnings)
        app.build()
        return (out / "a.html").read_text(), warnings.getvalue()

    return build


pytestmark = pytest.mark.filterwarnings("ignore")  # Sphinx and its extensions have their own


def test_a_claim_links_to_the_cell_that_asserts_it(build):
    page, warnings = build(LINKED, (ASSERTING, "hide-input"))
    assert warnings == ""
    assert '<a class="claim reference internal" href="#cell-a-race-in-two-worlds"' in page
    assert 'id="cell-a-race-in-two-worlds"' in page


@pytest.mark.parametrize(
    ("markdown", "cells", "warning"),
    [
        (
            "# A\n",
            [(ASSERTING, "hide-input")],
            "the cell a-race-in-two-worlds asserts something and has no ✓",
        ),
        (LINKED, [], "no cell titled a-race-in-two-worlds asserts anything"),
        (LINKED, [("# @title Figure: a race in two worlds\nx = 1",)], "asserts anything"),
        ("# A\n", [("assert 1 < 2",)], "a cell asserts something and has no title: assert 1 < 2"),
        ("# A\n", [("np.testing.assert_allclose(x, y)",)], "a cell asserts something and has no title"),
    ],
)
def test_a_claim_without_its_cell_and_a_cell_without_its_claim_are_warnings(build, markdown, cells, warning):
    assert warning in build(markdown, *cells)[1]


def test_a_claim_may_lead_to_a_cell_of_another_page(tmp_path):
    source, out, warnings = tmp_path / "source", tmp_path / "out", io.StringIO()
    (source / "chapters" / "b").mkdir(parents=True)
    (source / "conf.py").write_text(CONF.format(tools=str(TOOLS)))
    (source / "index.md").write_text(
        "# Index\n\n[✓](#cell:b/c:a-race-in-two-worlds) [✓](#cell:b/c:no-race)\n\n```{toctree}\nchapters/b/c\n```\n"
    )
    cells = [new_markdown_cell(LINKED), new_code_cell(ASSERTING, metadata={"tags": ["hide-input"]})]
    nbformat.write(new_notebook(cells=cells, metadata=METADATA), source / "chapters" / "b" / "c.ipynb")
    Sphinx(source, source, out, tmp_path / "doctrees", "html", status=None, warning=warnings).build()
    page = (out / "index.html").read_text()
    assert 'href="chapters/b/c.html#cell-a-race-in-two-worlds"' in page
    assert 'id="cell-a-race-in-two-worlds"' in (out / "chapters" / "b" / "c.html").read_text()
    assert "no cell of chapters/b/c titled no-race asserts anything" in warnings.getvalue()
    assert warnings.getvalue().count("WARNING") == 1


def test_an_exercise_needs_no_claim(build):
    solution, checker = "# @title Solution\nassert 1", "# @title Checker\ndef check(x):\n    assert x"
    assert build("# A\n", (solution, "hide-cell"), (checker, "hide-input"))[1] == ""


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("for x in y:\n    assert x", True),
        ("with a:\n    if b:\n        assert c", True),
        ("def f():\n    assert 1\n\nf()", False),
        ("%matplotlib inline\nx = 1", False),
        ("x = (", False),
        ("asserted = 1", False),
    ],
)
def test_what_asserts(source, found):
    assert claims.asserts(source) is found


def test_the_name_leaves_the_kind_off():
    assert claims.name_of("# @title Table: who is ahead, and when\nx") == "who-is-ahead-and-when"
    assert claims.name_of("# @title Ledger") == "ledger"
    assert claims.name_of("x = 1  # @title no") is None


def test_the_estimate_stands_below_the_title(build):
    markdown = (
        "# Two words\n\nThree words $x + y$ here.\n\n$$ x $$ (def:x)\n\n| a | b |\n|---|---|\n| c | d |\n"
    )
    cells = [("x = 1",), ("# @title Check\ny = 2", "hide-input")]
    page, warnings = build(markdown, *cells, seconds=75.4)
    assert warnings == ""
    assert (
        '<p class="sitting">1 minute to read: 10 words, 1 equation, 1 cell · runs in 75 seconds on two cores</p>'
        in page
    )
    assert page.index("sitting") > page.index("<h1>")


def test_the_entries_of_a_printed_table_are_not_read_word_by_word(build):
    printed = new_output(
        "display_data", data={"text/markdown": "| a | b |\n|---|---|\n| c | d |\n\nOne note."}
    )
    page, warnings = build("# Two words", ("x = 1",), outputs=[printed])
    assert warnings == ""
    assert "4 words, 0 equations, 1 cell" in page


def test_a_page_that_is_no_single_sitting_is_a_warning(build):
    page, warnings = build("# A\n\n" + "word " * 2300)
    assert "expected at most 2200 words and 25 minutes, got 2301 words and 13 minutes" in warnings
    assert "13 minutes to read: 2,301 words, 0 equations, 0 cells</p>" in page


def test_pages_are_numbered_below_their_chapter_and_headings_not_at_all(tmp_path):
    source = tmp_path / "source"
    source.mkdir()
    (source / "conf.py").write_text(
        CONF.format(tools=str(TOOLS)).replace('"sittings"', '"page_numbers"')
        + "numfig = math_numfig = True\nnumfig_secnum_depth = 1\n"
    )
    equation = "$$ x $$ (def:{0})\n"
    (source / "index.md").write_text("# Index\n\n```{toctree}\n:numbered:\nfirst\nsecond\n```\n")
    (source / "first.md").write_text(
        "# First\n\n## One\n\n## Two\n\n" + equation.format("a") + "\n```{toctree}\nbelow\n```\n"
    )
    (source / "below.md").write_text("# Below\n\n## Three\n\n" + equation.format("b"))
    (source / "second.md").write_text("# Second\n")
    warnings, out = io.StringIO(), tmp_path / "out"
    app = Sphinx(source, source, out, tmp_path / "doctrees", "html", status=None, warning=warnings)
    app.build()
    assert warnings.getvalue() == ""
    first, below, second = (
        BeautifulSoup((out / f"{name}.html").read_text(), "html.parser")
        for name in ("first", "below", "second")
    )
    numbers = [
        [span.text.strip() for span in page.select("section .section-number")]
        for page in (first, below, second)
    ]
    assert numbers == [["1."], ["1.1."], ["2."]]
    assert first.select_one(".toctree-wrapper a").text == "1.1. Below"
    assert [page.select_one(".eqno").text[:5] for page in (first, below)] == ["(1.1)", "(1.2)"]


def test_equations_and_cells_count():
    assert sittings.minutes(1800, 10, 10) == 19
    assert sittings.minutes(0, 0, 0) == 1
