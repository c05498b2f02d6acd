"""A chapter's figure on another page: `{figure-of} chapters/generative/vae fig-name`.

The picture is taken from the executed notebook, so it is always of the run that built the book.
"""

import base64
import json
from pathlib import Path

from docutils import nodes
from docutils.parsers.rst.directives.images import Figure
from sphinx.application import Sphinx
from sphinx.util import logging

FORMATS = {"image/svg+xml": "svg", "image/png": "png"}
logger = logging.getLogger(__name__)


def output_image(notebook: Path, name: str) -> tuple[str, bytes] | None:
    """(file ending, content) of the image that the cell named `name` drew, or None."""
    for cell in json.loads(notebook.read_text(encoding="utf-8"))["cells"]:
        if cell["metadata"].get("mystnb", {}).get("figure", {}).get("name") != name:
            continue
        for output in cell["outputs"]:
            for kind, ending in FORMATS.items():
                if kind in output.get("data", {}):
                    text = "".join(output["data"][kind])
                    return ending, text.encode() if ending == "svg" else base64.b64decode(text)
    return None


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


def setup(app: Sphinx) -> dict:
    app.add_directive("figure-of", FigureOf)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
