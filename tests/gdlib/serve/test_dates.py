"""From a checkpoint to answers: whatever the batch, each text gets what it gets alone."""

import json
import shutil

import jax
import numpy as np
import pytest
from flax import nnx
from hypothesis import given, settings
from hypothesis import strategies as st
from serving import SOURCES, TARGETS, TEXTS, small

from gdlib import decoding, serve, train
from gdlib.data import tokens
from gdlib.models import mlp
from gdlib.serve import dates

TRANSLATOR = small(batches=(1, 2, 4), lengths=(12, 38))


def offline(text):
    """By the book's own decoding, alone and without padding."""
    model = nnx.merge(TRANSLATOR.graphdef, TRANSLATOR.state)
    ids, lengths = map(jax.numpy.asarray, SOURCES.encode([text]))
    written = decoding.decode(model, model.read(ids, lengths), jax.random.key(0), steps=11, temperature=0)
    return TARGETS.decode(written)[0]


ALONE = {text: offline(text) for text in TEXTS}


@settings(max_examples=20, deadline=None)
@given(st.lists(st.sampled_from(TEXTS), min_size=1, max_size=4))
def test_a_batch_is_translated_as_each_text_alone(texts):
    assert TRANSLATOR([TRANSLATOR.row(text) for text in texts]) == [ALONE[text] for text in texts]


def test_the_texts_differ_so_that_rows_mixed_up_would_be_seen():
    assert len(set(ALONE.values())) > len(TEXTS) / 2


def test_once_compiled_nothing_is_compiled_again():
    TRANSLATOR.compile()
    before = TRANSLATOR._translate._cache_size()
    assert before == 6
    for count in range(1, 5):
        for text in ("1. mai", "17. märz 2019 " + 20 * "x"):
            TRANSLATOR([TRANSLATOR.row(text)] * count)
    assert TRANSLATOR._translate._cache_size() == before


def test_slots_write_the_same_whoever_moves_in_when():
    writer = serve.DateWriter(TRANSLATOR, 3)
    waiting, held, found = list(TEXTS), [None] * 3, {}
    for step in range(200):
        for slot in range(3):
            if held[slot] is None and waiting and step >= 2 * slot:  # not all at once
                held[slot] = waiting.pop(0)
                found[held[slot]] = ""
                writer.begin(slot, TRANSLATOR.row(held[slot]))
        for slot, (piece, last) in enumerate(writer.advance()):
            if held[slot] is not None:
                found[held[slot]] += piece
                held[slot] = None if last else held[slot]
    assert found == ALONE


@pytest.mark.parametrize(
    ("text", "error", "sentence"),
    [
        (3, TypeError, "expected a text, got"),
        (None, TypeError, "expected a text, got"),
        ("", ValueError, "without a letter"),
        (" \n", ValueError, "without a letter"),
        (39 * "a", ValueError, "at most 38 characters, got 39"),
        (10**6 * "a", ValueError, "at most 38 characters, got 1000000"),
        ("1. май ☃", ValueError, "learned, got 'а' 'й' 'м' '☃'"),
    ],
)
def test_what_is_no_text_for_it(text, error, sentence):
    with pytest.raises(error, match=sentence):
        TRANSLATOR.row(text)


def test_the_longest_text_is_counted_as_it_is_read():
    assert len(TRANSLATOR.row(38 * "a\N{COMBINING DIAERESIS}")) == 38


@pytest.mark.parametrize("count", [0, 5])
def test_more_rows_than_the_largest_batch(count):
    with pytest.raises(ValueError, match=f"rows: expected 1 to 4, got {count}"):
        TRANSLATOR([[5]] * count)


@pytest.mark.parametrize("batches", [(), (4, 1), (2, 2), (0, 1)])
def test_shapes_rise(batches):
    with pytest.raises(ValueError, match="batches: expected"):
        small(batches=batches)


def test_a_service_reads_what_training_left(trained):
    translator = serve.load_translator(trained)
    card = json.loads((trained / "card.json").read_text(encoding="utf-8"))
    assert translator.sources.characters == card["sources"]
    assert translator.longest == 38
    assert len(translator([translator.row("3. Mai 2019")])[0]) <= 11
    blank = dates._blank(translator.sources, translator.targets, 38, card["sizes"], jax.random.key(0))
    fresh = jax.tree.leaves(nnx.state(blank))
    assert not all(map(np.array_equal, jax.tree.leaves(translator.state), fresh))  # they were trained


def test_a_folder_without_a_translator(tmp_path):
    with pytest.raises(FileNotFoundError):
        serve.load_translator(tmp_path)
    (tmp_path / "card.json").write_text(
        json.dumps({"sources": "ab", "targets": "0", "longest": 8, "sizes": {}})
    )
    with pytest.raises(FileNotFoundError, match="checkpoint: expected a folder"):
        serve.load_translator(tmp_path)
    (tmp_path / "run").mkdir()
    with pytest.raises(FileNotFoundError, match="found none"):
        serve.load_translator(tmp_path)


@pytest.mark.parametrize(
    "text", [
        "", "[]", "{}", '{"sources": 3, "targets": "1", "longest": 8, "sizes": {}}', '{"sources": "a"',
        json.dumps({"sources": "ab", "targets": "0", "longest": -1, "sizes": {}}),
        json.dumps({"sources": "ab", "targets": "0", "longest": 8, "sizes": {"depth": 3}}),
    ],
)  # fmt: skip
def test_a_card_that_cannot_be_read(tmp_path, text):
    (tmp_path / "card.json").write_text(text)
    with pytest.raises(ValueError, match=r"card: .*card\.json cannot be read"):
        serve.load_translator(tmp_path)


def test_a_checkpoint_of_another_network_is_refused_and_nothing_is_changed(trained):
    other = mlp.MLP((2,), (3,), 2, rngs=nnx.Rngs(0))
    before = jax.tree.map(np.asarray, nnx.state(other))
    with pytest.raises(ValueError, match="checkpoint: expected the arrays of the module, got others"):
        train.restore(trained / "run", other)
    jax.tree.map(np.testing.assert_array_equal, before, nnx.state(other))


def test_a_damaged_checkpoint_is_named(trained, tmp_path):
    shutil.copytree(trained, tmp_path, dirs_exist_ok=True)
    for file in (tmp_path / "run").rglob("*"):
        if file.is_file() and file.stat().st_size > 100:
            file.write_bytes(file.read_bytes()[:50])
    with pytest.raises(ValueError, match="cannot be read"):
        serve.load_translator(tmp_path)


def test_known_tokens_are_no_text():
    assert tokens.UNKNOWN not in TRANSLATOR.row("3. mai")
