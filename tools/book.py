"""Build the book: copy it, run every notebook once, check the outputs, build HTML from them.

python tools/book.py                  a notebook whose code, gdlib and pins are as before keeps its outputs
python tools/book.py --fresh          every notebook runs, and compiles
python tools/book.py --chapter generative/vae    one page alone, into a preview of its own; warnings allowed
"""

import argparse
import datetime
import hashlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import nbformat
import reported
from jupyter_cache import get_cache
from notebooks import SETUP_TAG

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / "build"
COPY = BUILD / "book"  # not below a folder named _build: nbmake collects nothing there
HTML = BUILD / "html"
PREVIEW = BUILD / "preview"  # of one page; the book in HTML stays as it is
COMPILED = BUILD / "compiled"  # most chapters compile the same small functions: once will do
OUTPUTS = BUILD / "jupyter_cache"
DAMAGED = "persistent compilation cache"  # what JAX warns of, where it cannot read what it once wrote
LONGEST_TEXT = 600  # characters of an object's own text that a page may show
# Pages that take a minute, about, or more.
LONGEST = (
    "transformer/parts", "transformer/dates", "gan/digits", "rnn/order", "rnn/memory", "cnn/practice", "rnn/writing",
    "bridge/codes", "rnn/names", "vae/rate", "rnn/broken", "networks/race", "devices/processes",
    "devices/depth", "devices/less", "devices/scale", "devices/experts", "devices/stacks", "devices/bits",
    "future/service", "service/decoding", "service/smaller", "future/data", "transformer/peers",
    "transformer/peers_names", "gan/ring", "gan/critics", "cnn/mnist1d",
)  # fmt: skip
PARTS = (
    "_config.yml", "_toc.yml", "references.bib", "*.md", "_static", "api", "chapters", "tools", "benchmarks",
)  # fmt: skip


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
    return sorted(paths, key=lambda path: (f"{path.parent.name}/{path.stem}" in LONGEST, path), reverse=True)


def cores() -> list[int]:
    """The cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 1))


def environment(*, level: int | None = 1, compiled: Path = COMPILED) -> dict[str, str]:
    """What notebooks run under: the compiler's `level` (None: its own default), and where compiled code is kept."""
    # Level 1 compiles faster, and what it compiles was not seen to run slower.
    flag = "" if level is None else f" --xla_backend_optimization_level={level}"
    return os.environ | {
        "TQDM_DISABLE": "1",  # a progress bar has no place in a built page
        # Two notebooks share the processor. NumPy's threads would spin, each waiting for the others' turn: on two
        # cores a softmax regression took thirty times as long.
        "OPENBLAS_NUM_THREADS": "1",
        "XLA_FLAGS": os.environ.get("XLA_FLAGS", "") + flag,
        "JAX_COMPILATION_CACHE_DIR": str(compiled),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
    }


def execute(paths: list[Path], *, root: Path, variables: dict[str, str], shares: int = 2) -> bool:
    """Run the notebooks below `root` in place, two at a time, each on one of so many shares of the cores.

    Returns whether all came to their end.
    """
    options = ["--nbmake", "--overwrite", "--nbmake-timeout=900", "-q", "-p", "no:cacheprovider"]
    # One after the other to whoever is free.
    where = [f"--rootdir={root}", "-c", os.devnull, "-n", str(min(2, len(paths))), "--maxschedchunk=1"]
    command = [sys.executable, "-m", "pytest", *options, *where, *map(str, longest_first(paths))]
    return subprocess.run(command, env=variables | {"BOOK_SHARES": str(shares)}, check=False).returncode == 0


def pages() -> list[Path]:
    """Every page that computes, by its path in the book."""
    return sorted(path.relative_to(ROOT) for path in (ROOT / "chapters").rglob("*.ipynb"))


def short_name(page: Path) -> str:
    """What one calls a page by: chapters/generative/vae.ipynb is generative/vae."""
    return page.relative_to("chapters").with_suffix("").as_posix()


def page_named(name: str) -> Path:
    """The one page that `name` means: a path, with or without chapters/ and .ipynb, or the end of one.

    Raises SystemExit, with the pages there are to choose from, where it means none or several.
    """
    wanted = name.strip("/").removeprefix("chapters/").removesuffix(".ipynb")
    named = {short_name(page): page for page in pages()}
    if wanted in named:
        return named[wanted]
    found = [short for short in named if wanted and short.endswith(f"/{wanted}")]
    if len(found) == 1:
        return named[found[0]]
    what = f"{name!r} means {len(found)} pages" if found else f"No page is named {name!r}"
    sys.exit(f"{what}. Call: make chapter CH=…, of: {', '.join(found or named)}")


def sum_up_timing(path: Path) -> None:
    """Put how long the notebook ran in the place of when each cell did, which would change its cache key."""
    notebook = nbformat.read(path, as_version=4)
    clocks = [cell.metadata.pop("execution", {}) for cell in notebook.cells]
    times = [datetime.datetime.fromisoformat(time) for clock in clocks for time in clock.values()]
    if times:
        notebook.metadata["seconds"] = (max(times) - min(times)).total_seconds()
    nbformat.write(notebook, path)


def complaints(path: Path, root: Path) -> list[str]:
    """What is wrong with an executed notebook's outputs: a cell not run, an error, a warning, a dump of an object."""
    found = []
    for number, cell in enumerate(nbformat.read(path, as_version=4).cells):
        if cell.cell_type != "code":
            continue
        where = f"{path.relative_to(root)}, cell {number}"
        if cell.execution_count is None:
            found.append(f"{where} did not run")
        for output in cell.outputs:
            if output.output_type == "error" and "raises-exception" not in cell.metadata.get("tags", []):
                found.append(f"{where} raised {output.ename}: {output.evalue[:300]}")
            if output.get("name") == "stderr":
                found.append(f"{where} wrote to stderr: {output.text.strip()[:300]}")
            if dump := dumped(output):
                found.append(
                    f"{where} prints an object, {dump}…: end it in a semicolon, or show what matters"
                )
    return found


def dumped(output: nbformat.NotebookNode) -> str:
    """How an output begins that is an object's own text, longer than a reader wants it; else nothing."""
    data = output.get("data", {})
    text = data.get("text/plain", "") if set(data) == {"text/plain"} else ""
    return (
        text[:40]
        if len(text) > LONGEST_TEXT or re.match(r"History: |(Posix|Windows)Path\(|.*\barray\(\[", text)
        else ""
    )


def run_notebooks(
    paths: list[Path], *, root: Path, fresh: bool, mark: str, cache_folder: Path, compiled: Path = COMPILED
) -> list[Path]:
    """Bring outputs into all `paths`, which lie below `root`; returns those that had to run."""
    cache = get_cache(cache_folder)
    for path in paths:
        stamp(path, mark)
    pending = [path for path in paths if fresh or not restore(cache, path)]
    ended = not pending or execute(pending, root=root, variables=environment(compiled=compiled))
    found = {path: complaints(path, root) for path in paths}
    if any(DAMAGED in complaint for page in found.values() for complaint in page):
        set_aside(compiled)
        ended = execute(pending, root=root, variables=environment(compiled=compiled))
        found = {path: complaints(path, root) for path in paths}
    for path in (path for path in pending if not found[path]):  # whatever became of the others
        sum_up_timing(path)
        cache.cache_notebook_file(path, overwrite=True)
    if any(found.values()) or not ended:
        said = "\n".join(complaint for page in found.values() for complaint in page)
        sys.exit(said or "A notebook failed; what the runner said stands above.")
    return pending


def set_aside(compiled: Path) -> None:
    """Move a damaged cache of compiled code out of the way; what runs next makes it anew."""
    aside = compiled.with_name(f"{compiled.name}-damaged")
    shutil.rmtree(aside, ignore_errors=True)
    compiled.rename(aside)
    print(
        f"The cache of compiled code was damaged. It is now in {aside}, and the notebooks run again.",
        flush=True,
    )


def build_html(root: Path, destination: Path, *, strict: bool) -> None:
    """HTML from the outputs as they are; `strict` makes each of Sphinx's warnings an error."""
    options = ["-W", "--keep-going", "-n"] if strict else []
    command = [Path(sys.executable).with_name("jupyter-book"), "build", str(root), "--all", *options]
    result = subprocess.run(command, check=False, text=True, capture_output=True)
    if result.returncode:
        sys.exit(f"{result.stdout}\n{result.stderr}\nThe HTML build failed; the warnings stand above.")
    shutil.rmtree(destination, ignore_errors=True)
    (root / "_build" / "html").rename(destination)


def today() -> str:
    """A short hash of gdlib's sources and the pins: what outputs depend on beside a notebook's own code."""
    sources = [path for path in (ROOT / "gdlib").rglob("*") if path.is_file() and path.suffix != ".pyc"]
    return provenance([*sources, ROOT / "constraints.txt"])


def build(*, fresh: bool) -> None:
    """The book: every notebook run, or restored where nothing changed; HTML without a warning."""
    copy_book(COPY)
    if fresh:
        shutil.rmtree(COMPILED, ignore_errors=True)
    paths = [COPY / page for page in pages()]
    ran = run_notebooks(paths, root=COPY, fresh=fresh, mark=today(), cache_folder=OUTPUTS)
    build_html(COPY, HTML, strict=True)
    reported.write(COPY, HTML / "numbers.json")
    print(f"\n{len(ran)} of {len(paths)} notebooks ran. Open {HTML / 'index.html'}")


def preview(page: Path) -> None:
    """One page, run as the book runs it; the others stand beside it with what outputs they had."""
    root, html = PREVIEW / "book", PREVIEW / "html"
    copy_book(root)
    for other in (root / other for other in pages() if other != page):
        stamp(other, today())
        restore(get_cache(OUTPUTS), other)
    ran = run_notebooks([root / page], root=root, fresh=False, mark=today(), cache_folder=OUTPUTS)
    build_html(root, html, strict=False)
    print(f"\nThe page {'ran' if ran else 'is as it was'}. Open {html / page.with_suffix('.html')}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", maxsplit=1)[0])
    parser.add_argument("--fresh", action="store_true", help="run every notebook again")
    parser.add_argument("--chapter", help="run and build one page, for a quick look")
    arguments = parser.parse_args()
    if arguments.chapter is None:
        build(fresh=arguments.fresh)
    else:
        preview(page_named(arguments.chapter))


if __name__ == "__main__":
    main()
