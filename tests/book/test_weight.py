"""What a visit loads, gzipped: at most 1 MB to open a first page, and 0.4 MB of a further one's own, read to its end.

The data of figures that move are apart.
"""

import gzip
import re

import pytest
from built import HTML

FIRST, FURTHER = 1_000_000, 400_000  # bytes
DATA = re.compile(r'<script type="application/json">.*?</script>', re.DOTALL)  # of a figure that moves
PAGES = [
    str(path.relative_to(HTML)) for path in sorted(HTML.glob("**/*.html")) if "_static" not in path.parts
]


def gzipped(name):
    """Bytes of a file of the book, as a server sends it."""
    content = (HTML / name).read_bytes()
    if name.endswith(".html"):
        content = DATA.sub("", content.decode()).encode()
    return len(gzip.compress(content, 6))


@pytest.fixture(scope="module")
def loaded(browser, bases):
    """loaded(page) → the files that it asks for when it is opened, and those when its figures have come, too."""
    base = bases["http"]

    def loaded(name):
        page = browser.new_page(viewport={"width": 1300, "height": 900})
        asked = []
        page.on("request", lambda request: asked.append(request.url.removeprefix(f"{base}/")))
        page.goto(f"{base}/{name}", wait_until="networkidle")
        opened = len(asked)
        page.evaluate(
            "for (const image of document.images) if (image.checkVisibility()) image.loading = 'eager'"
        )
        page.wait_for_load_state("networkidle")
        page.close()
        files = [re.split("[?#]", one)[0] for one in asked]
        return [{one for one in part if (HTML / one).is_file()} for part in (files[:opened], files)]

    return loaded


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_light(loaded, name):
    opened, read = loaded(name)
    assert sum(map(gzipped, opened)) < FIRST
    assert sum(gzipped(one) for one in read if not one.startswith("_static/")) < FURTHER


def test_formulas_come_with_mathjax_and_pages_without_go_without(loaded):
    assert not [one for one in loaded("index.html")[1] if "mathjax" in one]
    assert [one for one in loaded("notation.html")[1] if "mathjax" in one]
