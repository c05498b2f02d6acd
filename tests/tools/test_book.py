"""Each notebook runs once, again when its code, gdlib or the pins change, and never for its prose."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import book
import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from notebooks import METADATA

from gdlib.train.history import History


@pytest.fixture
def run(tmp_path, monkeypatch):
    """run(code, prose, mark) → (whether it ran, the notebook with its outputs)."""
    monkeypatch.setattr(book, "COPY", tmp_path / "book")

    def run(code="print(1 + 1)", prose="Some prose.", mark="a", fresh=False):
        path = tmp_path / "book" / "chapter.ipynb"
        path.parent.mkdir(exist_ok=True)
        setup = new_code_cell("pass", metadata={"tags": [book.SETUP_TAG]})
        cells = [new_markdown_cell(prose), setup, new_code_cell(code)]
        nbformat.write(new_notebook(cells=cells, metadata=METADATA), path)
        ran = book.run_notebooks(
            [path],
            root=book.COPY,
            fresh=fresh,
            mark=mark,
            cache_folder=tmp_path / "cache",
            compiled=tmp_path / "compiled",
        )
        return bool(ran), nbformat.read(path, 4)

    return run


def test_prose_runs_nothing_again_and_code_and_mark_do(run):
    assert run()[0]
    ran, notebook = run(prose="Other prose.")
    assert not ran
    assert notebook.cells[0].source == "Other prose."
    assert notebook.cells[2].outputs[0].text == "2\n"
    assert run(mark="b")[0]
    assert run(code="print(2 + 2)")[1].cells[2].outputs[0].text == "4\n"
    assert run(code="print(2 + 2)", fresh=True)[0]


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("1 / 0", r"chapter\.ipynb, cell 2 raised ZeroDivisionError: division by zero"),
        ("import warnings; warnings.warn('careful')", r"chapter\.ipynb, cell 2 wrote to stderr.*careful"),
        ("import numpy as np; np.zeros(3)", r"chapter\.ipynb, cell 2 prints an object, array\(\["),
        ("'a' * 1000", "prints an object"),
    ],
)
def test_a_failure_or_a_warning_stops_the_build_and_is_not_kept(run, code, message):
    for _ in range(2):  # the second time it must not come from the cache
        with pytest.raises(SystemExit, match=message):
            run(code=code)


def test_beside_another_notebook_numpy_has_one_thread_and_compiled_code_its_own_folder(
    run, tmp_path, monkeypatch
):
    monkeypatch.delenv("PYTEST_XDIST_WORKER", raising=False)  # this test's own
    (tmp_path / "book").mkdir()
    shutil.copy(book.ROOT / "chapters" / "conftest.py", tmp_path / "book")
    names = ("OPENBLAS_NUM_THREADS", "JAX_COMPILATION_CACHE_DIR")
    _, notebook = run(code=f"import os\nfor name in {names}: print(os.environ[name])")
    assert notebook.cells[2].outputs[0].text == f"1\n{tmp_path / 'compiled' / 'gw0'}\n"


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="only Linux gives a process its cores")
@pytest.mark.parametrize("alone", [False, True])
def test_notebooks_side_by_side_share_no_core_and_one_alone_takes_no_more(alone):
    conftest = book.ROOT / "chapters" / "conftest.py"
    code = f"import os, runpy; runpy.run_path({str(conftest)!r}); print(*os.sched_getaffinity(0))"
    cores = []
    for worker in ("gw0", "gw1"):
        variables = os.environ | {"PYTEST_XDIST_WORKER": worker, "BOOK_SHARES": "2" if alone else ""}
        variables["PYTEST_XDIST_WORKER_COUNT"] = "1" if alone else "2"
        cores.append(
            set(subprocess.check_output([sys.executable, "-c", code], env=variables, text=True).split())
        )
    assert set.union(*cores) == {str(core) for core in os.sched_getaffinity(0)}
    assert len(os.sched_getaffinity(0)) == 1 or not set.intersection(*cores)


def test_long_notebooks_run_first_and_a_short_one_last():
    chapters = list((book.ROOT / "chapters").rglob("*.ipynb"))
    ordered = book.longest_first(chapters)
    assert sorted(ordered) == sorted(chapters)
    names = [f"{path.parent.name}/{path.stem}" for path in ordered]
    assert set(names[: len(book.LONGEST)]) == set(book.LONGEST)
    assert names[-1] == "chapters/background"


def test_how_long_it_ran_is_kept_with_the_outputs(run):
    code = "import time; time.sleep(1.5)"
    _, first = run(code=code)
    ran, again = run(code=code)
    assert not ran
    assert again.metadata["seconds"] == first.metadata["seconds"]
    assert 1.5 < first.metadata["seconds"] < 60
    assert all("execution" not in cell.metadata for cell in first.cells)


def test_a_cell_that_did_not_run_is_found(tmp_path):
    path = tmp_path / "chapter.ipynb"
    nbformat.write(new_notebook(cells=[new_code_cell("x = 1")]), path)
    assert book.complaints(path, tmp_path) == ["chapter.ipynb, cell 0 did not run"]


def test_a_history_that_a_cell_prints_is_found_and_what_it_displays_is_not():
    def shown(**data):
        return book.dumped(new_output("execute_result", data))

    history = repr(History(steps_per_epoch=2))
    assert shown(**{"text/plain": history}) == history[:40]
    assert not shown(**{"text/plain": "<Figure>", "image/png": "…"})
    assert not shown(**{"text/plain": "a" * 1000, "text/html": "<table>"})
    assert not shown(**{"text/plain": "Array(0.3, dtype=float32)"})


def test_a_damaged_cache_of_compiled_code_is_set_aside_and_made_anew(run, tmp_path, capfd):
    shutil.copy(book.ROOT / "chapters" / "conftest.py", tmp_path)  # a folder for each worker, as in the book
    code = "import jax\nprint(jax.jit(lambda x: 3 * x + 1)(2.0))"
    run(code=code)
    entries = [path for path in (tmp_path / "compiled").rglob("*-cache") if path.stat().st_size > 40]
    assert entries
    for path in entries:
        path.write_bytes(path.read_bytes()[:40])
    ran, notebook = run(code=code, fresh=True)
    assert ran
    assert notebook.cells[2].outputs[0].text == "7.0\n"
    assert str(tmp_path / "compiled-damaged") in capfd.readouterr().out
    assert any(path.stat().st_size > 40 for path in (tmp_path / "compiled").rglob("*-cache"))


def test_a_page_is_known_by_its_path_or_by_the_end_of_it():
    vae = Path("chapters/generative/vae.ipynb")
    for name in ("vae", "generative/vae", "chapters/generative/vae.ipynb", "generative/vae.ipynb"):
        assert book.page_named(name) == vae
    assert book.page_named("gan/broken") == Path("chapters/generative/gan/broken.ipynb")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("broken", "means 4 pages.*discriminative/cnn/broken, .*generative/vae/broken$"),
        ("*", r"No page is named '\*'.*generative/vae"),
        ("", "No page is named ''"),
        ("ae", "No page is named 'ae'"),
    ],
)
def test_a_name_that_means_no_page_or_several_is_refused_with_the_choice(name, said):
    with pytest.raises(SystemExit, match=said):
        book.page_named(name)


def test_a_preview_has_a_place_of_its_own(monkeypatch, tmp_path):
    """Neither the book's scratch copy nor its HTML is written to."""
    written = []
    monkeypatch.setattr(book, "copy_book", lambda destination: written.append(destination))
    monkeypatch.setattr(book, "pages", lambda: [Path("chapters/a.ipynb")])
    monkeypatch.setattr(book, "run_notebooks", lambda paths, **_: written.extend(paths) or paths)
    monkeypatch.setattr(book, "build_html", lambda root, html, **_: written.extend([root, html]))
    book.preview(Path("chapters/a.ipynb"))
    assert written
    assert all(path.is_relative_to(book.PREVIEW) for path in written)
    assert not any(book.PREVIEW.is_relative_to(path) for path in (book.COPY, book.HTML))


def test_the_mark_changes_with_every_file_that_outputs_depend_on(tmp_path):
    files = [tmp_path / name for name in ("a.py", "b.py")]
    for path in files:
        path.write_text("x = 1\n")
    marks = {book.provenance(files)}
    files[1].write_text("x = 2\n")
    marks.add(book.provenance(files))
    files[1].rename(tmp_path / "c.py")
    marks.add(book.provenance([files[0], tmp_path / "c.py"]))
    assert len(marks) == 3


def test_sources_are_copied_and_never_written(tmp_path):
    book.copy_book(tmp_path / "copy")
    names = {path.name for path in (tmp_path / "copy").iterdir()}
    assert {"_config.yml", "_toc.yml", "index.md", "api", "chapters", "references.bib", "_static"} <= names
    assert "build" not in names
