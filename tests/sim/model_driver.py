"""Leads a session of the model and one of a simulated gateway side by side, and compares them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from itertools import count
from typing import Any, TypeVar

from grpclib.client import Channel
from grpclib.exceptions import GRPCError

import zb_mom_ww_mxgateway_contracts.mxaccess_gateway_v1 as contract
from zb_mom_ww_mxgateway_contracts.google_protobuf import Timestamp
from zb_mom_ww_mxgateway_contracts.mxaccess_gateway_v1 import (
    MxArray,
    MxCommand,
    MxCommandKind,
    MxCommandReply,
    MxCommandRequest,
    MxDataType,
    MxEvent,
    MxSparseArray,
    MxSparseElement,
    MxStatusProxy,
    MxValue,
    ProtocolStatusCode,
    StreamEventsRequest,
)
from zb_mom_ww_mxgateway_contracts.mxaccess_gateway_v1.commands import COMMANDS
from zb_mom_ww_mxgateway_contracts.mxaccess_gateway_v1.services import (
    MxAccessGatewayMethods as Rpc,
    MxAccessGatewayStub,
)

from .conftest import ChannelTransport
from .model import Event, Item, Registration, Session, Write, check_well_formed
from .model_plant import CallFailedError, Reading, RefusedError, Status
from .model_values import MEMBERS, Many, Scalar, Sent, Single, Value

R = TypeVar("R")

#: Commands that never reach MXAccess and so have no HRESULT.
OF_THE_WORKER = {"ping", "get_session_state", "get_worker_info", "drain_events"}
#: How long the gateway may take for what it does at once, in seconds.
PATIENCE = 5.0


def mx_value(sent: Sent) -> MxValue:
    """A value of the model as the contract has it."""
    if isinstance(sent, Single):
        return (
            MxValue(**{sent.member: _sent(sent.value, sent.member)}) if sent.member else MxValue()
        )
    if isinstance(sent, Many):
        name = sent.member.removesuffix("_value")
        elements = getattr(contract, f"{name.capitalize()}Array")
        values = elements(values=[_sent(value, sent.member) for value in sent.values])
        array = MxArray(dimensions=list(sent.dimensions), **{f"{name}_values": values})
        return MxValue(array_value=array)
    return MxValue(
        sparse_array_value=MxSparseArray(
            element_data_type=MxDataType[sent.element_type],
            total_length=sent.length,
            elements=[
                MxSparseElement(index=index, value=mx_value(value))
                for index, value in sent.elements
            ],
        )
    )


def _sent(value: Scalar | bytes | None, member: str) -> Any:
    if member == "timestamp_value":
        assert isinstance(value, int)
        return Timestamp.from_nanoseconds(value)
    return value


def _plain(value: object) -> Scalar:
    if isinstance(value, Timestamp):
        return value.to_nanoseconds()
    assert isinstance(value, bool | int | float | str)
    return value


def value_of(mx: MxValue | None) -> tuple[str, Value] | None:
    """Data type and value of what the gateway sent, each in the member that its type has."""
    if mx is None:
        return None
    member = MEMBERS[mx.data_type.name]
    if mx.array_value is None:
        assert mx.which_kind() == member, mx
        return mx.data_type.name, _plain(getattr(mx, member))
    array = mx.array_value
    assert array.element_data_type is mx.data_type, mx
    assert array.which_values() in (f"{member}s", None), mx
    elements = getattr(array, f"{member}s")
    values = tuple(_plain(value) for value in elements.values) if elements else ()
    assert list(array.dimensions) == [len(values)], mx
    return mx.data_type.name, values


def status_of(statuses: list[MxStatusProxy]) -> Status:
    """The first status, which is the one that counts."""
    assert len(statuses) == 1, statuses
    assert statuses[0].success == (-1 if statuses[0].category.name == "OK" else 0)
    return Status(statuses[0].category.name, statuses[0].detail)


def assert_reads(shown: Any, expected: Reading) -> None:
    """Compare what an event or a read shows with a reading of the model."""
    assert status_of(shown.statuses) == expected.status
    assert shown.quality == expected.quality
    value = None if expected.value is None else (expected.data_type, expected.value)
    assert value_of(shown.value) == value
    if expected.time is not None:
        assert shown.source_timestamp.to_nanoseconds() == expected.time


def assert_event(event: MxEvent, expected: Event, sequence: int) -> None:
    """Compare an event with one of the model."""
    assert event.worker_sequence == sequence
    assert event.family.name == expected.family
    assert event.item_handle == expected.item_handle
    assert event.server_handle == expected.server_handle
    if expected.family == "ON_DATA_CHANGE":
        assert event.on_data_change is not None
        assert_reads(event, expected.reading)
    else:
        assert event.on_write_complete is not None
        assert status_of(event.statuses) == expected.reading.status


class Reader:
    """An event stream that is read in the background, from ``attached`` on."""

    def __init__(self, channel: Channel, metadata: dict[str, str], request: StreamEventsRequest):
        self.attached: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.events: asyncio.Queue[MxEvent | None] = asyncio.Queue()
        self._task = asyncio.create_task(self._read(channel, metadata, request))

    async def _read(
        self, channel: Channel, metadata: dict[str, str], request: StreamEventsRequest
    ) -> None:
        method = Rpc.STREAM_EVENTS
        try:
            async with channel.request(
                method.path, method.cardinality, method.request, method.reply, metadata=metadata
            ) as stream:
                await stream.send_message(request, end=True)
                await stream.recv_initial_metadata()
                self.attached.set_result(None)
                async for event in stream:
                    self.events.put_nowait(event)
            self.events.put_nowait(None)
        except GRPCError as error:
            if self.attached.done():
                raise
            self.attached.set_exception(error)

    async def drop(self) -> None:
        """Hang up."""
        self._task.cancel()
        await asyncio.wait([self._task])
        if not self._task.cancelled():
            self._task.result()


class Pair:
    """One session, as the model has it and as the gateway does."""

    def __init__(
        self, model: Session, session_id: str, channel: Channel, transport: ChannelTransport
    ) -> None:
        self.model = model
        self.id = session_id
        self.reader: Reader | None = None
        self._channel = channel
        self._transport = transport
        self._stub = MxAccessGatewayStub(transport)
        self._numbers = count()
        #: Every handle that the gateway gave out; none may come twice.
        self.server_handles: list[int] = []
        self.item_handles: list[int] = []

    async def invoke(
        self, command: str, expect: Callable[[], R], *values: Sent, **fields: Any
    ) -> tuple[R, Any] | None:
        """Run a command on both sides; the model's result and the reply's payload if it succeeds.

        Args:
            command: Its name.
            expect: What the model does.
            values: What is written.
            fields: Those of the command.
        """
        wanted: R | CallFailedError | RefusedError
        try:
            check_well_formed(values)
            self.model.require_ready()
            wanted = expect()
        except (CallFailedError, RefusedError) as failure:
            wanted = failure
        reply, status = None, "OK"
        try:
            reply = await self._send(command, fields)
        except GRPCError as error:
            status = error.status.name
        if isinstance(wanted, CallFailedError) or reply is None:
            assert status == str(wanted), f"{command} ended with {status}, not with {wanted}"
            return None
        assert reply.protocol_status is not None
        code = reply.protocol_status.code
        if isinstance(wanted, RefusedError):
            assert code is ProtocolStatusCode.MXACCESS_FAILURE, f"{command} must be refused"
            assert reply.hresult == wanted.hresult
            assert status_of(reply.statuses) == wanted.status
            assert reply.which_payload() is None
            return None
        assert code is ProtocolStatusCode.OK, f"{command} failed: {reply.protocol_status}"
        assert reply.hresult == (None if command in OF_THE_WORKER else 0)
        spec = COMMANDS[command]
        assert reply.which_payload() == spec.reply_member
        payload: Any = getattr(reply, spec.reply_member) if spec.reply_member else None
        return wanted, payload

    async def _send(self, command: str, fields: dict[str, Any]) -> MxCommandReply:
        spec = COMMANDS[command]
        correlation_id = f"{self.id}-{next(self._numbers)}"
        body: Any = {spec.member: spec.payload(**fields)}
        reply = await self._stub.invoke(
            MxCommandRequest(
                session_id=self.id,
                client_correlation_id=correlation_id,
                command=MxCommand(kind=MxCommandKind(spec.kind), **body),
            )
        )
        # Replies echo the client's correlation id.
        assert (reply.session_id, reply.correlation_id) == (self.id, correlation_id)
        assert reply.kind == spec.kind
        return reply

    def name_registration(self, made: Registration, handle: int) -> None:
        """Take the handle that the gateway gave a registration: positive, and a new one."""
        assert handle > 0
        assert handle not in self.server_handles
        self.server_handles.append(handle)
        made.handle = handle

    def name_item(self, made: Item, handle: int) -> None:
        """The same for an item."""
        self.use_item_handle(handle)
        made.handle = handle

    def use_item_handle(self, handle: int) -> None:
        """Note that a handle was given to an item, if only for a moment."""
        assert handle > 0
        assert handle not in self.item_handles
        self.item_handles.append(handle)

    async def attach(self, after: int) -> None:
        """Open the event stream on both sides, or a second one, which is refused."""
        wanted: int | CallFailedError | None
        try:
            wanted = self.model.attach(after)
        except CallFailedError as failure:
            wanted = failure
        request = StreamEventsRequest(session_id=self.id, after_worker_sequence=after)
        reader = Reader(self._channel, self._transport.metadata, request)
        status = "OK"
        try:
            async with asyncio.timeout(PATIENCE):
                await reader.attached
        except GRPCError as error:
            status = error.status.name
        if isinstance(wanted, CallFailedError) or status != "OK":
            await reader.drop()
            assert status == str(wanted), f"the stream ended with {status}, not with {wanted}"
            return
        self.reader = reader
        if wanted is not None:
            marker = await self._next_event()
            assert marker.family.name == "UNSPECIFIED"
            assert marker.which_body() is None
            assert marker.replay_gap is not None
            assert marker.replay_gap.requested_after_sequence == after
            assert marker.replay_gap.oldest_available_sequence == wanted

    async def detach(self) -> None:
        """Drop the event stream; the gateway has noticed when this returns."""
        if self.reader is not None:
            await self.reader.drop()
            self.reader = None
            self.model.detach()
            await self.invoke("ping", lambda: None)

    async def _next_event(self) -> MxEvent:
        assert self.reader is not None
        async with asyncio.timeout(PATIENCE):
            event = await self.reader.events.get()
        assert event is not None, "the stream ended early"
        return event

    async def compare_events(self) -> None:
        """Read as many events as the model has raised, and compare each."""
        if self.reader is None:
            return
        for _ in range(self.model.drain(0)):
            self.take_event(await self._next_event())

    async def drain(self, limit: int) -> None:
        """Take queued events by DrainEvents, and compare each."""
        expect = partial(self.model.drain, limit)
        if done := await self.invoke("drain_events", expect, max_events=limit):
            count, payload = done
            assert len(payload.events) == count
            for event in payload.events:
                self.take_event(event)

    def take_event(self, event: MxEvent) -> None:
        """Compare an event with the next one that the model has."""
        sequence, expected = self.model.take(event.item_handle)
        assert_event(event, expected, sequence)

    async def assert_ended(self) -> None:
        """The stream of a closed session has ended, without an error and without more events."""
        if self.reader is not None:
            async with asyncio.timeout(PATIENCE):
                assert await self.reader.events.get() is None
            await self.reader.drop()
            self.reader = None
            self.model.is_attached = False


def write_fields(write: Write, *, bulk: bool) -> dict[str, Any]:
    """The fields of a write command without its time, or of an entry of a bulk."""
    fields: dict[str, Any] = {"item_handle": write.item, "value": mx_value(write.value)}
    if not bulk:
        fields["server_handle"] = write.server
    if write.signers is None:
        return {**fields, "user_id": write.user}
    current, verifier = write.signers
    return {**fields, "current_user_id": current, "verifier_user_id": verifier}
