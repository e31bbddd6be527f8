"""What the simulator serves: calls of a client that is faster than it, and events.

The client of the calls is grpcio's, whoever is measured. The events are those of items that all
change every 20 ms, more than anybody could read; how many come is what is measured.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator

from zb_mom_ww_mxgateway import GatewayClient

from ..context import Context
from ..environments import PROTOBUF
from ..peers import native
from ..results import Line, a_second
from ..rounds import Figure, alternate
from ..simulators import Simulator, columns_here, opened_session, simulator
from ..workers import theirs

PART = "simulator"
_ITEMS = 500
_CHANGE_INTERVAL = 0.02


def run(context: Context) -> Iterator[Line]:
    """Lines for calls and events."""
    calls: dict[str, Figure] = {}
    events: dict[str, Figure] = {}
    for column in columns_here():
        context.say(f"simulator, {column}")
        with simulator(column) as simulated, theirs(PROTOBUF) as worker:
            session = opened_session(simulated)
            worker.prepare(
                "ping", endpoint=simulated.endpoint, session=session, count=1, in_flight=32
            )
            measured = alternate([worker], context.plan)
            calls[column] = measured.figures(a_second())[worker.name]
        with simulator(column, "--change-interval", str(_CHANGE_INTERVAL)) as simulated:
            events[column] = Figure.of(asyncio.run(_events(simulated, context.plan.rounds)))
    yield Line(PART, "ping, 32 in flight", "calls/s", calls)
    yield Line(PART, f"events of {_ITEMS} items", "events/s", events)


async def _events(simulated: Simulator, rounds: int) -> list[float]:
    """Events a second, for half a second each."""
    async with (
        await GatewayClient.connect(
            simulated.endpoint, api_key=native.API_KEY, plaintext=True
        ) as client,
        await client.open_session() as session,
    ):
        server = await session.register("bench")
        tags = [f"TestMachine_{number:03}.TestChangingInt" for number in range(1, 11)]
        wanted = [tags[number % len(tags)] for number in range(_ITEMS)]
        results = await session.subscribe_bulk(server, wanted)
        assert all(result.was_successful for result in results)
        rates: list[float] = []
        count, began = 0, 0.0
        async with session.stream_events() as events:
            async for _ in events:
                count += 1
                if not began:
                    count, began = 0, time.perf_counter()
                elif (took := time.perf_counter() - began) >= 0.5:
                    rates.append(count / took)
                    count, began = 0, time.perf_counter()
                    if len(rates) == rounds:
                        break
    return rates
