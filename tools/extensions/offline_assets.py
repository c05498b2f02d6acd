"""Pages that ask nothing of the network: MathJax comes from the book's own files, to pages that have a use for it."""

import re
from importlib.metadata import files
from pathlib import Path

from sphinx.application import Sphinx
from sphinx.util.fileutil import copy_asset

MATHJAX = "tex-svg.js"  # one file, fonts as outlines inside it: nothing else is ever fetched


def mathjax_file() -> Path:
    entries = files("sphinx-mathjax-offline") or []
    return next(Path(f.locate()) for f in entries if f.name == MATHJAX)


def use_local_mathjax(_app: Sphinx, config) -> None:
    config.mathjax_path = f"mathjax/{MATHJAX}"


def copy_mathjax(app: Sphinx) -> None:
    copy_asset(str(mathjax_file()), str(Path(app.outdir, "_static", "mathjax")))


def drop_repeated_scripts(_app, _page, _template, context: dict, _doctree) -> None:
    """Two extensions declare one constant, which is an error in the page: keep the first."""
    kept, bodies = [], set()
    for script in context.get("script_files", []):
        body = getattr(script, "attributes", {}).get("body")
        if body is None or body not in bodies:
            kept.append(script)
        bodies.add(body)
    context["script_files"] = kept


def drop_mathjax(_app, _page, _template, context: dict, _doctree) -> None:
    """It is the heaviest file of all. A page without formulas, and without links to any, goes without."""
    if not re.search(r'class="math|#equation-', context.get("body", "")):
        scripts = context.get("script_files", [])
        context["script_files"] = [
            one for one in scripts if MATHJAX not in str(getattr(one, "filename", one))
        ]


def setup(app: Sphinx) -> dict:
    app.connect("config-inited", use_local_mathjax)
    app.connect("builder-inited", copy_mathjax)
    app.connect("html-page-context", drop_repeated_scripts, priority=900)
    app.connect("html-page-context", drop_mathjax, priority=901)
    app.set_html_assets_policy("always")  # a page whose only maths is in an output needs it too
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
