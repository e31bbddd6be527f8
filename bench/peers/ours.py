"""This SDK as its users use it: sessions, event streams, the blocking facade, and the codec.

``MXGW_PURE=1`` in the environment makes it interpreted.
"""

from __future__ import annotations

import asyncio
import platform
from importlib.metadata import version
from typing import Any

from zb_mom_ww_mxgateway import DataChange, GatewayClient, Session, sync
from zb_mom_ww_mxgateway_wire.compiled import codec_kind

from . import loop, native, ours_codec as codec
from .reading import statuses


def _data_change(event: object) -> object:
    assert isinstance(event, DataChange)
    return (
        event.worker_sequence,
        event.server_handle,
        event.item_handle,
        event.value,
        event.quality,
        event.timestamp_ns,
        statuses(event.statuses),
    )


class Calls:
    """What is called in a session, with native values going in and coming out."""

    def __init__(self, client: GatewayClient, session: Session) -> None:
        self.client = client
        self.session = session

    @classmethod
    async def connect(cls, endpoint: str, session: str) -> Calls:
        client = await GatewayClient.connect(endpoint, api_key=native.API_KEY, plaintext=True)
        return cls(client, client.session(session))

    async def ping(self, count: int) -> object:
        await self.session.ping(native.PING)
        return None

    async def read_bulk(self, count: int) -> object:
        results = await self.session.read_bulk(native.SERVER_HANDLE, native.tags(count))
        return [codec.result(each) for each in results]

    async def write_bulk(self, count: int) -> object:
        entries = codec.entries(native.writes(count))
        results = await self.session.write_bulk(native.SERVER_HANDLE, entries)
        return [codec.written(each) for each in results]

    async def events(self, count: int) -> object:
        async with self.session.stream_events() as events:
            return [_data_change(event) async for event in events]


def _calling(runner: asyncio.Runner, name: str) -> loop.Prepare:
    def prepare(endpoint: str, session: str, count: int, **how: Any) -> loop.Case:
        calls = runner.run(Calls.connect(endpoint, session))
        method = getattr(calls, name)
        return loop.awaited(runner, lambda: method(count), calls.client.close, **how)

    return prepare


def _blocking_read(endpoint: str, session: str, count: int) -> loop.Case:
    client = sync.GatewayClient.connect(endpoint, api_key=native.API_KEY, plaintext=True)
    opened = client.session(session)

    def call() -> object:
        results = opened.read_bulk(native.SERVER_HANDLE, native.tags(count))
        return [codec.result(each) for each in results]

    return loop.blocking(call, client.close)


def _blocking_events(endpoint: str, session: str, count: int) -> loop.Case:
    client = sync.GatewayClient.connect(endpoint, api_key=native.API_KEY, plaintext=True)
    opened = client.session(session)

    def call() -> object:
        with opened.stream_events() as events:
            return [_data_change(event) for event in events]

    return loop.blocking(call, client.close)


def main() -> None:
    """Serve the cases of this SDK."""
    with asyncio.Runner() as runner:
        loop.serve(
            {
                "python": platform.python_version(),
                "versions": {
                    name: version(name) for name in ("zb-mom-ww-mxgateway", "grpclib", "h2")
                },
                "compiled": codec_kind("zb_mom_ww_mxgateway_contracts") == "compiled",
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
