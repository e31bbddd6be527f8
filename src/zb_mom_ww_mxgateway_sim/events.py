"""Making the events of a session; event_log.py numbers, keeps and hands them out."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby

from zb_mom_ww_mxgateway.values import to_mx_value
from zb_mom_ww_mxgateway_contracts.mxaccess_gateway_v1 import (
    AlarmProviderStatus,
    MxDataType,
    MxEvent,
    MxEventFamily,
    MxStatusProxy,
    OnAlarmProviderModeChangedEvent,
    OnAlarmTransitionEvent,
    OnBufferedDataChangeEvent,
    OnDataChangeEvent,
    OnWriteCompleteEvent,
)

from .galaxy.live import Reading
from .values import gathered, times


def data_change(server_handle: int, item_handle: int, reading: Reading) -> MxEvent:
    """An item has a new value, quality or status."""
    return MxEvent(
        family=MxEventFamily.ON_DATA_CHANGE,
        server_handle=server_handle,
        item_handle=item_handle,
        value=reading.value,
        quality=reading.quality,
        source_timestamp=reading.timestamp,
        statuses=[reading.status],
        on_data_change=OnDataChangeEvent(),
    )


def buffered_data_changes(
    server_handle: int, item_handle: int, readings: list[Reading]
) -> Iterator[MxEvent]:
    """What a buffered item has collected: values that follow each other in one event; D: a reading
    without a value, as that of an invalid reference, in an event of its own without arrays.
    """
    for data_type, group in groupby(readings, key=_data_type):
        if data_type is None:
            for reading in group:
                yield _buffered(server_handle, item_handle, reading, OnBufferedDataChangeEvent())
        else:
            batch = list(group)
            yield _buffered(server_handle, item_handle, batch[-1], _batch(batch))


def _data_type(reading: Reading) -> MxDataType | None:
    return None if reading.value is None else reading.value.data_type


def _buffered(
    server_handle: int, item_handle: int, last: Reading, body: OnBufferedDataChangeEvent
) -> MxEvent:
    """D: quality, time and statuses of the event are those of its last value."""
    return MxEvent(
        family=MxEventFamily.ON_BUFFERED_DATA_CHANGE,
        server_handle=server_handle,
        item_handle=item_handle,
        quality=last.quality,
        source_timestamp=last.timestamp,
        statuses=[last.status],
        on_buffered_data_change=body,
    )


def _batch(readings: list[Reading]) -> OnBufferedDataChangeEvent:
    values = [reading.value for reading in readings if reading.value is not None]
    return OnBufferedDataChangeEvent(
        data_type=values[0].data_type,
        values=gathered(values),
        quality_values=to_mx_value([reading.quality for reading in readings]).array_value,
        timestamp_values=times([reading.timestamp for reading in readings]),
    )


def write_complete(server_handle: int, item_handle: int, status: MxStatusProxy) -> MxEvent:
    """An accepted write has succeeded or failed."""
    return MxEvent(
        family=MxEventFamily.ON_WRITE_COMPLETE,
        server_handle=server_handle,
        item_handle=item_handle,
        statuses=[status],
        on_write_complete=OnWriteCompleteEvent(),
    )


def alarm_news(news: OnAlarmTransitionEvent | AlarmProviderStatus) -> MxEvent:
    """An alarm has changed, or the source of alarms."""
    if isinstance(news, OnAlarmTransitionEvent):
        return MxEvent(
            family=MxEventFamily.ON_ALARM_TRANSITION,
            source_timestamp=news.transition_timestamp,
            on_alarm_transition=news,
        )
    return MxEvent(
        family=MxEventFamily.ON_ALARM_PROVIDER_MODE_CHANGED,
        source_timestamp=news.since,
        on_alarm_provider_mode_changed=OnAlarmProviderModeChangedEvent(
            mode=news.mode, reason=news.reason, since=news.since
        ),
    )
