"""Answers piece by piece: each request gets its own pieces, in their order, and no slot is lost."""

import asyncio
import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gdlib.serve import Closed, Full, Late, Slots


class Counter:
    """Request n is answered by n pieces; the largest number of busy slots is remembered."""

    def __init__(self, slots, gate=None):
        self.left, self.request, self.busiest = [0] * slots, [None] * slots, 0
        self.gate, self.begun = gate, []

    def begin(self, slot, request):
        if request == "poison":
            raise ArithmeticError("poison")
        assert self.left[slot] == 0 or self.request[slot] == "endless", "the slot is taken"
        self.begun.append(request)
        self.request[slot] = request
        self.left[slot] = 10**9 if request == "endless" else request

    def advance(self):
        assert self.gate is None or self.gate.wait(10)
        self.busiest = max(self.busiest, sum(left > 0 for left in self.left))
        self.left = [max(left - 1, 0) for left in self.left]
        return [((request, left), left == 0) for request, left in zip(self.request, self.left, strict=True)]


def run(coroutine):
    return asyncio.run(asyncio.wait_for(coroutine, 20))


async def all_of(slots, request):
    return [piece async for piece in slots.stream(request)]


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(1, 6), min_size=1, max_size=20), st.integers(1, 4))
def test_each_gets_its_own_pieces_in_their_order(requests, count):
    counter = Counter(count)

    async def story():
        async with Slots(counter.begin, counter.advance, slots=count) as slots:
            found = await asyncio.gather(*(all_of(slots, request) for request in requests))
        return found, slots.counts

    found, counts = run(story())
    assert found == [[(request, left) for left in reversed(range(request))] for request in requests]
    assert counter.begun == requests  # in turn
    assert counts.answered == len(requests)
    assert counter.busiest <= count
    # No slot stands empty while somebody waits: no more steps than a list schedule can need.
    assert counts.batches <= sum(requests) / count + max(requests)


def test_who_waits_moves_in_as_soon_as_one_is_done():
    counter = Counter(2)

    async def story():
        async with Slots(counter.begin, counter.advance, slots=2) as slots:
            await asyncio.gather(*(all_of(slots, request) for request in (9, 1, 1, 1, 1, 1, 1, 1, 1, 1)))
        return slots.counts.batches

    assert run(story()) == 9


def test_a_request_that_cannot_begin_harms_no_other():
    counter = Counter(2)

    async def story():
        async with Slots(counter.begin, counter.advance, slots=2) as slots:
            asked = [all_of(slots, request) for request in (3, "poison", 2)]
            return await asyncio.gather(*asked, return_exceptions=True), slots.counts

    (first, error, last), counts = run(story())
    assert (len(first), len(last)) == (3, 2)
    assert isinstance(error, ArithmeticError)
    assert (counts.answered, counts.failed) == (2, 1)


@pytest.mark.parametrize("pieces", [None, []])
def test_a_step_that_fails_is_told_to_all_in_slots_and_the_next_are_answered(pieces):
    counter, calls = Counter(2), []

    def advance():
        calls.append(1)
        if len(calls) == 2:
            if pieces is None:
                raise ArithmeticError("broken")
            return pieces
        return counter.advance()

    async def story():
        async with Slots(counter.begin, advance, slots=2) as slots:
            broken = await asyncio.gather(all_of(slots, 3), all_of(slots, 4), return_exceptions=True)
            counter.left = [0, 0]
            return broken, await all_of(slots, 2)

    broken, after = run(story())
    assert {type(error) for error in broken} == {ArithmeticError if pieces is None else RuntimeError}
    assert len(after) == 2


def test_who_stops_listening_gives_the_slot_back():
    counter = Counter(1)

    async def story():
        async with Slots(counter.begin, counter.advance, slots=1) as slots:
            stream = slots.stream("endless")
            assert (await anext(stream))[0] == "endless"
            await stream.aclose()
            return await all_of(slots, 2), slots.counts.given_up

    assert run(story()) == ([(2, 1), (2, 0)], 1)


def test_full_late_and_closed_are_said():
    gate = threading.Event()
    counter = Counter(1, gate)

    async def story():
        async with Slots(counter.begin, counter.advance, slots=1, room=1, patience=0.05) as slots:
            first = asyncio.create_task(all_of(slots, 2))
            while not counter.begun:
                await asyncio.sleep(0.001)
            second = asyncio.create_task(all_of(slots, 1))
            await asyncio.sleep(0)
            with pytest.raises(Full, match="1 requests wait already") as full:
                await all_of(slots, 1)
            assert full.value.retry_after > 0
            await asyncio.sleep(0.1)
            gate.set()
            assert len(await first) == 2
            with pytest.raises(Late, match=r"not begun within 0\.05 s"):
                await second
        with pytest.raises(Closed, match="stopping"):
            await all_of(slots, 1)
        return slots.counts

    counts = run(story())
    assert (counts.answered, counts.refused, counts.late) == (1, 1, 1)


def test_the_end_answers_who_was_taken():
    counter = Counter(2)

    async def story():
        async with Slots(counter.begin, counter.advance, slots=2) as slots:
            asked = [asyncio.create_task(all_of(slots, 5)) for _ in range(7)]
            await asyncio.sleep(0)
        return [len(await one) for one in asked]

    assert run(story()) == [5] * 7


@pytest.mark.parametrize("given", [{"slots": 0}, {"slots": 1, "room": 0}, {"slots": 1, "patience": -1.0}])
def test_sizes_that_are_none(given):
    with pytest.raises(ValueError, match="expected"):
        Slots(print, list, **given)
