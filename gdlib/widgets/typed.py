"""What the figures with a text to type share: the field, and the model's own answers for the samples."""

import unicodedata
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import ArrayLike

from gdlib import expect
from gdlib.data import tokens

# What the page gets to know of tokens: the special ones, and the first character's.
TOKENS = {
    "pad": tokens.PAD,
    "start": tokens.START,
    "end": tokens.END,
    "unknown": tokens.UNKNOWN,
    "first": tokens.UNKNOWN + 1,
}


def field(label: str) -> str:
    """HTML of the field to type in."""
    return (
        f'<label class="gdlib-asks">{label} <input type="text" class="gdlib-typed" spellcheck="false" '
        'autocomplete="off" autocapitalize="off"></label>'
    )


def stacked_answers(
    samples: Sequence[str],
    probabilities: Sequence[ArrayLike],
    outputs: int,
    *,
    longest: int,
    rows: Callable[[str], range],
) -> np.ndarray:
    """All samples' probabilities under each other, float32.

    Args:
      samples: texts of 1 to `longest` characters in NFC, which is how the page reads them.
      probabilities: for each an array (rows, outputs), with as many rows as `rows` of the text allows.

    Raises ValueError where one is not as above, and for probabilities outside 0 to 1.
    """
    if not samples or len(probabilities) != len(samples):
        raise ValueError(
            f"samples: expected at least one, and probabilities for each, got {len(samples)} and {len(probabilities)}"
        )
    stacked = []
    for text, answer in zip(samples, probabilities, strict=True):
        text = unicodedata.normalize("NFC", text)
        answer, allowed = np.asarray(answer, np.float32), rows(text)
        if not 1 <= len(text) <= longest:
            raise ValueError(f"samples: expected 1 to {longest} characters each, got {text!r}")
        if answer.ndim != 2 or len(answer) not in allowed or answer.shape[1] != outputs:
            few, most = allowed[0], allowed[-1]
            count = f"{few}" if few == most else f"{few} to {most}"
            raise ValueError(
                f"probabilities: expected shape ({count}, {outputs}) for {text!r}, got {answer.shape}"
            )
        expect.within("probabilities", answer, 0, 1)
        stacked.append(answer)
    return np.concatenate(stacked)
