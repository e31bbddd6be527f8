"""The simulator under load: many sessions with many advised items, for a while.

Prints what it served, the memory it took, and how long a Ping took meanwhile. The simulator is a
process of its own, and so are its clients; what each of them takes of a core is printed too. It
reads /proc, so it needs Linux.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass, field

from zb_mom_ww_mxgateway import GatewayClient, Session, StreamEventsRequest

PING_EVERY = 0.05
#: Items that are subscribed in one command.
BULK = 5_000


@dataclass
class Simulator:
    """A simulator in a process of its own."""

    process: subprocess.Popen[str]
    endpoint: str
    api_key: str
    metrics: str

    def resident_mib(self) -> float:
        """Its memory in MiB."""
        with open(f"/proc/{self.process.pid}/status") as status:
            line = next(line for line in status if line.startswith("VmRSS:"))
        return int(line.split()[1]) / 1024

    def descriptors(self) -> int:
        """Its open files and sockets."""
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def cpu_seconds(self) -> float:
        """The processor time that it has taken."""
        with open(f"/proc/{self.process.pid}/stat") as stat:
            fields = stat.read().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def gauges(self) -> dict[str, float]:
        """Its metrics, by name and labels."""
        with urllib.request.urlopen(f"http://{self.metrics}/metrics", timeout=30) as answer:
            lines = answer.read().decode().splitlines()
        pairs = (line.rpartition(" ") for line in lines if not line.startswith("#"))
        return {name: float(value) for name, _, value in pairs}


@contextmanager
def simulator(machines: int, change_interval: float) -> Iterator[Simulator]:
    """A simulator that runs while the block does."""
    command = [sys.executable, "-m", "zb_mom_ww_mxgateway_cli", "simulate", "--port", "0", "--json"]
    command += ["--machines", str(machines), "--change-interval", str(change_interval)]
    command += ["--metrics-port", "0"]
    begun = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            ready = json.loads(process.stdout.readline())
            print(f"ready with {machines:,} machines after {time.perf_counter() - begun:.1f} s")
            yield Simulator(process, ready["endpoint"], ready["apiKey"], ready["metrics"])
        finally:
            process.terminate()


@dataclass
class Load:
    """What was seen by the clients."""

    events: int = 0
    pings: list[float] = field(default_factory=list[float])


async def subscribe(session: Session, items: int) -> None:
    """Add and advise so many items; somebody has to read their first values meanwhile."""
    server = await session.register("bench")
    for first in range(1, items + 1, BULK):
        last = min(items, first + BULK - 1)
        tags = [f"TestMachine_{n:03d}.TestChangingInt" for n in range(first, last + 1)]
        results = await session.subscribe_bulk(server, tags)
        assert all(result.was_successful for result in results)


async def read(client: GatewayClient, session: Session, load: Load) -> None:
    """Count the events of a session."""
    async for _ in client.stream_events_raw(StreamEventsRequest(session_id=session.session_id)):
        load.events += 1


async def ping(session: Session, load: Load) -> None:
    """Measure how long a Ping takes, again and again."""
    while True:
        begun = time.perf_counter()
        await session.ping("bench")
        load.pings.append(time.perf_counter() - begun)
        await asyncio.sleep(PING_EVERY)


async def run(simulated: Simulator, sessions: list[int], seconds: float) -> None:
    """One load: so many items in each session."""
    load = Load()
    before = simulated.resident_mib(), simulated.descriptors()
    async with AsyncExitStack() as loaded:
        tasks: list[asyncio.Task[None]] = []
        begun = time.perf_counter()
        for items in sessions:
            one = await loaded.enter_async_context(
                await GatewayClient.connect(
                    simulated.endpoint, api_key=simulated.api_key, plaintext=True
                )
            )
            session = await loaded.enter_async_context(await one.open_session())
            tasks.append(asyncio.create_task(read(one, session, load)))
            await subscribe(session, items)
        print(f"  {sum(sessions):,} items subscribed in {time.perf_counter() - begun:.1f} s")
        await asyncio.sleep(2)
        load.events, cpu, begun = 0, simulated.cpu_seconds(), time.perf_counter()
        own = time.process_time()
        tasks.append(asyncio.create_task(ping(session, load)))
        await asyncio.sleep(seconds)
        took = time.perf_counter() - begun
        ended = [task for task in tasks if task.done()]
        pings = sorted(load.pings)
        print(f"  events served      {load.events / took:10,.0f} a second")
        print(f"  memory             {simulated.resident_mib():10,.0f} MiB")
        print(f"  Ping p50           {pings[len(pings) // 2] * 1000:10.1f} ms")
        print(f"  Ping p99           {pings[int(len(pings) * 0.99)] * 1000:10.1f} ms")
        print(f"  simulator          {(simulated.cpu_seconds() - cpu) / took:10.0%} of a core")
        print(f"  clients            {(time.process_time() - own) / took:10.0%} of a core")
        print(f"  streams that ended {len(ended):10}")
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
    await asyncio.sleep(1)
    after = simulated.resident_mib(), simulated.descriptors()
    print(f"  after closing: memory {before[0]:,.0f} -> {after[0]:,.0f} MiB, ", end="")
    print(f"descriptors {before[1]} -> {after[1]}, ", end="")
    gauges = simulated.gauges()
    left = {
        name: gauges.get(name, 0)
        for name in ("mxgateway_event_streams", "mxgateway_commands_pending")
    }
    left["sessions"] = sum(
        v for name, v in gauges.items() if name.startswith("mxgateway_sessions{")
    )
    print(", ".join(f"{name} {value:g}" for name, value in left.items()))
    if ended or any(left.values()):
        raise SystemExit("a stream ended, or something was left over")


def main() -> None:
    """Both loads, one after the other, in one simulator."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--change-interval", type=float, default=10.0)
    arguments = parser.parse_args()
    with simulator(100_000, arguments.change_interval) as simulated:
        print(f"  memory {simulated.resident_mib():,.0f} MiB")
        for _ in range(2):  # twice: what is left over would add up
            print("64 sessions with 1,000 items each")
            asyncio.run(run(simulated, [1_000] * 64, arguments.seconds))
            print("one session with 100,000 items")
            asyncio.run(run(simulated, [100_000], arguments.seconds))


if __name__ == "__main__":
    main()
