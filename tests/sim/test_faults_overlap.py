"""Several faults at once, of one kind or many, in any order of beginnings and ends."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

from grpclib.const import Status
from grpclib.exceptions import GRPCError
from hypothesis import given, strategies as st

from zb_mom_ww_mxgateway.values import from_mx_value
from zb_mom_ww_mxgateway_contracts.mxaccess_gateway_v1.services import MxAccessGatewayMethods as Rpc
from zb_mom_ww_mxgateway_sim import SimulatedGateway
from zb_mom_ww_mxgateway_sim.clock import ManualClock
from zb_mom_ww_mxgateway_sim.faults import (
    BadQuality,
    DelayFirstValues,
    DelayReplies,
    FreezeStreams,
    LastingFault,
    RefuseCalls,
    RefuseConnections,
    SlowWrites,
    WrongTypes,
)

#: Tags with all objects that they are in.
PLACES = {
    "TestMachine_001.MachineCode": {"TestPlant", "TestArea", "TestMachine_001"},
    "TestMachine_002.MachineCode": {"TestPlant", "TestArea", "TestMachine_002"},
}
UNARY, STREAMS = ("OpenSession", "Invoke"), ("StreamEvents", "StreamAlarms")
PATHS = {
    path.rpartition("/")[2]: path
    for path in (
        Rpc.OPEN_SESSION.path,
        Rpc.INVOKE.path,
        Rpc.STREAM_EVENTS.path,
        Rpc.STREAM_ALARMS.path,
    )
}

SECONDS = st.integers(1, 5).map(float)
ROOTS = st.sampled_from(["TestPlant", "TestArea", "TestMachine_001", "TestMachine_002"])
FAULTS: st.SearchStrategy[LastingFault] = st.one_of(
    st.just(RefuseConnections()),
    st.builds(
        RefuseCalls,
        status=st.sampled_from([Status.UNAVAILABLE, Status.INTERNAL]),
        rpc=st.none() | st.sampled_from([*UNARY, *STREAMS]),
    ),
    st.builds(DelayReplies, seconds=SECONDS, rpc=st.none() | st.sampled_from(UNARY)),
    st.builds(FreezeStreams, rpc=st.none() | st.sampled_from(STREAMS)),
    st.builds(BadQuality, tag_name=ROOTS, quality=st.integers(0, 191)),
    st.builds(WrongTypes, tag_name=ROOTS),
    st.builds(DelayFirstValues, seconds=SECONDS),
    st.builds(SlowWrites, seconds=SECONDS),
)


@dataclass(frozen=True)
class Seen:
    """How a gateway is, as far as faults may change it."""

    refuses_connections: bool
    statuses: tuple[Status | None, ...]
    delays: tuple[float | None, ...]
    frozen: tuple[bool, ...]
    readings: tuple[tuple[int, type], ...]
    first_value_delay: float
    write_delay: float


def waits(coroutine: Coroutine[Any, Any, None]) -> bool:
    """Whether it does not end at once; it is given up then."""
    try:
        coroutine.send(None)
    except StopIteration:
        return False
    coroutine.close()
    return True


def delay_of(gateway: SimulatedGateway, clock: ManualClock, rpc: str) -> float | None:
    due, others = gateway._calls.conditions.due(PATHS[rpc]), set(clock._timers)
    try:
        due.send(None)
    except StopIteration:
        return None
    (timer,) = set(clock._timers) - others
    due.close()
    return timer.due - clock.time()


def status_of(gateway: SimulatedGateway, rpc: str) -> Status | None:
    try:
        gateway._calls.conditions.admit(PATHS[rpc])
    except GRPCError as error:
        return error.status
    return None


def seen(gateway: SimulatedGateway, clock: ManualClock) -> Seen:
    galaxy, conditions = gateway._galaxy, gateway._calls.conditions
    readings = [galaxy.read(galaxy.resolve(tag)) for tag in PLACES]
    assert gateway._server is not None
    return Seen(
        refuses_connections=gateway._server.refusals > 0,
        statuses=tuple(status_of(gateway, rpc) for rpc in PATHS),
        delays=tuple(delay_of(gateway, clock, rpc) for rpc in UNARY),
        frozen=tuple(waits(conditions.thawed(PATHS[rpc])) for rpc in STREAMS),
        readings=tuple((one.quality, type(from_mx_value(one.value))) for one in readings),
        first_value_delay=galaxy.first_value_delay,
        write_delay=galaxy.write_delay,
    )


def expected(faults: Sequence[LastingFault]) -> Seen:
    """The same by the rules alone: of each kind the latest that is meant counts."""

    def of(kind: type, rpc: str | None = None, tag: str | None = None) -> list[Any]:
        found: list[Any] = [fault for fault in reversed(faults) if isinstance(fault, kind)]
        if rpc is not None:
            return [fault for fault in found if fault.rpc in (None, rpc)]
        return [fault for fault in found if tag is None or fault.tag_name in PLACES[tag]]

    def first(found: list[Any], name: str, plain: Any) -> Any:
        return getattr(found[0], name) if found else plain

    return Seen(
        refuses_connections=bool(of(RefuseConnections)),
        statuses=tuple(first(of(RefuseCalls, rpc), "status", None) for rpc in PATHS),
        delays=tuple(first(of(DelayReplies, rpc), "seconds", None) for rpc in UNARY),
        frozen=tuple(bool(of(FreezeStreams, rpc)) for rpc in STREAMS),
        readings=tuple(
            (
                first(of(BadQuality, tag=tag), "quality", 192),
                wrong_type(len(of(WrongTypes, tag=tag))),
            )
            for tag in PLACES
        ),
        first_value_delay=first(of(DelayFirstValues), "seconds", 0.5),
        write_delay=first(of(SlowWrites), "seconds", 0.0),
    )


def wrong_type(times: int) -> type:
    """Of a text: its length, the text of that, and so on."""
    return int if times % 2 else str


@given(st.data())
def test_the_latest_fault_counts_and_any_order_of_ends_leaves_the_plain_gateway(
    data: st.DataObject,
) -> None:
    async def act() -> None:
        clock = ManualClock()
        async with SimulatedGateway(
            clock=clock, plant=False, machines=2, first_value_delay=0.5
        ) as gateway:
            plain = seen(gateway, clock)
            assert plain == expected([])
            running: list[tuple[LastingFault, AbstractContextManager[None]]] = []
            for fault in data.draw(st.lists(FAULTS | st.none(), max_size=12), label="begin or end"):
                if fault is not None:
                    began = gateway.fault(fault)
                    began.__enter__()
                    running.append((fault, began))
                elif running:
                    number = data.draw(st.integers(0, len(running) - 1), label="which ends")
                    running.pop(number)[1].__exit__(None, None, None)
                assert seen(gateway, clock) == expected([fault for fault, _ in running])
            for _, began in data.draw(st.permutations(running), label="the rest"):
                began.__exit__(None, None, None)
            assert seen(gateway, clock) == plain
            assert gateway._snapshot().faults_active == 0

    asyncio.run(act())
