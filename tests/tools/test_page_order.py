"""No page asks for what no earlier page gave: what it says that you need, and the equations that it leans on."""

import json
import posixpath
import re
from pathlib import Path

import pytest
from run_times import notebooks

ROOT = Path(__file__).resolve().parents[2]
PAGES = notebooks(ROOT / "_toc.yml")


def prose(page):
    cells = json.loads((ROOT / f"{page}.ipynb").read_text(encoding="utf-8"))["cells"]
    return "\n\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")


TEXTS = {page: prose(page) for page in PAGES}
INTRODUCED = {
    label: page
    for page, text in TEXTS.items()
    for label in re.findall(r"^\$\$ \(((?:eq|def):[\w-]+)\)", text, re.MULTILINE)
}


def needed(page, text):
    """The pages that a page says you need."""
    (paragraph,) = re.findall(r"^\*\*You need\*\* .*", text, re.MULTILINE)
    links = re.findall(r"\]\(([^)#]+)\.ipynb", paragraph)
    return [posixpath.normpath(posixpath.join(posixpath.dirname(page), link)) for link in links]


def leans_on(text):
    """The equations that a page refers to."""
    return set(re.findall(r"\(#((?:eq|def):[\w-]+)\)", text))


@pytest.mark.parametrize("page", PAGES)
def test_what_a_page_needs_stands_before_it(page):
    earlier = PAGES[: PAGES.index(page)]
    assert [other for other in needed(page, TEXTS[page]) if other not in earlier] == []
    seen = {label for label, where in INTRODUCED.items() if where in [*earlier, page]}
    assert leans_on(TEXTS[page]) - seen == set()


def test_needs_and_equations_are_found_in_a_page():
    text = "**You need** [gates](gates.ipynb) and [maths](../a.ipynb#there).\n\nSee [it](#eq:one) and [that](#def:two)."
    assert needed("rnn/names", text) == ["rnn/gates", "a"]
    assert leans_on(text) == {"eq:one", "def:two"}
