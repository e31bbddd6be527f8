"""All sessions of a gateway: who may use which, how many there may be, and when they are over."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping
from datetime import timedelta

from grpclib.const import Status
from grpclib.exceptions import GRPCError

from zb_mom_ww_mxgateway_contracts.google_protobuf import Duration
from zb_mom_ww_mxgateway_contracts.mxaccess_gateway_v1 import SessionState

from .auth.keys import Caller
from .clock import Timer
from .galaxy.live import Galaxy
from .limits import Limits
from .operations.observer import Closing, Observer
from .session import Session


class Sessions:
    """The sessions of a gateway, and the ids of those closed lately with their owners."""

    def __init__(self, galaxy: Galaxy, limits: Limits, observer: Observer) -> None:
        self._galaxy = galaxy
        self._limits = limits
        self._observer = observer
        self._open: dict[str, Session] = {}
        self._closed: dict[str, str] = {}
        self._opened = 0
        self._sweep_timer: Timer | None = None
        self._is_shut = False

    def start(self) -> None:
        """Look at leases from now on, every ``limits.sweep`` seconds until ``shut``."""
        self._sweep_timer = self._galaxy.clock.call_later(self._limits.sweep, self._sweep)

    def _sweep(self) -> None:
        for session in list(self._open.values()):
            if session.lease_is_over():
                session.close(Closing.LEASE)
        self.start()

    async def open(self, caller: Caller, name: str, command_timeout: Duration | None) -> Session:
        """A new session, once it is ready. If the caller gives up before, there is none.

        Args:
            caller: Who owns it.
            name: What the client calls it, for the log.
            command_timeout: How long its commands may take; None takes that of the gateway.
        """
        if self._is_shut:
            raise _shutting_down()
        if len(self._open) >= self._limits.sessions:
            raise GRPCError(
                Status.RESOURCE_EXHAUSTED,
                f"the gateway runs {self._limits.sessions} sessions, the most it allows; close one "
                "first",
            )
        session = Session(
            caller,
            self._galaxy,
            self._limits,
            self._observer,
            self._timeout(command_timeout),
            self._forget,
        )
        self._open[session.id] = session
        try:
            await session.start()
        except BaseException:
            session.close(Closing.CLIENT)
            raise
        self._opened += 1
        session.number = self._opened
        self._observer.session_opened(session.id, session.owner, name)
        return session

    def _timeout(self, asked: Duration | None) -> timedelta:
        if asked is None:
            return timedelta(seconds=self._limits.command_timeout)
        try:
            timeout = asked.to_timedelta()
        except ValueError as error:
            raise GRPCError(Status.INVALID_ARGUMENT, f"command_timeout: {error}") from None
        if timeout <= timedelta():
            raise GRPCError(Status.INVALID_ARGUMENT, "command_timeout must be positive")
        return timeout

    def ready(self, session_id: str, owner: str) -> Session:
        """The session, if it takes commands and streams; that of another key does not exist."""
        session = self._find(session_id, owner)
        state = SessionState.CLOSED if session is None else session.state
        if session is None or state is not SessionState.READY:
            raise GRPCError(
                Status.FAILED_PRECONDITION,
                f"session {session_id} is {state.name}, not READY",
            )
        return session

    async def close(self, session_id: str, owner: str) -> None:
        """End a session; closing one again that is remembered changes nothing.

        A caller that gives up ends the waiting alone.
        """
        session = self._find(session_id, owner)
        if session is not None:
            await asyncio.shield(session.close(Closing.CLIENT))

    def opened(self, number: int | None = None) -> list[Session]:
        """Those that were READY and are not closed, or the one that became so as the nth."""
        return [
            session
            for session in self._open.values()
            if session.was_ready and number in (None, session.number)
        ]

    def _find(self, session_id: str, owner: str) -> Session | None:
        """The session; None for one that is closed and remembered."""
        if not session_id:
            raise GRPCError(Status.INVALID_ARGUMENT, "the request has no session_id")
        session = self._open.get(session_id)
        if owner != (session.owner if session else self._closed.get(session_id)):
            raise GRPCError(Status.NOT_FOUND, f"there is no session {session_id!r}")
        return session

    def _forget(self, session: Session) -> None:
        del self._open[session.id]
        if session.was_ready:
            self._closed[session.id] = session.owner
            while len(self._closed) > self._limits.remembered_sessions:
                del self._closed[next(iter(self._closed))]

    async def shut(self) -> None:
        """End every session and take no new ones; returns when all are closed."""
        self._is_shut = True
        if self._sweep_timer is not None:
            self._sweep_timer.cancel()
        closing = [
            session.close(Closing.GATEWAY, _shutting_down()) for session in self._open.values()
        ]
        await asyncio.gather(*closing)

    def by_state(self) -> Mapping[SessionState, int]:
        """How many sessions are in each state, those that are closed left out."""
        return Counter(session.state for session in self._open.values())

    def commands_pending(self) -> int:
        """Commands that wait or run."""
        return sum(len(session.tasks) for session in self._open.values())

    def events_queued(self) -> int:
        """Events that wait for readers."""
        return sum(session.events.queued for session in self._open.values())

    def event_streams(self) -> int:
        """Event streams that are attached."""
        return sum(session.events.streams for session in self._open.values())


def _shutting_down() -> GRPCError:
    return GRPCError(Status.UNAVAILABLE, "the gateway is shutting down")
