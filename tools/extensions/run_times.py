"""How long each chapter took when the book was built: `{run-times}`, a table in the order of the contents.

`tools/book.py` notes the seconds in the metadata of the executed notebooks.
"""

import json
from collections.abc import Iterator
from pathlib import Path

import yaml
from docutils import nodes
from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective


def notebooks(contents: Path) -> list[str]:
    """The pages of `_toc.yml` that are notebooks, without their ending."""
    parts = yaml.safe_load(contents.read_text(encoding="utf-8"))["parts"]
    pages = [page for part in parts for page in _flat(part["chapters"])]
    return [page for page in pages if Path(contents.parent, f"{page}.ipynb").exists()]


def _flat(entries: list[dict]) -> Iterator[str]:
    """Each page, and after it those nested below it."""
    for entry in entries:
        yield entry["file"]
        yield from _flat(entry.get("sections", []))


def table(folder: Path) -> list[str]:
    """Lines of Markdown; a dash stands where a notebook did not run, as in the build of a single chapter."""
    lines, total = ["| page | seconds |", "|---|---:|"], 0.0
    for page in notebooks(folder / "_toc.yml"):
        seconds = json.loads(Path(folder, f"{page}.ipynb").read_text(encoding="utf-8"))["metadata"].get(
            "seconds"
        )
        total += seconds or 0
        lines.append(f"| {{doc}}`/{page}` | {'–' if seconds is None else f'{seconds:.0f}'} |")
    return [*lines, f"| *sum* | *{total:.0f}* |"]


class RunTimes(SphinxDirective):
    def run(self) -> list[nodes.Node]:
        lines = table(Path(self.env.srcdir))
        self.env.note_reread()
        found = nodes.Element()
        self.state.nested_parse(StringList(lines, source=__name__), 0, found)
        return found.children


def setup(app: Sphinx) -> dict:
    app.add_directive("run-times", RunTimes)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
