"""Badges beside equations, from the outputs of the cells that checked them; and a list of them all.

An equation labelled `eq:…` asserts something, and a cell must have checked it: gdlib.checks leaves
its result in the metadata of the cell's output. One labelled `def:…` defines. A displayed equation
without such a label, an assertion without a passed check, or a check without its equation, is a warning
here, and so fails the strict build.
"""

import html
import json
from pathlib import Path

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective

METADATA_KEY = "gdlib_check"
logger = logging.getLogger(__name__)


class equation_list(nodes.General, nodes.Element):
    """Stands where the list of equations goes, until every page has been read."""


class EquationList(SphinxDirective):
    """`:::{equation-list}`: every labelled equation of the book, with its check."""

    def run(self) -> list[nodes.Node]:
        return [equation_list()]


def checks_in(notebook: Path) -> dict[str, dict]:
    """The results that a notebook's outputs hold, by the label of the equation."""
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    outputs = (output for cell in cells for output in cell.get("outputs", []))
    results = (output.get("metadata", {}).get(METADATA_KEY) for output in outputs)
    return {result["label"]: result for result in results if result}


def collect_checks(app: Sphinx) -> None:
    app.env.equation_checks = {}
    for notebook in sorted(Path(app.srcdir, "chapters").rglob("*.ipynb")):
        docname = str(notebook.relative_to(app.srcdir).with_suffix(""))
        for label, result in checks_in(notebook).items():
            app.env.equation_checks[label] = result | {"docname": docname}


def collect_equations(app: Sphinx, doctree: nodes.document) -> None:
    equations = getattr(app.env, "labelled_equations", {})
    displayed = list(doctree.findall(nodes.math_block))
    for node in displayed:
        if not node.get("label"):
            logger.warning("a displayed equation has no label: %s", node.astext(), location=node)
    equations[app.env.docname] = [(node["label"], node.astext()) for node in displayed if node.get("label")]
    app.env.labelled_equations = equations


def keep_words(app: Sphinx, doctree: nodes.document) -> None:
    """Put the words of `[the bound](#eq:bound)` before its number: the bound (3.3). Sphinx would show the number alone.

    Words in brackets, `[(shown)](#eq:bound)`, stand in the number's place where there is none: in a notebook elsewhere.
    """
    for link in list(doctree.findall(addnodes.pending_xref)):
        if not link.get("reftarget", "").startswith(("eq:", "def:")):
            continue
        words = [word.deepcopy() for part in link.children for word in part.children or [part]]
        in_brackets = isinstance(words[0], nodes.Text) and words[0].startswith("(")
        if not in_brackets:  # a formula's own bracket does not count
            link.parent.insert(link.parent.index(link), [*words, nodes.Text("\u00a0")])


def hold_together(app: Sphinx, _env) -> None:
    """Warn of an assertion nobody checked and of a check whose equation is gone."""
    equations = app.env.labelled_equations
    labels = {label for page in equations.values() for label, _ in page}
    checks = app.env.equation_checks
    for docname, page in equations.items():
        for label, _ in page:
            if not label.startswith(("eq:", "def:")):
                logger.warning("the equation %s is named neither eq:… nor def:…", label, location=docname)
            if label.startswith("eq:") and not checks.get(label, {}).get("passed"):
                logger.warning("the equation %s has no passed check", label, location=docname)
    for label in sorted(checks.keys() - labels):
        logger.warning("the check of %s has no equation", label, location=checks[label]["docname"])


def badge(app: Sphinx, label: str, fromdoc: str) -> nodes.raw | None:
    result = app.env.equation_checks.get(label)
    if result is None or not result["passed"]:
        return None
    target = f"#check-{nodes.make_id(label)}"
    if result["docname"] != fromdoc:
        target = app.builder.get_relative_uri(fromdoc, result["docname"]) + target
    title = html.escape(result["summary"], quote=True)
    link = f'<a class="check-badge" href="{target}" title="{title}">checked<span> by a cell</span></a>'
    return nodes.raw("", f'<div class="check-badge-line">{link}</div>', format="html")


def place_badges(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    if app.builder.format != "html":
        return
    for node in list(doctree.findall(nodes.math_block)):
        mark = badge(app, node.get("label") or "", docname)
        if mark is not None:
            node.parent.insert(node.parent.index(node) + 1, mark)


def listed_equation(app: Sphinx, label: str, latex: str, source: str, fromdoc: str) -> nodes.Node:
    """One entry of the list: number and page, the equation, its badge."""
    math = app.env.get_domain("math")
    number = nodes.inline("", label)
    reference = math.resolve_xref(
        app.env, fromdoc, app.builder, "eq", label, nodes.Element(docname=fromdoc), number
    )
    entry = nodes.container(classes=["equation-entry"])
    kind = "asserts" if label.startswith("eq:") else "defines"
    title = app.env.titles[source].astext()
    entry += nodes.paragraph("", "", reference, nodes.Text(f" {kind}, in {title}"))
    entry += nodes.math_block(latex, latex, nowrap=False, number=None, label=None, docname=fromdoc)
    mark = badge(app, label, fromdoc)
    if mark is not None:
        entry += mark
    return entry


def fill_list(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    order = {name: i for i, name in enumerate(app.env.toc_secnumbers)}
    pages = sorted(app.env.labelled_equations.items(), key=lambda item: order.get(item[0], 0))
    for place in list(doctree.findall(equation_list)):
        place.replace_self(
            [
                listed_equation(app, label, latex, source, docname)
                for source, page in pages
                for label, latex in page
            ]
        )


def setup(app: Sphinx) -> dict:
    app.add_node(equation_list)
    app.add_directive("equation-list", EquationList)
    app.connect("builder-inited", collect_checks)
    app.connect("doctree-read", collect_equations)
    app.connect("doctree-read", keep_words)
    app.connect("env-check-consistency", hold_together)
    app.connect("doctree-resolved", place_badges)
    app.connect("doctree-resolved", fill_list)
    # One process reads all pages: the equations are collected in the environment of that process.
    return {"version": "1", "parallel_read_safe": False, "parallel_write_safe": True}
