"""A history says in two lines what was run."""

import warnings

import numpy as np
import pytest
from toy import DATA, EVALUATION, fit, fresh

from gdlib.train.history import History


def test_it_says_what_was_run_and_how_it_ended():
    history = History(
        steps_per_epoch=4,
        train={"loss": np.array([3.0, 2.0, 1.0, 1.0, 0.5, 0.25]), "size": np.array([8] * 6)},
        validation={"loss": np.array([0.75])},
        validation_steps=np.array([4]),
        seconds=12.345,
    )
    assert repr(history).splitlines() == [
        "History: 6 steps, 1.5 epochs, 12.3 s",
        "train: loss 0.25, size 8; validation: loss 0.75",
    ]


def test_over_seeds_it_is_the_mean_of_those_that_are_finite():
    history = History(
        steps_per_epoch=1,
        train={"loss": np.array([[1.0, 1.0, 1.0], [2.0, np.nan, 4.0]], np.float32)},
        diverged={1: 1},
    )
    assert repr(history).splitlines() == [
        "History: 2 steps, 2 epochs, 3 seeds, 0 s, diverged {1: 1}",
        "train: loss 3",
    ]


def test_nothing_finite_is_nan_without_a_warning():
    history = History(1, {"loss": np.full((2, 3), np.nan)})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert repr(history).endswith("train: loss nan")


@pytest.mark.parametrize(
    "history", [History(5), History(5, {"loss": np.zeros((0, 2))})], ids=["empty", "cut to none"]
)
def test_without_a_step_it_is_one_line(history):
    (line,) = repr(history).splitlines()
    assert line.startswith("History: 0 steps, 0 epochs, ")


def test_it_stays_short():
    many = History(1, {"loss": np.ones((2000, 300))}, diverged=dict.fromkeys(range(200), 7))
    assert len(repr(many)) < 200
    history = fit(fresh(), validate=EVALUATION, validation_data=DATA)
    said = repr(history)
    assert len(said.splitlines()) == 2
    assert f"loss {history.train['loss'][-1]:.4g}" in said
    assert f"validation: loss {history.validation['loss'][-1]:.4g}" in said


def test_a_bar_gets_the_last_steps_losses():
    rows = {
        "loss": np.array([3.0, 2.0, 1.0]),
        "other_loss": np.array([[1, 1], [1, 1], [2, 4]]),
        "size": np.ones(3),
    }
    assert History(1, rows).latest() == "loss 1, other_loss 3"
    assert History(1, {"loss": np.array([[1.0, np.nan]])}).latest() == "loss 1"


def test_history_means_and_names():
    history = fit(fresh())
    np.testing.assert_allclose(history.epoch_means("loss"), history.train["loss"].reshape(3, 5).mean(axis=1))
    with pytest.raises(ValueError, match="name: expected one of"):
        history.epoch_means("accuracy")
