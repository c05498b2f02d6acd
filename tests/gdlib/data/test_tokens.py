"""Texts to tokens and back."""

import unicodedata

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gdlib.data import place_names, tokens, written_dates

VOCABULARY = tokens.Vocabulary(["banana", "Éire"])


def test_characters_are_known_in_order_after_the_four_special_tokens():
    assert VOCABULARY.characters == "abeinrÉ"
    assert len(VOCABULARY) == 4 + 7
    found = VOCABULARY.encode(["ban", "É"])
    np.testing.assert_array_equal(found.ids, [[5, 4, 8], [10, tokens.PAD, tokens.PAD]])
    np.testing.assert_array_equal(found.lengths, [3, 1])
    assert found.ids.dtype == found.lengths.dtype == np.int32


def test_start_and_end_count_as_tokens():
    found = VOCABULARY.encode(["ba", ""], start=True, end=True, length=5)
    np.testing.assert_array_equal(
        found.ids, [[tokens.START, 5, 4, tokens.END, tokens.PAD], [tokens.START, tokens.END, 0, 0, 0]]
    )
    np.testing.assert_array_equal(found.lengths, [4, 2])


def test_the_unknown_is_one_token_and_is_shown():
    found = VOCABULARY.encode(["bxn"])
    np.testing.assert_array_equal(found.ids, [[5, tokens.UNKNOWN, 8]])
    assert VOCABULARY.decode(found.ids) == ["b\N{REPLACEMENT CHARACTER}n"]


WRITTEN = ["Éire", "São Tomé", "Μάιος", "Ångström", "Đồng", "한국"]


def in_form(form, written):
    return [unicodedata.normalize(form, text) for text in written]


def test_composed_or_not_a_text_has_the_same_tokens():
    one, other = tokens.Vocabulary(in_form("NFC", WRITTEN)), tokens.Vocabulary(in_form("NFD", WRITTEN))
    assert one.characters == other.characters
    expected = one.encode(in_form("NFC", WRITTEN))
    for found in (one.encode(in_form("NFD", WRITTEN)), other.encode(WRITTEN)):
        np.testing.assert_array_equal(found.ids, expected.ids)
        np.testing.assert_array_equal(found.lengths, expected.lengths)
    np.testing.assert_array_equal(expected.lengths, [len(text) for text in in_form("NFC", WRITTEN)])
    assert tokens.UNKNOWN not in expected.ids
    assert one.decode(expected.ids) == in_form("NFC", WRITTEN)


def test_what_is_decoded_is_composed_even_of_an_accent_with_a_token_of_its_own():
    apart = tokens.Vocabulary(["e", "x\N{COMBINING ACUTE ACCENT}"])  # no letter is this x with its accent
    ids = [[apart.encode(["e"]).ids[0, 0], apart.encode(["x\N{COMBINING ACUTE ACCENT}"]).ids[0, 1]]]
    assert apart.decode(ids) == ["é"]


def test_the_texts_are_composed_so_their_lengths_are_those_of_their_tokens():
    for part in (*place_names(), *written_dates(years=(2019, 2019))):
        assert all(unicodedata.is_normalized("NFC", text) for text in part.texts)


def test_what_is_no_text_is_named(untyped):
    with pytest.raises(TypeError, match="texts: expected strings, got int"):
        tokens.Vocabulary([3])
    with pytest.raises(TypeError, match="texts: expected strings, got list"):
        VOCABULARY.encode([["b", "a"]])


@settings(deadline=None)  # a busy machine is no error
@given(st.lists(st.text("abeinrÉ", min_size=1), min_size=1), st.booleans(), st.booleans())
def test_what_is_encoded_is_decoded(texts, start, end):
    ids, lengths = VOCABULARY.encode(texts, start=start, end=end)
    assert VOCABULARY.decode(ids) == texts
    np.testing.assert_array_equal((ids != tokens.PAD).sum(axis=1), lengths)


def test_nothing_after_the_end_is_shown():
    assert VOCABULARY.decode([[tokens.START, 4, tokens.END, 5, 5]]) == ["a"]


@pytest.mark.parametrize(
    ("texts", "options", "said"),
    [
        ([], {}, "texts: expected at least one, got none"),
        (["a", ""], {}, "texts: expected at least one character each, got an empty one at 1"),
        (["ab", "banana"], {"length": 5}, "texts: expected at most 5 tokens each, got 6 for 'banana'"),
        (["banan"], {"length": 5, "end": True}, "expected at most 5 tokens each, got 6"),
        (["a"], {"length": 0}, "length: expected an integer of at least 1"),
    ],
)
def test_texts_that_do_not_fit_are_refused(texts, options, said):
    with pytest.raises(ValueError, match=said):
        VOCABULARY.encode(texts, **options)


@pytest.mark.parametrize(
    ("ids", "error", "said"),
    [
        ([4, 5], ValueError, r"ids: expected shape \(n, length\), got \(2,\)"),
        ([[4, 11]], ValueError, "ids: expected values from 0 to 10"),
        ([[-1]], ValueError, "ids: expected values from 0 to 10"),
        ([[4.0]], TypeError, "ids: expected integers"),
    ],
)
def test_what_is_no_tokens_is_not_decoded(ids, error, said):
    with pytest.raises(error, match=said):
        VOCABULARY.decode(ids)
