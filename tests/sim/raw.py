"""A client that speaks HTTP/2 by hand, to see and do what no gRPC client would."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import (
    DataReceived,
    Event,
    StreamEnded,
)

from zb_mom_ww_mxgateway_contracts.mxaccess_gateway_v1 import (
    OpenSessionReply,
    OpenSessionRequest,
)
from zb_mom_ww_mxgateway_contracts.mxaccess_gateway_v1.services import MxAccessGatewayMethods as Rpc
from zb_mom_ww_mxgateway_sim import SimulatedGateway
from zb_mom_ww_mxgateway_sim.listener import Listener


class RawClient:
    """A client that speaks HTTP/2 by hand."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, api_key: str
    ) -> None:
        self.reader = reader
        self.writer = writer
        self.h2 = H2Connection(H2Configuration(header_encoding="utf-8"))
        self.h2.initiate_connection()
        self.seen: list[Event] = []
        self._api_key = api_key
        self.flush()

    def flush(self) -> None:
        self.writer.write(self.h2.data_to_send())

    def call(self, path: str, message: Any = None, **headers: str) -> int:
        """Begin a call; without a message, the request is not complete."""
        number = self.h2.get_next_available_stream_id()
        named = {
            ":method": "POST",
            ":scheme": "http",
            ":path": path,
            ":authority": "gateway",
            "te": "trailers",
            "content-type": "application/grpc",
            "authorization": f"Bearer {self._api_key}",
            **headers,
        }
        self.h2.send_headers(number, list(named.items()))
        if message is not None:
            body = bytes(message)
            framed = b"\0" + len(body).to_bytes(4, "big") + body
            self.h2.send_data(number, framed, end_stream=True)
        self.flush()
        return number

    async def until(self, kind: type[Event], number: int | None = None) -> Any:
        """The next event of a kind, of that call if one is given."""
        async with asyncio.timeout(5):
            while True:
                for event in self.seen:
                    of_call = number is None or getattr(event, "stream_id", None) == number
                    if isinstance(event, kind) and of_call:
                        self.seen.remove(event)
                        return event
                received = await self.reader.read(65_536)
                assert received, f"closed before {kind.__name__}, after {self.seen}"
                self.seen += self.h2.receive_data(received)
                self.flush()

    async def closed(self) -> bool:
        """Whether the gateway closes the connection, rather than to reset it."""
        async with asyncio.timeout(5):
            try:
                while received := await self.reader.read(65_536):
                    self.seen += self.h2.receive_data(received)
            except ConnectionResetError:
                return False
        return True


@asynccontextmanager
async def raw_client(gateway: SimulatedGateway) -> AsyncIterator[RawClient]:
    host, _, port = gateway.endpoint.rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        yield RawClient(reader, writer, gateway.api_key)
    finally:
        writer.transport.abort()


async def opened(client: RawClient) -> str:
    number = client.call(Rpc.OPEN_SESSION.path, OpenSessionRequest())
    data = await client.until(DataReceived, number)
    await client.until(StreamEnded, number)
    return OpenSessionReply.FromString(data.data[5:]).session_id


def listener(gateway: SimulatedGateway) -> Listener:
    assert gateway._server is not None
    return gateway._server


async def eventually(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not holds():
            await asyncio.sleep(0.001)
