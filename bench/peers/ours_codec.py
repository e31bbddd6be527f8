"""The codec of this SDK: bytes to native values, and back."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from zb_mom_ww_mxgateway import from_mx_value, to_mx_value
from zb_mom_ww_mxgateway_contracts.galaxy_repository_v1 import DiscoverHierarchyReply
from zb_mom_ww_mxgateway_contracts.google_protobuf import Timestamp
from zb_mom_ww_mxgateway_contracts.mxaccess_gateway_v1 import (
    BulkReadReply,
    BulkReadResult,
    BulkWriteResult,
    MxCommand,
    MxCommandKind,
    MxCommandReply,
    MxCommandRequest,
    MxEvent,
    MxEventFamily,
    MxStatusCategory,
    MxStatusProxy,
    MxStatusSource,
    OnDataChangeEvent,
    PingCommand,
    WriteBulkCommand,
    WriteBulkEntry,
)

from . import native
from .reading import hierarchy, ping_reply, statuses


def _time(timestamp: Timestamp | None) -> object:
    return None if timestamp is None else (timestamp.seconds, timestamp.nanos)


def result(result: BulkReadResult) -> object:
    return (
        result.server_handle,
        result.tag_address,
        result.item_handle,
        result.was_successful,
        result.was_cached,
        from_mx_value(result.value),
        result.quality,
        _time(result.source_timestamp),
        statuses(result.statuses),
        result.error_message,
    )


def written(result: BulkWriteResult) -> object:
    return (
        result.server_handle,
        result.item_handle,
        result.was_successful,
        result.hresult,
        statuses(result.statuses),
        result.error_message,
    )


def _event(event: MxEvent) -> object:
    return (
        event.family,
        event.session_id,
        event.server_handle,
        event.item_handle,
        from_mx_value(event.value),
        event.quality,
        _time(event.source_timestamp),
        statuses(event.statuses),
        event.worker_sequence,
        _time(event.worker_timestamp),
        _time(event.gateway_receive_timestamp),
    )


def _hierarchy(data: bytes) -> object:
    return hierarchy(DiscoverHierarchyReply.FromString(data))


def _ping_reply(data: bytes) -> object:
    return ping_reply(MxCommandReply.FromString(data))


def _bulk_read_reply(data: bytes) -> object:
    return [result(each) for each in BulkReadReply.FromString(data).results]


def entries(writes: Sequence[native.Write]) -> list[WriteBulkEntry]:
    return [
        WriteBulkEntry(item_handle=handle, value=to_mx_value(value)) for handle, value in writes
    ]


def _write_bulk_request(writes: Sequence[native.Write]) -> bytes:
    payload = WriteBulkCommand(server_handle=native.SERVER_HANDLE, entries=entries(writes))
    return bytes(
        MxCommandRequest(
            session_id="session",
            client_correlation_id="correlation",
            command=MxCommand(kind=MxCommandKind.WRITE_BULK, write_bulk=payload),
        )
    )


def _ping_request() -> bytes:
    return bytes(
        MxCommandRequest(
            session_id="session",
            client_correlation_id="correlation",
            command=MxCommand(kind=MxCommandKind.PING, ping=PingCommand(message=native.PING)),
        )
    )


def _mx_event() -> bytes:
    seconds, nanos = native.MOMENT
    status = MxStatusProxy(
        success=-1,
        category=MxStatusCategory.OK,
        detected_by=MxStatusSource.RESPONDING_LMX,
    )
    return bytes(
        MxEvent(
            family=MxEventFamily.ON_DATA_CHANGE,
            session_id="session",
            server_handle=native.SERVER_HANDLE,
            item_handle=7,
            value=to_mx_value(native.value(7)),
            quality=192,
            source_timestamp=Timestamp(seconds=seconds, nanos=nanos),
            statuses=[status],
            worker_sequence=1,
            worker_timestamp=Timestamp(seconds=seconds, nanos=nanos),
            gateway_receive_timestamp=Timestamp(seconds=seconds, nanos=nanos),
            on_data_change=OnDataChangeEvent(),
        )
    )


_WRITES: Final = native.writes(1_000)

#: By message.
DECODE: Final[Mapping[str, Callable[[bytes], object]]] = {
    "bulk_read_reply": _bulk_read_reply,
    "mx_event": lambda data: _event(MxEvent.FromString(data)),
    "hierarchy": _hierarchy,
    "ping_reply": _ping_reply,
}
ENCODE: Final[Mapping[str, Callable[[], bytes]]] = {
    "write_bulk": lambda: _write_bulk_request(_WRITES),
    "mx_event": _mx_event,
    "ping": _ping_request,
}
