"""What makes an equation *checked*.

A check compares the two sides of an equation, in one of four ways, and then does the same with named
*wrong* variants (a sign, a factor, a dropped term): it passes where the equation holds and every
variant is rejected. A check too weak to tell them apart fails. It raises where it fails; where it
passes it returns a `Check`, which a notebook shows, and from whose output the built page takes the badge
beside the equation.

Sides are given as functions without arguments, so that they are computed here, at the highest matmul
precision: float32 products are rounded to fewer bits by default on recent GPUs and on TPU.
"""

import dataclasses
import html
import re
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, ArrayLike, Float, Real

from gdlib import expect

Side = Callable[[], ArrayLike]
SIGMAS = 5.0  # a right equation fails by chance about once in 1.7 million comparisons
METADATA_KEY = "gdlib_check"  # where a notebook's output says which equation was checked


class CheckFailed(AssertionError):
    """An equation does not hold, or its check cannot tell it from a wrong variant."""


@dataclasses.dataclass(frozen=True)
class Check:
    """A passed check: the equation's label, how it was compared, what was rejected."""

    label: str
    method: str
    finding: str
    rejected: Mapping[str, str]

    @property
    def summary(self) -> str:
        variants = "; ".join(f"{name} ({finding})" for name, finding in self.rejected.items())
        return f"{self.method}: {self.finding}. Rejected: {variants}."

    def __str__(self) -> str:
        return f"✓ {self.label} — {self.summary}"

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> tuple[dict, dict]:
        """(what a notebook shows, what the book's build reads)."""
        anchor = "check-" + re.sub(r"[^a-z0-9]+", "-", self.label.lower()).strip("-")
        text = html.escape(self.summary)
        page = f'<div class="check" id="{anchor}"><b>✓ {html.escape(self.label)}</b> {text}</div>'
        result = {"label": self.label, "passed": True, "summary": self.summary}
        return {"text/plain": str(self), "text/html": page}, {METADATA_KEY: result}


def identity(label: str, left: Side, right: Side, *, wrong: Mapping[str, Side], rtol: float = 1e-5) -> Check:
    """left = right in every component, to `rtol` of the largest magnitude of the two sides.

    Args:
      label: of the equation, `eq:…`.
      left, right: the two sides: functions without arguments that return arrays of one shape.
      wrong: name → a wrong right side, which must differ from the left by more than the tolerance.
      rtol: what float rounding may leave.

    Raises:
      CheckFailed: the sides differ, or a wrong variant does not.
      ValueError: no wrong variant, shapes that differ, NaN or infinity, a label not of the form `eq:…`.
      TypeError: a side that is not of real numbers.

    Example:
      >>> a, b = jnp.array([1.0, 2.0]), jnp.array([3.0, 5.0])
      >>> check = identity(
      ...     "eq:square-of-a-sum",
      ...     lambda: (a + b) ** 2,
      ...     lambda: a**2 + 2 * a * b + b**2,
      ...     wrong={"no mixed term": lambda: a**2 + b**2},
      ... )
      >>> check.label, list(check.rejected)
      ('eq:square-of-a-sum', ['no mixed term'])
    """
    target = _value("left", left)

    def difference(side: Side) -> tuple[bool, str]:
        value = _value("right", side, target.shape)
        scale = max(np.abs(target).max(), np.abs(value).max(), np.finfo(np.float32).tiny)
        error = float(np.abs(target - value).max() / scale)
        return error <= rtol, f"relative difference {error:.1e}, tolerance {rtol:.0e}"

    return _report(label, "identity", difference, right, wrong)


def gradient(
    label: str,
    function: Callable[[Any], ArrayLike],
    at: Any,
    claimed: Side,
    *,
    wrong: Mapping[str, Side],
    rtol: float = 1e-4,
) -> Check:
    """The claimed gradient of the scalar `function` at the point `at`, against autodiff.

    Arguments and errors as for `identity`; `claimed` and the wrong variants return the gradient.
    """
    with jax.default_matmul_precision("highest"):
        automatic = jax.grad(function)(at)
    return dataclasses.replace(
        identity(label, lambda: automatic, claimed, wrong=wrong, rtol=rtol),
        method="against autodiff",
    )


def monte_carlo(label: str, samples: Side, exact: Side, *, wrong: Mapping[str, Side]) -> Check:
    """E[sample] = exact: the mean of n samples lies within 5 standard errors of the closed form.

    Args:
      label: of the equation, `eq:…`.
      samples: independent draws, (n, …).
      exact: the closed form of their expectation, (…).
      wrong: name → a wrong closed form, which must lie further than 5 standard errors away.

    Where the samples have several components, z is the largest of them.
    Raises: as `identity`; also ValueError for fewer than 100 samples, or for samples without spread.
    """
    draws = _value("samples", samples)
    if draws.ndim < 1 or len(draws) < 100:
        raise ValueError(f"samples: expected at least 100 along the first axis, got shape {draws.shape}")
    mean, error = draws.mean(axis=0), draws.std(axis=0, ddof=1) / np.sqrt(len(draws))
    if not (np.ptp(draws, axis=0) > 0).all():
        raise ValueError("samples: expected draws that differ, got a component without spread")

    def z_score(side: Side) -> tuple[bool, str]:
        z = float(np.abs((_value("exact", side, mean.shape) - mean) / error).max())
        return z <= SIGMAS, f"z = {z:.1f}, n = {len(draws):,}"

    return _report(label, f"Monte Carlo within {SIGMAS:g} standard errors", z_score, exact, wrong)


def bound(
    label: str,
    gap: Callable[[Array], Float[Array, ""]],
    starts: Real[ArrayLike, "n d"],
    *,
    wrong: Mapping[str, Callable[[Array], Float[Array, ""]]],
    tolerance: float = 1e-4,
    steps: int = 300,
    learning_rate: float = 0.05,
) -> Check:
    """gap(point) ≥ 0 at every point, by seeking its violation: Adam descends the gap from each start.

    Args:
      label: of the inequality, `eq:…`.
      gap: the larger side minus the smaller one, at a point (d,).
      starts: n points from which to descend.
      wrong: name → a wrong gap, for which the same search must find a violation.
      tolerance: how far below zero rounding may bring a gap.
      steps, learning_rate: of the descent.

    Raises: as `identity`.
    """
    points = jnp.asarray(starts, dtype=float)
    if points.ndim != 2 or not points.size:
        raise ValueError(f"starts: expected shape (n, d), got {points.shape}")

    def search(function: Callable[[Array], Float[Array, ""]]) -> tuple[bool, str]:
        smallest = float(_smallest(function, points, steps, learning_rate))
        if np.isnan(smallest) or smallest == np.inf:
            raise ValueError(f"{label}: expected a gap that is a number, the smallest met is {smallest}")
        found = f"smallest gap {smallest:.2g} in {len(points)} descents of {steps} steps"
        return smallest >= -tolerance, f"{found}, tolerance {tolerance:.0e}"

    return _report(label, "bound", search, gap, wrong)


def _smallest(gap: Callable, starts: Array, steps: int, learning_rate: float) -> Array:
    """The smallest value of `gap` met on a descent from each of `starts`; NaN where it was NaN."""
    optimizer = optax.adam(learning_rate)

    def descend(point: Array) -> Array:
        def body(carry, _):
            point, state = carry
            value, slope = jax.value_and_grad(gap)(point)
            update, state = optimizer.update(slope, state)
            return (optax.apply_updates(point, update), state), value

        return jax.lax.scan(body, (point, optimizer.init(point)), length=steps)[1].min()

    with jax.default_matmul_precision("highest"):
        return jax.jit(jax.vmap(descend))(starts).min()


def _value(name: str, side: Side, shape: tuple[int, ...] | None = None) -> np.ndarray:
    """One side in float64, computed at the highest matmul precision."""
    with jax.default_matmul_precision("highest"):
        value = np.asarray(side())
    if not any(jnp.issubdtype(value.dtype, kind) for kind in (jnp.bool_, jnp.integer, jnp.floating)):
        raise TypeError(f"{name}: expected real numbers, got {expect.describe(value)}")
    value = value.astype(np.float64)
    if shape is not None and value.shape != shape:
        raise ValueError(f"{name}: expected shape {shape}, as the other side has, got {value.shape}")
    if not value.size or not np.isfinite(value).all():
        raise ValueError(f"{name}: expected finite numbers, got NaN, infinity or nothing")
    return value


def _report(
    label: str,
    method: str,
    compare: Callable[[Any], tuple[bool, str]],
    right: Any,
    wrong: Mapping[str, Any],
) -> Check:
    """Compare the right claim and each wrong variant; a Check where only the right one holds."""
    if not re.fullmatch(r"eq:[a-z0-9-]+", label):
        raise ValueError(f"label: expected eq:… in lower case, digits and hyphens, got {label!r}")
    if not wrong:
        raise ValueError(f"{label}: expected at least one wrong variant, got none")
    holds, finding = compare(right)
    if not holds:
        raise CheckFailed(f"{label} does not hold ({method}): {finding}")
    rejected = {}
    for name, variant in wrong.items():
        try:
            accepted, rejected[name] = compare(variant)
        except (TypeError, ValueError) as error:
            raise type(error)(f"{label}, wrong variant “{name}”: {error}") from error
        if accepted:
            raise CheckFailed(f"{label}: the check cannot reject “{name}” ({method}): {rejected[name]}")
    return Check(label, method, finding, rejected)
