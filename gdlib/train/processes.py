"""Several processes that make one run: what they must agree on, and which of them is missing.

They talk through the store of `jax.distributed`, which needs no device: a process that never comes is named, where a
collective would wait for it for ever.
"""

import itertools
import json
import re
import time
from collections.abc import Callable, Mapping
from typing import Any

import jax
from orbax.checkpoint import multihost

from gdlib.train.history import History

PATIENCE = 120.0  # seconds; hosts load their data at different speeds
_rounds = itertools.count()


def speaks() -> bool:
    """Whether this process shows progress and holds the checkpoint's lock: the first does."""
    return jax.process_index() == 0


def agree(facts: Callable[[], Mapping[str, Any]]) -> None:
    """Return where all processes state the same facts; a single one need not look them up.

    Raises ValueError that names a fact on which they differ, and TimeoutError that names the processes which state
    nothing within `PATIENCE` seconds. The first process always gets to say so; when it ends, JAX ends the others.
    """
    if jax.process_count() == 1:
        return
    ours = {name: str(fact) for name, fact in facts().items()}
    said = _exchange(json.dumps(ours), PATIENCE)
    if missing := _missing(said):
        raise TimeoutError(
            f"fit: expected {jax.process_count()} processes, and nothing came from {missing} in {PATIENCE:g} s"
        )
    theirs = {index: json.loads(text) for index, text in said.items()}
    for name, fact in ours.items():
        others = [index for index, facts in theirs.items() if facts.get(name) != fact]
        if others:
            raise ValueError(
                f"{name}: expected the same in all processes, got {fact} in process {jax.process_index()} and "
                f"{theirs[others[0]].get(name)} in process {others[0]}"
            )


def is_of_the_network(error: Exception) -> bool:
    """Whether it comes from what processes say to each other: JAX raises them as ValueErrors, too."""
    return jax.process_count() > 1 and bool(re.search("Gloo|NCCL|UNAVAILABLE", str(error)))


def name_the_lost(error: Exception, history: History, *, wait: float = 5.0) -> None:
    """Raise ConnectionError that names the processes which are gone."""
    gone = _missing(_exchange("here", wait)) or "none of them, so the network between them failed"
    raise ConnectionError(
        f"fit: after step {history.steps} the processes lost each other. Gone: {gone}. Start all of them again: with a "
        "checkpoint the run goes on from there"
    ) from error


def _exchange(text: str, wait: float) -> dict[int, str]:
    """What each process says in this round, without those that say nothing in time."""
    store, own, round_ = multihost.get_jax_distributed_client(), jax.process_index(), next(_rounds)
    until, said = time.monotonic() + wait, {own: text}
    for index in sorted(range(jax.process_count()), key=lambda index: index != own):
        try:
            if index == own:
                store.key_value_set(f"gdlib/{round_}/{own}", text)
            left = max(1, int(1000 * (until - time.monotonic())))
            said[index] = store.blocking_key_value_get(f"gdlib/{round_}/{index}", left)
        except jax.errors.JaxRuntimeError:  # not in time; or the store is gone, and the first process with it
            continue
    return said


def _missing(said: Mapping[int, str]) -> str:
    """Their names, or nothing."""
    missing = [str(index) for index in range(jax.process_count()) if index not in said]
    return f"process {', '.join(missing)}" if missing else ""
