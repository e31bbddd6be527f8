"""``Observer``: the rest of the simulator tells it what happens; it counts that and logs it."""

from __future__ import annotations

import logging
from enum import StrEnum
from typing import Final

from grpclib.const import Status

from zb_mom_ww_mxgateway_contracts.mxaccess_gateway_v1 import MxEventFamily, ProtocolStatusCode

from .log import log_event
from .metrics import Metrics


class Closing(StrEnum):
    """Why a session was closed."""

    CLIENT = "client"
    LEASE = "lease_expired"
    DETACHED = "detach_grace_over"
    WORKER = "worker_shut_down"
    GATEWAY = "gateway_shut_down"


class Faulting(StrEnum):
    """Why a session became FAULTED."""

    OVERFLOW = "event_queue_overflow"
    WORKER = "worker_crashed"
    SCRIPT = "scripted"


#: How much the end of a call matters: what is not here, is for those who look closely.
_LEVELS: Final = {
    Status.UNAUTHENTICATED: logging.WARNING,
    Status.PERMISSION_DENIED: logging.WARNING,
    Status.RESOURCE_EXHAUSTED: logging.WARNING,
    Status.UNKNOWN: logging.ERROR,
    Status.INTERNAL: logging.ERROR,
}


class Observer:
    """Counts and logs what happens in one gateway. Its methods cost little and never fail."""

    def __init__(self) -> None:
        self.metrics = Metrics()

    def gateway_started(self, endpoint: str, objects: int, attributes: int) -> None:
        """The gateway listens."""
        log_event("gateway.started", endpoint=endpoint, objects=objects, attributes=attributes)

    def gateway_closed(self, endpoint: str) -> None:
        """The gateway does not listen any more, and its clients are gone."""
        log_event("gateway.closed", endpoint=endpoint)

    def call_ended(
        self,
        rpc: str,
        key_id: str | None,
        status: Status,
        seconds: float,
        reason: str | None = None,
    ) -> None:
        """A call is over.

        Args:
            rpc: The method's name in the contract.
            key_id: Who called; None where that is not known.
            status: How it ended; CANCELLED where the client went away.
            seconds: How long it took.
            reason: The text that goes with a status that is not OK.
        """
        self.metrics.calls.add(rpc, status)
        log_event(
            "call.ended",
            _LEVELS.get(status, logging.DEBUG),
            rpc=rpc,
            key=key_id,
            status=status,
            duration_ms=_milliseconds(seconds),
            reason=reason,
        )

    def session_opened(self, session_id: str, key_id: str, client: str) -> None:
        """A session is READY. ``client`` is the name that it was given, if any."""
        self.metrics.sessions_opened.add()
        log_event("session.opened", session=session_id, key=key_id, client=client or None)

    def session_closed(self, session_id: str, why: Closing) -> None:
        """A session is CLOSED, which it becomes once."""
        self.metrics.sessions_closed.add(why)
        log_event("session.closed", session=session_id, reason=why)

    def session_faulted(self, session_id: str, why: Faulting) -> None:
        """A session is FAULTED."""
        self.metrics.sessions_faulted.add(why)
        log_event("session.faulted", logging.WARNING, session=session_id, reason=why)

    def command_answered(
        self, session_id: str, command: str, status: ProtocolStatusCode, seconds: float
    ) -> None:
        """A reply was made.

        Args:
            session_id: Whose command it was.
            command: Its name, as in ``COMMANDS``.
            status: What the reply says.
            seconds: Since the command arrived.
        """
        self.metrics.commands.add(command, status)
        self.metrics.command_durations.observe(command, seconds)
        log_event(
            "command.answered",
            logging.DEBUG,
            session=session_id,
            command=command,
            status=status,
            duration_ms=_milliseconds(seconds),
        )

    def event_raised(self, family: MxEventFamily) -> None:
        """An event got its number. Counted, never logged: there are too many."""
        self.metrics.events.add(family)

    def queue_overflowed(self, session_id: str, queued: int) -> None:
        """An event stream ends as its reader was too slow."""
        self.metrics.overflows.add()
        log_event("events.overflowed", logging.WARNING, session=session_id, count=queued)

    def galaxy_deployed(self, objects: int, attributes: int) -> None:
        """The galaxy was deployed, also for the first time."""
        self.metrics.deploys.add()
        log_event("galaxy.deployed", objects=objects, attributes=attributes)

    def deploy_refused(self, reason: str) -> None:
        """The galaxy that was to be deployed cannot be; what there was stays."""
        log_event("galaxy.refused", logging.WARNING, reason=reason)

    def fault_began(self, fault: str) -> None:
        """A fault of the simulator was switched on, or happened. ``fault`` is its kind."""
        log_event("fault.began", logging.WARNING, fault=fault)

    def fault_ended(self, fault: str) -> None:
        """A fault of the simulator is over."""
        log_event("fault.ended", fault=fault)


def _milliseconds(seconds: float) -> float:
    return round(seconds * 1_000, 3)
