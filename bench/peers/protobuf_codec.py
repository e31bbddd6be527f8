"""google.protobuf with the modules that protoc generates: bytes to native values, and back."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import Any, Final

from . import native
from .reading import hierarchy, ping_reply, statuses

# Modules that protoc makes where this runs: no type checker sees them.
galaxy: Any = import_module("galaxy_repository_pb2")
pb: Any = import_module("mxaccess_gateway_pb2")


def value(value: Any) -> object:
    kind = value.WhichOneof("kind")
    return None if kind is None else getattr(value, kind)


def _time(message: Any, field: str) -> object:
    if not message.HasField(field):
        return None
    timestamp = getattr(message, field)
    return timestamp.seconds, timestamp.nanos


def result(result: Any) -> object:
    return (
        result.server_handle,
        result.tag_address,
        result.item_handle,
        result.was_successful,
        result.was_cached,
        value(result.value),
        result.quality,
        _time(result, "source_timestamp"),
        statuses(result.statuses),
        result.error_message,
    )


def written(result: Any) -> object:
    return (
        result.server_handle,
        result.item_handle,
        result.was_successful,
        result.hresult if result.HasField("hresult") else None,
        statuses(result.statuses),
        result.error_message,
    )


def _event(event: Any) -> object:
    return (
        event.family,
        event.session_id,
        event.server_handle,
        event.item_handle,
        value(event.value),
        event.quality,
        _time(event, "source_timestamp"),
        statuses(event.statuses),
        event.worker_sequence,
        _time(event, "worker_timestamp"),
        _time(event, "gateway_receive_timestamp"),
    )


def _hierarchy(data: bytes) -> object:
    return hierarchy(galaxy.DiscoverHierarchyReply.FromString(data))


def _ping_reply(data: bytes) -> object:
    return ping_reply(pb.MxCommandReply.FromString(data))


def _bulk_read_reply(data: bytes) -> object:
    return [result(each) for each in pb.BulkReadReply.FromString(data).results]


def _mx_value(value: native.Value) -> Any:
    if isinstance(value, bool):
        return pb.MxValue(
            data_type=pb.MX_DATA_TYPE_BOOLEAN, variant_type="VT_BOOL", bool_value=value
        )
    if isinstance(value, int):
        return pb.MxValue(
            data_type=pb.MX_DATA_TYPE_INTEGER, variant_type="VT_I4", int32_value=value
        )
    if isinstance(value, float):
        return pb.MxValue(
            data_type=pb.MX_DATA_TYPE_DOUBLE, variant_type="VT_R8", double_value=value
        )
    return pb.MxValue(data_type=pb.MX_DATA_TYPE_STRING, variant_type="VT_BSTR", string_value=value)


def request(session: str, correlation: str, command: Any) -> Any:
    return pb.MxCommandRequest(
        session_id=session, client_correlation_id=correlation, command=command
    )


def write_bulk(writes: Sequence[native.Write]) -> Any:
    return pb.MxCommand(
        kind=pb.MX_COMMAND_KIND_WRITE_BULK,
        write_bulk=pb.WriteBulkCommand(
            server_handle=native.SERVER_HANDLE,
            entries=[
                pb.WriteBulkEntry(item_handle=handle, value=_mx_value(value))
                for handle, value in writes
            ],
        ),
    )


def ping() -> Any:
    return pb.MxCommand(kind=pb.MX_COMMAND_KIND_PING, ping=pb.PingCommand(message=native.PING))


def read_bulk(tags: Sequence[str]) -> Any:
    return pb.MxCommand(
        kind=pb.MX_COMMAND_KIND_READ_BULK,
        read_bulk=pb.ReadBulkCommand(server_handle=native.SERVER_HANDLE, tag_addresses=tags),
    )


def _encoded(command: Any) -> bytes:
    encoded: bytes = request("session", "correlation", command).SerializeToString()
    return encoded


def _mx_event() -> bytes:
    seconds, nanos = native.MOMENT
    encoded: bytes = pb.MxEvent(
        family=pb.MX_EVENT_FAMILY_ON_DATA_CHANGE,
        session_id="session",
        server_handle=native.SERVER_HANDLE,
        item_handle=7,
        value=_mx_value(native.value(7)),
        quality=192,
        source_timestamp={"seconds": seconds, "nanos": nanos},
        statuses=[
            pb.MxStatusProxy(
                success=-1,
                category=pb.MX_STATUS_CATEGORY_OK,
                detected_by=pb.MX_STATUS_SOURCE_RESPONDING_LMX,
            )
        ],
        worker_sequence=1,
        worker_timestamp={"seconds": seconds, "nanos": nanos},
        gateway_receive_timestamp={"seconds": seconds, "nanos": nanos},
        on_data_change=pb.OnDataChangeEvent(),
    ).SerializeToString()
    return encoded


_WRITES: Final = native.writes(1_000)

#: By message.
DECODE: Final[Mapping[str, Callable[[bytes], object]]] = {
    "bulk_read_reply": _bulk_read_reply,
    "mx_event": lambda data: _event(pb.MxEvent.FromString(data)),
    "hierarchy": _hierarchy,
    "ping_reply": _ping_reply,
}
ENCODE: Final[Mapping[str, Callable[[], bytes]]] = {
    "write_bulk": lambda: _encoded(write_bulk(_WRITES)),
    "mx_event": _mx_event,
    "ping": lambda: _encoded(ping()),
}
