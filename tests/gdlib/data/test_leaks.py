"""Copies are found, near ones, too; a split is looked over, and the book's own have nothing wrong."""

import dataclasses

import numpy as np
import pytest

from gdlib.data import Dataset, hold_out, leaks, mnist_1d, mnist_5000

CLASSES = ("even", "odd")


def split(seed=0, n=400):
    """Two sides of one population: nothing is wrong with them."""
    rng = np.random.default_rng(seed)
    labels = np.arange(2 * n) % 2
    inputs = rng.normal(size=(2 * n, 6)) + 0.5 * labels[:, None]
    whole = Dataset.checked(inputs, labels, CLASSES)
    return whole[:n], whole[n:]


def test_copies_are_those_that_comparing_all_pairs_finds():
    rng = np.random.default_rng(0)
    first, second = rng.integers(3, size=(40, 3)), rng.integers(3, size=(50, 3))
    same = (first[:, None] == second[None]).all(axis=2)
    assert same.any()
    np.testing.assert_array_equal(leaks.copies(first, second), np.argwhere(same))
    assert leaks.copies(first, second + 3).shape == (0, 2)


@pytest.mark.parametrize("seed", range(3))
def test_near_copies_are_found_and_nothing_that_is_far(seed):
    rng = np.random.default_rng(seed)
    first = rng.normal(size=(600, 30))
    second = np.concatenate([first[:100] + 0.02 * rng.normal(size=(100, 30)), rng.normal(size=(300, 30))])
    pairs, compared = leaks.near_copies(first, second, distance=0.5, rng=rng)
    assert {tuple(pair) for pair in pairs.tolist()} <= {(i, i) for i in range(100)}
    assert len(pairs) >= 98
    assert compared < 600 * 400 / 5
    apart = np.linalg.norm(first[pairs[:, 0]] - second[pairs[:, 1]], axis=1)
    assert apart.max() <= 0.5


def test_more_tables_compare_more():
    rng = np.random.default_rng(1)
    first, second = rng.normal(size=(2, 300, 5))
    counts = [
        leaks.near_copies(first, second, distance=0.1, rng=np.random.default_rng(2), tables=tables)[1]
        for tables in (1, 4, 16)
    ]
    assert counts == sorted(set(counts))


@pytest.mark.parametrize("seed", range(5))
def test_nothing_is_said_of_an_honest_split(seed):
    assert leaks.audit(*split(seed)) == []


def test_nothing_is_wrong_with_the_books_own_splits():
    training, test = mnist_5000()
    for sides in ((training, test), hold_out(training, per_class=50), mnist_1d()):
        assert leaks.audit(*sides) == []


def relabelled(part, labels):
    return dataclasses.replace(part, labels=labels)


def joined(first, second):
    return Dataset.checked(
        np.concatenate([first.inputs, second.inputs]), np.concatenate([first.labels, second.labels]), CLASSES
    )


def changed(part, column, values):
    inputs = np.array(part.inputs)
    inputs[:, column] = values
    return dataclasses.replace(part, inputs=inputs)


TRAIN, TEST = split()
SPOILT = {
    "3 test examples are training examples, too": (joined(TRAIN, TEST[:3]), TEST),
    "2 pairs of training examples are the same; 0 of them have two labels": (joined(TRAIN, TRAIN[:2]), TEST),
    "2 pairs of test examples are the same; 2 of them have two labels": (
        TRAIN,
        joined(TEST, relabelled(TEST[:2], 1 - TEST.labels[:2])),
    ),
    "class 'odd' has 200 training and 0 test examples": (TRAIN, TEST[::2]),
    "class 'odd' is 50.0% of the training and": (TRAIN, joined(TEST[:60], TEST[::2][30:])),
    "features with another mean in the test data: 1, the first of them 2": (
        TRAIN,
        changed(TEST, 2, TEST.inputs[:, 2] + 1),
    ),
    "features that give the class away by themselves: 1, the first of them 4": (
        changed(TRAIN, 4, TRAIN.labels),
        changed(TEST, 4, TEST.labels),
    ),
}


@pytest.mark.parametrize("sentence", SPOILT)
def test_what_is_wrong_with_a_split_is_said(sentence):
    said = leaks.audit(*SPOILT[sentence])
    assert any(one.startswith(sentence) for one in said), said


def test_a_feature_that_follows_the_class_with_many_values_is_found():
    rng = np.random.default_rng(0)
    telling = TRAIN.labels + rng.uniform(-0.4, 0.4, len(TRAIN))
    assert any("give the class away" in one for one in leaks.audit(changed(TRAIN, 1, telling), TEST))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: leaks.copies(np.ones((3, 2)), np.ones((3, 4))),
            r"second: expected examples like those of first",
        ),
        (lambda: leaks.copies(np.ones((3, 2)), np.ones((3, 2), np.float32)), "got float32"),
        (lambda: leaks.copies(np.ones((0, 2)), np.ones((3, 2))), r"\(0, 2\)"),
        (
            lambda: leaks.near_copies(
                np.full((3, 2), np.nan), np.ones((3, 2)), distance=1.0, rng=np.random.default_rng(0)
            ),
            "first: expected finite",
        ),
        (
            lambda: leaks.near_copies(
                np.ones((3, 2)), np.ones((3, 2)), distance=-1.0, rng=np.random.default_rng(0)
            ),
            "distance: expected 0 or more, got -1",
        ),
        (
            lambda: leaks.audit(TRAIN, dataclasses.replace(TEST, classes=("a", "b"))),
            "test: expected the classes of train",
        ),
    ],
)
def test_what_does_not_fit_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
