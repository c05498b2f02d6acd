"""The built book's icons: those that it shows, and no script or second font for the rest."""

import shutil
from pathlib import Path

import pytest
from few_icons import lighten, wanted
from fontTools.ttLib import TTFont
from matplotlib import font_manager

SHEET = (
    '@font-face{font-family:Icons;src:url(../vendor/fontawesome/webfonts/fa-solid-900.woff2) format("woff2"),'
    'url(../vendor/fontawesome/webfonts/fa-solid-900.ttf) format("truetype")}'
    '.fa-search:before,.fa-magnifying-glass:before{content:"\\f002"}.fa-sun:before{content:"\\f185"}'
    '.note:before{content:"\\f05a"}'
)
PAGE = '<p><i class="fa-solid fa-magnifying-glass"></i></p>'


def test_icons_are_wanted_by_pages_under_any_of_their_names_and_by_style_sheets():
    assert wanted([PAGE], [SHEET]) == {0xF002, 0xF05A}
    assert wanted([PAGE.replace("magnifying-glass", "search"), "fa-sun"], [SHEET]) == {0xF002, 0xF05A, 0xF185}
    assert wanted([], ["p{color:red}"]) == set()
    assert wanted([], ['p{--icon:"\uf0f3"}']) == {0xF0F3}


@pytest.fixture
def built(tmp_path):
    fonts = tmp_path / "_static" / "vendor" / "fontawesome" / "webfonts"
    for folder in (fonts, tmp_path / "_static" / "styles", tmp_path / "_static" / "scripts"):
        folder.mkdir(parents=True)
    shutil.copy(font_manager.findfont("DejaVu Sans"), fonts / "fa-solid-900.ttf")
    (fonts / "fa-solid-900.woff2").write_bytes(b"x")
    (tmp_path / "_static" / "styles" / "theme.css").write_text(SHEET.replace("f05a", "f400"))
    (tmp_path / "_static" / "scripts" / "fontawesome.js").write_text("x" * 1000)
    (tmp_path / "a.html").write_text(PAGE)
    return tmp_path


def glyphs(font):
    with TTFont(font) as opened:
        return set(opened.getBestCmap())


def test_fonts_keep_the_wanted_glyphs_alone_and_the_script_goes(built):
    font = built / "_static" / "vendor" / "fontawesome" / "webfonts" / "fa-solid-900.ttf"
    whole = font.stat().st_size
    assert {0xF001, 0xF002, 0xF400} <= glyphs(font)  # DejaVu has them
    lighten(built)
    assert glyphs(font) == {0xF002, 0xF400}
    assert font.stat().st_size < whole / 10
    assert [file.suffix for file in font.parent.iterdir()] == [".ttf"]
    assert "woff2" not in Path(built, "_static", "styles", "theme.css").read_text()
    assert len((built / "_static" / "scripts" / "fontawesome.js").read_text()) < 100
