"""What can go wrong with a simulated gateway on purpose: one class for each kind.

Faults that last are begun and ended, others strike once. Nothing here is left to chance.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from contextlib import AbstractContextManager
from dataclasses import dataclass

from grpclib.const import Status

from .faulting import (
    Fault as Fault,
    FaultError as FaultError,
    Faults as Faults,
    LastingFault as LastingFault,
    Strike as Strike,
)
from .galaxy.live import GOOD
from .overlays import Mistyped, Requalified
from .session import Session

# --- connections ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class DropConnections(Strike):
    """Every connection is reset (TCP RST), as when the host or the way to it fails."""

    async def strike(self, gateway: Faults) -> None:
        """Reset them."""
        gateway.listener(self).drop()


@dataclass(frozen=True, slots=True, kw_only=True)
class GoAway(Strike):
    """Every client is sent HTTP/2 GOAWAY and has to connect again.

    Args:
        graceful: Whether running calls may end, after which the connection closes, as when a
            gateway is drained. Else it closes at once, and the frame says that no running call was
            looked at, though it was: what clients try again then happens twice.
    """

    graceful: bool = True

    async def strike(self, gateway: Faults) -> None:
        """Send it."""
        gateway.listener(self).go_away(graceful=self.graceful)


@dataclass(frozen=True, slots=True)
class RefuseConnections(LastingFault):
    """New connections are reset at once, before HTTP/2 has said a word; open ones stay.

    With TLS, that is after the handshake.
    """

    def during(self, gateway: Faults) -> AbstractContextManager[None]:
        """Refuse them."""
        return gateway.listener(self).refusing()


# --- calls ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class RefuseCalls(LastingFault):
    """New calls end with a gRPC status, whoever makes them; running ones go on.

    Args:
        status: The status, not OK.
        message: The text that goes with it.
        rpc: The name of the one rpc that is refused, such as ``Invoke``; None is all.
    """

    status: Status = Status.UNAVAILABLE
    message: str = "the gateway takes no calls at present; try again later"
    rpc: str | None = None

    def __post_init__(self) -> None:
        self.check("status", self.status is not Status.OK, "must not be OK, which refuses nothing")
        self.check_rpc(self.rpc)

    def during(self, gateway: Faults) -> AbstractContextManager[None]:
        """Refuse them; of several refusals the latest counts."""
        return gateway.conditions.refusing(self.rpc, self.status, self.message)


@dataclass(frozen=True, slots=True, kw_only=True)
class DelayReplies(LastingFault):
    """Requests are carried out at once and answered late.

    The next command of a session, and events that a command caused, wait for the late reply. A
    command that is answered later than its session allows gets the reply TIMEOUT. Replies that wait
    when the fault ends are sent then.

    Args:
        seconds: How late each reply is; positive.
        rpc: The name of the one rpc, without a stream, whose replies are late; None is all.
    """

    seconds: float
    rpc: str | None = None

    def __post_init__(self) -> None:
        self.check_seconds(self.seconds)
        self.check_rpc(self.rpc, streams=False)

    def during(self, gateway: Faults) -> AbstractContextManager[None]:
        """Delay them; of several delays the latest counts."""
        return gateway.conditions.delaying(self.rpc, gateway.clock, self.seconds)


@dataclass(frozen=True, slots=True, kw_only=True)
class FreezeStreams(LastingFault):
    """Streams stay open and send nothing, while everything else works; then they send all of it.

    Events queue up meanwhile, as for a reader that is too slow.

    Args:
        rpc: The name of the one rpc whose streams are frozen, such as ``StreamEvents``; None is
            all.
    """

    rpc: str | None = None

    def __post_init__(self) -> None:
        self.check_rpc(self.rpc, streams=True)

    def during(self, gateway: Faults) -> AbstractContextManager[None]:
        """Freeze them."""
        return gateway.conditions.freezing(self.rpc, gateway.clock)


# --- sessions ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class _SessionStrike(Strike):
    """Something that happens to sessions.

    Args:
        session: Which one, counted from 1 as they were opened since the gateway started; None is
            all that are open.
    """

    session: int | None = None

    def __post_init__(self) -> None:
        number = self.session
        self.check("session", number is None or number > 0, f"must be 1 or more, not {number}")

    async def strike(self, gateway: Faults) -> None:
        """Let it happen to each."""
        chosen = gateway.sessions.opened(self.session)
        if self.session is not None and not chosen:
            raise FaultError(self.kind(), "session", f"{self.session} is not open")
        for session in chosen:
            self._strike(session)

    @abstractmethod
    def _strike(self, session: Session) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class CrashWorker(_SessionStrike):
    """The worker process of a session dies: the session is FAULTED, running and queued commands
    answer WORKER_UNAVAILABLE, its event streams end with UNAVAILABLE.
    """

    def _strike(self, session: Session) -> None:
        session.crash("a fault was injected")


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultSession(_SessionStrike):
    """A session is FAULTED though its worker lives; its event streams end with ABORTED."""

    def _strike(self, session: Session) -> None:
        session.fault("a fault was injected")


@dataclass(frozen=True, slots=True, kw_only=True)
class OverflowQueue(_SessionStrike):
    """A session's event queue overflows: its streams end with RESOURCE_EXHAUSTED, and where it may
    have one alone, or has none, it is FAULTED.
    """

    def _strike(self, session: Session) -> None:
        session.overflow()


# --- the galaxy ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class BadQuality(LastingFault):
    """Everything in a subtree reads with another quality; value and time stay.

    Args:
        tag_name: The object, by its tag name; what is below it is in the subtree too.
        quality: The OPC quality, from 0 to 191: 0 bad, 8 not connected, 24 communication failure,
            32 waiting for first data, 64 uncertain.
    """

    tag_name: str
    quality: int = 0

    def __post_init__(self) -> None:
        is_right = 0 <= self.quality < GOOD
        self.check("quality", is_right, f"must be from 0 to {GOOD - 1}, but is {self.quality}")

    def during(self, gateway: Faults) -> AbstractContextManager[None]:
        """Let it read so; of several on one object the latest counts."""
        subtree = gateway.subtree(self, self.tag_name)
        return gateway.galaxy.overlaid(Requalified(subtree, self.quality))


@dataclass(frozen=True, slots=True, kw_only=True)
class WrongTypes(LastingFault):
    """Everything in a subtree reads as a value of the wrong type: what is no text as its text,
    texts as their length; of arrays each element.

    Args:
        tag_name: The object, by its tag name; what is below it is in the subtree too.
    """

    tag_name: str

    def during(self, gateway: Faults) -> AbstractContextManager[None]:
        """Let it read so."""
        return gateway.galaxy.overlaid(Mistyped(gateway.subtree(self, self.tag_name)))


@dataclass(frozen=True, slots=True, kw_only=True)
class DelayFirstValues(LastingFault):
    """First values come late, for items that are advised meanwhile, and for ReadBulk.

    Args:
        seconds: How late; 3 to 8 on a live system.
    """

    seconds: float

    def __post_init__(self) -> None:
        self.check_seconds(self.seconds)

    def during(self, gateway: Faults) -> AbstractContextManager[None]:
        """Delay them; of several delays the latest counts."""
        return gateway.first_value_delay.by(self.seconds)


@dataclass(frozen=True, slots=True, kw_only=True)
class SlowWrites(LastingFault):
    """Writes are accepted at once and carried out late: value and OnWriteComplete come then.

    Args:
        seconds: How late; positive.
    """

    seconds: float

    def __post_init__(self) -> None:
        self.check_seconds(self.seconds)

    def during(self, gateway: Faults) -> AbstractContextManager[None]:
        """Slow them down; of several delays the latest counts."""
        return gateway.write_delay.by(self.seconds)


@dataclass(frozen=True, slots=True, kw_only=True)
class Redeploy(Strike):
    """The galaxy is deployed anew.

    Args:
        machines: How many machines there are from now on; None leaves them.
    """

    machines: int | None = None

    def __post_init__(self) -> None:
        number = self.machines
        self.check("machines", number is None or number >= 0, f"must not be negative: {number}")

    async def strike(self, gateway: Faults) -> None:
        """Deploy it; returns when that is done."""
        await gateway.redeploy(self.machines)


@dataclass(frozen=True, slots=True, kw_only=True)
class StepClock(Strike):
    """The gateway's time of day is set, forward or back; nothing is late or early by that.

    Args:
        seconds: How far forward; negative is back.
    """

    seconds: float

    def __post_init__(self) -> None:
        self.check("seconds", math.isfinite(self.seconds), f"must be finite, not {self.seconds}")

    async def strike(self, gateway: Faults) -> None:
        """Set it."""
        gateway.clock.step(self.seconds)
