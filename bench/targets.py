"""What has to be reached, and whether it was."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from .columns import COMPILED, INTERPRETED, OURS
from .results import Line


@dataclass(frozen=True)
class Target:
    """A figure of one line, or its speed next to the reference, for compiled and interpreted."""

    text: str
    part: str
    what: str
    #: By column.
    wanted: Mapping[str, float]
    #: The figure may be this at most; otherwise the speed has to be this at least.
    at_most: bool = False


@dataclass(frozen=True)
class Outcome:
    """What one column has reached of a target."""

    target: Target
    column: str
    wanted: float
    found: float

    @property
    def reached(self) -> bool:
        """Whether it is enough."""
        if self.target.at_most:
            return self.found <= self.wanted
        return self.found >= self.wanted


def _both(figure: float) -> dict[str, float]:
    return dict.fromkeys(OURS, figure)


def _speed(text: str, part: str, what: str, compiled: float, interpreted: float) -> Target:
    return Target(text, part, what, {COMPILED: compiled, INTERPRETED: interpreted})


TARGETS: Final = (
    _speed("decode BulkReadReply of 1,000", "codec", "decode BulkReadReply of 1,000", 1.5, 0.45),
    _speed("read_bulk of 1,000, calls/s", "calls", "read_bulk of 1,000", 1.5, 0.6),
    _speed("write_bulk of 1,000, calls/s", "calls", "write_bulk of 1,000", 1.5, 0.6),
    _speed("event stream, events/s", "calls", "event stream", 1.7, 1.2),
    _speed("ping, calls/s", "calls", "ping", 1.0, 0.9),
    _speed("read_bulk of 6, calls/s", "calls", "read_bulk of 6", 1.0, 0.9),
    _speed("ping, 32 in flight, calls/s", "calls", "ping, 32 in flight", 0.75, 0.6),
    _speed(
        "read_bulk of 6, 32 in flight, calls/s",
        "calls",
        "read_bulk of 6, 32 in flight",
        0.75,
        0.6,
    ),
    Target("import, times its time", "startup", "import over that of protobuf", _both(1.3), True),
    Target(
        "cost of a result at 10,000 over 100",
        "calls",
        "read_bulk, cost of a result at 10,000 over 100",
        _both(1.15),
        True,
    ),
    Target(
        "cost of an entry at 10,000 over 100",
        "calls",
        "write_bulk, cost of an entry at 10,000 over 100",
        _both(1.15),
        True,
    ),
    Target(
        "p99 over p50, read_bulk of 1,000",
        "calls",
        "read_bulk of 1,000, p99 over p50",
        _both(2.5),
        True,
    ),
    Target(
        "bytes for an advised item",
        "memory",
        "advised item",
        _both(1_000),
        True,
    ),
)


def outcomes(lines: Iterable[Line], targets: Iterable[Target] = TARGETS) -> list[Outcome]:
    """What the lines say about the targets of the parts that were measured.

    Raises:
        LookupError: A part was measured and lacks the line of a target.
    """
    found = {(line.part, line.what): line for line in lines}
    parts = {part for part, _ in found}
    made: list[Outcome] = []
    for target in targets:
        if target.part not in parts:
            continue
        line = found.get((target.part, target.what))
        if line is None:
            raise LookupError(f"{target.part} has no line {target.what!r} for {target.text!r}")
        figures = line.figures if target.at_most else line.speeds
        made += [
            Outcome(target, column, target.wanted[column], figures[column].median)
            for column in OURS
            if column in figures
        ]
    return made
