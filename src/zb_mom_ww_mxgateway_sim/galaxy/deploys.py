"""Deploys: what is deployed now, since when, and who wants to know of the next one."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from grpclib.const import Status
from grpclib.exceptions import GRPCError

from zb_mom_ww_mxgateway_contracts.galaxy_repository_v1 import DeployEvent
from zb_mom_ww_mxgateway_contracts.google_protobuf import Timestamp

from ..clock import Clock
from .definition import GalaxyDefinition
from .store import Store

#: Events that wait for one reader; a slower one loses the oldest (D).
QUEUE_LIMIT: Final = 16
#: The finest that clients keep of a deploy's time, in nanoseconds.
_MICROSECOND: Final = 1_000


@dataclass(frozen=True, slots=True)
class Deploy:
    """One deploy: its objects, and what they were made from."""

    store: Store
    definition: GalaxyDefinition
    machines: int
    #: Counts the deploys that clients of the metadata can know of, from 1 on; 0 for none yet.
    sequence: int
    #: Later than that of every deploy before.
    time: Timestamp
    observed_at: Timestamp

    @property
    def event(self) -> DeployEvent:
        """What watchers are told."""
        return DeployEvent(
            sequence=self.sequence,
            observed_at=self.observed_at,
            time_of_last_deploy=self.time,
            time_of_last_deploy_present=True,
            object_count=self.store.object_count,
            attribute_count=self.store.attribute_count,
        )


class Deploys:
    """The deploys of one gateway. The first is made here and now, as sessions need it.

    Args:
        definition: What is deployed.
        machines: How many machines it has.
        clock: Tells the times of deploys.
        loaded: Whether the metadata can be asked for from the start; else from ``deploy`` on.

    Raises:
        ValueError: ``machines`` is negative, or the definition contradicts itself.
    """

    def __init__(
        self,
        definition: GalaxyDefinition,
        *,
        machines: int,
        clock: Clock,
        loaded: bool = True,
    ) -> None:
        #: Called with what is deployed from now on, in the turn in which it replaces the other.
        self.on_deploy: list[Callable[[Store], None]] = []
        self._clock = clock
        self._watchers: set[Watcher] = set()
        self._shut = False
        self._turn = asyncio.Lock()
        store, now = Store.build(definition, _checked(machines)), clock.now()
        self._latest = Deploy(store, definition, machines, int(loaded), now, now)

    @property
    def latest(self) -> Deploy:
        """What sessions work with: the last deploy, whether its metadata is loaded or not."""
        return self._latest

    @property
    def current(self) -> Deploy:
        """What the metadata is of: the last deploy; UNAVAILABLE before the first load."""
        if self._latest.sequence == 0:
            raise GRPCError(
                Status.UNAVAILABLE, "the galaxy's objects are not loaded yet; try again later"
            )
        return self._latest

    async def deploy(
        self, *, machines: int | None = None, definition: GalaxyDefinition | None = None
    ) -> Deploy:
        """Deploy anew and tell all who watch. Deploys that are asked for meanwhile come after.

        The objects are made in a thread of their own and replace the others at once: until then
        nothing changes. Objects keep their ids, also those that come back.

        Args:
            machines: How many machines there are from now on; None leaves them.
            definition: What is deployed from now on; None leaves it.

        Raises:
            ValueError: ``machines`` is negative, or the definition contradicts itself.
        """
        async with self._turn:
            before = self._latest
            machines = before.machines if machines is None else _checked(machines)
            definition = definition or before.definition
            store = await asyncio.to_thread(Store.build, definition, machines, before=before.store)
            now = self._clock.now()
            earliest = before.time.to_nanoseconds() + _MICROSECOND
            time = Timestamp.from_nanoseconds(max(earliest, now.to_nanoseconds()))
            # The store before closes itself when the last call that reads it has ended.
            latest = Deploy(store, definition, machines, before.sequence + 1, time, now)
            self._latest = latest
            for tell in self.on_deploy:
                tell(store)
            for watcher in self._watchers:
                watcher.tell(latest.event)
            return latest

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


def _checked(machines: int) -> int:
    if machines < 0:
        raise ValueError(f"machines must not be negative, but is {machines}")
    return machines


def _shutting_down() -> GRPCError:
    return GRPCError(Status.UNAVAILABLE, "the gateway is shutting down")
