"""Pictures through training, to scrub or to play."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike

from gdlib import expect
from gdlib.widgets.embed import Widget, grey_png, widget

BODY = """
<img class="gdlib-picture" alt="">
<p><button type="button" class="gdlib-play">Play</button></p>
<p><label>Moment <input type="range" class="gdlib-scrub" min="0" value="0" step="1"></label></p>
<p class="gdlib-says" aria-live="polite"></p>
<noscript>This figure moves when JavaScript is on.</noscript>
"""


def film(frames: Mapping[str, ArrayLike], *, columns: int, alt: str) -> Widget:
    """Sheets of grey images, one a moment, that a button plays and a slider goes through.

    Args:
      frames: name of the moment → (n, height, width, 1) with values in [0, 1], n a multiple of `columns`.
      columns: images in a row.
      alt: what all of the pictures show.

    Raises ValueError where shapes or values are not as above.
    """
    columns = expect.positive_int("columns", columns)
    shapes = {name: np.shape(images) for name, images in frames.items()}
    shape = next(iter(shapes.values()), ())
    if (
        len(set(shapes.values())) != 1
        or len(shape) != 4
        or shape[3] != 1
        or not shape[0]
        or shape[0] % columns
    ):
        raise ValueError(f"frames: expected (n, height, width, 1), n a multiple of {columns}, got {shapes}")
    n, height, width, _ = shape
    pictures = []
    for name, images in frames.items():
        images = np.asarray(images)
        expect.within(f"frames[{name!r}]", images, 0, 1)
        sheet = images.reshape(n // columns, columns, height, width).transpose(0, 2, 1, 3)
        pictures.append({"name": name, "image": grey_png(sheet.reshape(-1, columns * width))})
    payload = {"frames": pictures, "alt": alt}
    return widget("film", BODY, payload, description=f"{alt}: {', '.join(frames)}")
