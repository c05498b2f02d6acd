"""The icons that a page shows, and no others: the theme brings two thousand, in a script and three fonts of 0.8 MB.

At the end of a build the fonts are cut down to the glyphs that pages and style sheets name, and the script, which draws
the same icons once more, is left empty.
"""

import re
from pathlib import Path

from fontTools import subset
from sphinx.application import Sphinx

NAMED = re.compile(r"((?:\.fa-[a-z0-9-]+:before,?)+)\{content:\"\\([0-9a-f]+)\"\}")
GLYPH = re.compile(r"\"\\(f[0-9a-f]{3})\"")
ITSELF = re.compile("[\uf000-\uf8ff]")
WOFF2 = re.compile(r'url\([^)]*webfonts/[^)]*\.woff2\) format\("woff2"\),')


def wanted(pages: list[str], sheets: list[str]) -> set[int]:
    """The code points of the icons in these pages, and of those that a style sheet itself puts somewhere."""
    used = set(re.findall(r"\bfa-[a-z0-9-]+", "".join(pages)))
    points = set()
    for sheet in sheets:
        points |= {
            code for names, code in NAMED.findall(sheet) if used & set(re.findall(r"fa-[a-z0-9-]+", names))
        }
        points |= set(GLYPH.findall(NAMED.sub("", sheet)))
    return {int(code, 16) for code in points} | {
        ord(glyph) for sheet in sheets for glyph in ITSELF.findall(sheet)
    }


def cut_down(font: Path, points: set[int]) -> None:
    options = subset.Options(notdef_outline=True, glyph_names=False, layout_features=[])
    cut = subset.Subsetter(options)
    cut.populate(unicodes=points)
    with subset.load_font(str(font), options, lazy=False) as whole:
        cut.subset(whole)
        subset.save_font(whole, str(font), options)


def lighten(built: Path) -> None:
    """In a built book: fonts with the wanted glyphs alone, no second form of them, an empty script."""
    pages = [page.read_text(encoding="utf-8") for page in built.rglob("*.html")]
    styles = [*built.glob("_static/**/*.css")]
    sheets = [style.read_text(encoding="utf-8") for style in styles]
    points = wanted(pages, sheets)
    for style, sheet in zip(styles, sheets, strict=True):
        if WOFF2.search(sheet):
            style.write_text(WOFF2.sub("", sheet), encoding="utf-8")
    for font in built.glob("_static/vendor/fontawesome/webfonts/*"):
        if font.suffix == ".ttf":
            cut_down(font, points)
        else:
            font.unlink()
    for script in built.glob("_static/scripts/fontawesome.js"):
        script.write_text("/* The icons come from the fonts. */\n", encoding="utf-8")


def finish(app: Sphinx, exception: Exception | None) -> None:
    if exception is None and app.builder.format == "html":
        lighten(Path(app.outdir))


def setup(app: Sphinx) -> dict:
    app.connect("build-finished", finish)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
