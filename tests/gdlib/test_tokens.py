"""Texts to tokens and back."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gdlib import tokens

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
