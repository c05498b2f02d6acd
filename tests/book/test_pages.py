"""Every built page in a real browser: no request leaves it, no error, maths drawn, readable, usable."""

import functools
import re

import pytest
import yaml
from axe_playwright_python.sync_playwright import Axe
from bs4 import BeautifulSoup
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


# A page is slow to draw, so each is opened twice and not in all the eight ways that there are.
@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize(("width", "theme", "scheme"), [(390, "light", "http"), (1300, "dark", "file")])
def test_a_page_asks_for_nothing_fits_and_is_readable_by_everyone(page, bases, name, width, theme, scheme):
    found = problems(page, bases[scheme])
    page.set_viewport_size({"width": width, "height": 900})
    page.emulate_media(color_scheme=theme)
    page.goto(f"{bases[scheme]}/{name}")
    if page.locator(".math").count():
        page.wait_for_selector("mjx-container svg", timeout=30_000)
        assert page.locator("[data-mjx-error], mjx-merror").count() == 0
    page.wait_for_load_state("networkidle")
    assert not found
    assert page.evaluate("document.documentElement.dataset.theme") == theme
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    # Figures wait until they are near; of the two forms of each, one is shown.
    page.evaluate("for (const image of document.images) if (image.checkVisibility()) image.loading = 'eager'")
    page.wait_for_function(
        "[...document.images].every(image => !image.checkVisibility() || image.complete && image.naturalWidth > 0)"
    )
    other = {"light": "dark", "dark": "light"}[theme]
    assert not page.locator(f"article img.only-{other}:visible").count()
    assert page.locator("article img.only-light").count() == page.locator("article img.only-dark").count()
    assert page.evaluate(
        "[...document.querySelectorAll('article figcaption')].every(one => one.checkVisibility())"
    )
    assert page.evaluate(UNDISTORTED)
    assert theme == "light" or page.evaluate(
        "[...document.querySelectorAll('article img.only-dark')].every("
        "image => getComputedStyle(image).backgroundColor === 'rgba(0, 0, 0, 0)')"
    )
    assert page.evaluate(
        "[...document.querySelectorAll('article img')].every(image => image.alt.length > 10)"
    )
    code = page.locator("div.highlight pre").count()
    assert page.locator("button.copybtn").count() == code
    assert code > 3 or name.removesuffix(".html") not in CHAPTERS
    assert not barriers(page, rules=CONTRAST if theme == "dark" else None)


# A figure keeps its shape, and its padding, if any, is small.
UNDISTORTED = """
[...document.querySelectorAll('article img[width]')].filter(image => image.checkVisibility()).every(image =>
  Math.abs(image.clientWidth / image.clientHeight / (image.naturalWidth / image.naturalHeight) - 1) < 0.06)
"""


def problems(page, base):
    """What the page asks for elsewhere, what does not arrive, what fails: a list that fills as it loads."""
    found = []
    page.on("request", lambda r: None if r.url.startswith((base, "data:")) else found.append(r.url))
    page.on("requestfailed", lambda request: found.append(f"failed: {request.url}"))
    page.on("response", lambda r: found.append(f"{r.status}: {r.url}") if r.status >= 400 else None)
    page.on("pageerror", lambda error: found.append(str(error)))
    page.on("console", lambda message: found.append(message.text) if message.type == "error" else None)
    return found


# axe would spend three quarters of its time on the contrast of letters in formulas and of thousands of words in code.
ONE_OF_A_KIND = """() => {
  for (const formula of document.querySelectorAll("mjx-container svg")) formula.remove();
  const seen = new Set();
  for (const word of document.querySelectorAll(".highlight span")) {
    if (!word.checkVisibility()) continue;  // in a closed cell: what axe passes over must not stand for the rest
    const kind = word.className + " in " + word.closest(".highlight").parentElement.className;
    if (seen.has(kind)) word.replaceWith(...word.childNodes);
    seen.add(kind);
  }
}"""


# Names, alternatives and order are the same in the dark.
CONTRAST = {"type": "rule", "values": ["color-contrast"]}


def barriers(page, rules=None):
    """What axe finds serious in what the book itself writes: contrast, names, alternatives, order."""
    if not page.locator("article").count():
        return []
    # A code cell that scrolls sideways gets no tab stop from the theme; the arrow keys reach its end.
    # docutils writes the bibliography as a list of doc-biblioentry, which axe does not know as list items.
    off = {name: {"enabled": False} for name in ("scrollable-region-focusable", "aria-required-children")}
    options = {"runOnly": rules} if rules else {"rules": off}
    page.evaluate(ONE_OF_A_KIND)
    return [
        f"{violation['id']}: {[node['html'][:120] for node in violation['nodes'][:3]]}"
        for violation in Axe().run(page, context="article", options=options).response["violations"]
        if violation["impact"] in ("serious", "critical")
    ]


def test_the_search_finds_a_word_of_a_chapter(page, base):
    page.goto(f"{base}/search.html?q=reparameterisation")
    page.wait_for_selector("#search-results li a", timeout=15_000)
    links = page.locator("#search-results li a").evaluate_all("links => links.map(link => link.href)")
    assert any("chapters/generative/vae.html" in link for link in links)


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_a_chapter_can_be_opened_in_colab_downloaded_edited_and_complained_of(chapter):
    url, branch = CONFIG["repository"]["url"], CONFIG["repository"]["branch"]
    owner = url.removeprefix("https://github.com/")
    links = [tag["href"] for tag in parsed(chapter).find_all("a", href=True)]
    assert f"https://colab.research.google.com/github/{owner}/blob/{branch}/{chapter}.ipynb" in links
    assert f"{url}/edit/{branch}/{chapter}.ipynb" in links
    assert any(link.startswith(f"{url}/issues/new") for link in links)
    (download,) = {link for link in links if link.endswith(".ipynb") and "_sources" in link}
    assert "gdlib-setup" in (HTML / "_sources" / f"{chapter}.ipynb").read_text()
    assert (HTML / chapter).parent.joinpath(download).resolve() == HTML / "_sources" / f"{chapter}.ipynb"


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_every_asserting_equation_of_a_chapter_has_its_mark_and_its_number(chapter):
    page = parsed(chapter)
    marks = page.select("a.check-badge")
    assert len(page.select("div.math[id^='equation-eq-']")) == len(marks)
    assert all(page.find(id=mark["href"].removeprefix("#")) for mark in marks)
    numbers = [number.find(string=True, recursive=False) for number in page.select("div.math .eqno")]
    assert all(re.fullmatch(r"\(\d+\.\d+\)", number.strip()) for number in numbers)


@functools.cache
def parsed(chapter):
    return BeautifulSoup((HTML / f"{chapter}.html").read_text(), "html.parser")


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
