"""Buffered items, whose data comes in batches, and items that are suspended for a while."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import given, strategies as st

from tests.sim.galaxies import live
from zb_mom_ww_mxgateway.values import from_mx_value, to_mx_value
from zb_mom_ww_mxgateway_contracts.google_protobuf import Timestamp
from zb_mom_ww_mxgateway_contracts.mxaccess_gateway_v1 import (
    MxDataType,
    MxEvent,
    MxEventFamily,
    MxStatusCategory,
    MxValue,
    ProtocolStatusCode,
    WriteBulkEntry,
)
from zb_mom_ww_mxgateway_sim import ManualClock
from zb_mom_ww_mxgateway_sim.advices import BATCH_LIMIT, BufferedAdvice
from zb_mom_ww_mxgateway_sim.items import Registration

CODE = "TestMachine_001.MachineCode"
BUFFERED = MxEventFamily.ON_BUFFERED_DATA_CHANGE
CHANGE = MxEventFamily.ON_DATA_CHANGE
E_INVALIDARG = -2147024809


async def buffered(session: Any, tag: str = CODE, **fields: Any) -> tuple[int, int]:
    """A registration with one buffered item, which is not advised yet."""
    server = await session.do("register")
    item = await session.do(
        "add_buffered_item", server_handle=server, item_definition=tag, **fields
    )
    await session.do("set_buffered_update_interval", server_handle=server, update_interval_ms=1)
    return server, item


def values(event: MxEvent) -> list[Any]:
    """The values of a batch, whose arrays must be parallel."""
    body = event.on_buffered_data_change
    assert body is not None
    listed = from_mx_value(MxValue(array_value=body.values))
    assert from_mx_value(MxValue(array_value=body.quality_values)) == [192] * len(listed)
    assert body.timestamp_values is not None
    times = body.timestamp_values.timestamp_values
    assert times is not None
    nanoseconds = [time.to_nanoseconds() for time in times.values]
    assert len(nanoseconds) == len(listed)
    assert nanoseconds == sorted(nanoseconds)
    assert event.source_timestamp == times.values[-1]
    return listed


@pytest.mark.parametrize(
    ("asked", "seconds"), [(0, 0.1), (1, 0.1), (100, 0.1), (101, 0.2), (2**32 - 1, 4_294_967.3)]
)
def test_an_interval_is_rounded_up_to_100_ms(asked, seconds):
    """SetBufferedUpdateInterval: the interval is rounded up to 100 ms."""
    registration = Registration(1)
    assert registration.interval() == 1.0
    registration.set_interval(asked)
    assert registration.interval() == seconds


async def test_changes_come_together_with_their_qualities_and_times(session):
    """AddBufferedItem: data arrives as OnBufferedDataChange with arrays of value, quality, time."""
    server, item = await buffered(session)
    await session.do("advise", server_handle=server, item_handle=item)
    for text in ("a", "b", "b"):
        await session.write(server, item, text)
    async with session.events() as events:
        batch = await events.next_of(BUFFERED)
        assert values(batch) == ["M001", "a", "b", "b"]
        assert batch.on_buffered_data_change.data_type == MxDataType.STRING
        assert (batch.server_handle, batch.item_handle, batch.quality) == (server, item, 192)
        assert batch.statuses[0].category == MxStatusCategory.OK
        await session.write(server, item, "c")
        assert values(await events.next_of(BUFFERED)) == ["c"]
        assert await events.quiet(0.15)
    assert CHANGE not in {event.family for event in events.seen}


async def test_a_batch_that_is_full_does_not_wait_for_its_interval(session):
    server, item = await buffered(session)
    await session.do(
        "set_buffered_update_interval", server_handle=server, update_interval_ms=3_600_000
    )
    await session.do("advise", server_handle=server, item_handle=item)
    entries = [
        WriteBulkEntry(item_handle=item, value=to_mx_value(str(n))) for n in range(BATCH_LIMIT)
    ]
    await session.do("write_bulk", server_handle=server, entries=entries)
    async with session.events() as events:
        batch = values(await events.next_of(BUFFERED))
    assert batch == ["M001", *(str(n) for n in range(BATCH_LIMIT - 1))]


async def test_what_follows_a_full_batch_waits_for_an_interval_of_its_own():
    galaxy = live()
    clock, point = galaxy.clock, galaxy.resolve(CODE)
    assert isinstance(clock, ManualClock)
    sent: list[MxEvent] = []
    intervals = iter([0.01, 3_600.0])
    advice = BufferedAdvice(galaxy, 1, 1, point, sent.append, lambda: next(intervals))
    advice.start(sent.append)
    for number in range(BATCH_LIMIT):
        galaxy.write(point, str(number), Timestamp.now())
    await clock.advance(0.03)
    assert [len(values(event)) for event in sent] == [BATCH_LIMIT]
    advice.suspend(sent.append)
    assert [len(values(event)) for event in sent] == [BATCH_LIMIT, 1]
    advice.stop()


async def test_an_invalid_reference_shows_as_a_batch_without_values(session):
    server, item = await buffered(session, "No.Such")
    await session.do("advise", server_handle=server, item_handle=item)
    async with session.events() as events:
        event = await events.next()
    assert event.family == BUFFERED
    assert event.statuses[0].category == MxStatusCategory.CONFIGURATION_ERROR
    assert event.statuses[0].detail == 6
    assert event.quality == 4
    body = event.on_buffered_data_change
    assert (body.values, body.quality_values, body.timestamp_values) == (None, None, None)


async def test_an_element_that_an_array_loses_and_gains_parts_its_batch(session):
    name = "TestChildObject.TestStringArray"
    server, item = await buffered(session, f"{name}[3]")
    writer, (whole,) = await session.subscribed(name)
    await session.do("advise", server_handle=server, item_handle=item)
    for texts in (["a"], ["a", "b", "c"], ["d", "e", "f"]):
        await session.write(writer, whole, texts)
    async with session.events() as events:
        first, lost, rest = [await events.next_of(BUFFERED) for _ in range(3)]
    assert values(first) == ["Item 3"]
    assert lost.statuses[0].category == MxStatusCategory.CONFIGURATION_ERROR
    assert values(rest) == ["c", "f"]


async def test_a_whole_array_cannot_be_buffered(session):
    server = await session.do("register")
    reply = await session.invoke(
        "add_buffered_item", server_handle=server, item_definition="TestChildObject.TestStringArray"
    )
    assert reply.protocol_status.code == ProtocolStatusCode.MXACCESS_FAILURE
    assert reply.hresult == E_INVALIDARG


async def test_a_buffered_item_takes_its_context_and_is_read_from_its_last_change(session):
    server, item = await buffered(session, "MachineCode", item_context="TestMachine_002")
    await session.do("advise", server_handle=server, item_handle=item)
    (result,) = await session.do(
        "read_bulk", server_handle=server, tag_addresses=["TestMachine_002.MachineCode"]
    )
    assert (result.item_handle, result.was_cached) == (item, True)
    assert from_mx_value(result.value) == "M002"


async def test_what_was_collected_is_dropped_when_the_item_is_un_advised(session):
    server, item = await buffered(session)
    await session.do("advise", server_handle=server, item_handle=item)
    await session.do("un_advise", server_handle=server, item_handle=item)
    async with session.events() as events:
        assert await events.quiet(0.15)


async def test_a_suspended_item_is_silent_and_activating_sends_the_current_value(session):
    """Suspend, Activate: the reply carries an MxStatus; a suspended item sends no data changes,
    activating sends the current value.
    """
    server, (item,) = await session.subscribed(CODE)
    async with session.events() as events:
        await events.take(1)
        for _ in range(2):
            handles = {"server_handle": server, "item_handle": item}
            reply = await session.invoke("suspend", **handles)
            assert reply.suspend.status.category == MxStatusCategory.OK
        for text in ("a", "b"):
            await session.write(server, item, text)
        assert {event.family for event in await events.take(2)} == {MxEventFamily.ON_WRITE_COMPLETE}
        assert await events.quiet()
        for _ in range(2):
            reply = await session.invoke("activate", **handles)
            assert reply.activate.status.category == MxStatusCategory.OK
        event = await events.next()
        assert (event.family, from_mx_value(event.value)) == (CHANGE, "b")
        assert await events.quiet()


async def test_suspending_sends_what_was_collected(session):
    server, item = await buffered(session)
    handles = {"server_handle": server, "item_handle": item}
    await session.do("advise", **handles)
    await session.do("suspend", **handles)
    await session.write(server, item, "unseen")
    await session.write(server, item, "current")
    async with session.events() as events:
        assert values(await events.next_of(BUFFERED)) == ["M001"]
        await events.take(2)
        assert await events.quiet(0.15)
        await session.do("activate", **handles)
        assert values(await events.next_of(BUFFERED)) == ["current"]


@pytest.mark.parametrize("command", ["suspend", "activate"])
async def test_an_item_that_is_not_advised_is_neither_suspended_nor_activated(session, command):
    server = await session.do("register")
    item = await session.do("add_item", server_handle=server, item_definition=CODE)
    for handles in ((server, item), (server, item + 1), (server + 1, item)):
        reply = await session.invoke(command, server_handle=handles[0], item_handle=handles[1])
        assert reply.protocol_status.code == ProtocolStatusCode.MXACCESS_FAILURE
        assert reply.hresult == E_INVALIDARG
        assert reply.which_payload() is None


async def test_a_first_value_waits_for_the_delay_and_for_activation_whichever_is_later(site):
    session = await site.session(first_value_delay=0.1)
    server, (early, late) = await session.subscribed(CODE, CODE)
    for item in (early, late):
        await session.do("suspend", server_handle=server, item_handle=item)
    await session.do("activate", server_handle=server, item_handle=early)
    async with session.events() as events:
        assert (await events.next()).item_handle == early
        await session.do("activate", server_handle=server, item_handle=late)
        assert (await events.next()).item_handle == late
        assert await events.quiet(0.15)  # neither has come twice


@given(
    st.lists(
        st.one_of(
            st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=3),
            st.none(),  # time for a batch to be sent
        ),
        max_size=12,
    )
)
def test_no_change_is_lost_or_reordered_whatever_the_batches(steps):
    async def run() -> None:
        galaxy = live()
        clock, point = galaxy.clock, galaxy.resolve(CODE)
        assert isinstance(clock, ManualClock)
        sent: list[MxEvent] = []
        advice = BufferedAdvice(galaxy, 1, 1, point, sent.append, lambda: 0.1)
        advice.start(sent.append)
        for step in steps:
            if step is None:
                await clock.advance(0.1)
            else:
                galaxy.write(point, step, Timestamp.now())
        advice.suspend(sent.append)
        advice.stop()
        got = [value for event in sent for value in values(event)]
        assert got == ["M001", *(step for step in steps if step is not None)]

    asyncio.run(run())
