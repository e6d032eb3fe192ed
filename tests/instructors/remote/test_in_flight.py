"""The limit of requests in flight."""

from __future__ import annotations

import asyncio

from sei.instructors.remote.flow import Flow
from sei.instructors.remote.terms import Limits
from sei.instructors.remote.verdict import Retry


def served(flow: Flow, number: int) -> list[int]:
    """Return the order in which requests got their places; answers are held as a client holds them."""
    order: list[int] = []

    async def one(i):
        async with flow.slot(flow.ticket()):
            order.append(i)
            await asyncio.sleep(0.001)
            flow.hold()
            flow.succeeded()
        await asyncio.sleep(0)
        flow.release()

    async def everyone():
        flow.begin()
        async with asyncio.TaskGroup() as group:
            for i in range(number):
                group.create_task(one(i))

    asyncio.run(everyone())
    return order


def test_requests_get_places_in_the_order_in_which_they_came():
    assert served(Flow(Limits(concurrency=8)), 200) == list(range(200))


def test_the_limit_doubles_until_the_first_overload():
    flow = Flow(Limits(concurrency=64))
    for _ in range(31):
        flow.succeeded()
    assert flow._limit == 63
    flow.failed(Retry(reason="HTTP 503", slow_down=True))
    for _ in range(31):
        flow.succeeded()
    assert 32 < flow._limit < 33


def test_a_cancelled_request_leaves_its_place_to_others():
    flow = Flow(Limits(concurrency=2))  # one at first

    async def run():
        flow.begin()
        async with flow.slot(flow.ticket()):
            waits = asyncio.create_task(anext(aiter_of(flow)))
            await asyncio.sleep(0)
            waits.cancel()
            await asyncio.gather(waits, return_exceptions=True)
        async with asyncio.timeout(1), flow.slot(flow.ticket()):
            return flow._in_flight

    assert asyncio.run(run()) == 1


async def aiter_of(flow):
    async with flow.slot(flow.ticket()):
        yield
