# ruff: noqa: D102 - the generated base classes say what each call does
"""The gRPC services: who calls, what they ask, and which session answers."""

from __future__ import annotations

from typing import Final

from grpclib.const import Status
from grpclib.exceptions import GRPCError
from grpclib.server import Stream

from zb_mom_ww_mxgateway import GATEWAY_PROTOCOL_VERSION
from zb_mom_ww_mxgateway_contracts.google_protobuf import Duration
from zb_mom_ww_mxgateway_contracts.mxaccess_gateway_v1 import (
    AcknowledgeAlarmReply,
    AcknowledgeAlarmRequest,
    ActiveAlarmSnapshot,
    AlarmFeedMessage,
    CloseSessionReply,
    CloseSessionRequest,
    MxCommandReply,
    MxCommandRequest,
    MxEvent,
    OpenSessionReply,
    OpenSessionRequest,
    ProtocolStatus,
    ProtocolStatusCode,
    QueryActiveAlarmsRequest,
    SessionState,
    StreamAlarmsRequest,
    StreamEventsRequest,
)
from zb_mom_ww_mxgateway_contracts.mxaccess_gateway_v1.services import (
    MxAccessGatewayBase,
    MxAccessGatewayMethods as Rpc,
)
from zb_mom_ww_mxgateway_wire.grpc import MessageCodec

from .alarms import Alarms
from .calls import Calls
from .commands import Commands, worker_process_id
from .operations.observer import Observer
from .requests import Spec, read_command, reply_to
from .session import Pending, Session
from .sessions import Sessions

BACKEND: Final = "mxaccess-worker"
WORKER_PROTOCOL_VERSION: Final = 1
CAPABILITIES: Final = ("unary-acknowledge-alarm", "server-stream-active-alarms")
#: The longest message, in bytes, either way.
MAX_MESSAGE_SIZE: Final = 16 * 2**20


class GatewayCodec(MessageCodec):
    """The codec with the gateway's limit. grpclib asks it once a message is whole, not before."""

    def encode(self, message: object, message_type: type[object]) -> bytes:
        """The bytes of ``message``, if they are not too many."""
        data = super().encode(message, message_type)
        _check_size(len(data))
        return data

    def decode(self, data: bytes, message_type: type[object]) -> object:
        """A message from ``data``, if it is not too long."""
        _check_size(len(data))
        return super().decode(data, message_type)


def _check_size(size: int) -> None:
    if size > MAX_MESSAGE_SIZE:
        raise GRPCError(
            Status.RESOURCE_EXHAUSTED,
            f"a message has {size} bytes, the most is {MAX_MESSAGE_SIZE}; ask for less at once",
        )


class GatewayService(MxAccessGatewayBase):
    """Sessions, commands, events and alarms."""

    def __init__(
        self, calls: Calls, sessions: Sessions, alarms: Alarms, observer: Observer
    ) -> None:
        self._calls = calls
        self._sessions = sessions
        self._alarms = alarms
        self._observer = observer
        self._commands = Commands(alarms)

    async def open_session(self, stream: Stream[OpenSessionRequest, OpenSessionReply]) -> None:
        caller, request = await self._calls.begin(stream, Rpc.OPEN_SESSION)
        session = await self._sessions.open(
            caller, request.client_session_name, request.command_timeout
        )
        await self._calls.send(
            stream,
            Rpc.OPEN_SESSION,
            OpenSessionReply(
                session_id=session.id,
                backend_name=BACKEND,
                worker_process_id=worker_process_id(),
                worker_protocol_version=WORKER_PROTOCOL_VERSION,
                capabilities=list(CAPABILITIES),
                default_command_timeout=Duration.from_timedelta(session.command_timeout),
                protocol_status=ProtocolStatus(code=ProtocolStatusCode.OK),
                gateway_protocol_version=GATEWAY_PROTOCOL_VERSION,
            ),
        )

    async def close_session(self, stream: Stream[CloseSessionRequest, CloseSessionReply]) -> None:
        caller, request = await self._calls.begin(stream, Rpc.CLOSE_SESSION)
        await self._sessions.close(request.session_id, caller.key_id)
        await self._calls.send(
            stream,
            Rpc.CLOSE_SESSION,
            CloseSessionReply(
                session_id=request.session_id,
                final_state=SessionState.CLOSED,
                protocol_status=ProtocolStatus(code=ProtocolStatusCode.OK),
            ),
        )

    async def invoke(self, stream: Stream[MxCommandRequest, MxCommandReply]) -> None:
        caller, request = await self._calls.begin(stream, Rpc.INVOKE)
        spec, payload = read_command(request.command)
        session = self._sessions.ready(request.session_id, caller.key_id)
        session.renew()
        session.access = caller.access  # the key may have been narrowed since it opened the session
        correlation_id = request.client_correlation_id

        async def answer() -> MxCommandReply:
            reply = await self._commands.answer(session, spec, payload, correlation_id)
            # Here and not on sending: events that the command caused do not overtake its reply.
            await self._calls.conditions.due(Rpc.INVOKE.path)
            return reply

        pending = session.submit(answer)
        try:
            await stream.send_message(await self._answer(session, spec, correlation_id, pending))
            # Before the events that the command caused, so that no client sees those first.
            await stream.send_trailing_metadata()
        finally:
            pending.sent.set()

    async def _answer(
        self, session: Session, spec: Spec, correlation_id: str, pending: Pending
    ) -> MxCommandReply:
        clock, began = session.clock, session.clock.time()
        try:
            async with clock.timeout(session.command_timeout.total_seconds()):
                reply = await pending.answer() or _gone(session, spec, correlation_id)
        except TimeoutError:
            reply = _timed_out(session, spec, correlation_id)
        assert reply.protocol_status is not None
        code, seconds = reply.protocol_status.code, clock.time() - began
        self._observer.command_answered(session.id, spec.name, code, seconds)
        return reply

    async def stream_events(self, stream: Stream[StreamEventsRequest, MxEvent]) -> None:
        caller, request = await self._calls.begin(stream, Rpc.STREAM_EVENTS)
        session = self._sessions.ready(request.session_id, caller.key_id)
        with session.stream(request.after_worker_sequence) as subscriber:
            await stream.send_initial_metadata()  # tells the client that it is attached
            while (event := await subscriber.next()) is not None:
                await self._calls.send(stream, Rpc.STREAM_EVENTS, event)

    async def acknowledge_alarm(
        self, stream: Stream[AcknowledgeAlarmRequest, AcknowledgeAlarmReply]
    ) -> None:
        caller, request = await self._calls.begin(stream, Rpc.ACKNOWLEDGE_ALARM)
        reference = request.alarm_full_reference
        if not reference:
            raise GRPCError(Status.INVALID_ARGUMENT, "the request has no alarm_full_reference")
        found = self._alarms.by_reference(reference)
        comment, operator = request.comment, request.operator_user
        if not self._alarms.acknowledge(found, caller.access, comment, operator):
            raise GRPCError(
                Status.NOT_FOUND,
                f"there is no alarm {reference!r}; references are provider!group.name, as the feed "
                "of alarms gives them",
            )
        await self._calls.send(
            stream,
            Rpc.ACKNOWLEDGE_ALARM,
            AcknowledgeAlarmReply(
                correlation_id=request.client_correlation_id,
                protocol_status=ProtocolStatus(code=ProtocolStatusCode.OK),
                hresult=0,
            ),
        )

    async def stream_alarms(self, stream: Stream[StreamAlarmsRequest, AlarmFeedMessage]) -> None:
        caller, request = await self._calls.begin(stream, Rpc.STREAM_ALARMS)
        with self._alarms.follow(request.alarm_filter_prefix, caller.access) as feed:
            while True:
                await self._calls.send(stream, Rpc.STREAM_ALARMS, await feed.next())

    async def query_active_alarms(
        self, stream: Stream[QueryActiveAlarmsRequest, ActiveAlarmSnapshot]
    ) -> None:
        caller, request = await self._calls.begin(stream, Rpc.QUERY_ACTIVE_ALARMS)
        for alarm in self._alarms.active(request.alarm_filter_prefix, caller.access):
            await self._calls.send(stream, Rpc.QUERY_ACTIVE_ALARMS, alarm)


def _timed_out(session: Session, spec: Spec, correlation_id: str) -> MxCommandReply:
    text = (
        f"{spec.name} took longer than {session.command_timeout.total_seconds():g} s and runs on; "
        "check the session's state before reusing handles"
    )
    return reply_to(session, spec, correlation_id, ProtocolStatusCode.TIMEOUT, text)


def _gone(session: Session, spec: Spec, correlation_id: str) -> MxCommandReply:
    text = f"{spec.name} was not carried out: session {session.id} is {session.state.name}"
    return reply_to(session, spec, correlation_id, ProtocolStatusCode.WORKER_UNAVAILABLE, text)
