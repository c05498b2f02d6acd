"""A digit to draw: a convolutional network answers in the page, and shows its feature maps."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from gdlib import expect
from gdlib.models.cnn import POOL, WINDOW
from gdlib.widgets.embed import Layer, Widget, layer_packed, layers_packed, packed, widget

BODY = """
<div class="gdlib-row">
<div class="gdlib-paper" tabindex="0" role="application" aria-label="A board to draw on. Arrow keys move the
pen, with Shift four times as far; Space puts it down and lifts it; Escape or Delete clears."><canvas
></canvas></div>
<figure><canvas class="gdlib-image gdlib-seen" role="img"></canvas>
<figcaption>what the network sees</figcaption></figure>
<ul class="gdlib-bars" aria-label="Probability of each class"></ul>
</div>
<p class="gdlib-says" aria-live="polite"></p>
<div class="gdlib-row gdlib-picks" role="group" aria-label="Samples"><button type="button"
class="gdlib-clear">Clear</button></div>
<p class="gdlib-pen" aria-live="polite"></p>
<p class="gdlib-note">Draw with mouse, pen or finger. Or by keyboard: arrow keys move the pen, with Shift four
times as far; Space puts it down and lifts it; Escape clears.</p>
<p class="gdlib-note gdlib-form"></p>
<div class="gdlib-row gdlib-layers"></div>
<p class="gdlib-note gdlib-agrees"></p>
<noscript>This figure moves when JavaScript is on.</noscript>
"""


def sketch(
    convolutions: Sequence[Layer],
    dense: Sequence[Layer],
    samples: ArrayLike,
    classes: Sequence[str],
    *,
    probabilities: ArrayLike,
) -> Widget:
    """Draw a digit, or pick a sample, and see what the network says and what each of its layers makes of it.

    What is drawn is brought into the form of MNIST's digits, as LeCun et al. (1998) describe; a sample is
    taken as it is.

    Args:
      convolutions: of 3 × 3 without padding, each followed by ReLU and a pooling of 2 × 2; each a kernel as
        `kernel.reshape(-1, outputs)` makes it of Flax's (3, 3, inputs, outputs), and its bias. The first one
        takes one channel.
      dense: layers from the last feature maps, flattened as Flax does, to the logits, ReLU between them.
      samples: (k, height, width) or (k, height, width, 1) images with values in [0, 1], 1 where ink is.
      classes: their names, one a logit.
      probabilities: (k, classes) what the model itself says of the samples with the weights of
        `convolutions` and `dense`. The page computes them too, and says how far it is off.

    Raises ValueError where shapes do not fit, and for images and probabilities outside [0, 1] or NaN.
    """
    samples, probabilities = np.asarray(samples, np.float32), np.asarray(probabilities, np.float32)
    if samples.ndim == 4 and samples.shape[3] == 1:
        samples = samples[..., 0]
    if samples.ndim != 3 or not samples.size:
        raise ValueError(
            f"samples: expected (k, height, width) or (k, height, width, 1), got {samples.shape}"
        )
    k, height, width = samples.shape
    ends = (_features(convolutions, height, width), len(classes))
    if not dense or (dense[0].integers.shape[0], dense[-1].integers.shape[1]) != ends:
        raise ValueError(
            f"dense: expected to lead from {ends[0]} to {ends[1]} numbers, one a class, got layers of shapes "
            f"{[layer.integers.shape for layer in dense]}"
        )
    if probabilities.shape != (k, len(classes)):
        raise ValueError(f"probabilities: expected shape {(k, len(classes))}, got {probabilities.shape}")
    expect.within("samples", samples, 0, 1)
    expect.within("probabilities", probabilities, 0, 1)
    payload = {
        "convolutions": [layer_packed(layer) for layer in convolutions],
        "dense": layers_packed(list(dense), name="dense"),
        "samples": packed(samples),
        "probabilities": packed(probabilities),
        "classes": list(classes),
        "height": height,
        "width": width,
        "window": WINDOW,
        "pool": POOL,
    }
    description = (
        f"A board to draw a digit on, by pointer or by keys, and {k} images to pick: a convolutional network "
        "answers with the probability of each class, and shows its feature maps."
    )
    return widget("sketch", BODY, payload, description=description)


def _features(convolutions: Sequence[Layer], height: int, width: int) -> int:
    """How many numbers the last pooling gives. Raises ValueError where a convolution does not fit."""
    if not convolutions:
        raise ValueError("convolutions: expected at least one, got none")
    size, channels = (height, width), 1
    for position, (integers, *_) in enumerate(convolutions):
        rows, outputs = integers.shape
        if rows != WINDOW**2 * channels:
            raise ValueError(
                f"convolutions[{position}]: expected a kernel of {WINDOW} · {WINDOW} · {channels} = "
                f"{WINDOW**2 * channels} rows, got shape {integers.shape}"
            )
        size, channels = tuple((n - WINDOW + 1) // POOL for n in size), outputs
        if min(size) < 1:
            raise ValueError(
                f"samples: expected images large enough for {len(convolutions)} convolutions, got "
                f"{height} × {width}"
            )
    return math.prod(size) * channels
