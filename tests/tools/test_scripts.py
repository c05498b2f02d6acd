"""The figures' scripts: written as modules, checked by a linter, put into a page as one script."""

import shutil
from pathlib import Path

import pytest
import scripts

from gdlib.widgets.embed import script

NAMES = sorted(path.stem for path in scripts.SCRIPTS.glob("*.js"))


@pytest.mark.parametrize("name", NAMES)
def test_a_page_gets_one_script_without_modules_and_each_part_once(name):
    lines = script(name).splitlines()
    assert not [line for line in lines if line.startswith(("import", "export"))]
    heads = [(scripts.SCRIPTS / f"{other}.js").read_text("utf-8").splitlines()[0] for other in NAMES]
    assert all(lines.count(head) <= 1 for head in heads)
    assert lines.count((scripts.SCRIPTS / f"{name}.js").read_text("utf-8").splitlines()[0]) == 1


def test_what_is_imported_comes_first():
    text = script("letters")
    assert text.index("function gruStep") < text.index("step = gruStep(")


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    folder = tmp_path_factory.mktemp("scripts")
    for path in scripts.SCRIPTS.glob("*.js"):
        shutil.copy(path, folder)
    return folder


@pytest.mark.parametrize(
    ("line", "named"),
    [
        ("undefinedName(1);", "'undefinedName' is not defined"),
        ('import { nothing } from "./base.js";\nnothing();', "nothing"),
        ('import { add } from "./base.js";', "'add' is imported but never used"),
        ("const unused = 1;", "'unused' is declared but never used"),
        ("for (let i = 0; i < 3; i--) root.i = i;", "loop"),
    ],
)
def test_the_linter_finds(copy: Path, capfd, line, named):
    (copy / "broken.js").write_text(line + "\n", encoding="utf-8")
    assert scripts.check(copy) != 0
    assert named in capfd.readouterr().out
    (copy / "broken.js").unlink()


def test_the_scripts_pass(capfd):
    assert scripts.check(scripts.SCRIPTS) == 0
    assert "0 errors" in capfd.readouterr().out
