"""Images whose label is in doubt: the reader says what each shows, and then learns who said what."""

import numpy as np
from numpy.typing import ArrayLike

from gdlib import expect
from gdlib.widgets.embed import Widget, grey_png, widget

BODY = """
<p class="gdlib-asks" aria-live="polite"></p>
<img class="gdlib-picture gdlib-judged" alt="">
<div class="gdlib-row gdlib-choices" role="group" aria-label="What the image shows"></div>
<p class="gdlib-says" aria-live="polite"></p>
<p><button type="button" class="gdlib-play gdlib-next" hidden>Next</button></p>
<noscript>These images can be judged when JavaScript is on.</noscript>
"""


def judge(images: ArrayLike, given: ArrayLike, guessed: ArrayLike, *, classes: int) -> Widget:
    """Each image with two classes to choose from, or neither; how often the reader agrees with whom is counted.

    The two stand in the order of the classes, so that nothing tells which of them is the label.

    Args:
      images: (n, height, width, 1) with values in [0, 1].
      given: (n,), the labels in doubt. guessed: (n,), what a model says, another class each time.
      classes: how many there are.

    Raises TypeError or ValueError where shapes, values or classes are not as above.
    """
    images, given, guessed = np.asarray(images), np.asarray(given), np.asarray(guessed)
    if images.ndim != 4 or images.shape[3] != 1 or not images.size:
        raise ValueError(f"images: expected shape (n, height, width, 1), got {images.shape}")
    expect.within("images", images, 0, 1)
    classes = expect.positive_int("classes", classes)
    for name, column in {"given": given, "guessed": guessed}.items():
        expect.positions(name, column, len(images), classes)
    same = given == guessed
    if same.any():
        raise ValueError(f"guessed: expected another class than given, got the same in row {same.argmax()}")
    payload = {
        "images": [grey_png(image[..., 0]) for image in images],
        "given": given.tolist(),
        "guessed": guessed.tolist(),
    }
    description = f"{len(images)} images whose label is in doubt, for the reader to judge."
    return widget("judge", BODY, payload, description=description)
