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
TEST_TWO = Dataset.checked(np.random.default_rng(9).normal(size=(200, 2)), np.arange(200) % 2, CLASSES)
SPOILT = {
    "3 test examples are training examples, too; 0 have another label there": (joined(TRAIN, TEST[:3]), TEST),
    "2 test examples are training examples, too; 2 have another label there": (
        joined(TRAIN, relabelled(TEST[:2], 1 - TEST.labels[:2])),
        TEST,
    ),
    "2 training examples repeat another; 0 of those others have a second label": (
        joined(TRAIN, TRAIN[:2]),
        TEST,
    ),
    "2 test examples repeat another; 2 of those others have a second label": (
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


def test_a_rare_class_few_rows_and_rare_values_are_no_reason_for_alarm():
    rng = np.random.default_rng(4)
    rare = np.arange(2000) == 0
    few = Dataset.checked(rng.normal(size=(40, 8)), np.arange(40) % 2, CLASSES)
    assert leaks.audit(few, Dataset.checked(rng.normal(size=(30, 8)), np.arange(30) % 2, CLASSES)) == []
    side = Dataset.checked(rng.normal(size=(2000, 4)), rare.astype(int), CLASSES)
    said = leaks.audit(side, Dataset.checked(rng.normal(size=(2000, 4)), rare.astype(int), CLASSES))
    assert said == []
    alarms = 0
    for _ in range(40):  # a feature that is 1 in 1.5 % of the cases, and a small test side
        a, b = (
            Dataset.checked(
                np.concatenate([rng.random((n, 1)) < 0.015, rng.normal(size=(n, 2))], axis=1),
                np.arange(n) % 2,
                CLASSES,
            )
            for n in (3000, 40)
        )
        alarms += bool(leaks.audit(a, b))
    assert alarms <= 2


def test_many_equal_examples_are_counted_and_not_paired():
    blank = Dataset.checked(np.zeros((20_000, 2)), np.arange(20_000) % 2, CLASSES)
    said = leaks.audit(blank, TEST_TWO)
    assert any(one.startswith("19999 training examples repeat another; 1 of those") for one in said)


def test_integers_and_floats_are_compared_by_value():
    whole = Dataset.checked(np.arange(40).reshape(20, 2), np.arange(20) % 2, CLASSES)
    assert leaks.audit(whole, relabelled(whole, whole.labels))[0].startswith("20 test examples are training")
    floats = dataclasses.replace(whole, inputs=whole.inputs.astype(np.float32))
    assert leaks.audit(whole, floats)[0].startswith("20 test examples are training")


def test_nothing_to_compare_is_no_pair():
    pairs, compared = leaks.near_copies(
        np.ones((3, 2)), np.ones((0, 2)), distance=1.0, rng=np.random.default_rng(0)
    )
    assert (pairs.shape, compared) == ((0, 2), 0)


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
        (
            lambda: leaks.audit(TRAIN, TEST_TWO),
            r"test: expected inputs shaped like those of train, \(6,\), got \(2,\)",
        ),
    ],
)
def test_what_does_not_fit_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
