"""Every built page in a real browser: no request leaves it, no error, maths drawn, readable, usable."""

import re

import pytest
import yaml
from axe_playwright_python.sync_playwright import Axe
from built import HTML, ROOT

PAGES = sorted(str(path.relative_to(HTML)) for path in HTML.rglob("*.html") if "_static" not in path.parts)
CHAPTERS = sorted(str(path.relative_to(ROOT).with_suffix("")) for path in ROOT.glob("chapters/**/*.ipynb"))
CONFIG = yaml.safe_load((ROOT / "_config.yml").read_text())


@pytest.fixture
def page(browser):
    page = browser.new_page(viewport={"width": 1300, "height": 900})
    yield page
    page.close()


def test_there_is_a_page_for_every_chapter():
    assert {"index.html", "search.html", *(f"{chapter}.html" for chapter in CHAPTERS)} <= set(PAGES)
    assert CHAPTERS


def test_the_time_of_every_chapter_is_published(page, base):
    page.goto(f"{base}/runtimes.html")
    *seconds, total = map(float, page.locator("article td:last-child").all_inner_texts())
    assert len(seconds) == len(CHAPTERS)
    assert total == pytest.approx(sum(seconds), abs=len(seconds))


@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize("width", [390, 1300])
def test_a_page_asks_for_nothing_and_has_no_error(page, base, name, width):
    page.set_viewport_size({"width": width, "height": 900})
    found = []
    page.on("request", lambda r: None if r.url.startswith((base, "data:")) else found.append(r.url))
    page.on("requestfailed", lambda request: found.append(f"failed: {request.url}"))
    page.on("response", lambda r: found.append(f"{r.status}: {r.url}") if r.status >= 400 else None)
    page.on("pageerror", lambda error: found.append(str(error)))
    page.on("console", lambda message: found.append(message.text) if message.type == "error" else None)
    page.goto(f"{base}/{name}")
    if page.locator(".math").count():
        page.wait_for_selector("mjx-container svg", timeout=30_000)
        assert page.locator("[data-mjx-error], mjx-merror").count() == 0
    page.wait_for_load_state("networkidle")
    assert not found
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate("[...document.images].every(image => image.complete && image.naturalWidth > 0)")
    assert page.evaluate(
        "[...document.querySelectorAll('article img')].every(image => image.alt.length > 10)"
    )


@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_page_is_readable_by_everyone(page, bases, name, scheme):
    """axe finds nothing serious in what the book itself writes: contrast, names, alternatives, order."""
    page.emulate_media(color_scheme=scheme)
    page.goto(f"{bases['file']}/{name}")
    if page.locator(".math").count():
        page.wait_for_selector("mjx-container svg", timeout=30_000)
    assert page.evaluate("document.documentElement.dataset.theme") == scheme
    # A code cell that scrolls sideways gets no tab stop from the theme; the arrow keys reach its end.
    # docutils writes the bibliography as a list of doc-biblioentry, which axe does not know as list items.
    rules = {name: {"enabled": False} for name in ("scrollable-region-focusable", "aria-required-children")}
    result = (
        Axe().run(page, context="article", options={"rules": rules})
        if page.locator("article").count()
        else None
    )
    serious = [
        f"{violation['id']}: {[node['html'][:120] for node in violation['nodes'][:3]]}"
        for violation in (result.response["violations"] if result else [])
        if violation["impact"] in ("serious", "critical")
    ]
    assert not serious


def test_the_search_finds_a_word_of_a_chapter(page, base):
    page.goto(f"{base}/search.html?q=reparameterisation")
    page.wait_for_selector("#search-results li a", timeout=15_000)
    links = page.locator("#search-results li a").evaluate_all("links => links.map(link => link.href)")
    assert any("chapters/generative/vae.html" in link for link in links)


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_a_chapter_can_be_opened_in_colab_downloaded_edited_and_complained_of(page, bases, chapter):
    url, branch = CONFIG["repository"]["url"], CONFIG["repository"]["branch"]
    owner = url.removeprefix("https://github.com/")
    page.goto(f"{bases['file']}/{chapter}.html")
    links = page.locator("a").evaluate_all("links => links.map(link => link.href)")
    assert f"https://colab.research.google.com/github/{owner}/blob/{branch}/{chapter}.ipynb" in links
    assert f"{url}/edit/{branch}/{chapter}.ipynb" in links
    assert any(link.startswith(f"{url}/issues/new") for link in links)
    (download,) = {link for link in links if link.endswith(".ipynb") and "_sources" in link}
    assert "gdlib-setup" in (HTML / "_sources" / f"{chapter}.ipynb").read_text()
    assert download.endswith(f"_sources/{chapter}.ipynb")


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_code_can_be_copied(page, bases, chapter):
    page.goto(f"{bases['file']}/{chapter}.html")
    page.wait_for_selector("button.copybtn", state="attached")
    assert page.locator("button.copybtn").count() == page.locator("div.highlight pre").count() > 5


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_every_asserting_equation_of_a_chapter_has_its_mark_and_its_number(page, bases, chapter):
    page.goto(f"{bases['file']}/{chapter}.html")
    asserting = page.locator("div.math[id^='equation-eq-']").count()
    marks = page.locator("a.check-badge")
    assert asserting == marks.count()
    for i in range(marks.count()):
        assert page.locator(marks.nth(i).get_attribute("href")).count() == 1
    numbers = page.locator("div.math .eqno").all_inner_texts()
    assert all(re.match(r"\(\d+\.\d+\)", number.strip()) for number in numbers)


def test_the_list_holds_every_equation_and_a_number_leads_to_it(page, bases):
    page.goto(f"{bases['file']}/equations.html")
    labelled = 0
    for chapter in CHAPTERS:
        text = (HTML / f"{chapter}.html").read_text()
        labelled += len(re.findall(r'id="equation-(?:eq|def)-', text))
    entries = page.locator(".equation-entry")
    assert entries.count() == labelled
    first = entries.first.locator("a").first
    assert re.match(r"\(\d+\.\d+\)", first.inner_text())
    first.click()
    page.wait_for_url(re.compile(r"/chapters/.*\.html#equation-"))
    page.wait_for_selector(f"[id='{page.url.split('#')[1]}']", state="attached")
