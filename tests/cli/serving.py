"""A service of a test on a real port, and the command line as a process that talks to it."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

from grpclib.server import Server

from tests.cli.conftest import Outcome
from zb_mom_ww_mxgateway_cli.known_names import VARIABLE
from zb_mom_ww_mxgateway_contracts.galaxy_repository_v1.services import GalaxyRepositoryBase
from zb_mom_ww_mxgateway_wire.grpc import MessageCodec

#: The command line as it is installed.
MXGW = str(Path(sys.executable).with_name("mxgw-py"))


@asynccontextmanager
async def serving(service: GalaxyRepositoryBase) -> AsyncGenerator[str]:
    """The endpoint of a server with this service."""
    server = Server([service], codec=MessageCodec())
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


def environment(endpoint: str, key: str) -> dict[str, str]:
    """This process's, with a gateway to talk to."""
    return {**os.environ, "MXGATEWAY_ENDPOINT": endpoint, "MXGATEWAY_API_KEY": key}
