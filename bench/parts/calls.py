"""Calls and event streams over a socket, from native values to native values.

The server answers with bytes made beforehand; its share of a core stands in the table.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from ..canned import BULK_SIZES, STREAM_EVENTS
from ..columns import OURS
from ..context import Context, agreed
from ..results import TIMES, Line, a_second, line, microseconds, milliseconds, one
from ..rounds import Measured, alternate
from ..workers import Server

PART: Final = "calls"
_SMALL, _LARGE = 100, 10_000
_TAIL: Final = 1_000


@dataclass(frozen=True)
class Case:
    """A case of the workers, what it is called, and which session the server answers for."""

    what: str
    worker: str
    session: str
    count: int = 1
    extra: Mapping[str, int] = field(default_factory=dict[str, int])


_BLOCKING: Final = "blocking read_bulk"
_STREAM: Final = f"events-{STREAM_EVENTS}"
_IN_FLIGHT: Final = {"in_flight": 32}
_UNARY: Final = (
    Case("ping", "ping", "ping"),
    Case("ping, 32 in flight", "ping", "ping", extra=_IN_FLIGHT),
    Case("read_bulk of 6, 32 in flight", "read_bulk", "read_bulk-6", 6, _IN_FLIGHT),
    Case("read_bulk of 6, blocking", _BLOCKING, "read_bulk-6", 6),
)
_FROZEN: Final = Case(
    f"read_bulk of {_TAIL:,} after gc.freeze()",
    "read_bulk",
    f"read_bulk-{_TAIL}",
    _TAIL,
    {"frozen": 1},
)
_STREAMS: Final = (
    Case("event stream", "events", _STREAM, STREAM_EVENTS),
    Case("event stream, blocking", "blocking events", _STREAM, STREAM_EVENTS),
)


def run(context: Context) -> Iterator[Line]:
    """Lines for small calls, bulk calls of several sizes, and event streams."""
    with context.workers() as workers, Server(stock=context.stock_server) as server:

        def measure(case: Case) -> Measured:
            context.say(case.what)
            arguments = {"session": case.session, "count": case.count, **case.extra}
            checks = [
                (worker.name, worker.prepare(case.worker, endpoint=server.endpoint, **arguments))
                for worker in workers
            ]
            agreed(case.what, checks)
            return alternate(workers, context.plan, server.cpu_seconds)

        for case in _UNARY:
            yield line(PART, case.what, "calls/s", measure(case), a_second())
        for name in ("read_bulk", "write_bulk"):
            found: dict[int, Measured] = {}
            for count in BULK_SIZES:
                case = Case(f"{name} of {count:,}", name, f"{name}-{count}", count)
                found[count] = measured = measure(case)
                yield from _bulk(case, measured)
            yield _flatness(name, found)
        yield _tail(_FROZEN, measure(_FROZEN))
        for case in _STREAMS:
            yield line(PART, case.what, "events/s", measure(case), a_second(case.count))


def _bulk(case: Case, measured: Measured) -> Iterator[Line]:
    yield line(PART, case.what, "calls/s", measured, a_second())
    cost = line(PART, f"{case.what}, each", "µs", measured, microseconds(case.count))
    yield Line(PART, cost.what, cost.unit, cost.figures)
    for percent in (50, 99):
        figures = {
            name: one(milliseconds(measured.percentile(name, percent))) for name in measured.each
        }
        yield Line(PART, f"{case.what}, p{percent}", "ms", figures)
    if case.count == _TAIL:
        yield _tail(case, measured)


def _tail(case: Case, measured: Measured) -> Line:
    tails = {
        name: one(measured.percentile(name, 99) / measured.percentile(name, 50))
        for name in measured.each
    }
    return Line(PART, f"{case.what}, p99 over p50", TIMES, tails)


def _flatness(name: str, found: Mapping[int, Measured]) -> Line:
    """What an entry of the largest call costs over one of a small call: medians of the calls."""
    each = "a result" if name == "read_bulk" else "an entry"
    small, large = found[_SMALL], found[_LARGE]
    costs = {
        column: one(
            (large.percentile(column, 50) / _LARGE) / (small.percentile(column, 50) / _SMALL)
        )
        for column in OURS
        if column in small.each
    }
    return Line(PART, f"{name}, cost of {each} at 10,000 over 100", TIMES, costs)
