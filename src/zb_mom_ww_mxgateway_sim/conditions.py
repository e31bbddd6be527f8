"""What is wrong with calls now: some are refused, replies come late, streams send nothing.

``Calls`` asks before each step of a call; faults.py says when something is wrong.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from grpclib.const import Status
from grpclib.exceptions import GRPCError

from .clock import Clock

T = TypeVar("T")


class InForce(Generic[T]):
    """What is in force now, the latest first. Equal ones are told apart, so that any of them may
    end before the others.
    """

    def __init__(self) -> None:
        self._now: dict[object, T] = {}

    def __bool__(self) -> bool:
        return bool(self._now)

    def __iter__(self) -> Iterator[T]:
        return reversed(self._now.values())

    @contextmanager
    def holding(self, what: T) -> Generator[None]:
        """Let it be in force while the block runs."""
        token = object()
        self._now[token] = what
        try:
            yield
        finally:
            del self._now[token]


class Overridden:
    """A number that several may override at once: the latest of those that still do counts."""

    def __init__(self, get: Callable[[], float], put: Callable[[float], None]) -> None:
        self._get = get
        self._put = put
        self._others: InForce[float] = InForce()
        self._plain = 0.0

    @contextmanager
    def by(self, value: float) -> Generator[None]:
        """Override it while the block runs. What it was before the first override comes back after
        the last one.
        """
        if not self._others:
            self._plain = self._get()
        try:
            with self._others.holding(value):
                self._put(value)
                yield
        finally:
            self._put(next(iter(self._others), self._plain))


def _is_meant(rpc: str | None, path: str) -> bool:
    return rpc is None or path.rpartition("/")[2] == rpc


@dataclass(frozen=True, slots=True, eq=False)
class _Refusal:
    rpc: str | None
    status: Status
    message: str


@dataclass(frozen=True, slots=True, eq=False)
class _Hold:
    """Holds up what is to be sent: each for some seconds, or until the hold ends for None."""

    rpc: str | None
    clock: Clock
    seconds: float | None
    waiting: set[asyncio.Event] = field(default_factory=set[asyncio.Event])

    async def over(self) -> None:
        due = asyncio.Event()
        timer = None if self.seconds is None else self.clock.call_later(self.seconds, due.set)
        self.waiting.add(due)
        try:
            await due.wait()
        finally:
            self.waiting.discard(due)
            if timer is not None:
                timer.cancel()

    def end(self) -> None:
        for due in self.waiting:
            due.set()


class Conditions:
    """How the calls of one gateway fare. Where nothing is wrong, each question costs one look.

    ``rpc`` is the name of one, such as ``Invoke``, and None is all of them; ``path`` is that of the
    rpc in the contract, which ends with its name.
    """

    def __init__(self) -> None:
        self._refusals: InForce[_Refusal] = InForce()
        self._delays: InForce[_Hold] = InForce()
        self._freezes: InForce[_Hold] = InForce()
        self._is_shut = False

    @contextmanager
    def refusing(self, rpc: str | None, status: Status, message: str) -> Generator[None]:
        """End new calls with a status while the block runs; the latest refusal counts."""
        with self._refusals.holding(_Refusal(rpc, status, message)):
            yield

    @contextmanager
    def delaying(self, rpc: str | None, clock: Clock, seconds: float) -> Generator[None]:
        """Hold each reply back for so long, or until the block ends; the latest delay counts."""
        with self._holding(self._delays, _Hold(rpc, clock, seconds)):
            yield

    @contextmanager
    def freezing(self, rpc: str | None, clock: Clock) -> Generator[None]:
        """Hold back what streams send until the block ends, and others that freeze them too."""
        with self._holding(self._freezes, _Hold(rpc, clock, None)):
            yield

    @contextmanager
    def _holding(self, holds: InForce[_Hold], hold: _Hold) -> Generator[None]:
        try:
            with holds.holding(hold):
                yield
        finally:
            hold.end()

    def shut(self) -> None:
        """Hold nothing back from now on: the gateway closes."""
        self._is_shut = True
        for hold in [*self._delays, *self._freezes]:
            hold.end()

    def admit(self, path: str) -> None:
        """Ask at the beginning of a call.

        Raises:
            GRPCError: It is refused.
        """
        if self._refusals:
            for refusal in self._refusals:
                if _is_meant(refusal.rpc, path):
                    raise GRPCError(refusal.status, refusal.message)

    async def due(self, path: str) -> None:
        """Wait, before a reply is sent, for as long as replies are delayed now."""
        if self._delays and not self._is_shut:
            for delay in self._delays:
                if _is_meant(delay.rpc, path):
                    await delay.over()
                    return

    async def thawed(self, path: str) -> None:
        """Wait, before a stream sends something, until it is not frozen."""
        while self._freezes and not self._is_shut:
            frozen = next((one for one in self._freezes if _is_meant(one.rpc, path)), None)
            if frozen is None:
                return
            await frozen.over()
