"""How a service does under load: requests that come when they come, whether or not it keeps up.

A person who asks does not wait until somebody else has been answered. So requests are sent by a timetable that is made
beforehand (an *open loop*), and what counts is the time from when a request was *due*. Who measures from when it was
sent leaves out the time that it waited for its turn to be sent: that is *coordinated omission*.

Needs httptools, of `pip install "gdlib[service]"`.
"""

import asyncio
import json
import urllib.parse
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import httptools
import numpy as np

from gdlib import expect


class Load(NamedTuple):
    """What became of each request; times in seconds from the beginning of the timetable.

    due, sent, done: (n,): when it was to be sent, was sent, and was answered. status: (n,) of HTTP, 0 where there was
    no answer. replies: what came, by JSON; None where that is none.
    """

    due: np.ndarray
    sent: np.ndarray
    done: np.ndarray
    status: np.ndarray
    replies: list[Any]

    @property
    def latency(self) -> np.ndarray:
        """Seconds from when each was due."""
        return self.done - self.due


def poisson(rate: float | int, seconds: float | int, rng: np.random.Generator) -> np.ndarray:
    """When requests are due that come independently of each other: gaps are exponential, with mean 1 / rate.

    Args:
      rate: requests a second, on average. seconds: how long.

    Raises ValueError for a rate or a time that is not above 0.
    """
    for name, value in (("rate", rate), ("seconds", seconds)):
        if not 0 < value < np.inf:
            raise ValueError(f"{name}: expected a number above 0, got {value!r}")
    count = rng.poisson(rate * seconds)
    return np.sort(rng.uniform(0, seconds, count))  # given their number, they are uniform


async def send(
    url: str,
    requests: Sequence[Any],
    due: np.ndarray,
    *,
    connections: int = 128,
    timeout: float | int = 30.0,
) -> Load:
    """Post one request after the other, each as JSON, at the times when they are due.

    Args:
      url: of the service, on plain HTTP.
      requests: what is asked, taken in turn, again from the beginning where there are fewer than times.
      due: (n,), rising.
      connections: opened beforehand, and the requests on the way at a time; whoever is due beyond them waits for one
        to come back.
      timeout: seconds from the last one's time, after which nobody is waited for.

    A load of some thousand requests a second must not cost what it measures, so this speaks HTTP by itself, and no more
    of it than it needs. Raises ValueError for another kind of URL, no requests and times that do not rise, and OSError
    where nobody listens.
    """
    where = urllib.parse.urlsplit(url)
    if where.scheme != "http" or not where.hostname:
        raise ValueError(f"url: expected one that begins with http://, got {url!r}")
    if not len(requests) or not len(due) or (np.diff(due) < 0).any():
        raise ValueError("requests, due: expected at least one request, and times that rise")
    loop, address = asyncio.get_running_loop(), (where.hostname, where.port or 80)
    messages = [_message(where, request) for request in requests]
    free = deque()
    for _ in range(min(expect.positive_int("connections", connections), len(due))):
        free.append((await loop.create_connection(_Connection, *address))[1])
    course = _Course(np.asarray(due, float), messages, free, address)
    try:
        await asyncio.wait_for(course.run(), due[-1] + timeout)
    except TimeoutError:
        pass
    finally:
        for connection in course.connections:
            connection.close()
        await asyncio.sleep(0)
    return Load(course.due, course.sent, course.done, course.status, [_reply(body) for body in course.bodies])


class _Course:
    """One run along a timetable."""

    def __init__(self, due: np.ndarray, messages: list[bytes], free: deque, address: tuple[str, int]):
        self.due, self.messages, self.free, self.address = due, messages, free, address
        self.loop, self.opening = asyncio.get_running_loop(), set()
        self.connections = list(free)
        self.sent, self.done = np.full((2, len(due)), np.nan)
        self.status, self.bodies = np.zeros(len(due), int), [b""] * len(due)
        self.waiting: deque[int] = deque()
        self.left, self.end = len(due), self.loop.create_future()

    async def run(self) -> None:
        self.began = self.loop.time()
        for i, when in enumerate(self.due):
            if (early := when - (self.loop.time() - self.began)) > 0:
                await asyncio.sleep(early)
            self.waiting.append(i)
            self.send_next()
        await self.end

    def send_next(self) -> None:
        while self.waiting and self.free:
            i, connection = self.waiting.popleft(), self.free.popleft()
            self.sent[i] = self.loop.time() - self.began
            if connection.gone:  # a service closes what is idle for long
                self.opening.add(self.loop.create_task(self.ask_anew(i)))
            else:
                self.ask(i, connection)

    def ask(self, i: int, connection: "_Connection") -> None:
        connection.ask(self.messages[i % len(self.messages)], partial(self.answered, i, connection))

    async def ask_anew(self, i: int) -> None:
        try:
            connection = (await self.loop.create_connection(_Connection, *self.address))[1]
        except OSError:
            self.answered(i, _Connection(), 0, b"")
        else:
            self.connections.append(connection)
            self.ask(i, connection)

    def answered(self, i: int, connection: "_Connection", status: int, body: bytes) -> None:
        self.done[i], self.status[i], self.bodies[i] = self.loop.time() - self.began, status, body
        self.free.append(connection)
        self.left -= 1
        if self.left == 0 and not self.end.done():
            self.end.set_result(None)
        self.send_next()


class _Connection(asyncio.Protocol):
    """One kept-alive connection, with one request on it at a time."""

    def __init__(self):
        self.answered, self.gone = None, True

    def connection_made(self, transport: Any) -> None:
        self.transport, self.gone = transport, False

    def ask(self, message: bytes, answered: Callable[[int, bytes], None]) -> None:
        self.parser, self.body, self.answered = httptools.HttpResponseParser(self), b"", answered
        self.transport.write(message)

    def close(self) -> None:
        self.answered = None
        self.transport.close()

    def data_received(self, data: bytes) -> None:
        self.parser.feed_data(data)

    def on_body(self, body: bytes) -> None:
        self.body += body

    def on_message_complete(self) -> None:
        self.gone |= not self.parser.should_keep_alive()
        self._tell(self.parser.get_status_code(), self.body)

    def connection_lost(self, exc: Exception | None) -> None:
        self.gone = True
        self._tell(0, b"")

    def _tell(self, status: int, body: bytes) -> None:
        answered, self.answered = self.answered, None
        if answered is not None:
            answered(status, body)


def _message(where: urllib.parse.SplitResult, request: Any) -> bytes:
    body = json.dumps(request).encode()
    head = f"POST {where.path or '/'} HTTP/1.1\r\nHost: {where.netloc}\r\nContent-Type: application/json\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


def _reply(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        return None
