"""A citation leads to its entry in the bibliography, shows it on hover, and the entry says where it is cited.

In a page's Markdown a citation is a link to the bibliography whose text names authors and year, `[Elman, 1990](…)` or
`[Burda and others (2016)](…)`: one or two authors by name, more by the first "and others", or all by name. Two of
one name and year are told apart by a letter, in the entry as well: 2016b. A citation that names no entry of
references.bib is a warning here, and so fails the strict build.
"""

import re
from collections import defaultdict

import pybtex.plugin
from docutils import nodes
from pybtex.database import Entry, parse_file
from pybtex.style.formatting import unsrt
from pybtex.style.labels import BaseLabelStyle
from pybtex.style.sorting.author_year_title import SortingStyle
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.util import logging

PAGE = "bibliography"
CITATION = re.compile(r"(?:after )?(?P<names>.+?),? \(?(?P<year>\d{4}[a-z]?)\)?")
logger = logging.getLogger(__name__)


def surnames(entry: Entry) -> list[str]:
    """As they are written: with what precedes them, and without TeX's braces and accents."""
    people = entry.persons["author"]
    return [" ".join(map(str, [*person.rich_prelast_names, *person.rich_last_names])) for person in people]


def forms(entry: Entry) -> set[str]:
    """The ways to name an entry's authors."""
    names = surnames(entry)
    if len(names) == 1:
        return {names[0]}
    together = f"{', '.join(names[:-1])} and {names[-1]}"
    return {together} if len(names) == 2 else {together, f"{names[0]} and others"}


def key_of(text: str, entries: dict[str, Entry]) -> str | None:
    """The entry that a citation names."""
    if not (found := CITATION.fullmatch(" ".join(text.split()))):
        return None
    keys = [
        key
        for key, entry in entries.items()
        if entry.fields["year"] == found["year"] and found["names"] in forms(entry)
    ]
    return keys[0] if len(keys) == 1 else None


class AuthorYear(BaseLabelStyle):
    """Labels as the pages cite: the shortest form and the year."""

    def format_labels(self, sorted_entries):
        for entry in sorted_entries:
            yield f"{min(forms(entry), key=len)}, {entry.fields['year']}"


class Style(unsrt.Style):
    default_label_style = AuthorYear
    default_sorting_style = SortingStyle


def read_entries(app: Sphinx) -> None:
    app.env.bibliography_entries = parse_file(f"{app.srcdir}/references.bib").entries
    app.env.cited_in = defaultdict(list)


def collect(app: Sphinx, doctree: nodes.document) -> None:
    """Which entries a page cites; a warning for a citation that names none."""
    for link in doctree.findall(addnodes.pending_xref):
        if link.get("reftarget", "").removesuffix(".md").endswith(PAGE):
            key = key_of(link.astext(), app.env.bibliography_entries)
            if key is None and re.search(r"\d{4}", link.astext()):
                logger.warning("no entry of references.bib is cited as %s", link.astext(), location=link)
            elif key and app.env.docname not in app.env.cited_in[key]:
                app.env.cited_in[key].append(app.env.docname)


def connect(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    """Point citations to their entries, and entries back to the pages."""
    known = {one.key: one for one in app.env.get_domain("cite").citations}
    if docname == PAGE:
        add_backlinks(app, doctree, {one.citation_id: key for key, one in known.items()})
        return
    for link in doctree.findall(nodes.reference):
        page, _, anchor = link.get("refuri", "").partition("#")
        if page.endswith(f"{PAGE}.html") and not anchor:
            key = key_of(link.astext(), app.env.bibliography_entries)
            if key in known:
                link["refuri"] = f"{page}#{known[key].citation_id}"
                link["reftitle"] = known[key].formatted_entry.text.render_as("text")


def add_backlinks(app: Sphinx, doctree: nodes.document, key_of_id: dict[str, str]) -> None:
    for entry in doctree.findall(nodes.citation):
        key = next((key_of_id[name] for name in entry["ids"] if name in key_of_id), None)
        pages = app.env.cited_in.get(key, [])
        if not pages:
            continue
        line = nodes.paragraph("", "Cited in ", classes=["cited-in"])
        for i, page in enumerate(sorted(pages, key=list(app.env.toc_secnumbers).index)):
            uri = app.builder.get_relative_uri(PAGE, page)
            line += [nodes.Text(", "), nodes.reference("", title_of(app, page), refuri=uri, internal=True)][
                not i :
            ]
        entry += line


def title_of(app: Sphinx, page: str) -> str:
    number = app.env.toc_secnumbers.get(page, {}).get("", ())
    return " ".join([".".join(map(str, number)), app.env.titles[page].astext()]).strip()


def setup(app: Sphinx) -> dict:
    pybtex.plugin.register_plugin("pybtex.style.formatting", "author_year", Style)
    app.connect("builder-inited", read_entries)
    app.connect("doctree-read", collect)
    app.connect("doctree-resolved", connect)
    return {"version": "1", "parallel_read_safe": False, "parallel_write_safe": False}
