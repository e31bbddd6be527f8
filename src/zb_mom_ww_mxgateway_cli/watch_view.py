"""The live table of ``mxgw-py watch``."""

from __future__ import annotations

import asyncio
import sys
import time
from collections import deque
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Final

from rich.console import Console
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
#: Characters of a value, and at least those of why it is not good; the rest is cut off.
_VALUE_WIDTH: Final = 40
_QUALITY_WIDTH: Final = 26
#: From so many characters on there is room for all of the trend, and for longer reasons.
_WIDE: Final = 110
_SHORT_TREND: Final = 8
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

    def row(self, name: str, now: float, trend: int) -> list[Text]:
        """Its cells at this time, with so many bars at most."""
        shown = self.shown
        if shown is None:
            return [Text(printable(name)), Text(), Text("no value yet", style="dim")]
        quality = quality_text(shown.quality)
        bad = "red" if shown.error else ""
        cells = [
            Text(printable(name)),
            Text(cell(shown.value)[: _VALUE_WIDTH + 1], style=bad),
            Text(quality if quality and not shown.error else _reason(shown), style=bad),
            Text(self._age(shown, now)),
            Text(f"{self._rate(now):.1f}/s"),
        ]
        return [*cells, Text(sparkline(list(self._numbers)[-trend:]))] if trend else cells

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


def _reason(shown: Shown) -> str:
    """Why a value is not good, with words for its quality alone where there is no more to say."""
    return printable(shown.error.removeprefix("quality ")) or quality_text(shown.quality)


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

    def table(self, width: int, height: int, *, trend: bool = True) -> Table:
        """As many tags as fit, counted in characters; ``trend`` needs a font that has the bars."""
        now = self._clock()
        bars = 0 if not trend else _TREND if width >= _WIDE else _SHORT_TREND
        count = len(self._tags)
        fitting = max(1, height - _OTHER_LINES)
        caption = "" if count <= fitting else f"{fitting} of {count:,} tags; the others do not fit"
        table = Table(
            box=None,
            pad_edge=False,
            header_style="bold",
            caption=caption or None,
            caption_justify="left",
        )
        table.add_column("tag", no_wrap=True)
        table.add_column(
            "value", no_wrap=True, justify="right", min_width=8, max_width=_VALUE_WIDTH
        )
        reason = max(_QUALITY_WIDTH, width - _WIDE)
        table.add_column("quality", no_wrap=True, max_width=reason)
        table.add_column("age", no_wrap=True, justify="right", min_width=6)
        table.add_column("rate", no_wrap=True, justify="right", min_width=6)
        if bars:
            table.add_column("trend", no_wrap=True, min_width=bars)
        for name, tag in list(self._tags.items())[:fitting]:
            table.add_row(*tag.row(name, now, bars))
        return table


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
        get_renderable=lambda: view.table(screen.width, screen.height, trend=trend),
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
