"""What places and currencies are called in many languages, from the CLDR data that babel carries."""

from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from gdlib.data.split import fraction, hold_out_entities

# Written in Latin letters, and with names for most places and currencies.
LANGUAGES = (
    "da", "de", "en", "es", "et", "fi", "fr", "ga", "hr", "hu", "it", "lt", "nl",
    "pl", "pt", "ro", "sl", "sq", "sv", "tr",
)  # fmt: skip


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

    def select(self, index: np.ndarray) -> "Names":
        """The names at these positions."""
        texts, entities = (tuple(column[i] for i in index) for column in (self.texts, self.entities))
        return self._replace(
            texts=texts, labels=self.labels[index], entities=entities, right=self.right[index]
        )


def place_names(languages: Sequence[str] = LANGUAGES, *, share: float = 0.2) -> tuple[Names, Names]:
    """(train, test): what places and currencies are called in each of the languages, split by `hold_out_entities`.

    Args:
      languages: codes that babel knows.
      share: of the entities, about, that are held out; between 0 and 1.

    Raises ValueError for fewer than two languages, an unknown one, and a share that leaves one side empty.
    """
    rows = [row for label, language in enumerate(languages) for row in _names_of(label, language)]
    if len(set(languages)) < 2:
        raise ValueError(f"languages: expected at least two, got {tuple(languages)}")
    return hold_out_entities(_mixed(rows, languages), share=share)


def _names_of(label: int, language: str) -> list[tuple[str, int, str]]:
    """(name, label, entity) for each territory and currency that the language has a name for."""
    locale = locale_of(language)
    tables = {"territory": locale.territories, "currency": locale.currencies}
    return [
        (name, label, f"{kind} {code}")
        for kind, table in tables.items()
        for code, name in sorted(table.items())
        if code not in ("XA", "XB", "ZZ", "XXX", "XTS")  # unknown, and made for testing
    ]


def locale_of(language: str):
    """Babel's locale. Raises ValueError for a code that it does not know."""
    from babel import Locale, UnknownLocaleError  # reads its data: only where it is used

    try:
        return Locale.parse(language)
    except (UnknownLocaleError, ValueError) as error:
        raise ValueError(f"languages: expected codes that babel knows, got {language!r} ({error})") from None


def _mixed(rows: list[tuple[str, int, str]], languages: Sequence[str]) -> Names:
    """In an order that mixes languages and entities, and depends on the rows alone."""
    rows = sorted(rows, key=lambda row: fraction(f"{row[2]} {languages[row[1]]}"))
    texts, labels, entities = zip(*rows, strict=True)
    spoken = defaultdict(set)
    for text, label, _ in rows:
        spoken[text].add(label)
    right = np.array([[label in spoken[text] for label in range(len(languages))] for text in texts])
    return Names(texts, np.array(labels, np.int32), entities, tuple(languages), right)
