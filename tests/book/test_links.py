"""Every link inside the book leads to a page that is there, and to a place on it that is there."""

from functools import cache
from html.parser import HTMLParser
from urllib.parse import unquote, urldefrag, urlsplit

import pytest
from built import HTML

PAGES = sorted(path for path in HTML.rglob("*.html") if "_static" not in path.parts)


class Page(HTMLParser):
    """Where a page can be pointed at, where it points to, and what it loads; a tree would take five times as long."""

    def __init__(self, path):
        super().__init__()
        self.ids, self.links, self.loaded = {""}, [], []  # "#" alone: the top of the page
        self.feed(path.read_text())

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        if "id" in given:
            self.ids.add(given["id"])
        if tag == "a" and "href" in given:
            self.links.append(given["href"])
        if tag in ("script", "img", "link", "iframe"):
            self.loaded.append(given.get("src") or given.get("href") or "")


read = cache(Page)


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(HTML)))
def test_every_link_inside_the_book_leads_somewhere(path):
    broken = []
    for link in read(path).links:
        if urlsplit(link).scheme:
            continue
        target, anchor = urldefrag(link)
        file = (path.parent / unquote(target.split("?")[0])).resolve() if target else path
        if not file.exists() or (file.suffix == ".html" and unquote(anchor) not in read(file).ids):
            broken.append(link)
    assert not broken


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(HTML)))
def test_nothing_is_loaded_from_outside(path):
    loaded = read(path).loaded
    assert loaded
    assert not [url for url in loaded if urlsplit(url).scheme in ("http", "https") or url.startswith("//")]
