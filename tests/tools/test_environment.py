"""On a machine that lacks something, the first line says what to install."""

import ast
import re
import sys
import tomllib
from pathlib import Path

import environment
import pytest


def first_line(capsys):
    with pytest.raises(SystemExit) as caught:
        environment.main([".venv"])
    assert capsys.readouterr().out == ""  # nothing stands before it
    return str(caught.value)


def test_an_old_python_is_named_with_what_to_install(monkeypatch, capsys):
    monkeypatch.setattr(sys, "version_info", (3, 10, 2))
    line = first_line(capsys)
    assert line.startswith("Python 3.11 or newer is needed")
    assert "apt-get install" in line
    assert "make PYTHON=" in line


@pytest.mark.parametrize("missing", ["venv", "ensurepip"])
def test_a_python_without_venv_is_named_with_what_to_install(monkeypatch, capsys, missing):
    found = environment.importlib.util.find_spec
    monkeypatch.setattr(
        environment.importlib.util, "find_spec", lambda name: None if name == missing else found(name)
    )
    line = first_line(capsys)
    assert line.startswith("Python's venv module is missing")
    assert f"python{sys.version_info[0]}.{sys.version_info[1]}-venv" in line


def test_an_old_python_can_read_the_file():
    ast.parse(Path(environment.__file__).read_text(), feature_version=(3, 6))


def test_the_books_environment_holds_what_the_tests_need():
    root = Path(environment.ROOT)
    groups = tomllib.loads((root / "pyproject.toml").read_text())["dependency-groups"]
    lines = (line.split("#")[0].strip() for line in (root / "requirements.txt").read_text().splitlines())
    assert set(groups["test"]) <= set(lines)


@pytest.mark.parametrize("file", ["README.md", "api.md"])
def test_the_versions_that_a_reader_is_told_are_gdlibs_bounds(file):
    root = Path(environment.ROOT)
    project = tomllib.loads((root / "pyproject.toml").read_text())["project"]
    (jax,) = (bound.removeprefix("jax>=") for bound in project["dependencies"] if bound.startswith("jax>="))
    text = (root / file).read_text().lower()
    assert set(re.findall(r"jax (\d[\d.]*\d)", text)) == {jax}
    assert set(re.findall(r"python (\d[\d.]*\d)", text)) == {project["requires-python"].removeprefix(">=")}
