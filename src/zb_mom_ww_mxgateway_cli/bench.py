"""How fast a gateway is: ``bench-read-bulk`` and ``bench-stream-events``.

What is measured, and how it is called, is the same in every client of the gateway.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import click

from zb_mom_ww_mxgateway import (
    DataChange,
    Event,
    EventGap,
    MxGatewayError,
    Session,
    Stream,
)

from .connection import Connection, connected
from .exits import FAILURE, OK, SOME_FAILED
from .failures import text_of
from .output import progress
from .percentiles import summary
from .values import Seconds

_NAME: Final = "mxgw-py bench"
#: Events that are taken from the stream at once.
_TAKEN: Final = 1_000


def _measured(command: Callable[..., int]) -> Callable[..., int]:
    """Add the options of a measurement."""
    for option in (
        click.option(
            "--bulk-size",
            type=click.IntRange(1, 10_000),
            default=6,
            show_default=True,
            help="Number of tags, TestMachine_001.TestChangingInt and following.",
        ),
        click.option(
            "--warmup-seconds",
            type=Seconds(min=0),
            default=3.0,
            show_default=True,
            help="Seconds before measuring.",
        ),
        click.option(
            "--duration-seconds",
            type=Seconds(min=0, min_open=True),
            default=30.0,
            show_default=True,
            help="Seconds of measuring.",
        ),
    ):
        command = option(command)
    return command


@asynccontextmanager
async def _subscribed(connection: Connection, bulk_size: int) -> AsyncGenerator[_Bench]:
    """A session of its own with subscribed tags, both undone at the end, whatever that is."""
    tags = [f"TestMachine_{number:03}.TestChangingInt" for number in range(1, bulk_size + 1)]
    async with (
        connection.client() as client,
        await client.open_session(client_session_name=_NAME) as session,
    ):
        server_handle = await session.register(_NAME)
        results = await session.subscribe_bulk(server_handle, tags)
        handles = [result.item_handle for result in results if result.was_successful]
        try:
            for result in results:
                if not result.was_successful:
                    raise click.ClickException(
                        f"{result.tag_address} cannot be subscribed: {result.error_message}"
                    )
            yield _Bench(session, server_handle, tags)
        except BaseException as error:
            try:
                await session.unsubscribe_bulk(server_handle, handles)
            except MxGatewayError as second:
                error.add_note(f"and then it could not be un-subscribed: {second}")
            raise
        await session.unsubscribe_bulk(server_handle, handles)


@dataclass(frozen=True, slots=True)
class _Bench:
    """What is measured with."""

    session: Session
    server_handle: int
    tags: list[str]


@click.command(epilog="Example: mxgw-py bench-read-bulk --duration-seconds 5 --json")
@_measured
@connected
async def bench_read_bulk(
    connection: Connection, duration_seconds: float, warmup_seconds: float, bulk_size: int
) -> int:
    """Measure how fast tags are read in bulk.

    Subscribes the tags in a session of its own and reads all of them, one call after another.
    Latency covers calls that failed too; what they failed with goes to standard error.
    """
    async with _subscribed(connection, bulk_size) as bench, _drained(bench.session) as drain:
        warmed_up = await _read(bench, warmup_seconds)
        calls = await _read(bench, duration_seconds)
        connection.output.record(calls.shown())
        # Before un-subscribing, which fails with its own words in a session that was lost.
        warmed_up.told("while warming up, ")
        code = calls.told()
        if drain.end:
            progress(f"the session's events ended before the measurement: {drain.end}")
    return code or (SOME_FAILED if drain.end else OK)


@dataclass(slots=True)
class _Drain:
    """A session's events, which are read and dropped."""

    #: Why they ended by themselves, as far as it is known; empty if they did not.
    end: str = ""

    async def run(self, session: Session) -> None:
        """Read until there are no more."""
        try:
            async with session.stream_events() as events:
                while True:
                    await events.take(_TAKEN)
                    # Where events come faster than they are dropped, nothing above ever waits.
                    await asyncio.sleep(0)
        except StopAsyncIteration:
            self.end = "somebody has closed the session"
        except MxGatewayError as error:
            self.end = text_of(error)


@asynccontextmanager
async def _drained(session: Session) -> AsyncGenerator[_Drain]:
    """The session's events are read meanwhile: one whose events wait for long is faulted."""
    drain = _Drain()
    task = asyncio.create_task(drain.run(session))
    try:
        yield drain
    finally:
        task.cancel()
        await asyncio.wait([task])
    if not task.cancelled():
        task.result()


@dataclass(slots=True)
class _Calls:
    """Bulk reads that were measured, in milliseconds each."""

    seconds: float = 0.0
    latencies: list[float] = field(default_factory=list[float])
    failed: int = 0
    results: int = 0
    cached: int = 0
    failed_results: int = 0
    #: What the first failure was.
    error: str = ""

    def shown(self) -> dict[str, Any]:
        """The shape that all clients of the gateway have in common."""
        total = len(self.latencies)
        return {
            "language": "python",
            "durationMs": round(self.seconds * 1000),
            "totalCalls": total,
            "successfulCalls": total - self.failed,
            "failedCalls": self.failed,
            "totalReadResults": self.results,
            "cachedReadResults": self.cached,
            "callsPerSecond": round(total / self.seconds, 2),
            "latencyMs": summary(self.latencies),
        }

    def told(self, when: str = "") -> int:
        """Say what failed, if something did; the exit code for it."""
        counts = (self.failed, "calls"), (self.failed_results, "results")
        failed = [f"{count} {what} failed" for count, what in counts if count]
        if failed:
            progress(f"{when}{' and '.join(failed)}; the first failure is {self.error}")
        if self.failed == len(self.latencies):
            return FAILURE
        return SOME_FAILED if self.failed or self.failed_results else OK


async def _read(bench: _Bench, seconds: float) -> _Calls:
    """Read for so long, one call after another."""
    calls = _Calls()
    start = before = time.perf_counter()
    while before - start < seconds:
        try:
            results = await bench.session.read_bulk(bench.server_handle, bench.tags)
        except MxGatewayError as error:
            calls.failed += 1
            calls.error = calls.error or text_of(error)
            results = []
        now = time.perf_counter()
        calls.latencies.append((now - before) * 1000)
        calls.results += len(results)
        calls.cached += sum(result.was_cached for result in results)
        for result in results:
            if not result.was_successful:
                calls.failed_results += 1
                calls.error = calls.error or f"{result.tag_address}: {result.error_message}"
        # The time for counting is no latency, and yet a part of the duration.
        before = time.perf_counter()
    calls.seconds = before - start
    return calls


@click.command(epilog="Example: mxgw-py bench-stream-events --duration-seconds 5 --json")
@_measured
@connected
async def bench_stream_events(
    connection: Connection, duration_seconds: float, warmup_seconds: float, bulk_size: int
) -> int:
    """Measure how fast events arrive.

    Subscribes the tags in a session of its own and counts their events. Latency is from an event's
    source timestamp to its receipt, so it means something where both clocks agree. missedEvents
    counts numbers that are missing in the sequence of events.
    """
    async with (
        _subscribed(connection, bulk_size) as bench,
        bench.session.stream_events() as stream,
    ):
        warmed_up = await _count(stream, warmup_seconds, 0)
        events = await _count(stream, duration_seconds, warmed_up.last)
        connection.output.record(events.shown())
    return events.told()


@dataclass(slots=True)
class _Events:
    """Events that were measured."""

    #: The number of the last one in the session's sequence; 0 for none yet.
    last: int
    seconds: float = 0.0
    latencies: list[float] = field(default_factory=list[float])
    total: int = 0
    failed: int = 0
    missed: int = 0

    def add(self, event: Event, now: int) -> None:
        """Count an event that came ``now``, in nanoseconds since 1970."""
        if isinstance(event, EventGap):  # the next event's number says how many are missing
            return
        self.total += 1
        self.failed += not event.is_good
        if self.last:
            self.missed += event.worker_sequence - self.last - 1
        self.last = event.worker_sequence
        if isinstance(event, DataChange) and event.is_good and event.timestamp_ns is not None:
            self.latencies.append((now - event.timestamp_ns) / 1e6)

    def shown(self) -> dict[str, Any]:
        """Named as for calls, where it is the same."""
        return {
            "language": "python",
            "durationMs": round(self.seconds * 1000),
            "totalEvents": self.total,
            "failedEvents": self.failed,
            "missedEvents": self.missed,
            "eventsPerSecond": round(self.total / self.seconds, 2),
            "latencyMs": summary(self.latencies),
        }

    def told(self) -> int:
        """Say that nothing came, or not all; the exit code for it."""
        if not self.total:
            progress("no event came; are the tags there, and do they change?")
            return FAILURE
        return SOME_FAILED if self.failed or self.missed else OK


async def _count(stream: Stream[Event], seconds: float, last: int) -> _Events:
    """Count what comes for so long.

    Raises:
        click.ClickException: The stream has ended before.
    """
    events = _Events(last)
    start = time.perf_counter()
    limit = asyncio.timeout(seconds)
    try:
        async with limit:
            while True:
                taken = await stream.take(_TAKEN)
                now = time.time_ns()
                for event in taken:
                    events.add(event, now)
    except StopAsyncIteration:
        raise click.ClickException(f"the stream ended after {events.total} events") from None
    except TimeoutError:
        if not limit.expired():
            raise
    events.seconds = time.perf_counter() - start
    return events
