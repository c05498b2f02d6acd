"""Workers as lanes on a clock: who waits for whom, how old gradients are, and what diverges."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike

from gdlib import expect
from gdlib.widgets.embed import Widget, widget

RULES = ("wait", "backup", "nobody waits")
BODY = """
<p class="gdlib-surfaces gdlib-rules"></p>
<div class="gdlib-row">
<canvas class="gdlib-lanes gdlib-board" role="img" aria-label="Workers as lanes on a clock"></canvas>
<canvas class="gdlib-fate gdlib-board" role="img" aria-label="Size of w against seconds"></canvas>
</div>
<div class="gdlib-row">
<p><label>Random share of a worker's time
<input type="range" class="gdlib-scrub gdlib-uneven" min="0" max="1" step="0.05">
<output></output></label></p>
<p><label>Worker 1 is slower by a factor of
<input type="range" class="gdlib-scrub gdlib-slow" min="1" max="5" step="0.25">
<output></output></label></p>
<p><label>Rate times curvature
<input type="range" class="gdlib-scrub gdlib-rate" min="0.02" max="2" step="0.02">
<output></output></label></p>
</div>
<p class="gdlib-says" aria-live="polite"></p>
<p class="gdlib-note">Bars are work, gaps are waiting; pale bars are thrown away. A line is an update of the weight.</p>
<p class="gdlib-note gdlib-agrees"></p>
<noscript>This figure moves when JavaScript is on.</noscript>
"""


def lanes(
    times: ArrayLike,
    paths: Mapping[str, ArrayLike],
    *,
    seconds: float,
    uneven: float = 1.0,
    slow: float = 1.0,
    rate: float = 0.1,
) -> Widget:
    """Workers train one weight on ½ w², from 1: all wait, all but the last, or nobody does.

    Worker i's k-th gradient takes (1 − uneven) + uneven · times[i, k] seconds, and worker 1's `slow` times as long.

    Args:
      times: of a worker's gradients, (workers, gradients), one second on average; used again when they are over.
      paths: rule → the weight after each update as the chapter's own simulation has it, at the settings given here. The
        page simulates too, and says how far it is off.
      seconds: how long the clock runs.
      uneven: from 0 to 1. slow: from 1 to 5. rate: the rate times the curvature, from 0.02 to 2. The reader sets them.

    Raises ValueError for rules, shapes or numbers that do not fit.
    """
    times = np.asarray(times, np.float64)
    if times.ndim != 2 or len(times) < 2 or not times.size:
        raise ValueError(
            f"times: expected shape (workers, gradients), two workers at least, got {times.shape}"
        )
    expect.finite("times", times.reshape(len(times), -1))
    if times.min() <= 0:
        raise ValueError(f"times: expected numbers above 0, got {times.min():g}")
    if not 1 <= seconds <= 1000:
        raise ValueError(f"seconds: expected 1 to 1000, got {seconds}")
    expect.within("uneven", uneven, 0, 1)
    expect.within("slow", slow, 1, 5)
    expect.within("rate", rate, 0.02, 2)
    if set(paths) != set(RULES):
        raise ValueError(f"paths: expected {', '.join(RULES)}, got {', '.join(map(str, paths))}")
    payload = {
        "times": times.tolist(),
        "seconds": float(seconds),
        "settings": {"uneven": float(uneven), "slow": float(slow), "rate": float(rate)},
        "paths": {rule: _listed(rule, path) for rule, path in paths.items()},
    }
    description = (
        f"{len(times)} workers as lanes on a clock: bars where they compute, gaps where they wait, under a rule that "
        "can be chosen, and the size of a weight against time."
    )
    return widget("lanes", BODY, payload, description=description)


def _listed(rule: str, path: ArrayLike) -> list[float]:
    places = np.asarray(path, np.float64)
    if places.ndim != 1 or not len(places):
        raise ValueError(f"path of {rule}: expected shape (updates,), got {places.shape}")
    expect.finite(f"path of {rule}", places[:, None])
    return places.tolist()
