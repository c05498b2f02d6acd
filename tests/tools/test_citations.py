"""Citations: each leads to its entry, which names the pages that cite it."""

import io
from pathlib import Path

import pytest
from bs4 import BeautifulSoup
from citations import forms, key_of
from pybtex.database import parse_string
from sphinx.application import Sphinx

TOOLS = Path(__file__).resolve().parents[2] / "tools" / "extensions"
ENTRIES = """
@article{elman1990, author={Elman, Jeffrey L.}, title={Finding Structure}, journal={J}, year={1990}}
@article{kingma2014, author={Kingma, Diederik P. and Welling, Max}, title={VB}, journal={J}, year={2014}}
@article{kingma2014semi, author={Kingma, Diederik P. and Mohamed, Shakir and van den Oord, A{\\"a}ron},
  title={Semi}, journal={J}, year={2014}}
@article{chen2016, author={Chen, Jianmin}, title={One}, journal={J}, year={2016}}
@article{chen2016memory, author={Chen, Tianqi}, title={Two}, journal={J}, year={2016b}}
"""
CONF = f"""
import sys
sys.path.insert(0, {str(TOOLS)!r})
extensions = ["myst_parser", "sphinxcontrib.bibtex", "citations"]
bibtex_bibfiles = ["references.bib"]
bibtex_default_style = "author_year"
root_doc = "index"
source_suffix = {{".md": "markdown"}}  # in one process with other tests, of myst_nb
suppress_warnings = ["app.add_node", "app.add_directive", "app.add_role"]
"""


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("Elman (1990)", "elman1990"),
        ("Elman, 1990", "elman1990"),
        ("after Elman, 1990", "elman1990"),
        ("Kingma and Welling (2014)", "kingma2014"),
        ("Kingma and others (2014)", "kingma2014semi"),
        ("Kingma, Mohamed and van den Oord, 2014", "kingma2014semi"),
        ("Kingma (2014)", None),
        ("Elman (1991)", None),
        ("Elman and others (1990)", None),
        ("Chen (2016)", "chen2016"),
        ("Chen, 2016b", "chen2016memory"),
        ("the bibliography", None),
    ],
)
def test_a_citation_names_one_entry_by_authors_and_year(text, key):
    assert key_of(text, parse_string(ENTRIES, "bibtex").entries) == key


def test_two_authors_are_both_named():
    entries = parse_string(ENTRIES, "bibtex").entries
    assert forms(entries["kingma2014"]) == {"Kingma and Welling"}
    assert forms(entries["kingma2014semi"]) == {"Kingma and others", "Kingma, Mohamed and van den Oord"}


@pytest.fixture
def build(tmp_path):
    """build(text of a page) → (the page, the bibliography, the warnings)."""

    def build(text):
        source, out, warnings = tmp_path / "source", tmp_path / "out", io.StringIO()
        source.mkdir()
        (source / "conf.py").write_text(CONF)
        (source / "references.bib").write_text(ENTRIES)
        (source / "index.md").write_text("# Index\n\n```{toctree}\n:numbered:\npage\nbibliography\n```\n")
        (source / "page.md").write_text(f"# Time\n\n{text}\n")
        (source / "bibliography.md").write_text("# Bibliography\n\n```{bibliography}\n:all:\n```\n")
        Sphinx(source, source, out, tmp_path / "doctrees", "html", status=None, warning=warnings).build()
        pages = [
            BeautifulSoup((out / f"{name}.html").read_text(), "html.parser")
            for name in ("page", "bibliography")
        ]
        return *pages, warnings.getvalue()

    return build


@pytest.mark.filterwarnings("ignore")
def test_a_citation_leads_to_its_entry_and_the_entry_back(build):
    page, bibliography, warnings = build("By [Elman (1990)](bibliography.md); see [all](bibliography.md).")
    assert warnings == ""
    (link,) = page.find_all("a", string="Elman (1990)")
    target, _, anchor = link["href"].partition("#")
    assert target == "bibliography.html"
    entry = bibliography.find(id=anchor)
    assert "Finding structure" in entry.get_text()
    assert "Elman, 1990" in entry.get_text()
    assert "Finding structure" in link["title"]
    (back,) = entry.find_all("a", string="1 Time")
    assert back["href"] == "page.html"
    assert len(bibliography.select(".cited-in")) == 1  # nobody cites the others


@pytest.mark.filterwarnings("ignore")
def test_a_citation_without_its_entry_is_a_warning(build):
    warnings = build("By [Elman (1991)](bibliography.md).")[2]
    assert "no entry of references.bib is cited as Elman (1991)" in warnings
