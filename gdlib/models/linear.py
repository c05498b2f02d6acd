"""Two classes and a line between them: naive Bayes models the inputs, logistic regression the line alone.

Both learn in a handful of matrix operations, so that whole races of them run in one compiled program. `use` says which
examples count, as 1 or 0: under `jax.vmap` it stands for sets of different sizes.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Num

from gdlib import expect


class Line(NamedTuple):
    """log p(1 | x) − log p(0 | x) = wᵀx + b."""

    w: Float[Array, " features"]
    b: Float[Array, ""]

    def log_odds(self, x: Float[Array, "n features"]) -> Float[Array, " n"]:
        """wᵀx + b of each row."""
        return x @ self.w + self.b


class NaiveBayes(NamedTuple):
    """p(y) p(x | y): given the class, features are independent and normal, with variances that both classes share.

    log_odds: log π₁ − log π₀. means: μ₀ and μ₁. variances: s².
    """

    log_odds: Float[Array, ""]
    means: Float[Array, "2 features"]
    variances: Float[Array, " features"]

    def log_joint(self, x: Float[Array, "n features"]) -> Float[Array, "n 2"]:
        """log p(x, y) for both classes y, in nats."""
        prior = jax.nn.log_sigmoid(jnp.stack([-self.log_odds, self.log_odds]))
        squares = (x[:, None] - self.means) ** 2 / self.variances
        return prior - 0.5 * (squares + jnp.log(2 * jnp.pi * self.variances)).sum(axis=-1)

    def line(self) -> Line:
        """Where both classes are equally probable: w = (μ₁ − μ₀) / s², b = log-odds − ½ Σ (μ₁² − μ₀²) / s²."""
        zero, one = self.means
        b = self.log_odds - ((one**2 - zero**2) / self.variances).sum() / 2
        return Line((one - zero) / self.variances, b)


def naive_bayes(
    x: Float[Array, "n features"],
    y: Num[Array, " n"],
    use: Num[Array, " n"] | None = None,
    *,
    floor: float = 0.0,
) -> NaiveBayes:
    """The maximum of Σᵢ log p(xᵢ, yᵢ): shares of the classes, their means, variances about the own mean.

    Args:
      x, y: examples and their classes, 0 or 1; both have to be among those that count.
      use: which examples count, 1 or 0; default: all.
      floor: what is added to each variance, for features that are constant in a small sample.

    Raises ValueError for shapes that do not fit.
    """
    use = _checked(x, y, use)
    of_class = use * jnp.stack([1 - y, y])
    counts = of_class.sum(axis=1)
    means = of_class @ x / counts[:, None]
    squares = (of_class[..., None] * (x - means[:, None]) ** 2).sum(axis=(0, 1))
    return NaiveBayes(jnp.log(counts[1] / counts[0]), means, squares / counts.sum() + floor)


def logistic_regression(
    x: Float[Array, "n features"],
    y: Num[Array, " n"],
    use: Num[Array, " n"] | None = None,
    *,
    ridge: float = 1.0,
    steps: int = 20,
) -> Line:
    """The maximum of Σᵢ log p(yᵢ | xᵢ) − ½ ridge |w|², by Newton's method.

    Args:
      x, y, use: as in `naive_bayes`.
      ridge: λ. Without one there is no maximum where a line separates the classes.
      steps: of Newton's method, each halved until the loss falls, or five times.

    Raises ValueError for shapes that do not fit.
    """
    use = _checked(x, y, use)
    inputs = jnp.concatenate([x, jnp.ones_like(x[:, :1])], axis=1)  # the last weight is b
    ridges = jnp.full(inputs.shape[1], ridge, x.dtype).at[-1].set(1e-6)

    def loss(v):
        lines = inputs @ v
        return use @ (jnp.logaddexp(0, lines) - y * lines) + ridges @ v**2 / 2

    def newton(v, _):
        p = jax.nn.sigmoid(inputs @ v)
        curvature = (inputs * (use * p * (1 - p))[:, None]).T @ inputs + jnp.diag(ridges)
        step = jnp.linalg.solve(curvature, jax.grad(loss)(v))
        lengths = 0.5 ** jnp.arange(6.0)
        losses = jax.vmap(lambda length: loss(v - length * step))(lengths)
        return v - lengths[losses.argmin()].astype(v.dtype) * step, None

    v, _ = jax.lax.scan(newton, jnp.zeros_like(ridges), length=expect.positive_int("steps", steps))
    return Line(v[:-1], v[-1])


def _checked(x: Array, y: Array, use: Array | None) -> Array:
    """Which examples count. Raises ValueError for shapes that do not fit."""
    if x.ndim != 2 or not len(x):
        raise ValueError(f"x: expected shape (n, features), got {x.shape}")
    for name, rows in {"y": y, "use": use}.items():
        if rows is not None and rows.shape != x.shape[:1]:
            raise ValueError(
                f"{name}: expected one for each of the {len(x)} examples, got shape {rows.shape}"
            )
    return jnp.ones(len(x), x.dtype) if use is None else use
