"""One session: its states, the order of its commands, and what ends with it."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import Final

from grpclib.const import Status
from grpclib.exceptions import GRPCError

from zb_mom_ww_mxgateway_contracts.mxaccess_gateway_v1 import (
    MxCommandReply,
    MxEvent,
    SessionState,
)

from .advices import Advice, BufferedAdvice
from .alarm_feed import Subscription
from .auth.keys import Caller
from .clock import Timer
from .event_log import EventLog, Subscriber
from .galaxy.live import Galaxy, breathe
from .items import Handles, Item, Registration
from .limits import Limits
from .operations.observer import Closing, Faulting, Observer

#: How long, in seconds of real time, events wait for a reply that its client does not read. D: the
#: order of reply and events is lost then, rather than the session.
SENDING_TIME: Final = 5.0

#: What a session goes through until it is READY.
STARTING: Final = (
    SessionState.CREATING,
    SessionState.STARTING_WORKER,
    SessionState.WAITING_FOR_PIPE,
    SessionState.INITIALIZING_WORKER,
)
_ENDS: Final = frozenset({SessionState.CLOSING, SessionState.FAULTED})
#: Which states may follow which.
TRANSITIONS: Final = {
    **{
        state: _ENDS | {following}
        for state, following in zip(STARTING, (*STARTING[1:], SessionState.READY), strict=True)
    },
    SessionState.READY: _ENDS,
    SessionState.CLOSING: frozenset({SessionState.CLOSED}),
    SessionState.FAULTED: frozenset({SessionState.CLOSED}),
    SessionState.CLOSED: frozenset[SessionState](),
}


class Pending:
    """A command on its way: the answer to wait for, and word that it was sent."""

    def __init__(self) -> None:
        self.reply: MxCommandReply | None = None
        self.refusal: GRPCError | None = None
        self.answered = asyncio.Event()
        self.sent = asyncio.Event()
        self.task: asyncio.Task[None] | None = None

    async def answer(self) -> MxCommandReply | None:
        """The reply, None if the session ended first; the gRPC error that the command ended with.

        Leaving early ends the waiting alone: the command runs to its end.
        """
        await self.answered.wait()
        if self.refusal is not None:
            raise self.refusal
        if self.reply is None and self.task is not None and not self.task.cancelled():
            self.task.result()  # raises what went wrong in the simulator itself
        return self.reply


class Session:
    """One session. Its commands run one after another, each in a task that the session owns, and
    the events that a command causes follow its reply.

    Args:
        caller: Who opened it. D: each command goes by what its key may read and write at that
            time; advices that run go on.
        galaxy: What its items lead to; its clock is that of the session.
        limits: Those of the gateway.
        observer: Is told what becomes of the session.
        command_timeout: How long an answer may take.
        on_closed: Called once it is CLOSED.
    """

    def __init__(
        self,
        caller: Caller,
        galaxy: Galaxy,
        limits: Limits,
        observer: Observer,
        command_timeout: timedelta,
        on_closed: Callable[[Session], None],
    ) -> None:
        self.id = f"session-{uuid.uuid4().hex}"
        self.owner = caller.key_id
        self.access = caller.access
        self.state = SessionState.CREATING
        #: Which one it is of all that became READY, from 1 on; 0 until then.
        self.number = 0
        #: Whether a client may know of it.
        self.was_ready = False
        self.command_timeout = command_timeout
        self.galaxy = galaxy
        self.handles = Handles(galaxy)
        self.events = EventLog(self.id, galaxy.clock, limits, observer)
        self.tasks: set[asyncio.Task[None]] = set()
        self.clock = galaxy.clock
        self._limits = limits
        self._observer = observer
        self._on_closed = on_closed
        self._turn = asyncio.Lock()
        self._held: list[MxEvent] = []
        self._is_causing = False
        self._is_leaving = False
        self._alarms: Subscription | None = None
        self._timers: set[Timer] = set()
        self._renewed = self.clock.time()
        self._grace: Timer | None = None
        self._ended = asyncio.Event()
        self._letting_go: asyncio.Task[None] | None = None
        self._closing: asyncio.Task[None] | None = None

    def _become(self, state: SessionState) -> None:
        if state not in TRANSITIONS[self.state]:
            raise RuntimeError(f"{self.id} cannot become {state.name} from {self.state.name}")
        self.state = state

    async def start(self) -> None:
        """Become READY; gRPC UNAVAILABLE if the session ends before."""
        step = self._limits.worker_start_time / len(STARTING)
        for following in (*STARTING[1:], SessionState.READY):
            if step > 0:
                with suppress(TimeoutError):
                    async with self.clock.timeout(step):
                        await self._ended.wait()
            if self._ended.is_set():
                raise GRPCError(
                    Status.UNAVAILABLE,
                    f"session {self.id} ended while its worker was starting; open a new one",
                )
            self._become(following)
        self.was_ready = True
        self.renew()

    # Commands

    def submit(self, command: Callable[[], Awaitable[MxCommandReply]]) -> Pending:
        """Run ``command`` when those before it are done; too many at once are refused."""
        limit = self._limits.pending_commands
        if len(self.tasks) >= limit:
            raise GRPCError(
                Status.RESOURCE_EXHAUSTED,
                f"session {self.id} has {limit} commands pending, the most it takes; wait for "
                "answers first",
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
                try:
                    pending.reply = await command()
                except GRPCError as refusal:
                    pending.refusal = refusal
                pending.answered.set()
                with suppress(TimeoutError):
                    async with asyncio.timeout(SENDING_TIME):
                        await pending.sent.wait()
            finally:
                self._release()
            if self._is_leaving:
                self.close(Closing.WORKER)

    def shut_down(self) -> None:
        """Close after the reply of the command that runs now. D: at once then; commands that are
        queued behind it are not carried out, whatever the grace period.
        """
        self._is_leaving = True

    def later(self, delay: float, act: Callable[[], None]) -> None:
        """Do something in ``delay`` seconds, unless the session has ended by then."""

        def due() -> None:
            self._timers.discard(timer)
            act()

        timer = self.clock.call_later(delay, due)
        self._timers.add(timer)

    # Events

    def cause(self, event: MxEvent) -> None:
        """Raise ``event`` after the reply of the command that runs now."""
        self._held.append(event)

    @contextmanager
    def causing(self) -> Generator[None]:
        """What is raised inside is caused by the command that runs now."""
        self._is_causing = True
        try:
            yield
        finally:
            self._is_causing = False

    def emit(self, event: MxEvent) -> None:
        """Raise ``event`` now, but never before one that was caused earlier."""
        if self._is_causing or self._held:
            self._held.append(event)
        else:
            self._raise(event)

    def _release(self) -> None:
        held, self._held = self._held, []
        for event in held:
            self._raise(event)

    def _raise(self, event: MxEvent) -> None:
        if self.state is SessionState.READY and not self.events.append(event):
            self._fault(Faulting.OVERFLOW, None)

    @contextmanager
    def stream(self, after_sequence: int) -> Generator[Subscriber]:
        """Read its events, those above ``after_sequence`` if that is not 0.

        While somebody does, the session lives. Once the last has gone it has its grace left, and
        nothing but a new stream lengthens that (D).
        """
        with self.events.subscribe(after_sequence) as subscriber:
            self._end_grace()
            try:
                yield subscriber
            finally:
                self.events.release(subscriber)
                if self.state is SessionState.READY and not self.events.streams:
                    self._end_grace()
                    self._grace = self.clock.call_later(
                        self._limits.detach_grace, lambda: self.close(Closing.DETACHED)
                    )

    def _end_grace(self) -> None:
        if self._grace is not None:
            self._grace.cancel()
            self._grace = None

    def renew(self) -> None:
        """A call came: the lease begins anew."""
        self._renewed = self.clock.time()

    def lease_is_over(self) -> bool:
        """Whether nobody has used the session for too long. D: while its grace runs, that counts;
        a session that never had a stream has its lease alone.
        """
        if not self.was_ready or self.events.streams or self._grace is not None:
            return False
        return self.clock.time() - self._renewed >= self._limits.lease

    # Items and alarms

    def add(
        self,
        registration: Registration,
        definition: str,
        context: str = "",
        *,
        buffered: bool = False,
    ) -> Item:
        """A new item, if its key may read it."""
        item = self.handles.make(definition, context, buffered=buffered)
        self.access.require_read(self.galaxy, item.asked)
        return registration.keep(item)

    def advise(self, registration: Registration, item: Item) -> None:
        """Start the data changes of an item, if the key may still read it. Advising twice is one
        advice, plain or supervisory.
        """
        self.access.require_read(self.galaxy, item.asked)
        if item.advice is None:
            item.advice = self._advice(registration, item)
            item.advice.start(self.cause)

    def _advice(self, registration: Registration, item: Item) -> Advice:
        galaxy, server_handle, emit = self.galaxy, registration.handle, self.emit
        if not item.buffered:
            return Advice(galaxy, server_handle, item.handle, item.point, emit)
        interval = registration.interval
        return BufferedAdvice(galaxy, server_handle, item.handle, item.point, emit, interval)

    def follow_alarms(self, subscription: Subscription | None) -> None:
        """Get alarm events by ``subscription`` alone from now on; None stops them."""
        if self._alarms is not None:
            self._alarms.stop()
        self._alarms = subscription

    # The end

    def crash(self, reason: str) -> None:
        """Let the worker die: FAULTED, commands answer WORKER_UNAVAILABLE, and D: the event stream
        ends with UNAVAILABLE. Harmless where the session has ended.
        """
        text = f"the worker of session {self.id} has crashed: {reason}; open a new session"
        self._fault(Faulting.WORKER, GRPCError(Status.UNAVAILABLE, text))

    def fault(self, reason: str) -> None:
        """Become FAULTED while the worker lives. D: as after a crash, but for ABORTED."""
        text = f"session {self.id} is faulted: {reason}; open a new session"
        self._fault(Faulting.SCRIPT, GRPCError(Status.ABORTED, text))

    def overflow(self) -> None:
        """Let every reader of events be too slow."""
        if self.state is SessionState.READY and not self.events.overflow():
            self._fault(Faulting.OVERFLOW, None)

    def _fault(self, why: Faulting, failure: GRPCError | None) -> None:
        if SessionState.FAULTED in TRANSITIONS[self.state]:
            self._become(SessionState.FAULTED)
            self._observer.session_faulted(self.id, why)
            self.renew()  # D: the lease of what is left counts from the fault
            self._end(failure)

    def close(self, why: Closing, failure: GRPCError | None = None) -> asyncio.Task[None]:
        """Begin to close, if that has not begun. The task is done once the session is CLOSED.

        An event stream gets what is queued and the end, or ``failure``. D: the command that runs is
        given up as those that wait are.
        """
        if self._closing is None:
            if self.state is not SessionState.FAULTED:
                self._become(SessionState.CLOSING)
                self._end(failure)
            self._closing = asyncio.create_task(self._close(why))
        return self._closing

    async def _close(self, why: Closing) -> None:
        if self._letting_go is not None:
            await self._letting_go
        self._become(SessionState.CLOSED)
        if self.was_ready:
            self._observer.session_closed(self.id, why)
        self._on_closed(self)

    def _end(self, failure: GRPCError | None) -> None:
        """Stop everything that goes on in the session."""
        self._ended.set()
        self._held.clear()
        self.events.end(failure)
        self.follow_alarms(None)
        self._end_grace()
        for timer in self._timers:
            timer.cancel()
        self._timers.clear()
        for task in self.tasks:
            task.cancel()
        self._letting_go = asyncio.create_task(self._let_go())

    async def _let_go(self) -> None:
        """Un-advise, remove items, unregister, in that order; others have their turn meanwhile."""
        if self.tasks:
            await asyncio.wait(self.tasks)
        registrations = list(self.handles)
        items = [(owner, item) for owner in registrations for item in owner.items.values()]
        for number, (_, item) in enumerate(items, 1):
            self.handles.un_advise(item)
            await breathe(number)
        for number, (owner, item) in enumerate(items, 1):
            self.handles.remove(owner, item)
            await breathe(number)
        for registration in registrations:
            await self.handles.unregister(registration)
