"""gdlib's docstrings as pages: `automodule` reads them, and here they become what docutils understands.

They are written to be read in a terminal and beside the code: plain text, with names in single backticks, and Google's
sections for arguments. What looks like markup there (a star, a bar, an underscore at a name's end) is a character.
"""

import ast
import inspect
import re
import textwrap
from typing import Any

from sphinx.application import Sphinx

CODE = re.compile(r"(`[^`]+`)")
MARKUP = re.compile(r"[\\*|]|(?<=\w)_(?!\w)")
FIELD = "Alias for field number"
SIGNATURE = re.compile(r'<dt class="sig .*?</dt>', re.DOTALL)


def plain(text: str) -> str:
    """A text as docutils shows it unchanged: markup is escaped, what stands in backticks is code."""
    pieces = CODE.split(text)
    escaped = (MARKUP.sub(lambda found: "\\" + found.group(), piece) for piece in pieces[::2])
    code = (f"`{piece}`" for piece in pieces[1::2])
    woven = [piece for pair in zip(escaped, [*code, ""], strict=True) for piece in pair]
    return "".join(woven)


def read(_app: Sphinx, _what: str, _name: str, _thing: Any, _options: Any, lines: list[str]) -> None:
    """Change a docstring's lines in place; examples stay as they are."""
    example, blocks = False, []
    for line in lines:
        example = line.lstrip().startswith(">>>") or (example and bool(line.strip()))
        if not blocks or blocks[-1][0] is not example:
            blocks.append((example, []))
        blocks[-1][1].append(line)
    # Block by block, since code in backticks may go on in the next line.
    texts = ("\n".join(block) if example else plain("\n".join(block)) for example, block in blocks)
    lines[:] = "\n".join(texts).split("\n")


def signature(_app: Sphinx, what: str, _name: str, thing: Any, *_: Any) -> tuple[str, str] | None:
    """The signature as it is written: what Python makes of `ArrayLike` fills half a page."""
    if what not in ("function", "method", "class"):
        return None
    try:
        node = ast.parse(textwrap.dedent(inspect.getsource(thing))).body[0]
    except (OSError, TypeError):
        return None
    if isinstance(node, ast.ClassDef):
        inner = {child.name: child for child in node.body if isinstance(child, ast.FunctionDef)}
        if "__init__" not in inner:
            fields = [_field(child) for child in node.body if isinstance(child, ast.AnnAssign)]
            return (f"({', '.join(fields)})", "") if fields else None
        node = inner["__init__"]
        node.returns = None
    arguments = node.args
    if what == "class" or (what == "method" and not isinstance(thing, staticmethod)):
        (arguments.posonlyargs or arguments.args)[:1] = []
    return f"({ast.unparse(arguments)})", ast.unparse(node.returns) if node.returns else ""


def _field(node: ast.AnnAssign) -> str:
    """A field of a NamedTuple or a dataclass; a default that a call makes is three dots."""
    if isinstance(node.value, ast.Call):
        node.value = ast.Constant(...)
    return ast.unparse(node)


def skip(_app: Sphinx, _what: str, _name: str, thing: Any, skipped: bool, _options: Any) -> bool | None:
    """Leave out what a NamedTuple says of its fields by itself: the class has said it."""
    return True if (getattr(thing, "__doc__", None) or "").startswith(FIELD) else None


def mend_signatures(_app: Sphinx, _page: str, _template: str, context: dict, _doctree: Any) -> None:
    """Sphinx writes the lines of a long signature as a list of definitions without terms: a reader that reads aloud
    stumbles over it. Here they are lines.
    """
    if "body" in context:
        context["body"] = SIGNATURE.sub(lambda found: _as_lines(found.group()), context["body"])


def _as_lines(signature: str) -> str:
    for tag, name in (("dl", "lines"), ("dd", "line")):
        signature = signature.replace(f"<{tag}>", f'<span class="sig-{name}">')
        signature = signature.replace(f"</{tag}>", "</span>")
    return signature


def setup(app: Sphinx) -> dict[str, bool]:
    app.setup_extension("sphinx.ext.autodoc")
    app.connect("autodoc-process-docstring", read, priority=100)  # before napoleon
    app.setup_extension("sphinx.ext.napoleon")
    app.connect("autodoc-process-signature", signature)
    app.connect("autodoc-skip-member", skip)
    app.connect("html-page-context", mend_signatures)
    app.config.napoleon_use_ivar = True
    return {"parallel_read_safe": True}
