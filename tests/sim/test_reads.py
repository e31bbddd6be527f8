"""ReadBulk: cached and snapshot ways."""

from __future__ import annotations

import asyncio
import time

from zb_mom_ww_mxgateway.values import from_mx_value
from zb_mom_ww_mxgateway_contracts.mxaccess_gateway_v1 import MxStatusCategory
from zb_mom_ww_mxgateway_sim import reading

CODE = "TestMachine_001.MachineCode"
INTEGER = "TestMachine_001.TestHistoryValue"
ARRAY = "TestChildObject.TestStringArray"


async def test_a_tag_that_is_advised_answers_from_its_last_data_change(session):
    """ReadBulk, a tag already added and advised in the session: its last data change,
    ``was_cached`` = true, nothing touched.
    """
    server, (item,) = await session.subscribed(CODE)
    async with session.events() as events:
        first = await events.next()
        await session.write(server, item, "new")
        _, change = await events.take(2)
        (result,) = await session.do(
            "read_bulk", server_handle=server, tag_addresses=[CODE.upper()]
        )
        assert await events.quiet()
    assert result.was_successful
    assert result.was_cached
    assert result.item_handle == item
    assert result.tag_address == CODE.upper()
    assert result.server_handle == server
    assert (result.value, result.quality) == (change.value, 192)
    assert result.source_timestamp == change.source_timestamp != first.source_timestamp
    assert [status.category for status in result.statuses] == [MxStatusCategory.OK]


async def test_other_tags_are_read_by_a_snapshot_that_leaves_the_session_as_found(session):
    """ReadBulk else: add, advise, wait for the first data change, un-advise, remove; ``was_cached``
    = false, session left as found.
    """
    server, (advised,) = await session.subscribed(INTEGER)
    added = await session.do("add_item", server_handle=server, item_definition=CODE)
    async with session.events() as events:
        await events.next()
        results = await session.do(
            "read_bulk", server_handle=server, tag_addresses=[CODE, INTEGER, ARRAY, CODE]
        )
        assert [result.was_cached for result in results] == [False, True, False, False]
        assert [from_mx_value(result.value) for result in results][::3] == ["M001", "M001"]
        assert from_mx_value(results[2].value) == [f"Item {n}" for n in range(1, 11)]
        await session.write(server, advised, 1)
        assert {event.item_handle for event in await events.take(2)} == {advised}
        assert await events.quiet()
    reply = await session.write(server, added, "x")  # added, but still not advised
    assert "not advised" in reply.diagnostic_message
    for result in results[::2]:
        gone = await session.invoke("advise", server_handle=server, item_handle=result.item_handle)
        assert gone.hresult is not None
        assert gone.hresult < 0


async def test_the_advice_of_another_registration_of_the_session_is_a_cache_too(session):
    await session.subscribed(CODE)
    server = await session.do("register")
    (result,) = await session.do("read_bulk", server_handle=server, tag_addresses=[CODE])
    assert result.was_cached


async def test_an_invalid_reference_is_read_with_its_configuration_error(session):
    server = await session.do("register")
    (result,) = await session.do("read_bulk", server_handle=server, tag_addresses=["No.Such"])
    assert result.was_successful
    assert (result.value, result.quality) == (None, 4)
    (status,) = result.statuses
    assert (status.category, status.detail) == (MxStatusCategory.CONFIGURATION_ERROR, 6)


async def test_an_empty_reference_is_a_failed_entry_and_the_rest_go_on(session):
    server = await session.do("register")
    results = await session.do("read_bulk", server_handle=server, tag_addresses=["", CODE])
    assert [result.was_successful for result in results] == [False, True]
    assert "empty" in results[0].error_message


async def test_snapshots_wait_for_their_first_values_together(site):
    session = await site.session(first_value_delay=0.1)
    server = await session.do("register")
    started = time.monotonic()
    results = await session.do(
        "read_bulk", server_handle=server, tag_addresses=[CODE, INTEGER] * 50, timeout_ms=300
    )
    assert 0.09 < time.monotonic() - started < 0.5
    assert all(result.was_successful and not result.was_cached for result in results)


async def test_a_tag_that_times_out_is_a_failed_entry_beside_those_that_answer(site):
    """ReadBulk: ``timeout_ms`` is per tag; a tag that times out is a failed entry, not a failed
    call.
    """
    session = await site.session(first_value_delay=0.1)
    server, _ = await session.subscribed(CODE)
    await asyncio.sleep(0.15)
    results = await session.do(
        "read_bulk", server_handle=server, tag_addresses=[INTEGER, CODE], timeout_ms=20
    )
    assert [result.was_successful for result in results] == [False, True]
    assert "timeout_ms" in results[0].error_message
    assert results[0].value is None


async def test_a_tag_advised_a_moment_ago_is_awaited(site):
    session = await site.session(first_value_delay=0.15)
    server, (item,) = await session.subscribed(CODE)
    read = {"server_handle": server, "tag_addresses": [CODE]}
    (late,) = await session.do("read_bulk", **read, timeout_ms=20)
    assert not late.was_successful
    (result,) = await session.do("read_bulk", **read, timeout_ms=5_000)
    assert (result.was_successful, result.was_cached, result.item_handle) == (True, True, item)


async def test_a_timeout_of_0_means_5_seconds(site, monkeypatch):
    """ReadBulk: ``timeout_ms`` 0 = 5,000."""
    assert reading.DEFAULT_TIMEOUT_MS == 5_000
    monkeypatch.setattr(reading, "DEFAULT_TIMEOUT_MS", 20)
    session = await site.session(first_value_delay=10)
    server = await session.do("register")
    (result,) = await session.do("read_bulk", server_handle=server, tag_addresses=[CODE])
    assert not result.was_successful


async def test_events_of_other_items_go_on_while_a_read_waits(site):
    gateway = await site.gateway(first_value_delay=0.3, change_interval=0.02)
    session = await site.client(gateway).open()
    server, _ = await session.subscribed("TestMachine_001.TestChangingInt")
    async with session.events() as events:
        await events.next()
        waiting = asyncio.create_task(
            session.do("read_bulk", server_handle=server, tag_addresses=[CODE])
        )
        await events.take(5)
        assert not waiting.done()
        assert (await waiting)[0].was_successful
