"""A name to type: a recurrent network reads it in the page, and shows its state letter by letter."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from gdlib import expect
from gdlib.widgets.embed import Layer, Widget, layer_packed, layers_packed, packed, widget
from gdlib.widgets.typed import TOKENS, field, stacked_answers

BODY = f"""
<div class="gdlib-row">{field("A name")}</div>
<div class="gdlib-row gdlib-picks" role="group" aria-label="Names to try"></div>
<div class="gdlib-strip" tabindex="0" role="slider" aria-label="Letters read" aria-valuemin="1"><div
class="gdlib-spelled" aria-hidden="true"></div><canvas class="gdlib-state"></canvas><canvas
class="gdlib-shares"></canvas></div>
<p class="gdlib-note">Above: the units of the state after each letter, blue where positive, orange where negative.
Below: the probability of each class. Point at a letter, or move with the arrow keys.</p>
<p class="gdlib-says" aria-live="polite"></p>
<ul class="gdlib-bars" aria-label="The most probable classes"></ul>
<p class="gdlib-note gdlib-agrees"></p>
<noscript>This figure moves when JavaScript is on.</noscript>
"""


def letters(
    embedding: ArrayLike,
    inputs: Layer,
    recurrent: Layer,
    dense: Sequence[Layer],
    characters: str,
    classes: Sequence[str],
    samples: Sequence[str],
    *,
    probabilities: Sequence[ArrayLike],
    longest: int,
) -> Widget:
    """Type a name, and see the state of a GRU and its answer after every letter.

    Args:
      embedding: (4 + characters, features) a vector a token, the four special ones first (`tokens`).
      inputs, recurrent: a GRU's two products, to 3 · hidden numbers each: `inputs` and `recurrent` of `rnn.GRUCell`.
      dense: layers from the state to the logits, ReLU between them.
      characters: those with tokens of their own, in order; others are read as unknown.
      classes: their names, one a logit.
      samples: names to try, of at most `longest` characters.
      probabilities: for each sample (letters, classes), what the model itself says after each of its letters, with
        the weights given here. The page computes them too, and says how far it is off.
      longest: characters that are read; the rest of a longer name is left out.

    Raises ValueError where shapes do not fit, for an empty or too long sample, and for NaN.
    """
    embedding = np.asarray(embedding, np.float32)
    longest = expect.positive_int("longest", longest)
    special = TOKENS["first"]
    if embedding.ndim != 2 or len(embedding) != special + len(characters):
        raise ValueError(
            f"embedding: expected a row for each of {special} special tokens and {len(characters)} characters, got "
            f"shape {embedding.shape}"
        )
    expect.finite("embedding", embedding)
    hidden = recurrent.integers.shape[0]
    for name, layer, rows in (("inputs", inputs, embedding.shape[1]), ("recurrent", recurrent, hidden)):
        if layer.integers.shape != (rows, 3 * hidden):
            raise ValueError(f"{name}: expected shape {(rows, 3 * hidden)}, got {layer.integers.shape}")
    if not dense or (dense[0].integers.shape[0], dense[-1].integers.shape[1]) != (hidden, len(classes)):
        raise ValueError(
            f"dense: expected to lead from {hidden} to {len(classes)} numbers, one a class, got layers of shapes "
            f"{[layer.integers.shape for layer in dense]}"
        )
    answers = stacked_answers(
        samples,
        probabilities,
        len(classes),
        longest=longest,
        rows=lambda text: range(len(text), len(text) + 1),
    )
    payload = {
        "embedding": packed(embedding),
        "inputs": layer_packed(inputs),
        "recurrent": layer_packed(recurrent),
        "dense": layers_packed(list(dense), name="dense"),
        "characters": characters,
        "classes": list(classes),
        "samples": list(samples),
        "probabilities": packed(answers),
        "longest": longest,
        "tokens": TOKENS,
    }
    description = (
        f"A name to type, and {len(samples)} to try: a recurrent network reads it letter by letter, and shows its "
        "state and the probability of each class after every one."
    )
    return widget("letters", BODY, payload, description=description)
