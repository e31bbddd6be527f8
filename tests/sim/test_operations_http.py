"""The port for operators: what it answers, and whom it does not let hold it up."""

from __future__ import annotations

import asyncio
import http.client
import socket
import sys
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeVar

import pytest
from hypothesis import given, strategies as st
from prometheus_client.parser import text_string_to_metric_families

from zb_mom_ww_mxgateway import MxGatewayArgumentError
from zb_mom_ww_mxgateway_sim.operations import http as operations_http
from zb_mom_ww_mxgateway_sim.operations.http import MAX_CONNECTIONS, MAX_REQUEST, OperationsServer
from zb_mom_ww_mxgateway_sim.operations.metrics import Metrics

from .test_operations_metrics import QUIET

R = TypeVar("R")


@dataclass
class Response:
    status: int
    headers: dict[str, str]
    body: bytes


def address(server: OperationsServer) -> tuple[str, int]:
    host, _, port = server.endpoint.rpartition(":")
    return host.strip("[]"), int(port)


def asked(server: OperationsServer, method: str, path: str) -> Response:
    """One request of the standard library's client; blocks."""
    connection = http.client.HTTPConnection(*address(server), timeout=10)
    try:
        connection.request(method, path)
        answer = connection.getresponse()
        return Response(answer.status, dict(answer.getheaders()), answer.read())
    finally:
        connection.close()


async def get(server: OperationsServer, path: str, method: str = "GET") -> Response:
    return await asyncio.to_thread(asked, server, method, path)


async def sent(server: OperationsServer, data: bytes) -> bytes:
    """What comes back for these bytes until the server hangs up."""
    reader, writer = await asyncio.open_connection(*address(server))
    try:
        writer.write(data)
        async with asyncio.timeout(10):
            return await reader.read()
    except ConnectionError:
        return b""
    finally:
        writer.close()


@asynccontextmanager
async def serving(metrics: Metrics | None = None) -> AsyncIterator[OperationsServer]:
    server = OperationsServer(metrics or Metrics(), lambda: QUIET)
    await server.start()
    try:
        yield server
    finally:
        await server.close()


@pytest.fixture
async def server() -> AsyncIterator[OperationsServer]:
    async with serving() as running:
        yield running


async def test_health_live_says_ok(server: OperationsServer) -> None:
    answer = await get(server, "/health/live")
    assert (answer.status, answer.body) == (200, b"ok\n")
    assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert answer.headers["Connection"] == "close"


async def test_metrics_are_what_was_counted_up_to_now() -> None:
    metrics = Metrics()
    async with serving(metrics) as server:
        for count in range(3):
            answer = await get(server, "/metrics?any=thing")
            assert answer.status == 200
            assert answer.headers["Content-Type"].startswith("text/plain; version=")
            families = {f.name: f for f in text_string_to_metric_families(answer.body.decode())}
            assert families["mxgateway_galaxy_deploys"].samples[0].value == count
            metrics.deploys.add()


@pytest.mark.parametrize("path", ["/", "/health", "/health/live/", "/metrics/x", "//metrics"])
async def test_there_is_nothing_elsewhere(server: OperationsServer, path: str) -> None:
    assert (await get(server, path)).status == 404


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "HEAD", "OPTIONS"])
async def test_there_is_nothing_to_do_but_get(server: OperationsServer, method: str) -> None:
    answer = await get(server, "/metrics", method)
    assert (answer.status, answer.headers["Allow"]) == (405, "GET")


def run_serving(act: Callable[[OperationsServer], Awaitable[R]]) -> R:
    """Act on a server in a loop of its own, which holds nothing any more when the server closed."""

    async def acted() -> R:
        async with serving() as server:
            given = await act(server)
        assert asyncio.all_tasks() == {asyncio.current_task()}
        return given

    return asyncio.run(acted())


requests = st.binary(max_size=300).map(lambda garbage: garbage + b"\r\n\r\n")


@given(requests)
def test_garbage_is_refused_and_the_next_client_served(garbage: bytes) -> None:
    async def act(server: OperationsServer) -> tuple[bytes, bytes]:
        return await sent(server, garbage), await sent(server, b"GET /health/live HTTP/1.0\r\n\r\n")

    refused, served = run_serving(act)
    assert refused.startswith((b"HTTP/1.1 4", b"HTTP/1.1 200"))
    assert served.startswith(b"HTTP/1.1 200 OK\r\n")


@given(st.lists(st.integers(0, 60), max_size=5), st.sampled_from([b"\r\n", b"\n"]))
def test_a_request_may_come_in_pieces(cuts: list[int], line_end: bytes) -> None:
    request = line_end.join([b"GET /health/live HTTP/1.1", b"Host: here", b"Accept: */*", b"", b""])

    async def act(server: OperationsServer) -> bytes:
        reader, writer = await asyncio.open_connection(*address(server))
        places = [0, *sorted(min(cut, len(request)) for cut in cuts), len(request)]
        for start, end in pairwise(places):
            writer.write(request[start:end])
            await asyncio.sleep(0)
        answer = await reader.read()
        writer.close()
        return answer

    answer = run_serving(act)
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert answer.endswith(b"\r\n\r\nok\n")


async def test_headers_without_end_are_refused(server: OperationsServer) -> None:
    answer = await sent(server, b"GET / HTTP/1.1\r\nX: " + b"x" * MAX_REQUEST)
    assert answer == b"" or answer.startswith(b"HTTP/1.1 431 ")


async def test_clients_that_hang_hold_nobody_up(server: OperationsServer) -> None:
    hanging = [await asyncio.open_connection(*address(server)) for _ in range(MAX_CONNECTIONS + 5)]
    assert (await get(server, "/health/live")).status == 200
    oldest, _ = hanging[0]
    async with asyncio.timeout(10):
        with suppress(ConnectionError):
            assert await oldest.read() == b"", "it made way"
    await server.close()
    for _, writer in hanging:
        writer.close()


async def test_no_more_than_are_allowed_stay_where_many_come_at_once(
    server: OperationsServer,
) -> None:
    surplus = 50
    opening = [asyncio.open_connection(*address(server)) for _ in range(MAX_CONNECTIONS + surplus)]
    clients = await asyncio.gather(*opening)
    ends = {asyncio.create_task(reader.read()) for reader, _ in clients}
    while sum(end.done() for end in ends) < surplus:
        await asyncio.wait(
            {end for end in ends if not end.done()},
            timeout=10,
            return_when=asyncio.FIRST_COMPLETED,
        )
    assert len(server._connections) == MAX_CONNECTIONS
    await server.close()
    await asyncio.gather(*ends, return_exceptions=True)
    for _, writer in clients:
        writer.close()


async def test_a_client_that_asks_nothing_is_hung_up_on(
    server: OperationsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(operations_http, "PATIENCE", 0.01)
    assert await sent(server, b"GET /met") == b""


async def test_closing_hangs_up_on_everybody_and_frees_the_port(
    server: OperationsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(operations_http, "PATIENCE", 3_600)
    reader, writer = await asyncio.open_connection(*address(server))
    writer.write(b"GET /")
    assert (await get(server, "/health/live")).status == 200  # so the other was accepted too
    async with asyncio.timeout(10):
        await server.close()
        with suppress(ConnectionError):
            assert await reader.read() == b""
    writer.close()
    with pytest.raises(OSError):
        await asyncio.open_connection(*address(server))
    again = OperationsServer(Metrics(), lambda: QUIET, port=address(server)[1])
    await again.start()
    await again.close()
    await again.close()


@pytest.mark.parametrize("turns", range(8))
async def test_a_client_that_comes_while_it_closes_is_hung_up_on(turns: int) -> None:
    async with serving() as server:
        client = socket.create_connection(address(server))
        for _ in range(turns):  # so it is accepted, known, or neither
            await asyncio.sleep(0)
        async with asyncio.timeout(10):
            await server.close()
    with client, suppress(ConnectionError):
        client.settimeout(10)
        assert client.recv(1) == b""


async def test_health_live_answers_only_while_the_event_loop_is_alive() -> None:
    """A loop that is stuck must not be called alive by some thread beside it."""
    async with serving() as server:
        stuck, released, answers = threading.Event(), threading.Event(), list[int]()

        def ask() -> None:
            stuck.wait(10)
            answers.append(asked(server, "GET", "/health/live").status)

        asking = threading.Thread(target=ask)
        asking.start()
        stuck.set()
        assert not released.wait(0.2)  # the loop is stuck here, and the question unanswered
        assert answers == []
        await asyncio.to_thread(asking.join)
        assert answers == [200]


async def test_it_starts_once_and_may_be_closed_before() -> None:
    server = OperationsServer(Metrics(), lambda: QUIET)
    await server.close()
    await server.start()
    with pytest.raises(RuntimeError, match="starts once"):
        await server.start()
    await server.close()


async def test_a_port_that_is_taken_is_an_oserror(server: OperationsServer) -> None:
    other = OperationsServer(Metrics(), lambda: QUIET, port=address(server)[1])
    with pytest.raises(OSError, match=str(address(server)[1])):
        await other.start()
    await other.close()


async def test_an_endpoint_of_ipv6_has_brackets() -> None:
    server = OperationsServer(Metrics(), lambda: QUIET, host="::1")
    try:
        await server.start()
    except OSError:
        pytest.skip("this machine has no IPv6")
    try:
        assert server.endpoint.startswith("[::1]:")
        assert (await get(server, "/health/live")).status == 200
    finally:
        await server.close()


def test_without_the_extra_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    package = "zb_mom_ww_mxgateway_sim.operations"
    monkeypatch.delitem(sys.modules, f"{package}.prometheus", raising=False)
    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    with pytest.raises(MxGatewayArgumentError, match=r'install "zb-mom-ww-mxgateway\[sim\]"'):
        OperationsServer(Metrics(), lambda: QUIET)
