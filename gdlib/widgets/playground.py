"""A small network that learns in the page, from points that the reader draws."""

import numpy as np
from numpy.typing import ArrayLike

from gdlib import expect
from gdlib.widgets.embed import Widget, packed, widget

MOST_UNITS = 8
BODY = f"""
<div class="gdlib-row">
<div class="gdlib-plane" tabindex="0" role="application" aria-label="The plane of the points. Arrow keys move a pen by
0.1, with Shift by 0.5; Enter draws a point; Space changes over to the other class; Backspace takes the last point
away."><canvas></canvas></div>
<canvas class="gdlib-board" role="img" aria-label="The loss against steps"></canvas>
</div>
<div class="gdlib-row">
<p><label><input type="radio" class="gdlib-kind"> draw circles</label>
<label><input type="radio" class="gdlib-kind"> draw crosses</label></p>
<p><label>Hidden units
<input type="range" class="gdlib-scrub gdlib-hidden" min="1" max="{MOST_UNITS}" value="3" step="1">
<output></output></label></p>
<p><label>Learning rate
<input type="range" class="gdlib-scrub gdlib-rate" min="0" max="7" value="4" step="1"> <output></output></label></p>
</div>
<div class="gdlib-row">
<button type="button" class="gdlib-play">Train</button>
<button type="button" class="gdlib-play gdlib-again">Begin anew</button>
<button type="button" class="gdlib-play gdlib-clear">Clear</button>
<button type="button" class="gdlib-play gdlib-reset">First points</button>
</div>
<p class="gdlib-says" aria-live="polite"></p>
<p class="gdlib-note">Press Train. A touch draws a point. Or by keyboard: arrow keys move the pen, with Shift five times
as far; Enter draws; Space changes over to the other class; Backspace takes the last point away.</p>
<p class="gdlib-note gdlib-agrees"></p>
<noscript>This figure moves when JavaScript is on.</noscript>
"""
Weights = tuple[ArrayLike, ArrayLike, ArrayLike, ArrayLike | float]


def playground(
    points: ArrayLike, labels: ArrayLike, *, begin: Weights, rate: float, steps: int, learned: Weights
) -> Widget:
    """Draw points of two classes, and a network with one hidden layer of ReLUs learns them by gradient descent.

    Args:
      points, labels: to begin with, (n, 2), between −3 and 3, and (n,), labels 0 and 1, both of them there.
      begin: the weights W (H, 2), b (H,), v (H,) and c, of at most 8 hidden units, from which the figure starts.
      rate, steps: with which the chapter's own code learned,
      learned: and the weights that it came to, as `begin`. The page takes the same steps, and says how far it is off.

    Raises ValueError where shapes do not fit, for other labels, points outside the plane, NaN or infinity, a rate that
    is not positive; TypeError for labels or steps that are no integers.
    """
    points, labels = np.asarray(points, np.float64), np.asarray(labels)
    if points.ndim != 2 or points.shape[1] != 2 or not len(points):
        raise ValueError(f"points: expected shape (n, 2), got {points.shape}")
    expect.within("points", points, -3, 3)
    expect.positions("labels", labels, len(points), 2)
    if len(np.unique(labels)) != 2:
        raise ValueError(f"labels: expected both 0 and 1, got only {labels[0]}")
    if not 0 < rate < np.inf:
        raise ValueError(f"rate: expected a finite number above 0, got {rate}")
    payload = {
        "points": packed(points.ravel()),
        "labels": labels.tolist(),
        "begin": _listed("begin", begin),
        "probe": {
            "rate": float(rate),
            "steps": expect.positive_int("steps", steps),
            "learned": _listed("learned", learned),
        },
    }
    description = (
        "A plane with points of two classes, which can be drawn, the lines of a network's hidden units among them, the "
        "network's answer as colour, and its loss against the steps that it has learned."
    )
    return widget("playground", BODY, payload, description=description)


def _listed(name: str, weights: Weights) -> dict:
    W, b, v, c = (np.asarray(part, np.float64) for part in weights)
    if not 1 <= len(b) <= MOST_UNITS or (W.shape, v.shape, c.shape) != ((len(b), 2), b.shape, ()):
        raise ValueError(
            f"{name}: expected W (H, 2), b (H,), v (H,) and a number c, with H from 1 to {MOST_UNITS}, got shapes "
            f"{W.shape}, {b.shape}, {v.shape} and {c.shape}"
        )
    for part in (W, b, v, c):
        expect.finite(name, np.atleast_1d(part))
    return {"W": W.ravel().tolist(), "b": b.tolist(), "v": v.tolist(), "c": float(c)}
