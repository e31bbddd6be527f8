"""Scenarios: which faults happen when, from TOML files or from Python, on the gateway's clock.

``docs/simulator-faults.md`` says what a file may have.
"""

from __future__ import annotations

import asyncio
import heapq
import logging
import os
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Final, NamedTuple, TypeAlias

from grpclib.const import Status

from .clock import Clock
from .faults import (
    BadQuality,
    CrashWorker,
    DelayFirstValues,
    DelayReplies,
    DropConnections,
    FaultError,
    Faults,
    FaultSession,
    FreezeStreams,
    GoAway,
    LastingFault,
    OverflowQueue,
    Redeploy,
    RefuseCalls,
    RefuseConnections,
    SlowWrites,
    StepClock,
    Strike,
    WrongTypes,
)
from .galaxy.documents import Document, DocumentError, Table
from .operations.log import log_event

#: The longest time in a scenario, in seconds: a year.
LONGEST: Final = 366 * 86_400.0
#: The shortest time, in seconds, after which something may come again.
SHORTEST: Final = 0.01
#: What floats lose when times are added and taken away again, in seconds.
_ROUNDING: Final = 1e-6


_Reader: TypeAlias = Callable[[Table], LastingFault | Strike]


class ScenarioFileError(DocumentError):
    """A scenario's file cannot be used as it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One fault of a scenario, and when it happens. Times are in seconds.

    Args:
        fault: What happens.
        at: When, after the gateway has started.
        lasts: How long a fault lasts that may end; None is until the gateway closes.
        every: After how long it happens again, each time; None is never.

    Raises:
        FaultError: The times contradict each other, or the kind of fault.
    """

    fault: LastingFault | Strike
    at: float
    lasts: float | None = None
    every: float | None = None

    def __post_init__(self) -> None:
        fault, lasts, every = self.fault, self.lasts, self.every
        fault.check("at", 0 <= self.at <= LONGEST, f"must be from 0 to {LONGEST:g}, not {self.at}")
        if lasts is not None:
            is_lasting = isinstance(fault, LastingFault)
            fault.check("lasts", is_lasting, "makes no sense for what happens once; leave it out")
            fault.check("lasts", 0 < lasts <= LONGEST, f"must be above 0, but is {lasts}")
        if every is not None:
            in_range = SHORTEST <= every <= LONGEST
            fault.check("every", in_range, f"must be {SHORTEST} or more, but is {every}")
            if isinstance(fault, LastingFault):
                ends = lasts is not None and lasts < every
                fault.check("every", ends, "must be longer than the fault lasts, which has to end")


class _Due(NamedTuple):
    """What happens at one time: ends first, then what begins, as it stands in the scenario."""

    time: float
    begins: bool
    step: int
    turn: int


class Scenario:
    """A scenario that runs against one gateway.

    What cannot happen when its time comes, such as the crash of a session that is not open, is
    logged and left out.
    """

    def __init__(self, steps: Iterable[Step], faults: Faults, clock: Clock) -> None:
        self._steps = tuple(steps)
        self._faults = faults
        self._clock = clock
        self._began = 0.0
        self._agenda = [_Due(step.at, True, number, 0) for number, step in enumerate(self._steps)]
        heapq.heapify(self._agenda)
        self._lasting: dict[int, AbstractContextManager[None]] = {}
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Let time count from now on. What is due at once has happened when this returns."""
        self._began = self._clock.time()
        await self._catch_up()
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """End every fault that lasts, and let no other happen; again is harmless."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
        for number in list(self._lasting):
            self._end(number)
        if self._task is not None and not self._task.cancelled():
            self._task.result()  # raises what stopped it

    async def _run(self) -> None:
        while self._agenda:
            await self._clock.sleep(self._agenda[0].time - self._elapsed())
            await self._catch_up()

    def _elapsed(self) -> float:
        return self._clock.time() - self._began

    async def _catch_up(self) -> None:
        while self._agenda and self._agenda[0].time <= self._elapsed() + _ROUNDING:
            due = heapq.heappop(self._agenda)
            if due.begins:
                await self._begin(due)
            else:
                self._end(due.step)

    async def _begin(self, due: _Due) -> None:
        step = self._steps[due.step]
        if step.every is not None:
            turn = due.turn + 1
            heapq.heappush(self._agenda, _Due(step.at + turn * step.every, True, due.step, turn))
        try:
            if isinstance(step.fault, Strike):
                await self._faults.strike(step.fault)
                return
            lasting = self._faults.lasting(step.fault)
            lasting.__enter__()
        except (ValueError, OSError) as error:  # a galaxy's file, too, may be wrong by now
            kind = step.fault.kind()
            log_event("fault.failed", logging.WARNING, fault=kind, reason=str(error))
            return
        self._lasting[due.step] = lasting
        if step.lasts is not None:
            heapq.heappush(self._agenda, _Due(due.time + step.lasts, False, due.step, due.turn))

    def _end(self, number: int) -> None:
        lasting = self._lasting.pop(number, None)
        if lasting is not None:
            lasting.__exit__(None, None, None)


# --- files ---------------------------------------------------------------------------------------


def load_scenario(path: str | os.PathLike[str]) -> tuple[Step, ...]:
    """Read a scenario from a TOML file.

    Raises:
        OSError: The file cannot be read.
        ScenarioFileError: It describes no scenario; the text has file, line, key and what to do.
    """
    file = Path(path)
    table = Document(file, file.parent, ScenarioFileError).root
    table.allow("faults")
    if not table.tables("faults"):
        raise table.error("has no faults; add [[faults]] with a kind and a time")
    return tuple(_step(entry) for entry in table.tables("faults"))


def _step(entry: Table) -> Step:
    kind = entry.choice("kind", {kind.kind(): kind for kind in KINDS})
    entry.allow("kind", "at", "for", "every", *(field.name for field in fields(kind)))
    try:
        return Step(
            fault=KINDS[kind](entry),
            at=entry.number("at", least=0, most=LONGEST),
            lasts=entry.number("for", above=0, most=LONGEST) if "for" in entry else None,
            every=entry.number("every", least=SHORTEST, most=LONGEST) if "every" in entry else None,
        )
    except FaultError as error:
        key = "for" if error.argument == "lasts" else error.argument
        raise entry.error(error.reason, key) from None


def _rpc(entry: Table) -> str | None:
    return entry.text("rpc") if "rpc" in entry else None


def _session(entry: Table) -> int | None:
    return entry.whole("session") if "session" in entry else None


def _refuse_calls(entry: Table) -> RefuseCalls:
    plain, statuses = RefuseCalls(), {status.name: status for status in Status}
    return RefuseCalls(
        status=entry.choice("status", statuses, plain.status),
        message=entry.text("message", plain.message),
        rpc=_rpc(entry),
    )


#: Every kind of fault, and how it is read from its table, whose keys are the fields of the class.
KINDS: Final[dict[type[LastingFault | Strike], _Reader]] = {
    DropConnections: lambda _: DropConnections(),
    GoAway: lambda entry: GoAway(graceful=entry.flag("graceful", True)),
    RefuseConnections: lambda _: RefuseConnections(),
    RefuseCalls: _refuse_calls,
    DelayReplies: lambda entry: DelayReplies(seconds=entry.number("seconds"), rpc=_rpc(entry)),
    FreezeStreams: lambda entry: FreezeStreams(rpc=_rpc(entry)),
    CrashWorker: lambda entry: CrashWorker(session=_session(entry)),
    FaultSession: lambda entry: FaultSession(session=_session(entry)),
    OverflowQueue: lambda entry: OverflowQueue(session=_session(entry)),
    BadQuality: lambda entry: BadQuality(
        tag_name=entry.text("tag_name"), quality=entry.whole("quality", 0)
    ),
    WrongTypes: lambda entry: WrongTypes(tag_name=entry.text("tag_name")),
    DelayFirstValues: lambda entry: DelayFirstValues(seconds=entry.number("seconds")),
    SlowWrites: lambda entry: SlowWrites(seconds=entry.number("seconds")),
    Redeploy: lambda entry: Redeploy(
        machines=entry.whole("machines") if "machines" in entry else None
    ),
    StepClock: lambda entry: StepClock(seconds=entry.number("seconds")),
}
