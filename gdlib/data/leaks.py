"""What is on both sides of a split, and what else makes a result too good to be true."""

import math
from collections import defaultdict

import numpy as np
from numpy.typing import ArrayLike

from gdlib import expect
from gdlib.data.dataset import Dataset
from gdlib.data.split import digest

FAR_APART = 5  # standard errors: chance alone hardly ever goes so far
SHOWS_ITS_CLASS = 0.98  # of the labels that the largest class leaves open, right by one number alone
ROWS_A_STEP = 20  # of a feature: fewer would say much by chance


def copies(first: ArrayLike, second: ArrayLike) -> np.ndarray:
    """(k, 2): positions in `first` and `second` of examples that are the same to the bit, found by their SHA-256.

    Each example is read once: the time grows as the number of examples, and of the pairs that are returned.

    Raises ValueError where examples of the two have different shapes.
    """
    first, second = _alike(first, second)
    where = defaultdict(list)
    for i, example in enumerate(first):
        where[digest(example)].append(i)
    pairs = [(i, j) for j, example in enumerate(second) for i in where.get(digest(example), ())]
    return np.array(sorted(pairs), int).reshape(-1, 2)


def near_copies(
    first: ArrayLike, second: ArrayLike, *, distance: float, rng: np.random.Generator, tables: int = 12
) -> tuple[np.ndarray, int]:
    """Pairs that are at most so far apart, most of them, and how many pairs had to be compared.

    Each of several tables asks on which side of b = log₂ n random planes through the mean an example lies. Only those
    with the same answers are compared: about n pairs a table where answers are spread evenly, out of n². A pair that
    stands at an angle θ, seen from the mean, is found with probability 1 − (1 − (1 − θ/π)ᵇ)^tables: nearly always if
    it is far closer than pairs usually are, and less and less often with growing distance.

    Args:
      first, second: examples, (n, …) and (m, …). distance: Euclidean, the largest that counts.
      rng: where the planes come from. tables: more of them find more and compare more.

    Raises ValueError where shapes differ or the distance is negative, and for NaN or infinity.
    """
    first, second = (
        np.asarray(a, np.float64).reshape(len(a), math.prod(a.shape[1:])) for a in _alike(first, second)
    )
    expect.finite("first", first)
    expect.finite("second", second)
    tables = expect.positive_int("tables", tables)
    if not distance >= 0:
        raise ValueError(f"distance: expected 0 or more, got {distance}")
    middle, bits = first.mean(axis=0), max(1, int(np.log2(len(first))))
    candidates = set()
    for _ in range(tables):
        planes = rng.normal(size=(first.shape[1], bits))
        where = defaultdict(list)
        for i, answers in enumerate((first - middle) @ planes > 0):
            where[answers.tobytes()].append(i)
        for j, answers in enumerate((second - middle) @ planes > 0):
            candidates.update((i, j) for i in where.get(answers.tobytes(), ()))
    pairs = np.array(sorted(candidates), int).reshape(-1, 2)
    apart = np.linalg.norm(first[pairs[:, 0]] - second[pairs[:, 1]], axis=1)
    return pairs[apart <= distance], len(pairs)


def audit(train: Dataset, test: Dataset) -> list[str]:
    """What is wrong with a split, a sentence for each; an empty list where nothing was found.

    It looks for test examples that are training examples, too, and for those that repeat another on their own side,
    with the same label or another; classes that one side lacks; shares of classes, and means of a feature, further
    apart than chance goes; and one feature that gives the class away. It finds what can be counted. Whether two
    examples come from one person, only you know.

    Raises ValueError where the two have different classes or shapes.
    """
    if train.classes != test.classes:
        raise ValueError(f"test: expected the classes of train, {train.classes}, got {test.classes}")
    shapes = [np.shape(part.inputs)[1:] for part in (train, test)]
    if shapes[0] != shapes[1]:
        raise ValueError(f"test: expected inputs shaped like those of train, {shapes[0]}, got {shapes[1]}")
    return [*_twice(train, test), *_shares(train, test), *_features(train, test)]


def _twice(train: Dataset, test: Dataset) -> list[str]:
    numbers = np.result_type(np.asarray(train.inputs), np.asarray(test.inputs))
    sides = {}
    for name, part in {"training": train, "test": test}.items():
        labels = sides[name] = defaultdict(list)
        for example, label in zip(
            np.asarray(part.inputs, numbers), np.asarray(part.labels).tolist(), strict=True
        ):
            labels[digest(example)].append(label)
    found = []
    if both := sides["training"].keys() & sides["test"].keys():
        count = sum(len(sides["test"][key]) for key in both)
        other = sum(set(sides["test"][key]) != set(sides["training"][key]) for key in both)
        found.append(f"{count} test examples are training examples, too; {other} have another label there")
    for name, labels in sides.items():
        if repeated := sum(len(own) - 1 for own in labels.values()):
            differ = sum(len(set(own)) > 1 for own in labels.values())
            found.append(
                f"{repeated} {name} examples repeat another; {differ} of those others have a second label"
            )
    return found


def _shares(train: Dataset, test: Dataset) -> list[str]:
    counts = [np.bincount(np.asarray(part.labels), minlength=len(train.classes)) for part in (train, test)]
    found = []
    for name, a, b in zip(train.classes, *counts, strict=True):
        if not a or not b:
            found.append(f"class {name!r} has {a} training and {b} test examples")
            continue
        p, q = a / len(train), b / len(test)
        pooled = (a + b) / (len(train) + len(test))
        error = np.sqrt(pooled * (1 - pooled) * (1 / len(train) + 1 / len(test)))
        if abs(p - q) > FAR_APART * error:
            found.append(f"class {name!r} is {p:.1%} of the training and {q:.1%} of the test examples")
    return found


def _features(train: Dataset, test: Dataset) -> list[str]:
    a, b = (np.asarray(part.inputs, np.float64).reshape(len(part), -1) for part in (train, test))
    error = np.sqrt(np.concatenate([a, b]).var(axis=0) * (1 / len(a) + 1 / len(b)))
    off = np.abs(a.mean(axis=0) - b.mean(axis=0))
    found = []
    if (moved := np.flatnonzero(off > FAR_APART * np.maximum(error, 1e-9))).size:
        found.append(
            f"features with another mean in the test data: {len(moved)}, the first of them {moved[0]}"
        )
    labels = np.asarray(train.labels)
    telling = [k for k in range(a.shape[1]) if _told_by(a[:, k], labels) >= SHOWS_ITS_CLASS]
    if telling:
        found.append(
            f"features that give the class away by themselves: {len(telling)}, the first of them {telling[0]}"
        )
    return found


def _told_by(feature: np.ndarray, labels: np.ndarray) -> float:
    """How much of what the largest class leaves open is right if each step of a feature stands for one class."""
    steps = min(50, len(labels) // ROWS_A_STEP)
    largest = np.bincount(labels).max() / len(labels)
    if steps < 2 or largest == 1:
        return 0.0
    values, where = np.unique(feature, return_inverse=True)
    if len(values) > steps:  # steps of equal frequency
        edges = np.quantile(feature, np.linspace(0, 1, steps + 1)[1:-1])
        values, where = np.unique(np.searchsorted(edges, feature, side="right"), return_inverse=True)
    table = np.zeros((len(values), labels.max() + 1))
    np.add.at(table, (where, labels), 1)
    return (table.max(axis=1).sum() / len(labels) - largest) / (1 - largest)


def _alike(first: ArrayLike, second: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    first, second = np.asarray(first), np.asarray(second)
    if first.ndim < 1 or first.shape[1:] != second.shape[1:] or first.dtype != second.dtype or not len(first):
        raise ValueError(
            f"second: expected examples like those of first, {first.dtype} {first.shape}, "
            f"got {second.dtype} {second.shape}"
        )
    return first, second
