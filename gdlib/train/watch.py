"""Validation as `fit` does it: its program is compiled beside that of the steps, which need not wait for it."""

from threading import Thread

import jax
from jaxtyping import Array, PyTree

from gdlib import expect
from gdlib.train.chunk import Metrics, Step, run_validation
from gdlib.train.history import History
from gdlib.train.minibatches import replicated


class Watch:
    """A step for validation, its data, and when it is run; or nothing, where there is none.

    A mistake in the step shows at once, as it is traced here.

    Raises TypeError or ValueError for a step without data, data without a step, data that are none, and another time
    than after a chunk or an epoch.
    """

    def __init__(
        self,
        validate: Step | None,
        data: PyTree,
        every: str,
        graphdef,
        state: PyTree,
        rng_key: Array,
        sharding,
    ):
        if (validate is None) != (data is None):
            raise ValueError("validate: expected it together with validation_data, got one without the other")
        if every not in ("epoch", "chunk"):
            raise ValueError(f'validate_every: expected "epoch" or "chunk", got {every!r}')
        self.validate, self.data, self.every = validate, data, every
        if validate is None:
            return
        expect.examples("validation_data", data)
        self.data = jax.device_put(data, replicated(sharding))
        self._fixed = validate, graphdef
        self._given = self.data, rng_key
        lowered = run_validation.lower(*self._fixed, state, *self._given)
        self._compilation = Thread(target=lowered.compile)
        self._compilation.start()

    def run(self, state: PyTree) -> Metrics:
        """The scalars of the step on all of the data."""
        return run_validation(*self._fixed, state, *self._given)

    def after(self, what: str, state: PyTree, history: History) -> None:
        """Where validation comes after `what`, a chunk or an epoch, append to the history what it says of `state`."""
        if self.validate is not None and what == self.every:
            self._compilation.join()
            history.append_validation(self.run(state))
