"""The table, for a terminal, for a document, and as JSON."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any, Final, TypeAlias

from .columns import COLUMNS, OURS
from .machine import Setting
from .results import Line
from .rounds import Figure
from .targets import Outcome

Cells: TypeAlias = Sequence[str]

_HEADS: Cells = ("part", "case", "unit", *COLUMNS, *(f"{name}, speed" for name in OURS), "server")
LEGEND: Final = (
    "speed: how many times as fast as protobuf (above 1 is faster), median and quartiles; "
    "server: its share of a core"
)
_OUTCOME_HEADS: Cells = ("must reach", "", "wanted", "found", "")


def number(figure: float) -> str:
    """Three digits that count, and none behind the point that do not."""
    if abs(figure) >= 100:
        return f"{figure:,.0f}"
    return f"{figure:.3g}"


def speed(figure: Figure) -> str:
    """How many times as fast, with the quartiles."""
    return f"{figure.median:.2f} ({figure.low:.2f} to {figure.high:.2f})"


def row(line: Line) -> Cells:
    """The cells of a line."""
    return (
        line.part,
        line.what,
        line.unit,
        *(number(line.figures[name].median) if name in line.figures else "" for name in COLUMNS),
        *(speed(line.speeds[name]) if name in line.speeds else "" for name in OURS),
        "" if line.server is None else f"{line.server:.0%}",
    )


def outcome_row(outcome: Outcome) -> Cells:
    """The cells of an outcome."""
    sign = "≤" if outcome.target.at_most else "≥"
    return (
        outcome.target.text,
        outcome.column,
        f"{sign} {number(outcome.wanted)}",
        number(outcome.found),
        "reached" if outcome.reached else "not reached",
    )


def text(lines: Iterable[Line], found: Iterable[Outcome]) -> str:
    """Both tables for a terminal."""
    tables = [[_HEADS, *map(row, lines)], [_OUTCOME_HEADS, *map(outcome_row, found)]]
    return "\n\n".join(_aligned(_filled(each)) for each in tables if len(each) > 1)


def _filled(rows: Sequence[Cells]) -> Sequence[Cells]:
    """The columns that have anything under their heads."""
    kept = [at for at, cells in enumerate(zip(*rows[1:], strict=True)) if any(cells)]
    return [[cells[at] for at in kept] for cells in rows]


def _aligned(rows: Sequence[Cells]) -> str:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    texts = 2  # the columns of words; the others are figures
    return "\n".join(
        "  ".join(
            f"{cell:<{width}}" if at < texts else f"{cell:>{width}}"
            for at, (cell, width) in enumerate(zip(cells, widths, strict=True))
        ).rstrip()
        for cells in rows
    )


def markdown(lines: Iterable[Line], found: Iterable[Outcome], setting: Setting) -> str:
    """Both tables for a document, and what was measured on."""
    said = "".join(f"- {sentence}\n" for sentence in setting.sentences())
    tables = [[_HEADS, *map(row, lines)], [_OUTCOME_HEADS, *map(outcome_row, found)]]
    return said + "\n" + "\n\n".join(_piped(_filled(each)) for each in tables if len(each) > 1)


def _piped(rows: Sequence[Cells]) -> str:
    heads, *others = rows
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (heads, ["---"] * len(heads), *others))


def as_json(lines: Iterable[Line], found: Iterable[Outcome], setting: Setting) -> dict[str, Any]:
    """All of it for programs."""
    return {
        "setting": asdict(setting),
        "lines": [line.as_json() for line in lines],
        "targets": [
            {
                "text": each.target.text,
                "column": each.column,
                "wanted": each.wanted,
                "at_most": each.target.at_most,
                "found": each.found,
                "reached": each.reached,
            }
            for each in found
        ],
    }
