"""Texts as tokens: one integer a character, with padding, start, end and the unknown among them.

Unicode writes "é" as one character (NFC) or as an "e" and an accent (NFD). Here, as in the figures of the pages, a
text is read in NFC, whichever way it came.
"""

import unicodedata
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from gdlib import expect

PAD, START, END, UNKNOWN = range(4)


class Tokens(NamedTuple):
    """ids: (n, length) int32, padded with PAD at the end. lengths: (n,) int32, how many of a row are text (in NFC)."""

    ids: np.ndarray
    lengths: np.ndarray


class Vocabulary:
    """Characters ↔ tokens. Tokens 0 to 3 are padding, start, end and unknown; then come the characters in order.

    Args:
      texts: whose characters, once in NFC, are known; others become UNKNOWN.

    Raises TypeError for what is no text.

    Example:
      >>> vocabulary = Vocabulary(["ab", "bc"])
      >>> vocabulary.encode(["cab", "d"], end=True).ids
      array([[6, 4, 5, 2],
             [3, 2, 0, 0]], dtype=int32)
    """

    def __init__(self, texts: Iterable[str]):
        self.characters = "".join(sorted({character for text in texts for character in composed(text)}))
        self._position = {character: i for i, character in enumerate(self.characters, start=UNKNOWN + 1)}

    def __len__(self) -> int:
        return UNKNOWN + 1 + len(self.characters)

    def tokens(self, text: str) -> list[int]:
        """One text, in NFC, a token for each character, and nothing else. Raises TypeError for no text."""
        return [self._position.get(character, UNKNOWN) for character in composed(text)]

    def encode(
        self, texts: Sequence[str], *, length: int | None = None, start: bool = False, end: bool = False
    ) -> Tokens:
        """Each text, in NFC, as a row of tokens.

        Args:
          texts: at least one. An empty text is one only with `start` or `end`.
          length: of a row; default that of the longest.
          start, end: put START before, END after each text.

        Raises ValueError for no texts, a text without tokens, and one that is longer than `length`; TypeError for what
        is no text.
        """
        rows = [[START] * start + self.tokens(text) + [END] * end for text in texts]
        if not rows:
            raise ValueError("texts: expected at least one, got none")
        lengths = np.array([len(row) for row in rows], np.int32)
        if not lengths.all():
            raise ValueError(
                f"texts: expected at least one character each, got an empty one at {lengths.argmin()}"
            )
        longest = int(lengths.max())
        length = longest if length is None else expect.positive_int("length", length)
        if longest > length:
            raise ValueError(
                f"texts: expected at most {length} tokens each, got {longest} for {texts[int(lengths.argmax())]!r}"
            )
        ids = np.full((len(rows), length), PAD, np.int32)
        for row, codes in zip(ids, rows, strict=True):
            row[: len(codes)] = codes
        return Tokens(ids, lengths)

    def decode(self, ids: ArrayLike) -> list[str]:
        """The text of each row in NFC, up to its first END; padding and START left out, UNKNOWN shown as "�".

        Raises TypeError or ValueError for what is no (n, length) of tokens.
        """
        ids = np.asarray(ids)
        if ids.ndim != 2:
            raise ValueError(f"ids: expected shape (n, length), got {ids.shape}")
        expect.tokens("ids", ids, len(self))
        shown = dict(enumerate(self.characters, start=UNKNOWN + 1)) | {UNKNOWN: "\N{REPLACEMENT CHARACTER}"}
        texts = []
        for row in ids.tolist():
            row = row[: row.index(END)] if END in row else row
            texts.append(composed("".join(shown.get(token, "") for token in row)))
        return texts


def composed(text: str) -> str:
    """A text in NFC. Raises TypeError for what is no text."""
    if not isinstance(text, str):
        raise TypeError(f"texts: expected strings, got {expect.describe(text)}")
    return unicodedata.normalize("NFC", text)
