"""A game of two networks in the plane, frame by frame: samples, judgement, and where the samples are pulled."""

import operator
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from gdlib import expect
from gdlib.widgets.embed import Widget, packed, widget

BODY = """
<div class="gdlib-row">
<canvas class="gdlib-board" role="img" aria-label="The plane of the game"></canvas>
<div class="gdlib-controls">
<fieldset class="gdlib-quiz gdlib-games"><legend>Game</legend></fieldset>
<p><button type="button" class="gdlib-play">Play</button></p>
<p><label>Training step <input type="range" class="gdlib-scrub" min="0" value="0" step="1"></label></p>
<fieldset class="gdlib-quiz"><legend>Show</legend>
<label><input type="checkbox" class="gdlib-surface" checked> what the discriminator says</label>
<label><input type="checkbox" class="gdlib-field" checked> where it pulls samples</label></fieldset>
</div>
</div>
<p class="gdlib-says" aria-live="polite"></p>
<p class="gdlib-note">Dark points are samples, circles real modes. Blue: judged fake; orange: judged real.</p>
<noscript>This figure moves when JavaScript is on.</noscript>
"""


class Frame(NamedTuple):
    """A moment of a game.

    step: training steps made.
    samples: (n, 2) of the generator.
    surface: (g, g) the discriminator's probability of *real* on a square grid, first index along x.
    field: (k, k, 2) minus the gradient of the generator's loss in a sample, at k × k points of such a grid.
    note: in words, for who reads rather than looks.
    """

    step: int
    samples: np.ndarray
    surface: np.ndarray
    field: np.ndarray
    note: str


def game(games: Mapping[str, Sequence[Frame]], modes: ArrayLike, *, extent: float) -> Widget:
    """Scrub or play through games, and switch between them. All is drawn on [−extent, extent]².

    Args:
      games: name → frames, every game with as many and of the same shapes.
      modes: (m, 2) where real examples lie.
      extent: half the width of the picture. The outermost points of every grid lie on its edge.

    Raises ValueError where shapes do not fit, for probabilities outside [0, 1], NaN or infinity.
    """
    modes = np.asarray(modes, np.float32)
    if not games or len({len(frames) for frames in games.values()}) != 1 or not next(iter(games.values())):
        raise ValueError(
            f"games: expected as many frames in each, got { {name: len(f) for name, f in games.items()} }"
        )
    if modes.ndim != 2 or modes.shape[1] != 2:
        raise ValueError(f"modes: expected shape (m, 2), got {modes.shape}")
    if not 0 < extent < np.inf:
        raise ValueError(f"extent: expected a number above 0, got {extent}")
    shapes = {tuple(np.shape(array) for array in frame[1:4]) for frames in games.values() for frame in frames}
    if len(shapes) != 1:
        raise ValueError(
            f"games: expected frames whose samples, surface and field have the same shapes, got {sorted(shapes)}"
        )
    pulls = [np.linalg.norm(np.asarray(f.field), axis=-1) for frames in games.values() for f in frames]
    payload = {
        "games": {name: [_packed(frame, extent) for frame in frames] for name, frames in games.items()},
        "modes": packed(modes),
        "extent": extent,
        "reference": float(np.quantile(np.concatenate([pull.ravel() for pull in pulls]), 0.9)) or 1.0,
    }
    description = (
        f"Games of a generator and a discriminator in the plane: {', '.join(games)}. A slider and a button go "
        "through training; the picture shows samples, the discriminator's judgement and its pull on samples."
    )
    return widget("game", BODY, payload, description=description)


def _packed(frame: Frame, extent: float) -> dict[str, Any]:
    """A frame in few bytes: positions to 1/32767 of the extent, judgements to 1/255, pulls to 1/127 of the largest."""
    samples, surface, field = (np.asarray(array, np.float32) for array in frame[1:4])
    if samples.ndim != 2 or samples.shape[1] != 2:
        raise ValueError(f"samples: expected shape (n, 2), got {samples.shape}")
    if surface.ndim != 2 or surface.shape[0] != surface.shape[1] or min(surface.shape) < 2:
        raise ValueError(f"surface: expected shape (g, g), got {surface.shape}")
    if field.ndim != 3 or field.shape[0] != field.shape[1] or field.shape[2] != 2 or len(field) < 2:
        raise ValueError(f"field: expected shape (k, k, 2), got {field.shape}")
    expect.within("surface", surface, 0, 1)
    expect.finite("samples", samples)
    expect.finite("field", field)
    largest = float(np.abs(field).max()) or 1.0
    inside = np.clip(samples / extent, -1, 1)
    return {
        "step": operator.index(frame.step),
        "note": frame.note,
        "samples": packed(np.rint(32767 * inside).astype(np.int16)),
        "surface": packed(np.rint(255 * surface).astype(np.uint8)),
        "field": packed(np.rint(127 * field / largest).astype(np.int8)),
        "largest": largest,
    }
