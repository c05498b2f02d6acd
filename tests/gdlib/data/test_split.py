"""Splits of examples by class, and of names by what they name."""

import numpy as np
import pytest

from gdlib.data import Dataset, hold_out


def toy(n=60, classes=3):
    rng = np.random.default_rng(0)
    return Dataset.checked(rng.normal(size=(n, 2)), np.arange(n) % classes, tuple("abcdef"[:classes]))


def test_hold_out_does_not_depend_on_the_order_of_the_examples():
    data = toy()
    shuffled = data[np.random.default_rng(1).permutation(len(data))]
    for one, other in zip(hold_out(data, 4), hold_out(shuffled, 4), strict=True):
        np.testing.assert_array_equal(one.inputs, other.inputs)
        np.testing.assert_array_equal(one.labels, other.labels)


def test_hold_out_keeps_every_example_once_and_mixes_the_classes():
    rest, held = hold_out(toy(600), 40)
    assert len(rest) == 480
    assert np.bincount(held.labels).tolist() == [40, 40, 40]
    assert len({x.tobytes() for part in (rest, held) for x in part.inputs}) == 600
    for part in (rest, held):
        assert set(part.labels[:30].tolist()) == {0, 1, 2}


def test_hold_out_refuses_to_empty_a_class():
    with pytest.raises(
        ValueError, match="per_class: expected fewer than the 20 examples of class 'a', got 20"
    ):
        hold_out(toy(), 20)


def test_hold_out_never_parts_two_copies_of_one_example():
    data = toy()
    twice = Dataset.checked(
        np.concatenate([data.inputs, data.inputs]), np.concatenate([data.labels, data.labels]), data.classes
    )
    with pytest.raises(
        ValueError, match=r"dataset: expected distinct examples, got 3 that would stand on both"
    ):
        hold_out(twice, 5)  # of each class, two pairs and a half
    rest, held = hold_out(twice, 4)
    assert not {x.tobytes() for x in rest.inputs} & {x.tobytes() for x in held.inputs}
