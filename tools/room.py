"""How much room an assertion has: measured in the notebook, while it runs.

`tools/variants.py` makes each kernel run this file first. Every `assert` of a cell becomes one that does not stop the
page, and each comparison in it is measured, as is one that a function of the page returns to it: for a < b the smallest
b − a, for np.allclose the share of the tolerance that is left. What it finds is an output of the cell.
"""

import ast
import builtins
from collections.abc import Callable
from typing import Any

import numpy as np

MIME = "application/x-room+json"
ORDER = {ast.Lt: 1, ast.LtE: 1, ast.Gt: -1, ast.GtE: -1}
CLOSE = ("allclose", "isclose")


class Recorder:
    """What the assertions of the running cell found, in the order in which they were met."""

    def __init__(self):
        self.rows: list[dict] = []
        self.open: list[dict] = []  # assertions under way: one may call a function that makes another

    def assertion(self, test: Callable[[], Any], text: str) -> None:
        """In place of `assert test`."""
        self.open.append({"text": text, "margins": {}})
        try:
            holds = bool(test())
        finally:
            row = self.open.pop()
        self.rows.append({"holds": holds, **row})

    def compare(self, text: str, signs: list[int], *values: Any) -> Any:
        """In place of a comparison, chained or not: its value, and the least of its margins is noted."""
        found = True
        for sign, left, right in zip(signs, values[:-1], values[1:], strict=True):
            strict = abs(sign) == 1
            if sign > 0:
                link = left < right if strict else left <= right
            else:
                link = left > right if strict else left >= right
            self.note(
                text,
                lambda sign=sign, left=left, right=right: np.sign(sign) * (_numbers(right) - _numbers(left)),
            )
            found = link if found is True else found and link
        return found

    def close(self, text: str, function: Callable, *arguments: Any, **options: Any) -> Any:
        """In place of a call of `np.allclose`."""

        def margin():
            left, right = map(_numbers, arguments[:2])
            rtol = options.get("rtol", arguments[2] if len(arguments) > 2 else 1e-5)
            atol = options.get("atol", arguments[3] if len(arguments) > 3 else 1e-8)
            return 1 - np.abs(left - right) / (atol + rtol * np.abs(right))

        self.note(text, margin)
        return function(*arguments, **options)

    def note(self, text: str, margin: Callable[[], Any]) -> None:
        if not self.open:
            return
        try:
            least = float(np.min(margin()))
        except (TypeError, ValueError):  # no numbers are compared
            return
        for row in self.open:
            row["margins"][text] = min(least, row["margins"].get(text, np.inf))

    def publish(self, *_: Any) -> None:
        """After a cell: what it found, as one of its outputs."""
        from IPython.display import display

        rows, self.rows = self.rows, []
        if rows:
            display({MIME: rows, "text/plain": f"{len(rows)} assertions"}, raw=True)


def _numbers(value: Any) -> np.ndarray:
    return np.asarray(value, np.float64)


class Measured(ast.NodeTransformer):
    """Assertions, and the comparisons that they rest on, by way of the recorder."""

    def __init__(self):
        self.inside = 0

    def visit_Assert(self, node: ast.Assert) -> ast.AST:
        text = ast.unparse(node.test)
        self.inside += 1
        test = self.visit(node.test)
        self.inside -= 1
        nothing = ast.arguments(posonlyargs=[], args=[], kwonlyargs=[], kw_defaults=[], defaults=[])
        new = ast.Expr(_call("assertion", ast.Lambda(nothing, test), ast.Constant(text)))
        return ast.fix_missing_locations(ast.copy_location(new, node))

    def visit_Return(self, node: ast.Return) -> ast.AST:
        self.inside += 1
        self.generic_visit(node)
        self.inside -= 1
        return ast.fix_missing_locations(node)

    def visit_Lambda(self, node: ast.Lambda) -> ast.AST:
        return self.visit_Return(node)

    def visit_Compare(self, node: ast.Compare) -> ast.AST:
        text = ast.unparse(node)
        self.generic_visit(node)
        if not self.inside or any(type(op) not in ORDER for op in node.ops):
            return node
        weak = (ast.LtE, ast.GtE)
        signs = [ast.Constant(ORDER[type(op)] * (2 if isinstance(op, weak) else 1)) for op in node.ops]
        values = [node.left, *node.comparators]
        return _call("compare", ast.Constant(text), ast.List(signs, ast.Load()), *values)

    def visit_Call(self, node: ast.Call) -> ast.AST:
        text = ast.unparse(node)
        self.generic_visit(node)
        if not self.inside or not isinstance(node.func, ast.Attribute) or node.func.attr not in CLOSE:
            return node
        new = _call("close", ast.Constant(text), node.func, *node.args)
        new.keywords = node.keywords
        return new


def _call(method: str, *arguments: ast.AST) -> ast.Call:
    return ast.Call(
        ast.Attribute(ast.Name("__room__", ast.Load()), method, ast.Load()), list(arguments), keywords=[]
    )


def install(shell: Any) -> None:
    """Measure in this IPython from now on."""
    builtins.__room__ = Recorder()
    shell.ast_transformers.append(Measured())
    shell.events.register("post_run_cell", builtins.__room__.publish)
