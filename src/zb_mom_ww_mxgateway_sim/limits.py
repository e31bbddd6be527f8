"""The gateway's limits and delays. The defaults are those of the gateway."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Final

#: Where a limit may be 0: nothing is waited for then.
_MAY_BE_ZERO: Final = frozenset({"detach_grace", "worker_start_time"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one gateway allows; times in seconds.

    Args:
        sessions: Open sessions at once.
        pending_commands: Commands of one session that wait or run.
        command_timeout: How long a command may take where its session does not say.
        lease: How long a session lives without a call or an event stream.
        sweep: How often leases are looked at.
        detach_grace: How long a session lives after its last event stream has ended.
        event_queue: Events that wait for a slow reader, or for the first one.
        event_subscribers: Event streams of one session at once. With 1, a reader that is too
            slow faults the session; with more, only its own stream ends.
        ring_events: Events kept for streams that resume.
        ring_age: How long they are kept.
        remembered_sessions: Closed sessions that are still known (D: a number, where the gateway
            has a time).
        worker_start_time: How long a session takes to become ready.

    Raises:
        ValueError: One of them is not positive.
    """

    sessions: int = 64
    pending_commands: int = 128
    command_timeout: float = 30.0
    lease: float = 1_800.0
    sweep: float = 30.0
    detach_grace: float = 30.0
    event_queue: int = 10_000
    event_subscribers: int = 1
    ring_events: int = 1_024
    ring_age: float = 300.0
    remembered_sessions: int = 1_024
    worker_start_time: float = 0.0

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if not (value > 0 or (value == 0 and field.name in _MAY_BE_ZERO)):
                raise ValueError(f"limit {field.name} must be positive, but is {value}")
