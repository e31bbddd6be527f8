"""A service of a test on a real port, and the command line as a process that talks to it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from grpclib.encoding.base import CodecBase
from grpclib.server import Server

from tests.cli.conftest import Outcome
from tests.cli.installed import MXGW, environment
from zb_mom_ww_mxgateway_cli.known_names import VARIABLE
from zb_mom_ww_mxgateway_wire.grpc import MessageCodec

if TYPE_CHECKING:
    from grpclib._typing import IServable


@asynccontextmanager
async def serving(*services: IServable, codec: CodecBase | None = None) -> AsyncGenerator[str]:
    """The endpoint of a server with these services."""
    server = Server([*services], codec=codec or MessageCodec())
    await server.start("127.0.0.1", 0)
    assert server._server is not None
    try:
        yield f"127.0.0.1:{server._server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        await server.wait_closed()


async def process(endpoint: str, *arguments: str, key: str = "") -> Outcome:
    """Run a command line as a process; it keeps no names."""
    running = await asyncio.create_subprocess_exec(
        MXGW, *arguments, "--plaintext",
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=environment(endpoint, key) | {VARIABLE: ""},
    )  # fmt: skip
    out, errors = await running.communicate()
    assert running.returncode is not None
    return Outcome(running.returncode, out.decode(), errors.decode())
