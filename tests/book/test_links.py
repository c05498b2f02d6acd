"""Every link inside the book leads to a page that is there, and to a place on it that is there."""

from functools import cache
from urllib.parse import unquote, urldefrag, urlsplit

import pytest
from bs4 import BeautifulSoup
from built import HTML

PAGES = sorted(path for path in HTML.rglob("*.html") if "_static" not in path.parts)
MADE_BY_SCRIPTS = {""}  # "#" alone: the top of the page


@cache
def parsed(path):
    return BeautifulSoup(path.read_text(), "html.parser")


@cache
def anchors(path):
    return {tag["id"] for tag in parsed(path).find_all(id=True)} | MADE_BY_SCRIPTS


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(HTML)))
def test_every_link_inside_the_book_leads_somewhere(path):
    broken = []
    for tag in parsed(path).find_all("a", href=True):
        if urlsplit(tag["href"]).scheme:
            continue
        target, anchor = urldefrag(tag["href"])
        file = (path.parent / unquote(target.split("?")[0])).resolve() if target else path
        if not file.exists() or (file.suffix == ".html" and unquote(anchor) not in anchors(file)):
            broken.append(tag["href"])
    assert not broken


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(HTML)))
def test_nothing_is_loaded_from_outside(path):
    loaded = [
        tag.get("src") or tag.get("href")
        for tag in parsed(path).find_all(["script", "img", "link", "iframe"])
    ]
    assert not [
        url
        for url in loaded
        if (url and urlsplit(url).scheme in ("http", "https")) or (url or "").startswith("//")
    ]
