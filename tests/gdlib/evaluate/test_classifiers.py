import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from gdlib import evaluate, train

LOGITS = np.array([[2.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 3.0, 0.0], [0.0, 0.0, 0.5]])
LABELS = np.array([0, 1, 2, 2])


def test_accuracy_and_confusion_count():
    assert evaluate.accuracy(LOGITS, LABELS).value == 0.75
    np.testing.assert_array_equal(evaluate.confusion(LOGITS, LABELS), [[1, 0, 0], [0, 1, 0], [0, 1, 1]])


def test_calibration_is_the_sum_over_bins_by_hand():
    found = evaluate.calibration(LOGITS, LABELS, bins=10)
    confident = np.exp(LOGITS.max(axis=1)) / np.exp(LOGITS).sum(axis=1)  # 0.79, 0.58, 0.91, 0.45
    expected = np.mean(np.abs(np.array([1, 1, 0, 1]) - confident))  # each in a bin of its own
    assert found.error == pytest.approx(expected)
    np.testing.assert_allclose(found.share, [0, 0, 0, 0, 0.25, 0.25, 0, 0.25, 0, 0.25])
    np.testing.assert_allclose(found.accuracy[[4, 5, 7, 9]], [1, 1, 1, 0])
    assert np.isnan(found.accuracy[0])


def sampled_labels(logits, rng_key):
    return np.asarray(jax.random.categorical(rng_key, logits))


def test_labels_drawn_from_the_model_are_calibrated_and_temperature_finds_what_scaled_them():
    logits = 2 * jax.random.normal(jax.random.key(0), (20000, 5))
    labels = sampled_labels(logits, jax.random.key(1))
    assert evaluate.calibration(logits, labels).error < 0.02
    assert evaluate.temperature(logits, labels) == pytest.approx(1, abs=0.03)
    assert evaluate.temperature(3 * logits, labels) == pytest.approx(3, abs=0.1)
    assert evaluate.calibration(3 * logits, labels).error > 0.1


@pytest.mark.parametrize(
    "function", [evaluate.accuracy, evaluate.confusion, evaluate.calibration, evaluate.temperature]
)
def test_what_is_no_classification_is_named(function):
    for logits, labels, error, message in [
        (
            np.zeros((0, 3)),
            np.zeros(0, int),
            ValueError,
            r"logits: expected shape \(n, classes\), n at least 1",
        ),
        (np.zeros(3), np.zeros(3, int), ValueError, "logits: expected shape"),
        (np.full((2, 3), np.nan), np.zeros(2, int), ValueError, "logits: expected finite numbers"),
        (np.zeros((2, 3)), np.array([0, 3]), ValueError, "labels: expected values from 0 to 2"),
        (np.zeros((2, 3)), np.zeros(2), TypeError, "labels: expected integers"),
    ]:
        with pytest.raises(error, match=message):
            function(logits, labels)


class Dropping(nnx.Module):
    def __init__(self, rngs):
        self.logits, self.drop = nnx.Linear(4, 3, rngs=rngs), nnx.Dropout(0.9, rngs=rngs)

    def __call__(self, inputs):
        return self.logits(self.drop(inputs))


def test_the_accuracies_of_many_seeds_are_those_of_each_without_dropout():
    rng = np.random.default_rng(0)
    inputs, labels = rng.normal(size=(50, 4)), rng.integers(0, 3, 50)
    models = train.create(Dropping, jax.random.split(jax.random.key(0), 3))
    found = evaluate.accuracies(models, inputs, labels)
    answers = evaluate.logits(models, inputs)
    assert answers.shape == (3, 50, 3)
    for seed, accuracy in enumerate(found):
        model = train.select_seed(models, seed)
        np.testing.assert_allclose(answers[seed], model.logits(jnp.asarray(inputs)), rtol=1e-5)
        assert accuracy == evaluate.accuracy(model.logits(jnp.asarray(inputs)), labels)
    assert len({accuracy.value for accuracy in found}) > 1
    assert not models.drop.deterministic  # its mode is as it was
