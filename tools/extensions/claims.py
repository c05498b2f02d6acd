"""A small ✓ in the prose links to the cell that asserts what the sentence says.

In a page's Markdown it is written `[✓](#cell:a-race-in-two-worlds)`: the title of a cell of the same page, its kind
("Figure: ") left off, as an identifier. A cell of another page has that page before it, as in
`[✓](#cell:concepts/race:a-race-in-two-worlds)`. A ✓ whose cell does not exist, or asserts nothing, and a cell that
asserts something and has no ✓, are warnings here, and so fail the strict build. Exercises assert for themselves: their
solutions, folded whole, need no ✓.
"""

import ast
import re

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.util import logging

MARK, SCHEME, ELSEWHERE = "✓", "cell:", "chapters/"
TITLE = re.compile(r"# @title (?:\w+: )?(.+)")
logger = logging.getLogger(__name__)


def name_of(source: str) -> str | None:
    """What a ✓ calls the cell by; None for a cell without a title."""
    title = TITLE.match(source)
    return nodes.make_id(title[1]) if title else None


def asserts(source: str) -> bool:
    """Whether a cell's code has an `assert`, or NumPy's like, outside the functions and classes that it defines."""
    try:
        body = ast.parse(re.sub(r"^[%!].*$", "", source, flags=re.MULTILINE)).body
    except SyntaxError:  # a cell that shows one
        return False
    return any(_asserts(statement) for statement in body)


def _asserts(node: ast.AST) -> bool:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Lambda):
        return False
    by_call = isinstance(node, ast.Call) and ast.unparse(node.func).startswith("np.testing.assert_")
    return (
        isinstance(node, ast.Assert)
        or by_call
        or any(_asserts(child) for child in ast.iter_child_nodes(node))
    )


def code_cells(doctree: nodes.document) -> list[tuple[nodes.container, str]]:
    """The code cells of a page that are shown, or folded input by input, with their source."""
    cells = [node for node in doctree.findall(nodes.container) if node.get("nb_element") == "cell_code"]
    open_cells = (cell for cell in cells if not {"tag_hide-cell", "tag_remove-input"} & set(cell["classes"]))
    return [(cell, next(iter(cell.findall(nodes.literal_block))).astext()) for cell in open_cells]


def links(doctree: nodes.document) -> list[tuple[nodes.Element, str]]:
    """Every ✓ of a page, and the name of the cell that it means."""
    found = []
    for node in doctree.findall(nodes.Element):
        target = node.get("reftarget") or node.get("refuri") or ""
        if isinstance(node, addnodes.pending_xref | nodes.reference) and SCHEME in target:
            found.append((node, target.partition(SCHEME)[2]))
    return found


def connect_claims(app: Sphinx, doctree: nodes.document) -> None:
    """Turn each ✓ into a link to its cell, and warn where one lacks the other."""
    asserting, meant = {}, set()
    for cell, source in code_cells(doctree):
        name = name_of(source)
        if asserts(source):
            if name is None:
                logger.warning("a cell asserts something and has no title: %.60s", source, location=cell)
            else:
                asserting[name] = cell
    for link, name in links(doctree):
        page, elsewhere, cell = name.rpartition(":")
        if elsewhere:
            link.replace_self(mark_of(f"{ELSEWHERE}{page}", cell))
            continue
        if name not in asserting:
            logger.warning("no cell titled %s asserts anything", name, location=link)
            continue
        meant.add(name)
        link.replace_self(mark_of(None, name))
    for name, cell in asserting.items():
        if name not in meant:
            logger.warning("the cell %s asserts something and has no ✓", name, location=cell)
        cell["ids"].append(f"cell-{name}")
    app.env.asserting_cells = getattr(app.env, "asserting_cells", {}) | {app.env.docname: set(asserting)}


def mark_of(page: str | None, cell: str) -> nodes.reference:
    """The ✓; that of another page learns where that page lies when all have been read."""
    mark = nodes.reference("", MARK, internal=True, classes=["claim"], reftitle="A cell asserts this")
    mark["refid" if page is None else "refuri"] = f"cell-{cell}" if page is None else f"{page}#cell-{cell}"
    return mark


def connect_elsewhere(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    """Lead each ✓ for another page there, and warn where that page has no such cell."""
    for mark in doctree.findall(nodes.reference):
        page, _, anchor = mark.get("refuri", "").partition("#cell-")
        if "claim" not in mark["classes"] or not page.startswith(ELSEWHERE):
            continue
        if anchor not in app.env.asserting_cells.get(page, ()):
            logger.warning("no cell of %s titled %s asserts anything", page, anchor, location=mark)
        else:
            mark["refuri"] = app.builder.get_relative_uri(docname, page) + f"#cell-{anchor}"


def setup(app: Sphinx) -> dict:
    app.connect("doctree-read", connect_claims)
    app.connect("doctree-resolved", connect_elsewhere)
    return {"version": "1", "parallel_read_safe": False, "parallel_write_safe": True}
