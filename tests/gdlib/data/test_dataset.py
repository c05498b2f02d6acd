import jax
import numpy as np
import pytest

from gdlib.data import Dataset


def toy(n=60, classes=3):
    rng = np.random.default_rng(0)
    return Dataset.checked(rng.normal(size=(n, 2)), np.arange(n) % classes, tuple("abcdef"[:classes]))


def test_a_dataset_is_not_a_sequence():
    """Through __getitem__ alone, Python would count positions for ever: JAX clamps those past the end."""
    with pytest.raises(TypeError, match="not iterable"):
        iter(jax.tree.map(jax.numpy.asarray, toy()))


def test_a_dataset_is_a_pytree_whose_minibatch_is_a_dataset():
    data = toy()
    batch = jax.tree.map(lambda leaf: leaf[:5], data)
    assert isinstance(batch, Dataset)
    assert len(batch) == len(data[:5]) == 5
    assert batch.classes == data.classes


@pytest.mark.parametrize(
    ("inputs", "labels", "message"),
    [
        (np.zeros((0, 2)), np.zeros(0, int), "inputs: expected at least one example"),
        (np.zeros((3, 2)), np.zeros(2, int), "labels: expected one for each"),
        (np.zeros(()), np.zeros(1, int), "labels: expected one for each"),
        (np.full((3, 2), np.nan), np.zeros(3, int), "inputs: expected finite"),
        (np.zeros((3, 2)), np.array([0, 1, 2]), "labels: expected values from 0 to 1, got 0 to 2"),
        (np.zeros((3, 2)), np.array([0, -1, 1]), "labels: expected values from 0 to 1"),
    ],
)
def test_checked_names_what_is_wrong(inputs, labels, message):
    with pytest.raises(ValueError, match=message):
        Dataset.checked(inputs, labels, ("a", "b"))


def test_checked_refuses_labels_that_are_no_integers():
    with pytest.raises(TypeError, match=r"labels: expected integers, got an array of float64\[3\]"):
        Dataset.checked(np.zeros((3, 2)), np.zeros(3), ("a",))


def test_images_refuses_values_out_of_range_and_another_rank():
    with pytest.raises(ValueError, match="pixels: expected values from 0 to 255"):
        Dataset.of_images(np.full((2, 4, 4), 256), np.zeros(2, int), ("a",))
    with pytest.raises(ValueError, match=r"pixels: expected shape \(n, height, width\)"):
        Dataset.of_images(np.zeros((2, 16)), np.zeros(2, int), ("a",))


@pytest.mark.parametrize("inputs", [np.array(["a", "b"]), np.array([None, {}], object)])
def test_inputs_that_are_no_numbers_are_refused(inputs):
    with pytest.raises(TypeError, match="inputs: expected numbers, got an array of"):
        Dataset.checked(inputs, [0, 1], ("a", "b"))


def test_images_that_are_scaled_already_are_refused():
    with pytest.raises(ValueError, match="pixels: expected grey values from 0 to 255, got floats up to 1"):
        Dataset.of_images(np.linspace(0, 1, 32).reshape(2, 4, 4), [0, 0], ("a",))
    dark = Dataset.of_images(np.ones((2, 4, 4), np.uint8), [0, 0], ("a",))  # bytes are what they are
    np.testing.assert_allclose(dark.inputs, 1 / 255)
