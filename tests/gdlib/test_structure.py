"""Imports point one way, and the package can be asked which release it is."""

import ast
from pathlib import Path

import pytest

import gdlib
from gdlib import show

FOLDER = Path(gdlib.__file__).parent
# What each module may import of gdlib, beside `expect`.
ALLOWED = {
    "expect": set(),
    "distributions": set(),
    "history": set(),
    "checks": set(),
    "show": set(),
    "plot": set(),
    "widgets": {"widgets"},
    "datasets": set(),
    "tokens": set(),
    "texts": set(),
    "decoding": {"tokens"},
    "layers": set(),
    "models": {"distributions", "layers"},
    "objectives": {"distributions", "layers"},
    "evaluate": {"distributions", "layers"},
    "checkpoint": {"history"},
    "chunk": set(),
    "update": set(),
    "train": {"checkpoint", "chunk", "history", "update"},
}


def imports(path):
    """The modules of gdlib that a file imports, by their first name."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "gdlib":
            inside = node.module.split(".")[1:]
            yield from inside[:1] or [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path.name} imports relatively"
        elif isinstance(node, ast.Import):
            yield from (alias.name.split(".")[1] for alias in node.names if alias.name.startswith("gdlib."))


FILES = [path for path in FOLDER.rglob("*.py") if path != FOLDER / "__init__.py"]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(FOLDER)))
def test_imports_point_one_way(path):
    name = path.relative_to(FOLDER).with_suffix("").parts[0]
    assert set(imports(path)) <= ALLOWED[name] | {"expect"}


def test_every_public_thing_has_a_docstring():
    for path in FILES:
        tree = ast.parse(path.read_text())
        assert ast.get_docstring(tree), path
        for node in tree.body:
            if isinstance(node, ast.ClassDef | ast.FunctionDef) and not node.name.startswith("_"):
                assert ast.get_docstring(node), f"{path.name}: {node.name}"


def test_an_older_package_than_the_notebook_needs_is_said_with_the_cure(monkeypatch):
    gdlib.require(gdlib.__version__, source="somewhere")
    monkeypatch.setattr(gdlib, "__version__", "0.9.2")
    with pytest.raises(
        ImportError, match=r"needs gdlib 99\.0\.0 or newer.*%pip install --upgrade .*@ somewhere"
    ):
        gdlib.require("99.0.0", source="somewhere")
    with pytest.raises(ImportError, match="or newer"):
        gdlib.require("0.10.0", source="somewhere")  # as numbers, not as text: 10 > 9


@pytest.mark.parametrize(
    ("here", "runs", "does_not"),
    [
        ("0.2.3", ["0.2.0", "0.2.3", "0.2.0.dev0"], ["0.2.4", "0.1.0", "0.3.0"]),
        ("0.3.0.dev0", ["0.3.0.dev0"], ["0.3.0", "0.2.0"]),
        ("1.4.0", ["1.0.0", "1.4.0"], ["0.9.0", "1.5.0", "2.0.0"]),
    ],
)
def test_a_release_runs_the_notebooks_of_its_series_and_says_so_of_others(monkeypatch, here, runs, does_not):
    monkeypatch.setattr(gdlib, "__version__", here)
    for release in runs:
        gdlib.require(release, source="somewhere")
    for release in does_not:
        with pytest.raises(ImportError, match=r"%pip install .*somewhere"):
            gdlib.require(release, source="somewhere")


@pytest.mark.parametrize("version", ["", "new", "0.1.x"])
def test_what_is_no_version_is_named(version):
    with pytest.raises(ValueError, match="written_for: expected a version"):
        gdlib.require(version, source="somewhere")


def test_a_chapter_shows_the_source_that_runs():
    shown = show.source(gdlib.require, test_imports_point_one_way).data
    assert shown.startswith("```python\ndef require(")
    assert "def test_imports_point_one_way(path):" in shown
