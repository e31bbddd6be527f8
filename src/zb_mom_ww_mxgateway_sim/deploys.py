"""Deploys: what is deployed now, since when, and who wants to know of the next one."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Generator
from contextlib import contextmanager
from functools import cached_property
from typing import Final

from grpclib.const import Status
from grpclib.exceptions import GRPCError

from zb_mom_ww_mxgateway_contracts.galaxy_repository_v1 import DeployEvent
from zb_mom_ww_mxgateway_contracts.google_protobuf import Timestamp

from .galaxy import Galaxy
from .repository import Repository, objects_of

#: Events that wait for one reader; a slower one loses the oldest (D).
QUEUE_LIMIT: Final = 16
#: The finest that clients keep of a deploy's time, in nanoseconds.
_MICROSECOND: Final = 1_000


class Deploy:
    """One deploy. Its objects are looked up when somebody first asks for them."""

    def __init__(self, galaxy: Galaxy, sequence: int, time: Timestamp) -> None:
        self._galaxy = galaxy
        self.sequence = sequence
        self.time = time
        self._observed_at = Timestamp.now()

    @cached_property
    def repository(self) -> Repository:
        """The objects."""
        return Repository(objects_of(self._galaxy))

    @cached_property
    def event(self) -> DeployEvent:
        """What watchers are told."""
        return DeployEvent(
            sequence=self.sequence,
            observed_at=self._observed_at,
            time_of_last_deploy=self.time,
            time_of_last_deploy_present=True,
            object_count=self.repository.object_count,
            attribute_count=self.repository.attribute_count,
        )


class Deploys:
    """The deploys of one galaxy; none before the first ``deploy``."""

    def __init__(self, galaxy: Galaxy) -> None:
        self._galaxy = galaxy
        self._current: Deploy | None = None
        self._watchers: set[Watcher] = set()
        self._shut = False

    @property
    def current(self) -> Deploy:
        """The last deploy; UNAVAILABLE before the first."""
        if self._current is None:
            raise GRPCError(
                Status.UNAVAILABLE, "the galaxy's objects are not loaded yet; try again later"
            )
        return self._current

    def deploy(self) -> None:
        """Show the galaxy as it is now and tell all watchers. Every deploy has a later time."""
        sequence, time = 1, Timestamp.now()
        if self._current is not None:
            sequence = self._current.sequence + 1
            earliest = self._current.time.to_nanoseconds() + _MICROSECOND
            time = Timestamp.from_nanoseconds(max(earliest, time.to_nanoseconds()))
        self._current = Deploy(self._galaxy, sequence, time)
        for watcher in self._watchers:
            watcher.tell(self._current.event)

    @contextmanager
    def watch(self, last_seen: Timestamp | None) -> Generator[Watcher]:
        """A watcher that is told the present state, unless it is ``last_seen``, and all others."""
        current = self.current
        if self._shut:
            raise _shutting_down()
        watcher = Watcher()
        if last_seen != current.time:
            watcher.tell(current.event)
        self._watchers.add(watcher)
        try:
            yield watcher
        finally:
            self._watchers.discard(watcher)

    def shut(self) -> None:
        """End all watching, and let nobody watch any more."""
        self._shut = True
        for watcher in self._watchers:
            watcher.end()


class Watcher:
    """Events on their way to one reader."""

    def __init__(self) -> None:
        self._events: deque[DeployEvent] = deque(maxlen=QUEUE_LIMIT)
        self._wake = asyncio.Event()
        self._ended = False

    def tell(self, event: DeployEvent) -> None:
        """Queue an event; where there is no room, it takes that of the oldest."""
        self._events.append(event)
        self._wake.set()

    def end(self) -> None:
        """Let the reader know that the gateway shuts down."""
        self._ended = True
        self._wake.set()

    async def next(self) -> DeployEvent:
        """The oldest event, as soon as there is one; UNAVAILABLE when the gateway shuts down."""
        while not self._events:
            if self._ended:
                raise _shutting_down()
            self._wake.clear()
            await self._wake.wait()
        return self._events.popleft()


def _shutting_down() -> GRPCError:
    return GRPCError(Status.UNAVAILABLE, "the gateway is shutting down")
