"""Dates as people write them in many languages, from the CLDR data that babel carries."""

import datetime
import itertools
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, cast

import numpy as np

from gdlib.data.names import locale_of
from gdlib.data.split import fraction

# In four scripts' worth of letters (Latin, with accents and without; Greek; Cyrillic), and in three orders of day,
# month and year.
DATE_LANGUAGES = ("de", "el", "en", "es", "fi", "fr", "hu", "it", "pl", "pt", "ru", "tr")
FIELDS = ("year", "month", "day")


class Dates(NamedTuple):
    """Dates as people write them, row by row, and as ISO 8601 does.

    texts: "Freitag, 3. Mai 2024". iso: "2024-05-03". labels: (n,) int32, each one's language in `languages`, the codes.
    spans: (n, 3, 2) int32, from which character to before which the year, month and day stand, as in `FIELDS`.
    ambiguous: how many texts were left out, on both sides of the split, because they denote several dates.
    """

    texts: tuple[str, ...]
    iso: tuple[str, ...]
    labels: np.ndarray
    languages: tuple[str, ...]
    spans: np.ndarray
    ambiguous: int


def written_dates(
    languages: Sequence[str] = DATE_LANGUAGES,
    *,
    styles: Sequence[str] = ("full", "long"),
    years: tuple[int, int] = (1980, 2019),
    share: float = 0.1,
    salt: str = "",
) -> tuple[Dates, Dates]:
    """(train, test): each date once in each language. Split by date: a day's texts in all languages stand on one side.

    Args:
      languages: codes that babel knows.
      styles: of CLDR: "full" names the weekday, "long" does not; "medium" and "short" are shorter. Each text has one of
        them, as good as at random.
      years: the first and the last.
      share: of the dates, about, that are held out; between 0 and 1.
      salt: another one splits otherwise.

    Which side and which style a text gets, and the order, depend on its date, its language and the salt alone. Raises
    ValueError for no languages, an unknown language or style, years outside 1 to 9999, and a share that leaves one side
    empty.
    """
    if not languages or not styles:
        raise ValueError(f"languages, styles: expected at least one, got {languages} and {styles}")
    if unknown := set(styles) - {"full", "long", "medium", "short"}:
        raise ValueError(f"styles: expected full, long, medium or short, got {sorted(unknown)}")
    first, last = years
    if not datetime.MINYEAR <= first <= last <= datetime.MAXYEAR:
        raise ValueError(f"years: expected a first and a last from 1 to 9999, got {years}")
    days = range(datetime.date(first, 1, 1).toordinal(), datetime.date(last, 12, 31).toordinal() + 1)
    rows = [
        row for label, language in enumerate(languages) for row in _dates_of(label, language, styles, days)
    ]
    denoted = defaultdict(set)
    for row in rows:
        denoted[row[1]].add(row[2])
    kept = sorted(row for row in rows if len(denoted[row[1]]) == 1)
    held_out = {day: fraction(salt + day) < share for day in {iso for _, _, iso, *_ in kept}}
    if len(set(held_out.values())) < 2:
        raise ValueError(f"share: expected one that leaves dates on both sides, got {share}")
    rest, out = (
        _dates([row for row in kept if held_out[row[2]] == side], languages, len(rows) - len(kept))
        for side in (False, True)
    )
    return rest, out


def _dates(rows: list[tuple], languages: Sequence[str], ambiguous: int) -> Dates:
    _, texts, iso, labels, spans = zip(*rows, strict=True)
    return Dates(
        texts, iso, np.array(labels, np.int32), tuple(languages), np.array(spans, np.int32), ambiguous
    )


def _dates_of(label: int, language: str, styles: Sequence[str], days: range) -> Iterator[tuple]:
    """(a fraction that orders the rows, text, ISO, label, spans), day by day."""
    from babel.dates import DateTimeFormat, get_date_format

    locale = locale_of(language)
    # "%(d)s. %(MMMM)s %(y)s" → ["", "d", ". ", "MMMM", " ", "y", ""]: letters and fields in turn.
    formats: list[Any] = [get_date_format(cast(Any, style), locale) for style in styles]
    patterns = [re.split(r"%\((\w+)\)s", form.format) for form in formats]
    for day in map(datetime.date.fromordinal, days):
        iso = day.isoformat()
        pieces = list(patterns[int(len(patterns) * fraction(f"{iso} {language} style"))])
        written = DateTimeFormat(day, locale)
        fields, pieces[1::2] = pieces[1::2], [written[field] for field in pieces[1::2]]
        ends = list(itertools.accumulate(map(len, pieces)))
        span = {field[0].lower(): (ends[2 * i], ends[2 * i + 1]) for i, field in enumerate(fields)}
        spans = [span["y"], span.get("m") or span["l"], span["d"]]  # L: a month's name that stands alone
        yield fraction(f"{iso} {language}"), "".join(pieces), iso, label, spans
