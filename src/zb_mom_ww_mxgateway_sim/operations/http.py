"""The optional port for operators: ``GET /metrics`` and ``GET /health/live``.

A protocol on the gateway's own event loop, without tasks or threads: it answers if, and only if,
the loop that serves the gateway's clients is alive, and what is read for a scrape stands still.
"""

from __future__ import annotations

import asyncio
import re
import socket
from collections.abc import Callable
from contextlib import suppress
from http import HTTPStatus
from typing import Final

from zb_mom_ww_mxgateway.errors import MxGatewayArgumentError

from .metrics import Metrics, Snapshot

#: Bytes that a request's line and headers may have.
MAX_REQUEST: Final = 8_192
#: Connections at once; one more, and the oldest is hung up on.
MAX_CONNECTIONS: Final = 64
#: Seconds that a client has to ask and to read the answer.
PATIENCE: Final = 10.0
#: Turns of the loop from a client's accepted socket to its protocol.
_ACCEPTING_TURNS: Final = 3

_HEAD_END: Final = re.compile(rb"\r?\n\r?\n")
_REQUEST_LINE: Final = re.compile(rb"([!-~]+) ([!-~]+) HTTP/1\.[0-9]\r?")
_TEXT: Final = "text/plain; charset=utf-8"


class OperationsServer:
    """Serves the metrics of a gateway, and whether it is alive, while it is started.

    Args:
        metrics: What the gateway has counted.
        snapshot: How it is now; called for each scrape, on the loop.
        host: The address to listen on.
        port: The port to listen on; 0 takes a free one.

    Raises:
        MxGatewayArgumentError: prometheus-client is not installed.
    """

    def __init__(
        self,
        metrics: Metrics,
        snapshot: Callable[[], Snapshot],
        *,
        host: str = "127.0.0.1",
        port: int = 0,
    ) -> None:
        try:
            from .prometheus import CONTENT_TYPE, Exposition
        except ImportError as error:
            raise MxGatewayArgumentError(
                f"metrics on {host}:{port} need prometheus-client, which is not installed; "
                'install "zb-mom-ww-mxgateway[sim]"'
            ) from error
        self._host = host
        self._port = port
        exposition = Exposition(metrics, snapshot)
        self._pages: dict[str, Callable[[], tuple[str, bytes]]] = {
            "/metrics": lambda: (CONTENT_TYPE, exposition.text()),
            "/health/live": lambda: (_TEXT, b"ok\n"),
        }
        self._server: asyncio.Server | None = None
        self._connections: dict[_Connection, None] = {}  # the oldest first
        self._ending = 0  # those that were hung up on and are still there
        self._alone = asyncio.Event()
        self._alone.set()

    @property
    def endpoint(self) -> str:
        """Where it listens, ``host:port``; once started, with the port that was taken."""
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"{host}:{self._port}"

    async def start(self) -> None:
        """Listen.

        Raises:
            OSError: It cannot listen there.
        """
        if self._server is not None:
            raise RuntimeError("an operations server starts once")
        loop = asyncio.get_running_loop()
        # The first address alone, or a free port would be another one for each address.
        infos = await loop.getaddrinfo(self._host, self._port, type=socket.SOCK_STREAM)
        address = infos[0][4]
        self._server = await loop.create_server(self._connection, str(address[0]), self._port)
        self._port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        """Stop listening and hang up on everybody; again, or before ``start``, is harmless."""
        if self._server is None:
            return
        await _stop_accepting(self._server)
        for connection in self._connections:
            connection.abort()
        await self._alone.wait()
        await self._server.wait_closed()

    def _connection(self) -> _Connection:
        return _Connection(self)

    def admit(self, connection: _Connection) -> None:
        """A connection is there."""
        if len(self._connections) >= MAX_CONNECTIONS:
            oldest = next(iter(self._connections))
            # Not counted any more, though it is gone only later: others may come meanwhile.
            del self._connections[oldest]
            self._ending += 1
            oldest.abort()
        self._connections[connection] = None
        self._alone.clear()

    def forget(self, connection: _Connection) -> None:
        """A connection is gone."""
        if connection in self._connections:
            del self._connections[connection]
        else:
            self._ending -= 1
        if not (self._connections or self._ending):
            self._alone.set()

    def answer(self, head: bytes) -> bytes:
        """The response to a request's line and headers."""
        asked = _REQUEST_LINE.fullmatch(head.partition(b"\n")[0])
        if asked is None:
            return response(HTTPStatus.BAD_REQUEST)
        page = self._pages.get(asked[2].partition(b"?")[0].decode("ascii"))
        if page is None:
            return response(HTTPStatus.NOT_FOUND)
        if asked[1] != b"GET":
            return response(HTTPStatus.METHOD_NOT_ALLOWED, "Allow: GET")
        content_type, body = page()
        return response(HTTPStatus.OK, content_type=content_type, body=body)


async def _stop_accepting(server: asyncio.Server) -> None:
    """Close a server so that each client accepted before has its protocol when this returns.

    asyncio's own way loses one that is half accepted: its socket stays open until it is collected.
    """
    loop = asyncio.get_running_loop()
    for listening in server.sockets:
        with suppress(NotImplementedError):  # Windows, where clients are accepted in one step
            loop.remove_reader(listening)
    for _ in range(_ACCEPTING_TURNS):
        await asyncio.sleep(0)
    server.close()
    await asyncio.sleep(0)


class _Connection(asyncio.Protocol):
    """One client: one request, one response, and the end; or the end after ``PATIENCE``."""

    def __init__(self, server: OperationsServer) -> None:
        self._server = server
        self._received = bytearray()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._timer = asyncio.get_running_loop().call_later(PATIENCE, self.abort)
        self._server.admit(self)

    def connection_lost(self, exc: BaseException | None) -> None:
        self._timer.cancel()
        self._server.forget(self)

    def abort(self) -> None:
        """Hang up at once."""
        self._transport.abort()

    def data_received(self, data: bytes) -> None:
        self._received += data
        end = _HEAD_END.search(self._received)
        if (end.start() if end else len(self._received)) > MAX_REQUEST:
            self._send(response(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE))
        elif end:
            self._send(self._server.answer(bytes(self._received[: end.start()])))

    def _send(self, answer: bytes) -> None:
        self._transport.write(answer)
        self._transport.close()  # nothing more is read: no body, no other request


def response(
    status: HTTPStatus,
    *headers: str,
    content_type: str = _TEXT,
    body: bytes | None = None,
) -> bytes:
    """A whole response; without ``body`` the status' own words."""
    content = f"{status.phrase}\n".encode() if body is None else body
    lines = [
        f"HTTP/1.1 {status.value} {status.phrase}",
        f"Content-Type: {content_type}",
        f"Content-Length: {len(content)}",
        "Cache-Control: no-store",
        "Connection: close",
        *headers,
    ]
    return "\r\n".join([*lines, "", ""]).encode("ascii") + content
