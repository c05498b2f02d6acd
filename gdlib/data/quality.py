"""Which labels are wrong: planted errors, and errors found by a model that has not seen them."""

import numpy as np
from numpy.typing import ArrayLike

from gdlib import expect


def flip(labels: ArrayLike, noise: ArrayLike, rng: np.random.Generator) -> np.ndarray:
    """Labels as somebody writes them down who errs: s with the probability noise[y, s], each by itself.

    Args:
      labels: (n,) integers from 0 to K − 1.
      noise: (K, K); each row sums to 1.
      rng: where the errors come from.

    Raises TypeError or ValueError where labels are no classes, or rows no distributions.
    """
    noise = np.asarray(noise, np.float64)
    if noise.ndim != 2 or noise.shape[0] != noise.shape[1] or not noise.size:
        raise ValueError(f"noise: expected shape (classes, classes), got {noise.shape}")
    expect.within("noise", noise, 0, 1)
    if np.abs(noise.sum(axis=1) - 1).max() > 1e-6:
        raise ValueError(f"noise: expected rows that sum to 1, got sums {noise.sum(axis=1)}")
    labels = np.asarray(labels)
    expect.positions("labels", labels, len(labels), len(noise))
    ends = noise.cumsum(axis=1)
    ends = (ends / ends[:, -1:])[labels]  # to the last bit, or rounding would draw what is impossible
    drawn = (rng.random((len(labels), 1)) >= ends[:, :-1]).sum(axis=1)
    return drawn.astype(labels.dtype)


def confident_classes(labels: ArrayLike, probabilities: ArrayLike) -> np.ndarray:
    """The class that a model holds each example for, where it is as sure as it usually is of that class; else −1.

    Usually: t_k, the mean of the probability of class k over the examples that are labelled k. Of several classes that
    reach their t_k the most probable counts. This is the count behind the *confident joint* of Northcutt, Jiang and
    Chuang (2021). A class that the model never expects has a t_k of nearly 0, which nearly all examples reach.

    Args:
      labels: (n,), as given; each class at least once.
      probabilities: (n, K) of a model that was not trained on the example.

    Raises TypeError or ValueError where labels are no classes, one class has no example, or rows no distributions.
    """
    labels, p = _checked(labels, probabilities)
    usual = np.array([p[labels == k, k].mean() for k in range(p.shape[1])])
    sure = np.where(p >= usual - 1e-6, p, 0)  # equal, but for rounding, is enough
    return np.where(sure.any(axis=1), sure.argmax(axis=1), -1)


def confident_joint(labels: ArrayLike, probabilities: ArrayLike) -> np.ndarray:
    """(K, K) counts: of the examples that are labelled j, how many are held for k with confidence.

    Arguments and errors are those of `confident_classes`.
    """
    held = confident_classes(labels, probabilities)
    counts = np.zeros((np.shape(probabilities)[1],) * 2, int)
    np.add.at(counts, (np.asarray(labels)[held >= 0], held[held >= 0]), 1)
    return counts


def suspects(labels: ArrayLike, probabilities: ArrayLike) -> np.ndarray:
    """Positions of examples that are held for another class than their label says, the most suspicious first.

    Held with confidence, and the most probable class is another, too. The order is that of the margin: the largest
    probability less the label's.

    Arguments and errors are those of `confident_classes`.
    """
    labels, p = _checked(labels, probabilities)
    held = confident_classes(labels, p)
    own = p[np.arange(len(p)), labels]
    found = np.flatnonzero((held >= 0) & (held != labels) & (p.argmax(axis=1) != labels))
    return found[np.argsort((own - p.max(axis=1))[found], kind="stable")]


def _checked(labels: ArrayLike, probabilities: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    p = np.asarray(probabilities, np.float64)
    if p.ndim != 2 or p.shape[1] < 2 or not len(p):
        raise ValueError(f"probabilities: expected shape (n, classes), two classes at least, got {p.shape}")
    expect.within("probabilities", p, 0, 1)
    if np.abs(p.sum(axis=1) - 1).max() > 1e-3:
        raise ValueError("probabilities: expected rows that sum to 1; are these logits?")
    labels = np.asarray(labels)
    expect.positions("labels", labels, len(p), p.shape[1])
    if absent := sorted(set(range(p.shape[1])) - set(labels.tolist())):
        raise ValueError(f"labels: expected each class at least once, got none of {absent}")
    return labels, p
