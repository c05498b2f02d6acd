"""Real texts in many languages, from the CLDR data that babel carries: names of places and currencies, and dates."""

import datetime
import hashlib
import itertools
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

# Written in Latin letters, and with names for most places and currencies.
LANGUAGES = (
    "da",
    "de",
    "en",
    "es",
    "et",
    "fi",
    "fr",
    "ga",
    "hr",
    "hu",
    "it",
    "lt",
    "nl",
    "pl",
    "pt",
    "ro",
    "sl",
    "sq",
    "sv",
    "tr",
)


class Names(NamedTuple):
    """Names and their languages, name by name.

    texts: the names. labels: (n,) int32, the position of each one's language in `languages`. entities: what each
    one names, such as "territory PE". languages: the codes. right: (n, languages) bool, in which languages the
    text is a name of anything, before any split: "Bahrain" is Danish, German, English and more.
    """

    texts: tuple[str, ...]
    labels: np.ndarray
    entities: tuple[str, ...]
    languages: tuple[str, ...]
    right: np.ndarray


def names(languages: Sequence[str] = LANGUAGES, *, share: float = 0.2) -> tuple[Names, Names]:
    """(train, test): what places and currencies are called in each of the languages, split by `hold_out`.

    Args:
      languages: codes that babel knows.
      share: of the entities, about, that are held out; between 0 and 1.

    Raises ValueError for fewer than two languages, an unknown one, and a share that leaves one side empty.
    """
    rows = [row for label, language in enumerate(languages) for row in _names_of(label, language)]
    if len(set(languages)) < 2:
        raise ValueError(f"languages: expected at least two, got {tuple(languages)}")
    return hold_out(_mixed(rows, languages), share=share)


def hold_out(names: Names, *, share: float, salt: str = "") -> tuple[Names, Names]:
    """(rest, held out), split by entity: Peru's names in all languages stand on one side.

    Held out are the entities whose SHA-256, of `salt` and the entity, lies below `share` when it is read as a
    fraction: the side of each depends on nothing else. A text that is held out (another entity can bear the same)
    is left out of the rest.

    Args:
      names: to split.
      share: of the entities, about, that are held out; between 0 and 1.
      salt: another one splits otherwise.

    Raises ValueError for a share that leaves one side empty.
    """
    out = np.array([_fraction(salt + entity) < share for entity in names.entities])
    seen = {text for text, is_out in zip(names.texts, out, strict=True) if is_out}
    rest = ~out & np.array([text not in seen for text in names.texts])
    if not out.any() or not rest.any():
        raise ValueError(f"share: expected one that leaves entities on both sides, got {share}")
    return _chosen(names, rest), _chosen(names, out)


def _chosen(names: Names, rows: np.ndarray) -> Names:
    kept = np.flatnonzero(rows)
    texts, entities = (tuple(column[i] for i in kept) for column in (names.texts, names.entities))
    return Names(texts, names.labels[kept], entities, names.languages, names.right[kept])


def _names_of(label: int, language: str) -> list[tuple[str, int, str]]:
    """(name, label, entity) for each territory and currency that the language has a name for."""
    locale = _locale(language)
    tables = {"territory": locale.territories, "currency": locale.currencies}
    return [
        (name, label, f"{kind} {code}")
        for kind, table in tables.items()
        for code, name in sorted(table.items())
        if code not in ("XA", "XB", "ZZ", "XXX", "XTS")  # unknown, and made for testing
    ]


def _locale(language: str):
    from babel import Locale, UnknownLocaleError  # reads its data: only where it is used

    try:
        return Locale.parse(language)
    except (UnknownLocaleError, ValueError) as error:
        raise ValueError(f"languages: expected codes that babel knows, got {language!r} ({error})") from None


def _fraction(text: str) -> float:
    """A number from 0 to 1, as good as random, that depends on the text alone."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8]) / 2**64


def _mixed(rows: list[tuple[str, int, str]], languages: Sequence[str]) -> Names:
    """In an order that mixes languages and entities, and depends on the rows alone."""
    rows = sorted(rows, key=lambda row: _fraction(f"{row[2]} {languages[row[1]]}"))
    texts, labels, entities = zip(*rows, strict=True)
    spoken = defaultdict(set)
    for text, label, _ in rows:
        spoken[text].add(label)
    right = np.array([[label in spoken[text] for label in range(len(languages))] for text in texts])
    return Names(texts, np.array(labels, np.int32), entities, tuple(languages), right)


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


def dates(
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
    held_out = {day: _fraction(salt + day) < share for day in {iso for _, _, iso, *_ in kept}}
    if len(set(held_out.values())) < 2:
        raise ValueError(f"share: expected one that leaves dates on both sides, got {share}")
    return tuple(
        _dates([row for row in kept if held_out[row[2]] == side], languages, len(rows) - len(kept))
        for side in (False, True)
    )


def _dates(rows: list[tuple], languages: Sequence[str], ambiguous: int) -> Dates:
    _, texts, iso, labels, spans = zip(*rows, strict=True)
    return Dates(
        texts, iso, np.array(labels, np.int32), tuple(languages), np.array(spans, np.int32), ambiguous
    )


def _dates_of(label: int, language: str, styles: Sequence[str], days: range) -> Iterator[tuple]:
    """(a fraction that orders the rows, text, ISO, label, spans), day by day."""
    from babel.dates import DateTimeFormat, get_date_format

    locale = _locale(language)
    # "%(d)s. %(MMMM)s %(y)s" → ["", "d", ". ", "MMMM", " ", "y", ""]: letters and fields in turn.
    patterns = [re.split(r"%\((\w+)\)s", get_date_format(style, locale).format) for style in styles]
    for day in map(datetime.date.fromordinal, days):
        iso = day.isoformat()
        pieces = list(patterns[int(len(patterns) * _fraction(f"{iso} {language} style"))])
        written = DateTimeFormat(day, locale)
        fields, pieces[1::2] = pieces[1::2], [written[field] for field in pieces[1::2]]
        ends = list(itertools.accumulate(map(len, pieces)))
        span = {field[0].lower(): (ends[2 * i], ends[2 * i + 1]) for i, field in enumerate(fields)}
        spans = [span["y"], span.get("m") or span["l"], span["d"]]  # L: a month's name that stands alone
        yield _fraction(f"{iso} {language}"), "".join(pieces), iso, label, spans
