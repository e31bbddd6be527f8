"""The reply of a command leaves the gateway before the events that the command causes."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator
from uuid import NAMESPACE_OID, uuid5

import pytest
from grpclib.client import Channel
from grpclib.events import SendMessage, listen
from grpclib.server import Server

from zb_mom_ww_mxgateway.values import to_mx_value
from zb_mom_ww_mxgateway_contracts.mxaccess_gateway_v1 import MxCommandReply, MxEvent
from zb_mom_ww_mxgateway_sim import SimulatedGateway
from zb_mom_ww_mxgateway_wire.grpc import MessageCodec

from .conftest import Client, SessionDriver
from .plant import ALARM, REFERENCE

GUID = str(uuid5(NAMESPACE_OID, REFERENCE))


@pytest.fixture
def sent() -> list[object]:
    """What the gateway sends, in its order."""
    return []


@pytest.fixture
async def session(sent: list[object]) -> AsyncIterator[SessionDriver]:
    gateway = SimulatedGateway(machines=1)
    server = Server(gateway.handlers(), codec=MessageCodec())

    async def note(event: SendMessage) -> None:
        sent.append(event.message)

    listen(server, SendMessage, note)
    listening = socket.create_server(("127.0.0.1", 0))
    port = listening.getsockname()[1]
    await server.start(sock=listening)
    channel = Channel("127.0.0.1", port, codec=MessageCodec())
    try:
        yield await Client(channel, gateway.api_key).open()
    finally:
        channel.close()
        await gateway.close()
        server.close()
        await server.wait_closed()


@pytest.mark.parametrize(
    ("command", "fields"),
    [
        ("advise", {"item_handle": 2}),
        ("activate", {"item_handle": 1}),
        ("write", {"item_handle": 3, "value": to_mx_value(False)}),
        ("acknowledge_alarm", {"alarm_guid": GUID}),
        ("acknowledge_alarm_by_name", {"alarm_name": ALARM}),
    ],
)
async def test_a_reply_leaves_before_the_events_that_its_command_causes(
    session: SessionDriver, sent: list[object], command: str, fields: dict[str, object]
) -> None:
    """The reply is sent before the events it causes."""
    server = await session.do("register", client_name="tests")
    for tag in ("TestMachine_001.MachineCode", "TestMachine_001.TestHistoryValue", ALARM):
        await session.do("add_item", server_handle=server, item_definition=tag)
    for item in (1, 3):
        await session.do("advise", server_handle=server, item_handle=item)
    await session.do("suspend", server_handle=server, item_handle=1)
    await session.do("subscribe_alarms")
    await session.write(server, 3, True)
    async with session.events() as events:
        await events.take(5)  # two first values, and what the write did
        sent.clear()
        if "item_handle" in fields:
            fields = {**fields, "server_handle": server}
        await session.do(command, **fields)
        await events.next()
    assert isinstance(sent[0], MxCommandReply)
    assert isinstance(sent[1], MxEvent)
