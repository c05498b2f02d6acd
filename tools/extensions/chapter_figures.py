"""A chapter's figure on another page: `{figure-of} chapters/generative/vae fig-name`, or one that moves:
`{widget-of} chapters/generative/gan/digits the-cells-title`, named as a ✓ names its cell.

Either is taken from the executed notebook, so it is always of the run that built the book.
"""

import base64
import json
from collections.abc import Iterator
from pathlib import Path

from claims import name_of
from docutils import nodes
from docutils.parsers.rst.directives.images import Figure
from sphinx.application import Sphinx
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective

FORMATS = {"image/svg+xml": "svg", "image/png": "png"}
logger = logging.getLogger(__name__)


def data_of(notebook: Path, wanted) -> Iterator[dict[str, str]]:
    """What the cells that are `wanted` have displayed, by kind."""
    for cell in json.loads(notebook.read_text(encoding="utf-8"))["cells"]:
        if cell["cell_type"] == "code" and wanted(cell):
            for output in cell["outputs"]:
                yield {kind: "".join(data) for kind, data in output.get("data", {}).items()}


def output_image(notebook: Path, name: str) -> tuple[str, bytes] | None:
    """(file ending, content) of the image that the cell named `name` drew, or None."""

    def named(cell):
        return cell["metadata"].get("mystnb", {}).get("figure", {}).get("name") == name

    for data in data_of(notebook, named):
        for kind, ending in FORMATS.items():
            if kind in data:
                return ending, data[kind].encode() if ending == "svg" else base64.b64decode(data[kind])
    return None


def output_widget(notebook: Path, name: str) -> str | None:
    """The HTML of the widget that the cell of that title displayed, or None."""
    shown = data_of(notebook, lambda cell: name_of("".join(cell["source"])) == name)
    return next((data["text/html"] for data in shown if "gdlib-widget" in data.get("text/html", "")), None)


class FigureOf(Figure):
    required_arguments = 2
    final_argument_whitespace = False

    def run(self) -> list[nodes.Node]:
        env = self.state.document.settings.env
        docname, name = self.arguments
        notebook = Path(env.srcdir, f"{docname}.ipynb")
        env.note_dependency(str(notebook))
        image = output_image(notebook, name)
        if image is None:
            logger.warning("%s drew no figure named %s", notebook.name, name, location=env.docname)
            return []
        ending, content = image
        file = Path(env.srcdir, "_generated", f"{name}.{ending}")
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(content)
        self.arguments = [f"/_generated/{file.name}"]
        return super().run()


class WidgetOf(SphinxDirective):
    required_arguments = 2

    def run(self) -> list[nodes.Node]:
        docname, name = self.arguments
        notebook = Path(self.env.srcdir, f"{docname}.ipynb")
        self.env.note_dependency(str(notebook))
        widget = output_widget(notebook, name)
        if widget is None:
            logger.warning("%s displayed no widget in %s", notebook.name, name, location=self.env.docname)
            return []
        return [nodes.raw("", widget, format="html")]


def setup(app: Sphinx) -> dict:
    app.add_directive("figure-of", FigureOf)
    app.add_directive("widget-of", WidgetOf)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
