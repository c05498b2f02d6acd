"""Each figure twice: as it was drawn, for the light theme, and in light ink on the page's own ground, for the dark one.

The theme shows one of the two. Both are lazy, so a reader's browser fetches only what it shows, and both say how large
they are, so that nothing moves when they come. What is no ink stays: images and colour maps.
"""

import re
from pathlib import Path

from sphinx.application import Sphinx

DRAWN_BY = "Matplotlib"
# Okabe and Ito's colours, lighter; black becomes the text's colour, a faint grey the faint grey of the dark.
IN_THE_DARK = {
    "#000000": "#e0e0e0",
    "#0072b2": "#45a9e6",
    "#d55e00": "#ff8f45",
    "#009e73": "#2fc79b",
    "#cc79a7": "#e5a0c6",
    "#cccccc": "#4a525c",
    "#bfbfbf": "#6b7480",
    "#808080": "#a0a0a0",
}
INK = IN_THE_DARK["#000000"]
WIDE = 700  # pixels: on a phone a wider figure scrolls, so that its letters stay large enough to read
FIGURE = re.compile(r'<img\b[^>]*\bsrc="([^"]*_images/[^"]+)\.svg"[^>]*/?>')


def darkened(svg: str) -> str:
    """A figure's source in light ink, its white ground left out."""
    for light, dark in IN_THE_DARK.items():
        svg = re.sub(rf"((?:fill|stroke): ){light}\b", rf"\g<1>{dark}", svg)
    svg = svg.replace('style="fill: #ffffff"/>', 'style="fill: none"/>')
    # What names no colour, its letters above all, is black by default.
    return svg.replace('<style type="text/css">', f'<style type="text/css">svg{{fill: {INK}}}', 1)


def size(svg: str) -> tuple[int, int] | None:
    """(width, height) of a drawn figure in pixels; None for any other picture."""
    head = svg[:2000]
    found = re.search(r'width="([\d.]+)pt" height="([\d.]+)pt"', head)
    return (
        (round(float(found[1]) * 4 / 3), round(float(found[2]) * 4 / 3))
        if found and DRAWN_BY in head
        else None
    )


def both(body: str, sizes: dict[str, tuple[int, int]]) -> str:
    """A page's body, where each figure whose size is known stands twice."""

    def twice(image: re.Match) -> str:
        stem = image[1].rsplit("/", 1)[-1]
        if stem not in sizes:
            return image[0]
        width, height = sizes[stem]
        classed = image[0] if ' class="' in image[0] else image[0].replace("<img", '<img class=""', 1)
        light = classed.replace(
            ' class="', f' loading="lazy" width="{width}" height="{height}" class="only-light ', 1
        )
        dark = light.replace("only-light", "only-dark", 1).replace(
            f'{image[1]}.svg"', f'{image[1]}.dark.svg"', 1
        )
        # Together in an element of their own: the theme hides a caption that stands beside the form it hides.
        frame = 'class="wide-figure" tabindex="0"' if width > WIDE else 'class="figure-pair"'
        return f"<span {frame}>{light}{dark}</span>"

    return FIGURE.sub(twice, body)


def show_both(app: Sphinx, _page, _template, context: dict, _doctree) -> None:
    """Where a page is written: its figures are known by the files they were read from."""
    if "_images/" not in context.get("body", ""):
        return
    drawn = {
        Path(name).stem: size(Path(app.srcdir, source).read_text(encoding="utf-8"))
        for source, (_, name) in app.env.images.items()
        if name.endswith(".svg")
    }
    context["body"] = both(context["body"], {stem: found for stem, found in drawn.items() if found})


def draw_dark(app: Sphinx, exception) -> None:
    """At the end, when all figures have been copied."""
    if exception is None and app.builder.format == "html":
        for file in Path(app.outdir, "_images").glob("*.svg"):
            svg = file.read_text(encoding="utf-8")
            if size(svg) and not file.stem.endswith(".dark"):
                file.with_suffix(".dark.svg").write_text(darkened(svg), encoding="utf-8")


def setup(app: Sphinx) -> dict:
    app.connect("html-page-context", show_both)
    app.connect("build-finished", draw_dark)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
