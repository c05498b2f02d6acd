"""Planted errors are planted as asked, and found as cleanlab's own library finds them."""

import numpy as np
import pytest
from cleanlab.count import compute_confident_joint
from cleanlab.filter import find_label_issues
from hypothesis import given, settings
from hypothesis import strategies as st

from gdlib.data import quality


def case(seed, classes=4, n=300):
    """Labels with errors, and the probabilities of somebody who knows the truth, more or less."""
    rng = np.random.default_rng(seed)
    truth = np.concatenate([np.arange(classes), rng.integers(classes, size=n - classes)])
    logits = rng.normal(size=(n, classes)) + rng.uniform(0, 4) * np.eye(classes)[truth]
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    noise = 0.8 * np.eye(classes) + 0.2 * rng.dirichlet(np.ones(classes), classes)
    labels = quality.flip(truth, noise, rng)
    labels[:classes] = np.arange(classes)  # each class is there
    return labels, p


def odd(labels, p):
    """Rows in which several classes are as probable as usual, and the most probable class is not one of them.

    Of such a row cleanlab counts the most probable class nevertheless.
    """
    usual = [p[labels == k, k].mean() for k in range(p.shape[1])]
    sure = p >= np.array(usual) - 1e-6
    return np.flatnonzero((sure.sum(axis=1) > 1) & ~sure[np.arange(len(p)), p.argmax(axis=1)])


@given(st.integers(0, 10_000), st.integers(2, 6))
@settings(max_examples=40, deadline=None)
def test_what_is_counted_and_found_is_what_cleanlab_counts_and_finds(seed, classes):
    labels, p = case(seed, classes)
    except_for = set(odd(labels, p))
    assert len(except_for) < 5
    theirs = compute_confident_joint(labels, p, calibrate=False)
    # Where a class is left without a confident example of its own, cleanlab puts one there.
    ours = np.maximum(quality.confident_joint(labels, p), np.eye(classes, dtype=int))
    assert np.abs(ours - theirs).sum() <= 2 * len(except_for)
    marked = find_label_issues(labels, p, filter_by="confident_learning", n_jobs=1)
    assert set(quality.suspects(labels, p)) ^ set(np.flatnonzero(marked)) <= except_for


def test_the_most_suspicious_come_first():
    labels, p = case(3)
    found = quality.suspects(labels, p)
    margins = (p[np.arange(len(p)), labels] - p.max(axis=1))[found]
    assert len(found) > 10
    assert (np.diff(margins) >= 0).all()
    assert margins[0] < margins[-1] < 0


def test_who_is_always_right_and_sure_suspects_nobody():
    labels = np.arange(12) % 3
    assert not quality.suspects(labels, np.eye(3)[labels]).size
    np.testing.assert_array_equal(quality.confident_joint(labels, np.eye(3)[labels]), 4 * np.eye(3))


def test_errors_are_as_frequent_as_asked_and_the_same_again():
    noise = np.array([[0.7, 0.2, 0.1], [0.0, 1.0, 0.0], [0.5, 0.0, 0.5]])
    labels = np.arange(60_000, dtype=np.int32) % 3
    given = quality.flip(labels, noise, np.random.default_rng(0))
    assert given.dtype == labels.dtype
    shares = [[np.mean(given[labels == j] == k) for k in range(3)] for j in range(3)]
    # 20,000 a class: five standard deviations are below 0.018.
    np.testing.assert_allclose(shares, noise, atol=0.018)
    assert shares[1] == [0, 1, 0]  # what is impossible never happens
    np.testing.assert_array_equal(given, quality.flip(labels, noise, np.random.default_rng(0)))


def test_what_is_impossible_does_not_come_by_rounding(untyped):
    class Late:  # the largest number below 1, again and again
        def random(self, shape):
            return np.full(shape, np.nextafter(1, 0))

    noise = np.array([[0.1] * 10 + [0.0]] * 11)
    noise[:, 0] -= 5e-7  # rows sum to 1, but for rounding
    assert set(quality.flip(np.arange(11), noise, Late())) == {9}


LABELS, P = case(0)


@pytest.mark.parametrize(
    ("labels", "p", "error", "message"),
    [
        (LABELS, P[:, 0], ValueError, r"probabilities: expected shape \(n, classes\)"),
        (LABELS, P[:, :1], ValueError, "two classes at least"),
        (LABELS, P[:0], ValueError, r"got \(0, 4\)"),
        (LABELS, 2 * P, ValueError, "probabilities: expected values from 0 to 1"),
        (LABELS, np.log(P), ValueError, "probabilities: expected values from 0 to 1"),
        (LABELS, P / 2, ValueError, "rows that sum to 1; are these logits"),
        (LABELS, np.where(P[5, 2] == P, np.nan, P), ValueError, "expected values from 0 to 1, got nan"),
        (LABELS[:7], P, ValueError, "labels: expected 300 of them"),
        (LABELS + 1, P, ValueError, "labels: expected values from 0 to 3"),
        (LABELS * 1.0, P, TypeError, "labels: expected integers"),
        (np.maximum(LABELS, 1), P, ValueError, r"each class at least once, got none of \[0\]"),
    ],
)
@pytest.mark.parametrize("function", [quality.confident_joint, quality.confident_classes, quality.suspects])
def test_what_does_not_fit_is_named(untyped, function, labels, p, error, message):
    with pytest.raises(error, match=message):
        function(labels, p)


@pytest.mark.parametrize(
    ("noise", "message"),
    [
        (np.ones(3), r"noise: expected shape \(classes, classes\), got \(3,\)"),
        (np.ones((2, 3)) / 3, r"got \(2, 3\)"),
        (np.zeros((0, 0)), r"got \(0, 0\)"),
        (np.ones((3, 3)), "rows that sum to 1"),
        (np.array([[1.5, -0.5], [0, 1]]), "noise: expected values from 0 to 1"),
        (np.eye(2), "labels: expected values from 0 to 1"),
    ],
)
def test_noise_that_is_none_is_named(untyped, noise, message):
    with pytest.raises(ValueError, match=message):
        quality.flip(np.arange(3), noise, np.random.default_rng(0))
