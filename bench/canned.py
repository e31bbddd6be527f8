"""The messages that workers decode and the server answers with, made with this SDK."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from pathlib import Path

from zb_mom_ww_mxgateway import to_mx_value
from zb_mom_ww_mxgateway_contracts.galaxy_repository_v1 import (
    DiscoverHierarchyReply,
    GalaxyAttribute,
    GalaxyObject,
)
from zb_mom_ww_mxgateway_contracts.google_protobuf import Timestamp
from zb_mom_ww_mxgateway_contracts.mxaccess_gateway_v1 import (
    BulkReadReply,
    BulkReadResult,
    BulkSubscribeReply,
    BulkWriteReply,
    BulkWriteResult,
    MxCommandKind,
    MxCommandReply,
    MxEvent,
    MxEventFamily,
    MxStatusCategory,
    MxStatusProxy,
    MxStatusSource,
    OnDataChangeEvent,
    ProtocolStatus,
    ProtocolStatusCode,
    SubscribeResult,
)
from zb_mom_ww_mxgateway_wire.message import Message

from .environments import CACHE
from .peers import native

#: Entries of the bulk calls, and events of a stream.
BULK_SIZES = (6, 100, 1_000, 10_000)
STREAM_EVENTS = 2_000
SUBSCRIBED = 10_000


def _moment(offset: int = 0) -> Timestamp:
    """A time in whole microseconds, which is as exact as all peers are."""
    seconds, nanos = native.MOMENT
    return Timestamp(seconds=seconds + offset, nanos=nanos)


def _status() -> MxStatusProxy:
    return MxStatusProxy(
        success=-1, category=MxStatusCategory.OK, detected_by=MxStatusSource.RESPONDING_LMX
    )


def bulk_read_reply(count: int) -> BulkReadReply:
    """Each result: tag, handles, value, quality, time and one status."""
    return BulkReadReply(
        results=[
            BulkReadResult(
                server_handle=native.SERVER_HANDLE,
                tag_address=native.tag(number),
                item_handle=number,
                was_successful=True,
                was_cached=True,
                value=to_mx_value(native.value(number)),
                quality=192,
                source_timestamp=_moment(number),
                statuses=[_status()],
            )
            for number in range(1, count + 1)
        ]
    )


def bulk_write_reply(count: int) -> BulkWriteReply:
    """Each result: handles and an HRESULT of 0, as accepted writes have."""
    return BulkWriteReply(
        results=[
            BulkWriteResult(
                server_handle=native.SERVER_HANDLE,
                item_handle=number,
                was_successful=True,
                hresult=0,
            )
            for number in range(1, count + 1)
        ]
    )


def bulk_subscribe_reply(count: int) -> BulkSubscribeReply:
    """Each result: tag and handles."""
    return BulkSubscribeReply(
        results=[
            SubscribeResult(
                server_handle=native.SERVER_HANDLE,
                tag_address=native.tag(number),
                item_handle=number,
                was_successful=True,
            )
            for number in range(1, count + 1)
        ]
    )


def event(number: int, session_id: str) -> MxEvent:
    """A data change with all that a gateway says of one."""
    return MxEvent(
        family=MxEventFamily.ON_DATA_CHANGE,
        session_id=session_id,
        server_handle=native.SERVER_HANDLE,
        item_handle=number,
        value=to_mx_value(native.value(number)),
        quality=192,
        source_timestamp=_moment(number),
        statuses=[_status()],
        worker_sequence=number,
        worker_timestamp=_moment(number),
        gateway_receive_timestamp=_moment(number),
        on_data_change=OnDataChangeEvent(),
    )


def hierarchy(objects: int, attributes: int) -> DiscoverHierarchyReply:
    """A page of objects that all have attributes."""
    return DiscoverHierarchyReply(
        objects=[
            GalaxyObject(
                gobject_id=number,
                tag_name=f"TestMachine_{number:05}",
                browse_name=f"TestMachine_{number:05}",
                parent_gobject_id=1,
                category_id=10,
                hosted_by_gobject_id=2,
                template_chain=["$TestMachine", "$UserDefined"],
                attributes=[
                    GalaxyAttribute(
                        attribute_name=f"Attribute{each}",
                        full_tag_reference=f"TestMachine_{number:05}.Attribute{each}",
                        mx_data_type=2,
                        data_type_name="Integer",
                        mx_attribute_category=10,
                        security_classification=1,
                        is_historized=each == 1,
                    )
                    for each in range(1, attributes + 1)
                ],
            )
            for number in range(1, objects + 1)
        ],
        next_page_token="next",
        total_object_count=10 * objects,
    )


def reply(kind: MxCommandKind) -> MxCommandReply:
    """An OK without a payload."""
    return MxCommandReply(
        session_id="session",
        correlation_id="correlation",
        kind=kind,
        protocol_status=ProtocolStatus(code=ProtocolStatusCode.OK),
        hresult=0,
    )


def _replies() -> dict[str, Iterable[Message]]:
    """What the server answers, by session."""
    made: dict[str, Iterable[Message]] = {"ping": [reply(MxCommandKind.PING)]}
    for count in BULK_SIZES:
        read, written = reply(MxCommandKind.READ_BULK), reply(MxCommandKind.WRITE_BULK)
        read.read_bulk = bulk_read_reply(count)
        written.write_bulk = bulk_write_reply(count)
        made[f"read_bulk-{count}"], made[f"write_bulk-{count}"] = [read], [written]
    subscribed = reply(MxCommandKind.SUBSCRIBE_BULK)
    subscribed.subscribe_bulk = bulk_subscribe_reply(SUBSCRIBED)
    made[f"subscribe_bulk-{SUBSCRIBED}"] = [subscribed]
    for count in (STREAM_EVENTS, SUBSCRIBED):
        session = f"events-{count}"
        made[session] = [event(number, session) for number in range(1, count + 1)]
    return made


def _framed(message: Message) -> bytes:
    data = bytes(message)
    return struct.pack(">BI", 0, len(data)) + data


def write_answers() -> Path:
    """Write what the server answers with, a file for each session, and return their folder."""
    folder = CACHE / "answers"
    folder.mkdir(parents=True, exist_ok=True)
    for session, messages in _replies().items():
        (folder / session).write_bytes(b"".join(map(_framed, messages)))
    return folder


def messages(*, results: int = 1_000, objects: int = 100) -> dict[str, Message]:
    """What the codecs decode, by the name of the case."""
    return {
        "bulk_read_reply": bulk_read_reply(results),
        "mx_event": event(7, "session"),
        "hierarchy": hierarchy(objects, 10),
        "ping_reply": reply(MxCommandKind.PING),
    }


def write_messages() -> Path:
    """Write what the codecs decode, a file for each message, and return their folder."""
    folder = CACHE / "messages"
    folder.mkdir(parents=True, exist_ok=True)
    for name, message in messages().items():
        (folder / name).write_bytes(bytes(message))
    return folder
