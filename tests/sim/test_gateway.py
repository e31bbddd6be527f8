"""The gateway as a whole: keys, listening and closing."""

from __future__ import annotations

import asyncio
import gc
import socket

import pytest
from grpclib.client import Channel
from grpclib.const import Status
from grpclib.exceptions import GRPCError
from grpclib.testing import ChannelFor

from zb_mom_ww_mxgateway.values import to_mx_value
from zb_mom_ww_mxgateway_contracts.mxaccess_gateway_v1 import (
    MxCommand,
    MxCommandKind,
    MxCommandRequest,
    OpenSessionRequest,
    StreamAlarmsRequest,
    WriteCommand,
)
from zb_mom_ww_mxgateway_contracts.mxaccess_gateway_v1.services import MxAccessGatewayMethods
from zb_mom_ww_mxgateway_sim import SimulatedGateway
from zb_mom_ww_mxgateway_wire.grpc import MessageCodec


async def first(stream):
    async for message in stream:
        return message
    return None


async def test_it_listens_on_a_free_port_and_says_where(site):
    """Plaintext HTTP/2 by default."""
    one, two = await site.gateway(), await site.gateway()
    assert one.endpoint.startswith("127.0.0.1:")
    assert one.endpoint != two.endpoint
    assert (await site.client(one).open()).id.startswith("session-")


async def test_a_port_in_use_is_an_os_error_and_leaves_nothing(site):
    gateway = await site.gateway()
    taken = SimulatedGateway(port=int(gateway.endpoint.split(":")[1]))
    with pytest.raises(OSError):
        await taken.start()
    await taken.close()


async def test_the_same_services_answer_without_a_socket():
    gateway = SimulatedGateway()
    async with (
        ChannelFor(gateway.handlers(), codec=MessageCodec()) as channel,
        channel.request(
            MxAccessGatewayMethods.OPEN_SESSION.path,
            MxAccessGatewayMethods.OPEN_SESSION.cardinality,
            OpenSessionRequest,
            MxAccessGatewayMethods.OPEN_SESSION.reply,
            metadata={"authorization": f"Bearer {gateway.api_key}"},
        ) as stream,
    ):
        await stream.send_message(OpenSessionRequest(), end=True)
        reply = await stream.recv_message()
    assert reply.session_id.startswith("session-")
    await gateway.close()


async def test_closing_leaves_no_task_no_socket_and_may_be_repeated(site):
    tasks_before = asyncio.all_tasks()
    gateway = SimulatedGateway(change_interval=0.01, first_value_delay=30)
    await gateway.start()
    client = site.client(gateway)
    session = await client.open()
    await session.subscribed("TestMachine_001.TestChangingInt")
    server = await session.do("register", client_name="reader")
    async with session.events() as events:
        reading = asyncio.create_task(
            session.invoke("read_bulk", server_handle=server, tag_addresses=["A.B"])
        )
        await asyncio.sleep(0.05)
        async with asyncio.timeout(5):
            await gateway.close()
        await gateway.close()
        with pytest.raises(GRPCError) as caught:
            await events.end()
        assert caught.value.status is Status.UNAVAILABLE
        assert (await reading).protocol_status.code.name == "WORKER_UNAVAILABLE"
    await asyncio.sleep(0.01)
    assert asyncio.all_tasks() <= tasks_before
    with socket.socket() as probe, pytest.raises(ConnectionRefusedError):
        probe.connect(("127.0.0.1", int(gateway.endpoint.split(":")[1])))
    gc.collect()  # an unclosed socket would warn, and warnings are errors


async def test_closing_does_not_wait_for_a_client_that_stopped_reading(site):
    gateway = SimulatedGateway()
    await gateway.start()
    session = await site.client(gateway).open()
    slow = site.client(gateway, window=65_535)
    async with slow.channel.request(
        MxAccessGatewayMethods.STREAM_EVENTS.path,
        MxAccessGatewayMethods.STREAM_EVENTS.cardinality,
        MxAccessGatewayMethods.STREAM_EVENTS.request,
        MxAccessGatewayMethods.STREAM_EVENTS.reply,
        metadata={"authorization": f"Bearer {gateway.api_key}"},
    ) as stream:
        await stream.send_message(
            MxAccessGatewayMethods.STREAM_EVENTS.request(session_id=session.id), end=True
        )
        await session.subscribed(*["TestMachine_001.MachineCode"] * 2_000)
        async with asyncio.timeout(5):
            await gateway.close()


async def test_it_starts_once_and_refuses_settings_out_of_range(site):
    gateway = await site.gateway()
    with pytest.raises(RuntimeError):
        await gateway.start()
    for wrong in (
        {"machines": -1},
        {"first_value_delay": -0.1},
        {"change_interval": 0},
        {"first_value_delay": float("nan")},
        {"change_interval": float("nan")},
    ):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            SimulatedGateway(**wrong)


def test_keys_are_random_unless_given_and_never_shown():
    assert SimulatedGateway().api_key != SimulatedGateway().api_key
    gateway = SimulatedGateway(api_key="mxgw_tester_s3_cret")
    assert gateway.api_key == "mxgw_tester_s3_cret"
    assert "s3_cret" not in repr(gateway)


@pytest.mark.parametrize("key", ["", "s3cret", "mxgw_s3cret", "mxgw__s3cret", "mxgw_a_s3 cret"])
def test_a_malformed_key_is_refused_without_showing_it(key):
    with pytest.raises(ValueError) as caught:
        SimulatedGateway(api_key=key)
    assert not key or key not in str(caught.value)


@pytest.mark.parametrize("given", [{"api_key": "mxgw_a_one"}, {"keys_file": "keys.json"}])
def test_no_key_is_given_to_a_gateway_that_takes_every_call(given):
    with pytest.raises(ValueError, match=f"no_auth excludes {next(iter(given))}") as caught:
        SimulatedGateway(no_auth=True, **given)
    assert "mxgw_a_one" not in str(caught.value)


def test_two_keys_cannot_share_an_id():
    with pytest.raises(ValueError, match="id already"):
        SimulatedGateway(api_key="mxgw_a_one").add_api_key("mxgw_a_two")


@pytest.mark.parametrize(
    "authorization",
    [
        None,
        "Bearer",
        "Bearer ",
        "mxgw_tester_secret",
        "Basic mxgw_tester_secret",
        "Bearer mxgw_tester_wrong",
        "Bearer mxgw_tester_secret_and_more",
        "Bearer mxgw_other_secret",
        "Bearer mxgw_tester",
        "Bearer secret",
    ],
)
async def test_a_missing_malformed_or_unknown_key_is_refused_without_saying_which(
    site, refused, authorization
):
    gateway = await site.gateway(api_key="mxgw_tester_secret")
    stub = site.client(gateway, api_key=None).stub
    metadata = {} if authorization is None else {"authorization": authorization}
    refusals = [
        await refused(stub.open_session(OpenSessionRequest(), metadata=metadata)),
        await refused(stub.invoke(MxCommandRequest(), metadata=metadata)),
        await refused(first(stub.stream_alarms(StreamAlarmsRequest(), metadata=metadata))),
    ]
    assert {refusal.status for refusal in refusals} == {Status.UNAUTHENTICATED}
    assert len({refusal.message for refusal in refusals}) == 1
    assert "secret" not in refusals[0].message


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
async def test_bearer_matches_in_any_case_and_the_secret_may_hold_underscores(site, scheme):
    gateway = await site.gateway(api_key="mxgw_tester_a_b_c")
    stub = site.client(gateway, api_key=None).stub
    metadata = {"authorization": f"{scheme} mxgw_tester_a_b_c"}
    assert (await stub.open_session(OpenSessionRequest(), metadata=metadata)).session_id


async def test_bytes_that_are_no_request_are_an_invalid_argument(site):
    gateway = await site.gateway()
    client = site.client(gateway)
    method = MxAccessGatewayMethods.INVOKE
    async with client.channel.request(
        method.path,
        method.cardinality,
        method.request,
        method.reply,
        metadata={"authorization": f"Bearer {gateway.api_key}"},
    ) as stream:
        await stream.send_message(b"\xff\xff\xff", end=True)
        with pytest.raises(GRPCError) as caught:
            await stream.recv_initial_metadata()
    assert caught.value.status is Status.INVALID_ARGUMENT


async def test_a_message_above_16_mib_is_refused(site, refused):
    """Messages 16 MiB both ways; above: RESOURCE_EXHAUSTED."""
    session = await site.session()
    write = WriteCommand(server_handle=1, item_handle=1, value=to_mx_value("x" * 2**24))
    request = MxCommandRequest(
        session_id=session.id, command=MxCommand(kind=MxCommandKind.WRITE, write=write)
    )
    refusal = await refused(session.stub.invoke(request))
    assert refusal.status is Status.RESOURCE_EXHAUSTED
    assert "16777216" in refusal.message


async def test_a_client_that_vanishes_leaves_nothing_behind(site):
    gateway = await site.gateway(change_interval=0.01)
    session = await site.client(gateway).open()
    await session.subscribed("TestMachine_001.TestChangingInt")
    host, _, port = gateway.endpoint.rpartition(":")
    tasks_before = len(asyncio.all_tasks())
    channel = Channel(host, int(port), codec=MessageCodec())
    method = MxAccessGatewayMethods.STREAM_EVENTS
    stream = channel.request(
        method.path,
        method.cardinality,
        method.request,
        method.reply,
        metadata={"authorization": f"Bearer {gateway.api_key}"},
    )
    async with stream:
        await stream.send_message(method.request(session_id=session.id), end=True)
        await stream.recv_message()
        channel.close()
        with pytest.raises(Exception):  # noqa: B017, PT012 - however grpclib tells it
            while True:
                await stream.recv_message()
    await asyncio.sleep(0.05)
    assert len(asyncio.all_tasks()) == tasks_before
    async with session.events() as events:  # the place of the one subscriber is free again
        await events.next()


async def test_a_cancelled_close_closes_all_the_same() -> None:
    before = asyncio.all_tasks()
    gateway = SimulatedGateway()
    await gateway.start()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.001):
            await gateway.close()
    await gateway.close()
    assert asyncio.all_tasks() == before
