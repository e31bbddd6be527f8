"""Events of one session: made, numbered, kept, and handed to one subscriber."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Iterator
from itertools import groupby, islice
from types import TracebackType
from typing import Final

from grpclib.const import Status
from grpclib.exceptions import GRPCError

from zb_mom_ww_mxgateway.values import to_mx_value
from zb_mom_ww_mxgateway_contracts.google_protobuf import Timestamp
from zb_mom_ww_mxgateway_contracts.mxaccess_gateway_v1 import (
    AlarmProviderStatus,
    MxEvent,
    MxEventFamily,
    MxStatusProxy,
    OnAlarmProviderModeChangedEvent,
    OnAlarmTransitionEvent,
    OnBufferedDataChangeEvent,
    OnDataChangeEvent,
    OnWriteCompleteEvent,
    ReplayGap,
)

from .galaxy import Reading
from .values import gathered, times

#: Events that wait for a reader.
QUEUE_LIMIT: Final = 10_000
#: Events kept for streams that resume, and for how long in seconds.
RING_SIZE: Final = 1_024
RING_SECONDS: Final = 300.0


def data_change(server_handle: int, item_handle: int, reading: Reading) -> MxEvent:
    """An item has a new value, quality or status."""
    return MxEvent(
        family=MxEventFamily.ON_DATA_CHANGE,
        server_handle=server_handle,
        item_handle=item_handle,
        value=reading.value,
        quality=reading.quality,
        source_timestamp=reading.timestamp,
        statuses=[reading.status],
        on_data_change=OnDataChangeEvent(),
    )


def buffered_data_changes(
    server_handle: int, item_handle: int, readings: list[Reading]
) -> Iterator[MxEvent]:
    """What a buffered item has collected: values that follow each other in one event; D: a reading
    without a value, as that of an invalid reference, in an event of its own without arrays.
    """
    for has_value, group in groupby(readings, key=lambda reading: reading.value is not None):
        if not has_value:
            for reading in group:
                yield _buffered(server_handle, item_handle, reading, OnBufferedDataChangeEvent())
        else:
            batch = list(group)
            yield _buffered(server_handle, item_handle, batch[-1], _batch(batch))


def _buffered(
    server_handle: int, item_handle: int, last: Reading, body: OnBufferedDataChangeEvent
) -> MxEvent:
    """D: quality, time and statuses of the event are those of its last value."""
    return MxEvent(
        family=MxEventFamily.ON_BUFFERED_DATA_CHANGE,
        server_handle=server_handle,
        item_handle=item_handle,
        quality=last.quality,
        source_timestamp=last.timestamp,
        statuses=[last.status],
        on_buffered_data_change=body,
    )


def _batch(readings: list[Reading]) -> OnBufferedDataChangeEvent:
    values = [reading.value for reading in readings if reading.value is not None]
    return OnBufferedDataChangeEvent(
        data_type=values[0].data_type,
        values=gathered(values),
        quality_values=to_mx_value([reading.quality for reading in readings]).array_value,
        timestamp_values=times([reading.timestamp for reading in readings]),
    )


def write_complete(server_handle: int, item_handle: int, status: MxStatusProxy) -> MxEvent:
    """An accepted write has succeeded or failed."""
    return MxEvent(
        family=MxEventFamily.ON_WRITE_COMPLETE,
        server_handle=server_handle,
        item_handle=item_handle,
        statuses=[status],
        on_write_complete=OnWriteCompleteEvent(),
    )


def alarm_news(news: OnAlarmTransitionEvent | AlarmProviderStatus) -> MxEvent:
    """An alarm has changed, or the source of alarms."""
    if isinstance(news, OnAlarmTransitionEvent):
        return MxEvent(
            family=MxEventFamily.ON_ALARM_TRANSITION,
            source_timestamp=news.transition_timestamp,
            on_alarm_transition=news,
        )
    return MxEvent(
        family=MxEventFamily.ON_ALARM_PROVIDER_MODE_CHANGED,
        source_timestamp=news.since,
        on_alarm_provider_mode_changed=OnAlarmProviderModeChangedEvent(
            mode=news.mode, reason=news.reason, since=news.since
        ),
    )


class EventLog:
    """The events of a session, numbered from 1 without gaps; nothing is dropped or reordered.

    Events wait in a queue until a subscriber or a drain takes them. The newest ones stay in a ring
    too, for a stream that resumes.
    """

    def __init__(self, session_id: str) -> None:
        self._session_id = session_id
        self._last_sequence = 0
        self._queue: deque[MxEvent] = deque()
        self._ring: deque[tuple[float, MxEvent]] = deque(maxlen=RING_SIZE)
        self._subscriber: Subscriber | None = None
        self._wake = asyncio.Event()
        self._ended = False
        self._failure: GRPCError | None = None

    def append(self, event: MxEvent) -> bool:
        """Number and keep ``event``; False when the queue overflows, which ends the log."""
        if self._ended:
            return True
        self._last_sequence += 1
        event.session_id = self._session_id
        event.worker_sequence = self._last_sequence
        event.worker_timestamp = event.gateway_receive_timestamp = Timestamp.now()
        self._queue.append(event)
        self._ring.append((time.monotonic(), event))
        self._wake.set()
        # A subscriber that waits for events is not slow: it just had no turn since they came.
        waiting = self._subscriber is not None and self._subscriber.waiting
        if len(self._queue) <= QUEUE_LIMIT or waiting:
            return True
        self._queue.clear()
        self.end(
            GRPCError(
                Status.RESOURCE_EXHAUSTED,
                f"EventQueueOverflow: more than {QUEUE_LIMIT} events of session "
                f"{self._session_id} wait for a reader; the session is faulted, open a new one",
            )
        )
        return False

    def end(self, failure: GRPCError | None = None) -> None:
        """Take no more events; a subscriber gets the queued ones and the end, or ``failure``."""
        if not self._ended:
            self._ended, self._failure = True, failure
            self._ring.clear()
            if self._subscriber is None:
                self._queue.clear()
            self._wake.set()

    def drain(self, limit: int) -> list[MxEvent]:
        """Take up to ``limit`` queued events, oldest first; 0 takes all."""
        count = min(limit or len(self._queue), len(self._queue))
        return [self._queue.popleft() for _ in range(count)]

    def subscribe(self, after_sequence: int) -> Subscriber:
        """Become the one subscriber; ALREADY_EXISTS while there is another.

        Args:
            after_sequence: The last event that the reader has; 0 for the queued ones, no replay.
        """
        if self._subscriber is not None:
            raise GRPCError(
                Status.ALREADY_EXISTS,
                f"EventSubscriberAlreadyActive: session {self._session_id} has its one event "
                "stream already",
            )
        gap = self._resume(after_sequence) if after_sequence else None
        self._subscriber = Subscriber(self, gap)
        return self._subscriber

    def _resume(self, after: int) -> MxEvent | None:
        """Queue again what is kept above ``after``; a marker if something is missing between."""
        too_old = time.monotonic() - RING_SECONDS
        while self._ring and self._ring[0][0] < too_old:
            self._ring.popleft()
        # Both end with the newest event and have no gaps, so the longer one holds all there is.
        kept = max(self._queue, deque(event for _, event in self._ring), key=len)
        oldest = kept[0].worker_sequence if kept else self._last_sequence + 1
        self._queue = deque(islice(kept, max(0, after + 1 - oldest), None))
        if after + 1 >= oldest:
            return None
        return MxEvent(
            family=MxEventFamily.UNSPECIFIED,
            session_id=self._session_id,
            replay_gap=ReplayGap(requested_after_sequence=after, oldest_available_sequence=oldest),
        )

    async def take(self) -> MxEvent | None:
        """The oldest queued event, as soon as there is one; None at the end of the log."""
        while True:
            if self._failure is not None:
                raise self._failure
            if self._queue:
                return self._queue.popleft()
            if self._ended:
                return None
            self._wake.clear()
            await self._wake.wait()

    def release(self, subscriber: Subscriber) -> None:
        """Let the next subscriber come."""
        if self._subscriber is subscriber:
            self._subscriber = None


class Subscriber:
    """The one reader of a log; a context manager that makes room for the next."""

    def __init__(self, log: EventLog, gap: MxEvent | None) -> None:
        self._log = log
        self._gap = gap
        #: Whether it waits for an event, rather than for its client.
        self.waiting = False

    def __enter__(self) -> Subscriber:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._log.release(self)

    async def next(self) -> MxEvent | None:
        """The next event, None at the end; ``GRPCError`` when the log failed."""
        if self._gap is not None:
            gap, self._gap = self._gap, None
            return gap
        self.waiting = True
        try:
            return await self._log.take()
        finally:
            self.waiting = False
