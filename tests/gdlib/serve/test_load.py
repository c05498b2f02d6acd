"""The timetable is kept, whatever the service does, and every request is accounted for."""

import asyncio
import contextlib
import json

import numpy as np
import pytest

from gdlib.serve import load


@contextlib.asynccontextmanager
async def answering(seconds=0.0, *, status=200, cut=False, once=False):
    """A service that answers each question with itself, a while later. Its address, and the largest crowd it saw."""
    seen, writers = {"now": 0, "most": 0}, []

    async def handle(reader, writer):
        writers.append(writer)
        with contextlib.suppress(asyncio.IncompleteReadError, asyncio.CancelledError, ConnectionError):
            while head := await reader.readuntil(b"\r\n\r\n"):
                length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
                body = await reader.readexactly(length)
                seen["now"] += 1
                seen["most"] = max(seen["most"], seen["now"])
                await asyncio.sleep(seconds)
                seen["now"] -= 1
                if cut:
                    writer.close()
                    return
                writer.write(b"HTTP/1.1 %d X\r\nContent-Length: %d\r\n\r\n" % (status, length))
                await asyncio.sleep(0.001)  # in two pieces
                writer.write(body)
                if once:  # as a service does with connections that are idle for long
                    await asyncio.sleep(0.01)
                    writer.close()
                    return

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/ask", seen
        for writer in writers:
            writer.close()
        await asyncio.sleep(0.01)


def sent(due, requests=({"n": 1},), *, service=None, **options):
    async def story():
        async with answering(**(service or {})) as (url, seen):
            return await load.send(url, requests, np.array(due, float), **options), seen

    return asyncio.run(asyncio.wait_for(story(), 30))


def test_each_is_sent_when_it_is_due_and_gets_its_own_reply():
    questions = [{"n": n} for n in range(5)]
    due = np.linspace(0, 0.2, 12)
    found, _ = sent(due, questions, service={"seconds": 0.05})
    assert found.replies == [questions[i % 5] for i in range(12)]
    assert (found.status == 200).all()
    assert (found.sent >= due - 1e-3).all()
    assert (found.latency >= 0.049).all()


def test_it_does_not_wait_for_answers():
    found, seen = sent(np.linspace(0, 0.1, 20), service={"seconds": 0.5})
    assert seen["most"] == 20
    assert found.sent.max() < 0.4


def test_whoever_is_due_beyond_the_connections_waits_and_its_wait_counts():
    found, seen = sent(np.zeros(6), service={"seconds": 0.1}, connections=2)
    assert seen["most"] == 2
    assert (np.diff(found.sent) > -1e-3).all()  # in turn
    assert found.latency.max() > 0.29
    assert (found.done - found.sent).max() < 0.25  # from being sent it looks well


def test_refusals_and_what_is_no_answer_are_told_apart():
    refused, _ = sent(np.zeros(3), service={"status": 503})
    assert (refused.status == 503).all()
    cut, _ = sent(np.zeros(3), service={"cut": True})
    assert (cut.status == 0).all()
    assert cut.replies == [None] * 3
    never, _ = sent(np.zeros(3), service={"seconds": 5}, timeout=0.2)
    assert (never.status == 0).all()
    assert np.isnan(never.latency).all()


def test_a_connection_that_was_closed_is_opened_again():
    found, _ = sent(np.linspace(0, 0.6, 7), service={"once": True}, connections=2)
    assert (found.status == 200).all()


def test_once_the_service_is_gone_nothing_is_waited_for():
    async def story():
        async with answering(cut=True) as (url, _):
            sending = asyncio.create_task(load.send(url, [1], np.linspace(0, 0.4, 9), connections=2))
            await asyncio.sleep(0.1)
        return await sending

    found = asyncio.run(asyncio.wait_for(story(), 10))
    assert (found.status == 0).all()
    assert found.latency.max() < 1


def test_arrivals_are_those_of_a_poisson_process():
    rng = np.random.default_rng(0)
    counts = [len(load.poisson(50, 2, rng)) for _ in range(400)]
    assert abs(np.mean(counts) - 100) < 4 * 10 / 20
    assert abs(np.var(counts) / 100 - 1) < 0.3
    gaps = np.concatenate([np.diff(load.poisson(50, 20, rng)) for _ in range(20)])
    assert (gaps >= 0).all()
    assert abs(np.mean(gaps > 1 / 50) - np.exp(-1)) < 0.02


@pytest.mark.parametrize(("rate", "seconds"), [(0, 1), (-1, 1), (1, 0), (float("nan"), 1), (1, float("inf"))])
def test_rates_that_are_none(rate, seconds):
    with pytest.raises(ValueError, match="expected a number above 0"):
        load.poisson(rate, seconds, np.random.default_rng(0))


@pytest.mark.parametrize(
    ("url", "requests", "due"),
    [
        ("https://127.0.0.1/x", [1], [0.0]),
        ("nonsense", [1], [0.0]),
        ("http://127.0.0.1/x", [], [0.0]),
        ("http://127.0.0.1/x", [1], []),
        ("http://127.0.0.1/x", [1], [1.0, 0.0]),
    ],
)
def test_what_cannot_be_sent(url, requests, due):
    with pytest.raises(ValueError, match="expected"):
        asyncio.run(load.send(url, requests, np.array(due)))


def test_nobody_listens():
    with pytest.raises(OSError, match=r"refused|Connect"):
        asyncio.run(load.send("http://127.0.0.1:9/x", [json.dumps(1)], np.zeros(1)))
