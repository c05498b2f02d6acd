"""What a chapter's cell displays beside figures: the package's own code, drawings, sentences with numbers, and tables.

What a sentence or a table says stands in the output's metadata too, so that a program can read a book's numbers.
"""

import ast
import inspect
import re
import string
import sys
import textwrap
from collections.abc import Iterable, Sequence
from importlib.resources import files
from typing import Any, NamedTuple

from IPython.display import Markdown


def source(*objects: Any, docstrings: bool = True) -> Markdown:
    """The source text of functions and classes, highlighted, as a notebook cell's output: what is shown is what runs.

    Args:
      objects: what is shown, one below the other.
      docstrings: false leaves of each docstring its first sentence.
    """
    texts = [inspect.getsource(shown).rstrip() for shown in objects]
    texts = texts if docstrings else map(_shortened, texts)
    links = " · ".join(dict.fromkeys(filter(None, map(_link, objects))))
    return Markdown("```python\n" + "\n\n".join(texts) + "\n```" + (f"\n\n{links}" if links else ""))


def _link(shown: Any) -> str:
    """A link to where the book's pages about gdlib have it; of what is not gdlib's, or not public, nothing."""
    module, name = shown.__module__, shown.__qualname__.split(".")[0]
    if not module.startswith("gdlib.") or name.startswith("_"):
        return ""
    room = ".".join(module.split(".")[:2])
    public = room if hasattr(sys.modules[room], name) else module
    return f"[{public}.{name}](#{public}.{name})"


def _shortened(text: str) -> str:
    """The source with the first paragraph of each docstring alone."""
    lines, text = text.splitlines(), textwrap.dedent(text)
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    documented = [
        node for node in ast.walk(ast.parse(text)) if isinstance(node, kinds) and ast.get_docstring(node)
    ]
    for node in sorted(documented, key=lambda node: -node.lineno):  # from below: line numbers stay right
        first, last = node.body[0].lineno - 1, node.body[0].end_lineno or node.lineno
        blank = next((i for i in range(first, last) if not lines[i].strip()), None)
        if blank is not None:
            lines[first:last] = [*lines[first : blank - 1], f'{lines[blank - 1]}"""']
    return "\n".join(lines)


class Drawing(NamedTuple):
    """A schematic drawing, as SVG in the page's own colours, and what a reader who does not see it is told."""

    svg: str
    description: str

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        shown = f'<div class="gdlib-drawing" style="max-width: 44rem; margin: auto">{self.svg}</div>'
        return {"text/html": shown, "text/plain": self.description}


def drawing(name: str) -> Drawing:
    """One of the book's schematic drawings, which are kept beside this file: "vae", for example.

    Raises ValueError, with the names there are, for another.
    """
    folder = files("gdlib") / "drawings"
    names = sorted(path.name.removesuffix(".svg") for path in folder.iterdir() if path.name.endswith(".svg"))
    if name not in names:
        raise ValueError(f"name: expected one of {names}, got {name!r}")
    svg = (folder / f"{name}.svg").read_text("utf-8")
    parts = (re.search(rf"<{tag}[^>]*>(.*?)</{tag}>", svg, re.DOTALL) for tag in ("title", "desc"))
    return Drawing(svg, ". ".join(part[1] for part in parts if part))


FOUND, TABLE = "gdlib_found", "gdlib_table"  # under which an output's metadata hold them


def found(template: str, **numbers: Any) -> Markdown:
    """A sentence whose numbers a run has computed.

    Args:
      template: the sentence in Markdown, with a place for each number, as `str.format` has them. A brace of its own,
        of an equation, say, is doubled.
      numbers: by name: numbers, what `evaluate` gives with its spread or interval, or words.

    The output's metadata hold the template and, by name, each number as it is, its spread if it has one, and as it was
    printed. Raises ValueError for a place without its number and a number without its place.

    Example:
      >>> found("The gap is {gap:.1f} nats.", gap=2.345).data
      'The gap is 2.3 nats.'
    """
    places = [
        (name, spec or "") for _, name, spec, _ in string.Formatter().parse(template) if name is not None
    ]
    names = {name for name, _ in places}
    if names != set(numbers):
        raise ValueError(
            f"numbers: expected one for each of the template's places {sorted(names)}, got {sorted(numbers)}"
        )
    kept = {name: _plain(numbers[name]) | {"text": format(numbers[name], spec)} for name, spec in places}
    metadata = {FOUND: {"template": template, "numbers": kept}}
    return Markdown(template.format(**numbers), metadata=metadata)


def _literal(text: str) -> str:
    """A template that says just this."""
    return text.replace("{", "{{").replace("}", "}}")


def _plain(number: Any) -> dict[str, Any]:
    """What JSON can hold of a number: its fields by name where it has any, else its value; of words, nothing."""
    if isinstance(number, str):
        return {}
    if hasattr(number, "_asdict"):
        return number._asdict()
    return {"value": number.item() if hasattr(number, "item") else number}


def table(
    columns: Sequence[str], rows: Iterable[Sequence[Any]], *, align: str = "", note: str = ""
) -> Markdown:
    """A table.

    Args:
      columns: their names.
      rows: a cell for each column; numbers come as the text that is to be read, `f"{x:.1f}"`.
      align: a letter for each column, "l" or "r". Default: the first to the left, the others, as numbers, to the right.
      note: a paragraph below, in Markdown: units, what was measured, over what the spread is.

    Raises ValueError for a row or an `align` of another length.

    Example:
      >>> print(table(("model", "error, %"), [("a", "1.2"), ("b", "0.9")]).data)
      | model | error, % |
      | --- | ---: |
      | a | 1.2 |
      | b | 0.9 |
    """
    align = align or "l" + "r" * (len(columns) - 1)
    rows = [[str(cell) for cell in row] for row in rows]
    for name, cells in [("align", align), *(("rows", row) for row in rows)]:
        if len(cells) != len(columns):
            raise ValueError(f"{name}: expected {len(columns)}, one for each of {list(columns)}, got {cells}")
    rule = ["---:" if letter == "r" else "---" for letter in align]
    lines = ["| " + " | ".join(cells) + " |" for cells in (columns, rule, *rows)]
    metadata = {TABLE: {"columns": list(columns), "rows": rows}}
    return Markdown("\n".join(lines) + (f"\n\n{note}" if note else ""), metadata=metadata)


class Diagnoses:
    """Mistakes made on purpose: each shown where it is made, and all of them in a table at the end."""

    def __init__(self):
        self.rows = []

    def add(self, mistake: str, symptom: str, cause: str, look: str, cure: str, **numbers: Any) -> Markdown:
        """Note a mistake: how it shows, why, where to look, and what helps. Displays symptom and cure.

        The symptom is a template for the numbers, as in `found`.
        """
        symptom = symptom if numbers else _literal(symptom)
        shown = found(f"**Symptom:** {symptom}. **Cure:** {_literal(cure)}.", **numbers)
        self.rows.append((mistake, symptom.format(**numbers), cause, look, cure))
        return shown

    def __len__(self) -> int:
        return len(self.rows)

    def table(self) -> Markdown:
        """All of them, in the order in which they were added."""
        return table(
            ("mistake", "symptom, measured here", "cause", "where to look", "cure"), self.rows, align="lllll"
        )
