"""Dates: real, split by day."""

import datetime

import pytest
from babel.dates import format_date

from gdlib.data import (
    written_dates,
)


@pytest.fixture(scope="module")
def few_dates():
    return written_dates(("de", "en", "hu", "ru"), years=(1999, 2001))


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
    fewer = written_dates(("ru", "en"), years=(2000, 2000))
    for part, smaller in zip(few_dates, fewer, strict=True):
        assert set(smaller.texts) <= set(part.texts)
        assert set(smaller.iso) <= set(part.iso)


def test_another_salt_holds_out_other_dates(few_dates):
    other = written_dates(("de", "en", "hu", "ru"), years=(1999, 2001), salt="again")
    for part, resplit in zip(few_dates, other, strict=True):
        assert set(part.iso) != set(resplit.iso)
    assert {*few_dates[0].texts, *few_dates[1].texts} == {*other[0].texts, *other[1].texts}
    assert 0.06 < len(set(other[1].iso)) / 1096 < 0.14


def test_texts_that_denote_several_dates_are_left_out_and_counted():
    train, test = written_dates(("en", "es"), styles=("short",), years=(2000, 2000), share=0.5)
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
        written_dates(languages, **({"years": (2000, 2000)} | options))
