"""grpc.aio and google.protobuf, as one writes a client with the modules that protoc generates."""

from __future__ import annotations

import asyncio
import platform
import uuid
from importlib import import_module
from importlib.metadata import version
from typing import Any

from google.protobuf.internal import api_implementation

from . import loop, native, protobuf_codec as codec
from .reading import statuses

# Modules of the peer's environment: no type checker sees them.
grpc: Any = import_module("grpc")
pb: Any = import_module("mxaccess_gateway_pb2")
pb_grpc: Any = import_module("mxaccess_gateway_pb2_grpc")


def _data_change(event: Any) -> object:
    time = event.source_timestamp
    return (
        event.worker_sequence,
        event.server_handle,
        event.item_handle,
        codec.value(event.value),
        event.quality,
        time.seconds * 1_000_000_000 + time.nanos,
        statuses(event.statuses),
    )


def _checked(reply: Any) -> Any:
    """A client raises for what failed."""
    if reply.protocol_status.code != pb.PROTOCOL_STATUS_CODE_OK:
        raise RuntimeError(reply.protocol_status.message)
    if reply.HasField("hresult") and reply.hresult < 0:
        raise RuntimeError(reply.diagnostic_message)
    return reply


_METADATA = (("authorization", f"Bearer {native.API_KEY}"),)
_OPTIONS = (("grpc.max_receive_message_length", 16 * 1024 * 1024),)


class Calls:
    """What is called in a session, with native values going in and coming out."""

    def __init__(self, endpoint: str, session: str) -> None:
        self._channel = grpc.aio.insecure_channel(endpoint, options=_OPTIONS)
        self._stub = pb_grpc.MxAccessGatewayStub(self._channel)
        self._session = session

    async def close(self) -> None:
        await self._channel.close()

    async def _invoke(self, command: Any) -> Any:
        request = codec.request(self._session, uuid.uuid4().hex, command)
        reply = await self._stub.Invoke(request, metadata=_METADATA, timeout=native.CALL_TIMEOUT)
        return _checked(reply)

    async def ping(self, count: int) -> object:
        await self._invoke(codec.ping())
        return None

    async def read_bulk(self, count: int) -> object:
        reply = await self._invoke(codec.read_bulk(native.tags(count)))
        return [codec.result(each) for each in reply.read_bulk.results]

    async def write_bulk(self, count: int) -> object:
        reply = await self._invoke(codec.write_bulk(native.writes(count)))
        return [codec.written(each) for each in reply.write_bulk.results]

    async def events(self, count: int) -> object:
        request = pb.StreamEventsRequest(session_id=self._session)
        stream = self._stub.StreamEvents(request, metadata=_METADATA)
        return [_data_change(event) async for event in stream]


def _calling(runner: asyncio.Runner, name: str) -> loop.Prepare:
    def prepare(endpoint: str, session: str, count: int, **how: Any) -> loop.Case:
        async def connect() -> Calls:
            return Calls(endpoint, session)

        calls = runner.run(connect())
        method = getattr(calls, name)
        return loop.awaited(runner, lambda: method(count), calls.close, **how)

    return prepare


def _blocking_read(endpoint: str, session: str, count: int) -> loop.Case:
    channel = grpc.insecure_channel(endpoint, options=_OPTIONS)
    stub = pb_grpc.MxAccessGatewayStub(channel)

    def call() -> object:
        request = codec.request(session, uuid.uuid4().hex, codec.read_bulk(native.tags(count)))
        reply = _checked(stub.Invoke(request, metadata=_METADATA, timeout=native.CALL_TIMEOUT))
        return [codec.result(each) for each in reply.read_bulk.results]

    return loop.blocking(call, channel.close)


def _blocking_events(endpoint: str, session: str, count: int) -> loop.Case:
    channel = grpc.insecure_channel(endpoint, options=_OPTIONS)
    stub = pb_grpc.MxAccessGatewayStub(channel)
    request = pb.StreamEventsRequest(session_id=session)

    def call() -> object:
        events = stub.StreamEvents(request, metadata=_METADATA)
        return [_data_change(event) for event in events]

    return loop.blocking(call, channel.close)


def main() -> None:
    """Serve the cases of google.protobuf and grpcio."""
    with asyncio.Runner() as runner:
        loop.serve(
            {
                "python": platform.python_version(),
                "versions": {name: version(name) for name in ("grpcio", "protobuf")}
                | {"protobuf's codec": api_implementation.Type()},
            },
            {
                **loop.codec(codec.DECODE, codec.ENCODE),
                "ping": _calling(runner, "ping"),
                "read_bulk": _calling(runner, "read_bulk"),
                "write_bulk": _calling(runner, "write_bulk"),
                "events": _calling(runner, "events"),
                "blocking read_bulk": _blocking_read,
                "blocking events": _blocking_events,
            },
        )


if __name__ == "__main__":
    main()
