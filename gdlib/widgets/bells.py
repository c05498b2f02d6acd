"""Two bells, their examples, and the two boundaries that are learned from them, in the page."""

import numpy as np
from numpy.typing import ArrayLike

from gdlib import expect
from gdlib.widgets.embed import Widget, packed, widget

BODY = """
<div class="gdlib-row">
<div class="gdlib-plane" tabindex="0" role="application" aria-label="The plane of both classes. Arrow keys move the
mean of one class by 0.1, with Shift by 0.5; Space changes over to the other class; Home puts both back."><canvas>
</canvas></div>
<canvas class="gdlib-board" role="img" aria-label="Learning curves"></canvas>
</div>
<div class="gdlib-row">
<p><label>Examples of each class
<input type="range" class="gdlib-scrub gdlib-count" min="0" max="7" value="2" step="1">
<output></output></label></p>
<p><label>Width of the circles
<input type="range" class="gdlib-scrub gdlib-width" min="0.5" max="2" value="1" step="0.1">
<output></output></label></p>
<p><label>Width of the crosses
<input type="range" class="gdlib-scrub gdlib-width" min="0.5" max="2" value="1" step="0.1">
<output></output></label></p>
<p><label>Correlation
<input type="range" class="gdlib-scrub gdlib-tilt" min="-0.9" max="0.9" value="0" step="0.1">
<output></output></label></p>
<p><button type="button" class="gdlib-play">Another draw</button></p>
</div>
<p class="gdlib-says" aria-live="polite"></p>
<p class="gdlib-note">Drag a mean. Or by keyboard: arrow keys move it, with Shift five times as far; Space changes over
to the other; Home puts both back.</p>
<p class="gdlib-note gdlib-agrees"></p>
<noscript>This figure moves when JavaScript is on.</noscript>
"""


def bells(
    points: ArrayLike, labels: ArrayLike, *, ridge: float, floor: float, naive: ArrayLike, logistic: ArrayLike
) -> Widget:
    """Move two normal distributions and draw examples of them: naive Bayes and logistic regression learn in the page.

    Naive Bayes has variances shared by both classes. The errors are exact, of the lines on the two distributions.

    Args:
      points, labels: examples to be tested on, (n, 2) and (n,), labels 0 and 1, both of them there.
      ridge: λ of ½ λ |w|², taken from logistic regression's log-likelihood.
      floor: what is added to each variance of naive Bayes.
      naive, logistic: (w₁, w₂, b) that the chapter's own code learns from these examples. The page learns
        from them too, and says how far it is off.

    Raises ValueError where shapes do not fit, for other labels, NaN or infinity, a negative floor, and a ridge that is
    not positive; TypeError for labels that are no integers.
    """
    points, labels = np.asarray(points, np.float32), np.asarray(labels)
    lines = {"naive": np.asarray(naive, np.float32), "logistic": np.asarray(logistic, np.float32)}
    if points.ndim != 2 or points.shape[1] != 2 or not len(points):
        raise ValueError(f"points: expected shape (n, 2), got {points.shape}")
    expect.positions("labels", labels, len(points), 2)
    if len(np.unique(labels)) != 2:
        raise ValueError(f"labels: expected both 0 and 1, got only {labels[0]}")
    for name, line in lines.items():
        if line.shape != (3,):
            raise ValueError(f"{name}: expected (w₁, w₂, b), got shape {line.shape}")
    for name, array in {"points": points, **lines}.items():
        expect.finite(name, array)
    if not ridge > 0 or not floor >= 0:
        raise ValueError(
            f"ridge, floor: expected a ridge above 0 and a floor of at least 0, got {ridge} and {floor}"
        )
    payload = {
        "ridge": ridge,
        "floor": floor,
        "probe": {"points": packed(points), "labels": labels.tolist()}
        | {name: line.tolist() for name, line in lines.items()},
    }
    description = (
        "A plane with two classes, whose means, widths and correlation can be moved, the boundaries that naive Bayes "
        "and logistic regression learn from examples, and how often each errs by the number of examples."
    )
    return widget("bells", BODY, payload, description=description)
