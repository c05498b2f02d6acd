"""Build the book: copy it, run every notebook once, check the outputs, build HTML from them.

python tools/book.py                  a notebook whose code, gdlib and pins are as before keeps its outputs
python tools/book.py --fresh          every notebook runs, and compiles
python tools/book.py --chapter vae    one chapter alone, warnings allowed
"""

import argparse
import datetime
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import nbformat
from jupyter_cache import get_cache
from notebooks import SETUP_TAG

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / "build"
COPY = BUILD / "book"  # not below a folder named _build: nbmake collects nothing there
HTML = BUILD / "html"
COMPILED = BUILD / "compiled"  # most chapters compile the same small functions: once will do
# Pages that take two minutes, about, or more.
LONGEST = ("digits", "dates", "parts", "peers", "gan", "classes", "bridge", "practice")
PARTS = ("_config.yml", "_toc.yml", "references.bib", "*.md", "_static", "chapters", "tools", "benchmarks")


def copy_book(destination: Path) -> None:
    """A scratch copy: outputs are written there, and never into the sources."""
    shutil.rmtree(destination, ignore_errors=True)
    destination.mkdir(parents=True)
    for path in (path for part in PARTS for path in ROOT.glob(part)):
        if path.is_dir():
            ignore = shutil.ignore_patterns("__pycache__", ".ipynb_checkpoints")
            shutil.copytree(path, destination / path.name, ignore=ignore)
        else:
            shutil.copy2(path, destination)


def provenance(files: Iterable[Path]) -> str:
    """A short hash of the files that a notebook's outputs depend on, beside its own code."""
    digest = hashlib.sha256()
    for path in sorted(files):
        digest.update(path.name.encode() + hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:12]


def stamp(path: Path, mark: str) -> None:
    """Write the hash into the copy's set-up cell: the cache then sees a changed gdlib or pin."""
    notebook = nbformat.read(path, as_version=4)
    for cell in notebook.cells:
        if SETUP_TAG in cell.metadata.get("tags", []):
            cell.source += f"\n# run with gdlib's sources and pins {mark}"
    nbformat.write(notebook, path)


def restore(cache, path: Path) -> bool:
    """Give the notebook the outputs of an earlier run of the very same code, if there was one."""
    try:
        _, notebook = cache.merge_match_into_notebook(
            nbformat.read(path, as_version=4), nb_meta=("seconds",), cell_meta=()
        )
    except KeyError:
        return False
    nbformat.write(notebook, path)
    return True


def longest_first(paths: Iterable[Path]) -> list[Path]:
    """An order in which no long notebook is left to run alone at the end."""
    return sorted(paths, key=lambda path: (path.stem in LONGEST, path), reverse=True)


def execute(paths: list[Path]) -> None:
    """Run the notebooks in place, two at a time. Raises SystemExit where one fails."""
    options = ["--nbmake", "--overwrite", "--nbmake-timeout=900", "-q", "-p", "no:cacheprovider"]
    # One after the other to whoever is free.
    where = [f"--rootdir={COPY}", "-c", os.devnull, "-n", str(min(2, len(paths))), "--maxschedchunk=1"]
    environment = os.environ | {
        "TQDM_DISABLE": "1",  # a progress bar has no place in a built page
        # Two notebooks share the processor. NumPy's threads would spin, each waiting for the others' turn: on two
        # cores a softmax regression took thirty times as long.
        "OPENBLAS_NUM_THREADS": "1",
        # Compiles faster, and what it compiles was not seen to run slower.
        "XLA_FLAGS": f"{os.environ.get('XLA_FLAGS', '')} --xla_backend_optimization_level=1",
        "JAX_COMPILATION_CACHE_DIR": str(COMPILED),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
    }
    command = [sys.executable, "-m", "pytest", *options, *where, *map(str, longest_first(paths))]
    if subprocess.run(command, env=environment, check=False).returncode:
        sys.exit("A notebook failed; its error stands above.")


def sum_up_timing(path: Path) -> None:
    """Put how long the notebook ran in the place of when each cell did, which would change its cache key."""
    notebook = nbformat.read(path, as_version=4)
    clocks = [cell.metadata.pop("execution", {}) for cell in notebook.cells]
    times = [datetime.datetime.fromisoformat(time) for clock in clocks for time in clock.values()]
    if times:
        notebook.metadata["seconds"] = (max(times) - min(times)).total_seconds()
    nbformat.write(notebook, path)


def complaints(path: Path) -> list[str]:
    """What is wrong with an executed notebook's outputs: a cell not run, an error, a warning."""
    found = []
    for number, cell in enumerate(nbformat.read(path, as_version=4).cells):
        if cell.cell_type != "code":
            continue
        where = f"{path.name}, cell {number}"
        if cell.execution_count is None:
            found.append(f"{where} did not run")
        for output in cell.outputs:
            if output.output_type == "error" and "raises-exception" not in cell.metadata.get("tags", []):
                found.append(f"{where} raised {output.ename}")
            if output.get("name") == "stderr":
                found.append(f"{where} wrote to stderr: {output.text.strip()[:300]}")
    return found


def run_notebooks(paths: list[Path], *, fresh: bool, mark: str, cache_folder: Path) -> list[Path]:
    """Bring outputs into all `paths`; returns those that had to run."""
    cache = get_cache(cache_folder)
    for path in paths:
        stamp(path, mark)
    pending = [path for path in paths if fresh or not restore(cache, path)]
    if pending:
        execute(pending)
    found = [complaint for path in paths for complaint in complaints(path)]
    if found:
        sys.exit("\n".join(found))
    for path in pending:
        sum_up_timing(path)
        cache.cache_notebook_file(path, overwrite=True)
    return pending


def build_html(*, strict: bool) -> None:
    """HTML from the outputs as they are; `strict` makes each of Sphinx's warnings an error."""
    options = ["-W", "--keep-going", "-n"] if strict else []
    command = [Path(sys.executable).with_name("jupyter-book"), "build", str(COPY), "--all", *options]
    result = subprocess.run(command, check=False, text=True, capture_output=True)
    if result.returncode:
        sys.exit(f"{result.stdout}\n{result.stderr}\nThe HTML build failed; the warnings stand above.")
    shutil.rmtree(HTML, ignore_errors=True)
    (COPY / "_build" / "html").rename(HTML)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", maxsplit=1)[0])
    parser.add_argument("--fresh", action="store_true", help="run every notebook again")
    parser.add_argument("--chapter", help="run and build one chapter, for a quick look")
    arguments = parser.parse_args()

    copy_book(COPY)
    pattern = "*.ipynb" if arguments.chapter is None else f"{arguments.chapter or '?'}.ipynb"
    paths = sorted((COPY / "chapters").rglob(pattern))
    if not paths:
        names = ", ".join(sorted(path.stem for path in (ROOT / "chapters").rglob("*.ipynb")))
        sys.exit(f"No chapter is named {arguments.chapter!r}. Call: make chapter CH=…, of: {names}")

    if arguments.fresh:
        shutil.rmtree(COMPILED, ignore_errors=True)
    sources = [path for path in (ROOT / "gdlib").rglob("*") if path.is_file() and path.suffix != ".pyc"]
    mark = provenance([*sources, ROOT / "constraints.txt"])
    ran = run_notebooks(paths, fresh=arguments.fresh, mark=mark, cache_folder=BUILD / "jupyter_cache")
    build_html(strict=arguments.chapter is None)
    page = "index" if arguments.chapter is None else paths[0].relative_to(COPY).with_suffix("")
    print(f"\n{len(ran)} of {len(paths)} notebooks ran. Open {HTML / f'{page}.html'}")


if __name__ == "__main__":
    main()
