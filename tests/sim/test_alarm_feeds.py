"""Readers of the alarms' feed, without a gateway around them: bursts, and what is left behind."""

from __future__ import annotations

import asyncio
import gc
import weakref

import pytest
from grpclib.exceptions import GRPCError

from zb_mom_ww_mxgateway_contracts.google_protobuf import Timestamp
from zb_mom_ww_mxgateway_sim.alarms import QUEUE_LIMIT, Alarms, Feed
from zb_mom_ww_mxgateway_sim.galaxy import Galaxy

from .plant import ALARM

#: What a feed begins with when no alarm is active: the provider, and the end of the snapshot.
OPENING = 2


def toggle(galaxy: Galaxy, times: int) -> None:
    """Raise and clear an alarm in turn."""
    point = galaxy.resolve(galaxy.normalize(ALARM))
    assert point is not None
    now = Timestamp.now()
    for number in range(times):
        galaxy.write(point, number % 2 == 0, now)


async def test_a_reader_that_left_is_told_nothing_and_not_kept() -> None:
    galaxy = Galaxy(seed=0, machines=1)
    alarms = Alarms(galaxy)

    def read_and_leave() -> weakref.ref[Feed]:
        with alarms.follow("") as feed:
            toggle(galaxy, 1)
            return weakref.ref(feed)

    left = read_and_leave()
    gc.collect()
    assert left() is None


async def test_a_burst_overflows_a_reader_that_is_busy_and_none_that_waits() -> None:
    galaxy = Galaxy(seed=0, machines=1)
    alarms = Alarms(galaxy)
    with alarms.follow("") as waits, alarms.follow("") as does_not:
        for _ in range(OPENING):
            await waits.next()
        waiting = asyncio.ensure_future(waits.next())
        await asyncio.sleep(0)
        burst = OPENING + QUEUE_LIMIT + 1
        toggle(galaxy, burst)
        assert (await waiting).transition is not None
        for _ in range(burst - 1):
            assert (await waits.next()).transition is not None
        with pytest.raises(GRPCError, match="AlarmQueueOverflow"):
            await does_not.next()
