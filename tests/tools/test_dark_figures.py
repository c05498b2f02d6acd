"""Figures in the dark theme: the same drawing in light ink, on the page's own ground."""

import io

import pytest
from dark_figures import INK, both, darkened, size
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

IMAGE = '<p><img alt="A curve." class="align-center" src="../_images/abc.svg" /></p>'


@pytest.fixture
def drawn():
    figure = Figure(figsize=(4, 3))
    axis = figure.subplots()
    axis.plot([0, 1], color="#0072B2")
    axis.axhline(0.5, color="k")
    axis.text(0.2, 0.2, "white", color="#ffffff")
    text = io.StringIO()
    FigureCanvasSVG(figure).print_svg(text)
    return text.getvalue()


def test_a_figure_has_its_size_in_pixels_and_another_picture_none(drawn):
    assert size(drawn) == (384, 288)
    assert size('<svg width="4pt" height="3pt">') is None
    assert size("") is None


def test_in_the_dark_ink_is_light_and_the_ground_the_pages_own(drawn):
    dark = darkened(drawn)
    assert "#000000" in drawn
    assert "#000000" not in dark
    assert f"stroke: {INK}" in dark
    assert "#45a9e6" in dark
    assert "svg{fill: " + INK + "}" in dark
    assert drawn.count('style="fill: #ffffff"/>') == 2  # the figure's ground and the axes'
    assert 'style="fill: #ffffff"/>' not in dark
    assert "fill: #ffffff" in dark  # what was written in white stays


def test_a_drawn_figure_stands_twice_in_its_page_and_any_other_picture_once():
    page = both(IMAGE, {"abc": (384, 288)})
    assert page.count("<img") == 2
    assert page.count('alt="A curve."') == page.count('width="384" height="288"') == page.count("lazy") == 2
    assert 'class="only-light align-center" src="../_images/abc.svg"' in page
    assert 'class="only-dark align-center" src="../_images/abc.dark.svg"' in page
    assert page.count("<img") == both(IMAGE.replace(' class="align-center"', ""), {"abc": (1, 1)}).count(
        "only-"
    )
    assert both(IMAGE, {"other": (1, 1)}) == IMAGE


def test_a_wide_figure_scrolls_by_itself():
    page = both(IMAGE, {"abc": (800, 288)})
    assert page.startswith('<p><span class="wide-figure" tabindex="0"><img')
    assert page.endswith("</span></p>")
    assert "wide-figure" not in both(IMAGE, {"abc": (700, 288)})
