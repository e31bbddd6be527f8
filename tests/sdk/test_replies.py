"""A gateway that keeps gRPC and breaks the contract: what it leaves out never becomes a default."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from grpclib.const import Status
from grpclib.exceptions import GRPCError
from grpclib.server import Server

from tests.sdk.fixed import KEY, FixedGateway, client_of
from zb_mom_ww_mxgateway import (
    MAX_BULK_ITEMS,
    GatewayClient,
    MxAccessError,
    MxCommand,
    MxCommandKind,
    MxCommandReply,
    MxCommandRequest,
    MxGatewayArgumentError,
    MxGatewayAuthenticationError,
    MxGatewayCommandError,
    MxGatewayError,
    MxGatewayMalformedReplyError,
    MxGatewayProtocolError,
    MxGatewaySessionClosedError,
    MxGatewaySessionError,
    MxGatewaySessionNotFoundError,
    MxGatewaySessionNotReadyError,
    MxGatewayTimeoutError,
    MxGatewayTransportError,
    MxGatewayUnavailableError,
    MxGatewayWorkerError,
    MxStatusCategory,
    MxStatusProxy,
    ProtocolStatus,
    ProtocolStatusCode,
    Session,
)
from zb_mom_ww_mxgateway_contracts.mxaccess_gateway_v1 import (
    AdviseCommand,
    BulkSubscribeReply,
    RegisterReply,
)
from zb_mom_ww_mxgateway_wire.grpc import MessageCodec


@pytest.fixture
def fixed() -> FixedGateway:
    return FixedGateway()


@pytest.fixture
async def client(fixed: FixedGateway) -> AsyncIterator[GatewayClient]:
    async with client_of(fixed) as connected:
        yield connected


@pytest.fixture
async def session(client: GatewayClient) -> Session:
    return await client.open_session()


def status(code: ProtocolStatusCode, message: str = "") -> ProtocolStatus:
    return ProtocolStatus(code=code, message=message)


async def test_an_ok_reply_without_its_payload_is_malformed_never_handle_zero(
    fixed: FixedGateway, session: Session
) -> None:
    fixed.reply.protocol_status = status(ProtocolStatusCode.OK)
    with pytest.raises(MxGatewayMalformedReplyError, match="lacks its register"):
        await session.register("tests")
    assert await session.ping() is None


async def test_a_handle_zero_that_the_gateway_did_send_is_returned(
    fixed: FixedGateway, session: Session
) -> None:
    fixed.reply.register = RegisterReply()
    assert await session.register("tests") == 0


async def test_an_open_reply_without_a_session_id_is_malformed(
    fixed: FixedGateway, client: GatewayClient
) -> None:
    fixed.opened.session_id = ""
    with pytest.raises(MxGatewayMalformedReplyError, match="session_id"):
        await client.open_session()


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        (ProtocolStatusCode.INVALID_REQUEST, MxGatewayCommandError),
        (ProtocolStatusCode.SESSION_NOT_FOUND, MxGatewaySessionNotFoundError),
        (ProtocolStatusCode.SESSION_NOT_READY, MxGatewaySessionNotReadyError),
        (ProtocolStatusCode.WORKER_UNAVAILABLE, MxGatewayWorkerError),
        (ProtocolStatusCode.TIMEOUT, MxGatewayTimeoutError),
        (ProtocolStatusCode.CANCELED, MxGatewayCommandError),
        (ProtocolStatusCode.PROTOCOL_VIOLATION, MxGatewayProtocolError),
        (ProtocolStatusCode.MXACCESS_FAILURE, MxAccessError),
        (ProtocolStatusCode(77), MxGatewayCommandError),
    ],
)
async def test_every_protocol_status_has_its_exception(
    fixed: FixedGateway,
    session: Session,
    code: ProtocolStatusCode,
    expected: type[MxGatewayError],
) -> None:
    fixed.reply.protocol_status = status(code, "said so")
    with pytest.raises(expected, match="said so") as caught:
        await session.advise(1, 2)
    assert type(caught.value) is expected
    assert "advise(server_handle=1, item_handle=2)" in str(caught.value)


async def test_success_zero_with_an_unset_category_is_no_failure(
    fixed: FixedGateway, session: Session
) -> None:
    fixed.reply = MxCommandReply(
        protocol_status=status(ProtocolStatusCode.OK), hresult=0, statuses=[MxStatusProxy()]
    )
    await session.advise(1, 2)


async def test_a_failing_status_or_hresult_inside_an_ok_reply_is_a_failure(
    fixed: FixedGateway, session: Session
) -> None:
    fixed.reply.statuses = [
        MxStatusProxy(success=-1, category=MxStatusCategory.OK),
        MxStatusProxy(category=MxStatusCategory.SECURITY_ERROR, detail=1012),
    ]
    with pytest.raises(
        MxAccessError, match=r"SECURITY_ERROR, detail 1012 \(secured write required\)"
    ):
        await session.advise(1, 2)
    fixed.reply = MxCommandReply(hresult=-2147467259)
    with pytest.raises(MxAccessError, match="0x80004005"):
        await session.advise(1, 2)


async def test_a_refusal_tells_of_the_command_that_was_sent_though_it_was_changed_since(
    fixed: FixedGateway, session: Session
) -> None:
    fixed.reply.protocol_status = status(ProtocolStatusCode.MXACCESS_FAILURE)
    fixed.answering.clear()
    command = MxCommand(
        kind=MxCommandKind.ADVISE, advise=AdviseCommand(server_handle=1, item_handle=2)
    )
    call = asyncio.ensure_future(session.invoke(command))
    await fixed.received_one.wait()
    command.advise = AdviseCommand(server_handle=8, item_handle=9)
    fixed.answering.set()
    with pytest.raises(
        MxAccessError, match=r"^advise\(server_handle=1, item_handle=2\) in session-1"
    ):
        await call


async def test_an_oversized_bulk_is_refused_before_anything_is_sent(
    fixed: FixedGateway, session: Session
) -> None:
    fixed.reply.add_item_bulk = BulkSubscribeReply()
    await session.add_item_bulk(1, ["A.B"] * MAX_BULK_ITEMS)
    assert fixed.received == 1
    with pytest.raises(MxGatewayArgumentError) as caught:
        await session.add_item_bulk(1, ["A.B"] * (MAX_BULK_ITEMS + 1))
    assert f"{MAX_BULK_ITEMS + 1} tag_addresses" in str(caught.value)
    assert "split them. Nothing was sent" in str(caught.value)
    assert fixed.received == 1


@pytest.mark.parametrize("timeout_ms", [-1, 2**32])
async def test_a_timeout_out_of_range_is_refused_and_named_before_anything_is_sent(
    fixed: FixedGateway, session: Session, timeout_ms: int
) -> None:
    with pytest.raises(MxGatewayArgumentError, match=r"ReadBulkCommand\.timeout_ms") as caught:
        await session.read_bulk(1, ["A.B"], timeout_ms=timeout_ms)
    assert "nothing was sent" in str(caught.value)
    assert isinstance(caught.value, ValueError)
    assert fixed.received == 0


async def test_a_gateway_that_echoes_the_key_does_not_bring_it_into_the_error(
    fixed: FixedGateway, session: Session
) -> None:
    for echo in (f"bad header Bearer {KEY}", "unknown secret topsecret"):
        fixed.refuse = GRPCError(Status.UNAUTHENTICATED, echo, [KEY])
        with pytest.raises(MxGatewayAuthenticationError, match="<redacted>") as caught:
            await session.ping()
        cause = caught.value.__cause__
        assert "topsecret" not in f"{caught.value} {cause} {cause!r} {vars(cause)}"


async def test_the_key_is_in_no_log_however_much_is_logged(
    fixed: FixedGateway, client: GatewayClient, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        session = await client.open_session()
        await session.ping()
    assert "topsecret" not in caplog.text
    assert "hpack" not in caplog.text


async def test_a_cancelled_open_closes_the_session_that_the_gateway_opened(
    fixed: FixedGateway, client: GatewayClient
) -> None:
    fixed.opening.clear()
    opening = asyncio.create_task(client.open_session())
    await asyncio.sleep(0.05)
    opening.cancel()
    with pytest.raises(asyncio.CancelledError):
        await opening
    fixed.opening.set()
    async with asyncio.timeout(5):
        await fixed.closing.wait()
    assert fixed.closed == ["session-1"]


async def test_a_close_that_failed_is_tried_again(fixed: FixedGateway, session: Session) -> None:
    fixed.refuse = GRPCError(Status.UNAVAILABLE, "busy")
    with pytest.raises(MxGatewayUnavailableError, match="busy"):
        await session.close()
    fixed.refuse = None
    await session.close()
    await session.close()
    assert fixed.closed == ["session-1", "session-1"]


async def test_a_closed_session_streams_no_events(session: Session) -> None:
    await session.close()
    with pytest.raises(MxGatewaySessionClosedError, match="stream_events"):
        session.stream_events()


async def test_an_older_protocol_is_refused_and_a_newer_one_logged(
    fixed: FixedGateway, client: GatewayClient, caplog: pytest.LogCaptureFixture
) -> None:
    for version in (0, 3):
        fixed.opened.gateway_protocol_version = version
        await client.open_session()
    assert not caplog.records
    fixed.opened.gateway_protocol_version = 4
    for _ in range(2):
        await client.open_session()
    assert caplog.text.count("the gateway speaks protocol 4, this SDK was made for 3") == 1
    fixed.opened.gateway_protocol_version = 2
    with pytest.raises(MxGatewayProtocolError, match="protocol 2, this SDK needs 3"):
        await client.open_session()


@pytest.mark.parametrize("bad", [None, 5, "A.B", b"A.B"])
async def test_what_is_no_list_is_refused_by_name(
    fixed: FixedGateway, session: Session, bad: Any
) -> None:
    with pytest.raises(MxGatewayArgumentError, match="tag_addresses: expected list"):
        await session.add_item_bulk(1, bad)
    assert fixed.received == 0


@pytest.mark.parametrize("bad", [0, -1, float("nan"), float("inf"), 1e300, "soon", timedelta()])
async def test_a_command_timeout_that_cannot_be_is_refused(client: GatewayClient, bad: Any) -> None:
    with pytest.raises(MxGatewayArgumentError, match="command_timeout"):
        await client.open_session(command_timeout=bad)


async def test_a_command_timeout_is_seconds_or_a_timedelta(client: GatewayClient) -> None:
    for limit in (1.5, timedelta(seconds=1.5)):
        assert (await client.open_session(command_timeout=limit)).session_id == "session-1"


@pytest.mark.parametrize("code", [ProtocolStatusCode.TIMEOUT, ProtocolStatusCode.MXACCESS_FAILURE])
async def test_a_key_inside_a_reply_does_not_come_into_the_error(
    fixed: FixedGateway, session: Session, code: ProtocolStatusCode
) -> None:
    fixed.reply = MxCommandReply(
        protocol_status=status(code, f"sent Bearer {KEY}"), diagnostic_message=f"again {KEY}"
    )
    with pytest.raises(MxGatewayError, match="<redacted>") as caught:
        await session.ping()
    assert "topsecret" not in str(caught.value)


async def test_a_session_whose_protocol_is_refused_is_closed(
    fixed: FixedGateway, client: GatewayClient
) -> None:
    fixed.opened.gateway_protocol_version = 2
    with pytest.raises(MxGatewayProtocolError):
        await client.open_session()
    assert fixed.closed == ["session-1"]


async def test_a_client_whose_close_is_cancelled_has_closed_its_connection(
    fixed: FixedGateway,
) -> None:
    server = Server([fixed], codec=MessageCodec())
    await server.start("127.0.0.1", 0)
    assert server._server is not None
    port = server._server.sockets[0].getsockname()[1]
    client = await GatewayClient.connect(f"127.0.0.1:{port}", plaintext=True)
    fixed.opening.clear()
    opening = asyncio.create_task(client.open_session())
    await asyncio.sleep(0.05)
    opening.cancel()
    with pytest.raises(asyncio.CancelledError):
        await opening
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await client.close()
    with pytest.raises(MxGatewaySessionClosedError):
        await client.open_session()
    fixed.opening.set()
    server.close()
    await server.wait_closed()


@pytest.mark.parametrize("code", [Status.NOT_FOUND, Status.FAILED_PRECONDITION])
async def test_advice_about_a_session_is_given_only_where_there_is_one(
    fixed: FixedGateway, client: GatewayClient, session: Session, code: Status
) -> None:
    fixed.refuse = GRPCError(code, "said so")
    with pytest.raises(MxGatewaySessionError, match="open a new"):
        await session.ping()
    with pytest.raises(MxGatewayTransportError, match=r"said so$"):
        await client.invoke_raw(MxCommandRequest())


async def test_a_kind_beyond_32_bits_is_refused_by_name(session: Session) -> None:
    with pytest.raises(MxGatewayArgumentError, match=r"MxCommand\.kind"):
        await session.invoke(MxCommand(kind=2**40))  # type: ignore[arg-type]
