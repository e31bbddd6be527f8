"""Events and readings as users see them: native values, one type for each family of events."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from reprlib import Repr
from typing import Final, NamedTuple

from zb_mom_ww_mxgateway_contracts.google_protobuf import Timestamp
from zb_mom_ww_mxgateway_contracts.mxaccess_gateway_v1 import (
    BulkReadResult,
    MxEvent,
    MxEventFamily,
    MxStatusProxy,
    OnAlarmProviderModeChangedEvent,
    OnAlarmTransitionEvent,
    OnBufferedDataChangeEvent,
    ReplayGap,
)

from .errors import MxGatewayValueError, describe_status, has_failed, is_failure
from .values import MxValueOutput, from_mx_array, from_mx_value, moment

#: The two bits of an OPC quality that say good, uncertain or bad.
_QUALITY_BITS: Final = 0xC0
_QUALITIES: Final = {
    0: "bad",
    4: "configuration error",
    8: "not connected",
    24: "communication failure",
    32: "waiting for first data",
    64: "uncertain",
    192: "good",
}
#: Cuts long texts and arrays in the middle or at their ends.
_SHORT: Final = Repr()
_SHORT.maxstring, _SHORT.maxother, _SHORT.maxlevel = 60, 80, 2


def is_good_quality(quality: int) -> bool:
    """Whether an OPC quality is good: 192 to 255."""
    return quality & _QUALITY_BITS == _QUALITY_BITS


def describe_quality(quality: int) -> str:
    """A quality in words, such as ``quality 24 (communication failure)``."""
    words = _QUALITIES.get(quality) or {0: "bad", 64: "uncertain", 192: "good"}.get(
        quality & _QUALITY_BITS, "undefined"
    )
    return f"quality {quality} ({words})"


def _usable(statuses: Sequence[MxStatusProxy], quality: int) -> bool:
    """The first status decides whether value and quality count; then the quality does."""
    return not (statuses and is_failure(statuses[0])) and is_good_quality(quality)


def _time(timestamp: Timestamp | None) -> datetime | None:
    return None if timestamp is None else moment(timestamp)


@dataclass(frozen=True, slots=True, repr=False)
class Event:
    """An event of a session. ``raw`` is the contract's message; the rest is read from it."""

    raw: MxEvent

    def __repr__(self) -> str:
        told = ", ".join(f"{name}={value!r}" for name, value in self._told().items())
        return f"{type(self).__name__}({told})"

    def _told(self) -> dict[str, object]:
        """What ``repr`` shows. No value of a write: it may be a secured one's."""
        return {"worker_sequence": self.worker_sequence, "family": self.family.name}

    @property
    def family(self) -> MxEventFamily:
        """What happened."""
        return self.raw.family

    @property
    def worker_sequence(self) -> int:
        """The event's number in its session, from 1 without gaps; 0 for an ``EventGap``."""
        return self.raw.worker_sequence

    @property
    def server_handle(self) -> int:
        """The registration that the event is about; 0 where it is about none."""
        return self.raw.server_handle

    @property
    def item_handle(self) -> int:
        """The item that the event is about; 0 where it is about none."""
        return self.raw.item_handle

    @property
    def value(self) -> MxValueOutput:
        """The value, as ``from_mx_value`` gives it; None where there is none.

        Raises:
            MxGatewayValueError: The value has no form in Python; ``raw.value`` has it.
        """
        return from_mx_value(self.raw.value)

    @property
    def quality(self) -> int:
        """The OPC quality: 192 good, 64 uncertain, 0 bad; ``describe_quality`` has words."""
        return self.raw.quality

    @property
    def timestamp(self) -> datetime | None:
        """The source's time, aware UTC, cut to the microsecond; None where it gave none."""
        return _time(self.raw.source_timestamp)

    @property
    def timestamp_ns(self) -> int | None:
        """The source's time in nanoseconds since 1970 UTC; None where it gave none."""
        time = self.raw.source_timestamp
        return None if time is None else time.to_nanoseconds()

    @property
    def statuses(self) -> Sequence[MxStatusProxy]:
        """The statuses of MXAccess, in its order; the first decides."""
        return self.raw.statuses

    @property
    def is_good(self) -> bool:
        """Whether what the event reports succeeded: no status failed, no HRESULT below 0."""
        return not has_failed(self.raw)


@dataclass(frozen=True, slots=True, repr=False)
class DataChange(Event):
    """An advised item has a new value, quality or status."""

    def _told(self) -> dict[str, object]:
        try:
            value = self.value
        except MxGatewayValueError:
            value = None  # raw has it
        return (
            _about_item(self)
            | {
                "value": _Short(value),
                "quality": self.quality,
                "timestamp": self.timestamp,
            }
            | _failures(self)
        )

    @property
    def is_good(self) -> bool:
        """Whether the value may be used: the first status is no failure and the quality is good."""
        return _usable(self.statuses, self.quality)


@dataclass(frozen=True, slots=True, repr=False)
class WriteComplete(Event):
    """A write that MXAccess had accepted has an outcome; ``is_good`` says which."""

    def _told(self) -> dict[str, object]:
        return _about_item(self) | {"is_good": self.is_good} | _failures(self)


@dataclass(frozen=True, slots=True, repr=False)
class OperationComplete(Event):
    """MXAccess has ended an operation."""

    def _told(self) -> dict[str, object]:
        return _about_item(self) | {"is_good": self.is_good} | _failures(self)


class Sample(NamedTuple):
    """One of the values that a buffered item delivers."""

    value: MxValueOutput
    quality: int
    timestamp: datetime

    @property
    def is_good(self) -> bool:
        """Whether the quality is good."""
        return is_good_quality(self.quality)


@dataclass(frozen=True, slots=True, repr=False)
class BufferedDataChange(Event):
    """A buffered item has new values; ``samples`` has them."""

    def _told(self) -> dict[str, object]:
        try:
            count: int | None = len(self.samples)
        except MxGatewayValueError:
            count = None  # raw has what came
        return _about_item(self) | {"samples": count, "quality": self.quality} | _failures(self)

    @property
    def samples(self) -> list[Sample]:
        """The values with quality and time, in the order sent.

        Raises:
            MxGatewayValueError: There is not one quality and one time for each value.
        """
        body = self.raw.on_buffered_data_change or OnBufferedDataChangeEvent()
        arrays = (body.values, body.quality_values, body.timestamp_values)
        values, qualities, times = (
            [] if array is None else from_mx_array(array) for array in arrays
        )
        samples = [
            Sample(value, quality, time)
            for value, quality, time in zip(values, qualities, times, strict=False)
            if isinstance(quality, int) and isinstance(time, datetime)
        ]
        if not len(samples) == len(values) == len(qualities) == len(times):
            raise MxGatewayValueError(
                f"a buffered data change has {len(values)} values, {len(qualities)} qualities and "
                f"{len(times)} times, {len(samples)} of which go together; its raw event has them "
                "as they came"
            )
        return samples


@dataclass(frozen=True, slots=True, repr=False)
class AlarmTransition(Event):
    """An alarm was raised, acknowledged or cleared."""

    def _told(self) -> dict[str, object]:
        return {
            "worker_sequence": self.worker_sequence,
            "transition_kind": self.transition.transition_kind.name,
            "alarm_full_reference": self.transition.alarm_full_reference,
            "severity": self.transition.severity,
        }

    @property
    def transition(self) -> OnAlarmTransitionEvent:
        """What happened to which alarm."""
        return self.raw.on_alarm_transition or OnAlarmTransitionEvent()


@dataclass(frozen=True, slots=True, repr=False)
class AlarmProviderModeChanged(Event):
    """The source of the alarms has changed."""

    def _told(self) -> dict[str, object]:
        return {"worker_sequence": self.worker_sequence, "mode": self.change.mode.name}

    @property
    def change(self) -> OnAlarmProviderModeChangedEvent:
        """What it is now, since when and why."""
        return self.raw.on_alarm_provider_mode_changed or OnAlarmProviderModeChangedEvent()


@dataclass(frozen=True, slots=True, repr=False)
class EventGap(Event):
    """Events are missing here: discard what you knew of values and read them anew."""

    def _told(self) -> dict[str, object]:
        return {
            "requested_after_sequence": self.requested_after_sequence,
            "oldest_available_sequence": self.oldest_available_sequence,
        }

    @property
    def requested_after_sequence(self) -> int:
        """The last event before the gap."""
        return (self.raw.replay_gap or ReplayGap()).requested_after_sequence

    @property
    def oldest_available_sequence(self) -> int:
        """The first event behind the gap."""
        return (self.raw.replay_gap or ReplayGap()).oldest_available_sequence

    @property
    def is_good(self) -> bool:
        """Never."""
        return False


class _Short:
    """A value whose ``repr`` has an end, however long the text or the array is."""

    def __init__(self, value: MxValueOutput) -> None:
        self._value = value

    def __repr__(self) -> str:
        return _SHORT.repr(self._value)


def _about_item(event: Event) -> dict[str, object]:
    """Which event it is, and of which item."""
    return {
        "worker_sequence": event.worker_sequence,
        "server_handle": event.server_handle,
        "item_handle": event.item_handle,
    }


def _failures(event: Event) -> dict[str, object]:
    """What failed, in words of this SDK: those of the gateway may repeat a value."""
    failed = [
        describe_status(MxStatusProxy(category=status.category, detail=status.detail))
        for status in event.statuses
        if is_failure(status)
    ]
    return {"error": "; ".join(failed)} if failed else {}


_TYPES: Final[Mapping[MxEventFamily, type[Event]]] = {
    MxEventFamily.ON_DATA_CHANGE: DataChange,
    MxEventFamily.ON_WRITE_COMPLETE: WriteComplete,
    MxEventFamily.OPERATION_COMPLETE: OperationComplete,
    MxEventFamily.ON_BUFFERED_DATA_CHANGE: BufferedDataChange,
    MxEventFamily.ON_ALARM_TRANSITION: AlarmTransition,
    MxEventFamily.ON_ALARM_PROVIDER_MODE_CHANGED: AlarmProviderModeChanged,
}


def event_of(raw: MxEvent) -> Event:
    """``raw`` as the type of its family; a family that this SDK does not know is an ``Event``."""
    if raw.replay_gap is not None:
        return EventGap(raw)
    return _TYPES.get(raw.family, Event)(raw)


@dataclass(frozen=True, slots=True)
class Reading:
    """What a tag read as. It is true when the value is good."""

    tag: str
    #: The value; None where there is none.
    value: MxValueOutput
    #: The OPC quality: 192 good, 64 uncertain, 0 bad.
    quality: int
    #: The source's time, aware UTC, cut to the microsecond; None where it gave none.
    timestamp: datetime | None
    #: The same in nanoseconds since 1970 UTC.
    timestamp_ns: int | None
    #: The statuses of MXAccess, in its order; the first decides.
    statuses: tuple[MxStatusProxy, ...]
    #: Whether it is the last data change of an advised item, rather than read for this call.
    was_cached: bool
    #: Why the value is not good; empty where it is.
    error: str
    #: The contract's message, which has what ``value`` cannot show.
    raw: BulkReadResult = field(repr=False, compare=False)

    def __bool__(self) -> bool:
        return not self.error

    def __str__(self) -> str:
        if self.error:
            return f"{self.tag}: {self.error}"
        return f"{self.tag} = {self.value!r}" + (f" at {self.timestamp}" if self.timestamp else "")

    @property
    def is_good(self) -> bool:
        """Whether the value may be used."""
        return not self.error


def reading_of(tag: str, raw: BulkReadResult) -> Reading:
    """The result of reading ``tag``."""
    error = ""
    value: MxValueOutput = None
    timestamp: datetime | None = None
    try:
        value, timestamp = from_mx_value(raw.value), _time(raw.source_timestamp)
    except MxGatewayValueError as problem:
        error = str(problem)
    if not raw.was_successful:
        error = raw.error_message or "the gateway could not read it and does not say why"
    elif raw.statuses and is_failure(raw.statuses[0]):
        error = describe_status(raw.statuses[0])
    elif not error and not is_good_quality(raw.quality):
        error = describe_quality(raw.quality)
    time = raw.source_timestamp
    # In the order of the fields: nine keywords take a quarter of the time of all this.
    return Reading(
        tag,
        value,
        raw.quality,
        timestamp,
        None if time is None else time.to_nanoseconds(),
        tuple(raw.statuses),
        raw.was_cached,
        error,
        raw,
    )
