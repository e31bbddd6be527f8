"""What type checkers say about the public surface, one line for each kind of call. Never run.

Lines that are wrong on purpose carry an ignore for both checkers, which complain when it is not
needed.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Sequence
from datetime import datetime, timedelta, timezone
from typing import assert_type

import numpy as np

from zb_mom_ww_mxgateway import (
    AcknowledgeAlarmReply,
    ActiveAlarmSnapshot,
    AlarmFeedMessage,
    BrowseNode,
    BufferedDataChange,
    BulkReadResult,
    BulkWriteResult,
    ClientOptions,
    CloseSessionReply,
    CloseSessionRequest,
    DataChange,
    DeployEvent,
    Event,
    EventGap,
    GalaxyObject,
    GalaxyRepositoryClient,
    GatewayClient,
    MxAccessError,
    MxAccessWriteError,
    MxArrayOutput,
    MxCommand,
    MxCommandReply,
    MxCommandRequest,
    MxDataType,
    MxEvent,
    MxEventFamily,
    MxGatewayTransportError,
    MxStatusProxy,
    MxValue,
    MxValueOutput,
    Reading,
    Sample,
    Session,
    SessionState,
    SparseArray,
    Stream,
    StreamEventsRequest,
    SubscribeResult,
    WriteBulkEntry,
    WriteComplete,
    from_mx_array,
    from_mx_value,
    sync,
    to_mx_value,
)

NOW = datetime.now(timezone.utc)


async def connecting(key: Callable[[], str]) -> None:
    async with await GatewayClient.connect(
        endpoint="localhost:5000", api_key="key", plaintext=True
    ) as client:
        assert_type(client, GatewayClient)
    assert_type(await GatewayClient.connect("localhost:5000", api_key=key), GatewayClient)
    options = ClientOptions(endpoint="localhost:5000", call_timeout=5)
    assert_type(await GatewayClient.from_options(options), GatewayClient)
    assert_type(
        await GalaxyRepositoryClient.connect(endpoint="localhost:5000", ca_file="ca.pem"),
        GalaxyRepositoryClient,
    )
    await GatewayClient.connect("localhost:5000", plaintxt=True)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    await GatewayClient.connect("localhost:5000", api_key=5)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


async def client_calls(client: GatewayClient) -> None:
    async with await client.open_session(command_timeout=timedelta(seconds=5)) as session:
        assert_type(session, Session)
    assert_type(client.session("session-1"), Session)
    assert_type(await client.invoke_raw(MxCommandRequest()), MxCommandReply)
    assert_type(await client.close_session_raw(CloseSessionRequest()), CloseSessionReply)
    assert_type(client.stream_events("session-1"), Stream[Event])
    assert_type(client.stream_events_raw(StreamEventsRequest()), Stream[MxEvent])
    assert_type(client.stream_alarms("Galaxy!"), Stream[AlarmFeedMessage])
    async for alarm in client.query_active_alarms():
        assert_type(alarm, ActiveAlarmSnapshot)
    assert_type(await client.acknowledge_alarm("a", "comment", "joe"), AcknowledgeAlarmReply)


async def commands(session: Session) -> None:
    assert_type(await session.register("name"), int)
    assert_type(await session.add_item(1, "Tag.A"), int)
    assert_type(await session.advise(1, 2), None)
    assert_type(await session.write(1, 2, 5), None)
    await session.write2(1, 2, [1.5], NOW, user_id=3)
    await session.write_secured(1, 2, 3, 4, "text")
    assert_type(await session.get_session_state(), SessionState)
    assert_type(await session.suspend(1, 2), MxStatusProxy | None)
    assert_type(await session.subscribe_bulk(1, ("Tag.A",)), list[SubscribeResult])
    entry = WriteBulkEntry(item_handle=2, value=to_mx_value(5))
    assert_type(await session.write_bulk(1, [entry]), list[BulkWriteResult])
    assert_type(await session.read_bulk(1, ["Tag.A"], timeout_ms=5), list[BulkReadResult])
    assert_type(await session.drain_events(), list[MxEvent])
    assert_type(await session.invoke(MxCommand()), MxCommandReply)
    await session.write(1, 2, {1})  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    await session.write(1, 2)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    await session.register()  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    await session.write_bulk(1, [5])  # type: ignore[list-item]  # pyright: ignore[reportArgumentType]


async def tags(session: Session) -> None:
    reading = await session.read("Tag.A", timeout=5)
    assert_type(reading, Reading)
    assert_type(reading.value, MxValueOutput)
    assert_type(reading.timestamp, datetime | None)
    assert_type(reading.timestamp_ns, int | None)
    assert_type(reading.error, str)
    assert_type(await session.read_many(f"Tag.{n}" for n in range(3)), list[Reading])
    assert_type(await session.write_and_wait("Tag.A", 5, timestamp=NOW), WriteComplete)
    assert_type(await session.write_item_and_wait(1, 2, "a", users=(1, 2)), WriteComplete)
    await session.write_array_elements(1, 2, {0: 1.5}, length=3, data_type=MxDataType.FLOAT)
    await session.read_many(5)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


async def events(session: Session) -> None:
    async with session.stream_events(after_worker_sequence=5) as stream:
        assert_type(stream, Stream[Event])
        assert_type(await anext(stream), Event)
        async for event in stream:
            assert_type(event.family, MxEventFamily)
            assert_type(event.value, MxValueOutput)
            assert_type(event.statuses, Sequence[MxStatusProxy])
            assert_type(event.is_good, bool)
            match event:
                case DataChange():
                    assert_type(event, DataChange)
                case BufferedDataChange():
                    assert_type(event.samples, list[Sample])
                case EventGap():
                    assert_type(event.oldest_available_sequence, int)
                case _:
                    assert_type(event.raw, MxEvent)


async def galaxy_calls(galaxy: GalaxyRepositoryClient) -> None:
    assert_type(await galaxy.test_connection(), bool)
    assert_type(await galaxy.get_last_deploy_time(), datetime | None)
    assert_type(await galaxy.discover_hierarchy(tag_name_glob="*", max_depth=1), list[GalaxyObject])
    assert_type(galaxy.iter_hierarchy(category_ids=[10]), AsyncGenerator[GalaxyObject, None])
    assert_type(galaxy.watch_deploy_events(last_seen_deploy_time=NOW), Stream[DeployEvent])
    for node in await galaxy.browse():
        assert_type(node, BrowseNode)
        assert_type(await node.children(), tuple[BrowseNode, ...])
    await galaxy.discover_hierarchy(tag_glob="*")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]


def values(mx: MxValue) -> None:
    assert_type(to_mx_value(5), MxValue)
    to_mx_value(None, data_type=MxDataType.FLOAT)
    to_mx_value([1, 2])
    to_mx_value((True, False))
    to_mx_value([[1, 2], [3, 4]])
    to_mx_value(NOW)
    to_mx_value([timedelta(seconds=1)])
    to_mx_value(np.zeros(3))
    to_mx_value(np.float32(1.5))
    to_mx_value(SparseArray(3, {0: 1}))
    to_mx_value({1})  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    to_mx_value({"a": 1})  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    assert_type(from_mx_value(mx), MxValueOutput)
    if mx.array_value is not None:
        assert_type(from_mx_array(mx.array_value), MxArrayOutput)


def errors(error: Exception) -> None:
    if isinstance(error, MxAccessWriteError):
        assert_type(error.event, MxEvent)
    if isinstance(error, MxAccessError):
        assert_type(error.hresult, int | None)
        assert_type(error.hresult_hex, str)
        assert_type(error.statuses, Sequence[MxStatusProxy])
    if isinstance(error, MxGatewayTransportError):
        assert_type(error.transient, bool)


def blocking(key: Callable[[], str]) -> None:
    with sync.GatewayClient.connect("localhost:5000", api_key=key) as client:
        assert_type(client, sync.GatewayClient)
        with client.open_session(command_timeout=5) as session:
            assert_type(session, sync.Session)
            assert_type(session.register("name"), int)
            assert_type(session.read_bulk(1, ["Tag.A"]), list[BulkReadResult])
            assert_type(session.read("Tag.A", timeout=5), Reading)
            assert_type(session.write_and_wait("Tag.A", [1, 2]), WriteComplete)
            assert_type(session.invoke(MxCommand()), MxCommandReply)
            with session.stream_events() as stream:
                assert_type(stream, sync.Stream[Event])
                assert_type(stream.next(timeout=1), Event)
                for event in stream:
                    assert_type(event, Event)
            session.read(5)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
        assert_type(client.acknowledge_alarm("a"), AcknowledgeAlarmReply)
        assert_type(client.stream_alarms(), sync.Stream[AlarmFeedMessage])
    with sync.GalaxyRepositoryClient.connect("localhost:5000") as galaxy:
        assert_type(galaxy.discover_hierarchy(max_depth=1), list[GalaxyObject])
        assert_type(galaxy.iter_hierarchy(), sync.Stream[GalaxyObject])
        assert_type(galaxy.browse()[0].children(), tuple[sync.BrowseNode, ...])
        galaxy.discover_hierarchy(tag_glob="*")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
