"""The simulator under load for minutes: many sessions with many advised items.

What it served, the memory it took, how long a Ping took meanwhile, and that nothing is left of it
afterwards. The simulator is a process of its own, and so are its clients. It reads /proc, so it
needs Linux.
"""

from __future__ import annotations

import asyncio
import os
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from zb_mom_ww_mxgateway import GatewayClient, Session, StreamEventsRequest

from ..context import Context
from ..peers.native import API_KEY
from ..results import Line, milliseconds, one
from ..simulators import Simulator, columns_here, simulator

_PING_EVERY: Final = 0.05
#: Items that are subscribed in one command.
_BULK: Final = 5_000
_ITEMS: Final = 100_000
#: Items of each session: many sessions with some, and one with all.
_LOADS: Final[dict[str, Sequence[int]]] = {
    "64 sessions of 1,000 items": [1_000] * 64,
    "a session of 100,000 items": [_ITEMS],
}


@dataclass(frozen=True)
class Watched:
    """A simulator as the system sees it."""

    simulated: Simulator

    @property
    def _process(self) -> Path:
        return Path("/proc") / str(self.simulated.pid)

    def resident_mib(self) -> float:
        """Its memory in MiB."""
        status = (self._process / "status").read_text().splitlines()
        line = next(line for line in status if line.startswith("VmRSS:"))
        return int(line.split()[1]) / 1024

    def descriptors(self) -> int:
        """Its open files and sockets."""
        return len(list((self._process / "fd").iterdir()))

    def cpu_seconds(self) -> float:
        """The processor time that it has taken."""
        fields = (self._process / "stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def gauges(self) -> dict[str, float]:
        """Its metrics, by name and labels."""
        url = f"http://{self.simulated.metrics}/metrics"
        with urllib.request.urlopen(url, timeout=30) as answer:
            lines = answer.read().decode().splitlines()
        pairs = (line.rpartition(" ") for line in lines if not line.startswith("#"))
        return {name: float(value) for name, _, value in pairs}

    def left_over(self) -> dict[str, float]:
        """What should be gone when its clients are: streams, commands and sessions."""
        gauges = self.gauges()
        names = ("mxgateway_event_streams", "mxgateway_commands_pending")
        left = {name: gauges.get(name, 0) for name in names}
        left["sessions"] = sum(
            value for name, value in gauges.items() if name.startswith("mxgateway_sessions{")
        )
        return left


@dataclass
class Load:
    """What was seen by the clients."""

    events: int = 0
    pings: list[float] = field(default_factory=list[float])

    def ping(self, percent: int) -> float:
        """Seconds that so many percent of the pings took at most."""
        return sorted(self.pings)[len(self.pings) * percent // 100]


def run(context: Context) -> Iterator[Line]:
    """Both loads, twice in one simulator: what is left over would add up."""
    seconds, interval = (10.0 if context.quick else 60.0), 10.0
    column = columns_here()[0]
    began = time.perf_counter()
    with simulator(
        column, "--machines", str(_ITEMS), "--change-interval", str(interval)
    ) as simulated:
        took = time.perf_counter() - began
        yield Line("soak", "100,000 machines, ready", "s", {column: one(took)})
        watched = Watched(simulated)
        for turn in ("first", "second"):
            for what, sessions in _LOADS.items():
                context.say(f"{what}, {turn} time")
                found = asyncio.run(_loaded(watched, sessions, seconds))
                for (name, unit), figure in found.items():
                    yield Line("soak", f"{what}, {turn} time: {name}", unit, {column: one(figure)})


async def _subscribe(session: Session, items: int) -> None:
    """Add and advise so many items; somebody has to read their first values meanwhile."""
    server = await session.register("bench")
    for first in range(1, items + 1, _BULK):
        last = min(items, first + _BULK - 1)
        tags = [f"TestMachine_{n:03d}.TestChangingInt" for n in range(first, last + 1)]
        results = await session.subscribe_bulk(server, tags)
        assert all(result.was_successful for result in results)


async def _read(client: GatewayClient, session: Session, load: Load) -> None:
    """Count the events of a session."""
    async for _ in client.stream_events_raw(StreamEventsRequest(session_id=session.session_id)):
        load.events += 1


async def _ping(session: Session, load: Load) -> None:
    """Measure how long a Ping takes, again and again."""
    while True:
        began = time.perf_counter()
        await session.ping("bench")
        load.pings.append(time.perf_counter() - began)
        await asyncio.sleep(_PING_EVERY)


async def _loaded(
    watched: Watched, sessions: Sequence[int], seconds: float
) -> dict[tuple[str, str], float]:
    """One load: so many items in each session. Figures by name and unit."""
    load = Load()
    descriptors = watched.descriptors()
    async with AsyncExitStack() as running:
        tasks: list[asyncio.Task[None]] = []
        opened: list[Session] = []
        for items in sessions:
            client = await running.enter_async_context(
                await GatewayClient.connect(
                    watched.simulated.endpoint, api_key=API_KEY, plaintext=True
                )
            )
            session = await running.enter_async_context(await client.open_session())
            tasks.append(asyncio.create_task(_read(client, session, load)))
            await _subscribe(session, items)
            opened.append(session)
        await asyncio.sleep(2)
        load.events, cpu, own = 0, watched.cpu_seconds(), time.process_time()
        began = time.perf_counter()
        tasks.append(asyncio.create_task(_ping(opened[-1], load)))
        await asyncio.sleep(seconds)
        took = time.perf_counter() - began
        ended = sum(task.done() for task in tasks)
        found = {
            ("events served", "events/s"): load.events / took,
            ("memory", "MiB"): watched.resident_mib(),
            ("ping, p50", "ms"): milliseconds(load.ping(50)),
            ("ping, p99", "ms"): milliseconds(load.ping(99)),
            ("simulator, of a core", "%"): (watched.cpu_seconds() - cpu) / took * 100,
            ("clients, of a core", "%"): (time.process_time() - own) / took * 100,
        }
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
    await asyncio.sleep(1)
    found["descriptors left over", "files"] = watched.descriptors() - descriptors
    left = watched.left_over()
    if ended or any(left.values()):
        raise SystemExit(f"{ended} streams ended, or something was left over: {left}")
    return found
