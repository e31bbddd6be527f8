"""The live table of ``mxgw-py watch``."""

from __future__ import annotations

import asyncio
import sys
import time
from collections import deque
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from itertools import islice
from textwrap import wrap
from typing import Final

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from .output import ago, cell, printable
from .read import Shown, quality_text

#: Seconds between two drawings.
_REDRAW: Final = 0.25
#: How many of the last changes the rate is taken from, and the trend.
_CHANGES: Final = 30
_TREND: Final = 20
BARS: Final = "▁▂▃▄▅▆▇█"
#: Characters of a value; the rest is cut off.
_VALUE_WIDTH: Final = 40
#: Characters that a column has at least, so that it seldom moves; between two there is a gap.
_LEAST: Final = {"tag": 3, "value": 8, "quality": 12, "age": 6, "rate": 7, "trend": 8}
_GAP: Final = 2
#: One line in so many at most is for what is wrong.
_REASONS: Final = 3
#: Characters on the right that stay free: the terminal shows ^C there, and would go on in the next
#: line, which is one that nobody counts with.
_MARGIN: Final = 2
#: Lines that are not rows: the header, what is said below, and the cursor's.
_OTHER_LINES: Final = 3


def sparkline(numbers: Sequence[float]) -> str:
    """Numbers as bars, from the least to the greatest of them."""
    if not numbers:
        return ""
    # Halves, as the difference of two floats may be beyond them.
    halves = [number / 2 for number in numbers]
    least = min(halves)
    span = max(halves) - least
    if not span:
        return BARS[3] * len(halves)
    return "".join(BARS[round((half - least) / span * (len(BARS) - 1))] for half in halves)


class _Tag:
    """What came of one tag."""

    def __init__(self) -> None:
        self.shown: Shown | None = None
        self._times: deque[float] = deque(maxlen=_CHANGES)
        self._numbers: deque[float] = deque(maxlen=_TREND)

    def change(self, shown: Shown, now: float) -> None:
        """It has changed."""
        self.shown = shown
        self._times.append(now)
        if isinstance(shown.value, float | int) and not shown.error:
            self._numbers.append(shown.value)

    def cells(self, name: str, now: float) -> dict[str, Text]:
        """What its columns have at this time, but for the trend."""
        tag, shown = Text(printable(name)), self.shown
        if shown is None:
            return {"tag": tag, "quality": Text("no value yet", style="dim")}
        bad = "red" if shown.error else ""
        value = cell(shown.value)
        if len(value) > _VALUE_WIDTH:
            value = value[: _VALUE_WIDTH - 1] + "…"
        return {
            "tag": tag,
            "value": Text(value, style=bad),
            "quality": Text(quality_text(shown.quality) or "none", style=bad),
            "age": Text(self._age(shown, now)),
            "rate": Text(f"{self._rate(now):.1f}/s"),
        }

    def trend(self, bars: int) -> Text:
        """The last numbers, so many at most."""
        return Text(sparkline(list(self._numbers)[-bars:]))

    def reason(self) -> str:
        """Why its value is not good, where there is more to say than its quality in words."""
        shown = self.shown
        if shown is None or shown.error.removeprefix("quality ") == quality_text(shown.quality):
            return ""
        return printable(shown.error)

    def _age(self, shown: Shown, now: float) -> str:
        if shown.quality is None:
            return ""
        time = shown.timestamp
        since = self._times[-1] if time is None else time.to_nanoseconds() / 1e9
        seconds = now - since
        return f"{seconds:.1f} s" if 0 <= seconds < 10 else ago(seconds).removesuffix(" ago")

    def _rate(self, now: float) -> float:
        """Changes a second; it falls while nothing comes."""
        if len(self._times) < 2:
            return 0.0
        span = max(now, self._times[-1]) - self._times[0]
        return (len(self._times) - 1) / span if span > 0 else 0.0


class View:
    """Tags and what came of them.

    Args:
        tags: In the order to show them.
        clock: Seconds since 1970.
    """

    def __init__(self, tags: Sequence[str], clock: Callable[[], float] = time.time) -> None:
        self._tags = {tag: _Tag() for tag in tags}
        self._clock = clock

    def show(self, shown: Shown, sequence: int | None = None) -> None:
        """Take a change; the number of its event is for those who read rows."""
        self._tags[shown.tag].change(shown, self._clock())

    def picture(self, width: int, height: int, *, trend: bool = True) -> Group:
        """As many tags as fit, counted in characters, and below them what is wrong with some.

        Tags and values are whole as long as they can be: where there is no room for all columns,
        those on the right are left out, and then tags go on in the next line. ``trend`` needs a
        font that has the bars.
        """
        now = self._clock()
        lines = max(1, height - _OTHER_LINES)
        most = lines // _REASONS
        reasons = list(islice(self._reasons(width), most + 1))
        if len(reasons) > most:
            reasons[most - 1 :] = ["and more"] if most else []
        lines -= len(reasons)
        cells = {name: tag.cells(name, now) for name, tag in islice(self._tags.items(), lines)}
        widths = _widths(list(cells.values()), width, trend=trend)
        longest = max((each["tag"].cell_len for each in cells.values()), default=1)
        fitting = max(1, lines // -(-longest // widths["tag"]))
        count = len(self._tags)
        table = Table(
            box=None,
            pad_edge=False,
            header_style="bold",
            caption=None
            if count <= fitting
            else f"{fitting} of {count:,} tags; the others do not fit",
            caption_justify="left",
        )
        for column, size in widths.items():
            right = column in ("value", "age", "rate")
            table.add_column(
                column,
                width=size,
                no_wrap=column != "tag",
                overflow="fold" if column == "tag" else "ellipsis",
                justify="right" if right else "left",
            )
        for name, shown in islice(cells.items(), fitting):
            if "trend" in widths:
                shown["trend"] = self._tags[name].trend(widths["trend"])
            table.add_row(*(shown.get(column, Text()) for column in widths))
        return Group(table, *(Text(line, style="red", no_wrap=True) for line in reasons))

    def _reasons(self, width: int) -> Iterator[str]:
        """Lines about tags whose values are not good."""
        for name, tag in self._tags.items():
            if reason := tag.reason():
                text = f"{printable(name)}: {reason}"
                yield from wrap(text, max(width, 20), subsequent_indent="  ")


def _widths(rows: Sequence[Mapping[str, Text]], width: int, *, trend: bool) -> dict[str, int]:
    """The columns that there is room for, and how wide each is."""

    def needed(column: str) -> int:
        return max((row[column].cell_len for row in rows if column in row), default=1)

    found = {
        column: max(least, needed(column)) for column, least in _LEAST.items() if column != "trend"
    }
    left = width - found["tag"] - found["value"] - _GAP
    if left < 0:
        # A tag in several lines is still whole.
        found["value"] = max(1, min(found["value"], width // 2))
        return {"tag": max(1, width - found["value"] - _GAP), "value": found["value"]}
    widths = {"tag": found["tag"], "value": found["value"]}
    for column in ("quality", "age", "rate"):
        left -= found[column] + _GAP
        if left < 0:
            return widths
        widths[column] = found[column]
    if trend and left - _GAP >= _LEAST["trend"]:
        widths["trend"] = min(_TREND, left - _GAP)
    return widths


@asynccontextmanager
async def live(
    tags: Sequence[str], screen: Console
) -> AsyncGenerator[Callable[[Shown, int | None], None]]:
    """A table on ``screen`` that is drawn anew four times a second; gives what takes changes."""
    view = View(tags)
    trend = screen.encoding.startswith("utf")

    async def redraw() -> None:
        while True:
            drawing.refresh()
            await asyncio.sleep(_REDRAW)

    with Live(
        console=screen,
        get_renderable=lambda: view.picture(
            max(1, screen.width - _MARGIN), screen.height, trend=trend
        ),
        auto_refresh=False,
        redirect_stdout=False,
        # What goes to standard error is shown above the table, if that is the same terminal.
        redirect_stderr=sys.stderr.isatty(),
        vertical_overflow="crop",
    ) as drawing:
        redrawing = asyncio.create_task(redraw())
        try:
            yield view.show
        finally:
            redrawing.cancel()
            await asyncio.wait([redrawing])
