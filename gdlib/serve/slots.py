"""Answers that come piece by piece: whoever is done makes room at once, and whoever waits moves in.

A batch that is answered together ends with its longest answer. Here each of some slots holds a request, all slots are
advanced together by one piece, and between two steps slots change hands. This is *continuous batching*.
"""

import asyncio
import dataclasses
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Generic, TypeVar

from gdlib import expect
from gdlib.serve.batching import FOREVER, Closed, Counts, Full, Late

Request = TypeVar("Request")
Piece = TypeVar("Piece")


@dataclasses.dataclass(eq=False)
class _Asked:
    request: Any
    pieces: asyncio.Queue = dataclasses.field(default_factory=asyncio.Queue)
    given_up: bool = False


class Slots(Generic[Request, Piece]):
    """Answers requests piece by piece, many at a time.

    Args:
      begin: (slot, request): put a request into a slot. What was there before is done.
      advance: → for each slot (its next piece, whether that is the last one). Of an empty slot it may be anything.
        Both are called in one thread, never twice at a time.
      slots: how many are answered at a time.
      room: requests that may wait for a slot; who comes when it is full is refused.
      patience: seconds that a request waits for a slot; then it is dropped, and told so.

    First come is first served. If `begin` raises, that request alone gets its error; if `advance` does, all that are
    in slots do. Use it in one event loop.

    Raises TypeError or ValueError for sizes and times that are none.

    Example:
      >>> left = [0, 0]
      >>> def begin(slot, count):
      ...     left[slot] = count
      >>> def advance():
      ...     for slot in range(2):
      ...         left[slot] -= 1
      ...     return [(count, count == 0) for count in left]
      >>> async def counted_down():
      ...     async with Slots(begin, advance, slots=2) as slots:
      ...         return [piece async for piece in slots.stream(3)]
      >>> asyncio.run(counted_down())
      [2, 1, 0]
    """

    def __init__(
        self,
        begin: Callable[[int, Request], None],
        advance: Callable[[], Sequence[tuple[Piece, bool]]],
        *,
        slots: int,
        room: int = 256,
        patience: float | int = 10.0,
    ):
        self.begin, self.advance = begin, advance
        self.room = expect.positive_int("room", room)
        expect.within("patience", patience, 0, float("inf"))
        self.patience = patience
        self.counts = Counts()
        self._slots: list[_Asked | None] = [None] * expect.positive_int("slots", slots)
        self._queue: deque[_Asked] = deque()
        self._changed = asyncio.Event()
        self._closed = False

    async def __aenter__(self) -> "Slots[Request, Piece]":
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="slots")
        self._worker = asyncio.create_task(self._work())
        return self

    async def __aexit__(self, *_) -> None:
        await self.close()

    @property
    def waiting(self) -> int:
        """How many requests wait for a slot."""
        return len(self._queue)

    async def stream(self, request: Request) -> AsyncIterator[Piece]:
        """The pieces of the answer, as they come. Raises Full, Closed, Late, or what `begin` and `advance` raise.

        Who stops listening (a `break`, a cancelled task) gives the slot back with the next step.
        """
        if self._closed:
            raise Closed("the service is stopping and takes no more requests")
        if self.waiting >= self.room:
            self.counts.refused += 1
            raise Full(self.waiting, self._seconds_to_clear())
        asked = _Asked(request)
        self._queue.append(asked)
        self._changed.set()
        timer = asyncio.get_running_loop().call_later(min(self.patience, FOREVER), self._late, asked)
        last = False
        try:
            while not last:
                piece, last = await asked.pieces.get()
                if isinstance(piece, Exception):
                    raise piece
                yield piece
        finally:
            timer.cancel()
            asked.given_up = not last
            if asked in self._queue:
                self._queue.remove(asked)
                self.counts.given_up += 1

    async def close(self) -> None:
        """Take no more requests, answer those that were taken, and end the thread."""
        self._closed = True
        self._changed.set()
        await self._worker
        self._thread.shutdown()

    def _seconds_to_clear(self) -> float:
        counts = self.counts
        each = counts.seconds / counts.answered if counts.answered else 0.1
        return max(each * self.waiting, 0.1)

    async def _work(self) -> None:
        while await self._fill():
            began = time.monotonic()
            await self._step()
            self.counts.batches += 1
            self.counts.seconds += time.monotonic() - began

    async def _fill(self) -> bool:
        """Give free slots to who waits; wait for somebody if all are free. False at the end."""
        for slot, asked in enumerate(self._slots):
            if asked is not None and asked.given_up:
                self.counts.given_up += 1
                self._slots[slot] = None
        while True:
            while self._queue and None in self._slots:
                await self._move_in(self._slots.index(None), self._queue.popleft())
            if any(self._slots) or self._closed:
                return any(self._slots)
            self._changed.clear()
            await self._changed.wait()

    async def _move_in(self, slot: int, asked: _Asked) -> None:
        try:
            await self._in_thread(self.begin, slot, asked.request)
        except Exception as error:
            self.counts.failed += 1
            asked.pieces.put_nowait((error, True))
        else:
            self._slots[slot] = asked

    def _late(self, asked: _Asked) -> None:
        if asked in self._queue:
            self._queue.remove(asked)
            self.counts.late += 1
            asked.pieces.put_nowait((Late(f"not begun within {self.patience:g} s"), True))

    async def _step(self) -> None:
        try:
            pieces = await self._in_thread(self.advance)
            if len(pieces) != len(self._slots):
                raise RuntimeError(f"advance: expected {len(self._slots)} pieces, got {len(pieces)}")
        except Exception as error:
            pieces = [(error, True)] * len(self._slots)
        for slot, (asked, (piece, last)) in enumerate(zip(self._slots, pieces, strict=True)):
            if asked is None:
                continue
            asked.pieces.put_nowait((piece, last))
            if last:
                failed = isinstance(piece, Exception)
                self.counts.failed += failed
                self.counts.answered += not failed
                self._slots[slot] = None

    async def _in_thread(self, function: Callable, *arguments: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._thread, function, *arguments)
