"""The name to type, in a browser: it answers as Flax does, to typing, pointer, touch and keyboard."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from alone import altered, says, written
from flax import nnx

from gdlib import widgets
from gdlib.data import tokens
from gdlib.models import rnn

CHAPTER = "chapters/discriminative/rnn/names.html"
CLASSES = ("Aish", "</script><b>Bish", "Cish")
SAMPLES = ("ban", "éna bán", "a")
VOCABULARY = tokens.Vocabulary(["banána é"])
LONGEST = 12


def answers(model, text):
    """Probabilities after each letter, (letters, classes)."""
    ids = jnp.asarray(VOCABULARY.encode([text]).ids)
    return np.asarray(jax.nn.softmax(model.read_out(model.states(ids))))[0]


@pytest.fixture(scope="module")
def made():
    """(widget, the Flax model with the very weights that it holds)."""
    model = rnn.SequenceClassifier(
        rnn.GRUCell(4, 6, rngs=nnx.Rngs(0)), 3, dense=5, vocabulary=len(VOCABULARY), rngs=nnx.Rngs(1)
    )
    layers = []
    for part in (model.cell.inputs, model.cell.recurrent, model.dense, model.logits):
        layers.append(widgets.quantize(2 * part.kernel[...], part.bias[...] + 0.1))
        part.kernel[...], part.bias[...] = jnp.asarray(layers[-1].kernel), part.bias[...] + 0.1
    block = widgets.letters(
        model.embedding.embedding[...],
        *layers[:2],
        layers[2:],
        VOCABULARY.characters,
        CLASSES,
        SAMPLES,
        probabilities=[answers(model, text) for text in SAMPLES],
        longest=LONGEST,
    )
    return block, model


@pytest.fixture
def opened(page, made, tmp_path):
    page.goto(written(tmp_path / "page.html", made[0]))
    return page


def said(model, text, letters=None):
    """What the widget should say of the text's first letters."""
    shares = answers(model, text)[(letters or len(text)) - 1]
    return (
        f"After “{text[: letters or len(text)]}”: {CLASSES[shares.argmax()]}, {round(100 * shares.max())} %"
    )


def test_the_page_computes_what_flax_computes(opened, made):
    for text in (*SAMPLES, "bbbbaaaannnn"):
        found = opened.evaluate(
            "text => document.querySelector('.gdlib-widget').read(text).shares.map(row => [...row])", text
        )
        np.testing.assert_allclose(found, answers(made[1], text), atol=2e-6)
    assert float(opened.locator(".gdlib-widget").get_attribute("data-disagreement")) < 1e-5
    assert "This page and Flax agree" in opened.locator(".gdlib-agrees").inner_text()


def test_a_page_whose_weights_are_not_the_models_says_so(page, made, tmp_path):
    page.goto(altered(tmp_path / "altered.html", made[0]))
    assert "disagree" in page.locator(".gdlib-agrees").inner_text()


def test_it_begins_with_the_first_sample_and_takes_what_is_typed(opened, made):
    model, typed = made[1], opened.get_by_role("textbox", name="A name")
    assert says(opened) == said(model, "ban")
    typed.fill("")
    assert says(opened) == "Type a name, or pick one."
    assert opened.locator(".gdlib-top").count() == 0
    typed.press_sequentially("nab")
    assert says(opened) == said(model, "nab")
    assert opened.locator("[aria-pressed=true]").count() == 0


def test_bars_are_sorted_and_name_their_classes(opened, made):
    opened.get_by_role("button", name="éna bán").click()
    shares = answers(made[1], "éna bán")[-1]
    says(opened)
    names = opened.locator(".gdlib-bars li > span:first-child").all_inner_texts()
    assert names == [CLASSES[j] for j in np.argsort(-shares)]
    percents = opened.locator(".gdlib-percent").all_inner_texts()
    assert percents == [f"{round(100 * v)} %" for v in sorted(shares, reverse=True)]
    assert opened.locator("[aria-pressed=true]").inner_text() == "éna bán"


def test_arrow_keys_move_through_the_letters(opened, made):
    model = made[1]
    opened.get_by_role("button", name="éna bán").click()
    strip = opened.get_by_role("slider", name="Letters read")
    for key, letters in [
        ("ArrowLeft", 6), ("ArrowLeft", 5), ("ArrowRight", 6), ("Home", 1), ("ArrowDown", 1), ("ArrowUp", 2),
        ("End", 7), ("ArrowRight", 7), ("b", 7),
    ]:  # fmt: skip
        strip.press(key)
        assert says(opened) == said(model, "éna bán", letters), key
        assert strip.get_attribute("aria-valuenow") == str(letters)
        assert strip.get_attribute("aria-valuemax") == "7"
        assert strip.get_attribute("aria-valuetext") == said(model, "éna bán", letters)


def test_a_pointer_and_a_touch_choose_a_letter(opened, made, browser):
    model = made[1]
    box = opened.locator(".gdlib-state").bounding_box()
    column = box["width"] / LONGEST
    opened.mouse.move(box["x"] + 0.5 * column, box["y"] + 20)
    assert says(opened) == said(model, "ban")  # no button, no choice
    opened.mouse.down()
    assert says(opened) == said(model, "ban", 1)
    opened.mouse.move(box["x"] + 1.5 * column, box["y"] + 20)
    opened.mouse.up()
    assert says(opened) == said(model, "ban", 2)
    with browser.new_context(has_touch=True, viewport={"width": 390, "height": 800}) as context:
        phone = context.new_page()
        phone.goto(opened.url)
        width = phone.locator(".gdlib-state").bounding_box()["width"]
        phone.locator(".gdlib-state").tap(position={"x": 1.5 * width / LONGEST, "y": 20})
        assert says(phone) == said(model, "ban", 2)
        assert phone.evaluate("document.documentElement.scrollWidth") <= 390


def test_an_unknown_letter_is_read_as_unknown_and_said(opened, made):
    opened.get_by_role("textbox", name="A name").fill("bxn")
    found = says(opened)
    assert found.startswith(said(made[1], "bxn"))
    assert found.endswith("Not among the characters it was trained on: x")
    assert opened.locator(".gdlib-spelled").inner_text().split() == ["b", "\N{REPLACEMENT CHARACTER}", "n"]


def test_accents_typed_apart_are_put_together_and_a_long_name_is_cut(opened, made):
    opened.get_by_role("textbox", name="A name").fill("e\u0301na ba\u0301n")
    assert says(opened) == said(made[1], "éna bán")
    opened.get_by_role("textbox", name="A name").fill("ban" * 10)
    assert says(opened) == said(made[1], ("ban" * 10)[:LONGEST])
    # One character, though two halves in JavaScript.
    opened.get_by_role("textbox", name="A name").fill("b😀n")
    says(opened)
    assert opened.get_by_role("slider").get_attribute("aria-valuemax") == "3"


def test_the_state_drawn_is_the_state_computed(opened, made):
    model = made[1]
    opened.get_by_role("button", name="éna bán").click()
    says(opened)
    ids = jnp.asarray(VOCABULARY.encode(["éna bán"]).ids)
    states = np.asarray(model.states(ids))[0]
    colours = opened.evaluate(
        """([columns, rows, longest]) => {
            const canvas = document.querySelector('.gdlib-state'), pen = canvas.getContext('2d');
            const at = (x, y) => [...pen.getImageData((x + 0.5) * canvas.width / longest,
                                                      (y + 0.5) * canvas.height / rows, 1, 1).data];
            return Array.from({ length: columns }, (_, x) => Array.from({ length: rows }, (_, y) => at(x, y)));
        }""",
        [*states.shape, LONGEST],
    )
    colours = np.array(colours)
    np.testing.assert_allclose(colours[..., 3] / 255, np.abs(states), atol=0.01)
    visible = np.abs(states) > 0.05
    np.testing.assert_array_equal((colours[..., 2] > colours[..., 0])[visible], (states > 0)[visible])


def test_two_on_a_page_work_by_themselves(page, made, tmp_path):
    page.goto(written(tmp_path / "twice.html", made[0], made[0]))
    assert page.locator("#end").inner_text() == "end"
    first, second = page.locator(".gdlib-widget").all()
    first.get_by_role("textbox", name="A name").fill("nab")
    assert says(first) == said(made[1], "nab")
    assert says(second) == said(made[1], "ban")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_in_the_chapter_it_agrees_and_answers(page, bases, scheme):
    page.emulate_media(color_scheme=scheme)
    page.goto(f"{bases['file']}/{CHAPTER}")
    root = page.locator(".gdlib-widget:has(.gdlib-strip)")
    assert float(root.get_attribute("data-disagreement")) < 1e-4
    root.get_by_role("button", name="Schweizer Franken").click()
    assert says(root).startswith("After “Schweizer Franken”: German, ")
    root.get_by_role("slider").press("Home")
    assert says(root).startswith("After “S”: ")
