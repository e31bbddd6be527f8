"""The calls on alarms, which need no session: a part of ``GatewayClient``."""

from __future__ import annotations

from zb_mom_ww_mxgateway_contracts.mxaccess_gateway_v1 import (
    AcknowledgeAlarmReply,
    AcknowledgeAlarmRequest,
    ActiveAlarmSnapshot,
    AlarmFeedMessage,
    ProtocolStatusCode,
    QueryActiveAlarmsRequest,
    StreamAlarmsRequest,
)
from zb_mom_ww_mxgateway_contracts.mxaccess_gateway_v1.services import MxAccessGatewayStub

from .connection import Connection, new_correlation_id
from .errors import check_acknowledge, check_status
from .streams import Reader, Stream


class AlarmCalls(Connection):
    """What a client can do with alarms. Whoever derives from this has the stub."""

    _stub: MxAccessGatewayStub

    def stream_alarms(
        self, prefix: str = "", *, correlation_id: str = ""
    ) -> Stream[AlarmFeedMessage]:
        """Follow the alarms: those that are active now, and then every change.

        ``which_payload()`` of a message says what it is: ``provider_status`` at the start and
        whenever the source of alarms changes; ``active_alarm`` for each alarm that is active;
        ``snapshot_complete`` behind the last of these; and a ``transition`` for each change from
        there on. The stream does not end by itself, and any number of clients may have one.

        Args:
            prefix: Keeps only alarms whose full reference starts with this; empty keeps all.
            correlation_id: Names this call in logs; made up when empty.

        Raises:
            MxGatewayResourceExhaustedError: While reading: the gateway queued more changes than it
                keeps for a reader. A new stream starts with a new snapshot.

        Example:
            >>> async with client.stream_alarms() as feed:
            ...     async for message in feed:
            ...         if message.transition is not None:
            ...             print(message.transition.alarm_full_reference)
        """
        return self.stream_alarms_raw(
            StreamAlarmsRequest(
                client_correlation_id=correlation_id or new_correlation_id(),
                alarm_filter_prefix=prefix,
            )
        )

    def stream_alarms_raw(self, request: StreamAlarmsRequest) -> Stream[AlarmFeedMessage]:
        """Follow the alarms for a request as it is."""
        return Stream(lambda: Reader(self._stub.stream_alarms(request), lambda message: message))

    def query_active_alarms(
        self, prefix: str = "", *, correlation_id: str = ""
    ) -> Stream[ActiveAlarmSnapshot]:
        """The alarms that are active now, acknowledged or not; the stream ends behind the last.

        Args:
            prefix: Keeps only alarms whose full reference starts with this; empty keeps all.
            correlation_id: Names this call in logs; made up when empty.

        Raises:
            MxGatewayTimeoutError: While reading: not all arrived within the ``call_timeout``.

        Example:
            >>> alarms = [alarm async for alarm in client.query_active_alarms()]
        """
        return self.query_active_alarms_raw(
            QueryActiveAlarmsRequest(
                client_correlation_id=correlation_id or new_correlation_id(),
                alarm_filter_prefix=prefix,
            )
        )

    def query_active_alarms_raw(
        self, request: QueryActiveAlarmsRequest
    ) -> Stream[ActiveAlarmSnapshot]:
        """The alarms that are active now, for a request as it is."""
        limit = self._options.call_timeout
        return Stream(
            lambda: Reader(
                self._stub.query_active_alarms(request, timeout=limit), lambda alarm: alarm
            )
        )

    async def acknowledge_alarm(
        self, reference: str, comment: str = "", operator: str = "", *, correlation_id: str = ""
    ) -> AcknowledgeAlarmReply:
        """Acknowledge one alarm.

        Args:
            reference: The full reference, as ``alarm_full_reference`` of the feed gives it.
            comment: The operator's comment.
            operator: The operator on whose behalf it is acknowledged.
            correlation_id: Names this call in logs; made up when empty.

        Returns:
            The reply, for its ``diagnostic_message`` and ``correlation_id``; it is a success.

        Raises:
            MxGatewayNotFoundError: There is no alarm of that reference.
            MxAccessError: MXAccess refused it; the raw reply is in ``reply``.
        """
        request = AcknowledgeAlarmRequest(
            alarm_full_reference=reference,
            comment=comment,
            operator_user=operator,
            client_correlation_id=correlation_id or new_correlation_id(),
        )
        reply = await self.acknowledge_alarm_raw(request)
        attempted = self._acknowledging(request)
        check_acknowledge(reply, attempted=attempted, redact=self._options.redacted)
        return reply

    async def acknowledge_alarm_raw(
        self, request: AcknowledgeAlarmRequest
    ) -> AcknowledgeAlarmReply:
        """Acknowledge one alarm and return the reply as it is.

        Failures of the gateway raise; a failure of MXAccess does not: look at the reply's
        ``protocol_status``, ``hresult`` and ``status``.
        """
        reply = await self._stub.acknowledge_alarm(request)
        status = reply.protocol_status
        if status is None or status.code != ProtocolStatusCode.MXACCESS_FAILURE:
            check_status(
                status,
                attempted=self._acknowledging(request),
                reply=reply,
                redact=self._options.redacted,
            )
        return reply

    def _acknowledging(self, request: AcknowledgeAlarmRequest) -> str:
        return f"AcknowledgeAlarm of {request.alarm_full_reference!r} at {self.endpoint}"
