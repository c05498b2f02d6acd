"""The board to draw on, in a browser: it answers as Flax does, to mouse, touch, keyboard and samples."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from alone import altered, says, settle, written
from flax import nnx

from gdlib import widgets
from gdlib.models import cnn

CHAPTER = "chapters/discriminative/cnn/digits.html"
CLASSES = ("zero", "one", "</script><b>two")


def made(image_shape=(28, 28), classes=CLASSES, **sizes):
    """(widget, the Flax model with the very weights that it holds, its samples)."""
    draw = np.random.default_rng(0)
    model = cnn.CNN((*image_shape, 1), len(classes), rngs=nnx.Rngs(0), **sizes)
    layers = []
    for part in (*model.convolutions, model.dense, model.logits):
        kernel = part.kernel[...]
        part.bias[...] = jnp.asarray(0.2 * draw.normal(size=part.bias.shape), jnp.float32)
        layers.append(widgets.quantize(kernel.reshape(-1, kernel.shape[-1]), part.bias[...]))
        part.kernel[...] = jnp.asarray(layers[-1].kernel.reshape(kernel.shape))
    samples = digits(3, *image_shape)
    count = len(model.convolutions)
    block = widgets.sketch(
        layers[:count], layers[count:], samples, classes, probabilities=answers(model, samples)
    )
    return block, model, samples


def digits(count, height, width):
    """Random images, half of them ground, as a digit's pixels are."""
    draw = np.random.default_rng(1)
    values = draw.uniform(size=(count, height, width)) * (draw.uniform(size=(count, height, width)) < 0.5)
    return values.astype(np.float32)


def answers(model, images):
    return np.asarray(jax.nn.softmax(model(jnp.asarray(images)[..., None])))


@pytest.fixture(scope="module")
def small():
    return made(channels=(4, 6), hidden=8)


@pytest.fixture
def board(page, small, tmp_path):
    """A page with nothing but the widget, and its element to draw on."""
    page.goto(written(tmp_path / "page.html", small[0]))
    settle(page)
    return page.locator(".gdlib-paper")


def ink(page, selector=".gdlib-seen"):
    """A canvas as it is drawn, (height, width), from 0, white, to 1, black."""
    settle(page)
    values, width = page.evaluate(
        """selector => {
            const canvas = document.querySelector(selector), { height, width } = canvas;
            const { data } = canvas.getContext('2d').getImageData(0, 0, width, height);
            const grey = [];
            for (let i = 0; i < data.length; i += 4) grey.push(data[i + 3] / 255 * (1 - data[i] / 255));
            return [grey, width];
        }""",
        selector,
    )
    return np.reshape(values, (-1, width))


def stroke(page, board, points):
    """Draw with the mouse along points (x, y) in shares of the board."""
    board.scroll_into_view_if_needed()
    box = board.bounding_box()
    at = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in points]
    page.mouse.move(*at[0])
    page.mouse.down()
    for x, y in at[1:]:
        page.mouse.move(x, y, steps=5)
    page.mouse.up()


def centre_of_mass(image):
    y, x = np.indices(image.shape)
    return np.array([(y * image).sum(), (x * image).sum()]) / image.sum()


def extent(image):
    """(height, width) of the box around the ink."""
    return tuple(int(np.ptp(np.flatnonzero((image > 0.02).any(axis=axis)))) + 1 for axis in (1, 0))


L = [(0.2, 0.1), (0.2, 0.9), (0.6, 0.9)]  # down, then right: neither mirrored nor turned it is the same


# --------------------------------------------------------------------------------------------- the network


@pytest.mark.parametrize(
    ("image_shape", "channels"),
    [((28, 28), (4, 6)), ((15, 12), (5, 3)), ((12, 15), (7,)), ((11, 22), (2, 3))],
)
def test_the_page_computes_what_flax_computes(page, tmp_path, image_shape, channels):
    block, model, _ = made(image_shape, channels=channels, hidden=9)
    page.goto(written(tmp_path / "page.html", block))
    images = digits(4, *image_shape)
    found = page.evaluate(
        """images => images.map((image) => {
            const { probabilities, maps } = document.querySelector('.gdlib-widget').answer(Float32Array.from(image));
            return [[...probabilities], maps.map(({ height, width, channels, values }) =>
                [[height, width, channels], [...values]])];
        })""",
        images.reshape(4, -1).tolist(),
    )
    np.testing.assert_allclose(
        [probabilities for probabilities, _ in found], answers(model, images), atol=2e-6
    )
    expected = model.feature_maps(jnp.asarray(images)[..., None])
    for depth, (maps, shape) in enumerate(zip(expected, model.feature_shapes(), strict=True)):
        for example in range(4):
            held, values = found[example][1][depth]
            assert tuple(held) == shape
            np.testing.assert_allclose(np.reshape(values, shape), maps[example], atol=2e-5)
    assert float(page.locator(".gdlib-widget").get_attribute("data-disagreement")) < 1e-5
    assert "This page and Flax agree" in page.locator(".gdlib-agrees").inner_text()


@pytest.mark.parametrize("part", ["convolutions", "dense"])
def test_a_page_whose_weights_are_not_the_models_says_so(page, small, tmp_path, part):
    page.goto(altered(tmp_path / "altered.html", small[0], after=f'"{part}":'))
    assert "disagree" in page.locator(".gdlib-agrees").inner_text()


def test_it_answers_within_a_frame(page, tmp_path, capsys):
    """Measured and printed: a machine under load is no reason to fail."""
    page.goto(written(tmp_path / "page.html", made(classes="0123456789")[0]))
    took = page.evaluate(
        """image => {
            const root = document.querySelector('.gdlib-widget'), times = [];
            for (let i = 0; i < 50; i++) {
                const start = performance.now();
                root.answer(Float32Array.from(image));
                times.push(performance.now() - start);
            }
            return times.sort((a, b) => a - b)[25];
        }""",
        digits(1, 28, 28).ravel().tolist(),
    )
    with capsys.disabled():
        print(f"\nan answer of the network with 32 and 64 channels and 128 units: {took:.1f} ms", end=" ")


# --------------------------------------------------------------------------------------------- drawing


def test_a_drawing_by_mouse_is_seen_upright_and_answered(page, small, board):
    assert says(page) == "Draw a digit, or pick one."
    box = board.bounding_box()
    page.mouse.move(box["x"] + 20, box["y"] + 20)
    page.mouse.move(box["x"] + 90, box["y"] + 90)
    assert says(page) == "Draw a digit, or pick one."  # no button, no stroke
    stroke(page, board, L)
    seen = ink(page)
    rows, columns = seen.sum(axis=1), seen.sum(axis=0)
    assert rows.argmax() > 18  # the long row is the last
    assert columns.argmax() < 14  # the long column is the first
    expected = answers(small[1], seen[None].astype(np.float32))[0]
    best = int(expected.argmax())
    assert says(page) == f"The network says {CLASSES[best]}, with probability {100 * expected[best]:.0f} %."
    bars = page.locator(".gdlib-bars li")
    shown = [text.replace("\n", " ").split(" ") for text in bars.all_inner_texts()]
    assert [" ".join(words[:-2]) for words in shown] == list(CLASSES)
    np.testing.assert_allclose([float(words[-2]) for words in shown], 100 * expected, atol=0.6)
    assert page.locator(".gdlib-top").inner_text() == bars.nth(best).inner_text()
    lengths = [bar.evaluate("bar => bar.offsetWidth") for bar in page.locator(".gdlib-bar span").all()]
    np.testing.assert_allclose(lengths / np.sum(lengths), expected, atol=0.02)


def test_the_board_shows_ink_where_the_pointer_was(page, board):
    stroke(page, board, L)
    shown = ink(page, ".gdlib-paper canvas")
    height, width = shown.shape
    for x, y, inked in [
        (0.2, 0.3, 1), (0.2, 0.8, 1), (0.5, 0.9, 1), (0.8, 0.3, 0), (0.5, 0.5, 0), (0.5, 0.1, 0),
    ]:  # fmt: skip
        assert shown[int(y * height), int(x * width)] == inked, (x, y)


@pytest.mark.parametrize("corner", [(0.05, 0.05), (0.7, 0.05), (0.05, 0.6), (0.7, 0.6)])
def test_what_is_drawn_in_a_corner_is_seen_in_the_middle_and_large(page, board, corner):
    stroke(page, board, [(corner[0] + 0.25 * x, corner[1] + 0.35 * y) for x, y in L])
    seen = ink(page)
    np.testing.assert_allclose(centre_of_mass(seen), [14, 14], atol=0.51)
    height, width = extent(seen)
    assert 20 <= height <= 21  # an edge between two pixels touches both
    assert width == pytest.approx(2.8 + 17.2 * 0.1 / 0.28, abs=1.5)  # in proportion, the pen's width apart
    assert (seen[seen > 0] < 0.99).any()  # antialiased
    assert seen.max() == 1


def test_a_wide_drawing_fits_the_box_by_its_width(page, board):
    stroke(page, board, [(0.3, 0.5), (0.7, 0.5)])
    seen = ink(page)
    height, width = extent(seen)
    assert 20 <= width <= 21
    assert height <= 4
    np.testing.assert_allclose(centre_of_mass(seen), [14, 14], atol=0.51)


def test_images_of_another_shape_have_a_board_of_theirs(page, tmp_path):
    page.goto(written(tmp_path / "page.html", made((15, 12), channels=(4,), hidden=8)[0]))
    board = page.locator(".gdlib-paper")
    box = board.bounding_box()
    assert box["height"] / box["width"] == pytest.approx(15 / 12, abs=0.02)
    stroke(page, board, L)
    seen = ink(page)
    assert seen.shape == (15, 12)
    assert extent(seen)[0] in (11, 12)  # 20/28 of 15
    np.testing.assert_allclose(centre_of_mass(seen), [7, 6], atol=0.51)
    assert "11 × 9 pixels" in page.locator(".gdlib-form").inner_text()


def test_a_click_is_a_dot(page, board):
    board.click()
    height, width = extent(ink(page))
    assert 2 <= height <= 5
    assert 2 <= width <= 5


def test_a_drag_of_the_other_button_and_one_beyond_the_edge(page, board):
    box = board.bounding_box()
    page.mouse.move(box["x"] + 50, box["y"] + 50)
    page.mouse.down(button="right")
    page.mouse.move(box["x"] + 90, box["y"] + 90)
    page.mouse.up(button="right")
    assert says(page) == "Draw a digit, or pick one."
    stroke(page, board, [(0.5, 0.5), (0.5, 2.0), (0.8, 2.0), (0.8, 0.5)])
    shown = ink(page, ".gdlib-paper canvas")
    assert shown[-3, int(0.65 * shown.shape[1])] == 1  # along the edge, not out of sight


def test_a_finger_draws_and_the_page_stays(browser, small, tmp_path):
    with browser.new_context(has_touch=True, viewport={"width": 390, "height": 500}) as context:
        page = context.new_page()
        page.goto(written(tmp_path / "page.html", small[0]))
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        board = page.locator(".gdlib-paper")
        box, client = board.bounding_box(), context.new_cdp_session(page)

        def touch(kind, *points):
            places = [
                {"x": box["x"] + x * box["width"], "y": box["y"] + y * box["height"]} for x, y in points
            ]
            client.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": places})

        touch("touchStart", (0.2, 0.9))
        for y in (0.7, 0.5, 0.3, 0.1):
            touch("touchMove", (0.2, y))
        touch("touchEnd")
        assert says(page).startswith("The network says")
        assert page.evaluate("window.scrollY") == 0
        assert extent(ink(page))[0] in (20, 21)
        board.tap(position={"x": 200, "y": 200})
        assert extent(ink(page))[1] > 5  # a second stroke


def test_a_finger_that_clears_while_another_draws_breaks_nothing(page, board):
    box = board.bounding_box()
    page.mouse.move(box["x"] + 50, box["y"] + 50)
    page.mouse.down()
    page.get_by_role("button", name="Clear").dispatch_event("click")
    page.mouse.move(box["x"] + 90, box["y"] + 90)
    page.mouse.up()
    assert says(page) == "Draw a digit, or pick one."
    stroke(page, board, L)
    assert says(page).startswith("The network says")


def test_screen_readers_hear_the_answer_once_the_pen_is_lifted(page, board):
    line, box = page.locator(".gdlib-says"), board.bounding_box()
    assert line.get_attribute("aria-live") == "polite"
    page.mouse.move(box["x"] + 50, box["y"] + 50)
    page.mouse.down()
    page.mouse.move(box["x"] + 50, box["y"] + 150)
    assert says(page).startswith("The network says")  # on the screen, at once
    assert line.get_attribute("aria-live") == "off"
    page.mouse.up()
    assert line.get_attribute("aria-live") == "polite"


# --------------------------------------------------------------------------------------------- keyboard


def press(page, *keys):
    for key in keys:
        page.keyboard.press(key)


def test_the_keyboard_draws_what_the_mouse_draws(page, board):
    pen = page.locator(".gdlib-pen")
    page.keyboard.press("Tab")
    assert board.evaluate("board => board === document.activeElement")
    press(page, *["Shift+ArrowLeft"] * 2, *["Shift+ArrowUp"] * 2, "ArrowUp", "ArrowDown")
    assert pen.text_content() == "Pen up, column 6, row 6."
    assert says(page) == "Draw a digit, or pick one."
    press(page, "Space")
    assert pen.text_content() == "Pen down, column 6, row 6."
    press(page, *["Shift+ArrowDown"] * 4, *["ArrowRight"] * 9, "Space")
    assert pen.text_content() == "Pen up, column 15, row 22."
    press(page, *["ArrowUp"] * 5)  # lifted: no ink
    by_keys = ink(page)
    assert says(page).startswith("The network says")
    page.get_by_role("button", name="Clear").click()
    stroke(page, board, [(x / 28, y / 28) for x, y in [(6, 6), (6, 22), (15, 22)]])
    np.testing.assert_allclose(ink(page), by_keys, atol=0.15)
    assert pen.text_content() == ""


def test_the_cursor_is_seen_by_who_uses_keys_and_stops_at_the_edges(page, board):
    canvas = ".gdlib-paper canvas"
    assert ink(page, canvas).sum() == 0
    page.keyboard.press("Tab")
    middle = ink(page, canvas)
    assert middle.sum() > 0
    press(page, *["Shift+ArrowLeft"] * 9, *["Shift+ArrowDown"] * 9)
    assert page.locator(".gdlib-pen").text_content() == "Pen up, column 0, row 28."
    np.testing.assert_array_less(
        centre_of_mass(ink(page, canvas)) * [-1, 1], centre_of_mass(middle) * [-1, 1]
    )
    press(page, "Space")
    assert (ink(page, canvas)[-5:-2, 2] == 1).all()
    page.mouse.click(*[board.bounding_box()[side] + 100 for side in "xy"])
    assert (ink(page, canvas)[-5:-2, 2] == 1).all()  # the stroke stays
    page.keyboard.press("Tab")
    page.get_by_role("button", name="Clear").press("Enter")
    assert ink(page, canvas).sum() == 0


@pytest.mark.parametrize("key", ["Escape", "Delete"])
def test_a_key_clears_and_others_are_left_to_the_page(page, board, key):
    board.focus()
    press(page, "Space", "ArrowDown", "ArrowDown")
    assert says(page).startswith("The network says")
    before = ink(page)
    press(page, "a", "Control+ArrowRight", "Enter")
    np.testing.assert_array_equal(ink(page), before)
    press(page, key)
    assert says(page) == "Draw a digit, or pick one."
    assert "Pen up" in page.locator(".gdlib-pen").text_content()
    press(page, "ArrowDown")
    assert says(page) == "Draw a digit, or pick one."


def test_samples_are_picked_by_keyboard_and_taken_as_they_are(page, small, board):
    _, model, samples = small
    press(page, "Tab", "Tab", "Tab")
    first, second, third = (page.get_by_role("button", name=f"sample {k}") for k in (1, 2, 3))
    assert first.evaluate("button => button === document.activeElement")
    press(page, "ArrowRight", "Space")
    np.testing.assert_allclose(ink(page), samples[1], atol=1 / 255)
    expected = answers(model, samples)[1]
    assert says(page).startswith(f"The network says {CLASSES[expected.argmax()]}, with probability ")
    pressed = [button.get_attribute("aria-pressed") for button in (first, second, third)]
    assert pressed == ["false", "true", "false"]
    press(page, "Tab", "Enter")
    np.testing.assert_allclose(ink(page), samples[2], atol=1 / 255)
    press(page, "ArrowRight", "Enter")  # round to the first
    np.testing.assert_allclose(ink(page), samples[0], atol=1 / 255)
    press(page, "ArrowLeft", "Enter")
    np.testing.assert_allclose(ink(page), samples[2], atol=1 / 255)
    shown = ink(page, ".gdlib-paper canvas")
    height, width = shown.shape
    middles = np.ix_(*[((np.arange(28) + 0.5) * side / 28).astype(int) for side in (height, width)])
    np.testing.assert_allclose(shown[middles], samples[2], atol=1 / 255)
    board.focus()
    press(page, "Space", "ArrowDown", "ArrowDown")  # a stroke starts a new drawing
    assert extent(ink(page))[1] <= 5
    assert third.get_attribute("aria-pressed") == "false"


def test_cleared_it_claims_no_answer(page, board):
    page.get_by_role("button", name="sample 1").click()
    assert says(page).startswith("The network says")
    maps = page.locator(".gdlib-maps canvas")
    assert "4 maps of 13\u00a0×\u00a013" in maps.first.get_attribute("aria-label")
    assert "0 of them not" not in maps.first.get_attribute("aria-label")
    assert page.locator(".gdlib-seen").get_attribute("aria-label") == "What the network sees, 28 × 28 pixels"
    page.get_by_role("button", name="Clear").click()
    assert says(page) == "Draw a digit, or pick one."
    assert [text.strip() for text in page.locator(".gdlib-percent").all_inner_texts()] == [""] * 3
    assert page.locator(".gdlib-top").count() == 0
    assert "0 of them not" in maps.first.get_attribute("aria-label")
    assert ink(page, ".gdlib-seen").sum() == 0
    assert ink(page, ".gdlib-maps canvas").sum() == 0
    assert page.locator("[aria-pressed=true]").count() == 0


# --------------------------------------------------------------------------------------------- what is shown


@pytest.mark.parametrize("depth", [0, 1])
def test_the_maps_drawn_are_the_maps_computed(page, small, board, depth):
    _, model, samples = small
    page.get_by_role("button", name="sample 2").click()
    shown = ink(page, f".gdlib-maps:nth-child({depth + 1}) canvas")
    maps = np.asarray(model.feature_maps(jnp.asarray(samples[1:2])[..., None])[depth][0])
    height, width, channels = maps.shape
    columns = {4: 2, 6: 3}[channels]
    rows, gap = channels // columns, 2
    times = (shown.shape[1] - gap * (columns - 1)) // (columns * width)
    assert shown.shape == (
        rows * times * height + gap * (rows - 1),
        columns * times * width + gap * (columns - 1),
    )
    for channel in range(channels):
        row, column = divmod(channel, columns)
        y = row * (times * height + gap) + times * np.arange(height) + times // 2
        x = column * (times * width + gap) + times * np.arange(width) + times // 2
        np.testing.assert_allclose(shown[np.ix_(y, x)], maps[..., channel] / maps.max(), atol=1 / 255)


def test_two_on_a_page_work_by_themselves(page, small, tmp_path):
    page.goto(written(tmp_path / "twice.html", small[0], small[0]))
    assert page.locator("#end").inner_text() == "end"
    first, second = page.locator(".gdlib-widget").all()
    stroke(page, first.locator(".gdlib-paper"), L)
    assert says(page).startswith("The network says")
    assert second.locator(".gdlib-says").inner_text() == "Draw a digit, or pick one."
    second.get_by_role("button", name="sample 3").click()
    first.get_by_role("button", name="Clear").click()
    assert says(page) == "Draw a digit, or pick one."
    assert second.locator(".gdlib-says").inner_text().startswith("The network says")


CONTRASTS = """() => {
    const luminance = (rgb) => {
        const [r, g, b] = rgb.match(/[\\d.]+/g).map((v) => v / 255)
            .map((v) => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const texts = [...document.querySelectorAll('.gdlib-widget :is(p, li span, figcaption, button, .gdlib-clear)')];
    return texts.filter((e) => e.textContent.trim()).map((e) => {
        let ground = e;
        while (getComputedStyle(ground).backgroundColor === 'rgba(0, 0, 0, 0)') ground = ground.parentElement;
        const both = [getComputedStyle(e).color, getComputedStyle(ground).backgroundColor].map(luminance);
        return (Math.max(...both) + 0.05) / (Math.min(...both) + 0.05);
    });
}"""


@pytest.mark.parametrize(
    "style",
    ["html { background: #fff }", "html { background: #121212; --pst-color-text-base: #ced6dd }"],
    ids=["light", "dark"],
)
def test_its_text_is_read_in_light_and_dark(page, small, tmp_path, style):
    page.goto(written(tmp_path / "page.html", small[0], style=style))
    page.get_by_role("button", name="sample 1").click()
    settle(page)
    contrasts = page.evaluate(CONTRASTS)
    assert len(contrasts) > 10
    assert min(contrasts) > 7


def test_in_the_chapter_it_agrees_answers_and_stands_on_the_pages_own_ground(page, bases):
    page.emulate_media(color_scheme="dark")
    page.goto(f"{bases['file']}/{CHAPTER}")
    root = page.locator(".gdlib-widget:has(.gdlib-paper)")
    assert float(root.get_attribute("data-disagreement")) < 1e-4
    assert "This page and Flax agree" in root.locator(".gdlib-agrees").inner_text()
    root.get_by_role("button", name="sample 1", exact=True).press("Enter")
    settle(page)
    assert root.locator(".gdlib-says").inner_text().startswith("The network says")
    stroke(page, root.locator(".gdlib-paper"), [(0.25, 0.2), (0.75, 0.2), (0.45, 0.85)])
    settle(page)
    assert root.locator(".gdlib-says").inner_text().startswith("The network says 7")
    assert min(page.evaluate(CONTRASTS)) > 4.5
