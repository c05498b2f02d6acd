"""Every built page in a real browser, over file://: no request leaves it, no error, maths drawn."""

import shutil
from pathlib import Path

import pytest
from playwright.sync_api import sync_playwright

HTML = Path(__file__).resolve().parents[2] / "build" / "html"
PAGES = sorted(str(path.relative_to(HTML)) for path in HTML.rglob("*.html") if "_static" not in path.parts)
FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip


@pytest.fixture(scope="module")
def browser():
    names = ("chromium", "chromium-browser", "google-chrome")
    executable = next((path for name in names if (path := shutil.which(name))), None)
    if executable is None:
        pytest.fail("no Chromium or Chrome: install one (Debian and Ubuntu: apt-get install chromium)")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=FLAGS)
        yield browser
        browser.close()


def test_there_are_pages():
    assert "index.html" in PAGES
    assert "chapters/generative/vae.html" in PAGES


@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize("width", [390, 1300])
def test_a_page_asks_for_nothing_and_has_no_error(browser, name, width):
    page = browser.new_page(viewport={"width": width, "height": 900})
    found = []
    page.on("request", lambda r: None if r.url.startswith(("file:", "data:")) else found.append(r.url))
    page.on("pageerror", lambda error: found.append(str(error)))
    page.on("console", lambda message: found.append(message.text) if message.type == "error" else None)
    page.goto((HTML / name).as_uri())
    if page.locator(".math").count():
        page.wait_for_selector("mjx-container svg", timeout=30_000)
    assert not found
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate("[...document.images].every(image => image.complete && image.naturalWidth > 0)")
    assert page.evaluate(
        "[...document.querySelectorAll('article img')].every(image => image.alt.length > 10)"
    )
    page.close()


def test_every_asserting_equation_of_the_chapter_has_its_mark(browser):
    page = browser.new_page()
    page.goto((HTML / "chapters/generative/vae.html").as_uri())
    asserting = page.locator("div.math[id^='equation-eq-']").count()
    marks = page.locator("a.check-badge")
    assert asserting == marks.count() > 5
    for i in range(marks.count()):
        assert page.locator(marks.nth(i).get_attribute("href")).count() == 1
