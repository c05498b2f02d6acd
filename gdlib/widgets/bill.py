"""What a million answers cost, at a price that the reader types."""

import math
from collections.abc import Mapping

from gdlib.widgets.embed import Widget, widget

BODY = """
<div class="gdlib-row">
<p><label>Price of the machine, an hour
<input type="number" class="gdlib-typed gdlib-price" min="0" step="any" inputmode="decimal"></label></p>
<p><label>Share of the time that it is busy, %
<input type="number" class="gdlib-typed gdlib-busy" min="0" max="100" step="any" inputmode="decimal"></label></p>
</div>
<table class="gdlib-costs"><thead><tr><th scope="col">answers by</th><th scope="col">a second, when busy</th>
<th scope="col">a million cost</th></tr></thead><tbody></tbody></table>
<p class="gdlib-says" aria-live="polite"></p>
<noscript>These figures are computed when JavaScript is on.</noscript>
"""


def bill(rates: Mapping[str, float], *, price: float | int, busy: float | int = 100.0) -> Widget:
    """A table that follows what the reader types: 10⁶ / (3600 · rate) hours at a price, over the busy share.

    Args:
      rates: who answers → answers a second while the machine is busy.
      price: what the machine costs an hour, in any currency, to begin with.
      busy: the share of the time that it is busy, above 0 and at most 100, in per cent, to begin with.

    Raises ValueError for no rate, and for numbers that are not above 0, finite, or a share.
    """
    if not rates:
        raise ValueError("rates: expected at least one, got none")
    for name, number in {
        **{f"rates[{name!r}]": rate for name, rate in rates.items()},
        "price": price,
    }.items():
        if not 0 < number < math.inf:
            raise ValueError(f"{name}: expected a finite number above 0, got {number}")
    if not 0 < busy <= 100:
        raise ValueError(f"busy: expected above 0 and at most 100 per cent, got {busy}")
    payload = {
        "rates": [
            [name, float(rate)] for name, rate in rates.items()
        ],  # an object would sort names like numbers
        "price": float(price),
        "busy": float(busy),
    }
    lines = ", ".join(f"{name} {price * 1e8 / (3600 * rate * busy):.4g}" for name, rate in rates.items())
    description = f"A million answers, at {price:g} an hour and {busy:g} % busy, cost: {lines}."
    return widget("bill", BODY, payload, description=description)
