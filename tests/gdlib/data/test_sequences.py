import random

import jax
import numpy as np
import pytest

from gdlib.data import (
    adding,
    mnist_1d,
)


def test_mnist_1d_is_what_its_authors_publish_and_leaves_the_generators_alone():
    before, after = np.random.get_state()[1].copy(), []  # noqa: NPY002
    for seed in (1, 2):
        random.seed(seed)
        train, test = mnist_1d()
        after.append(random.random())
    assert after[0] != after[1]
    np.testing.assert_array_equal(np.random.get_state()[1], before)  # noqa: NPY002
    assert train.inputs.shape == (4000, 40)
    assert test.inputs.shape == (1000, 40)
    # What the authors' own generator gave with their seed, 42: another version must not change it silently.
    assert train.labels[:10].tolist() == [2, 6, 4, 5, 6, 6, 6, 0, 3, 1]
    both = np.concatenate([train.inputs, test.inputs])
    np.testing.assert_allclose((both.mean(), both.std()), (0, 1), atol=1e-5)
    shuffled, _ = mnist_1d(shuffled=True)
    order = [int(np.argmin(np.abs(shuffled.inputs[0] - value))) for value in train.inputs[0]]
    assert sorted(order) == list(range(40))
    assert order != list(range(40))
    np.testing.assert_array_equal(shuffled.inputs[:, order], train.inputs)
    np.testing.assert_array_equal(shuffled.labels, train.labels)


def test_mnist_1d_makes_other_curves_from_another_seed():
    parts = [part.inputs for seed in (42, 1) for part in mnist_1d(seed=seed)]
    assert len(np.unique(np.concatenate(parts), axis=0)) == 10_000
    with pytest.raises(ValueError, match="seed: expected values from 0"):
        mnist_1d(seed=-1)


def test_adding_marks_one_number_in_each_half():
    inputs, targets = adding(jax.random.key(0), 2000, 7)
    numbers, marks = inputs[..., 0], inputs[..., 1]
    assert inputs.shape == (2000, 7, 2)
    assert set(np.unique(marks)) == {0, 1}
    np.testing.assert_array_equal(marks[:, :3].sum(axis=1), 1)
    np.testing.assert_array_equal(marks[:, 3:].sum(axis=1), 1)
    np.testing.assert_allclose(marks.mean(axis=0), [1 / 3] * 3 + [1 / 4] * 4, atol=0.05)
    assert numbers.min() >= 0
    assert numbers.max() <= 1
    np.testing.assert_allclose(
        targets, [row[mark == 1].sum() for row, mark in zip(numbers, marks, strict=True)]
    )
    assert abs(np.mean((targets - 1) ** 2) - 1 / 6) < 5 * np.std((targets - 1) ** 2) / np.sqrt(2000)


def test_adding_has_two_marks_at_the_least_length():
    inputs, targets = adding(jax.random.key(1), 3, 2)
    np.testing.assert_array_equal(inputs[..., 1], 1)
    np.testing.assert_allclose(targets, inputs[..., 0].sum(axis=1))


@pytest.mark.parametrize(("n", "length"), [(0, 5), (5, 0), (5, 1), (2.0, 5)])
def test_adding_refuses_sizes_that_are_none(untyped, n, length):
    with pytest.raises((TypeError, ValueError), match=r"(n|length): expected"):
        adding(jax.random.key(0), n, length)


def test_a_seed_that_is_no_integer_is_named(untyped):
    with pytest.raises(TypeError, match=r"seed: expected an integer, got 1\.5"):
        mnist_1d(seed=1.5)
