"""What tests of alarms have in common: readers of the feed, and a plant whose alarms they raise."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from typing import Any

from zb_mom_ww_mxgateway.values import from_mx_value
from zb_mom_ww_mxgateway_contracts.mxaccess_gateway_v1 import (
    AcknowledgeAlarmRequest,
    ActiveAlarmSnapshot,
    AlarmFeedMessage,
    AlarmTransitionKind,
    OnAlarmTransitionEvent,
    QueryActiveAlarmsRequest,
    StreamAlarmsRequest,
)

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
