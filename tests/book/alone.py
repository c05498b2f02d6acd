"""A figure alone on a page."""

from axe_playwright_python.sync_playwright import Axe

HEAD = (
    '<!DOCTYPE html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
)
SCALE = '"scale":{"type":"float32","data":"'


def written(path, *blocks, style=""):
    """The address of a page with these blocks under each other."""
    text = "".join(block._repr_html_() for block in blocks)
    path.write_text(f"{HEAD}<title>w</title><style>{style}</style>{text}<p id='end'>end</p>")
    return path.as_uri()


def altered(path, block, *, after='"'):
    """The same, with the first two scales of a layer after the text `after` replaced by ones."""
    written(path, block)
    text = path.read_text()
    start = text.index(SCALE, text.index(after)) + len(SCALE)
    path.write_text(text[:start] + "AACAPwAAgD8A" + text[start + 12 :])
    return path.as_uri()


def settle(page):
    """Wait until what an event asked for is drawn. `page` is one, or an element of one."""
    page.evaluate("() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")


def says(page):
    """What the figure says in words."""
    settle(page)
    return page.locator(".gdlib-says").first.inner_text()


def fits_and_can_be_read(page, width):
    """Nothing hangs over at this width, and axe finds nothing."""
    page.set_viewport_size({"width": width, "height": 700})
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    found = Axe().run(page, context=".gdlib-widget").response["violations"]
    assert [violation["id"] for violation in found] == []


def asked(page, name, expression, *arguments):
    """What a function in JavaScript says of the figure: it is given what the figure offers as `name`, and the rest."""
    return page.evaluate(
        f"given => ({expression})(document.querySelector('.gdlib-widget').{name}, ...given)", list(arguments)
    )
