"""Requests that come one by one are answered in batches, by one thread, in the order in which they came.

A network answers many questions in little more time than one, and people do not ask in step. So whoever waits goes
along: when the thread is free, it is given what is there, up to a limit. Nothing here knows of HTTP or of networks.
"""

import asyncio
import contextlib
import dataclasses
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Generic, TypeVar

from gdlib import expect

Request = TypeVar("Request")
Reply = TypeVar("Reply")
FOREVER = 1e6  # seconds; event loops differ in how they take infinity


class Full(RuntimeError):
    """There is no room in the queue. `retry_after`: seconds in which it is likely to be worked off."""

    def __init__(self, waiting: int, retry_after: float):
        super().__init__(f"{waiting} requests wait already: try again in {retry_after:.1f} s")
        self.waiting, self.retry_after = waiting, retry_after


class Closed(RuntimeError):
    """No more requests are taken; those that were are still answered."""


class Late(TimeoutError):
    """The deadline of a request passed before its answer was begun."""


@dataclasses.dataclass
class Counts:
    """What a batcher has done since it was made."""

    answered: int = 0
    failed: int = 0
    late: int = 0
    refused: int = 0
    given_up: int = 0
    batches: int = 0
    seconds: float = 0.0


@dataclasses.dataclass(eq=False)
class _Waiting:
    request: Any
    reply: asyncio.Future
    came: float = dataclasses.field(default_factory=time.monotonic)


class Batcher(Generic[Request, Reply]):
    """Answers requests in batches.

    Args:
      answer: requests → as many replies, in their order. Called in one thread, never twice at a time.
      limit: requests in a batch, at most.
      wait: seconds that the first of a batch waits for company, 0 or more. With 0 a batch is what is there.
      room: requests that may wait; who comes when it is full is refused.
      patience: seconds that a request waits for its answer to be begun; then it is dropped, and told so.

    Every request that was taken gets exactly one of: its reply; the error that `answer` raised for it; `Late`. If
    `answer` raises for a batch, each of its requests is tried alone, so that one bad request harms no other. First come
    is first served: nobody starves. Use it in one event loop.

    Raises TypeError or ValueError for sizes and times that are none.

    Example:
      >>> async def doubled():
      ...     async with Batcher(lambda many: [2 * one for one in many], limit=8) as batcher:
      ...         return await asyncio.gather(*map(batcher.ask, range(3)))
      >>> asyncio.run(doubled())
      [0, 2, 4]
    """

    def __init__(
        self,
        answer: Callable[[Sequence[Request]], Sequence[Reply]],
        *,
        limit: int,
        wait: float | int = 0.0,
        room: int = 256,
        patience: float | int = 10.0,
    ):
        self.limit, self.room = expect.positive_int("limit", limit), expect.positive_int("room", room)
        for name, seconds in (("wait", wait), ("patience", patience)):
            expect.within(name, seconds, 0, float("inf"))
        self.answer, self.wait, self.patience = answer, wait, patience
        self.counts = Counts()
        self._queue: deque[_Waiting] = deque()
        self._changed = asyncio.Event()
        self._closed = False

    async def __aenter__(self) -> "Batcher[Request, Reply]":
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="batcher")
        self._worker = asyncio.create_task(self._work())
        return self

    async def __aexit__(self, *_) -> None:
        await self.close()

    @property
    def waiting(self) -> int:
        """How many requests wait, not counting those that are being answered."""
        return len(self._queue)

    async def ask(self, request: Request) -> Reply:
        """The reply to a request. Raises Full, Closed, Late, or what `answer` raises.

        Who is cancelled while waiting leaves the queue at once, and nothing is computed for it.
        """
        if self._closed:
            raise Closed("the service is stopping and takes no more requests")
        if self.waiting >= self.room:
            self.counts.refused += 1
            raise Full(self.waiting, self._seconds_to_clear())
        loop = asyncio.get_running_loop()
        one = _Waiting(request, loop.create_future())
        self._queue.append(one)
        self._changed.set()
        timer = loop.call_later(min(self.patience, FOREVER), self._late, one)
        try:
            return await one.reply
        except asyncio.CancelledError:
            self.counts.given_up += 1
            raise
        finally:
            timer.cancel()
            if one in self._queue:
                self._queue.remove(one)

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
        while await self._somebody():
            batch = await self._next_batch()
            began = time.monotonic()
            await self._reply_to(batch)
            self.counts.batches += 1
            self.counts.seconds += time.monotonic() - began

    async def _somebody(self) -> bool:
        """Wait until somebody is there. False at the end."""
        while not self._queue and not self._closed:
            self._changed.clear()
            await self._changed.wait()
        return bool(self._queue)

    async def _next_batch(self) -> list[_Waiting]:
        """Who is there, and who comes until the first one has waited long enough."""
        until = self._queue[0].came + self.wait
        while len(self._queue) < self.limit and not self._closed and (left := until - time.monotonic()) > 0:
            self._changed.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._changed.wait(), left)
        return [self._queue.popleft() for _ in range(min(self.limit, len(self._queue)))]

    def _late(self, one: _Waiting) -> None:
        if one in self._queue:
            self._queue.remove(one)
            self.counts.late += 1
            one.reply.set_exception(Late(f"not begun within {self.patience:g} s"))

    async def _reply_to(self, batch: list[_Waiting]) -> None:
        if not batch:  # all went away while the first one waited for company
            return
        try:
            replies = await self._in_thread([one.request for one in batch])
        except Exception as error:
            if len(batch) > 1:
                for one in batch:
                    await self._reply_to([one])
            elif not batch[0].reply.done():
                self.counts.failed += 1
                batch[0].reply.set_exception(error)
            return
        for one, reply in zip(batch, replies, strict=True):
            if not one.reply.done():  # else whoever asked has gone
                one.reply.set_result(reply)
                self.counts.answered += 1

    async def _in_thread(self, requests: list[Request]) -> Sequence[Reply]:
        loop = asyncio.get_running_loop()
        replies = await loop.run_in_executor(self._thread, self.answer, requests)
        if len(replies) != len(requests):
            raise RuntimeError(f"answer: expected {len(requests)} replies, got {len(replies)}")
        return replies
