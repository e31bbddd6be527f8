"""The one clock of a simulated gateway: real time, or time that a test lets pass."""

from __future__ import annotations

import asyncio
import heapq
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from itertools import count
from typing import Final, Protocol

from zb_mom_ww_mxgateway_contracts.google_protobuf import Timestamp

_NANOSECONDS: Final = 1_000_000_000
_MICROSECOND: Final = 1_000
#: 2026-01-01T00:00:00Z in seconds: where the time of day of a ``ManualClock`` starts.
_EPOCH: Final = 1_767_225_600
#: Turns of the loop after each timer of a ``ManualClock``, so that those whom it woke act before
#: the next one. Messages on a socket may need more time than that.
_TURNS: Final = 20


class Timer(Protocol):
    """A call that is due later."""

    def cancel(self) -> None:
        """Do not call; harmless when it is over."""


class Clock:
    """Real time. ``step`` moves the time of day alone, as when somebody sets a host's clock."""

    def __init__(self) -> None:
        self._offset = 0

    def time(self) -> float:
        """Seconds since some moment; never runs backwards."""
        return time.monotonic()

    def now(self) -> Timestamp:
        """The time of day, to the microsecond, as a datetime holds it."""
        microseconds = (self._wall_time() + self._offset) // _MICROSECOND
        return Timestamp.from_nanoseconds(microseconds * _MICROSECOND)

    def _wall_time(self) -> int:
        return time.time_ns()

    def step(self, seconds: float) -> None:
        """Set the time of day forward, or back for negative ``seconds``."""
        self._offset += round(seconds * _NANOSECONDS)

    def call_later(self, delay: float, callback: Callable[[], object]) -> Timer:
        """Call ``callback`` in ``delay`` seconds."""
        return asyncio.get_running_loop().call_later(delay, callback)

    async def sleep(self, delay: float) -> None:
        """Wait ``delay`` seconds."""
        over = asyncio.Event()
        timer = self.call_later(delay, over.set)
        try:
            await over.wait()
        finally:
            timer.cancel()

    @asynccontextmanager
    async def timeout(self, delay: float) -> AsyncGenerator[None]:
        """Raise ``TimeoutError`` if the block is not done in ``delay`` seconds."""
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(None) as scope:

            def over() -> None:
                if not scope.expired():
                    scope.reschedule(loop.time())

            if delay <= 0:
                over()
            timer = self.call_later(delay, over)
            try:
                yield
            finally:
                timer.cancel()


class _ManualTimer:
    """A call of a ``ManualClock``; ordered by when it is due, then by when it was asked for."""

    def __init__(self, due: float, number: int, callback: Callable[[], object]) -> None:
        self.due = due
        self.number = number
        self.callback: Callable[[], object] | None = callback

    def __lt__(self, other: _ManualTimer) -> bool:
        return (self.due, self.number) < (other.due, other.number)

    def cancel(self) -> None:
        self.callback = None


class ManualClock(Clock):
    """Time stands still but for ``advance``. The time of day starts at 2026-01-01 00:00 UTC.

    >>> clock = ManualClock()
    >>> async with SimulatedGateway(clock=clock) as gateway:
    ...     await clock.advance(31.0)  # what takes 30 s happens now
    """

    def __init__(self) -> None:
        super().__init__()
        self._elapsed = 0.0
        self._timers: list[_ManualTimer] = []
        self._numbers = count()

    def time(self) -> float:
        """Seconds that were let pass."""
        return self._elapsed

    def _wall_time(self) -> int:
        return _EPOCH * _NANOSECONDS + round(self._elapsed * _NANOSECONDS)

    def call_later(self, delay: float, callback: Callable[[], object]) -> Timer:
        """Call ``callback`` once so many seconds were let pass; for 0 or less in the next one."""
        timer = _ManualTimer(self._elapsed + max(0.0, delay), next(self._numbers), callback)
        heapq.heappush(self._timers, timer)
        return timer

    async def advance(self, seconds: float) -> None:
        """Let time pass; whatever is due happens in its order, each thing at its own time."""
        if seconds < 0:
            raise ValueError(f"time does not run backwards: {seconds}")
        end = self._elapsed + seconds
        await self._settle()
        while self._timers and self._timers[0].due <= end:
            timer = heapq.heappop(self._timers)
            if timer.callback is None:
                continue
            self._elapsed = max(self._elapsed, timer.due)
            timer.callback()
            await self._settle()
        self._elapsed = end
        await self._settle()

    async def _settle(self) -> None:
        for _ in range(_TURNS):
            await asyncio.sleep(0)
