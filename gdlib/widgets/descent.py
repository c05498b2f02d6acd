"""Several update rules on a surface: the reader chooses surface, start, rate and momentum."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike

from gdlib import expect
from gdlib.widgets.embed import Widget, widget

SURFACES = ("bowl", "valley", "saddle")
RULES = ("descent", "heavy ball", "Nesterov", "RMSProp", "Adam")
BODY = """
<p class="gdlib-surfaces"></p>
<div class="gdlib-row">
<div class="gdlib-plane" tabindex="0" role="application" aria-label="The surface from above. Arrow keys move the start
by 0.1, with Shift by 0.5; Home puts it back."><canvas></canvas></div>
<canvas class="gdlib-board" role="img" aria-label="Heights against steps"></canvas>
</div>
<div class="gdlib-row">
<p><label>Rates
<input type="range" class="gdlib-scrub gdlib-rate" min="-1" max="1" value="0" step="0.05">
<output></output></label></p>
<p><label>Momentum
<input type="range" class="gdlib-scrub gdlib-momentum" min="0" max="0.98" value="0.9" step="0.02">
<output></output></label></p>
</div>
<p class="gdlib-says" aria-live="polite"></p>
<p class="gdlib-note">Touch the surface to start there. Or by keyboard: arrow keys move the start, with Shift five
times as far; Home puts it back.</p>
<p class="gdlib-note gdlib-agrees"></p>
<noscript>This figure moves when JavaScript is on.</noscript>
"""


def descent(
    paths: Mapping[str, Mapping[str, ArrayLike]],
    *,
    start: ArrayLike,
    rates: Mapping[str, float],
    momentum: float = 0.9,
) -> Widget:
    """Rules walk down a surface: ½ (x² + 20 y²), (1 − x)² + 5 (y − x²)² or ½ x² + ¼ (y² − 1)².

    The rules are those of `gdlib.optimizers`: descent, heavy ball, Nesterov, RMSProp (0.9) and Adam (0.999).

    Args:
      paths: surface → rule → the places that the chapter's own code came to from `start`, (steps, 2), one after each
        step. The page walks there too, and says how far it is off.
      start: where all begin, (2,), between −2 and 2.
      rates: rule → its learning rate. The reader multiplies all by a factor.
      momentum: of the heavy ball, of Nesterov, and Adam's β₁.

    Raises ValueError for surfaces, rules, shapes or numbers that do not fit.
    """
    start = np.asarray(start, np.float64)
    if start.shape != (2,):
        raise ValueError(f"start: expected shape (2,), got {start.shape}")
    expect.within("start", start, -2, 2)
    expect.within("momentum", momentum, 0, 0.98)
    _expect_names("paths", paths, SURFACES)
    _expect_names("rates", rates, RULES)
    for rule, rate in rates.items():
        if not 0 < rate < np.inf:
            raise ValueError(f"rates: expected finite numbers above 0, got {rate} for {rule}")
    payload = {
        "start": start.tolist(),
        "rates": {rule: float(rate) for rule, rate in rates.items()},
        "momentum": float(momentum),
        "paths": {surface: _listed(surface, rules) for surface, rules in paths.items()},
    }
    description = (
        "A surface from above, the paths of five update rules down from a start that can be chosen, and their heights "
        "against the steps."
    )
    return widget("descent", BODY, payload, description=description)


def _expect_names(name: str, found: Mapping, expected: tuple[str, ...]) -> None:
    if set(found) != set(expected):
        raise ValueError(f"{name}: expected {', '.join(expected)}, got {', '.join(map(str, found))}")


def _listed(surface: str, rules: Mapping[str, ArrayLike]) -> dict[str, list[float]]:
    _expect_names(f"paths of {surface}", rules, RULES)
    found = {}
    for rule, path in rules.items():
        places = np.asarray(path, np.float64)
        if places.ndim != 2 or places.shape[1] != 2 or not len(places):
            raise ValueError(f"path of {rule} on {surface}: expected shape (steps, 2), got {places.shape}")
        expect.finite(f"path of {rule} on {surface}", places)
        found[rule] = places.ravel().tolist()
    return found
