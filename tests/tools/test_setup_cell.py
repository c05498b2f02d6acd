"""The set-up cell: what it asks pip for, and the one sentence that it says where that cannot be had."""

import importlib.metadata
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import notebooks
import pytest

import gdlib

CELL = compile(notebooks.setup_source(), "set-up", "exec")


def packages(**versions):
    return lambda: [SimpleNamespace(metadata={"Name": n}, version=v) for n, v in versions.items()]


@pytest.fixture
def run(monkeypatch):
    """run(pip's answer, packages there) → what pip was asked to keep, and to install."""
    asked = {}

    def call(returncode=0, stdout="", stderr="", here=None, error=None):
        def pip(command, **_):
            if error is not None:
                raise error
            asked["install"] = command[-1]
            asked["kept"] = Path(command[command.index("--constraint") + 1]).read_text().split()
            return SimpleNamespace(returncode=returncode, stdout=stdout, stderr=stderr)

        here = {"jax": "0.7.2", "flax": "0.11.2", "numpy": "2.1.3"} if here is None else here
        with monkeypatch.context() as patch:
            patch.setattr(importlib.metadata, "distributions", packages(**here))
            patch.setattr(subprocess, "run", pip)
            patch.setattr(gdlib, "keep_compiled", lambda: asked.setdefault("compiled", "kept"))
            patch.delitem(sys.modules, "flax", raising=False)
            exec(CELL, {})
        return asked

    return call


def test_everything_that_is_there_is_kept_but_flax(run):
    asked = run()
    assert asked["compiled"] == "kept"
    assert sorted(asked["kept"]) == ["jax==0.7.2", "numpy==2.1.3"]
    assert re.fullmatch(r"gdlib @ git\+https://.*@(v\d+\.\d+\.\d+|main)", asked["install"])


def test_a_version_that_pip_could_not_read_is_no_constraint(run):
    here = {"jax": "0.7.2", "odd": "unknown", "torch": "2.11.0+cu128", "half": "1.0-local build"}
    assert sorted(run(here=here)["kept"]) == ["jax==0.7.2", "torch==2.11.0+cu128"]


def test_a_broken_installation_without_a_name_is_passed_over(run, monkeypatch):
    there = [SimpleNamespace(metadata={"Name": None}, version="1.0"), *packages(jax="0.7.2")()]
    asked = run(here={})
    monkeypatch.setattr(importlib.metadata, "distributions", lambda: there)
    assert asked["kept"] == []


def test_where_gdlib_is_nothing_is_installed(run):
    assert run(here={"gdlib": "0.2.0"}) == {"compiled": "kept"}


@pytest.mark.parametrize(
    ("said", "cure"),
    [
        (
            "fatal: unable to access 'https://a/': Could not resolve host: a",
            "connect to the network",
        ),
        (
            "ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device",
            "free some space",
        ),
        ("ERROR: ResolutionImpossible: for help visit a page", "start from a fresh environment"),
        ("ERROR: Cannot find command 'git' - do you have 'git' installed", "install git"),
        ("/usr/bin/python: No module named pip", "install pip"),
        ("", "start from a fresh environment"),
    ],
)
def test_where_pip_refuses_one_sentence_says_what_to_do(run, said, cure):
    with pytest.raises(ImportError, match=r"gdlib was not installed: .*, and run this cell again") as caught:
        run(returncode=1, stderr=f"some lines\n{said}")
    text = str(caught.value)
    assert cure in text
    assert said[:300] in text
    assert "\n" not in text


def test_of_a_conflict_both_sides_are_named(run):
    sides = ("gdlib 0.2.0 depends on numpy>=2.0", "The user requested (constraint) numpy==1.0")
    said = "\n    ".join(("The conflict is caused by:", *sides))
    with pytest.raises(
        ImportError, match=r"gdlib 0\.2\.0 depends on numpy>=2\.0; The user requested .*numpy==1\.0"
    ):
        run(returncode=1, stdout=said, stderr="ERROR: ResolutionImpossible: for help visit a page")


def test_a_disk_without_room_for_the_constraints_is_said_alike(run):
    with pytest.raises(ImportError, match="free some space on the disk"):
        run(error=OSError(28, "No space left on device"))


@pytest.mark.parametrize("jax", ["0.6.2", "0.7.0"])
def test_an_old_jax_is_named(run, jax):
    with pytest.raises(ImportError, match=rf"this page needs jax 0\.7\.1 or newer, and {jax} is here"):
        run(here={"jax": jax})


def test_a_newer_jax_or_none_is_fine(run):
    assert run(here={"jax": "0.10.2"})["kept"] == ["jax==0.10.2"]
    assert run(here={})["kept"] == []


def test_an_old_python_is_named(run, monkeypatch):
    monkeypatch.setattr("platform.python_version", lambda: "3.10.12")
    with pytest.raises(ImportError, match=r"this page needs Python 3\.11 or newer, and 3\.10\.12 is here"):
        run()


def test_flax_in_use_has_to_be_loaded_anew(monkeypatch):
    monkeypatch.setattr(importlib.metadata, "distributions", packages(jax="0.7.2"))
    monkeypatch.setattr(
        subprocess, "run", lambda *_, **__: SimpleNamespace(returncode=0, stdout="", stderr="")
    )
    monkeypatch.setitem(sys.modules, "flax", SimpleNamespace())
    with pytest.raises(ImportError, match="restart the runtime"):
        exec(CELL, {})
