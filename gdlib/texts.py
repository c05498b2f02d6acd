"""Real texts in many languages: names of places and currencies, from the CLDR data that babel carries."""

import hashlib
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
    one names, such as "territory PE". languages: the codes.
    """

    texts: tuple[str, ...]
    labels: np.ndarray
    entities: tuple[str, ...]
    languages: tuple[str, ...]


def names(languages: Sequence[str] = LANGUAGES, *, share: float = 0.2) -> tuple[Names, Names]:
    """(train, test): what places and currencies are called in each of the languages.

    The split is by entity: Peru's names in all languages stand on one side. Held out are those whose
    SHA-256, read as a fraction, lies below `share`: the side of each depends on nothing else. A text that stands in
    the test set (another entity can bear the same) is left out of the training set.

    Args:
      languages: codes that babel knows.
      share: of the entities, about, that are held out; between 0 and 1.

    Raises ValueError for fewer than two languages, an unknown one, and a share that leaves one side empty.
    """
    rows = [row for label, language in enumerate(languages) for row in _names_of(label, language)]
    if len(set(languages)) < 2:
        raise ValueError(f"languages: expected at least two, got {tuple(languages)}")
    held_out = {entity for _, _, entity in rows if _fraction(entity) < share}
    if not held_out or len(held_out) == len({entity for _, _, entity in rows}):
        raise ValueError(f"share: expected one that leaves entities on both sides, got {share}")
    test = [row for row in rows if row[2] in held_out]
    seen = {text for text, _, _ in test}
    train = [row for row in rows if row[2] not in held_out and row[0] not in seen]
    return _mixed(train, languages), _mixed(test, languages)


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
    return Names(texts, np.array(labels, np.int32), entities, tuple(languages))
