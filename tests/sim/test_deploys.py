"""Deploys: one after another, all at once for those who look, with events for those who watch."""

from __future__ import annotations

import asyncio
import gc
import weakref

import pytest
from grpclib.const import Status
from grpclib.exceptions import GRPCError

from zb_mom_ww_mxgateway_contracts.google_protobuf import Timestamp
from zb_mom_ww_mxgateway_sim.clock import ManualClock
from zb_mom_ww_mxgateway_sim.galaxy.definition import GalaxyDefinition, ObjectDefinition
from zb_mom_ww_mxgateway_sim.galaxy.deploys import QUEUE_LIMIT, Deploys
from zb_mom_ww_mxgateway_sim.galaxy.live import CONFIGURATION_ERROR, GOOD, Galaxy
from zb_mom_ww_mxgateway_sim.operations.log import Event
from zb_mom_ww_mxgateway_sim.users import Users

from .galaxies import NOTHING, PLANT

BROKEN = GalaxyDefinition(
    entries=(ObjectDefinition(tag_name="A", attributes=NOTHING, parent="Nobody"),)
)


def deploys_of(machines=1, *, definition=PLANT, clock=None, loaded=True):
    return Deploys(definition, machines=machines, clock=clock or ManualClock(), loaded=loaded)


async def test_nothing_is_known_before_the_first_deploy_but_sessions_work():
    """Row: before the first load: UNAVAILABLE. D: sessions do not care."""
    deploys = deploys_of(loaded=False)
    with pytest.raises(GRPCError) as caught:
        _ = deploys.current
    assert caught.value.status is Status.UNAVAILABLE
    assert deploys.latest.store.object_count == 6
    await deploys.deploy()
    assert (deploys.current.sequence, deploys.current.event.object_count) == (1, 6)


async def test_deploys_change_machines_and_definition_and_keep_what_is_not_named():
    deploys = deploys_of()
    await deploys.deploy(machines=4)
    assert deploys.current.event.object_count == 9
    other = GalaxyDefinition(entries=PLANT.entries[:5])
    await deploys.deploy(definition=other)
    assert deploys.current.event.object_count == 8
    latest = await deploys.deploy()
    assert (latest.machines, latest.definition, latest.sequence) == (4, other, 4)
    assert latest is deploys.current


async def test_a_deploy_that_cannot_be_made_changes_nothing():
    deploys = deploys_of()
    before = deploys.current
    with deploys.watch(before.time) as watcher:
        with pytest.raises(ValueError, match="'A' is 'Nobody'"):
            await deploys.deploy(definition=BROKEN)
        for machines in (-1, -100):
            with pytest.raises(ValueError, match="must not be negative"):
                await deploys.deploy(machines=machines)
        assert deploys.current is before
        assert (await deploys.deploy()).sequence == 2
        assert (await watcher.next()).sequence == 2
    for definition, machines in ((BROKEN, 1), (PLANT, -1)):
        with pytest.raises(ValueError, match="is"):
            deploys_of(machines, definition=definition)


async def test_deploys_that_are_asked_for_at_the_same_time_come_one_after_another():
    deploys = deploys_of()
    told = []
    deploys.on_deploy.append(lambda store: told.append(store.object_count))
    done = await asyncio.gather(*(deploys.deploy(machines=n) for n in (50, 2, 7)))
    assert [deploy.sequence for deploy in done] == [2, 3, 4]
    assert told == [55, 7, 12]
    assert deploys.current is done[-1]


async def test_a_deploy_that_is_given_up_changes_nothing():
    deploys = deploys_of()
    waiting = asyncio.ensure_future(deploys.deploy(machines=3))
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.wait([waiting])
    assert deploys.current.sequence == 1
    assert (await deploys.deploy()).store.object_count == 6


async def test_sessions_and_metadata_change_in_the_same_turn_and_the_old_store_goes():
    """Items of removed objects have a configuration error, and what comes is found."""
    clock = ManualClock()
    deploys = deploys_of(2, clock=clock)
    users = Users(PLANT)
    galaxy = Galaxy(deploys.latest.store, users, seed=0, clock=clock, change_interval=1.0)
    deploys.on_deploy.append(lambda store: galaxy.deploy(store, users))
    gone = galaxy.resolve("TestMachine_002.MachineCode")
    new = galaxy.resolve("TestMachine_003.MachineCode")
    old = weakref.ref(deploys.latest.store)
    assert [galaxy.read(p).quality for p in (gone, new)] == [GOOD, CONFIGURATION_ERROR]
    deploying = asyncio.ensure_future(deploys.deploy(machines=1))
    while deploys.current.sequence == 1:
        assert galaxy.read(gone).quality == GOOD
        await asyncio.sleep(0)
    assert galaxy.read(gone).quality == CONFIGURATION_ERROR
    await deploying
    gc.collect()
    assert old() is None
    await deploys.deploy(machines=3)
    assert [galaxy.read(p).quality for p in (gone, new)] == [GOOD, GOOD]


async def test_whoever_comes_while_the_gateway_shuts_down_is_sent_away():
    deploys = deploys_of()
    with deploys.watch(None) as watcher:
        deploys.shut()
        assert (await watcher.next()).sequence == 1
        with pytest.raises(GRPCError) as told:
            await watcher.next()
    with pytest.raises(GRPCError) as refused, deploys.watch(None):
        pass
    assert told.value.status is refused.value.status is Status.UNAVAILABLE


async def test_a_slow_reader_loses_the_oldest_events_which_shows_as_a_gap():
    """Row: WatchDeployEvents: sequence rises per gateway start, a gap means that a slow reader lost
    events.
    """
    deploys = deploys_of(0)
    with deploys.watch(None) as slow, deploys.watch(None) as quick:
        assert (await quick.next()).sequence == 1
        for expected in range(2, QUEUE_LIMIT + 4):
            await deploys.deploy()
            assert (await quick.next()).sequence == expected
        kept = [(await slow.next()).sequence for _ in range(QUEUE_LIMIT)]
        assert kept == list(range(4, QUEUE_LIMIT + 4))


async def test_deploys_have_rising_times_whatever_the_clock_says():
    clock = ManualClock()
    deploys = deploys_of(clock=clock)
    times = [deploys.current.time]
    with deploys.watch(times[0]) as watcher:
        for step in (10.0, -3_600.0, 0.0, 7_200.0):
            clock.step(step)
            latest = await deploys.deploy()
            times.append(latest.time)
            event = await watcher.next()
            assert (event.time_of_last_deploy, event.observed_at) == (latest.time, clock.now())
    assert times[-1] == clock.now()
    microseconds = [Timestamp.to_nanoseconds(time) // 1_000 for time in times]
    assert microseconds == sorted(set(microseconds))


async def test_a_deploy_of_a_file_that_is_wrong_by_now_is_refused_and_logged(
    site, tmp_path, caplog
):
    file = tmp_path / "site.toml"
    file.write_text('[[objects]]\ntag_name = "A"\ntemplate = "$Area"\n')
    gateway = await site.gateway(galaxy=file)
    for broken in ("objects = ", None):
        if broken is None:
            file.unlink()
        else:
            file.write_text(broken)
        caplog.clear()
        with pytest.raises((ValueError, OSError)) as caught:
            await gateway.deploy()
        assert [(it.levelname, str(it.msg)) for it in caplog.records] == [
            ("WARNING", str(Event("galaxy.refused", {"reason": str(caught.value)})))
        ]
    assert gateway._deploys.current.event.object_count == 1


async def test_watchers_that_left_are_forgotten():
    deploys = deploys_of()
    with deploys.watch(deploys.current.time) as watcher:
        await deploys.deploy()
        assert (await watcher.next()).sequence == 2
    await deploys.deploy()
    waiting = asyncio.ensure_future(watcher.next())
    await asyncio.sleep(0)
    assert not waiting.done()
    waiting.cancel()
