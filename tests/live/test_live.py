"""What every gateway does: the checks read, and leave nothing behind."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta, timezone

import pytest

from zb_mom_ww_mxgateway import (
    ClientOptions,
    DataChange,
    GalaxyRepositoryClient,
    GatewayClient,
    MxAccessError,
    MxGatewaySessionError,
    Session,
    SessionState,
    sync,
)

#: A live system takes 3 to 8 s for the first value of a tag.
PATIENCE = 30.0


async def test_the_gateway_says_who_it_is(session: Session) -> None:
    reply = session.open_reply
    assert reply.session_id
    assert reply.gateway_protocol_version >= 3
    assert await session.get_session_state() == SessionState.READY
    assert (await session.get_worker_info()).worker_process_id > 0
    await session.ping("are you there")


async def test_an_item_is_added_advised_and_delivers(session: Session, item: str) -> None:
    server = await session.register("live checks")
    handle = await session.add_item(server, item)
    assert server > 0
    assert handle > 0
    await session.advise(server, handle)
    async with session.stream_events() as events, asyncio.timeout(PATIENCE):
        async for event in events:
            if isinstance(event, DataChange) and event.item_handle == handle:
                break
    assert event.is_good, event
    assert event.value is not None
    await session.un_advise(server, handle)
    await session.remove_item(server, handle)
    await session.unregister(server)


async def test_a_tag_is_read_with_its_quality_and_time(session: Session, item: str) -> None:
    reading = await session.read(item, timeout=PATIENCE)
    assert reading, reading.error
    assert reading.timestamp is not None
    assert reading.timestamp < datetime.now(timezone.utc) + timedelta(days=1)


async def test_a_reference_that_leads_nowhere_is_added_and_reads_as_such(session: Session) -> None:
    bad = "MxGatewayLiveCheck.NoSuchAttribute"
    readings = await session.read_many([bad, bad], timeout=PATIENCE)
    assert [reading.tag for reading in readings] == [bad, bad]
    assert not any(readings)
    assert all(reading.error for reading in readings)


async def test_a_handle_that_nobody_has_is_refused_by_mxaccess(session: Session) -> None:
    server = await session.register("live checks")
    with pytest.raises(MxAccessError) as caught:
        await session.advise(server, 2**30)
    assert caught.value.hresult_hex == "0x80070057"


async def test_a_closed_session_is_gone(client: GatewayClient) -> None:
    session = await client.open_session(client_session_name="live checks")
    await session.close()
    with pytest.raises(MxGatewaySessionError):
        await client.session(session.session_id).ping()


async def test_active_alarms_can_be_asked_for(client: GatewayClient) -> None:
    async with asyncio.timeout(PATIENCE):
        alarms = [alarm async for alarm in client.query_active_alarms()]
    assert all(alarm.alarm_full_reference for alarm in alarms)


async def test_the_galaxy_is_there_and_has_objects(galaxy: GalaxyRepositoryClient) -> None:
    assert await galaxy.test_connection()
    deployed = await galaxy.get_last_deploy_time()
    assert deployed is None or deployed.tzinfo is not None
    top = await galaxy.browse(include_attributes=False)
    assert top
    async for found in galaxy.iter_hierarchy(include_attributes=False, page_size=10):
        assert found.tag_name
        break


def test_the_blocking_client_reads_too(options: ClientOptions, item: str) -> None:
    with (
        sync.GatewayClient.from_options(options) as client,
        client.open_session(client_session_name="live checks") as session,
    ):
        assert session.read(item, timeout=PATIENCE)
