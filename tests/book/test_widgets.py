"""Widgets in a browser: they move by mouse, touch and keyboard, and compute what Flax computes."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from alone import says
from flax import nnx

from gdlib import widgets
from gdlib.models import gan, vae

CHAPTER = "chapters/generative/vae/digits.html"


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


def test_the_page_decodes_what_flax_decodes(page, made):
    path, model = made
    page.goto(path.as_uri())
    codes = np.random.default_rng(1).normal(scale=2, size=(20, 2)).astype(np.float32)
    found = page.evaluate(
        "codes => codes.map(z => [...document.querySelector('.gdlib-widget').decode(z)])", codes.tolist()
    )
    np.testing.assert_allclose(found, model.generate(jnp.asarray(codes)).reshape(20, -1), atol=2e-6)
    assert float(page.locator(".gdlib-widget").get_attribute("data-disagreement")) < 1e-5
    assert "This page and Flax agree" in page.locator(".gdlib-agrees").inner_text()


def test_a_page_whose_weights_are_not_the_models_says_so(page, made):
    path, _ = made
    altered = path.with_name("altered.html")
    text = path.read_text()
    start = text.index('"scale":{"type":"float32","data":"') + 34
    altered.write_text(text[:start] + "AACAPwAAgD8A" + text[start + 12 :])
    page.goto(altered.as_uri())
    assert "disagree" in page.locator(".gdlib-agrees").inner_text()


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


def in_page(tmp_path, *blocks):
    path = tmp_path / "page.html"
    text = "".join(block._repr_html_() for block in blocks)
    path.write_text(f'<!DOCTYPE html><html lang="en"><meta charset="utf-8"><title>w</title>{text}')
    return path.as_uri()


@pytest.fixture(scope="module")
def match():
    """(a game of two of which the page is told, the discriminator's answers and slopes that Flax computed)."""
    model = gan.Discriminator((2,), (16,), rngs=nnx.Rngs(0))

    def grid(points):
        edge = jnp.linspace(-2, 2, points)
        return jnp.stack(jnp.meshgrid(edge, edge, indexing="ij"), -1).reshape(-1, 2)

    surface = nnx.jit(lambda x: 1 / (1 + jnp.exp(-5 * model(x))))(grid(9)).reshape(9, 9)
    field = jax.grad(lambda x: jnp.sum(model(x)))(grid(5)).reshape(5, 5, 2)
    frames = {
        name: [
            widgets.Frame(10 * i, np.full((4, 2), 0.1 * i), surface, field, f"{i} of 8 modes")
            for i in range(3)
        ]
        for name in ("one", "two")
    }
    return widgets.game(frames, np.eye(2), extent=2.0), surface, field


def test_a_game_shows_what_flax_computed(page, match, tmp_path):
    block, surface, field = match
    page.goto(in_page(tmp_path, block))
    shown = page.evaluate("""() => {
        const frame = document.querySelector('.gdlib-widget').games[0].frames[0];
        return [[...frame.surface], [...frame.field]];
    }""")
    np.testing.assert_allclose(np.reshape(shown[0], (9, 9)) / 255, surface, atol=0.5 / 255 + 1e-6)
    largest = np.abs(field).max()
    np.testing.assert_allclose(np.reshape(shown[1], (5, 5, 2)), field, atol=0.5 * largest / 127 + 1e-6)


@pytest.mark.parametrize("corner", [(0, 0), (0, -1), (-1, 0), (-1, -1)])
def test_a_game_draws_its_corners_where_they_are(page, tmp_path, corner):
    """Orange where the discriminator says real, in one corner alone: neither turned nor mirrored."""
    surface = np.zeros((5, 5))
    surface[corner] = 1.0
    frame = widgets.Frame(0, np.zeros((1, 2)), surface, np.zeros((2, 2, 2)), "")
    page.goto(in_page(tmp_path, widgets.game({"one": [frame]}, np.eye(2), extent=2.0)))
    corners = page.evaluate("""() => {
        const canvas = document.querySelector('.gdlib-board'), pen = canvas.getContext('2d'), n = canvas.width - 3;
        return [[2, n], [2, 2], [n, n], [n, 2]].map(([x, y]) => [...pen.getImageData(x, y, 1, 1).data]);
    }""")
    orange = [red > blue for red, _, blue, _ in corners]
    assert orange == [corner == (i, j) for i in (0, -1) for j in (0, -1)]


INK = """() => {
    const canvas = document.querySelector('.gdlib-board'), n = canvas.width;
    const { data } = canvas.getContext('2d').getImageData(0, 0, n, n);
    const dark = [...Array(n * n).keys()].filter((i) => data[4 * i] < 200);
    const mean = (f) => dark.reduce((sum, i) => sum + f(i), 0) / dark.length;
    return [2 * mean((i) => i % n) / n - 1, 1 - 2 * mean((i) => Math.floor(i / n)) / n];
}"""  # where the dark pixels lie on average, both coordinates from −1 to 1


@pytest.mark.parametrize("what", ["samples", "modes", "field"])
def test_a_game_draws_points_and_arrows_where_they_are(page, tmp_path, what):
    outside, place = np.full((1, 2), -9.0), np.array([[1.0, 0.5]])
    field = np.zeros((5, 5, 2))
    if what == "field":
        field[3, 4] = [0.0, -1.0]  # at (1, 2), down
    frame = widgets.Frame(0, place if what == "samples" else outside, np.full((3, 3), 0.5), field, "")
    block = widgets.game({"one": [frame]}, place if what == "modes" else outside, extent=2.0)
    page.goto(in_page(tmp_path, block))
    page.get_by_label("what the discriminator says").uncheck()
    x, y = page.evaluate(INK)
    if what == "samples":  # those outside are drawn on the edge, so the point itself is looked for alone
        assert (x, y) == pytest.approx((0.5, 0.25), abs=0.02)
    elif what == "modes":
        assert x > 0.2
        assert y > 0.0
    else:
        assert x > 0.2
        assert y > 0.5


def test_a_game_is_scrubbed_played_and_switched_by_keyboard(page, match, tmp_path):
    page.goto(in_page(tmp_path, match[0]))
    assert says(page) == "one, step 0: 0 of 8 modes"
    slider = page.get_by_label("Training step")
    slider.press("ArrowRight")
    assert says(page) == "one, step 10: 1 of 8 modes"
    assert slider.get_attribute("aria-valuetext") == "step 10"
    assert page.locator(".gdlib-board").get_attribute("aria-label") == "one, step 10: 1 of 8 modes"
    page.get_by_role("radio", name="one").focus()
    page.keyboard.press("ArrowDown")
    assert says(page) == "two, step 10: 1 of 8 modes"
    play = page.get_by_role("button", name="Play")
    play.press("Enter")
    assert page.get_by_role("button", name="Pause").is_visible()
    page.wait_for_function("document.querySelector('.gdlib-says').textContent.includes('step 20')")
    page.wait_for_function(
        "document.querySelector('.gdlib-play').textContent === 'Play'"
    )  # it stops at the end
    assert page.locator(".gdlib-says").get_attribute("aria-live") == "polite"


def test_a_film_plays_and_says_which_moment_it_shows(page, tmp_path):
    images = np.zeros((2, 4, 4, 1))
    page.goto(
        in_page(tmp_path, widgets.film({"before": images, "after": 1 - images}, columns=2, alt="digits"))
    )
    picture = page.locator(".gdlib-picture")
    assert picture.get_attribute("alt") == "digits, after"  # the end first
    last = picture.get_attribute("src")
    page.get_by_label("Moment").press("ArrowLeft")
    assert says(page) == "before"
    assert picture.get_attribute("src") != last
    page.get_by_role("button", name="Play").press("Space")
    page.wait_for_function("document.querySelector('.gdlib-says').textContent === 'after'")


def test_the_chapters_game_and_film_move(page, bases):
    page.goto(f"{bases['file']}/chapters/generative/gan/ring.html")
    before = says(page)
    page.get_by_label("Training step").press("End")
    assert says(page) != before
    assert "of high quality" in says(page)
    page.goto(f"{bases['file']}/chapters/generative/gan/digits.html")
    assert "epochs" in says(page)
