"""betterproto and betterproto2 with the classes of their own generators: the codec alone.

``python -m bench.peers.betterproto NAME`` with the name of one of the two.
"""

from __future__ import annotations

import platform
import sys
from datetime import datetime, timedelta, timezone
from importlib import import_module
from importlib.metadata import version
from typing import Any

from . import loop, native
from .reading import hierarchy, ping_reply, statuses


class Peer:
    """One of the two libraries, whose names are mostly the same."""

    def __init__(self, name: str) -> None:
        self._library = import_module(name)
        self._mx = import_module(f"{name}_contract.mxaccess_gateway.v1")
        self._galaxy = import_module(f"{name}_contract.galaxy_repository.v1")
        # A method of instances in one, of classes in the other; both take an instance's.
        self._parses_new = name == "betterproto"
        seconds, nanos = native.MOMENT
        self._moment = datetime.fromtimestamp(seconds, timezone.utc) + timedelta(
            microseconds=nanos // 1000
        )

    def _parse(self, cls: Any, data: bytes) -> Any:
        return cls().parse(data) if self._parses_new else cls.parse(data)

    def _value(self, value: Any) -> object:
        return self._library.which_one_of(value, "kind")[1]

    def _result(self, result: Any) -> object:
        return (
            result.server_handle,
            result.tag_address,
            result.item_handle,
            result.was_successful,
            result.was_cached,
            self._value(result.value),
            result.quality,
            result.source_timestamp,
            statuses(result.statuses),
            result.error_message,
        )

    def bulk_read_reply(self, data: bytes) -> object:
        return [self._result(each) for each in self._parse(self._mx.BulkReadReply, data).results]

    def event(self, data: bytes) -> object:
        event = self._parse(self._mx.MxEvent, data)
        return (
            event.family,
            event.session_id,
            event.server_handle,
            event.item_handle,
            self._value(event.value),
            event.quality,
            event.source_timestamp,
            statuses(event.statuses),
            event.worker_sequence,
            event.worker_timestamp,
            event.gateway_receive_timestamp,
        )

    def hierarchy(self, data: bytes) -> object:
        return hierarchy(self._parse(self._galaxy.DiscoverHierarchyReply, data))

    def ping_reply(self, data: bytes) -> object:
        return ping_reply(self._parse(self._mx.MxCommandReply, data))

    def _mx_value(self, value: native.Value) -> Any:
        mx = self._mx
        if isinstance(value, bool):
            return mx.MxValue(
                data_type=mx.MxDataType.BOOLEAN, variant_type="VT_BOOL", bool_value=value
            )
        if isinstance(value, int):
            return mx.MxValue(
                data_type=mx.MxDataType.INTEGER, variant_type="VT_I4", int32_value=value
            )
        if isinstance(value, float):
            return mx.MxValue(
                data_type=mx.MxDataType.DOUBLE, variant_type="VT_R8", double_value=value
            )
        return mx.MxValue(
            data_type=mx.MxDataType.STRING, variant_type="VT_BSTR", string_value=value
        )

    def _encoded(self, command: Any) -> bytes:
        return bytes(
            self._mx.MxCommandRequest(
                session_id="session", client_correlation_id="correlation", command=command
            )
        )

    def write_bulk(self, writes: list[native.Write]) -> bytes:
        mx = self._mx
        entries = [
            mx.WriteBulkEntry(item_handle=handle, value=self._mx_value(value))
            for handle, value in writes
        ]
        payload = mx.WriteBulkCommand(server_handle=native.SERVER_HANDLE, entries=entries)
        return self._encoded(mx.MxCommand(kind=mx.MxCommandKind.WRITE_BULK, write_bulk=payload))

    def ping(self) -> bytes:
        mx = self._mx
        payload = mx.PingCommand(message=native.PING)
        return self._encoded(mx.MxCommand(kind=mx.MxCommandKind.PING, ping=payload))

    def mx_event(self) -> bytes:
        mx = self._mx
        status = mx.MxStatusProxy(
            success=-1,
            category=mx.MxStatusCategory.OK,
            detected_by=mx.MxStatusSource.RESPONDING_LMX,
        )
        return bytes(
            mx.MxEvent(
                family=mx.MxEventFamily.ON_DATA_CHANGE,
                session_id="session",
                server_handle=native.SERVER_HANDLE,
                item_handle=7,
                value=self._mx_value(native.value(7)),
                quality=192,
                source_timestamp=self._moment,
                statuses=[status],
                worker_sequence=1,
                worker_timestamp=self._moment,
                gateway_receive_timestamp=self._moment,
                on_data_change=mx.OnDataChangeEvent(),
            )
        )


def main(name: str) -> None:
    """Serve the cases of one of the two."""
    peer = Peer(name)
    writes = native.writes(1_000)
    loop.serve(
        {"python": platform.python_version(), "versions": {name: version(name)}},
        loop.codec(
            {
                "bulk_read_reply": peer.bulk_read_reply,
                "mx_event": peer.event,
                "hierarchy": peer.hierarchy,
                "ping_reply": peer.ping_reply,
            },
            {
                "write_bulk": lambda: peer.write_bulk(writes),
                "mx_event": peer.mx_event,
                "ping": peer.ping,
            },
        ),
    )


if __name__ == "__main__":
    main(sys.argv[1])
