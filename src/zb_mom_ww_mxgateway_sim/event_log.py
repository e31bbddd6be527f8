"""The events of one session: numbered, kept, and handed to those who subscribe."""

from __future__ import annotations

import asyncio
from collections import deque
from itertools import islice
from types import TracebackType

from grpclib.const import Status
from grpclib.exceptions import GRPCError

from zb_mom_ww_mxgateway_contracts.mxaccess_gateway_v1 import MxEvent, MxEventFamily, ReplayGap

from .clock import Clock
from .galaxy.live import BREATH
from .limits import Limits
from .operations.observer import Observer


class EventLog:
    """Events numbered from 1 without gaps; none is dropped, reordered or merged.

    What is raised while nobody is attached waits for the first who comes, as does what the last one
    left behind. Whoever comes besides others gets what is raised from then on. The newest events
    stay in a ring too, for a stream that resumes.
    """

    def __init__(self, session_id: str, clock: Clock, limits: Limits, observer: Observer) -> None:
        self._session_id = session_id
        self._clock = clock
        self._limits = limits
        self._observer = observer
        self._last_sequence = 0
        self._backlog: deque[MxEvent] = deque()
        self._ring: deque[tuple[float, MxEvent]] = deque(maxlen=limits.ring_events)
        self._subscribers: tuple[Subscriber, ...] = ()
        self._has_ended = False

    @property
    def queued(self) -> int:
        """Events that wait for a reader, counted once for each."""
        return len(self._backlog) + sum(len(one.queue) for one in self._subscribers)

    @property
    def streams(self) -> int:
        """How many are attached."""
        return len(self._subscribers)

    def append(self, event: MxEvent) -> bool:
        """Number and keep ``event``; False when too many wait, which ends the log."""
        if self._has_ended:
            return True
        self._last_sequence += 1
        event.session_id = self._session_id
        event.worker_sequence = self._last_sequence
        event.worker_timestamp = event.gateway_receive_timestamp = self._clock.now()
        self._ring.append((self._clock.time(), event))
        self._observer.event_raised(event.family)
        limit = self._limits.event_queue
        if not self._subscribers:
            self._backlog.append(event)
            return len(self._backlog) <= limit or self.overflow()
        for subscriber in self._subscribers:
            subscriber.put(event)
            if len(subscriber.queue) > limit and subscriber.is_slow and not self._drop(subscriber):
                return False
        return True

    def overflow(self) -> bool:
        """Do what happens when readers are too slow; False when that ends the log.

        D: events that overflow while nobody is attached end it too, however many may attach.
        """
        if not self._subscribers:
            self._give_up()
            return False
        return all(self._drop(subscriber) for subscriber in self._subscribers)

    def _drop(self, subscriber: Subscriber) -> bool:
        """End one stream as too slow; the only one that there may be ends the log."""
        if self._limits.event_subscribers == 1:
            self._give_up()
            return False
        self._observer.queue_overflowed(self._session_id, len(subscriber.queue))
        self._subscribers = tuple(one for one in self._subscribers if one is not subscriber)
        subscriber.end(self._too_slow("its stream ends and others go on, resume it"))
        return True

    def _give_up(self) -> None:
        self._observer.queue_overflowed(self._session_id, self.queued)
        self.end(self._too_slow("the session is faulted, open a new one"))

    def _too_slow(self, consequence: str) -> GRPCError:
        return GRPCError(
            Status.RESOURCE_EXHAUSTED,
            f"EventQueueOverflow: more than {self._limits.event_queue} events of session "
            f"{self._session_id} wait for a reader; {consequence}",
        )

    def end(self, failure: GRPCError | None = None) -> None:
        """Take no more events; subscribers get the queued ones and the end, or ``failure``."""
        if not self._has_ended:
            self._has_ended = True
            self._ring.clear()
            self._backlog.clear()
            subscribers, self._subscribers = self._subscribers, ()
            for subscriber in subscribers:
                subscriber.end(failure)

    def drain(self, limit: int) -> list[MxEvent]:
        """Take up to ``limit`` queued events, oldest first; 0 takes all.

        D: where several may subscribe, what is queued for one of them is not for a drain.
        """
        queue = self._backlog
        if self._subscribers and self._limits.event_subscribers == 1:
            queue = self._subscribers[0].queue
        count = min(limit or len(queue), len(queue))
        return [queue.popleft() for _ in range(count)]

    def subscribe(self, after_sequence: int) -> Subscriber:
        """A new subscriber.

        Args:
            after_sequence: The last event that the reader has; 0 for no replay.

        Raises:
            GRPCError: There are as many as may be: ALREADY_EXISTS where that is one, and D:
                RESOURCE_EXHAUSTED where it is more.
        """
        if len(self._subscribers) >= self._limits.event_subscribers:
            raise self._taken()
        # Nothing is in it where others are attached.
        queue, self._backlog = self._backlog, deque()
        gap = None
        if after_sequence:
            queue, gap = self._resumed(queue, after_sequence)
        subscriber = Subscriber(self, queue, gap)
        self._subscribers += (subscriber,)
        return subscriber

    def _taken(self) -> GRPCError:
        limit = self._limits.event_subscribers
        if limit == 1:
            return GRPCError(
                Status.ALREADY_EXISTS,
                f"EventSubscriberAlreadyActive: session {self._session_id} has its one event "
                "stream already",
            )
        return GRPCError(
            Status.RESOURCE_EXHAUSTED,
            f"session {self._session_id} has {limit} event streams, the most it allows; end one "
            "first",
        )

    def _resumed(self, queue: deque[MxEvent], after: int) -> tuple[deque[MxEvent], MxEvent | None]:
        """What is kept above ``after``; and a marker if something is missing between."""
        too_old = self._clock.time() - self._limits.ring_age
        while self._ring and self._ring[0][0] < too_old:
            self._ring.popleft()
        # Both end with the newest event and have no gaps, so the longer one holds all there is.
        kept = max(queue, deque(event for _, event in self._ring), key=len)
        oldest = kept[0].worker_sequence if kept else self._last_sequence + 1
        replay = deque(islice(kept, max(0, after + 1 - oldest), None))
        if after + 1 >= oldest:
            return replay, None
        gap = ReplayGap(requested_after_sequence=after, oldest_available_sequence=oldest)
        family = MxEventFamily.UNSPECIFIED
        return replay, MxEvent(family=family, session_id=self._session_id, replay_gap=gap)

    def release(self, subscriber: Subscriber) -> None:
        """Forget a subscriber; what the last one did not take waits for the next."""
        others = tuple(one for one in self._subscribers if one is not subscriber)
        if len(others) < len(self._subscribers) and not others:
            self._backlog = subscriber.queue
        self._subscribers = others


class Subscriber:
    """One reader of a log, with a queue of its own; a context manager that leaves the log."""

    def __init__(self, log: EventLog, queue: deque[MxEvent], gap: MxEvent | None) -> None:
        #: What it has not taken yet.
        self.queue = queue
        self._log = log
        self._gap = gap
        self._taken = 0
        self._wake = asyncio.Event()
        self._waits = False
        self._has_ended = False
        self._failure: GRPCError | None = None

    def __enter__(self) -> Subscriber:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._log.release(self)

    @property
    def is_slow(self) -> bool:
        """Whether its client holds it up. One that waits for an event is not slow: it just had no
        turn since they came.
        """
        return not self._waits

    def put(self, event: MxEvent) -> None:
        """Queue an event; the log calls it."""
        self.queue.append(event)
        self._wake.set()

    def end(self, failure: GRPCError | None) -> None:
        """There is no more to come; the log calls it. ``failure`` drops what is queued."""
        self._has_ended, self._failure = True, failure
        if failure is not None:
            self.queue.clear()
        self._wake.set()

    async def next(self) -> MxEvent | None:
        """The next event, as soon as there is one; None at the end.

        Raises:
            GRPCError: The log failed, or this reader was too slow.
        """
        if self._gap is not None:
            gap, self._gap = self._gap, None
            return gap
        self._waits = True
        try:
            self._taken += 1
            if self._taken % BREATH == 0:
                await asyncio.sleep(0)
            while not self.queue:
                if self._failure is not None:
                    # A new one, as a raised one would keep everybody in its traceback alive.
                    raise GRPCError(self._failure.status, self._failure.message)
                if self._has_ended:
                    return None
                self._wake.clear()
                await self._wake.wait()
            return self.queue.popleft()
        finally:
            self._waits = False
