"""Run the pages as Colab would: its packages, an empty folder, gdlib installed by the page's own set-up cell.

python tools/colab.py                       every page
python tools/colab.py cnn networks/jax    these
python tools/colab.py --resolve             only: does pip's question have an answer on each of Colab's runtimes?
python tools/colab.py --update              fetch the lists of what Colab's runtimes hold (needs the network)

The lists, `tools/colab/*.txt`, say in their first line of which day they are. The public address is answered by a bare
clone on this machine, so nothing has to be published first.
"""

import argparse
import contextlib
import datetime
import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import book
import environment
import nbformat
import yaml
from notebooks import SETUP_TAG

ROOT = book.ROOT
LISTS = ROOT / "tools" / "colab"
PUBLISHED = "https://raw.githubusercontent.com/googlecolab/backend-info/main/"
FILES = {"cpu": "pip-freeze.txt", "gpu": "pip-freeze.gpu.txt", "tpu": "pip-freeze.tpu.txt"}
PYTHON = "3.13"
UV = [sys.executable, "-m", "uv"]
# What is there anyway, and a page uses beyond gdlib's own needs.
BESIDE = ("starlette", "uvicorn", "httptools", "prometheus-client")
# What runs a notebook there.
KERNEL = ("ipykernel", "ipython", "nbclient", "pip", "setuptools")
RUN = """
import nbformat, sys
from nbclient import NotebookClient
notebook = nbformat.read(sys.argv[1], 4)
try:
    NotebookClient(notebook, timeout=1200, resources={"metadata": {"path": "."}}).execute()
finally:
    nbformat.write(notebook, sys.argv[1])
"""


def pins(runtime: str) -> dict[str, str]:
    """package → version, of one of Colab's runtimes."""
    lines = (LISTS / f"{runtime}.txt").read_text(encoding="utf-8").splitlines()
    pairs = (line.split("==") for line in lines if not line.startswith("#"))
    return {normal(name): version for name, version in pairs}


def dependencies() -> list[str]:
    """What gdlib needs, with its bounds."""
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["dependencies"]


def normal(name: str) -> str:
    """A package's name as the index compares it: PyYAML and pyyaml, ml_dtypes and ml-dtypes are one."""
    return re.sub(r"[-_.]+", "-", name).lower()


def name_of(requirement: str) -> str:
    return normal(re.match(r"[\w.-]+", requirement).group())


def resolve(runtime: str) -> str:
    """gdlib's packages as they would be on that runtime, where all but Flax is kept. Raises SystemExit if none do."""
    with tempfile.TemporaryDirectory() as folder:
        constraints, wanted = Path(folder, "constraints.txt"), Path(folder, "wanted.in")
        kept = {name: version for name, version in pins(runtime).items() if name != "flax"}
        constraints.write_text(
            "".join(f"{name}=={version}\n" for name, version in kept.items()), encoding="utf-8"
        )
        wanted.write_text("\n".join(dependencies()), encoding="utf-8")
        command = [*UV, "pip", "compile", "-q", "--no-header", "--no-annotate", "--python-version", PYTHON]
        found = subprocess.run(
            [*command, "--constraint", constraints, wanted], capture_output=True, text=True, check=False
        )
    if found.returncode:
        sys.exit(f"{runtime}: gdlib does not fit what Colab holds.\n{found.stderr}")
    return found.stdout


def changed(runtime: str) -> dict[str, tuple[str | None, str]]:
    """package → (Colab's version, the one that gdlib's installation brings), where they differ."""
    held = pins(runtime)
    brought = dict(line.split("==") for line in resolve(runtime).splitlines() if "==" in line)
    return {name: (held.get(name), new) for name, new in brought.items() if held.get(name) != new}


def python() -> str:
    """Of this machine's Pythons the one nearest to Colab's, from those that gdlib takes."""
    wanted = [int(part) for part in PYTHON.split(".")]
    fit = [(version, path) for version, path in environment.pythons() if [3, 11] <= version[:2] <= wanted]
    return fit[-1][1] if fit else sys.executable


def public_clone(home: Path) -> None:
    """Have git, under this home, answer the book's public address with the tree as it is now, release and all."""
    url = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))["repository"]["url"]
    version = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    tree, bare = home / "tree", home / "bare.git"
    listed = ["git", "ls-files", "-co", "--exclude-standard", "-z"]
    for name in filter(None, subprocess.check_output(listed, cwd=ROOT, text=True).split("\0")):
        if (ROOT / name).is_file():
            (tree / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, tree / name)
    identity = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
    commit = [*identity, "commit", "-q", "-m", "book"]
    for command in (["init", "-q", "-b", "main"], ["add", "-A"], commit, ["tag", f"v{version}"]):
        subprocess.run(["git", *command], cwd=tree, check=True)
    subprocess.run(["git", "clone", "-q", "--bare", tree, bare], check=True)
    (home / ".gitconfig").write_text(f'[url "{bare.as_uri()}"]\n  insteadOf = {url}\n', encoding="utf-8")


class Runtime:
    """A machine like one of Colab's: its packages and not gdlib, a home, the book's address answered nearby."""

    def __init__(self, folder: Path, runtime: str = "cpu"):
        self.folder, self.python = folder, folder / "venv" / "bin" / "python"
        held = pins(runtime)
        folder.mkdir(parents=True)
        lines = (f"{name}=={version}\n" for name, version in held.items())
        (folder / "held.txt").write_text("".join(lines), encoding="utf-8")
        subprocess.run([*UV, "venv", "-q", "--seed", "--python", python(), folder / "venv"], check=True)
        packages = [name for name in (*map(name_of, dependencies()), *BESIDE, *KERNEL) if name in held]
        command = [*UV, "pip", "install", "-q", "--python", self.python, "--constraint", folder / "held.txt"]
        subprocess.run([*command, *packages], check=True)
        public_clone(folder)
        foreign = ("PYTHON", "VIRTUAL_ENV", "XLA_", "OPENBLAS", "JAX_", "IPYTHON")
        kept = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
        own = {"HOME": str(folder), "PATH": f"{self.python.parent}:{os.environ['PATH']}", "TQDM_DISABLE": "1"}
        self.variables = kept | own | {"XDG_CACHE_HOME": str(folder / "cache")}

    def call(self, *arguments, cwd: Path, **variables: str) -> subprocess.CompletedProcess:
        """This machine's Python, in the folder `cwd`."""
        return subprocess.run(
            [self.python, *arguments],
            cwd=cwd, env=self.variables | variables, capture_output=True, text=True, check=False,
        )  # fmt: skip

    def set_up(self) -> None:
        """Run the set-up cell alone, from an empty folder. Raises SystemExit with what it said where it fails."""
        page = nbformat.read(ROOT / book.pages()[0], as_version=4)
        page.cells = [cell for cell in page.cells if SETUP_TAG in cell.metadata.get("tags", [])]
        with _empty_folder() as folder:
            nbformat.write(page, folder / "setup.ipynb")
            done = self.call("-c", RUN, "setup.ipynb", cwd=folder)
        if done.returncode:
            sys.exit(f"The set-up cell failed.\n{done.stderr[-3000:]}")

    def run(self, page: Path, **variables: str) -> tuple[str, nbformat.NotebookNode]:
        """Run a page from an empty folder: (its error, or nothing; the page with its outputs)."""
        with _empty_folder() as folder:
            notebook = folder / page.name
            shutil.copy(ROOT / page, notebook)
            done = self.call("-c", RUN, notebook.name, cwd=folder, **variables)
            return (done.stderr[-3000:] if done.returncode else ""), nbformat.read(notebook, as_version=4)

    def versions(self, *names: str) -> list[str]:
        code = f"from importlib.metadata import version\nfor name in {names!r}: print(version(name))"
        return self.call("-c", code, cwd=self.folder).stdout.split()


@contextlib.contextmanager
def _empty_folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)


def run_pages(pages: list[Path]) -> int:
    """Run the pages, two at a time; returns how many failed."""
    folder = book.BUILD / "colab"
    shutil.rmtree(folder, ignore_errors=True)
    machine = Runtime(folder)
    machine.set_up()  # once: two pages that install at the same time would be in each other's way
    print(*machine.call("--version", cwd=folder).stdout.split(), *_held(machine), flush=True)
    cores = book.cores()
    started = datetime.datetime.now()

    def one(page: Path) -> tuple[Path, str, float]:
        began = datetime.datetime.now()
        error, _ = machine.run(page, OPENBLAS_NUM_THREADS="1")
        return page, error, (datetime.datetime.now() - began).total_seconds()

    failed = 0
    with ThreadPoolExecutor(max_workers=min(2, len(cores))) as pool:
        for page, error, seconds in pool.map(one, book.longest_first(pages)):
            failed += bool(error)
            print(f"{'FAILED' if error else 'passed'} {page} ({seconds:.0f} s)\n{error}".strip(), flush=True)
    minutes = (datetime.datetime.now() - started).total_seconds() / 60
    print(f"{len(pages) - failed} passed, {failed} failed, in {minutes:.0f} minutes")
    return failed


def _held(machine: Runtime) -> Iterator[str]:
    names = ("jax", "flax", "optax", "numpy", "matplotlib", "gdlib")
    return (f"{name} {version}" for name, version in zip(names, machine.versions(*names), strict=True))


def update() -> None:
    """Write the lists anew, from what Colab publishes. What is not from the package index is left out."""
    today = datetime.date.today().isoformat()
    for runtime, file in FILES.items():
        try:
            with urllib.request.urlopen(PUBLISHED + file, timeout=60) as answer:
                lines = answer.read().decode("utf-8").splitlines()
        except OSError as error:
            sys.exit(f"{runtime}: Colab's list could not be fetched ({error}). The one that is here is kept.")
        packages = sorted({line for line in lines if re.fullmatch(r"[\w.-]+==\S+", line)}, key=str.lower)
        if "jax" not in map(name_of, packages):
            sys.exit(
                f"{runtime}: expected a list of packages with jax, got {lines[:3]}. The one here is kept."
            )
        head = (
            f"# What Colab's {runtime} runtime holds, by its public list of packages, fetched on {today}.\n"
        )
        (LISTS / f"{runtime}.txt").write_text(head + "\n".join(packages) + "\n", encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", maxsplit=1)[0])
    parser.add_argument("pages", nargs="*", help="pages, by path or name; default all")
    parser.add_argument("--resolve", action="store_true", help="only see whether gdlib fits on every runtime")
    parser.add_argument("--update", action="store_true", help="fetch the lists of Colab's packages")
    arguments = parser.parse_args()
    if arguments.update:
        return update()
    for runtime in FILES:
        what = ", ".join(f"{name} {old or 'none'} → {new}" for name, (old, new) in changed(runtime).items())
        print(f"{runtime}: {what}")
    if arguments.resolve:
        return None
    return sys.exit(run_pages([book.page_named(name) for name in arguments.pages] or book.pages()) > 0)


if __name__ == "__main__":
    main()
