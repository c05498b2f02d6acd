"""A link to an equation shows it on hover or focus: on its own page as it stands, elsewhere typeset anew.

`_static/previews.js` does it in the page. Here the LaTeX of every labelled equation is written to one file, which a
page asks for only when a link to another page's equation is reached; a script, since a page that is opened from a disk
may read no other file.
"""

import json
from pathlib import Path

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.math import wrap_displaymath

EQUATIONS = "equations.js"


def collect(app: Sphinx, doctree: nodes.document) -> None:
    """By the name that an equation has as a place in its page, what MathJax is given there."""
    equations = getattr(app.env, "previewed", {})
    for node in doctree.findall(nodes.math_block):
        if label := node.get("label"):
            equations[f"equation-{nodes.make_id(label)}"] = wrap_displaymath(node.astext(), None, False)
    app.env.previewed = equations


def write(app: Sphinx, exception: Exception | None) -> None:
    if exception is None and app.builder.format == "html":
        equations = json.dumps(getattr(app.env, "previewed", {}), ensure_ascii=False, indent=0)
        Path(app.outdir, "_static", EQUATIONS).write_text(
            f"window.equations = {equations};\n", encoding="utf-8"
        )


def setup(app: Sphinx) -> dict:
    app.connect("doctree-read", collect)
    app.connect("build-finished", write)
    return {"version": "1", "parallel_read_safe": False, "parallel_write_safe": True}
