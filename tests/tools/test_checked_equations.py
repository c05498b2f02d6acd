"""The badge beside an equation, and the warnings (errors in the book's build) where one should be."""

import io
import re
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from notebooks import METADATA
from sphinx.application import Sphinx

from gdlib import checks

TOOLS = Path(__file__).resolve().parents[2] / "tools" / "extensions"
CONF = """
import sys
sys.path.insert(0, {tools!r})
extensions = ["myst_nb", "checked_equations"]
nb_execution_mode = "off"
myst_enable_extensions = ["dollarmath"]
root_doc = "index"
suppress_warnings = ["app.add_node", "app.add_directive", "app.add_role"]  # of a second build in one process
"""


def output(label):
    check = checks.identity(label, lambda: 1.0, lambda: 1.0, wrong={"twice": lambda: 2.0})
    data, metadata = check._repr_mimebundle_()
    return new_output("execute_result", data=data, metadata=metadata, execution_count=1)


@pytest.fixture
def build(tmp_path):
    """build(markdown, *labels that a cell checks) → (the page, the list's page, the warnings)."""

    def build(markdown, *checked):
        source = tmp_path / "source"
        (source / "chapters").mkdir(parents=True)
        (source / "conf.py").write_text(CONF.format(tools=str(TOOLS)))
        (source / "index.md").write_text(
            "# Index\n\n```{toctree}\nchapters/a\n```\n\n```{equation-list}\n```\n"
        )
        cells = [new_markdown_cell(markdown)]
        cells += [new_code_cell("check", outputs=[output(label)], execution_count=1) for label in checked]
        nbformat.write(new_notebook(cells=cells, metadata=METADATA), source / "chapters" / "a.ipynb")
        warnings = io.StringIO()
        out = tmp_path / "out"
        app = Sphinx(source, source, out, tmp_path / "doctrees", "html", status=None, warning=warnings)
        app.build()
        return (out / "chapters/a.html").read_text(), (out / "index.html").read_text(), warnings.getvalue()

    return build


pytestmark = pytest.mark.filterwarnings("ignore")  # Sphinx and its extensions have their own


def test_a_checked_equation_gets_a_badge_that_leads_to_its_check(build):
    page, listing, warnings = build("# A\n\n$$ 1 = 1 $$ (eq:one)\n\n$$ x $$ (def:x)\n", "eq:one")
    assert warnings == ""
    assert page.count("check-badge-line") == 1
    assert 'href="#check-eq-one"' in page
    assert 'id="check-eq-one"' in page
    assert 'href="chapters/a.html#check-eq-one"' in listing
    assert listing.count("equation-entry") == 2
    assert "asserts, in A" in listing
    assert "defines, in A" in listing


def test_an_assertion_that_nobody_checked_is_a_warning_and_has_no_badge(build):
    page, _, warnings = build("# A\n\n$$ 1 = 1 $$ (eq:one)\n\n$$ 2 = 2 $$ (eq:two)\n", "eq:one")
    assert "the equation eq:two has no passed check" in warnings
    assert page.count("check-badge-line") == 1


def test_a_check_whose_equation_is_gone_is_a_warning(build):
    _, _, warnings = build("# A\n\n$$ 1 = 1 $$ (eq:one)\n", "eq:one", "eq:gone")
    assert "the check of eq:gone has no equation" in warnings


def test_an_equation_that_neither_asserts_nor_defines_is_a_warning(build):
    _, _, warnings = build("# A\n\n$$ 1 = 1 $$ (one)\n")
    assert "the equation one is named neither eq:… nor def:…" in warnings


def test_an_equation_without_a_label_is_a_warning(build):
    _, _, warnings = build("# A\n\n$$ 1 = 1 $$\n")
    assert "a displayed equation has no label" in warnings


def test_the_words_of_a_link_stand_before_the_number_and_brackets_give_way_to_it(build):
    text = "# A\n\n$$ 1 = 1 $$ (eq:one)\n\nSee [the first](#eq:one); it holds [(checked)](#eq:one).\n"
    page, _, warnings = build(text, "eq:one")
    assert warnings == ""
    assert re.search(r"See the first\xa0<a[^>]*>\(1\)</a>; it holds <a[^>]*>\(1\)</a>\.", page)


def test_math_in_the_words_of_a_link_stays_math(build):
    page, _, warnings = build(
        "# A\n\n$$ 1 = 1 $$ (eq:one)\n\nSee [less than $2n$ of *them*](#eq:one), [$(a)$](#eq:one).\n",
        "eq:one",
    )
    assert warnings == ""
    math = r'<span class="math[^>]*>\\\({}\\\)</span>'
    less, alone = math.format("2n"), math.format(r"\(a\)")
    link = r"\xa0<a[^>]*>\(1\)</a>"
    assert re.search(rf"See less than {less} of <em>them</em>{link}, {alone}{link}\.", page)
