"""Classifiers: how often they are right, which classes they mix up, and what their confidence is worth."""

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Array, PyTree
from numpy.typing import ArrayLike
from scipy.optimize import minimize_scalar

from gdlib import expect
from gdlib.evaluate.intervals import Proportion, proportion


def accuracy(logits: ArrayLike, labels: ArrayLike, *, confidence: float = 0.95) -> Proportion:
    """The share of examples whose largest logit is their label's, with `proportion`'s interval.

    Args:
      logits: (n, classes). labels: (n,) integers from 0 to classes − 1.

    Example:
      >>> accuracy([[2.0, 1.0], [0.0, 3.0], [1.0, 0.0], [0.0, 1.0]], [0, 1, 1, 1]).value
      0.75
    """
    logits, labels = _checked_logits(logits, labels)
    return proportion(int((logits.argmax(axis=1) == labels).sum()), len(labels), confidence=confidence)


def logits(models: nnx.Module, inputs: ArrayLike) -> np.ndarray:
    """(seeds, n, classes): what each of many seeds' models answers, in one compiled program.

    Args:
      models: with a leading seed axis; `model(inputs) -> (n, classes)`. They are put into evaluation mode, no dropout.
      inputs: (n, …).
    """
    return np.asarray(_logits_in_turn(models, jnp.asarray(inputs)))


@nnx.jit
def _logits_in_turn(models: nnx.Module, inputs: Array) -> Array:
    """One seed after the other: side by side they would fill the memory."""
    graphdef, states = nnx.split(models)

    def one(state: PyTree) -> Array:
        model = nnx.merge(graphdef, state)
        model.eval()
        return model(inputs)

    return jax.lax.map(one, states)


def accuracies(models: nnx.Module, inputs: ArrayLike, labels: ArrayLike) -> list[Proportion]:
    """The accuracy of each of many seeds' models: see `accuracy`, and for the arguments `logits`."""
    return [accuracy(own, labels) for own in logits(models, inputs)]


def confusion(logits: ArrayLike, labels: ArrayLike) -> np.ndarray:
    """(classes, classes) counts: of each class (row), how many got their largest logit in which (column).

    Example:
      >>> confusion([[2.0, 1.0], [0.0, 3.0], [1.0, 0.0]], [0, 1, 1])
      array([[1, 0],
             [1, 1]])
    """
    logits, labels = _checked_logits(logits, labels)
    counts = np.zeros((logits.shape[1],) * 2, int)
    np.add.at(counts, (labels, logits.argmax(axis=1)), 1)
    return counts


class Calibration(NamedTuple):
    """Answers in bins of their confidence, the largest probability.

    confidence, accuracy: (bins,) means over a bin; NaN where it is empty. share: (bins,) of the answers.
    error: Σ share · |accuracy − confidence|, the expected calibration error.
    """

    confidence: np.ndarray
    accuracy: np.ndarray
    share: np.ndarray
    error: float


def calibration(logits: ArrayLike, labels: ArrayLike, *, bins: int = 15) -> Calibration:
    """How often answers of some confidence are right, in bins of equal width.

    The error of a perfectly calibrated model is not 0 on n examples: each bin's accuracy is a random share.
    Reference: Guo et al. (2017), after Naeini et al. (2015).
    """
    logits, labels = _checked_logits(logits, labels)
    bins = expect.positive_int("bins", bins)
    probabilities = np.exp(_log_softmax(logits))
    confident, right = probabilities.max(axis=1), logits.argmax(axis=1) == labels
    position = np.minimum((confident * bins).astype(int), bins - 1)
    count = np.bincount(position, minlength=bins)
    with np.errstate(invalid="ignore"):
        confidence, accuracy = (np.bincount(position, values, bins) / count for values in (confident, right))
    share = count / len(labels)
    return Calibration(confidence, accuracy, share, float(np.nansum(share * np.abs(accuracy - confidence))))


def temperature(logits: ArrayLike, labels: ArrayLike) -> float:
    """The T > 0, between 1/100 and 100, for which logits / T have the least mean cross-entropy on these examples.

    It changes no answer, only the confidence. Take examples that the model was not trained on, and not the test's.
    Reference: Guo et al. (2017).
    """
    logits, labels = _checked_logits(logits, labels)
    own = np.arange(len(labels)), labels

    def loss(log_temperature: float) -> float:
        return -_log_softmax(logits / math.exp(log_temperature))[own].mean()

    widest = math.log(100)
    return math.exp(minimize_scalar(loss, bounds=(-widest, widest), method="bounded").x)


def _log_softmax(logits: np.ndarray) -> np.ndarray:
    shifted = logits - logits.max(axis=1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))


def _checked_logits(logits: ArrayLike, labels: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    logits, labels = np.asarray(logits, np.float64), np.asarray(labels)
    if logits.ndim != 2 or not logits.size:
        raise ValueError(f"logits: expected shape (n, classes), n at least 1, got {logits.shape}")
    expect.finite("logits", logits)
    expect.positions("labels", labels, *logits.shape)
    return logits, labels
