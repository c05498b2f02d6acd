"""Two pages as Colab runs them: its packages, an empty folder, no book, gdlib installed by the set-up cell."""

import colab
import pytest
from book import page_named

# One with convolutions, one with a widget.
PAGES = ("cnn/convolution", "rnn/names")


@pytest.fixture(scope="module")
def machine(tmp_path_factory):
    return colab.Runtime(tmp_path_factory.mktemp("colab") / "home")


@pytest.mark.parametrize("name", PAGES)
def test_a_page_runs_in_an_empty_folder_and_what_was_there_is_left_alone(machine, name):
    error, page = machine.run(page_named(name))
    assert not error
    assert all(cell.execution_count for cell in page.cells if cell.cell_type == "code")
    held = colab.pins("cpu")
    kept = ("jax", "jaxlib", "numpy", "scipy", "matplotlib", "optax", "orbax-checkpoint")
    assert machine.versions(*kept) == [held[package] for package in kept]
    file = machine.call("-c", "import gdlib; print(gdlib.__file__)", cwd=machine.folder).stdout
    assert "site-packages" in file
