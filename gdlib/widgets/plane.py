"""A plane of codes to walk on: the decoder runs in the page."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from gdlib import expect
from gdlib.widgets.embed import Layer, Widget, layers_packed, packed, widget

# matplotlib's "tab10", as in plot.latent_map: a class has one colour throughout a chapter.
COLOURS = (
    "#1f77b4", "#ff7f0e", "#2ca02c", "#d62728", "#9467bd",
    "#8c564b", "#e377c2", "#7f7f7f", "#bcbd22", "#17becf",
)  # fmt: skip
BODY = """
<div class="gdlib-row">
<div class="gdlib-plane" tabindex="0" role="application" aria-label="The plane of codes. Arrow keys move the code by
0.1, with Shift by 0.5; Home brings it back to the origin."><canvas></canvas></div>
<canvas class="gdlib-image" role="img" aria-label="The decoded image"></canvas>
</div>
<p class="gdlib-says" aria-live="polite"></p>
<p><button type="button" class="gdlib-play">Back to the middle</button></p>
<p class="gdlib-note">Drag the ring. Or by keyboard: arrow keys move it, with Shift five times as far; Home brings it
back.</p>
<p class="gdlib-note gdlib-agrees"></p>
<noscript>This figure moves when JavaScript is on.</noscript>
"""


def latent_plane(
    layers: Sequence[Layer],
    points: ArrayLike,
    labels: ArrayLike,
    classes: Sequence[str],
    *,
    image_shape: tuple[int, int],
    probe: tuple[ArrayLike, ArrayLike],
) -> Widget:
    """Drag a code through the plane, or walk it with the arrow keys, and see what the decoder makes of it.

    Args:
      layers: the decoder: dense layers from 2 numbers to height · width logits, ReLU between them.
      points: (n, 2) codes of images, drawn as the class they belong to.
      labels: (n,) the position of each point's class in `classes`.
      classes: names of at most ten classes.
      image_shape: (height, width).
      probe: (codes, probabilities): some codes, (k, 2), and the images that the model itself makes of
        them with the weights of `layers`, (k, height · width). The page computes them too, and says how
        far it is off.

    Raises ValueError where shapes do not fit, for labels outside the classes, NaN or infinity; TypeError for
    labels that are no integers.
    """
    points, labels = np.asarray(points, np.float32), np.asarray(labels)
    codes, images = (np.asarray(array, np.float32) for array in probe)
    height, width = image_shape
    if points.ndim != 2 or points.shape[1] != 2 or labels.shape != points.shape[:1] or not len(points):
        raise ValueError(f"points: expected (n, 2) and n labels, got {points.shape} and {labels.shape}")
    if not 0 < len(classes) <= len(COLOURS):
        raise ValueError(f"classes: expected 1 to {len(COLOURS)}, got {len(classes)}")
    ends = (layers[0].integers.shape[0], layers[-1].integers.shape[1])
    if ends != (2, height * width):
        raise ValueError(
            f"layers: expected to lead from 2 to {height * width} numbers, got from {ends[0]} to {ends[1]}"
        )
    if (
        codes.ndim != 2
        or codes.shape[1:] != (2,)
        or not len(codes)
        or images.shape != (len(codes), height * width)
    ):
        raise ValueError(
            f"probe: expected codes (k, 2) and images (k, {height * width}), got {codes.shape} and {images.shape}"
        )
    for name, array in {"points": points, "probe codes": codes, "probe images": images}.items():
        expect.finite(name, array)
    expect.positions("labels", labels, len(points), len(classes))
    payload = {
        "layers": layers_packed(list(layers)),
        "points": packed(points),
        "labels": labels.tolist(),
        "classes": list(classes),
        "colours": COLOURS[: len(classes)],
        "height": height,
        "width": width,
        "probe": {"codes": packed(codes), "images": packed(images)},
    }
    description = (
        f"A plane with the codes of {len(points)} images, drawn as their classes, and the image that the decoder "
        "makes of the code under the marker, which you can drag or move with the arrow keys."
    )
    return widget("plane", BODY, payload, description=description)
