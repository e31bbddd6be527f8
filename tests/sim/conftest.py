"""Drives the simulator through the generated stub, over a real socket or grpclib's ChannelFor."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, aclosing
from types import SimpleNamespace
from typing import Any

import pytest
from grpclib.client import Channel
from grpclib.config import Configuration
from grpclib.const import Status
from grpclib.exceptions import GRPCError

from zb_mom_ww_mxgateway.values import to_mx_value
from zb_mom_ww_mxgateway_contracts.mxaccess_gateway_v1 import (
    CloseSessionRequest,
    MxCommand,
    MxCommandReply,
    MxCommandRequest,
    MxEvent,
    MxEventFamily,
    OpenSessionRequest,
    ProtocolStatusCode,
    StreamEventsRequest,
)
from zb_mom_ww_mxgateway_contracts.mxaccess_gateway_v1.commands import COMMANDS
from zb_mom_ww_mxgateway_contracts.mxaccess_gateway_v1.services import MxAccessGatewayStub
from zb_mom_ww_mxgateway_sim import SimulatedGateway
from zb_mom_ww_mxgateway_wire.grpc import MessageCodec, Metadata, Method


class ChannelTransport:
    """The two kinds of call that the gateway has, over a grpclib channel, with an API key."""

    def __init__(self, channel: Channel, api_key: str | None) -> None:
        self.channel = channel
        self.metadata = {"authorization": f"Bearer {api_key}"} if api_key else {}

    def _open(self, method: Method, timeout: float | None, metadata: Metadata | None) -> Any:
        return self.channel.request(
            method.path,
            method.cardinality,
            method.request,
            method.reply,
            timeout=timeout,
            metadata={**self.metadata, **(metadata or {})},
        )

    async def unary_unary(
        self,
        method: Method,
        request: Any,
        *,
        timeout: float | None,
        metadata: Metadata | None,
    ) -> Any:
        async with self._open(method, timeout, metadata) as stream:
            await stream.send_message(request, end=True)
            reply = await stream.recv_message()
        assert reply is not None
        return reply

    async def unary_stream(
        self,
        method: Method,
        request: Any,
        *,
        timeout: float | None,
        metadata: Metadata | None,
    ) -> AsyncIterator[Any]:
        async with self._open(method, timeout, metadata) as stream:
            await stream.send_message(request, end=True)
            async for message in stream:
                yield message


class Events:
    """Reads an event stream in the background; a context manager that drops it."""

    def __init__(self, stub: MxAccessGatewayStub, request: StreamEventsRequest) -> None:
        self._stub = stub
        self._request = request
        self._queue: asyncio.Queue[MxEvent | GRPCError | None] = asyncio.Queue()
        self.seen: list[MxEvent] = []

    async def __aenter__(self) -> Events:
        self._task = asyncio.create_task(self._read())
        return self

    async def __aexit__(self, *exc: object) -> None:
        self._task.cancel()
        await asyncio.wait([self._task])

    async def _read(self) -> None:
        try:
            async with aclosing(self._stub.stream_events(self._request)) as stream:
                async for event in stream:
                    self._queue.put_nowait(event)
            self._queue.put_nowait(None)
        except GRPCError as error:
            self._queue.put_nowait(error)

    async def next(self, within: float = 5.0) -> MxEvent:
        """The next event; the stream must not end."""
        async with asyncio.timeout(within):
            item = await self._queue.get()
        if isinstance(item, GRPCError):
            raise item
        assert item is not None, "the stream ended"
        self.seen.append(item)
        return item

    async def take(self, count: int) -> list[MxEvent]:
        """The next ``count`` events."""
        return [await self.next() for _ in range(count)]

    async def next_of(self, family: MxEventFamily) -> MxEvent:
        """The next event of a family; others are passed over."""
        while (event := await self.next()).family != family:
            pass
        return event

    async def end(self) -> list[MxEvent]:
        """The rest of a stream that ends by itself, without an error."""
        rest: list[MxEvent] = []
        while True:
            async with asyncio.timeout(5):
                item = await self._queue.get()
            if isinstance(item, GRPCError):
                raise item
            if item is None:
                return rest
            rest.append(item)

    async def quiet(self, seconds: float = 0.05) -> bool:
        """Whether nothing arrives for a while."""
        await asyncio.sleep(seconds)
        return self._queue.empty()


class SessionDriver:
    """One session: commands by name."""

    def __init__(self, stub: MxAccessGatewayStub, session_id: str) -> None:
        self.stub = stub
        self.id = session_id

    async def invoke(
        self, command: str, *, correlation_id: str = "", within: float | None = None, **fields: Any
    ) -> MxCommandReply:
        """Run a command and return its reply, whatever it says."""
        spec = COMMANDS[command]
        payload: Any = spec.payload(**fields)
        request = MxCommandRequest(
            session_id=self.id,
            client_correlation_id=correlation_id,
            command=MxCommand(kind=spec.kind, **{spec.member: payload}),
        )
        return await self.stub.invoke(request, timeout=within)

    async def do(self, command: str, **fields: Any) -> Any:
        """Run a command that must succeed and return its payload's one field, or nothing."""
        spec = COMMANDS[command]
        reply = await self.invoke(command, **fields)
        assert reply.protocol_status is not None
        assert reply.protocol_status.code == ProtocolStatusCode.OK, reply
        if spec.reply_member is None:
            assert reply.which_payload() is None
            return None
        payload = getattr(reply, spec.reply_member)
        assert payload is not None, "an OK reply carries its payload"
        return getattr(payload, spec.result_field) if spec.result_field else payload

    async def subscribed(self, *tags: str) -> tuple[int, list[int]]:
        """A new registration with these tags subscribed: its handle and theirs."""
        server = await self.do("register", client_name="test")
        results = await self.do("subscribe_bulk", server_handle=server, tag_addresses=list(tags))
        assert all(result.was_successful for result in results)
        return server, [result.item_handle for result in results]

    async def write(self, server: int, item: int, value: Any, **fields: Any) -> MxCommandReply:
        """Write a plain value."""
        return await self.invoke(
            "write", server_handle=server, item_handle=item, value=to_mx_value(value), **fields
        )

    def events(self, after: int = 0) -> Events:
        """The event stream."""
        request = StreamEventsRequest(session_id=self.id, after_worker_sequence=after)
        return Events(self.stub, request)

    async def close(self) -> Any:
        """Close the session."""
        return await self.stub.close_session(CloseSessionRequest(session_id=self.id))


class Client:
    """A client of the gateway with one connection."""

    def __init__(self, channel: Channel, api_key: str | None) -> None:
        self.channel = channel
        self.transport = ChannelTransport(channel, api_key)
        self.stub = MxAccessGatewayStub(self.transport)

    async def call(self, method: Method, request: Any) -> Any:
        """Any rpc with one request; its first reply."""
        transport = self.transport
        async with transport._open(method, None, None) as stream:
            await stream.send_message(request, end=True)
            return await stream.recv_message()

    async def open(self, **fields: Any) -> SessionDriver:
        """A new session."""
        reply = await self.stub.open_session(OpenSessionRequest(**fields))
        return SessionDriver(self.stub, reply.session_id)

    def session(self, session_id: str) -> SessionDriver:
        """A session that is open already."""
        return SessionDriver(self.stub, session_id)


class Site:
    """Simulated gateways and the clients of one test; all of it ends with the test."""

    def __init__(self, stack: AsyncExitStack) -> None:
        self._stack = stack

    async def gateway(self, **settings: Any) -> SimulatedGateway:
        """A gateway whose values move only by writes, unless ``change_interval`` says more."""
        settings = {"change_interval": 3600, **settings}
        return await self._stack.enter_async_context(SimulatedGateway(**settings))

    def client(
        self, gateway: SimulatedGateway, api_key: str | None = "", window: int = 4 * 2**20
    ) -> Client:
        """A client over the socket; an ``api_key`` of None sends none."""
        host, _, port = gateway.endpoint.rpartition(":")
        config = Configuration(http2_connection_window_size=window, http2_stream_window_size=window)
        channel = Channel(host, int(port), codec=MessageCodec(), config=config)
        self._stack.callback(channel.close)
        return Client(channel, gateway.api_key if api_key == "" else api_key)

    async def session(self, **settings: Any) -> SessionDriver:
        """A session in a gateway of its own."""
        return await self.client(await self.gateway(**settings)).open()


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    async with AsyncExitStack() as stack:
        yield Site(stack)


@pytest.fixture
async def session(site: Site) -> SessionDriver:
    return await site.session()


@pytest.fixture
def refused() -> Callable[[Awaitable[Any]], Awaitable[SimpleNamespace]]:
    """Await a call that must end with a gRPC error; gives its status and message."""

    async def await_refusal(call: Awaitable[Any]) -> SimpleNamespace:
        with pytest.raises(GRPCError) as caught:
            await call
        assert isinstance(caught.value.status, Status)
        return SimpleNamespace(status=caught.value.status, message=caught.value.message or "")

    return await_refusal


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Where a module's galaxy files are; hypothesis takes no folder of one test."""
    return tmp_path_factory.mktemp("galaxies")
