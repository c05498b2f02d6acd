import numpy as np
import pytest

from gdlib.data import hold_out, mnist_5000


@pytest.fixture(scope="module")
def both():
    return mnist_5000()


def test_the_digits_are_as_documented(both):
    for part, per_class in zip(both, (400, 100), strict=True):
        assert part.inputs.shape == (10 * per_class, 28, 28, 1)
        assert part.inputs.dtype == np.float32
        assert part.labels.dtype == np.int32
        assert part.inputs.min() == 0.0
        assert part.inputs.max() == 1.0
        np.testing.assert_array_equal(np.bincount(part.labels), per_class)


def test_the_split_is_fixed(both):
    """A change of the split would silently change every figure of the book: its first labels are known."""
    train, test = both
    assert test.labels[:12].tolist() == [5, 6, 6, 2, 4, 3, 3, 7, 9, 5, 9, 3]
    assert train.labels[:12].tolist() == [0, 7, 7, 7, 5, 9, 8, 2, 0, 9, 3, 7]


def test_no_image_is_on_both_sides(both):
    train, test = both
    train, validation = hold_out(train, per_class=50)
    sides = [{x.tobytes() for x in part.inputs} for part in (train, validation, test)]
    assert sum(map(len, sides)) == len(set.union(*sides))
