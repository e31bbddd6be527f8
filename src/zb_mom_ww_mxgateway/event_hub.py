"""``EventHub``: the events of one session, for whoever iterates them and whoever waits for single
ones."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import aclosing, contextmanager
from typing import Final

from grpclib.const import Status

from zb_mom_ww_mxgateway_contracts.mxaccess_gateway_v1 import MxEvent, ReplayGap

from .errors import (
    MxGatewaySessionClosedError,
    MxGatewaySessionNotReadyError,
    MxGatewayTransportError,
)
from .events import Event, EventGap, event_of
from .streams import Reader

#: How long, in seconds, the gateway may take to see that the stream before has ended. Until then it
#: refuses the next one, because a session has one subscriber.
_HANDOVER: Final = 2.0
_RETRY: Final = 0.05


class EventHub:
    """Reads a session's events once, for one stream and any number of watches.

    A gateway lets one stream at a time read a session. So where a watch needs events and no stream
    is open, the hub opens one, keeps what comes, and hands it to the next stream that is asked
    for. It does not end it in between: a session whose last stream has ended is closed
    by the gateway after a while.

    Args:
        session_id: The session, for errors.
        open_raw: Opens the gateway's stream behind the sequence given.
    """

    def __init__(
        self, session_id: str, open_raw: Callable[[int], AsyncGenerator[MxEvent, None]]
    ) -> None:
        #: Registrations of the SDK's own, whose events only watches see.
        self.private: set[int] = set()
        self._session_id = session_id
        self._open_raw = open_raw
        self._reader: _EventReader | None = None
        self._watches: set[Watch] = set()
        self._last_sequence = 0
        self._closed = False
        self._released = float("-inf")

    @property
    def watched(self) -> bool:
        """Whether anybody waits for events that may stand behind others."""
        return bool(self._watches)

    def start(self, after: int) -> Reader[Event]:
        """A reader for a stream that begins behind the sequence ``after``; 0 for what is queued."""
        reader = self._reader
        if reader is not None and not reader.leaving:
            if reader.parked and not after:
                reader.hand_over()
                return reader
            if not reader.parked and not reader.ended:
                # One more beside the one that runs: the gateway decides whether it may be.
                return self._read(after, watched=False)
            reader.task.cancel()
        self._reader = made = self._read(after)
        return made

    def reader(self) -> Reader[Event]:
        """The reader that runs now; where there is none, one that goes on where the last ended.

        Raises:
            MxGatewaySessionClosedError: The session was closed.
        """
        if self._closed:
            raise MxGatewaySessionClosedError(
                f"the events of {self._session_id}: this session was closed; open a new one",
                session_id=self._session_id,
            )
        last = self._reader
        if last is not None and not last.ended and not last.leaving:
            return last
        self._reader = reader = self._read(self._last_sequence)
        reader.parked = True
        if last is not None and last.parked:
            reader.inherit(last)
        return reader

    @contextmanager
    def watch(self, wanted: Callable[[Event], bool]) -> Generator[Watch]:
        """The events that are ``wanted``, of those that come from now on."""
        watch = Watch(self, wanted)
        self._watches.add(watch)
        try:
            self.reader().make_room()
            yield watch
        finally:
            self._watches.discard(watch)

    def _read(self, after: int, *, watched: bool = True) -> _EventReader:
        def convert(raw: MxEvent) -> Event | None:
            event = event_of(raw)
            # A stream that resumes may repeat what watches saw already, such as older outcomes.
            new = raw.worker_sequence > self._last_sequence
            if watched and (new or raw.replay_gap is not None):
                self._last_sequence = max(self._last_sequence, raw.worker_sequence)
                for watch in self._watches:
                    watch.offer(event)
            return None if raw.server_handle in self.private else event

        reader = _EventReader(self, self._raw(after), convert)
        reader.task.add_done_callback(self._on_end)
        return reader

    def _on_end(self, task: asyncio.Task[None]) -> None:
        self._released = asyncio.get_running_loop().time()
        for watch in self._watches:
            watch.wake()

    async def _raw(self, after: int) -> AsyncGenerator[MxEvent, None]:
        while True:
            try:
                async with aclosing(self._open_raw(after)) as source:
                    async for raw in source:
                        yield raw
                return
            except MxGatewayTransportError as error:
                now = asyncio.get_running_loop().time()
                if error.status is not Status.ALREADY_EXISTS or now > self._released + _HANDOVER:
                    raise
            await asyncio.sleep(_RETRY)

    def ended_early(self) -> MxGatewaySessionNotReadyError:
        """The error for a stream that ended while an event was waited for."""
        return MxGatewaySessionNotReadyError(
            f"the event stream of {self._session_id} ended; the session was closed at the gateway",
            session_id=self._session_id,
        )

    async def close(self) -> None:
        """End the reader that no stream has, and all watches."""
        self._closed = True
        for watch in self._watches:
            watch.wake()
        if self._reader is not None and self._reader.parked:
            await self._reader.close()

    def abandon(self) -> None:
        """End it soon; from any thread, and without a running loop too."""
        if self._reader is not None and self._reader.parked:
            self._reader.abandon()


class _EventReader(Reader[Event]):
    """A reader that a hub may run without a stream: parked, it keeps the newest events only."""

    def __init__(
        self,
        hub: EventHub,
        source: AsyncGenerator[MxEvent, None],
        convert: Callable[[MxEvent], Event | None],
    ) -> None:
        self._hub = hub
        self.parked = False
        self._lost = False
        super().__init__(source, convert)

    def _full(self) -> bool:
        if not super()._full():
            return False
        if self.parked:
            self.items.popleft()
            self._lost = True
        # While a watch waits, what it waits for must get through, past a stream that is behind.
        return not self.parked and not self._hub.watched

    def hand_over(self) -> None:
        """Become the reader of a stream, which is told if events were lost before it came."""
        self.parked = False
        if self._lost:
            oldest = self.items[0].worker_sequence
            gap = ReplayGap(requested_after_sequence=0, oldest_available_sequence=oldest)
            self.items.appendleft(EventGap(MxEvent(replay_gap=gap)))

    def inherit(self, before: _EventReader) -> None:
        """Take over what the reader before has kept."""
        self.items.extend(before.items)
        self._lost = before._lost


class Watch:
    """Events of one kind, in the order raised."""

    def __init__(self, hub: EventHub, wanted: Callable[[Event], bool]) -> None:
        self._hub = hub
        self._wanted = wanted
        self._events: deque[Event] = deque()
        self._news = asyncio.Event()

    def offer(self, event: Event) -> None:
        """Keep ``event`` if it is of the kind."""
        if self._wanted(event):
            self._events.append(event)
            self._news.set()

    def wake(self) -> None:
        """Look again at the reader."""
        self._news.set()

    async def next(self) -> Event:
        """The next of them. A stream that its owner ends meanwhile is resumed.

        Raises:
            MxGatewayError: The session has no event stream any more, or another client has it.
        """
        while not self._events:
            reader = self._hub.reader()
            self._news.clear()
            await self._news.wait()
            if self._events or not reader.ended:
                continue
            if reader.error is not None:
                raise reader.error
            if not reader.task.cancelled():
                raise self._hub.ended_early()
        return self._events.popleft()
