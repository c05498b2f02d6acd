"""A link to an equation or a figure shows it, by pointer and by keyboard, and lets go of it."""

import re

import pytest
from built import HTML

LINK = re.compile(r'<a class="reference internal" href="([^"]*#equation-[^"]*)"')


def links_to_equations():
    """A page with a link to an equation of its own, and one with a link to another page's."""
    found = {}
    for path in sorted(HTML.glob("chapters/**/*.html")):
        for href in LINK.findall(path.read_text()):
            found.setdefault("own" if href.startswith("#") else "other", (path, href))
    return found


@pytest.mark.parametrize("kind", ["own", "other"])
def test_a_link_to_an_equation_shows_it(page, bases, base, kind):
    path, href = links_to_equations()[kind]
    page.goto(f"{base}/{path.relative_to(HTML)}")
    page.wait_for_function("window.MathJax?.startup?.promise")
    page.evaluate("window.MathJax.startup.promise")
    link, card = page.locator(f'article a.reference[href="{href}"]').first, page.locator("#preview")
    link.scroll_into_view_if_needed()
    assert card.is_hidden()
    link.focus()
    card.locator("mjx-container").wait_for(timeout=20_000)
    box, width = card.bounding_box(), page.viewport_size["width"]
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= width
    assert box["height"] > 20
    assert link.get_attribute("aria-describedby") == "preview"
    page.keyboard.press("Escape")
    assert card.is_hidden()
    assert link.get_attribute("aria-describedby") is None
    link.hover()
    card.wait_for(state="visible", timeout=20_000)
    page.mouse.move(0, 0)
    card.wait_for(state="hidden", timeout=20_000)


def test_an_equation_is_fetched_only_when_a_link_to_another_page_is_reached(page, bases):
    path, _ = links_to_equations()["other"]
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(f"{bases['http']}/{path.relative_to(HTML)}", wait_until="load")
    assert not [url for url in asked if url.endswith("equations.js")]
