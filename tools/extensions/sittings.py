"""How long a page takes: its words, equations and visible cells are counted, and the estimate stands below its title.

A page is one sitting. One that is longer than the limits below is a warning here, and so fails the strict build.
"""

import json
from pathlib import Path

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util import logging

WORDS_A_MINUTE, MINUTES_AN_EQUATION, MINUTES_A_CELL = 180, 0.6, 0.3
MOST_WORDS, MOST_MINUTES = 2200, 25
FOLDED = {"tag_hide-input", "tag_hide-cell", "tag_remove-input", "tag_remove-cell"}
logger = logging.getLogger(__name__)


def words(doctree: nodes.document) -> int:
    """Of headings, paragraphs and tables; an inline formula is one word. A table that a cell prints is looked up, not
    read: the sentences around it count, its entries do not.
    """
    count = 0
    for node in doctree.findall(nodes.Text):
        around = list(_ancestors(node))
        if any(isinstance(above, nodes.literal_block | nodes.math_block | nodes.raw) for above in around):
            continue
        printed = any(above.get("nb_element") == "cell_code_output" for above in around)
        if printed and any(isinstance(above, nodes.table) for above in around):
            continue
        count += isinstance(node.parent, nodes.math) or len(node.astext().split())
    return count


def _ancestors(node: nodes.Node):
    while (node := node.parent) is not None:
        yield node


def visible_cells(doctree: nodes.document) -> int:
    cells = (node for node in doctree.findall(nodes.container) if node.get("nb_element") == "cell_code")
    return sum(not FOLDED & set(cell["classes"]) for cell in cells)


def minutes(words: int, equations: int, cells: int) -> int:
    return max(1, round(words / WORDS_A_MINUTE + MINUTES_AN_EQUATION * equations + MINUTES_A_CELL * cells))


def to_run(notebook: Path) -> str:
    """How long it took when the book was built; nothing where it did not run."""
    seconds = json.loads(notebook.read_text(encoding="utf-8"))["metadata"].get("seconds")
    if seconds is None:
        return ""
    length = f"{seconds:.0f} seconds" if seconds < 100 else f"{seconds / 60:.0f} minutes"
    return f" · runs in {length} on two cores"


def counted(number: int, what: str) -> str:
    return f"{number:,} {what}{'s' * (number != 1)}"


def write_estimate(app: Sphinx, doctree: nodes.document) -> None:
    """Below the title of every page that is a notebook."""
    notebook = Path(app.srcdir, f"{app.env.docname}.ipynb")
    if not notebook.exists():
        return
    found = words(doctree), len(list(doctree.findall(nodes.math_block))), visible_cells(doctree)
    if found[0] > MOST_WORDS or minutes(*found) > MOST_MINUTES:
        logger.warning(
            "expected at most %d words and %d minutes, got %d words and %d minutes",
            MOST_WORDS, MOST_MINUTES, found[0], minutes(*found), location=app.env.docname,
        )  # fmt: skip
    parts = (counted(n, what) for n, what in zip(found, ("word", "equation", "cell"), strict=True))
    text = f"{counted(minutes(*found), 'minute')} to read: {', '.join(parts)}{to_run(notebook)}"
    title = next(iter(doctree.findall(nodes.title)), None)
    if title is not None:
        title.parent.insert(1, nodes.paragraph("", text, classes=["sitting"]))


def setup(app: Sphinx) -> dict:
    app.connect("doctree-read", write_estimate)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
