"""A session against the simulator on a real socket: the main job, and what goes wrong."""

from __future__ import annotations

import asyncio

import pytest

from zb_mom_ww_mxgateway import (
    Event,
    GatewayClient,
    MxAccessError,
    MxCommand,
    MxCommandKind,
    MxEventFamily,
    MxGatewayArgumentError,
    MxGatewayAuthenticationError,
    MxGatewaySessionClosedError,
    MxGatewaySessionNotFoundError,
    MxGatewaySessionNotReadyError,
    MxGatewayValueError,
    ProtocolStatusCode,
    Session,
    SessionState,
    WriteBulkEntry,
    is_failure,
    to_mx_value,
)
from zb_mom_ww_mxgateway_contracts.mxaccess_gateway_v1 import AdviseCommand, RegisterCommand
from zb_mom_ww_mxgateway_sim import SimulatedGateway

TAG = "TestMachine_001.TestChangingInt"
TEXT = "TestMachine_001.MachineCode"


async def next_event(session: Session, family: MxEventFamily) -> Event:
    async with session.stream_events() as events, asyncio.timeout(5):
        async for event in events:
            if event.family == family:
                return event
    raise AssertionError("the stream ended")


async def test_the_main_job_subscribe_watch_write_and_read_back(session: Session) -> None:
    server = await session.register("tests")
    tags = [f"TestMachine_{number:03}.TestChangingInt" for number in range(1, 6)]
    subscribed = await session.subscribe_bulk(server, tags)
    assert [result.tag_address for result in subscribed] == tags
    assert all(result.was_successful for result in subscribed)

    entries = [
        WriteBulkEntry(item_handle=result.item_handle, value=to_mx_value(1000))
        for result in subscribed[:2]
    ]
    waiting = {entry.item_handle for entry in entries}
    values: dict[int, set[object]] = {}
    async with session.stream_events() as events, asyncio.timeout(10):
        assert all(result.was_successful for result in await session.write_bulk(server, entries))
        async for event in events:
            if event.family == MxEventFamily.ON_DATA_CHANGE:
                values.setdefault(event.item_handle, set()).add(event.value)
            if event.family == MxEventFamily.ON_WRITE_COMPLETE:
                assert not any(is_failure(status) for status in event.statuses)
                waiting.discard(event.item_handle)
            if not waiting and len(values) == 5 and all(len(v) > 1 for v in values.values()):
                break

    read = await session.read_bulk(server, [*tags, TEXT])
    assert [result.tag_address for result in read] == [*tags, TEXT]
    assert [result.was_cached for result in read] == [True] * 5 + [False]
    assert all(result.was_successful and result.quality == 192 for result in read)


async def test_a_wrong_key_is_refused_without_showing_it(gateway: SimulatedGateway) -> None:
    async with await GatewayClient.connect(
        gateway.endpoint, api_key="mxgw_other_topsecret", plaintext=True
    ) as client:
        with pytest.raises(MxGatewayAuthenticationError, match="check the API key") as caught:
            await client.open_session()
    assert f"OpenSession at {gateway.endpoint}" in str(caught.value)
    assert "topsecret" not in f"{caught.value!r}{caught.value.__cause__!r}{client!r}"


async def test_a_closed_session_takes_no_commands(session: Session) -> None:
    await session.close()
    with pytest.raises(
        MxGatewaySessionClosedError, match=r"register\(client_name='late'\)"
    ) as caught:
        await session.register("late")
    assert "open a new one" in str(caught.value)
    assert caught.value.session_id == session.session_id


async def test_a_session_that_the_gateway_does_not_know_is_not_found(client: GatewayClient) -> None:
    unknown = client.session("session-" + "0" * 32)
    with pytest.raises(MxGatewaySessionNotFoundError, match="open a new session") as caught:
        await unknown.ping()
    assert caught.value.session_id == unknown.session_id
    with pytest.raises(MxGatewaySessionNotFoundError):
        await anext(unknown.stream_events())
    await unknown.close()


async def test_an_unknown_item_handle_is_an_mxaccess_error_with_everything_kept(
    session: Session,
) -> None:
    server = await session.register("tests")
    with pytest.raises(MxAccessError) as caught:
        await session.advise(server, 4711)
    error = caught.value
    assert f"advise(server_handle={server}, item_handle=4711) in {session.session_id}" in str(error)
    assert "0x80070057" in str(error)
    assert (error.hresult, error.hresult_hex) == (-2147024809, "0x80070057")
    assert error.statuses
    assert error.reply.protocol_status is not None
    assert error.reply.protocol_status.code == ProtocolStatusCode.MXACCESS_FAILURE


async def test_raw_calls_leave_mxaccess_failures_in_the_reply(session: Session) -> None:
    advise = AdviseCommand(server_handle=1, item_handle=4711)
    command = MxCommand(kind=MxCommandKind.ADVISE, advise=advise)
    reply = await session.invoke_raw(command, correlation_id="mine")
    assert reply.protocol_status is not None
    assert reply.protocol_status.code == ProtocolStatusCode.MXACCESS_FAILURE
    assert reply.hresult == -2147024809
    assert reply.correlation_id == "mine"


async def test_correlation_ids_are_made_up_and_unique_when_not_given(session: Session) -> None:
    command = MxCommand(kind=MxCommandKind.REGISTER, register=RegisterCommand(client_name="a"))
    ids = {(await session.invoke(command)).correlation_id for _ in range(5)}
    assert len(ids) == 5
    assert all(ids)


async def test_a_kind_that_does_not_match_its_payload_is_refused(session: Session) -> None:
    command = MxCommand(kind=MxCommandKind.WRITE, register=RegisterCommand(client_name="a"))
    with pytest.raises(MxGatewayArgumentError, match="write without its payload") as caught:
        await session.invoke(command)
    assert session.session_id in str(caught.value)


async def test_a_nan_is_refused_before_anything_is_sent(session: Session) -> None:
    server = await session.register("tests")
    item = await session.add_item(server, TAG)
    await session.advise(server, item)
    with pytest.raises(MxGatewayValueError, match="NaN"):
        await session.write(server, item, float("nan"))


async def test_a_bare_string_is_no_list_of_tags(session: Session) -> None:
    with pytest.raises(MxGatewayArgumentError, match=r"tag_addresses: expected list, got str"):
        await session.add_item_bulk(1, "TestMachine_001.TestChangingInt")


async def test_a_password_of_the_wrong_type_is_not_shown(session: Session) -> None:
    with pytest.raises(MxGatewayArgumentError) as caught:
        await session.authenticate_user(1, "operator", b"topsecret")  # type: ignore[arg-type]
    assert "topsecret" not in f"{caught.value}{caught.value.__cause__}"
    assert "AuthenticateUserCommand.password: expected str, got bytes" in str(caught.value)


async def test_an_unknown_user_is_an_mxaccess_error_that_names_the_guid(session: Session) -> None:
    server = await session.register("tests")
    with pytest.raises(MxAccessError, match="00000000-0000-0000-0000-000000000000"):
        await session.archestra_user_to_id(server, "00000000-0000-0000-0000-000000000000")


async def test_sequences_are_contiguous_from_one(session: Session) -> None:
    server = await session.register("tests")
    await session.subscribe_bulk(server, [TAG])
    seen: list[int] = []
    async with session.stream_events() as events:
        async for event in events:
            seen.append(event.worker_sequence)
            if len(seen) == 20:
                break
    assert seen == list(range(1, 21))


async def test_closing_a_stream_lets_another_attach_and_resume(session: Session) -> None:
    server = await session.register("tests")
    await session.subscribe_bulk(server, [TAG])
    first = await next_event(session, MxEventFamily.ON_DATA_CHANGE)
    await asyncio.sleep(0.2)
    async with session.stream_events(after_worker_sequence=first.worker_sequence) as events:
        assert (await anext(events)).worker_sequence == first.worker_sequence + 1


async def test_close_is_one_for_all_who_call_it(session: Session) -> None:
    await asyncio.gather(*(session.close() for _ in range(10)))
    await session.close()
    assert session.closed


async def test_a_cancelled_close_still_closes(client: GatewayClient) -> None:
    session = await client.open_session()
    closing = asyncio.create_task(session.close())
    await asyncio.sleep(0)
    closing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await closing
    await session.close()
    with pytest.raises(MxGatewaySessionNotReadyError, match="CLOSED"):
        await client.session(session.session_id).ping()


async def test_the_first_error_is_the_one_to_see(client: GatewayClient) -> None:
    async def fail_twice() -> None:
        async with await client.open_session():
            await client.close()
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError) as caught:
        await fail_twice()
    assert any("closing session-" in note for note in caught.value.__notes__)


async def test_nothing_is_left_when_client_and_gateway_are_closed() -> None:
    before = asyncio.all_tasks()
    async with (
        SimulatedGateway(change_interval=0.05) as gateway,
        await GatewayClient.connect(
            gateway.endpoint, api_key=gateway.api_key, plaintext=True
        ) as client,
        await client.open_session() as session,
    ):
        server = await session.register("tests")
        await session.subscribe_bulk(server, [TAG])
        await next_event(session, MxEventFamily.ON_DATA_CHANGE)
        assert await session.get_session_state() == SessionState.READY
    await asyncio.sleep(0.05)
    assert asyncio.all_tasks() == before
