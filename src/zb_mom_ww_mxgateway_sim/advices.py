"""Advices: the data changes of one item each, one by one or in batches."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from zb_mom_ww_mxgateway_contracts.mxaccess_gateway_v1 import MxEvent

from .clock import Timer
from .events import buffered_data_changes, data_change
from .galaxy.live import Galaxy, Point, Reading

#: As many values of a buffered item are sent before their interval is over (D).
BATCH_LIMIT: Final = 1_000


class Advice:
    """A running advice: the first value after the delay, and then every change.

    ``emit`` raises an event now, ``cause`` one that follows the reply of the present command.
    """

    __slots__ = (
        "_arrived",
        "_emit",
        "_galaxy",
        "_item_handle",
        "_point",
        "_server_handle",
        "_suspended",
        "_timer",
        "index",
        "last",
    )

    def __init__(
        self,
        galaxy: Galaxy,
        server_handle: int,
        item_handle: int,
        point: Point,
        emit: Callable[[MxEvent], None],
    ) -> None:
        self.index = point.index
        #: The last data change; None until the first, which resolves the reference.
        self.last: Reading | None = None
        self._arrived: asyncio.Event | None = None
        self._galaxy = galaxy
        self._server_handle = server_handle
        self._item_handle = item_handle
        self._point = point
        self._emit = emit
        self._timer: Timer | None = None
        self._suspended = False

    def start(self, cause: Callable[[MxEvent], None]) -> None:
        """Begin; without a delay of first values, the first is caused at once."""
        delay = self._galaxy.first_value_delay
        if delay > 0:
            self._timer = self._galaxy.clock.call_later(delay, self._begin)
        else:
            self._take(cause)

    async def first(self) -> Reading:
        """The last data change; where none was sent yet, the first one when it comes."""
        while self.last is None:
            if self._arrived is None:
                self._arrived = asyncio.Event()
            await self._arrived.wait()
        return self.last

    def _begin(self) -> None:
        self._timer = None
        self._take(self._emit)

    def _take(self, raise_event: Callable[[MxEvent], None]) -> None:
        if self._suspended:
            return
        if self.last is None:
            self._galaxy.watch(self._point, self)
        self._tell(self._galaxy.read(self._point), raise_event)

    def _tell(self, reading: Reading, raise_event: Callable[[MxEvent], None]) -> None:
        self.last = reading
        if self._arrived is not None:
            self._arrived.set()
        self._report(reading, raise_event)

    def _report(self, reading: Reading, raise_event: Callable[[MxEvent], None]) -> None:
        raise_event(data_change(self._server_handle, self._item_handle, reading))

    def changed(self) -> None:
        """Tell the new value on; the galaxy calls it.

        An invalid reference has one data change, so nothing is told while it stays one.
        """
        if self._suspended:
            return
        reading = self._galaxy.read(self._point)
        if reading.value is not None or self.last is None or _differ(reading, self.last):
            self._tell(reading, self._emit)

    def suspend(self, cause: Callable[[MxEvent], None]) -> None:
        """Send no data changes. D: not the first value either; suspending again is harmless."""
        self._suspended = True

    def activate(self, cause: Callable[[MxEvent], None]) -> None:
        """Go on, with the current value first. D: harmless where nothing is suspended."""
        if self._suspended:
            self._suspended = False
            if self._timer is None:  # else the first value is still to come
                self._take(cause)

    def stop(self) -> None:
        """End; events that were raised may still arrive."""
        if self._timer is not None:
            self._timer.cancel()
        self._galaxy.unwatch(self._point, self)


def _differ(reading: Reading, last: Reading) -> bool:
    """Whether what is wrong is something else than before; ``reading`` has no value."""
    now, before = reading.status, last.status
    return (now.category, now.detail) != (before.category, before.detail)


class BufferedAdvice(Advice):
    """An advice whose data changes are collected and sent together, ``interval`` seconds after the
    first of them.
    """

    __slots__ = ("_batch", "_due", "_interval")

    def __init__(
        self,
        galaxy: Galaxy,
        server_handle: int,
        item_handle: int,
        point: Point,
        emit: Callable[[MxEvent], None],
        interval: Callable[[], float],
    ) -> None:
        super().__init__(galaxy, server_handle, item_handle, point, emit)
        self._interval = interval
        self._batch: list[Reading] = []
        self._due: Timer | None = None

    def _report(self, reading: Reading, raise_event: Callable[[MxEvent], None]) -> None:
        self._batch.append(reading)
        if len(self._batch) >= BATCH_LIMIT:
            self._send(self._emit)
        elif self._due is None:
            interval = self._interval()
            self._due = self._galaxy.clock.call_later(interval, lambda: self._send(self._emit))

    def _send(self, raise_event: Callable[[MxEvent], None]) -> None:
        if self._due is not None:
            self._due.cancel()
            self._due = None
        batch, self._batch = self._batch, []
        for event in buffered_data_changes(self._server_handle, self._item_handle, batch):
            raise_event(event)

    def suspend(self, cause: Callable[[MxEvent], None]) -> None:
        """Send what was collected, and then nothing."""
        self._send(cause)
        super().suspend(cause)

    def stop(self) -> None:
        """End; what was collected is dropped."""
        super().stop()
        self._batch.clear()
        if self._due is not None:
            self._due.cancel()
