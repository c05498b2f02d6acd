"""An interrupt, whenever it comes, leaves modules that can be used and a history that fits them."""

import numpy as np
import pytest
from flax import nnx
from toy import fit, fresh, weights

from gdlib import train
from gdlib.train import chunk, loop


def test_an_interrupt_leaves_the_state_of_the_last_chunk(monkeypatch):
    modules, expected = fresh(), fresh()
    run, calls = chunk.run_steps, []

    def interrupted(*arguments, **options):
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return run(*arguments, **options)

    monkeypatch.setattr(loop, "run_steps", interrupted)
    with pytest.raises(KeyboardInterrupt) as caught:
        fit(modules)
    assert "after step 10 of 15" in caught.value.__notes__[0]
    assert caught.value.history.steps == 10
    monkeypatch.undo()
    fit(expected, epochs=2)
    np.testing.assert_array_equal(weights(modules), weights(expected))


def test_an_interrupt_while_the_modules_are_written_leaves_them_whole(monkeypatch):
    modules, expected = fresh(), fresh()
    fit(fresh())  # what is traced calls nnx.update, too
    update, calls = nnx.update, []

    def interrupted(*arguments):
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt
        update(*arguments)

    monkeypatch.setattr(loop.nnx, "update", interrupted)
    with pytest.raises(KeyboardInterrupt) as caught:
        fit(modules)
    monkeypatch.undo()
    assert "after step 10 of 15" in caught.value.__notes__[0]
    fit(expected, epochs=2)
    np.testing.assert_array_equal(weights(modules), weights(expected))


def test_an_interrupt_between_metrics_and_state_counts_the_steps_that_the_modules_made(monkeypatch):
    modules, expected = fresh(), fresh()
    append, calls = train.History.append_training, []

    def interrupted(*arguments):
        append(*arguments)
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(train.History, "append_training", interrupted)
    with pytest.raises(KeyboardInterrupt) as caught:
        fit(modules)
    monkeypatch.undo()
    assert "after step 5 of 15" in caught.value.__notes__[0]
    assert caught.value.history.steps == 5
    fit(expected, epochs=1)
    np.testing.assert_array_equal(weights(modules), weights(expected))
