"""Names of places and currencies: real, split by what they name, in an order of their own."""

import numpy as np
import pytest
from babel import Locale

from gdlib.data import hold_out_entities, place_names
from gdlib.data.names import Names


@pytest.fixture(scope="module")
def split():
    return place_names(("de", "fr", "fi"))


def test_names_are_what_the_data_call_them(split):
    (train, test), known = split, {}
    for names in split:
        for text, label, entity in zip(names.texts, names.labels, names.entities, strict=True):
            known[entity, names.languages[label]] = text
    assert train.languages == test.languages == ("de", "fr", "fi")
    for (entity, language), text in known.items():
        kind, code = entity.split()
        locale = Locale.parse(language)
        assert text == {"territory": locale.territories, "currency": locale.currencies}[kind][code]
    assert known["territory PE", "fr"] == "Pérou"
    assert known["territory DE", "fi"] == "Saksa"
    assert known["currency CHF", "de"] == "Schweizer Franken"


def test_no_entity_and_no_text_stands_on_both_sides(split):
    train, test = split
    assert not set(train.entities) & set(test.entities)
    assert not set(train.texts) & set(test.texts)
    assert 0.17 < len(set(test.entities)) / len({*train.entities, *test.entities}) < 0.23


def test_every_entity_keeps_its_side_when_languages_change(split):
    fewer = place_names(("de", "fr"))
    for side, smaller in zip(split, fewer, strict=True):
        assert set(smaller.entities) <= set(side.entities)


def test_the_order_mixes_languages_and_is_the_same_each_time(split):
    again = place_names(("de", "fr", "fi"))
    for one, other in zip(split, again, strict=True):
        assert one.texts == other.texts
        np.testing.assert_array_equal(one.labels, other.labels)
        assert set(one.labels[:20]) == {0, 1, 2}
        assert (np.diff([sorted(set(one.entities)).index(e) for e in one.entities]) < 0).any()


def test_a_text_is_right_in_every_language_that_has_it_for_anything(split):
    languages = split[0].languages
    spoken = {
        (text, language)
        for language in languages
        for table in (Locale.parse(language).territories, Locale.parse(language).currencies)
        for code, text in table.items()
        if code not in ("XA", "XB", "ZZ", "XXX", "XTS")
    }
    for names in split:
        expected = [[(text, language) in spoken for language in languages] for text in names.texts]
        np.testing.assert_array_equal(names.right, expected)
        assert names.right[np.arange(len(names.texts)), names.labels].all()
        assert (names.right.sum(axis=1) > 1).any()


def test_a_second_split_is_another_and_by_entity_too(split):
    train, _ = split
    rest, held_out = hold_out_entities(train, share=0.3, salt="validation")
    assert not set(rest.entities) & set(held_out.entities)
    assert not set(rest.texts) & set(held_out.texts)
    assert 0.2 < len(set(held_out.entities)) / len(set(train.entities)) < 0.4
    rows = {pair: i for i, pair in enumerate(zip(train.entities, train.labels.tolist(), strict=True))}
    for part in (rest, held_out):
        at = [rows[pair] for pair in zip(part.entities, part.labels.tolist(), strict=True)]
        assert at == sorted(at)  # the order is kept
        assert part.texts == tuple(train.texts[i] for i in at)
        np.testing.assert_array_equal(part.right, train.right[at])
    with pytest.raises(ValueError, match="share: expected one that leaves entities on both sides"):
        hold_out_entities(train, share=0.1)  # without salt, all these were kept once


def test_a_text_that_is_held_out_for_one_thing_is_not_kept_for_another():
    entities = tuple(f"thing {i}" for i in range(40))
    same = Names(("Same",) * 40, np.zeros(40, np.int32), entities, ("de", "fr"), np.ones((40, 2), bool))
    other = same._replace(texts=("Same",) * 20 + tuple(map(str, range(20))))
    rest, held_out = hold_out_entities(other, share=0.5)
    assert "Same" in held_out.texts
    assert "Same" not in rest.texts
    with pytest.raises(ValueError, match="leaves entities on both sides"):
        hold_out_entities(same, share=0.5)


@pytest.mark.parametrize(
    ("languages", "share", "said"),
    [
        (("de",), 0.2, "languages: expected at least two"),
        (("de", "de"), 0.2, "languages: expected at least two"),
        (("de", "xx"), 0.2, "languages: expected codes that babel knows, got 'xx'"),
        (("de", "not a code"), 0.2, "got 'not a code'"),
        (("de", "fr"), 0.0, "share: expected one that leaves entities on both sides, got 0"),
        (("de", "fr"), 1.0, "share: expected one that leaves entities on both sides, got 1"),
    ],
)
def test_what_cannot_be_split_is_refused(languages, share, said):
    with pytest.raises(ValueError, match=said):
        place_names(languages, share=share)
