"""The date to type, in a browser: it writes and looks as Flax does, by typing, pointer, touch and keyboard."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from alone import altered, says, settle, written
from flax import nnx

from gdlib import decoding, widgets
from gdlib.data import tokens
from gdlib.models import transformer

CHAPTER = "chapters/discriminative/transformer/dates.html"
SAMPLES = ("ban", "éna </script>", "a")
READ, WRITTEN = tokens.Vocabulary(["banána é<script/>"]), tokens.Vocabulary(["01<"])
LONGEST, STEPS = 14, 5


def translated(model, text):
    """(tokens written up to the end, their probabilities, weights of the encoder, own and cross)."""
    ids = jnp.asarray(READ.encode([text]).ids)
    source = model.read(ids)
    written = decoding.decode(model, source, jax.random.key(0), steps=STEPS, temperature=0)
    n = int((written[0] != tokens.PAD).sum())
    before = jnp.concatenate([jnp.array([tokens.START]), written[0, : n - 1]])[None]
    found = model(before, source)
    return (
        written[0, :n],
        jax.nn.softmax(found.logits)[0],
        model.encode(ids)[1],
        found.self_attention,
        found.cross_attention,
    )


@pytest.fixture(scope="module")
def made():
    """(widget, the Flax model with the very weights that it holds)."""
    sizes = {"width": 8, "heads": 2, "blocks": 2, "hidden": 6, "longest": LONGEST}
    model = transformer.Translator(len(READ), len(WRITTEN), **sizes, rngs=nnx.Rngs(2))
    state = nnx.state(model, nnx.Param)
    keys = iter(jax.random.split(jax.random.key(1), 99))
    state = jax.tree.map(lambda x: 1.5 * x + 0.3 * jax.random.normal(next(keys), x.shape), state)
    nnx.update(model, state)
    weights = nnx.to_pure_dict(nnx.state(model, nnx.Param))
    nnx.update(model, jax.tree.map(jnp.asarray, widgets.rounded(weights)))
    block = widgets.attention(
        weights,
        2,
        READ.characters,
        WRITTEN.characters,
        SAMPLES,
        probabilities=[translated(model, text)[1] for text in SAMPLES],
        longest=LONGEST,
        steps=STEPS,
    )
    return block, model


@pytest.fixture
def opened(page, made, tmp_path):
    page.goto(written(tmp_path / "page.html", made[0]))
    return page


def shown(token):
    return (
        "⏎"
        if token == tokens.END
        else WRITTEN.characters[token - 4]
        if token > 3
        else "\N{REPLACEMENT CHARACTER}"
    )


def test_the_page_computes_what_flax_computes(opened, made):
    for text in (*SAMPLES, "bbbbaaaannnn", "xb"):
        found = opened.evaluate(
            """text => {
                const root = document.querySelector(".gdlib-widget");
                const { tokens, shares, encoder, own, cross } = root.translated(text);
                const list = (nest) => [...nest].map((x) => x.length === undefined ? x : list(x));
                return { tokens, shares: list(shares), encoder: list(encoder), own: list(own), cross: list(cross) };
            }""",
            text,
        )
        ids, shares, encoder, own, cross = translated(made[1], text)
        assert found["tokens"] == ids.tolist()
        np.testing.assert_allclose(found["shares"], shares, atol=1e-5)
        for name, weights in (("encoder", encoder), ("cross", cross)):
            expected = np.moveaxis(np.asarray(weights)[:, 0], 1, 2)  # (blocks, positions, heads, looked at)
            np.testing.assert_allclose(found[name], expected, atol=1e-5)
        for block in range(2):
            for t, row in enumerate(found["own"][block]):
                np.testing.assert_allclose(row, own[block, 0, :, t, : t + 1], atol=1e-5)
    assert float(opened.locator(".gdlib-widget").get_attribute("data-disagreement")) < 1e-5
    assert "This page and Flax agree" in opened.locator(".gdlib-agrees").inner_text()


def test_a_page_whose_weights_are_not_the_models_says_so(page, made, tmp_path):
    page.goto(altered(tmp_path / "altered.html", made[0]))
    assert "disagree" in page.locator(".gdlib-agrees").inner_text()


def test_it_translates_the_first_sample_and_what_is_typed(opened, made):
    result, typed = opened.locator(".gdlib-result"), opened.get_by_role("textbox", name="A date")
    for text in ("ban", "nab é"):
        typed.fill(text)
        settle(opened)
        ids = [i for i in translated(made[1], text)[0].tolist() if i != tokens.END]
        assert result.inner_text().strip() == "".join(map(shown, ids))
    assert opened.locator("[aria-pressed=true]").count() == 0
    typed.fill("")
    assert says(opened) == "Type a date, or pick one."
    assert result.inner_text().strip() == ""
    assert opened.locator(".gdlib-cells span").count() == 0


def looks_at(opened):
    """What is said of the weights: [(character, place, per cent), …]."""
    listed = says(opened).split("it looks at ")[1].split(". Not")[0]
    entries = [entry.rsplit(" at ", 1) for entry in listed.split(", ")]
    return [(c, int(rest.split(":")[0]), rest.split(": ")[1]) for c, rest in entries]


def said(share):
    """A share as the page says it."""
    rounded = round(100 * float(share))
    return {0: "below 1 %", 100: "above 99 %"}.get(rounded, f"{rounded} %")


@pytest.mark.parametrize(("kind", "index"), [("cross 1", 4), ("own 0", 3), ("encoder 1", 2), ("cross 0", 4)])
@pytest.mark.parametrize("head", ["mean", "0", "1"])
def test_it_says_and_shades_what_the_chosen_head_looks_at(opened, made, kind, index, head):
    opened.get_by_role("button", name="éna").click()
    opened.get_by_role("combobox", name="Attention").select_option(kind)
    opened.get_by_role("combobox", name="Head").select_option(index=["mean", "0", "1"].index(head))
    slider = opened.get_by_role("slider")
    slider.press("End")
    weights = np.asarray(translated(made[1], SAMPLES[1])[index])[int(kind[-1]), 0]
    row = (weights.mean(axis=0) if head == "mean" else weights[int(head)])[-1]
    characters = SAMPLES[1].replace(" ", "␣")
    if kind.startswith("own"):
        ids = translated(made[1], SAMPLES[1])[0].tolist()
        characters = "▷" + "".join(map(shown, ids[:-1]))
    best = np.argsort(-row, kind="stable")[:3]
    for (character, place, share), j in zip(looks_at(opened), best, strict=True):
        assert share in {said(row[place - 1] - 1e-4), said(row[place - 1] + 1e-4)}
        assert character == characters[place - 1]
        assert abs(row[place - 1] - row[j]) < 1e-4
    shades = opened.eval_on_selector_all(
        ".gdlib-to span", "cells => cells.map(cell => getComputedStyle(cell).backgroundColor)"
    )
    alphas = [float(s.split(",")[3].strip(" )")) if s.startswith("rgba") else 1.0 for s in shades]
    np.testing.assert_allclose(alphas, row, atol=0.01)
    assert slider.get_attribute("aria-valuetext") == says(opened)


def test_arrow_keys_a_pointer_and_a_touch_choose_who_looks(opened, made, browser):
    slider = opened.get_by_role("slider", name="The position that looks")
    opened.get_by_role("combobox", name="Attention").select_option("encoder 0")
    for key, place in [("End", 3), ("ArrowLeft", 2), ("Home", 1), ("ArrowDown", 1), ("ArrowUp", 2), ("b", 2)]:
        slider.press(key)
        assert says(opened).startswith(f"{'ban'[place - 1]} at {place}, it looks at "), key
        assert slider.get_attribute("aria-valuenow") == str(place)
        assert slider.get_attribute("aria-valuemax") == "3"
    opened.locator(".gdlib-from span").nth(2).hover()
    assert says(opened).startswith("n at 3")
    with browser.new_context(has_touch=True, viewport={"width": 390, "height": 800}) as context:
        phone = context.new_page()
        phone.goto(opened.url)
        phone.get_by_role("combobox", name="Attention").select_option("encoder 0")
        settle(phone)
        phone.locator(".gdlib-from span").nth(1).tap()
        assert says(phone).startswith("a at 2")
        assert phone.evaluate("document.documentElement.scrollWidth") <= 390


def test_unknown_characters_accents_and_long_texts(opened, made):
    typed = opened.get_by_role("textbox", name="A date")
    typed.fill("bx😀")
    assert says(opened).endswith("Not among the characters it was trained on: x 😀")
    opened.get_by_role("combobox", name="Attention").select_option("encoder 0")
    typed.fill("e\u0301na ba\u0301n")
    settle(opened)
    assert opened.locator(".gdlib-from").inner_text().split() == list("éna␣bán")
    typed.fill("ban" * 10)
    settle(opened)
    assert opened.locator(".gdlib-from span").count() == LONGEST


def test_two_on_a_page_work_by_themselves(page, made, tmp_path):
    page.goto(written(tmp_path / "twice.html", made[0], made[0]))
    assert page.locator("#end").inner_text() == "end"
    first, second = page.locator(".gdlib-widget").all()
    before = says(second)
    first.get_by_role("textbox", name="A date").fill("nnn")
    settle(first)
    assert says(second) == before
    assert second.get_by_role("textbox").input_value() == "ban"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_in_the_chapter_it_agrees_and_translates(page, bases, scheme):
    page.emulate_media(color_scheme=scheme)
    page.goto(f"{bases['file']}/{CHAPTER}")
    root = page.locator(".gdlib-widget:has(.gdlib-cells)")
    assert float(root.get_attribute("data-disagreement")) < 1e-3
    root.get_by_role("textbox", name="A date").fill("Samstag, 17. August 1991")
    settle(root)
    assert root.locator(".gdlib-result").inner_text() == "1991-08-17"
