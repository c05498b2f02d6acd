"""A chapter's figures on another page, as the executed notebook has them."""

import base64

import nbformat
import pytest
from chapter_figures import output_image, output_widget
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output


@pytest.fixture
def executed(tmp_path):
    """executed(source, metadata, data) → a notebook with a cell that has displayed this."""

    def executed(source, metadata, data):
        shown = [new_output("stream", text="first"), new_output("display_data", data=data)]
        cells = [new_markdown_cell("# A"), new_code_cell(source, metadata=metadata, outputs=shown)]
        path = tmp_path / "a.ipynb"
        nbformat.write(new_notebook(cells=cells), path)
        return path

    return executed


def test_a_figure_is_found_by_its_name(executed):
    named = {"mystnb": {"figure": {"name": "fig-a"}}}
    assert output_image(executed("x", named, {"image/svg+xml": "<svg/>"}), "fig-a") == ("svg", b"<svg/>")
    png = executed("x", named, {"image/png": base64.b64encode(b"dots").decode()})
    assert output_image(png, "fig-a") == ("png", b"dots")
    assert output_image(png, "fig-b") is None


def test_a_widget_is_found_by_its_cells_title(executed):
    path = executed(
        "# @title Film: a b\nx", {}, {"text/html": '<div class="gdlib-widget"></div>', "text/plain": "w"}
    )
    assert output_widget(path, "a-b") == '<div class="gdlib-widget"></div>'
    assert output_widget(path, "b") is None
    assert output_widget(executed("# @title Film: a b\nx", {}, {"text/html": "<p>"}), "a-b") is None
