"""What a gateway counts, in plain numbers; every metric's name is here. The format that Prometheus
reads is made in prometheus.py.

D: no document says how the gateway names its metrics. These names follow Prometheus' conventions.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final, TypeAlias

from zb_mom_ww_mxgateway_contracts.mxaccess_gateway_v1 import SessionState

#: A label's value. Only from a set that is closed, never what a client sent: each one is a number
#: to keep for ever. An enum shows as its name, but a StrEnum as its value.
Label: TypeAlias = str | Enum

#: Upper bounds, in seconds, of what commands are sorted into by their duration.
BOUNDS: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


@dataclass(frozen=True, slots=True)
class Description:
    """What a metric is called and what it says; a counter's name is shown with ``_total``."""

    name: str
    text: str
    labels: tuple[str, ...] = ()


class Counter:
    """A number that only rises, for each combination of its labels' values."""

    __slots__ = ("_counts", "description")

    def __init__(self, name: str, text: str, *labels: str) -> None:
        self.description = Description(name, text, labels)
        self._counts: dict[tuple[Label, ...], int] = {} if labels else {(): 0}

    def add(self, *labels: Label) -> None:
        """Count one more."""
        self._counts[labels] = self._counts.get(labels, 0) + 1

    def read(self) -> Mapping[tuple[str, ...], int]:
        """The counts so far, by the labels' values as text."""
        counts: dict[tuple[str, ...], int] = {}
        for labels, count in self._counts.items():
            texts = shown(labels)
            counts[texts] = counts.get(texts, 0) + count
        return counts


@dataclass(slots=True)
class Durations:
    """Durations sorted into ``BOUNDS``, the last for those above, and their sum in seconds."""

    counts: list[int]
    sum: float = 0.0


class Histogram:
    """How long something took, for each value of its label."""

    __slots__ = ("_durations", "description")

    def __init__(self, name: str, text: str, label: str) -> None:
        self.description = Description(name, text, (label,))
        self._durations: dict[str, Durations] = {}

    def observe(self, label: str, seconds: float) -> None:
        """Count one duration."""
        durations = self._durations.get(label)
        if durations is None:
            durations = self._durations[label] = Durations([0] * (len(BOUNDS) + 1))
        durations.counts[bisect_left(BOUNDS, seconds)] += 1
        durations.sum += seconds

    def read(self) -> Mapping[str, Durations]:
        """The durations so far, by the label's value."""
        return self._durations


class Metrics:
    """What has happened so far in one gateway. Only its event loop may count and read."""

    def __init__(self) -> None:
        self.sessions_opened = Counter("mxgateway_sessions_opened", "Sessions opened.")
        self.sessions_closed = Counter("mxgateway_sessions_closed", "Sessions closed.", "reason")
        self.sessions_faulted = Counter(
            "mxgateway_sessions_faulted", "Sessions that became FAULTED.", "reason"
        )
        self.calls = Counter(
            "mxgateway_calls", "Calls that ended, by their gRPC status.", "rpc", "status"
        )
        self.commands = Counter(
            "mxgateway_commands",
            "Commands answered, by the protocol status of the reply.",
            "command",
            "status",
        )
        self.events = Counter("mxgateway_events", "Events raised.", "family")
        self.overflows = Counter(
            "mxgateway_event_queue_overflows", "Event streams that ended as their reader was slow."
        )
        self.deploys = Counter("mxgateway_galaxy_deploys", "Deploys since the gateway started.")
        self.command_durations = Histogram(
            "mxgateway_command_duration_seconds",
            "Time from a command's arrival to its reply.",
            "command",
        )

    @property
    def counters(self) -> Sequence[Counter]:
        """All counters."""
        return [one for one in vars(self).values() if isinstance(one, Counter)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """How a gateway is at one moment: what is read when somebody asks, not counted.

    Args:
        sessions: Sessions that are not closed, by state.
        commands_pending: Commands that wait or run, of all sessions.
        events_queued: Events that wait for a reader, of all sessions.
        event_streams: Event streams that are attached.
        alarms_active: Alarms in the snapshot that StreamAlarms starts with.
        galaxy_objects: Objects deployed.
        galaxy_attributes: Their attributes.
        faults_active: Faults of the simulator that are switched on.
    """

    sessions: Mapping[SessionState, int]
    commands_pending: int
    events_queued: int
    event_streams: int
    alarms_active: int
    galaxy_objects: int
    galaxy_attributes: int
    faults_active: int


SESSIONS: Final = Description("mxgateway_sessions", "Sessions that are not closed.", ("state",))
GAUGES: Final[Sequence[tuple[Description, Callable[[Snapshot], int]]]] = (
    (
        Description("mxgateway_commands_pending", "Commands that wait or run."),
        lambda now: now.commands_pending,
    ),
    (
        Description("mxgateway_events_queued", "Events that wait for a reader."),
        lambda now: now.events_queued,
    ),
    (
        Description("mxgateway_event_streams", "Event streams attached."),
        lambda now: now.event_streams,
    ),
    (
        Description("mxgateway_alarms_active", "Alarms that are active."),
        lambda now: now.alarms_active,
    ),
    (
        Description("mxgateway_galaxy_objects", "Objects deployed."),
        lambda now: now.galaxy_objects,
    ),
    (
        Description("mxgateway_galaxy_attributes", "Attributes of the objects deployed."),
        lambda now: now.galaxy_attributes,
    ),
    (
        Description("mxgateway_faults_active", "Faults of the simulator that are switched on."),
        lambda now: now.faults_active,
    ),
)


def shown(labels: tuple[Label, ...]) -> tuple[str, ...]:
    """The values of labels as text."""
    return tuple(str(label) if isinstance(label, str) else label.name for label in labels)
