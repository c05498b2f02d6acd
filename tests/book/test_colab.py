"""A chapter as Colab runs it: an empty folder, no book, another jax, gdlib installed by the set-up cell.

The public address is answered by a bare clone on this machine, so nothing has to be published first.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib

import nbformat
import pytest
import yaml
from built import ROOT

URL = yaml.safe_load((ROOT / "_config.yml").read_text())["repository"]["url"]
RUN = """
import nbformat, sys
from nbclient import NotebookClient
notebook = nbformat.read(sys.argv[1], 4)
NotebookClient(notebook, timeout=900).execute()
nbformat.write(notebook, sys.argv[1])
"""
WHERE = "import gdlib, json, jax, jaxlib; print(json.dumps([gdlib.__file__, jax.__version__, jaxlib.__version__]))"


def oldest(package):
    dependencies = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    (bound,) = [re.search(r">=([\d.]+)", d).group(1) for d in dependencies if re.match(rf"{package}\b", d)]
    return bound


@pytest.fixture(scope="module")
def colab(tmp_path_factory):
    """(python, environment variables) of a machine that holds the oldest jax and never saw the book."""
    home = tmp_path_factory.mktemp("home")
    tree, bare = home / "tree", home / "bare.git"
    names = subprocess.check_output(
        ["git", "ls-files", "-co", "--exclude-standard", "-z"], cwd=ROOT, text=True
    )
    for name in filter(None, names.split("\0")):
        if (ROOT / name).is_file():
            (tree / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, tree / name)
    identity = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
    for command in (["init", "-q", "-b", "main"], ["add", "-A"], [*identity, "commit", "-q", "-m", "book"]):
        subprocess.run(["git", *command], cwd=tree, check=True)
    subprocess.run(["git", "clone", "-q", "--bare", tree, bare], check=True)
    (home / ".gitconfig").write_text(f'[url "{bare.as_uri()}"]\n  insteadOf = {URL}\n')

    python = home / "venv" / "bin" / "python"
    uv = [sys.executable, "-m", "uv"]
    subprocess.run([*uv, "venv", "-q", "--seed", "--python", sys.executable, home / "venv"], check=True)
    packages = [f"jax=={oldest('jax')}", "ipykernel", "nbclient"]
    subprocess.run([*uv, "pip", "install", "-q", "--python", python, *packages], check=True)
    kept = {
        k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "VIRTUAL_ENV", "XLA_", "OPENBLAS"))
    }
    variables = kept | {"HOME": str(home), "PATH": f"{python.parent}:{os.environ['PATH']}"}
    return python, variables


def test_the_chapter_runs_in_an_empty_folder_and_jax_is_left_alone(colab, tmp_path):
    python, variables = colab
    notebook = tmp_path / "jax.ipynb"
    shutil.copy(ROOT / "chapters" / "background" / "jax.ipynb", notebook)
    result = subprocess.run(
        [python, "-c", RUN, notebook],
        cwd=tmp_path,
        env=variables,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr[-3000:]
    text = subprocess.check_output([python, "-c", WHERE], cwd=tmp_path, env=variables, text=True)
    file, jax, jaxlib = json.loads(text)
    assert "site-packages" in file
    assert (jax, jaxlib) == (oldest("jax"), oldest("jax"))
    cells = nbformat.read(notebook, 4).cells
    assert all(cell.execution_count for cell in cells if cell.cell_type == "code")
