"""Faults of the galaxy, as clients see them: what is read, how late, and what is deployed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from types import SimpleNamespace
from typing import Any

import pytest

from tests.sim.conftest import SessionDriver, Site
from zb_mom_ww_mxgateway.values import from_mx_value
from zb_mom_ww_mxgateway_contracts.galaxy_repository_v1 import (
    DiscoverHierarchyRequest,
    WatchDeployEventsRequest,
)
from zb_mom_ww_mxgateway_contracts.galaxy_repository_v1.services import (
    GalaxyRepositoryStub,
)
from zb_mom_ww_mxgateway_contracts.mxaccess_gateway_v1 import (
    MxEventFamily,
)
from zb_mom_ww_mxgateway_sim import SimulatedGateway
from zb_mom_ww_mxgateway_sim.clock import ManualClock
from zb_mom_ww_mxgateway_sim.faults import (
    BadQuality,
    DelayFirstValues,
    FaultError,
    Redeploy,
    SlowWrites,
    StepClock,
    WrongTypes,
)

Refused = Callable[[Awaitable[Any]], Awaitable[SimpleNamespace]]

CODE = "TestMachine_001.MachineCode"
HISTORY = "TestMachine_001.TestHistoryValue"


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
async def gateway(site: Site, clock: ManualClock) -> SimulatedGateway:
    return await site.gateway(clock=clock)


@pytest.fixture
async def session(site: Site, gateway: SimulatedGateway) -> SessionDriver:
    return await site.client(gateway).open()


async def read(session: SessionDriver, *tags: str) -> list[Any]:
    server = await session.do("register", client_name="reader")
    return await session.do("read_bulk", server_handle=server, tag_addresses=list(tags))


async def test_a_subtree_has_bad_quality_until_the_fault_ends(
    gateway: SimulatedGateway, session: SessionDriver
) -> None:
    tags = [CODE, "TestChildObject.TestInt", "TestMachine_002.MachineCode"]
    await session.subscribed(*tags)
    async with session.events() as events:
        assert [event.quality for event in await events.take(3)] == [192, 192, 192]
        # TestChildObject stands in TestMachine_001.
        with gateway.fault(BadQuality(tag_name="testmachine_001", quality=24)):
            changes = await events.take(2)
            assert [change.quality for change in changes] == [24, 24]
            assert from_mx_value(changes[0].value) == "M001"
            qualities = [result.quality for result in await read(session, *tags)]
            assert qualities == [24, 24, 192]
        assert [event.quality for event in await events.take(2)] == [192, 192]
        assert await events.quiet()


async def test_of_two_bad_qualities_the_latest_counts(
    gateway: SimulatedGateway, session: SessionDriver
) -> None:
    with gateway.fault(BadQuality(tag_name="TestArea", quality=64)):
        with gateway.fault(BadQuality(tag_name="TestMachine_001", quality=8)):
            assert [one.quality for one in await read(session, CODE)] == [8]
        assert [one.quality for one in await read(session, CODE)] == [64]


async def test_a_subtree_is_the_one_of_the_present_deploy(
    gateway: SimulatedGateway, session: SessionDriver
) -> None:
    tag = "TestMachine_003.MachineCode"
    with gateway.fault(BadQuality(tag_name="TestMachine_003")):
        assert [one.quality for one in await read(session, tag)] == [0]
        await gateway.strike(Redeploy(machines=2))
        assert [one.quality for one in await read(session, tag, CODE)] == [4, 192]
        await gateway.strike(Redeploy(machines=5))
        assert [one.quality for one in await read(session, tag, CODE)] == [0, 192]


@pytest.mark.parametrize("kind", [BadQuality, WrongTypes])
def test_a_subtree_without_an_object_is_an_error(kind: Any) -> None:
    with (
        pytest.raises(FaultError, match=r"tag_name 'Nobody' is not deployed; give the tag name"),
        SimulatedGateway().fault(kind(tag_name="Nobody")),
    ):
        pass


async def test_a_subtree_reads_with_the_wrong_types(
    gateway: SimulatedGateway, session: SessionDriver
) -> None:
    names = ["TestBool", "TestInt", "TestString", "TestStringArray[2]", "TestStringArray[]"]
    tags = [CODE, *(f"TestChildObject.{name}" for name in names)]
    plain = await read(session, *tags)
    with gateway.fault(WrongTypes(tag_name="TestMachine_001")):
        wrong = await read(session, *tags)
        texts = [from_mx_value(one.value) for one in wrong]
        assert texts == [4, "False", "0", 0, 6, [6] * 9 + [7]]
    assert [one.quality for one in wrong] == [192] * len(tags)
    after = await read(session, *tags)
    assert [one.value for one in after] == [one.value for one in plain]


async def test_every_attribute_of_the_default_galaxy_can_be_of_the_wrong_type(
    site: Site, gateway: SimulatedGateway, session: SessionDriver
) -> None:
    request = DiscoverHierarchyRequest(page_size=5_000)
    stub = GalaxyRepositoryStub(site.client(gateway).transport)
    found = await stub.discover_hierarchy(request)
    tags = [attribute.full_tag_reference for one in found.objects for attribute in one.attributes]
    plain = await read(session, *tags)
    roots = [one.tag_name for one in found.objects if one.parent_gobject_id == 0]
    assert len(roots) == 2
    with gateway.fault(WrongTypes(tag_name=roots[0])), gateway.fault(WrongTypes(tag_name=roots[1])):
        wrong = await read(session, *tags)
    for before, after in zip(plain, wrong, strict=True):
        assert after.was_successful
        assert before.value.data_type != after.value.data_type
        was, is_now = from_mx_value(before.value), from_mx_value(after.value)
        assert isinstance(was, list) == isinstance(is_now, list)
        assert not isinstance(is_now, type(was)) or isinstance(was, list)


async def test_first_values_come_late_for_what_is_advised_meanwhile(
    gateway: SimulatedGateway, session: SessionDriver, clock: ManualClock
) -> None:
    async with session.events() as events:
        with gateway.fault(DelayFirstValues(seconds=3)):
            await session.subscribed(CODE)
        await session.subscribed(HISTORY)
        assert from_mx_value((await events.next()).value) == 0
        await clock.advance(2.9)
        assert await events.quiet()
        await clock.advance(0.1)
        assert from_mx_value((await events.next()).value) == "M001"


async def test_slow_writes_are_accepted_at_once_and_carried_out_late(
    gateway: SimulatedGateway, session: SessionDriver, clock: ManualClock
) -> None:
    server, (item,) = await session.subscribed(HISTORY)
    async with session.events() as events:
        await events.next()
        with gateway.fault(SlowWrites(seconds=4)):
            assert (await session.write(server, item, 7)).hresult == 0
        await clock.advance(3.9)
        assert await events.quiet()
        assert from_mx_value((await read(session, HISTORY))[0].value) == 0
        await clock.advance(0.1)
        assert (await events.next()).family is MxEventFamily.ON_WRITE_COMPLETE
        assert from_mx_value((await events.next()).value) == 7


async def test_a_redeploy_is_done_and_told_when_the_strike_returns(
    site: Site, gateway: SimulatedGateway
) -> None:
    stub = GalaxyRepositoryStub(site.client(gateway).transport)
    told = stub.watch_deploy_events(WatchDeployEventsRequest())
    assert (await anext(told)).sequence == 1
    await gateway.strike(Redeploy(machines=3))
    assert (await anext(told)).sequence == 2
    found = await stub.discover_hierarchy(DiscoverHierarchyRequest(tag_name_glob="TestMachine_*"))
    assert found.total_object_count == 3
    await gateway.strike(Redeploy())
    assert (await anext(told)).sequence == 3
    assert (await stub.discover_hierarchy(DiscoverHierarchyRequest())).objects
    await told.aclose()


async def test_a_step_of_the_clock_shows_in_times_and_makes_nothing_late(
    gateway: SimulatedGateway, session: SessionDriver, clock: ManualClock
) -> None:
    server, (item,) = await session.subscribed(HISTORY)
    async with session.events() as events:
        first = await events.next()
        await gateway.strike(StepClock(seconds=-3600))
        await session.write(server, item, 1)
        await events.next_of(MxEventFamily.ON_WRITE_COMPLETE)
        changed = await events.next()
        earlier = first.worker_timestamp.to_datetime() - changed.worker_timestamp.to_datetime()
        assert earlier.total_seconds() == 3600
        await clock.advance(0)
        assert await events.quiet()
        await session.do("ping")
