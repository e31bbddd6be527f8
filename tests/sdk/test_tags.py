"""Reading and writing by tag, against the simulator: the order asked, no leaks, true outcomes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime, timezone

import pytest
from hypothesis import given, settings, strategies as st

from tests.sdk.conftest import session_of
from zb_mom_ww_mxgateway import (
    MAX_BULK_ITEMS,
    DataChange,
    GatewayClient,
    MxAccessError,
    MxAccessWriteError,
    MxDataType,
    MxGatewayArgumentError,
    MxGatewaySessionNotReadyError,
    MxGatewayTimeoutError,
    MxGatewayTransportError,
    MxGatewayValueError,
    Session,
    WriteComplete,
)
from zb_mom_ww_mxgateway_sim import SimulatedGateway
from zb_mom_ww_mxgateway_sim.session import Session as SimulatedSession

CODE = "TestMachine_001.MachineCode"
CHANGING = "TestMachine_001.TestChangingInt"
SECURED = "TestMachine_001.ProtectedValue"
ARRAY = "TestChildObject.TestStringArray[]"
NOWHERE = "TestMachine_001.NoSuchAttribute"


def items(gateway: SimulatedGateway, session: Session) -> list[str]:
    """What the gateway holds for a session."""
    return [
        item.definition
        for registration in simulated(gateway, session).handles
        for item in registration.items.values()
    ]


async def items_left(gateway: SimulatedGateway, session: Session) -> list[str]:
    """What the gateway holds for a session once what failed or was cancelled is cleared away."""
    async with asyncio.timeout(5):
        while session._chores:
            await asyncio.sleep(0.001)
    return items(gateway, session)


def simulated(gateway: SimulatedGateway, session: Session) -> SimulatedSession:
    return gateway._sessions._open[session.session_id]


@pytest.fixture
async def slow() -> AsyncIterator[SimulatedGateway]:
    """A gateway whose first values take as long as a test allows."""
    async with SimulatedGateway(first_value_delay=0.3) as running:
        yield running


async def test_readings_come_in_the_order_asked_and_failures_do_not_raise(session: Session) -> None:
    tags = [CODE, NOWHERE, CHANGING, CODE, ""]
    readings = await session.read_many(tags)
    assert [reading.tag for reading in readings] == tags
    assert [bool(reading) for reading in readings] == [True, False, True, True, False]
    assert readings[0].value == "M001"
    assert "invalid reference" in readings[1].error
    assert "reference is empty" in readings[4].error


@settings(max_examples=10)
@given(tags=st.lists(st.sampled_from([CODE, CHANGING, NOWHERE, ARRAY, SECURED]), max_size=12))
async def test_there_is_one_reading_for_each_tag_whatever_is_asked(tags: list[str]) -> None:
    async with session_of() as (gateway, session):
        assert [reading.tag for reading in await session.read_many(tags)] == tags
        assert items(gateway, session) == []


async def test_one_tag_reads_as_a_single_reading(session: Session) -> None:
    reading = await session.read(ARRAY)
    assert reading.value == [f"Item {number}" for number in range(1, 11)]
    assert reading.timestamp is not None
    assert not reading.was_cached


async def test_an_advised_tag_is_read_from_its_last_data_change(session: Session) -> None:
    server = await session.register("tests")
    await session.subscribe_bulk(server, [CODE])
    assert (await session.read(CODE)).was_cached


async def test_no_tags_need_no_command(session: Session, gateway: SimulatedGateway) -> None:
    assert await session.read_many([]) == []
    assert list(simulated(gateway, session).handles) == []


async def test_more_tags_than_a_command_takes_are_split(
    session: Session, gateway: SimulatedGateway
) -> None:
    tags = [CODE, CHANGING] * (MAX_BULK_ITEMS // 2) + [NOWHERE, CODE]
    readings = await session.read_many(tags)
    assert [reading.tag for reading in readings] == tags
    assert [bool(reading) for reading in readings[-3:]] == [True, False, True]
    assert len(list(simulated(gateway, session).handles)) == 1


async def test_a_bare_tag_is_no_list_of_tags(session: Session) -> None:
    with pytest.raises(MxGatewayArgumentError, match="several tags"):
        await session.read_many(CODE)


@pytest.mark.parametrize("timeout", [0, -1, 0.0001, 2**32 / 1000, float("nan"), float("inf")])
async def test_a_timeout_that_cannot_be_is_refused(session: Session, timeout: float) -> None:
    with pytest.raises(MxGatewayArgumentError, match="timeout"):
        await session.read(CODE, timeout=timeout)
    with pytest.raises(MxGatewayArgumentError, match="timeout"):
        await session.write_and_wait(CODE, "x", timeout=timeout)


async def test_a_value_that_does_not_come_in_time_is_a_failed_reading(
    slow: SimulatedGateway,
) -> None:
    async with session_of(slow) as (_, session):
        reading = await session.read(CODE, timeout=0.05)
        assert not reading
        assert "in time" in reading.error


async def test_a_read_may_wait_longer_than_a_call(slow: SimulatedGateway) -> None:
    async with session_of(slow, call_timeout=0.2) as (_, session):
        assert await session.read(CODE, timeout=10)


async def test_a_cancelled_read_leaves_no_item(slow: SimulatedGateway) -> None:
    async with session_of(slow) as (gateway, session):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await session.read_many([CODE, CHANGING])
        assert await session.read(CODE)
        assert items(gateway, session) == []


async def test_a_write_is_waited_for_and_leaves_no_item(
    session: Session, gateway: SimulatedGateway
) -> None:
    done = await session.write_and_wait(CODE, "M42")
    assert isinstance(done, WriteComplete)
    assert done.is_good
    assert items(gateway, session) == []
    assert (await session.read(CODE)).value == "M42"


async def test_a_write_may_say_the_time_to_store(session: Session) -> None:
    time = datetime(2026, 1, 31, 12, tzinfo=timezone.utc)
    await session.write_and_wait(CODE, "M42", timestamp=time)
    assert (await session.read(CODE)).timestamp == time


async def test_a_write_that_needs_users_fails_with_what_mxaccess_says(
    session: Session, gateway: SimulatedGateway
) -> None:
    with pytest.raises(MxAccessWriteError, match=r"1012 \(secured write required\)") as caught:
        await session.write_and_wait(SECURED, True)
    assert SECURED in str(caught.value)
    assert caught.value.statuses[0].detail == 1012
    assert (await session.read(SECURED)).value is False
    assert await items_left(gateway, session) == []


async def test_a_write_of_the_wrong_type_fails_without_showing_the_value(session: Session) -> None:
    with pytest.raises(MxAccessWriteError, match="CONFIGURATION_ERROR") as caught:
        await session.write_and_wait(CHANGING, "topsecret")
    assert "topsecret" not in str(caught.value)


async def test_a_write_to_what_does_not_exist_says_that_nothing_was_written(
    session: Session,
) -> None:
    with pytest.raises(MxAccessWriteError, match=r"nothing was written.*invalid reference"):
        await session.write_and_wait(NOWHERE, 1)


async def test_a_write_to_no_tag_is_refused_by_mxaccess(session: Session) -> None:
    with pytest.raises(MxAccessError, match="reference is empty"):
        await session.write_and_wait("", 1)


async def test_a_value_that_cannot_be_sent_adds_no_item(
    session: Session, gateway: SimulatedGateway
) -> None:
    with pytest.raises(MxGatewayValueError):
        await session.write_and_wait(CODE, float("nan"))
    assert list(simulated(gateway, session).handles) == []


async def test_a_tag_that_is_not_resolved_in_time_was_not_written(slow: SimulatedGateway) -> None:
    async with session_of(slow) as (gateway, session):
        with pytest.raises(MxGatewayTimeoutError, match=r"0\.05 s, so nothing was written"):
            await session.write_and_wait(CODE, "M42", timeout=0.05)
        assert await items_left(gateway, session) == []
        assert (await session.read(CODE)).value == "M001"


@pytest.mark.parametrize("after", [0.0, 0.001, 0.003, 0.005, 0.01, 0.05, 0.1, 0.31])
async def test_a_cancelled_write_leaves_no_item_and_no_task(
    slow: SimulatedGateway, after: float
) -> None:
    async with session_of(slow) as (gateway, session):
        await session.read(CODE)
        writing = asyncio.create_task(session.write_and_wait(CODE, "M42"))
        await asyncio.sleep(after)
        writing.cancel()
        await asyncio.wait([writing])
        assert await items_left(gateway, session) == []


async def test_writes_to_many_tags_at_once_have_each_its_own_outcome(session: Session) -> None:
    tags = [f"TestMachine_{number:03}.MachineCode" for number in range(1, 10)]
    outcomes = await asyncio.gather(
        *(session.write_and_wait(tag, tag) for tag in tags),
        session.write_and_wait(CHANGING, "no number"),
        return_exceptions=True,
    )
    assert [isinstance(outcome, WriteComplete) for outcome in outcomes] == [True] * 9 + [False]
    assert [reading.value for reading in await session.read_many(tags)] == tags


async def test_no_stream_shows_the_events_of_writes_by_tag(session: Session) -> None:
    server = await session.register("tests")
    [item] = await session.subscribe_bulk(server, [CODE])
    async with session.stream_events() as events:
        await session.write_and_wait(CODE, "A")
        await session.write_and_wait(CODE, "B")
        seen = [await anext(events) for _ in range(3)]
    assert {event.server_handle for event in seen} == {server}
    assert [event.value for event in seen] == ["M001", "A", "B"]
    assert all(isinstance(event, DataChange) for event in seen)
    assert {event.item_handle for event in seen} == {item.item_handle}


async def test_events_before_the_first_stream_are_kept_while_writes_read_them(
    session: Session,
) -> None:
    server = await session.register("tests")
    await session.subscribe_bulk(server, [CODE])
    await session.write_and_wait(CODE, "A")
    async with session.stream_events() as events:
        assert [(await anext(events)).value for _ in range(2)] == ["M001", "A"]


async def test_a_write_goes_on_when_the_stream_that_it_shares_is_left(
    slow: SimulatedGateway,
) -> None:
    async with session_of(slow) as (_, session):
        events = session.stream_events()
        async with events:
            writing = asyncio.create_task(session.write_and_wait(CODE, "M42"))
            await asyncio.sleep(0.1)
        assert (await writing).is_good


async def test_a_stream_can_resume_while_writes_have_read_on(session: Session) -> None:
    server = await session.register("tests")
    await session.subscribe_bulk(server, [CODE])
    async with session.stream_events() as events:
        first = await anext(events)
    await session.write_and_wait(CODE, "A")
    async with session.stream_events(after_worker_sequence=first.worker_sequence) as events:
        assert (await anext(events)).value == "A"


async def test_a_write_needs_the_stream_that_another_client_has(
    client: GatewayClient, session: Session
) -> None:
    other = client.session(session.session_id)
    await session.ping()
    async with other.stream_events() as events:
        writing = asyncio.create_task(session.write_and_wait(CODE, "M42"))
        waiting = asyncio.ensure_future(anext(events))
        with pytest.raises(MxGatewayTransportError, match="EventSubscriberAlreadyActive"):
            await writing
        waiting.cancel()


async def test_a_session_that_is_closed_at_the_gateway_ends_the_wait(
    slow: SimulatedGateway, client: GatewayClient
) -> None:
    async with session_of(slow) as (_, session):
        writing = asyncio.create_task(session.write_and_wait(CODE, "M42"))
        await asyncio.sleep(0.1)
        await session._client.session(session.session_id).close()
        with pytest.raises(MxGatewaySessionNotReadyError):
            await writing


async def test_an_advised_item_is_written_by_its_handle(session: Session) -> None:
    server = await session.register("tests")
    [item] = await session.subscribe_bulk(server, [CODE])
    await session.read(CODE)
    outcomes = await asyncio.gather(
        *(session.write_item_and_wait(server, item.item_handle, f"M{n}") for n in range(10))
    )
    sequences = [outcome.worker_sequence for outcome in outcomes]
    assert len(set(sequences)) == 10
    assert all(outcome.is_good for outcome in outcomes)


async def test_a_secured_write_names_its_users(session: Session) -> None:
    server = await session.register("tests")
    [item] = await session.subscribe_bulk(server, [SECURED])
    await session.read(SECURED)
    user = await session.authenticate_user(server, "operator", "secret")
    users = (user, user)
    time = datetime(2026, 1, 31, 12, tzinfo=timezone.utc)
    handle = item.item_handle
    assert (await session.write_item_and_wait(server, handle, True, users=users)).is_good
    assert (
        await session.write_item_and_wait(server, handle, True, users=users, timestamp=time)
    ).is_good
    reading = await session.read(SECURED)
    assert (reading.value, reading.timestamp) == (True, time)


async def test_an_outcome_that_does_not_come_in_time_says_that_it_is_unknown(
    slow: SimulatedGateway,
) -> None:
    async with session_of(slow) as (_, session):
        server = await session.register("tests")
        [item] = await session.subscribe_bulk(server, [CODE])
        with pytest.raises(MxAccessError, match="not resolved"):
            await session.write_item_and_wait(server, item.item_handle, "M42", timeout=0.2)


async def test_array_elements_become_a_sparse_array(session: Session) -> None:
    server = await session.register("tests")
    [item] = await session.subscribe_bulk(server, [ARRAY])
    await session.read(ARRAY)
    await session.write_array_elements(server, item.item_handle, {0: "a", 3: "d"}, length=4)
    async with session.stream_events() as events:
        async for event in events:
            if isinstance(event, WriteComplete):
                assert event.is_good
                break
    assert (await session.read(ARRAY)).value == ["a", "", "", "d"]


async def test_array_elements_outside_the_array_are_refused(session: Session) -> None:
    with pytest.raises(MxGatewayValueError):
        await session.write_array_elements(1, 1, {4: "e"}, length=4, data_type=MxDataType.STRING)


async def test_nothing_is_left_when_a_session_that_wrote_is_closed(
    gateway: SimulatedGateway, client: GatewayClient
) -> None:
    before = asyncio.all_tasks()
    async with await client.open_session() as session:
        await session.write_and_wait(CODE, "M42")
    await asyncio.sleep(0.05)
    assert asyncio.all_tasks() == before


async def test_nothing_is_left_when_a_session_that_wrote_is_dropped(client: GatewayClient) -> None:
    before = asyncio.all_tasks()
    session = await client.open_session()
    await session.write_and_wait(CODE, "M42")
    closing = client.session(session.session_id)
    del session
    await asyncio.sleep(0.05)
    assert asyncio.all_tasks() == before
    await closing.close()
