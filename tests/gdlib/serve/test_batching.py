"""Requests in batches: whoever was taken gets one reply, its own, in turn, whatever happens to the others."""

import asyncio
import threading
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gdlib.serve import Batcher, Closed, Full, Late


class Gate:
    """An answer that waits until it is let go; it remembers its batches and whether two ever ran at a time."""

    def __init__(self, open_at_once=True):
        self.opened, self.batches, self.inside, self.overlapped = threading.Event(), [], 0, False
        if open_at_once:
            self.opened.set()

    def __call__(self, requests):
        self.inside += 1
        self.overlapped |= self.inside > 1
        assert self.opened.wait(10)
        self.batches.append(list(requests))
        if any(request == "poison" for request in requests):
            self.inside -= 1
            raise ArithmeticError("poison")
        self.inside -= 1
        return [("reply", request) for request in requests]


async def taken(batcher, *requests):
    """Tasks that ask, in this order, all of them in the queue."""
    tasks = []
    for request in requests:
        tasks.append(asyncio.create_task(batcher.ask(request)))
        await asyncio.sleep(0)
    return tasks


async def until(condition):
    for _ in range(2000):
        if condition():
            return
        await asyncio.sleep(0.001)
    raise AssertionError("it never came to be")


async def begun(batcher, gate):
    """A task whose request is being answered, behind the closed gate."""
    (first,) = await taken(batcher, 0)
    await until(lambda: gate.inside == 1)
    return first


def run(coroutine):
    return asyncio.run(asyncio.wait_for(coroutine, 20))


@settings(max_examples=40, deadline=None)
@given(
    count=st.integers(1, 40),
    limit=st.integers(1, 9),
    poisoned=st.sets(st.integers(0, 39)),
    cancelled=st.sets(st.integers(0, 39)),
)
def test_each_gets_one_reply_and_its_own_in_turn(count, limit, poisoned, cancelled):
    async def story():
        gate = Gate(open_at_once=False)
        async with Batcher(gate, limit=limit) as batcher:
            tasks = await taken(batcher, *("poison" if i in poisoned else i for i in range(count)))
            for i in cancelled & set(range(count)):
                tasks[i].cancel()
            await asyncio.sleep(0)
            gate.opened.set()
            results = await asyncio.gather(*tasks, return_exceptions=True)
        return gate, batcher.counts, results

    gate, counts, results = run(story())
    for i, result in enumerate(results):
        if i in cancelled:
            assert isinstance(result, asyncio.CancelledError)
        elif i in poisoned:
            assert isinstance(result, ArithmeticError)
        else:
            assert result == ("reply", i)
    assert max(map(len, gate.batches), default=0) <= limit
    assert not gate.overlapped
    first_seen = [i for batch in gate.batches for i in batch if i != "poison"]
    once = list(dict.fromkeys(first_seen))
    assert once == sorted(once)  # first come, first served
    assert counts.answered == sum(isinstance(result, tuple) for result in results)
    assert counts.answered + counts.failed + counts.given_up == count


def test_who_comes_while_one_is_answered_goes_in_the_next_batch():
    async def story():
        gate = Gate(open_at_once=False)
        async with Batcher(gate, limit=8) as batcher:
            first = await begun(batcher, gate)
            others = await taken(batcher, *range(1, 8))
            assert batcher.waiting == 7
            gate.opened.set()
            await asyncio.gather(first, *others)
        return gate.batches

    assert run(story()) == [[0], list(range(1, 8))]


def test_the_first_waits_for_company_if_told_to():
    async def story(wait):
        gate = Gate()
        async with Batcher(gate, limit=8, wait=wait) as batcher:
            (first,) = await taken(batcher, 0)
            await asyncio.sleep(0.05)
            (second,) = await taken(batcher, 1)
            await asyncio.gather(first, second)
        return gate.batches

    assert run(story(wait=0.5)) == [[0, 1]]
    assert run(story(wait=0.0)) == [[0], [1]]


def test_a_full_batch_waits_for_nobody():
    async def story():
        began = time.monotonic()
        async with Batcher(Gate(), limit=2, wait=10.0) as batcher:
            await asyncio.gather(*await taken(batcher, 0, 1))
        return time.monotonic() - began

    assert run(story()) < 5


def test_who_comes_when_it_is_full_is_told_when_to_come_again():
    async def story():
        gate = Gate(open_at_once=False)
        async with Batcher(gate, limit=1, room=3) as batcher:
            first = await begun(batcher, gate)
            waiting = await taken(batcher, 1, 2, 3)
            with pytest.raises(Full, match="3 requests wait already") as refused:
                await batcher.ask(4)
            gate.opened.set()
            await asyncio.gather(first, *waiting)
        return refused.value, batcher.counts

    full, counts = run(story())
    assert full.waiting == 3
    assert full.retry_after > 0
    assert (counts.answered, counts.refused) == (4, 1)


def test_who_waited_too_long_is_told_and_not_answered():
    async def story():
        gate = Gate(open_at_once=False)
        async with Batcher(gate, limit=1, patience=0.05) as batcher:
            first, second = await taken(batcher, 0, 1)
            await until(second.done)  # at once, and not only when its turn would have come
            gate.opened.set()
            return await asyncio.gather(first, second, return_exceptions=True), gate.batches, batcher.counts

    (first, second), batches, counts = run(story())
    assert first == ("reply", 0)
    assert isinstance(second, Late)
    assert "0.05 s" in str(second)
    assert batches == [[0]]
    assert (counts.late, counts.answered) == (1, 1)


def test_closing_answers_what_was_taken_and_takes_no_more():
    async def story():
        gate = Gate(open_at_once=False)
        batcher = Batcher(gate, limit=2)
        async with batcher:
            tasks = await taken(batcher, *range(5))
            closing = asyncio.create_task(batcher.close())
            await asyncio.sleep(0)
            with pytest.raises(Closed):
                await batcher.ask(9)
            gate.opened.set()
            await closing
            assert all(task.done() for task in tasks)
            await batcher.close()  # again: nothing happens
        return [task.result() for task in tasks]

    assert run(story()) == [("reply", i) for i in range(5)]


def test_an_answer_of_the_wrong_length_is_named():
    async def story():
        async with Batcher(lambda requests: [], limit=4) as batcher:
            return await asyncio.gather(*await taken(batcher, 0), return_exceptions=True)

    (error,) = run(story())
    assert "expected 1 replies, got 0" in str(error)


@pytest.mark.parametrize(
    ("bad", "what"),
    [
        ({"limit": 0}, "limit"),
        ({"limit": 2.5}, "limit"),
        ({"limit": 2, "room": 0}, "room"),
        ({"limit": 2, "wait": -1.0}, "wait"),
        ({"limit": 2, "patience": float("nan")}, "patience"),
    ],
)
def test_sizes_and_times_are_checked(bad, what):
    with pytest.raises((TypeError, ValueError), match=what):
        Batcher(Gate(), **bad)


def test_who_gave_up_while_waiting_costs_nothing():
    async def story():
        gate = Gate(open_at_once=False)
        async with Batcher(gate, limit=4) as batcher:
            first = await begun(batcher, gate)
            gone, stays = await taken(batcher, 1, 2)
            assert batcher.waiting == 2
            gone.cancel()
            await until(gone.done)
            assert batcher.waiting == 1  # its place is free at once
            gate.opened.set()
            await asyncio.gather(first, stays)
        return gate.batches, batcher.counts

    batches, counts = run(story())
    assert batches == [[0], [2]]
    assert (counts.answered, counts.given_up) == (2, 1)


def test_company_is_waited_for_from_when_the_first_came():
    """And not from when its turn came: it has waited long enough already."""

    async def story():
        gate = Gate(open_at_once=False)
        async with Batcher(gate, limit=8, wait=0.6) as batcher:
            first = await begun(batcher, gate)
            (second,) = await taken(batcher, 1)
            await asyncio.sleep(0.7)
            gate.opened.set()
            await first
            began = time.monotonic()
            await second
        return time.monotonic() - began

    assert run(story()) < 0.4
