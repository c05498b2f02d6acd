"""The table of run times names every notebook of the contents, in their order."""

import nbformat
import pytest
import run_times
from nbformat.v4 import new_notebook


@pytest.fixture
def folder(tmp_path):
    def build(**seconds):
        for page, number in seconds.items():
            metadata = {} if number is None else {"seconds": number}
            nbformat.write(new_notebook(metadata=metadata), tmp_path / f"{page}.ipynb")
        files = "".join(f"      - file: {page}\n" for page in [*seconds, "words"])
        (tmp_path / "_toc.yml").write_text(f"root: index\nparts:\n  - caption: Part\n    chapters:\n{files}")
        return tmp_path

    return build


def test_notebooks_stand_in_the_order_of_the_contents_with_their_sum(folder):
    lines = run_times.table(folder(second=1.4, first=20.0))
    assert lines[2:] == ["| {doc}`/second` | 1 |", "| {doc}`/first` | 20 |", "| *sum* | *21* |"]


def test_a_notebook_that_did_not_run_has_a_dash(folder):
    assert "| {doc}`/first` | – |" in run_times.table(folder(first=None, second=2.0))


def test_pages_below_a_page_follow_it(folder):
    root = folder(first=1.0, below=2.0, last=3.0)
    nested = "  - file: first\n    sections:\n      - file: below\n  - file: last\n"
    (root / "_toc.yml").write_text(f"root: index\nparts:\n- chapters:\n{nested}")
    assert run_times.notebooks(root / "_toc.yml") == ["first", "below", "last"]
