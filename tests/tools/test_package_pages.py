"""The pages about gdlib: docstrings shown as they were written, signatures too, and nothing public left out."""

import re
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax
import package_pages
import pytest

import gdlib
from gdlib import evaluate, train
from gdlib.data import mnist_5000
from gdlib.models.cnn import CNN
from gdlib.objectives import cross_entropy

ROOT = Path(__file__).parents[2]
PAGES = {path: path.read_text("utf-8") for path in sorted((ROOT / "api").glob("*.md"))}
DOCUMENTED = {name for text in PAGES.values() for name in re.findall(r"automodule:: (\S+)", text)}
# What the pages' reader does not call: the checks of arguments that every room shares.
INNER = {"gdlib.expect"}


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("KL(q(z|x) ‖ p(z)) of a * b", r"KL(q(z\|x) ‖ p(z)) of a \* b"),
        ("`fit(step, *modules)` gives x_ and x_i", r"``fit(step, *modules)`` gives x\_ and x_i"),
        (r"a \ b", r"a \\ b"),
        ("nothing", "nothing"),
        ("`a``b`", "``a````b``"),
    ],
)
def test_a_line_is_shown_as_it_was_written(written, shown):
    assert package_pages.plain(written) == shown


def test_an_example_stays_as_it_is():
    lines = ["a * b, `f(a,", "  b * c)`", "", ">>> f(*x)", "2 * x", "", "c * d"]
    package_pages.read(None, "function", "f", None, None, lines)
    assert lines == [r"a \* b, ``f(a,", "  b * c)``", "", ">>> f(*x)", "2 * x", "", r"c \* d"]


class Pair(NamedTuple):
    first: int
    second: float = max(1.0, 2.0)


class Made:
    def __init__(self, size: int, *, name: str = "x"):
        pass

    def grow(self, by: float) -> "Made": ...


def plain_function(x, *others: int, flag=True) -> None: ...


@pytest.mark.parametrize(
    ("what", "thing", "shown"),
    [
        ("class", Pair, ("(first: int, second: float = ...)", "")),
        ("class", Made, ("(size: int, *, name: str='x')", "")),
        ("method", Made.grow, ("(by: float)", "'Made'")),
        ("function", plain_function, ("(x, *others: int, flag=True)", "None")),
        ("module", gdlib, None),
        ("class", int, None),
    ],
)
def test_a_signature_is_shown_as_it_was_written(what, thing, shown):
    assert package_pages.signature(None, what, "name", thing) == shown


def test_every_public_module_has_its_place():
    folder = Path(gdlib.__file__).parent
    for path in folder.rglob("*.py"):
        name = ".".join(("gdlib", *path.relative_to(folder).with_suffix("").parts)).removesuffix(".__init__")
        room = ".".join(name.split(".")[:2])
        lists_its_names = hasattr(__import__(room, fromlist=["_"]), "__all__")
        if name in {"gdlib", "gdlib.models", "gdlib.kernels", *INNER}:
            continue
        assert (room if lists_its_names else name) in DOCUMENTED, f"{name} is on no page about gdlib"


def test_the_training_on_the_first_page_runs(monkeypatch, capsys):
    code = re.search(r"```python\n(.*?)```", (ROOT / "api.md").read_text("utf-8"), re.DOTALL).group(1)
    names = {
        "jax": jax,
        "jnp": jnp,
        "optax": optax,
        "train": train,
        "evaluate": evaluate,
        "mnist_5000": mnist_5000,
    }
    exec(code.replace('"epochs": 5', '"epochs": 1'), names | {"CNN": CNN, "cross_entropy": cross_entropy})
    assert float(capsys.readouterr().out.split()[0]) > 0.7


def test_a_long_signature_has_lines_and_no_list_without_terms():
    body = (
        '<dl class="py"><dt class="sig sig-object py" id="f">f(<dl><dd>x</dd><dd>y</dd></dl>)</dt>'
        "<dd>What f does.</dd></dl>"
        "<dl><dt>a term</dt><dd>its meaning</dd></dl>"
    )
    context = {"body": body}
    package_pages.mend_signatures(None, "api/train", "page.html", context, None)
    line = '<span class="sig-line">{}</span>'.format
    assert context["body"] == body.replace(
        "<dl><dd>x</dd><dd>y</dd></dl>", f'<span class="sig-lines">{line("x")}{line("y")}</span>'
    )
    package_pages.mend_signatures(None, "search", "search.html", empty := {}, None)
    assert empty == {}
