"""Imports point one way, and the package can be asked which release it is."""

import ast
import graphlib
from pathlib import Path

import pytest

import gdlib

FOLDER = Path(gdlib.__file__).parent
# What each room imports of the others: no more is allowed, and no less is written here.
IMPORTS = {
    "expect": set(),
    "distributions": set(),
    "checks": {"expect"},
    "show": set(),
    "plot": {"expect"},
    "widgets": {"expect", "data", "models"},
    "data": {"expect"},
    "decoding": {"expect", "data"},
    "kernels": {"expect"},
    "layers": {"expect"},
    "models": {"expect", "kernels", "layers"},
    "objectives": {"expect", "distributions"},
    "optimizers": set(),
    "evaluate": {"expect", "distributions"},
    "train": {"expect"},
    "serve": {"expect", "data", "decoding", "models", "objectives", "train"},
}


def imports(path):
    """The modules of gdlib that a file imports, by their first name."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "gdlib":
            inside = node.module.split(".")[1:]
            yield from inside[:1] or [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path.name} imports relatively"
        elif isinstance(node, ast.Import):
            yield from (alias.name.split(".")[1] for alias in node.names if alias.name.startswith("gdlib."))


FILES = [path for path in FOLDER.rglob("*.py") if path != FOLDER / "__init__.py"]


def room(path):
    return path.relative_to(FOLDER).with_suffix("").parts[0]


def test_rooms_import_one_way_and_what_is_written_here():
    found = {name: set() for name in map(room, FILES)}
    for path in FILES:
        found[room(path)] |= set(imports(path)) - {room(path)}
    assert found == IMPORTS
    order = list(graphlib.TopologicalSorter(IMPORTS).static_order())  # raises where there is a circle
    assert order.index("data") < order.index("decoding")


def module(path):
    return "gdlib." + ".".join(path.relative_to(FOLDER).with_suffix("").parts)


def test_no_file_imports_itself_by_way_of_others():
    """Inside a room, too."""
    names = {module(path).removesuffix(".__init__") for path in FILES}
    graph = {}
    for path in FILES:
        wanted = set()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("gdlib"):
                whole = {f"{node.module}.{alias.name}" for alias in node.names}
                wanted |= (whole & names) or {node.module} & names
        graph[module(path).removesuffix(".__init__")] = wanted
    list(graphlib.TopologicalSorter(graph).static_order())


def test_every_public_thing_has_a_docstring():
    for path in FILES:
        tree = ast.parse(path.read_text(encoding="utf-8"))
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
