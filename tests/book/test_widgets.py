"""Widgets in a browser: they move by mouse, touch and keyboard, and compute what Flax computes."""

import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from gdlib import widgets
from gdlib.models import vae

CHAPTER = "chapters/generative/vae.html"


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """(path of a page with nothing but the widget, the Flax model with the very weights that it holds)."""
    model = vae.VAE((5, 4, 1), 2, decoder_hidden=16, rngs=nnx.Rngs(0))
    linears = (model.decoder.hidden, model.decoder.logits)
    layers = [widgets.quantize(3 * linear.kernel[...], linear.bias[...]) for linear in linears]
    for linear, layer in zip(linears, layers, strict=True):
        linear.kernel[...] = jnp.asarray(layer.kernel)
    codes = np.random.default_rng(0).normal(size=(5, 2)).astype(np.float32)
    probe = (codes, model.generate(jnp.asarray(codes)).reshape(5, -1))
    block = widgets.latent_plane(layers, codes, np.arange(5), "01234", image_shape=(5, 4), probe=probe)
    path = tmp_path_factory.mktemp("widget") / "page.html"
    path.write_text(
        f'<!DOCTYPE html><html lang="en"><meta charset="utf-8"><title>w</title>{block._repr_html_()}'
    )
    return path, model


@pytest.fixture
def page(browser):
    page = browser.new_page(viewport={"width": 800, "height": 700})
    page.problems = []
    page.on("pageerror", lambda error: page.problems.append(str(error)))
    yield page
    assert not page.problems
    page.close()


def says(page):
    page.evaluate("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
    return page.locator(".gdlib-says").first.inner_text()


def test_the_page_decodes_what_flax_decodes(page, made):
    path, model = made
    page.goto(path.as_uri())
    codes = np.random.default_rng(1).normal(scale=2, size=(20, 2)).astype(np.float32)
    found = page.evaluate(
        "codes => codes.map(z => [...document.querySelector('.gdlib-widget').decode(z)])", codes.tolist()
    )
    np.testing.assert_allclose(found, model.generate(jnp.asarray(codes)).reshape(20, -1), atol=2e-6)
    assert float(page.locator(".gdlib-widget").get_attribute("data-disagreement")) < 1e-5
    assert "This page and Flax agree" in page.locator(".gdlib-note").inner_text()


def test_a_page_whose_weights_are_not_the_models_says_so(page, made):
    path, _ = made
    altered = path.with_name("altered.html")
    text = path.read_text()
    start = text.index('"scale":{"type":"float32","data":"') + 34
    altered.write_text(text[:start] + "AACAPwAAgD8A" + text[start + 12 :])
    page.goto(altered.as_uri())
    assert "disagree" in page.locator(".gdlib-note").inner_text()


def test_the_image_drawn_is_the_image_decoded(page, made):
    path, model = made
    page.goto(path.as_uri())
    page.locator(".gdlib-plane").press("ArrowRight")
    says(page)
    shown = page.evaluate("""() => {
        const canvas = document.querySelector('.gdlib-image');
        const pixels = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data;
        return [...pixels].filter((_, i) => i % 4 === 0);
    }""")
    expected = 255 * (1 - np.asarray(model.generate(jnp.array([[0.1, 0.0]])))).ravel()
    np.testing.assert_allclose(shown, expected, atol=1)


def test_arrow_keys_shift_and_home_move_the_code(page, made):
    page.goto(made[0].as_uri())
    plane = page.locator(".gdlib-plane")
    assert says(page).startswith("code (0.00, 0.00)")
    for key, expected in [
        ("ArrowRight", "(0.10, 0.00)"), ("ArrowUp", "(0.10, 0.10)"), ("Shift+ArrowLeft", "(−0.40, 0.10)"),
        ("ArrowDown", "(−0.40, 0.00)"), ("Home", "(0.00, 0.00)"), ("a", "(0.00, 0.00)"),
    ]:  # fmt: skip
        plane.press(key)
        assert expected in says(page), key
    for _ in range(60):
        plane.press("Shift+ArrowRight")
    assert "(3.40, 0.00)" in says(page)  # it stops at the edge


def test_the_pointer_drags_the_code_and_a_touch_does(page, made, browser):
    page.goto(made[0].as_uri())
    box = page.locator(".gdlib-plane").bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x + 50, y)
    assert "(0.00, 0.00)" in says(page)  # no button, no move
    page.mouse.down()
    page.mouse.move(x + 60, y - 60)
    page.mouse.up()
    dragged = says(page)
    scale = 2 * 3.4 / box["width"]
    assert f"({60 * scale:.2f}, {60 * scale:.2f})" in dragged
    with browser.new_context(has_touch=True, viewport={"width": 390, "height": 800}) as context:
        phone = context.new_page()
        phone.goto(made[0].as_uri())
        phone.locator(".gdlib-plane").tap(position={"x": 20, "y": 20})
        assert "(−" in says(phone)


def test_in_the_chapter_it_agrees_and_moves(page, bases):
    page.goto(f"{bases['file']}/{CHAPTER}")
    root = page.locator(".gdlib-widget").first
    assert float(root.get_attribute("data-disagreement")) < 1e-5
    before = says(page)
    root.locator(".gdlib-plane").press("Shift+ArrowUp")
    assert says(page) != before
    image = root.locator(".gdlib-image")
    assert "near a" in image.get_attribute("aria-label")


def test_in_the_dark_its_text_stands_on_the_pages_own_ground(page, bases):
    page.emulate_media(color_scheme="dark")
    page.goto(f"{bases['file']}/{CHAPTER}")
    for widget in page.locator(".gdlib-widget").all():
        grounds = widget.evaluate("""widget => {
            const found = [];
            for (let e = widget; e.tagName !== 'ARTICLE'; e = e.parentElement) {
                found.push(getComputedStyle(e).backgroundColor);
            }
            return found;
        }""")
        assert set(grounds) == {"rgba(0, 0, 0, 0)"}


def test_a_widget_shown_twice_works_twice_and_any_text_leaves_the_page_whole(page, tmp_path, made):
    plane = made[0].read_text().split("</title>")[1]
    question = widgets.quiz("?", {"yes": "</script><!--<script>", "no": "Because."}, right="no")._repr_html_()
    path = tmp_path / "twice.html"
    path.write_text(
        '<!DOCTYPE html><html lang="en"><meta charset="utf-8"><title>t</title>'
        f"{plane}{plane}{question}{question}<p id='end'>end</p>"
    )
    page.goto(path.as_uri())
    assert page.locator("#end").inner_text() == "end"
    blocks = page.locator(".gdlib-widget").all()
    for block in blocks[:2]:
        block.locator(".gdlib-plane").press("ArrowRight")
        page.wait_for_timeout(100)
        assert "(0.10, 0.00)" in block.locator(".gdlib-says").inner_text()
    blocks[2].get_by_label("yes").check()
    blocks[3].get_by_label("no").check()
    assert blocks[2].get_by_label("yes").is_checked()
    assert blocks[2].locator(".gdlib-says").inner_text() == "✗ No. </script><!--<script>"
    assert blocks[3].locator(".gdlib-says").inner_text() == "✓ Right. Because."


def test_a_question_answers_by_keyboard_and_leaves_the_next_one_alone(page, tmp_path):
    questions = [widgets.quiz(f"{n}?", {"yes": "Why not.", "no": "Because."}, right="no") for n in "ab"]
    path = tmp_path / "quiz.html"
    blocks = "".join(question._repr_html_() for question in questions)
    path.write_text(f'<!DOCTYPE html><html lang="en"><meta charset="utf-8"><title>q</title>{blocks}')
    page.goto(path.as_uri())
    first, second = page.locator(".gdlib-widget").all()
    first.get_by_label("yes").focus()
    page.keyboard.press("Space")
    assert first.locator(".gdlib-says").inner_text() == "✗ No. Why not."
    page.keyboard.press("ArrowDown")
    assert first.locator(".gdlib-says").inner_text() == "✓ Right. Because."
    second.get_by_label("yes").check()
    assert second.locator(".gdlib-says").inner_text() == "✗ No. Why not."
    assert first.get_by_label("no").is_checked()
