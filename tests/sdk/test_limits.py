"""What ends a call from this side: deadlines, dead links, cancels; and which key goes with it."""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import trustme
from grpclib.const import Status

from tests.sdk import faulty
from tests.sdk.calling import connected, events_of, open_session
from tests.sdk.seen import KEY, secrets_seen_in
from zb_mom_ww_mxgateway import (
    ClientOptions,
    MxCommand,
    MxCommandKind,
    MxCommandRequest,
    MxGatewayArgumentError,
    MxGatewayAuthenticationError,
    MxGatewayError,
    MxGatewayTimeoutError,
    MxGatewayUnavailableError,
    OpenSessionRequest,
)
from zb_mom_ww_mxgateway.channel import GatewayChannel
from zb_mom_ww_mxgateway_contracts.mxaccess_gateway_v1 import AuthenticateUserCommand
from zb_mom_ww_mxgateway_contracts.mxaccess_gateway_v1.services import MxAccessGatewayStub


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def ca_file(authority: trustme.CA, tmp_path: Path) -> Path:
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    return tmp_path / "ca.pem"


@pytest.fixture
def server_context(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    context.set_alpn_protocols(["h2"])
    return context


async def test_a_server_that_never_answers_times_out_with_a_builtin_timeout_too() -> None:
    async with faulty.faulty_gateway(faulty.silence) as endpoint:
        with pytest.raises(MxGatewayTimeoutError, match=r"did not end within 0\.2 s") as caught:
            await open_session(endpoint, call_timeout=0.2)
    assert isinstance(caught.value, TimeoutError)
    assert caught.value.status is Status.DEADLINE_EXCEEDED
    assert caught.value.transient
    assert "may still take effect" in str(caught.value)
    assert not secrets_seen_in(caught.value)


@pytest.mark.parametrize("limit", [1e8, float("inf"), float("nan")])
async def test_a_limit_that_grpc_cannot_say_is_refused_before_anything_is_sent(
    limit: float,
) -> None:
    async with (
        faulty.watched_gateway(faulty.replied) as gateway,
        connected(gateway.endpoint) as stub,
    ):
        with pytest.raises(MxGatewayArgumentError, match="below 100,000,000 seconds"):
            await stub.open_session(OpenSessionRequest(), timeout=limit)
    assert not gateway.headers


async def test_a_limit_that_has_passed_already_is_a_timeout() -> None:
    async with faulty.faulty_gateway(faulty.replied) as endpoint, connected(endpoint) as stub:
        with pytest.raises(MxGatewayTimeoutError, match="was not sent"):
            await stub.open_session(OpenSessionRequest(), timeout=0)


async def test_a_call_that_waits_for_its_turn_on_the_connection_times_out_as_never_sent() -> None:
    faults = faulty.one_after_another(faulty.replied, faulty.silence)
    async with (
        faulty.watched_gateway(faults, calls_at_once=1) as gateway,
        connected(gateway.endpoint, call_timeout=60) as stub,
    ):
        await stub.open_session(OpenSessionRequest())  # now the limit is known here
        first = asyncio.ensure_future(stub.open_session(OpenSessionRequest()))
        await asyncio.sleep(0)
        with pytest.raises(MxGatewayTimeoutError, match=r"was not sent within 0\.2 s") as caught:
            await stub.open_session(OpenSessionRequest(), timeout=0.2)
        assert len(gateway.headers) == 2
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
    assert "as many calls as it takes at once" in str(caught.value)
    assert not secrets_seen_in(caught.value)  # grpclib had the headers in hand all the time


async def _hang_up(gateway: faulty.Gateway, client: GatewayChannel) -> None:
    gateway.then(faulty.hang_up)


async def _die(gateway: faulty.Gateway, client: GatewayChannel) -> None:
    gateway.alive.clear()


async def _close(gateway: faulty.Gateway, client: GatewayChannel) -> None:
    await client.close()


@pytest.mark.parametrize(
    ("end", "said"),
    [
        (_hang_up, "connection was lost"),
        (_die, "ping has no answer"),
        (_close, "client was closed"),
    ],
)
async def test_a_call_that_waits_for_its_turn_ends_with_the_connection(
    end: Callable[[faulty.Gateway, GatewayChannel], Awaitable[None]], said: str
) -> None:
    faults = faulty.one_after_another(faulty.replied, faulty.silence)
    async with faulty.watched_gateway(faults, calls_at_once=1) as gateway:
        channel = await GatewayChannel.connect(
            ClientOptions(endpoint=gateway.endpoint, plaintext=True, keepalive=0.1)
        )
        stub = MxAccessGatewayStub(channel)
        await stub.open_session(OpenSessionRequest())  # now the limit is known here
        async with events_of(stub) as first, events_of(stub) as second:
            waiting = [asyncio.ensure_future(anext(stream)) for stream in (first, second)]
            while len(gateway.headers) < 2:
                await asyncio.sleep(0)
            await end(gateway, channel)
            async with asyncio.timeout(5):
                for call in waiting:
                    with pytest.raises(MxGatewayUnavailableError, match=said):
                        await call
        await channel.close()
    assert len(gateway.headers) == 2


async def test_a_call_that_is_cancelled_while_it_waits_for_its_turn_shows_no_key() -> None:
    faults = faulty.one_after_another(faulty.replied, faulty.silence)
    async with (
        faulty.watched_gateway(faults, calls_at_once=1) as gateway,
        connected(gateway.endpoint) as stub,
    ):
        await stub.open_session(OpenSessionRequest())  # now the limit is known here
        first, second = (
            asyncio.ensure_future(stub.open_session(OpenSessionRequest())) for _ in range(2)
        )
        while len(gateway.headers) < 2:
            await asyncio.sleep(0)
        for call in (second, first):
            call.cancel()
            with pytest.raises(asyncio.CancelledError) as caught:
                await call
            assert not secrets_seen_in(caught.value)  # grpclib has the headers in hand


async def test_a_stream_that_nobody_reads_holds_up_no_other_call() -> None:
    faults = faulty.one_after_another(faulty.as_much_as_fits, faulty.replied)
    async with (
        faulty.watched_gateway(faults) as gateway,
        connected(gateway.endpoint) as stub,
        events_of(stub) as stream,
    ):
        await anext(stream)
        assert (await stub.open_session(OpenSessionRequest())).session_id == "session-1"


async def test_connecting_anew_counts_in_the_deadline_of_the_call(
    server_context: ssl.SSLContext, ca_file: Path
) -> None:
    """The gateway goes away, and what comes in its place takes connections and never speaks."""

    async def mute(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async with faulty.watched_gateway(faulty.replied, ssl=server_context) as gateway:
        channel = connected(gateway.endpoint, ca_file=ca_file, connect_timeout=60)
        stub = await channel.__aenter__()
        await stub.open_session(OpenSessionRequest())
    async with faulty.listening(mute, port=int(gateway.endpoint.rpartition(":")[2])):
        with pytest.raises(MxGatewayTimeoutError, match=r"was not sent within 0\.2 s"):
            await stub.open_session(OpenSessionRequest(), timeout=0.2)
        await channel.__aexit__(None, None, None)


async def test_a_connection_that_does_not_come_to_stand_says_which_limit_it_met(
    ca_file: Path,
) -> None:
    async def mute(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async with faulty.listening(mute) as endpoint:
        with pytest.raises(MxGatewayTimeoutError, match=r"no connection within 0\.2 s"):
            await open_session(endpoint, ca_file=ca_file, connect_timeout=0.2)


@pytest.mark.parametrize("encrypted", [False, True])
async def test_a_link_that_is_dead_and_not_closed_ends_calls_and_streams(
    encrypted: bool, server_context: ssl.SSLContext, ca_file: Path
) -> None:
    tls: Any = {"ca_file": ca_file} if encrypted else {}
    async with (
        faulty.watched_gateway(
            faulty.silence, ssl=server_context if encrypted else None
        ) as gateway,
        connected(gateway.endpoint, keepalive=0.1, call_timeout=60, **tls) as stub,
        events_of(stub) as stream,
    ):
        reading = asyncio.ensure_future(anext(stream))
        calling = asyncio.ensure_future(stub.open_session(OpenSessionRequest()))
        while len(gateway.headers) < 2:
            await asyncio.sleep(0)
        gateway.alive.clear()
        for waiting in (reading, calling):
            with pytest.raises(MxGatewayUnavailableError, match="ping has no answer") as caught:
                await waiting
            assert caught.value.transient


async def test_a_quiet_link_that_answers_its_pings_is_kept_however_long() -> None:
    async with (
        faulty.watched_gateway(faulty.headers) as gateway,
        connected(gateway.endpoint, keepalive=0.02) as stub,
        events_of(stub) as stream,
    ):
        reading = asyncio.ensure_future(anext(stream))
        while gateway.pings < 5:  # grpclib by itself stops after two
            await asyncio.sleep(0.01)
        assert not reading.done()
        gateway.then(faulty.data(faulty.framed(b"")))
        await reading


async def test_without_keepalive_or_without_a_call_that_waits_there_are_no_pings() -> None:
    async with (
        faulty.watched_gateway(faulty.silence) as left_alone,
        faulty.watched_gateway(faulty.replied) as idle,
        faulty.watched_gateway(faulty.silence) as pinged,
        connected(left_alone.endpoint, keepalive=None) as first,
        connected(pinged.endpoint, keepalive=0.02) as second,
        connected(idle.endpoint, keepalive=0.02) as third,
        events_of(first) as one,
        events_of(second) as other,
    ):
        await third.open_session(OpenSessionRequest())
        reading = [asyncio.ensure_future(anext(stream)) for stream in (one, other)]
        while pinged.pings < 3:
            await asyncio.sleep(0.01)
        assert left_alone.asked.is_set()
        assert left_alone.pings == idle.pings == 0
        for task in reading:
            task.cancel()
        await asyncio.wait(reading)


async def test_a_client_that_is_closed_while_it_connects_anew_does_not_come_back() -> None:
    faults = faulty.one_after_another(faulty.hang_up, faulty.replied)
    async with faulty.watched_gateway(faults) as gateway:
        channel = await GatewayChannel.connect(
            ClientOptions(endpoint=gateway.endpoint, plaintext=True)
        )
        stub = MxAccessGatewayStub(channel)
        with pytest.raises(MxGatewayUnavailableError):
            await stub.open_session(OpenSessionRequest())
        call = asyncio.ensure_future(stub.open_session(OpenSessionRequest()))
        await asyncio.sleep(0)  # now it connects
        await channel.close()
        with pytest.raises(MxGatewayUnavailableError, match="client was closed") as caught:
            await call
    assert not caught.value.transient
    assert len(gateway.headers) == 1


@pytest.mark.parametrize("misbehave", [faulty.silence, faulty.hang_up, faulty.goaway])
async def test_a_call_that_was_ended_leaves_no_cancel_behind_in_its_task(
    misbehave: faulty.Misbehave,
) -> None:
    async with faulty.faulty_gateway(misbehave) as endpoint, connected(endpoint) as stub:
        with pytest.raises(MxGatewayError):
            await stub.open_session(OpenSessionRequest(), timeout=0.2)
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0
    with pytest.raises(ExceptionGroup):  # a task with a cancel left over gives CancelledError
        async with asyncio.TaskGroup() as group:
            group.create_task(_fail())


async def _fail() -> None:
    raise ValueError


@pytest.mark.parametrize("cancelled_first", [True, False])
async def test_a_cancel_from_outside_is_obeyed_even_where_the_call_ends_at_the_same_time(
    cancelled_first: bool,
) -> None:
    async with faulty.watched_gateway(faulty.silence) as gateway:
        channel = await GatewayChannel.connect(
            ClientOptions(endpoint=gateway.endpoint, plaintext=True, api_key=KEY)
        )
        call = asyncio.ensure_future(
            MxAccessGatewayStub(channel).open_session(OpenSessionRequest())
        )
        await gateway.asked.wait()
        if cancelled_first:
            call.cancel()
        closing = asyncio.ensure_future(channel.close())
        await asyncio.sleep(0)  # the connection was closed, and the call has not yet been told
        if not cancelled_first:
            call.cancel()
        with pytest.raises(asyncio.CancelledError) as caught:
            await call
        await closing
    assert not secrets_seen_in(caught.value)


async def test_the_application_is_named_before_the_sdk_in_the_user_agent() -> None:
    async with faulty.watched_gateway(faulty.replied) as gateway:
        await open_session(gateway.endpoint)
        await open_session(gateway.endpoint, user_agent="historian/2.1")
    plain, named = (headers["user-agent"] for headers in gateway.headers)
    assert plain.startswith("zb-mom-ww-mxgateway-python/")
    assert named == f"historian/2.1 {plain}"


async def test_a_key_function_is_asked_before_each_call_so_that_keys_can_change() -> None:
    keys = iter(["mxgw_1_topsecret", "mxgw_2_topsecret"])
    async with (
        faulty.watched_gateway(faulty.replied) as gateway,
        connected(gateway.endpoint, api_key=lambda: next(keys)) as stub,
    ):
        for _ in range(2):
            await stub.open_session(OpenSessionRequest())
    sent = [headers["authorization"] for headers in gateway.headers]
    assert sent == ["Bearer mxgw_1_topsecret", "Bearer mxgw_2_topsecret"]


async def test_without_a_key_no_authorization_is_sent() -> None:
    async with faulty.watched_gateway(faulty.replied) as gateway:
        await open_session(gateway.endpoint, api_key=None)
    assert "authorization" not in gateway.headers[0]


def _leaking() -> str:
    raise ValueError(f"cannot read {KEY}")


@pytest.mark.parametrize(
    ("function", "said"),
    [
        (_leaking, "failed with ValueError"),
        (lambda: f"{KEY}\n", "holds characters that no key has"),
        (lambda: "", "empty"),
        (lambda: KEY.encode(), "returned bytes"),
        (lambda: None, "returned NoneType"),
    ],
)
async def test_a_key_function_that_fails_gives_a_typed_error_without_what_it_said(
    function: Callable[[], Any], said: str
) -> None:
    async with faulty.watched_gateway(faulty.replied) as gateway:
        with pytest.raises(MxGatewayAuthenticationError, match=said) as caught:
            await open_session(gateway.endpoint, api_key=function)
    assert not gateway.headers
    assert not caught.value.transient
    assert not secrets_seen_in(caught.value)


async def test_a_password_is_in_no_traceback_of_a_call_that_failed() -> None:
    login = AuthenticateUserCommand(server_handle=1, user_name="op", password="hunter22")
    command = MxCommand(kind=MxCommandKind.AUTHENTICATE_USER, authenticate_user=login)
    async with (
        faulty.watched_gateway(faulty.silence) as gateway,
        connected(gateway.endpoint) as stub,
    ):
        with pytest.raises(MxGatewayTimeoutError) as caught:
            await stub.invoke(MxCommandRequest(command=command), timeout=0.2)
    assert "authenticate_user" in str(caught.value)
    assert not secrets_seen_in(caught.value, "hunter22")


@pytest.mark.parametrize(
    ("endpoint", "warned"),
    [
        ("gateway.invalid:5000", True),
        ("192.0.2.1:5000", True),
        ("localhost:1", False),
        ("127.0.0.1:1", False),
        ("127.8.8.8:1", False),
        ("[::1]:1", False),
    ],
)
@pytest.mark.parametrize("key", [KEY, lambda: KEY, None])
async def test_a_key_that_leaves_the_machine_in_plaintext_is_warned_about_without_showing_it(
    endpoint: str, warned: bool, key: Any, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING), pytest.raises(MxGatewayError):
        await open_session(endpoint, api_key=key, connect_timeout=0.2)
    about = [r for r in caplog.records if r.name == "zb_mom_ww_mxgateway"]
    assert bool(about) == (warned and key is not None)
    assert all(endpoint in r.getMessage() and "TLS" in r.getMessage() for r in about)
    assert "topsecret" not in caplog.text
