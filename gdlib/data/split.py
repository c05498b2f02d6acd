"""Splits that hang on the examples alone: not on their order, a seed or a library's version."""

import hashlib
from typing import Any

import numpy as np

from gdlib import expect
from gdlib.data.dataset import Dataset


def fraction(text: str) -> float:
    """A number from 0 to 1, as good as random, that depends on the text alone."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8]) / 2**64


def digest(example: np.ndarray) -> bytes:
    """The SHA-256 of an example's numbers."""
    return hashlib.sha256(np.ascontiguousarray(example)).digest()


def hold_out(dataset: Dataset, per_class: int) -> tuple[Dataset, Dataset]:
    """Split into (the rest, held out), with `per_class` examples of every class held out.

    Of each class, those with the smallest SHA-256 are held out. An example's side so depends on the
    examples alone, not on their order, a seed or a library's version. Both parts come in an order that
    mixes the classes, that of the hashes read backwards (forwards, the rest would begin class by class).

    Raises ValueError where a class has too few examples to leave one on each side, and where copies of
    one example would stand on both.

    Example:
      >>> from gdlib.data import mnist_5000
      >>> rest, held_out = hold_out(mnist_5000()[0], per_class=50)
      >>> len(rest), len(held_out)
      (3500, 500)
    """
    per_class = expect.positive_int("per_class", per_class)
    hashes = [digest(x) for x in np.asarray(dataset.inputs)]
    order = np.array(sorted(range(len(dataset)), key=hashes.__getitem__))
    labels = np.asarray(dataset.labels)[order]
    held = np.zeros(len(order), dtype=bool)
    for position, name in enumerate(dataset.classes):
        members = np.flatnonzero(labels == position)
        if len(members) <= per_class:
            raise ValueError(
                f"per_class: expected fewer than the {len(members)} examples of class {name!r}, got {per_class}"
            )
        held[members[:per_class]] = True
    if twice := {hashes[i] for i in order[held]} & {hashes[i] for i in order[~held]}:
        raise ValueError(
            f"dataset: expected distinct examples, got {len(twice)} that would stand on both sides"
        )
    rest, held_out = (sorted(order[side], key=lambda i: hashes[i][::-1]) for side in (~held, held))
    return dataset[np.array(rest)], dataset[np.array(held_out)]


def hold_out_entities(names: Any, *, share: float, salt: str = "") -> tuple[Any, Any]:
    """(rest, held out), split by entity: Peru's names in all languages stand on one side.

    Held out are the entities whose SHA-256, of `salt` and the entity, lies below `share` when it is read as a
    fraction: the side of each depends on nothing else. A text that is held out (another entity can bear the same)
    is left out of the rest.

    Args:
      names: to split: `texts`, the `entities` that they name, and `select(positions)`, as `Names` has them.
      share: of the entities, about, that are held out; between 0 and 1.
      salt: another one splits otherwise.

    Raises ValueError for a share that leaves one side empty.
    """
    out = np.array([fraction(salt + entity) < share for entity in names.entities])
    seen = {text for text, is_out in zip(names.texts, out, strict=True) if is_out}
    rest = ~out & np.array([text not in seen for text in names.texts])
    if not out.any() or not rest.any():
        raise ValueError(f"share: expected one that leaves entities on both sides, got {share}")
    return names.select(np.flatnonzero(rest)), names.select(np.flatnonzero(out))
