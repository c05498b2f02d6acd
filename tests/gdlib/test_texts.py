"""Names and dates: real, split by what they name, in an order of their own."""

import datetime

import numpy as np
import pytest
from babel import Locale
from babel.dates import format_date

from gdlib import texts


@pytest.fixture(scope="module")
def split():
    return texts.names(("de", "fr", "fi"))


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
    fewer = texts.names(("de", "fr"))
    for side, smaller in zip(split, fewer, strict=True):
        assert set(smaller.entities) <= set(side.entities)


def test_the_order_mixes_languages_and_is_the_same_each_time(split):
    again = texts.names(("de", "fr", "fi"))
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
    rest, held_out = texts.hold_out(train, share=0.3, salt="validation")
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
        texts.hold_out(train, share=0.1)  # without salt, all these were kept once


def test_a_text_that_is_held_out_for_one_thing_is_not_kept_for_another():
    entities = tuple(f"thing {i}" for i in range(40))
    same = texts.Names(("Same",) * 40, np.zeros(40, np.int32), entities, ("de", "fr"), np.ones((40, 2), bool))
    other = same._replace(texts=("Same",) * 20 + tuple(map(str, range(20))))
    rest, held_out = texts.hold_out(other, share=0.5)
    assert "Same" in held_out.texts
    assert "Same" not in rest.texts
    with pytest.raises(ValueError, match="leaves entities on both sides"):
        texts.hold_out(same, share=0.5)


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
        texts.names(languages, share=share)


@pytest.fixture(scope="module")
def few_dates():
    return texts.dates(("de", "en", "hu", "ru"), years=(1999, 2001))


def test_dates_are_written_as_babel_writes_them(few_dates):
    for part in few_dates:
        styles = set()
        for text, iso, label in zip(part.texts, part.iso, part.labels, strict=True):
            day = datetime.date.fromisoformat(iso)
            written = {style: format_date(day, style, part.languages[label]) for style in ("full", "long")}
            assert text in written.values()
            styles.add(text == written["full"])
        assert styles == {True, False}
        assert part.ambiguous == 0


def test_every_date_stands_once_in_each_language_and_on_one_side(few_dates):
    train, test = few_dates
    assert not set(train.iso) & set(test.iso)
    assert set(train.iso) | set(test.iso) == {
        (datetime.date(1999, 1, 1) + datetime.timedelta(i)).isoformat() for i in range(1096)
    }
    assert 0.06 < len(set(test.iso)) / 1096 < 0.14
    for part in few_dates:
        pairs = set(zip(part.iso, part.labels.tolist(), strict=True))
        assert len(pairs) == len(part.texts) == 4 * len(set(part.iso))
        assert set(part.labels[:20]) == {0, 1, 2, 3}  # mixed


def test_the_spans_hold_year_month_and_day(few_dates):
    train, _ = few_dates
    months = {}
    for text, iso, label, spans in zip(train.texts, train.iso, train.labels, train.spans, strict=True):
        year, month, day = (text[slice(*span)] for span in spans)
        assert (year, int(day)) == (iso[:4], int(iso[8:]))
        months.setdefault((train.languages[label], iso[5:7]), set()).add(month)
    assert all(len(names) == 1 for names in months.values())
    assert months["de", "03"] == {"März"}
    assert months["ru", "05"] == {"мая"}
    assert months["hu", "12"] == {"december"}


def test_dates_keep_their_side_and_style_when_languages_and_years_change(few_dates):
    fewer = texts.dates(("ru", "en"), years=(2000, 2000))
    for part, smaller in zip(few_dates, fewer, strict=True):
        assert set(smaller.texts) <= set(part.texts)
        assert set(smaller.iso) <= set(part.iso)


def test_another_salt_holds_out_other_dates(few_dates):
    other = texts.dates(("de", "en", "hu", "ru"), years=(1999, 2001), salt="again")
    for part, resplit in zip(few_dates, other, strict=True):
        assert set(part.iso) != set(resplit.iso)
    assert {*few_dates[0].texts, *few_dates[1].texts} == {*other[0].texts, *other[1].texts}
    assert 0.06 < len(set(other[1].iso)) / 1096 < 0.14


def test_texts_that_denote_several_dates_are_left_out_and_counted():
    train, test = texts.dates(("en", "es"), styles=("short",), years=(2000, 2000), share=0.5)
    kept = set(zip(train.texts, train.iso, strict=True)) | set(zip(test.texts, test.iso, strict=True))
    days = [datetime.date(2000, 1, 1) + datetime.timedelta(i) for i in range(366)]
    written = [(format_date(day, "short", lang), day.isoformat()) for day in days for lang in ("en", "es")]
    denoted = {}
    for text, iso in written:
        denoted.setdefault(text, set()).add(iso)
    assert kept == {(text, iso) for text, iso in written if len(denoted[text]) == 1}
    assert train.ambiguous == test.ambiguous == sum(len(denoted[text]) > 1 for text, _ in written) > 0


@pytest.mark.parametrize(
    ("languages", "options", "said"),
    [
        ((), {}, "languages, styles: expected at least one"),
        (("de",), {"styles": ()}, "languages, styles: expected at least one"),
        (("xx",), {}, "languages: expected codes that babel knows, got 'xx'"),
        (
            ("de",),
            {"styles": ("full", "tiny")},
            r"styles: expected full, long, medium or short, got \['tiny'\]",
        ),
        (("de",), {"years": (0, 3)}, "years: expected a first and a last from 1 to 9999"),
        (("de",), {"years": (2001, 2000)}, "years: expected a first and a last from 1 to 9999"),
        (("de",), {"share": 0.0}, "share: expected one that leaves dates on both sides, got 0"),
        (("de",), {"share": 1.0}, "share: expected one that leaves dates on both sides, got 1"),
    ],
)
def test_dates_that_cannot_be_written_or_split_are_refused(languages, options, said):
    with pytest.raises(ValueError, match=said):
        texts.dates(languages, **({"years": (2000, 2000)} | options))
