"""Alarm calls to a gateway whose answers a test chooses: what is sent, and which failures raise."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from grpclib.server import Stream

from tests.sdk.fixed import KEY, FixedGateway, client_of
from zb_mom_ww_mxgateway import (
    GatewayClient,
    MxAccessError,
    MxGatewayCommandError,
    MxGatewayTimeoutError,
    MxStatusCategory,
    MxStatusProxy,
    ProtocolStatus,
    ProtocolStatusCode,
)
from zb_mom_ww_mxgateway_contracts.mxaccess_gateway_v1 import (
    AcknowledgeAlarmReply,
    AcknowledgeAlarmRequest,
    ActiveAlarmSnapshot,
    AlarmFeedMessage,
    QueryActiveAlarmsRequest,
    StreamAlarmsRequest,
)


class AlarmGateway(FixedGateway):
    """Notes what is asked about alarms, and answers acknowledgements as a test wants."""

    def __init__(self) -> None:
        super().__init__()
        self.answer = AcknowledgeAlarmReply()
        self.ids: list[str] = []
        self.prefixes: list[str] = []
        self.hang = False

    async def acknowledge_alarm(
        self, stream: Stream[AcknowledgeAlarmRequest, AcknowledgeAlarmReply]
    ) -> None:
        request = await stream.recv_message()
        assert request is not None
        self.ids.append(request.client_correlation_id)
        await stream.send_message(self.answer)

    async def stream_alarms(self, stream: Stream[StreamAlarmsRequest, AlarmFeedMessage]) -> None:
        request = await stream.recv_message()
        assert request is not None
        self.ids.append(request.client_correlation_id)
        self.prefixes.append(request.alarm_filter_prefix)

    async def query_active_alarms(
        self, stream: Stream[QueryActiveAlarmsRequest, ActiveAlarmSnapshot]
    ) -> None:
        request = await stream.recv_message()
        assert request is not None
        self.ids.append(request.client_correlation_id)
        self.prefixes.append(request.alarm_filter_prefix)
        if self.hang:
            await asyncio.Event().wait()


@pytest.fixture
def alarm_gateway() -> AlarmGateway:
    return AlarmGateway()


@pytest.fixture
async def noted(alarm_gateway: AlarmGateway) -> AsyncIterator[GatewayClient]:
    async with client_of(alarm_gateway, call_timeout=0.2) as connected:
        yield connected


async def test_every_call_has_a_correlation_id_of_its_own_unless_one_is_given(
    alarm_gateway: AlarmGateway, noted: GatewayClient
) -> None:
    for _ in range(2):
        await noted.acknowledge_alarm("Galaxy!A.B")
        assert [message async for message in noted.stream_alarms("Galaxy!A")] == []
        assert [alarm async for alarm in noted.query_active_alarms("Galaxy!B")] == []
    assert all(alarm_gateway.ids)
    assert len(set(alarm_gateway.ids)) == 6
    assert alarm_gateway.prefixes == ["Galaxy!A", "Galaxy!B"] * 2
    alarm_gateway.ids.clear()
    await noted.acknowledge_alarm("Galaxy!A.B", correlation_id="given")
    assert [message async for message in noted.stream_alarms(correlation_id="given")] == []
    assert [alarm async for alarm in noted.query_active_alarms(correlation_id="given")] == []
    assert alarm_gateway.ids == ["given"] * 3


async def test_raw_calls_send_the_request_as_it_is(
    alarm_gateway: AlarmGateway, noted: GatewayClient
) -> None:
    await noted.acknowledge_alarm_raw(AcknowledgeAlarmRequest())
    feed = noted.stream_alarms_raw(StreamAlarmsRequest(alarm_filter_prefix="a"))
    assert [message async for message in feed] == []
    query = noted.query_active_alarms_raw(QueryActiveAlarmsRequest(alarm_filter_prefix="b"))
    assert [alarm async for alarm in query] == []
    assert alarm_gateway.ids == ["", "", ""]
    assert alarm_gateway.prefixes == ["a", "b"]


@pytest.mark.parametrize(
    "answer",
    [
        AcknowledgeAlarmReply(hresult=-2147024809),
        AcknowledgeAlarmReply(
            status=MxStatusProxy(category=MxStatusCategory.OPERATIONAL_ERROR), hresult=0
        ),
        AcknowledgeAlarmReply(
            protocol_status=ProtocolStatus(code=ProtocolStatusCode.MXACCESS_FAILURE),
            diagnostic_message=f"not with {KEY}",
        ),
    ],
)
async def test_an_acknowledgement_that_mxaccess_refuses_raises_unless_it_is_raw(
    alarm_gateway: AlarmGateway, noted: GatewayClient, answer: AcknowledgeAlarmReply
) -> None:
    alarm_gateway.answer = answer
    with pytest.raises(MxAccessError, match=r"'Galaxy!A\.B' at fixed:1") as caught:
        await noted.acknowledge_alarm("Galaxy!A.B", "a comment", "joe")
    assert caught.value.reply == answer
    assert KEY not in str(caught.value)
    assert "a comment" not in str(caught.value)
    request = AcknowledgeAlarmRequest(alarm_full_reference="Galaxy!A.B")
    assert await noted.acknowledge_alarm_raw(request) == answer


@pytest.mark.parametrize(
    "answer",
    [
        AcknowledgeAlarmReply(),
        AcknowledgeAlarmReply(hresult=0, status=MxStatusProxy(success=0)),
        AcknowledgeAlarmReply(hresult=1, status=MxStatusProxy(category=MxStatusCategory.WARNING)),
    ],
)
async def test_an_acknowledgement_without_a_failure_is_a_success(
    alarm_gateway: AlarmGateway, noted: GatewayClient, answer: AcknowledgeAlarmReply
) -> None:
    alarm_gateway.answer = answer
    assert await noted.acknowledge_alarm("Galaxy!A.B") == answer


async def test_a_gateway_that_refuses_an_acknowledgement_raises_for_raw_calls_too(
    alarm_gateway: AlarmGateway, noted: GatewayClient
) -> None:
    alarm_gateway.answer.protocol_status = ProtocolStatus(
        code=ProtocolStatusCode.INVALID_REQUEST, message="not here"
    )
    for call in (
        noted.acknowledge_alarm("Galaxy!A.B"),
        noted.acknowledge_alarm_raw(AcknowledgeAlarmRequest(alarm_full_reference="Galaxy!A.B")),
    ):
        with pytest.raises(MxGatewayCommandError, match="not here") as caught:
            await call
        assert not isinstance(caught.value, MxAccessError)
        assert caught.value.reply == alarm_gateway.answer


async def test_a_query_that_does_not_end_runs_into_the_call_timeout(
    alarm_gateway: AlarmGateway, noted: GatewayClient
) -> None:
    alarm_gateway.hang = True
    with pytest.raises(MxGatewayTimeoutError, match="QueryActiveAlarms"):
        await anext(noted.query_active_alarms())
