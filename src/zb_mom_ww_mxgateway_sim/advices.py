"""Advices: the data changes of one item each, one by one or in batches."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from zb_mom_ww_mxgateway_contracts.mxaccess_gateway_v1 import MxEvent

from .events import buffered_data_changes, data_change
from .galaxy import Galaxy, Point, Reading

#: As many values of a buffered item are sent before their interval is over (D).
BATCH_LIMIT: Final = 1_000


class Advice:
    """A running advice: the first value after the delay, and then every change.

    ``emit`` raises an event now, ``cause`` one that follows the reply of the present command.
    """

    def __init__(
        self,
        galaxy: Galaxy,
        server_handle: int,
        item_handle: int,
        point: Point | None,
        emit: Callable[[MxEvent], None],
    ) -> None:
        self.index = point.index if point else None
        #: The last data change; None until the first, which resolves the reference.
        self.last: Reading | None = None
        self.arrived = asyncio.Event()
        self._galaxy = galaxy
        self._server_handle = server_handle
        self._item_handle = item_handle
        self._point = point
        self._emit = emit
        self._timer: asyncio.TimerHandle | None = None
        self._suspended = False

    def start(self, delay: float, cause: Callable[[MxEvent], None]) -> None:
        """Begin; without ``delay`` (in seconds) the first value is caused at once."""
        if delay > 0:
            self._timer = asyncio.get_running_loop().call_later(delay, self._begin)
        else:
            self._take(cause)

    def _begin(self) -> None:
        self._timer = None
        self._take(self._emit)

    def _take(self, raise_event: Callable[[MxEvent], None]) -> None:
        if self._suspended:
            return
        if self.last is None and self._point is not None:
            self._galaxy.watch(self._point, self)
        self.last = self._galaxy.read(self._point)
        self.arrived.set()
        self._report(self.last, raise_event)

    def _report(self, reading: Reading, raise_event: Callable[[MxEvent], None]) -> None:
        raise_event(data_change(self._server_handle, self._item_handle, reading))

    def changed(self) -> None:
        """Tell the new value on; the galaxy calls it."""
        self._take(self._emit)

    def suspend(self) -> None:
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
        if self._point is not None:
            self._galaxy.unwatch(self._point, self)


class BufferedAdvice(Advice):
    """An advice whose data changes are collected and sent together, ``interval`` seconds after the
    first of them.
    """

    def __init__(
        self,
        galaxy: Galaxy,
        server_handle: int,
        item_handle: int,
        point: Point | None,
        emit: Callable[[MxEvent], None],
        interval: Callable[[], float],
    ) -> None:
        super().__init__(galaxy, server_handle, item_handle, point, emit)
        self._interval = interval
        self._batch: list[Reading] = []
        self._due: asyncio.TimerHandle | None = None

    def _report(self, reading: Reading, raise_event: Callable[[MxEvent], None]) -> None:
        self._batch.append(reading)
        if len(self._batch) >= BATCH_LIMIT:
            self._send()
        elif self._due is None:
            self._due = asyncio.get_running_loop().call_later(self._interval(), self._send)

    def _send(self) -> None:
        if self._due is not None:
            self._due.cancel()
            self._due = None
        batch, self._batch = self._batch, []
        for event in buffered_data_changes(self._server_handle, self._item_handle, batch):
            self._emit(event)

    def suspend(self) -> None:
        """Send what was collected, and then nothing."""
        self._send()
        super().suspend()

    def stop(self) -> None:
        """End; what was collected is dropped."""
        super().stop()
        self._batch.clear()
        if self._due is not None:
            self._due.cancel()
