"""Real texts in many languages: names of places and currencies, from the CLDR data that babel carries."""

import hashlib
from collections import defaultdict
from collections.abc import Sequence
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
    from babel import Locale, UnknownLocaleError  # reads its data: only where it is used

    try:
        locale = Locale.parse(language)
    except (UnknownLocaleError, ValueError) as error:
        raise ValueError(f"languages: expected codes that babel knows, got {language!r} ({error})") from None
    tables = {"territory": locale.territories, "currency": locale.currencies}
    return [
        (name, label, f"{kind} {code}")
        for kind, table in tables.items()
        for code, name in sorted(table.items())
        if code not in ("XA", "XB", "ZZ", "XXX", "XTS")  # unknown, and made for testing
    ]


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
