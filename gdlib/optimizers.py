"""Update rules, written out: what is added to the weights w, given the gradient g of the loss.

Each is an `optax.GradientTransformation` and equals Optax's own; all operations are component by component, but for
`muon` and `clip`. Pages about optimizers read them here. Training may as well use Optax's.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, PyTree

NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)  # Jordan's coefficients: steep at zero, and never exactly 1


class Momentum(NamedTuple):
    """m, like the weights."""

    m: PyTree


class Squares(NamedTuple):
    """s, like the weights: what is known of g²."""

    s: PyTree


class Moments(NamedTuple):
    """t, the number of steps taken; m and s, like the weights: running means of g and of g²."""

    t: Array
    m: PyTree
    s: PyTree


def gradient_descent(rate: float) -> optax.GradientTransformation:
    """−η g: downhill, in proportion to the slope. Equals `optax.sgd(rate)`.

    Example:
      >>> rule = gradient_descent(0.1)
      >>> update, _ = rule.update(jnp.array([2.0, -4.0]), rule.init(jnp.zeros(2)))
      >>> update.tolist()
      [-0.20000000298023224, 0.4000000059604645]
    """

    def update(updates: PyTree, state: Any, params: PyTree = None) -> tuple:
        return _map(lambda g: -rate * g, updates), state

    return optax.GradientTransformation(lambda params: optax.EmptyState(), update)


def sign_descent(rate: float) -> optax.GradientTransformation:
    """−η sign(g): each weight moves by the same amount. Equals `optax.sign_sgd(rate)`."""

    def update(updates: PyTree, state: Any, params: PyTree = None) -> tuple:
        return _map(lambda g: -rate * jnp.sign(g), updates), state

    return optax.GradientTransformation(lambda params: optax.EmptyState(), update)


def heavy_ball(rate: float, decay: float = 0.9) -> optax.GradientTransformation:
    """m ← μ m + g, then −η m: the ball keeps a share μ of its speed. Equals `optax.sgd(rate, decay)`.

    Reference: Polyak (1964).
    """

    def update(updates: PyTree, state: Any, params: PyTree = None) -> tuple:
        m = _map(lambda g, m: g + decay * m, updates, state.m)
        return _map(lambda m: -rate * m, m), Momentum(m)

    return optax.GradientTransformation(lambda params: Momentum(_zeros(params)), update)


def nesterov(rate: float, decay: float = 0.9) -> optax.GradientTransformation:
    """m ← μ m + g, then −η (g + μ m). Equals `optax.sgd(rate, decay, nesterov=True)`.

    In the variable y = w − η μ m it is descent with the gradient taken where the momentum leads: y + μ (y − y before).
    """

    def update(updates: PyTree, state: Any, params: PyTree = None) -> tuple:
        m = _map(lambda g, m: g + decay * m, updates, state.m)
        return _map(lambda g, m: -rate * (g + decay * m), updates, m), Momentum(m)

    return optax.GradientTransformation(lambda params: Momentum(_zeros(params)), update)


def adagrad(rate: float, start: float = 0.1, eps: float = 1e-7) -> optax.GradientTransformation:
    """s ← s + g², from s = `start`, then −η g / √(s + ε). Equals `optax.adagrad(rate, start, eps)`.

    The rate of a weight only falls, the faster the larger its gradients were. Reference: Duchi et al. (2011).
    """

    def update(updates: PyTree, state: Any, params: PyTree = None) -> tuple:
        s = _map(lambda g, s: s + g**2, updates, state.s)
        return _map(lambda g, s: -rate * g / jnp.sqrt(s + eps), updates, s), Squares(s)

    return optax.GradientTransformation(
        lambda params: Squares(_map(lambda w: jnp.full_like(w, start), params)), update
    )


def rmsprop(rate: float, decay: float = 0.9, eps: float = 1e-8) -> optax.GradientTransformation:
    """s ← δ s + (1 − δ) g², then −η g / √(s + ε). Equals `optax.rmsprop(rate, decay, eps)`, where ε is in the root.

    AdaGrad that forgets.
    """

    def update(updates: PyTree, state: Any, params: PyTree = None) -> tuple:
        s = _map(lambda g, s: decay * s + (1 - decay) * g**2, updates, state.s)
        return _map(lambda g, s: -rate * g / jnp.sqrt(s + eps), updates, s), Squares(s)

    return optax.GradientTransformation(lambda params: Squares(_zeros(params)), update)


def adam(rate: float, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8) -> optax.GradientTransformation:
    """m ← β₁ m + (1 − β₁) g and s ← β₂ s + (1 − β₂) g², then −η m̂ / (√ŝ + ε). Equals `optax.adam(rate, b1, b2, eps)`.

    m̂ = m / (1 − β₁ᵗ) and ŝ = s / (1 − β₂ᵗ) undo that m and s begin at zero: after t steps their weights add up to
    1 − βᵗ. Here ε stands outside of the root. Reference: Kingma & Ba (2015).
    """
    return adamw(rate, b1, b2, eps, weight_decay=0.0)


def adamw(
    rate: float, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8, weight_decay: float = 1e-4
) -> optax.GradientTransformation:
    """Adam's update, less η λ w: the decay does not pass through Adam's scaling. Equals `optax.adamw`.

    Raises ValueError where the weights are needed, for λ > 0, and `update` is not given them.
    Reference: Loshchilov & Hutter (2019).
    """

    def update(updates: PyTree, state: Any, params: PyTree = None) -> tuple:
        if params is None and weight_decay:
            raise ValueError("params: expected the weights, update(gradients, state, weights), got None")
        t = state.t + 1
        m = _map(lambda g, m: b1 * m + (1 - b1) * g, updates, state.m)
        s = _map(lambda g, s: b2 * s + (1 - b2) * g**2, updates, state.s)
        steps = _map(lambda m, s: (m / (1 - b1**t)) / (jnp.sqrt(s / (1 - b2**t)) + eps), m, s)
        if weight_decay:
            steps = _map(lambda step, w: step + weight_decay * w, steps, params)
        return _map(lambda step: -rate * step, steps), Moments(t, m, s)

    return optax.GradientTransformation(
        lambda params: Moments(jnp.zeros((), int), _zeros(params), _zeros(params)), update
    )


def muon(rate: float, decay: float = 0.95, steps: int = 5, eps: float = 1e-8) -> optax.GradientTransformation:
    """m ← β m + (1 − β) g, then −η O(m), for weights that are matrices: see `orthogonalised`.

    Equals −η times `optax.contrib.scale_by_muon(beta=decay, nesterov=False)`. Reference: Jordan (2024).
    """

    def update(updates: PyTree, state: Any, params: PyTree = None) -> tuple:
        t = state.t + 1
        m = _map(lambda g, m: decay * m + (1 - decay) * g, updates, state.m)
        step = _map(lambda m: -rate * orthogonalised(m / (1 - decay**t), steps, eps), m)
        return step, Moments(t, m, ())

    return optax.GradientTransformation(
        lambda params: Moments(jnp.zeros((), int), _zeros(params), ()), update
    )


def orthogonalised(matrix: Float[Array, "m n"], steps: int = 5, eps: float = 1e-8) -> Float[Array, "m n"]:
    """Near U Vᵀ, for a matrix U S Vᵀ: its singular values are brought near 1, its singular vectors stay.

    X ← a X + (b A + c A²) X with A = X Xᵀ, some steps of it, from X = matrix / ‖matrix‖. Each step takes a singular
    value σ to a σ + b σ³ + c σ⁵, without a factorisation.

    Raises ValueError for what is no matrix.
    """
    if matrix.ndim != 2:
        raise ValueError(f"matrix: expected two axes, got shape {matrix.shape}")
    a, b, c = NEWTON_SCHULZ
    X = matrix / (jnp.linalg.norm(matrix) + eps)
    X = X.T if len(X) > X.shape[1] else X  # the smaller of the two possible A
    for _ in range(steps):
        A = X @ X.T
        X = a * X + (b * A + c * A @ A) @ X
    return X.T if X.shape != matrix.shape else X


def clip(length: float) -> optax.GradientTransformation:
    """g · min(1, c / ‖g‖), with the norm over all weights together. Equals `optax.clip_by_global_norm(length)`.

    To stand before another rule: `optax.chain(clip(1.0), adam(1e-3))`. Reference: Pascanu et al. (2013).
    """

    def update(updates: PyTree, state: Any, params: PyTree = None) -> tuple:
        factor = jnp.minimum(1.0, length / optax.tree.norm(updates))
        return _map(lambda g: factor * g, updates), state

    return optax.GradientTransformation(lambda params: optax.EmptyState(), update)


def _zeros(w: PyTree) -> PyTree:
    return jax.tree.map(jnp.zeros_like, w)


_map = jax.tree.map
