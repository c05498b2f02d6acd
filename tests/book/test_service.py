"""The page that the service offers, as somebody uses it who has dates to translate."""

import http.client
import re
import subprocess
import sys
import time

import pytest
from axe_playwright_python.sync_playwright import Axe

from gdlib import serve


def answers(port):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/health")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    folder = tmp_path_factory.mktemp("translator")
    serve.train_translator(folder, examples=640)
    command = [sys.executable, "-m", "gdlib.serve", str(folder), "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            port = int(re.search(r":(\d+) ", process.stdout.readline())[1])
            end = time.monotonic() + 240
            while not answers(port):
                assert time.monotonic() < end
                time.sleep(0.1)
            yield f"http://127.0.0.1:{port}/"
        finally:
            process.kill()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1100])
def test_the_page_fits_and_can_be_read(page, address, scheme, width):
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": width, "height": 700})
    page.goto(address)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    found = Axe().run(page).response["violations"]
    assert [violation["id"] for violation in found] == []


def test_a_date_is_typed_and_answered_by_keyboard(page, address):
    page.goto(address)
    page.keyboard.press("Tab")
    page.keyboard.press("ControlOrMeta+A")
    page.keyboard.type("3. Mai 2019")
    page.keyboard.press("Enter")
    page.wait_for_selector("#note:not(:empty)")
    date = page.text_content("#date")
    assert re.fullmatch(r"[\d-]{1,11}", date)
    assert ("A date that the calendar has" in page.text_content("#note")) == bool(
        re.fullmatch(r"\d{4}-\d\d-\d\d", date)
    )


def test_an_example_is_filled_in_and_answered(page, address):
    page.goto(address)
    page.click("#examples button:has-text('май')".replace("май", "мая"))
    assert page.input_value("#text") == "3 мая 2019 г."
    page.wait_for_selector("#note:not(:empty)")
    assert page.text_content("#date").strip()


def test_what_is_no_date_is_refused_in_a_sentence(page, address):
    page.goto(address)
    page.fill("#text", "五月")
    page.click("form button")
    page.wait_for_selector("#note:not(:empty)")
    assert (
        page.text_content("#note")
        == "Not answered: text: expected letters that the model has learned, got '五' '月'."
    )
    assert not page.text_content("#date").strip()


def test_nothing_comes_from_elsewhere_and_no_rule_of_the_page_is_broken(page, address):
    asked, said = [], []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: said.append(message.text))
    page.goto(address)
    page.click("form button")
    page.wait_for_selector("#note:not(:empty)")
    assert all(url.startswith(address) for url in asked)
    assert [text for text in said if "favicon" not in text and "404" not in text] == []


def test_a_service_that_has_gone_is_named(page, address):
    page.goto(address)
    page.route("**/stream", lambda route: route.abort())
    page.click("form button")
    page.wait_for_selector("#note:not(:empty)")
    assert page.text_content("#note") == "The service cannot be reached."
