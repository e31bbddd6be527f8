"""What tests of alarms have in common: readers of the feed, and a plant whose alarms they raise,
through a gateway or without one.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace
from typing import Any

from zb_mom_ww_mxgateway.values import from_mx_value
from zb_mom_ww_mxgateway_contracts.mxaccess_gateway_v1 import (
    AcknowledgeAlarmRequest,
    ActiveAlarmSnapshot,
    AlarmFeedMessage,
    AlarmProviderStatus,
    AlarmTransitionKind,
    OnAlarmTransitionEvent,
    QueryActiveAlarmsRequest,
    StreamAlarmsRequest,
)
from zb_mom_ww_mxgateway_sim.alarm_feed import News, Selection
from zb_mom_ww_mxgateway_sim.alarms import Alarms
from zb_mom_ww_mxgateway_sim.auth.access import EVERYTHING
from zb_mom_ww_mxgateway_sim.clock import ManualClock
from zb_mom_ww_mxgateway_sim.galaxy.definition import GalaxyDefinition, Value
from zb_mom_ww_mxgateway_sim.galaxy.live import Galaxy, Reading
from zb_mom_ww_mxgateway_sim.galaxy.loading import default_galaxy
from zb_mom_ww_mxgateway_sim.galaxy.store import Store, StoredObject
from zb_mom_ww_mxgateway_sim.users import Users

#: The test machines alone: nothing in it moves an alarm.
MACHINES = default_galaxy(1.0, plant=False)

ALARM = "TestMachine_001.TestAlarm001"
OTHER = "TestMachine_002.TestAlarm003"
REFERENCE = f"Galaxy!TestArea.{ALARM}"
E_INVALIDARG = -2147024809
RAISE, ACKNOWLEDGE, CLEAR, RETRIGGER = (
    AlarmTransitionKind.RAISE,
    AlarmTransitionKind.ACKNOWLEDGE,
    AlarmTransitionKind.CLEAR,
    AlarmTransitionKind.RETRIGGER,
)


class Feed:
    """A reader of the alarms' feed: its opening, and then one message after another."""

    def __init__(self, messages: AsyncIterator[AlarmFeedMessage]) -> None:
        self._messages = messages
        self.provider: Any = None
        self.opening: list[ActiveAlarmSnapshot] = []

    async def next(self) -> AlarmFeedMessage:
        async with asyncio.timeout(5):
            return await anext(self._messages)

    async def open(self) -> None:
        """Read up to the end of the snapshot."""
        self.provider = (await self.next()).provider_status
        assert self.provider is not None
        while (message := await self.next()).snapshot_complete is None:
            assert message.active_alarm is not None
            self.opening.append(message.active_alarm)
        assert message.snapshot_complete is True

    async def transition(self) -> OnAlarmTransitionEvent:
        """The next message, which must be a transition."""
        transition = (await self.next()).transition
        assert transition is not None
        return transition

    async def kinds(self, count: int) -> list[AlarmTransitionKind]:
        """What happened in the next so many transitions."""
        return [(await self.transition()).transition_kind for _ in range(count)]


@asynccontextmanager
async def following(stub: Any, prefix: str = "") -> AsyncIterator[Feed]:
    request = StreamAlarmsRequest(alarm_filter_prefix=prefix)
    async with aclosing(stub.stream_alarms(request)) as messages:
        feed = Feed(messages)
        await feed.open()
        yield feed


async def active(stub: Any, prefix: str = "") -> list[ActiveAlarmSnapshot]:
    request = QueryActiveAlarmsRequest(alarm_filter_prefix=prefix)
    return [alarm async for alarm in stub.query_active_alarms(request)]


async def acknowledge(stub: Any, reference: str = REFERENCE, **fields: Any) -> Any:
    request = AcknowledgeAlarmRequest(alarm_full_reference=reference, **fields)
    return await stub.acknowledge_alarm(request)


class Plant:
    """A session that writes to an alarm's condition and reads its sub-attributes."""

    def __init__(self, session: Any, server: int, handles: dict[str, int]) -> None:
        self.session = session
        self.server = server
        self.handles = handles

    @classmethod
    async def of(cls, session: Any) -> Plant:
        """A plant with the tags that tests write."""
        names = [ALARM, OTHER, f"{ALARM}.AckMsg", f"{ALARM}.Priority", f"{ALARM}.Acked"]
        server, handles = await session.subscribed(*names)
        return cls(session, server, dict(zip(names, handles, strict=True)))

    async def write(self, name: str, value: Any) -> None:
        reply = await self.session.write(self.server, self.handles[name], value)
        assert reply.hresult == 0

    async def read(self, *names: str) -> list[Any]:
        results = await self.session.do("read_bulk", server_handle=self.server, tag_addresses=names)
        return [from_mx_value(result.value) for result in results]

    async def state(self, alarm: str = ALARM) -> list[Any]:
        return await self.read(f"{alarm}.InAlarm", f"{alarm}.Acked", f"{alarm}.AckMsg")


class BadQuality:
    """A fault that all values have."""

    def covers(self, owner: StoredObject) -> bool:
        return True

    def over(self, reading: Reading) -> Reading:
        return replace(reading, quality=0)


class Works:
    """A galaxy with its alarms and no gateway around them, and what was told of them."""

    def __init__(self, definition: GalaxyDefinition = MACHINES, machines: int = 1) -> None:
        self.definition = definition
        self.clock = ManualClock()
        store = Store.build(definition, machines)
        self.galaxy = Galaxy(
            store, Users(definition), seed=0, clock=self.clock, change_interval=1.0
        )
        self.alarms = Alarms(self.galaxy, definition)
        self.told: list[OnAlarmTransitionEvent] = []
        self.alarms.subscribe(Selection.of(""), self._hear)

    def _hear(self, news: News) -> None:
        assert not isinstance(news, AlarmProviderStatus)
        self.told.append(news)

    def write(self, name: str, value: Value) -> None:
        """Write as an operator would whose write was accepted."""
        self.galaxy.write(self.galaxy.resolve(name), value, self.clock.now())

    def read(self, name: str) -> Value:
        return self.galaxy.value(self.galaxy.resolve(name).attribute)

    def acknowledge(self, reference: str, comment: str = "", operator: str = "") -> bool:
        found = self.alarms.by_reference(reference)
        return self.alarms.acknowledge(found, EVERYTHING, comment, operator)

    def deploy(self, definition: GalaxyDefinition | None = None, machines: int = 1) -> None:
        self.definition = definition or self.definition
        store = Store.build(self.definition, machines, before=self.galaxy.store)
        self.galaxy.deploy(store, Users(self.definition))
        self.alarms.deployed(self.definition)

    def news(self) -> list[OnAlarmTransitionEvent]:
        """What was told since the last time."""
        told, self.told[:] = list(self.told), []
        return told

    def happened(self) -> list[AlarmTransitionKind]:
        """What happened since the last time."""
        return [transition.transition_kind for transition in self.news()]

    def active(self, prefix: str = "") -> list[str]:
        """The references of the alarms that are active."""
        return [it.alarm_full_reference for it in self.alarms.active(prefix, EVERYTHING)]
