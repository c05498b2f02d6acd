"""Sequences of numbers: curves that stand for digits, and pairs that have to be added over a long time."""

import random
from typing import Any, NamedTuple

import jax
import numpy as np

from gdlib import expect
from gdlib.data.dataset import Dataset
from gdlib.data.digits import DIGITS


def mnist_1d(*, shuffled: bool = False, seed: int = 42) -> tuple[Dataset, Dataset]:
    """(train, test) of MNIST-1D: 4000 and 1000 sequences of 40 numbers, made from ten hand-drawn curves.

    Each is padded, shifted, scaled, sheared and noised at random, with the seed and the sizes that the authors
    publish. Mean 0 and deviation 1 over all 5000 together, as theirs.

    Args:
      shuffled: put the 40 positions of every sequence into one random order, which hides what is near what.
      seed: of the generator, from 0 to 2³² − 1. Another than the authors' 42 makes data that nobody has seen.

    Reference: Greydanus & Kobak (2024); their package mnist1d makes the data.
    """
    seed = expect.integer("seed", seed)
    expect.within("seed", seed, 0, 2**32 - 1)
    states = random.getstate(), np.random.get_state()  # noqa: NPY002  mnist1d seeds the global generators
    try:
        from mnist1d.data import get_dataset_args, make_dataset  # imports pyplot: only where it is used

        arguments: Any = get_dataset_args()
        arguments.shuffle_seq, arguments.seed = shuffled, seed
        made = make_dataset(arguments)
    finally:
        random.setstate(states[0])
        np.random.set_state(states[1])  # noqa: NPY002
    train, test = ((made[f"x{part}"], made[f"y{part}"]) for part in ("", "_test"))
    return Dataset.checked(*train, DIGITS), Dataset.checked(*test, DIGITS)


class Regression(NamedTuple):
    """Examples, and the number that belongs to each."""

    inputs: Any
    targets: Any


def adding(rng_key: jax.Array, n: int, length: int) -> Regression:
    """The adding problem: sequences of pairs (a number, a mark), (n, length, 2), and the sum of the two marked numbers.

    The numbers are uniform on [0, 1]. One mark stands in each half of the sequence, anywhere in it. Who always
    answers 1 has a mean squared error of 1/6: the variance of a sum of two such numbers.

    Raises TypeError or ValueError unless n is at least 1 and length at least 2.
    Reference: after Hochreiter & Schmidhuber (1997).
    """
    n, length = expect.positive_int("n", n), expect.positive_int("length", length)
    if length < 2:
        raise ValueError(f"length: expected at least 2, for two marks, got {length}")
    keys = jax.random.split(expect.random_key("rng_key", rng_key), 3)
    numbers = jax.random.uniform(keys[0], (n, length))
    first = jax.random.randint(keys[1], (n,), 0, length // 2)
    second = jax.random.randint(keys[2], (n,), length // 2, length)
    marks = jax.nn.one_hot(first, length) + jax.nn.one_hot(second, length)
    targets = (numbers * marks).sum(axis=1)
    return Regression(np.stack([numbers, marks], axis=-1), np.asarray(targets))
