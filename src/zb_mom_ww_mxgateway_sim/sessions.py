"""Sessions: their states, the order of their commands, and who may use them.

Leases and the grace after a stream drops are not simulated yet: a session lives until it is closed.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

from grpclib.const import Status
from grpclib.exceptions import GRPCError

from zb_mom_ww_mxgateway_contracts.google_protobuf import Duration
from zb_mom_ww_mxgateway_contracts.mxaccess_gateway_v1 import (
    MxCommandReply,
    MxEvent,
    SessionState,
)

from .advices import Advice, BufferedAdvice
from .alarms import Subscription
from .events import EventLog
from .galaxy import Galaxy
from .items import Handles, Item, Registration

MAX_SESSIONS: Final = 64
MAX_PENDING: Final = 128
DEFAULT_COMMAND_TIMEOUT: Final = timedelta(seconds=30)
#: How long, in seconds, events wait for a reply that its client does not read. D: the order of
#: reply and events is lost then, rather than the session.
SENDING_TIME: Final = 5.0
#: Closed sessions that the gateway remembers. D: a number, where the gateway has a time.
MAX_REMEMBERED: Final = 1_024


class Pending:
    """A command on its way: the answer to wait for, and word that it was sent."""

    def __init__(self) -> None:
        self.reply: MxCommandReply | None = None
        self.answered = asyncio.Event()
        self.sent = asyncio.Event()
        self.task: asyncio.Task[None] | None = None

    async def answer(self, timeout: float) -> MxCommandReply | None:
        """The reply; None if the session ended first, and ``TimeoutError`` after ``timeout``
        seconds. Leaving early ends the waiting alone: the command runs to its end.
        """
        async with asyncio.timeout(timeout):
            await self.answered.wait()
        if self.reply is None and self.task is not None and not self.task.cancelled():
            self.task.result()  # raises what went wrong in the simulator itself
        return self.reply


class Session:
    """One session. Its commands run one after another, each in a task that the session owns, and
    the events that a command causes follow its reply.
    """

    def __init__(
        self, owner: str, galaxy: Galaxy, first_value_delay: float, command_timeout: timedelta
    ) -> None:
        self.id = f"session-{uuid.uuid4().hex}"
        self.owner = owner
        self.state = SessionState.READY
        self.command_timeout = command_timeout
        self.first_value_delay = first_value_delay
        self.galaxy = galaxy
        self.handles = Handles(galaxy)
        self.events = EventLog(self.id)
        self.tasks: set[asyncio.Task[None]] = set()
        self._turn = asyncio.Lock()
        self._held: list[MxEvent] = []
        self._causing = False
        self._alarms: Subscription | None = None

    def submit(self, command: Callable[[], Awaitable[MxCommandReply]]) -> Pending:
        """Run ``command`` when those before it are done; too many at once are refused."""
        if len(self.tasks) >= MAX_PENDING:
            raise GRPCError(
                Status.RESOURCE_EXHAUSTED,
                f"session {self.id} has {MAX_PENDING} commands pending, the most it takes; wait "
                "for answers first",
            )
        pending = Pending()
        pending.task = asyncio.create_task(self._run(command, pending))
        self.tasks.add(pending.task)
        pending.task.add_done_callback(self.tasks.discard)
        # However the task ends, even before it began, nobody waits for its answer in vain.
        pending.task.add_done_callback(lambda _: pending.answered.set())
        return pending

    async def _run(
        self, command: Callable[[], Awaitable[MxCommandReply]], pending: Pending
    ) -> None:
        async with self._turn:
            try:
                pending.reply = await command()
                pending.answered.set()
                with suppress(TimeoutError):
                    async with asyncio.timeout(SENDING_TIME):
                        await pending.sent.wait()
            finally:
                self._release()

    def cause(self, event: MxEvent) -> None:
        """Raise ``event`` after the reply of the command that runs now."""
        self._held.append(event)

    @contextmanager
    def causing(self) -> Generator[None]:
        """What is raised inside is caused by the command that runs now."""
        self._causing = True
        try:
            yield
        finally:
            self._causing = False

    def emit(self, event: MxEvent) -> None:
        """Raise ``event`` now, but never before one that was caused earlier."""
        if self._causing or self._held:
            self._held.append(event)
        else:
            self._raise(event)

    def _release(self) -> None:
        held, self._held = self._held, []
        for event in held:
            self._raise(event)

    def _raise(self, event: MxEvent) -> None:
        if self.state is SessionState.READY and not self.events.append(event):
            self._stop(SessionState.FAULTED)

    def advise(self, registration: Registration, item: Item) -> None:
        """Start the data changes of an item. Advising twice is one advice, plain or supervisory."""
        if item.advice is None:
            item.advice = self._advice(registration, item)
            item.advice.start(self.first_value_delay, self.cause)

    def _advice(self, registration: Registration, item: Item) -> Advice:
        server_handle, item_handle = registration.handle, item.handle
        if not item.buffered:
            return Advice(self.galaxy, server_handle, item_handle, item.point, self.emit)
        return BufferedAdvice(
            self.galaxy,
            server_handle,
            item_handle,
            item.point,
            self.emit,
            registration.interval,
        )

    def follow_alarms(self, subscription: Subscription | None) -> None:
        """Get alarm events by ``subscription`` alone from now on; None stops them."""
        if self._alarms is not None:
            self._alarms.stop()
        self._alarms = subscription

    def close(self, failure: GRPCError | None = None) -> None:
        """End the session; an event stream gets what is queued and the end, or ``failure``."""
        if self.state is not SessionState.CLOSED:
            self._stop(SessionState.CLOSED)
            self.events.end(failure)

    def _stop(self, state: SessionState) -> None:
        self.state = state
        self._held.clear()
        self.follow_alarms(None)
        registrations = list(self.handles)
        for registration in registrations:
            for item in registration.items.values():
                self.handles.un_advise(item)
        for registration in registrations:
            self.handles.unregister(registration)
        current = asyncio.current_task()
        for task in self.tasks:
            if task is not current:
                task.cancel()


@dataclass
class Sessions:
    """All sessions of a gateway, and those closed lately."""

    galaxy: Galaxy
    first_value_delay: float
    _open: dict[str, Session] = field(default_factory=dict[str, Session])
    _closed: dict[str, Session] = field(default_factory=dict[str, Session])
    _shut: bool = False

    def open(self, owner: str, command_timeout: Duration | None) -> Session:
        """A new session that is ready."""
        if self._shut:
            raise GRPCError(Status.UNAVAILABLE, "the gateway is shutting down")
        if len(self._open) >= MAX_SESSIONS:
            raise GRPCError(
                Status.RESOURCE_EXHAUSTED,
                f"the gateway runs {MAX_SESSIONS} sessions, the most it allows; close one first",
            )
        timeout = DEFAULT_COMMAND_TIMEOUT
        if command_timeout is not None:
            try:
                timeout = command_timeout.to_timedelta()
            except ValueError as error:
                raise GRPCError(Status.INVALID_ARGUMENT, f"command_timeout: {error}") from None
            if timeout <= timedelta():
                raise GRPCError(Status.INVALID_ARGUMENT, "command_timeout must be positive")
        session = Session(owner, self.galaxy, self.first_value_delay, timeout)
        self._open[session.id] = session
        return session

    def find(self, session_id: str, owner: str) -> Session:
        """The session, open or remembered; that of another key does not exist for this one."""
        if not session_id:
            raise GRPCError(Status.INVALID_ARGUMENT, "the request has no session_id")
        session = self._open.get(session_id) or self._closed.get(session_id)
        if session is None or session.owner != owner:
            raise GRPCError(Status.NOT_FOUND, f"there is no session {session_id!r}")
        return session

    def ready(self, session_id: str, owner: str) -> Session:
        """The session, if it takes commands and streams."""
        session = self.find(session_id, owner)
        if session.state is not SessionState.READY:
            raise GRPCError(
                Status.FAILED_PRECONDITION,
                f"session {session.id} is {session.state.name}, not READY",
            )
        return session

    def close(self, session: Session) -> None:
        """End a session and remember it for a while; closing again changes nothing."""
        session.close()
        if self._open.pop(session.id, None) is not None:
            self._closed[session.id] = session
            while len(self._closed) > MAX_REMEMBERED:
                del self._closed[next(iter(self._closed))]

    async def shut(self) -> None:
        """End every session and take no new ones; returns when their commands are done."""
        self._shut = True
        tasks: set[asyncio.Task[None]] = set()
        for session in self._open.values():
            session.close(GRPCError(Status.UNAVAILABLE, "the gateway is shutting down"))
            tasks |= session.tasks
        if tasks:
            await asyncio.wait(tasks)
