"""What the parts report: lines of one table."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from .columns import OURS, REFERENCE
from .rounds import Figure, Measured


@dataclass(frozen=True)
class Line:
    """One line of the table: what was measured, for whom, and how that compares."""

    part: str
    what: str
    unit: str
    #: By column.
    figures: Mapping[str, Figure]
    #: How many times as fast as the reference, by column.
    speeds: Mapping[str, Figure] = field(default_factory=dict[str, Figure])
    #: The share of a core that the server took meanwhile.
    server: float | None = None

    def as_json(self) -> dict[str, Any]:
        """The line as JSON takes it."""
        return asdict(self)


def line(
    part: str, what: str, unit: str, measured: Measured, convert: Callable[[float], float]
) -> Line:
    """A line of rounds, with figures that ``convert`` makes of the seconds for one call."""
    figures = measured.figures(convert)
    speeds: dict[str, Figure] = {
        name: measured.speed(name, REFERENCE)
        for name in OURS
        if name in figures and REFERENCE in figures
    }
    return Line(part, what, unit, figures, speeds, measured.server)


def a_second(calls: int = 1) -> Callable[[float], float]:
    """So many calls, events or entries in each call, a second."""
    return lambda seconds: calls / seconds


def microseconds(entries: int = 1) -> Callable[[float], float]:
    """Microseconds for each of so many entries in a call."""
    return lambda seconds: seconds / entries * 1e6


def milliseconds(seconds: float) -> float:
    """Milliseconds."""
    return seconds * 1e3


def one(figure: float) -> Figure:
    """A figure that was measured once, or is made of others."""
    return Figure(figure, figure, figure)


#: The unit of figures that compare two others.
TIMES: Final = "times"
