"""What a run of `fit` recorded."""

import dataclasses
import math
import reprlib
from collections.abc import Mapping

import numpy as np
from jaxtyping import ArrayLike

Rows = dict[str, np.ndarray]


@dataclasses.dataclass
class History:
    """Metrics of a run. With many seeds at once, the last axis of every array is the seed.

    Attributes:
      steps_per_epoch: minibatches an epoch, a smaller last one included.
      train: name → (steps, *seeds), one value a step.
      validation: name → (evaluations, *seeds).
      validation_steps: how many steps had been made at each evaluation.
      seconds: wall-clock time, compilation included; of a resumed run, all of its parts.
      diverged: seed → the first step that was not finite.
    """

    steps_per_epoch: int
    train: Rows = dataclasses.field(default_factory=dict)
    validation: Rows = dataclasses.field(default_factory=dict)
    validation_steps: np.ndarray = dataclasses.field(default_factory=lambda: np.zeros(0, int))
    seconds: float = 0.0
    diverged: dict[int, int] = dataclasses.field(default_factory=dict)

    def __repr__(self) -> str:
        """What was run; below it the last value of each metric, the mean over the seeds in which it is finite."""
        seeds = "".join(f"{count} seeds, " for count in self.seed_shape)
        diverged = f", diverged {reprlib.repr(self.diverged)}" if self.diverged else ""
        epochs = self.steps / self.steps_per_epoch
        ran = f"History: {self.steps} steps, {epochs:.4g} epochs, {seeds}{self.seconds:.3g} s{diverged}"
        parts = [_last(kind, rows) for kind, rows in (("train", self.train), ("validation", self.validation))]
        return "\n".join(filter(None, [ran, "; ".join(filter(None, parts))]))

    @property
    def steps(self) -> int:
        """Steps made so far."""
        return len(next(iter(self.train.values()), ()))

    @property
    def seed_shape(self) -> tuple[int, ...]:
        """() for a single run, else (number of seeds,)."""
        return next(iter(self.train.values())).shape[1:] if self.train else ()

    @property
    def validation_epochs(self) -> np.ndarray:
        """`validation_steps` in epochs: where each evaluation stands on a learning curve's axis."""
        return self.validation_steps / self.steps_per_epoch

    def epoch_means(self, name: str) -> np.ndarray:
        """The mean over each whole epoch's steps of a training metric, (epochs, *seeds)."""
        if name not in self.train:
            raise ValueError(f"name: expected one of {sorted(self.train)}, got {name!r}")
        epochs = self.steps // self.steps_per_epoch
        whole = self.train[name][: epochs * self.steps_per_epoch]
        return whole.reshape(epochs, self.steps_per_epoch, *self.seed_shape).mean(axis=1)

    def latest(self) -> str:
        """The last step's losses (each the mean over seeds that are finite) for a progress bar."""
        losses = {name: rows[-1] for name, rows in self.train.items() if name.endswith("loss")}
        return ", ".join(f"{name} {np.nanmean(last):.4g}" for name, last in losses.items())

    def alive(self, seeds: tuple[int, ...]) -> np.ndarray:
        """Which runs have not diverged, a boolean array of shape `seeds`."""
        alive = np.ones(seeds, dtype=bool)
        alive.flat[list(self.diverged)] = False
        return alive

    def append_training(self, rows: Mapping[str, ArrayLike], survived: ArrayLike) -> None:
        """Append the metrics of a chunk of steps, and note which seed survived only so many of them."""
        survived = np.asarray(survived)
        before, length = self.alive(survived.shape), len(np.asarray(next(iter(rows.values()))))
        for seed in np.flatnonzero(before & (survived < length)):
            self.diverged[int(seed)] = self.steps + int(survived.flat[seed])
        self.train = _joined(self.train, rows)

    def append_validation(self, row: Mapping[str, ArrayLike]) -> None:
        self.validation = _joined(
            self.validation, {name: np.asarray(value)[None] for name, value in row.items()}
        )
        self.validation_steps = np.append(self.validation_steps, self.steps)

    def truncate(self, steps: int) -> None:
        self.train = {name: rows[:steps] for name, rows in self.train.items()}


def _last(kind: str, rows: Rows) -> str:
    """The last row of each metric, in words; nothing where there is none."""
    last = {name: np.asarray(values[-1], float) for name, values in rows.items() if len(values)}
    means = {
        name: row[np.isfinite(row)].mean() if np.isfinite(row).any() else math.nan
        for name, row in last.items()
    }
    return f"{kind}: " + ", ".join(f"{name} {mean:.4g}" for name, mean in means.items()) if means else ""


def _joined(rows: Rows, more: Mapping[str, ArrayLike]) -> Rows:
    if not rows:
        return {name: np.asarray(values) for name, values in more.items()}
    if set(rows) != set(more):
        raise ValueError(f"step: expected the scalars {sorted(rows)} each time, got {sorted(more)}")
    return {name: np.concatenate([rows[name], np.asarray(values)]) for name, values in more.items()}
