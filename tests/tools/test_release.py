"""One command makes a release, and none where something is missing."""

import json
import subprocess

import pytest
import release
from notebooks import METADATA, SETUP_TAG

PROJECT = '[project]\nversion = "0.2.0"\nrequires-python = ">=3.11"\ndependencies = ["jax>=0.7.1"]\n'
CHANGELOG = "# Changes\n\n## Unreleased\n\n- Something new.\n\n## 0.1.0\n\nThe first.\n"


def git(root, *arguments):
    identity = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
    return subprocess.check_output(["git", *identity, *arguments], cwd=root, text=True).strip()


@pytest.fixture
def book(tmp_path, monkeypatch):
    """A small book under git."""
    for name in ("GIT_AUTHOR", "GIT_COMMITTER"):
        monkeypatch.setenv(f"{name}_NAME", "a")
        monkeypatch.setenv(f"{name}_EMAIL", "a@example.org")
    files = {
        "pyproject.toml": PROJECT,
        "_config.yml": "repository:\n  url: https://example.org/book\n  branch: main\n",
        "CITATION.cff": "version: 0.2.0\ndate-released: 2000-01-01\n",
        "CHANGELOG.md": CHANGELOG,
        "gdlib/a.py": "x = 1\n",
    }
    cell = {"cell_type": "code", "metadata": {"tags": [SETUP_TAG, "hide-input"]}, "source": "", "id": "a1"}
    cell |= {"source": "# @title", "outputs": [], "execution_count": None}
    page = {"nbformat": 4, "nbformat_minor": 5, "metadata": METADATA, "cells": [cell]}
    for name, text in (files | {"chapters/page.ipynb": json.dumps(page)}).items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    git(tmp_path, "init", "-q", "-b", "main")
    git(tmp_path, "add", "-A")
    git(tmp_path, "commit", "-q", "-m", "book")
    return tmp_path


def read(root, name):
    return (root / name).read_text(encoding="utf-8")


def test_a_release_is_in_every_place_and_tagged(book):
    release.main(["0.3.0"], book)
    assert 'version = "0.3.0"' in read(book, "pyproject.toml")
    assert "version: 0.3.0\n" in read(book, "CITATION.cff")
    assert "2000" not in read(book, "CITATION.cff")
    page = read(book, "chapters/page.ipynb")
    assert "git+https://example.org/book@v0.3.0" in page
    changes = read(book, "CHANGELOG.md")
    assert changes.index("## Unreleased") < changes.index("## 0.3.0, 2") < changes.index("Something new")
    assert git(book, "describe") == "v0.3.0"
    assert git(book, "status", "--porcelain") == ""


def test_what_comes_next_is_taken_from_the_branch_and_not_tagged(book):
    release.main(["0.3.0"], book)
    release.main(["0.4.0.dev0"], book)
    assert "git+https://example.org/book@main" in read(book, "chapters/page.ipynb")
    assert "version: 0.3.0" in read(book, "CITATION.cff")
    assert git(book, "tag") == "v0.3.0"


@pytest.mark.parametrize(
    ("version", "said"),
    [
        ("", "Call: make release"),
        ("new", "expected a version such as 0.3.0"),
        ("v0.3.0", "expected a version such as 0.3.0"),
        ("0.3.0rc1", "expected a version such as 0.3.0"),
        ("0.1.9", "at least 0.2.0, got 0.1.9"),
    ],
)
def test_a_version_that_will_not_do_is_refused(book, version, said):
    with pytest.raises(SystemExit, match=said):
        release.main([version], book)
    assert git(book, "tag") == ""


def test_no_release_of_uncommitted_work_of_nothing_or_twice(book):
    (book / "gdlib" / "a.py").write_text("x = 2\n")
    with pytest.raises(SystemExit, match="commit them first"):
        release.main(["0.3.0"], book)
    git(book, "commit", "-qam", "more")
    release.main(["0.3.0"], book)
    with pytest.raises(SystemExit, match=r"v0\.3\.0 is there already"):
        release.main(["0.3.0"], book)
    with pytest.raises(SystemExit, match="say what changed"):
        release.main(["0.3.1"], book)


def test_a_package_that_is_not_what_was_released_under_its_version_is_found(book):
    assert release.drift(book) is None  # nothing was released yet
    release.main(["0.3.0"], book)
    assert release.drift(book) is None
    (book / "gdlib" / "a.py").write_text("x = 2\n")
    assert "has changed since the release v0.3.0" in release.drift(book)
    git(book, "commit", "-qam", "more")
    release.main(["0.4.0.dev0"], book)
    assert release.drift(book) is None
