"""The translator of dates, from its checkpoint to its answers: compiled for a few shapes before the first question."""

import json
from collections.abc import Sequence
from functools import partial
from os import PathLike
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx

from gdlib import decoding, expect, objectives, train
from gdlib.data import tokens, written_dates
from gdlib.models import transformer

LONGEST, WRITTEN = 38, 11  # letters of a text; ten characters of a date, and the end
SIZES = {"width": 64, "heads": 4, "blocks": 2, "hidden": 128}
BATCHES, LENGTHS = (1, 4, 16, 32, 64), (24, LONGEST)
CARD = "card.json"


class DateTranslator:
    """Texts to dates as ISO 8601 writes them: rows in, dates out, in arrays of a few shapes.

    Args:
      model: a trained `Translator`.
      sources, targets: the characters of the texts and of the dates.
      batches, lengths: the shapes, rising; a batch is padded to the next one.

    Example: `DateTranslator(model, sources, targets)([translator.row("May 3, 2019")])` is `["2019-05-03"]`.
    """

    def __init__(
        self,
        model: transformer.Translator,
        sources: tokens.Vocabulary,
        targets: tokens.Vocabulary,
        *,
        batches: Sequence[int] = BATCHES,
        lengths: Sequence[int] = LENGTHS,
    ):
        self.sources, self.targets = sources, targets
        self.batches, self.lengths = (
            _rising(*given) for given in (("batches", batches), ("lengths", lengths))
        )
        self.longest, self.limit = self.lengths[-1], self.batches[-1]
        self.graphdef, self.state = nnx.split(model)
        self._translate = jax.jit(partial(_translate, self.graphdef))

    def compile(self) -> None:
        """Compile every shape there is, so that no question waits for it."""
        for batch in self.batches:
            for length in self.lengths:
                self._run(np.full((batch, length), tokens.UNKNOWN, np.int32), np.ones(batch, np.int32))

    def row(self, text: Any) -> list[int]:
        """A text as tokens.

        Raises TypeError for what is no text, and ValueError for an empty one, one that is too long, and letters that no
        training text had.
        """
        if not isinstance(text, str):
            raise TypeError(f"expected a text, got {expect.describe(text)}")
        if not text.strip():
            raise ValueError("expected a date, got a text without a letter")
        if len(text) > 4 * self.longest:  # before anything is done with it
            raise ValueError(f"expected at most {self.longest} characters, got {len(text)}")
        row = self.sources.tokens(text)
        if len(row) > self.longest:
            raise ValueError(f"expected at most {self.longest} characters, got {len(row)}")
        if tokens.UNKNOWN in row:
            unknown = sorted({letter for letter in text if tokens.UNKNOWN in self.sources.tokens(letter)})
            raise ValueError(
                f"expected letters that the model has learned, got {' '.join(map(repr, unknown))}"
            )
        return row

    def __call__(self, rows: Sequence[list[int]]) -> list[str]:
        """The date of each row, as the model has it; it need not be one. At most the largest of `batches`."""
        batch = next((size for size in self.batches if size >= len(rows)), None)
        if not rows or batch is None:
            raise ValueError(f"rows: expected 1 to {self.limit}, got {len(rows)}")
        lengths = np.ones(batch, np.int32)
        lengths[: len(rows)] = [len(row) for row in rows]
        length = next(size for size in self.lengths if size >= lengths.max())
        ids = np.full((batch, length), tokens.PAD, np.int32)
        for to, row in zip(ids, rows, strict=False):
            to[: len(row)] = row
        return self.targets.decode(self._run(ids, lengths)[: len(rows)])

    def _run(self, ids: np.ndarray, lengths: np.ndarray) -> np.ndarray:
        return np.asarray(self._translate(self.state, ids, lengths))


class DateWriter:
    """The same, character by character, for `Slots`: in each slot a text, at a place of its own in its date.

    Args:
      translator: whose model writes, and whose longest text a slot holds.
      slots: how many texts at a time.
    """

    def __init__(self, translator: DateTranslator, slots: int):
        self.slots = expect.positive_int("slots", slots)
        self._translator, self._longest = translator, translator.longest
        read, further = (jax.jit(partial(f, translator.graphdef)) for f in (_read, _further))
        self._read, self._further = partial(read, translator.state), partial(further, translator.state)
        ids = np.full((1, self._longest), tokens.UNKNOWN, np.int32)
        empty = self._read(ids, np.ones(1, np.int32))
        self._held = jax.tree.map(lambda array: jnp.repeat(array[None], self.slots, axis=0), empty)
        self.begin(0, [tokens.UNKNOWN])
        self.advance()  # compiled, both

    def begin(self, slot: int, row: list[int]) -> None:
        """Put a text into a slot, at the beginning of its date."""
        ids = np.full((1, self._longest), tokens.PAD, np.int32)
        ids[0, : len(row)] = row
        read = jax.block_until_ready(
            self._read(ids, np.array([len(row)], np.int32))
        )  # `_put` consumes what is held
        self._held = _put(self._held, slot, read)

    def advance(self) -> list[tuple[str, bool]]:
        """For each slot its next character, and whether the date ends with it (with nothing, where it is the end)."""
        held, chosen, position = self._further(self._held)
        chosen, last = np.asarray(chosen), np.asarray(position) >= WRITTEN  # raises, if it failed
        self._held = held
        texts = self._translator.targets.decode(chosen[:, None])
        return [
            (text, bool(token == tokens.END or end))
            for text, token, end in zip(texts, chosen, last, strict=True)
        ]


def _translate(graphdef, state, ids, lengths):
    """Greedy decoding, in one program with the reading."""
    model = nnx.merge(graphdef, state)
    cold = jnp.zeros(())
    return decoding.write(model, model.read(ids, lengths), jax.random.key(0), cold, len(ids), WRITTEN)[0]


def _read(graphdef, state, ids, length):
    """What a slot holds before its first character: (the decoder's carry, the latest token, the text as it is seen)."""
    model = nnx.merge(graphdef, state)
    return model.start(1, WRITTEN), jnp.array([tokens.START]), model.read(ids, length)


def _further(graphdef, state, held):
    """Every slot by one character, each at its own position."""
    model = nnx.merge(graphdef, state)
    carry, latest, source = held
    carry, logits = jax.vmap(model.next)(carry, latest, source)
    logits = logits.at[..., [tokens.PAD, tokens.START]].set(-jnp.inf)
    chosen = logits.argmax(axis=-1)
    return (carry, chosen, source), chosen[:, 0], carry[0]


@partial(jax.jit, donate_argnums=0)
def _put(held, slot, one):
    return jax.tree.map(lambda all_of_them, new: all_of_them.at[slot].set(new), held, one)


def train_translator(
    folder: str | PathLike, *, examples: int = 44_800, batch_size: int = 32, rng_key: jax.Array | None = None
) -> train.History:
    """Train the translator of the book's chapter on dates in twelve languages, and leave it in a folder.

    Args:
      folder: where its checkpoint and its card are written: what `load_translator` reads. A run that was interrupted
        goes on.
      examples: how many texts it sees, each of them once; about half a minute for the default.
      batch_size: texts a step.
      rng_key: default `jax.random.key(0)`.
    """
    rng_key = jax.random.key(0) if rng_key is None else rng_key
    training, _ = written_dates(salt="dates")
    sources, targets = (tokens.Vocabulary(texts) for texts in (training.texts, training.iso))
    read = sources.encode(training.texts[:examples], length=LONGEST)
    written = targets.encode(training.iso[:examples], start=True, end=True).ids
    rate = optax.warmup_cosine_decay_schedule(0.0, 3e-3, 100, max(examples // batch_size, 101))
    model = _blank(sources, targets, LONGEST, SIZES, rng_key)
    optimizer = nnx.Optimizer(
        model, optax.chain(optax.clip_by_global_norm(1.0), optax.adam(rate)), wrt=nnx.Param
    )
    history = train.fit(
        train.gradient_step(_objective),
        (model, optimizer),
        (*read, written),
        rng_key,
        epochs=1,
        batch_size=batch_size,
        checkpoint=Path(folder) / "run",
    )
    card = {"sources": sources.characters, "targets": targets.characters, "longest": LONGEST, "sizes": SIZES}
    (Path(folder) / CARD).write_text(json.dumps(card, indent=1, ensure_ascii=False), encoding="utf-8")
    return history


def load_translator(folder: str | PathLike) -> DateTranslator:
    """The translator that `train_translator` left in a folder.

    Raises FileNotFoundError where it left none, and ValueError where the card or the checkpoint cannot be read, or one
    is not the other's.
    """
    path = Path(folder) / CARD
    try:
        card = json.loads(path.read_text(encoding="utf-8"))
        sources, targets = (tokens.Vocabulary([card[side]]) for side in ("sources", "targets"))
        model = _blank(sources, targets, card["longest"], card["sizes"], jax.random.key(0))
    except (ValueError, TypeError, KeyError) as error:
        raise ValueError(f"card: {path} cannot be read ({type(error).__name__}: {error})") from error
    train.restore(Path(folder) / "run", model)
    lengths = sorted({min(24, model.longest), model.longest})
    return DateTranslator(model, sources, targets, lengths=lengths)


def _blank(sources, targets, longest: int, sizes: dict[str, Any], rng_key) -> transformer.Translator:
    return transformer.Translator(
        len(sources), len(targets), longest=longest, **sizes, rngs=nnx.Rngs(rng_key)
    )


def _objective(model, batch, rng_key):
    sources, lengths, targets = batch
    before, after = targets[:, :-1], targets[:, 1:]
    logits = model(before, model.read(sources, lengths)).logits
    return {"loss": objectives.text_cross_entropy(logits, after, after != tokens.PAD).mean()}


def _rising(name: str, sizes: Sequence[int]) -> tuple[int, ...]:
    rising = tuple(expect.positive_int(name, size) for size in sizes)
    if not rising or list(rising) != sorted(set(rising)):
        raise ValueError(f"{name}: expected rising numbers, got {tuple(sizes)}")
    return rising
