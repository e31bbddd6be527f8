"""Scopes: which one each rpc and each command needs, in which order a call is checked."""

from __future__ import annotations

from typing import Any

import pytest
from grpclib.client import Channel
from grpclib.const import Cardinality, Status
from grpclib.exceptions import GRPCError
from grpclib.testing import ChannelFor

from zb_mom_ww_mxgateway_contracts.galaxy_repository_v1.services import GalaxyRepositoryMethods
from zb_mom_ww_mxgateway_contracts.mxaccess_gateway_v1 import (
    MxCommand,
    MxCommandKind,
    MxCommandRequest,
)
from zb_mom_ww_mxgateway_contracts.mxaccess_gateway_v1.commands import COMMANDS
from zb_mom_ww_mxgateway_contracts.mxaccess_gateway_v1.services import MxAccessGatewayMethods
from zb_mom_ww_mxgateway_sim import SimulatedGateway
from zb_mom_ww_mxgateway_sim.auth.scopes import ALL_SCOPES, DEFAULT_SCOPES, Scope, scope_needed
from zb_mom_ww_mxgateway_wire.grpc import MessageCodec, Method

#: The rows of facts, spelled out: what needs which scope. Rpcs by their names, commands by theirs.
NEEDED = {
    "session:open": "OpenSession ping get_session_state get_worker_info",
    "session:close": "CloseSession",
    "invoke:read": "register unregister add_item add_item2 remove_item advise un_advise "
    "advise_supervisory add_buffered_item set_buffered_update_interval suspend activate "
    "add_item_bulk advise_item_bulk remove_item_bulk un_advise_item_bulk subscribe_bulk "
    "unsubscribe_bulk read_bulk",
    "invoke:write": "write write2 write_bulk write2_bulk AcknowledgeAlarm acknowledge_alarm "
    "acknowledge_alarm_by_name",
    "invoke:secure": "write_secured write_secured2 write_secured_bulk write_secured2_bulk "
    "authenticate_user archestra_user_to_id",
    "events:read": "StreamEvents StreamAlarms QueryActiveAlarms drain_events subscribe_alarms "
    "unsubscribe_alarms query_active_alarms",
    "metadata:read": "TestConnection GetLastDeployTime DiscoverHierarchy WatchDeployEvents "
    "BrowseChildren",
    "admin": "shutdown_worker",
}
SCOPE_OF = {name: scope for scope, names in NEEDED.items() for name in names.split()}
RPCS = {
    method.path.rpartition("/")[2]: method
    for methods in (MxAccessGatewayMethods, GalaxyRepositoryMethods)
    for method in vars(methods).values()
    if isinstance(method, Method)
}
NAMES = sorted({*RPCS, *COMMANDS} - {"Invoke"})


def asked(name: str) -> tuple[Method[Any, Any], Any]:
    """A call of that rpc, or an Invoke of that command, of a session that there is not."""
    if name in RPCS:
        return RPCS[name], RPCS[name].request()
    spec = COMMANDS[name]
    command = MxCommand(kind=MxCommandKind(spec.kind), **{spec.member: spec.payload()})
    request = MxCommandRequest(session_id="session-of-nobody", command=command)
    return MxAccessGatewayMethods.INVOKE, request


async def outcome(
    channel: Channel, key: str, method: Method[Any, Any], request: Any
) -> tuple[Status, str]:
    """How a call begins: the status of its refusal, or OK once it is let in and answers."""
    metadata = {"authorization": f"Bearer {key}"}
    opened = channel.request(
        method.path, method.cardinality, method.request, method.reply, metadata=metadata
    )
    try:
        async with opened as stream:
            await stream.send_message(request, end=True)
            first = await stream.recv_message()
            if first is not None and method.cardinality.server_streaming:
                await stream.cancel()
    except GRPCError as error:
        return error.status, error.message or ""
    return Status.OK, ""


def test_every_rpc_and_every_command_has_its_row() -> None:
    assert SCOPE_OF.keys() <= {*RPCS, *COMMANDS}
    assert {*RPCS, *COMMANDS} - SCOPE_OF.keys() <= {"Invoke", "echo"}  # a contract may have more


@pytest.mark.parametrize("only", [True, False])
@pytest.mark.parametrize("scope", list(Scope))
async def test_a_call_is_let_in_if_its_key_has_the_scope_and_else_told_which_one_it_lacks(
    scope: Scope, only: bool
) -> None:
    """Row: scopes: OpenSession and CloseSession → their own; register, items, advise, subscribe,
    ReadBulk → invoke:read; Write, Write2 and their bulks, AcknowledgeAlarm → invoke:write; secured
    writes, AuthenticateUser, ArchestrAUserToId → invoke:secure; StreamEvents, DrainEvents,
    StreamAlarms, QueryActiveAlarms → events:read; Galaxy → metadata:read; ShutdownWorker → admin;
    Ping, GetSessionState, GetWorkerInfo → session:open. An unknown request needs admin.
    Missing scope: PERMISSION_DENIED, naming the scope.

    With each scope alone, and with all but each.
    """
    scopes = {scope} if only else ALL_SCOPES - {scope}
    gateway = SimulatedGateway(machines=1)
    key = gateway.add_api_key(scopes=scopes)
    async with ChannelFor(gateway.handlers(), codec=MessageCodec()) as channel:
        for name in NAMES:
            status, text = await outcome(channel, key, *asked(name))
            needed = SCOPE_OF.get(name, "admin")
            assert (status is Status.PERMISSION_DENIED) == (needed not in scopes), name
            assert status is not Status.UNAUTHENTICATED
            if needed not in scopes:
                assert f"scope {needed}" in text
                assert key not in text


@pytest.fixture
async def gateway(site) -> SimulatedGateway:
    return await site.gateway(machines=1)


UNKNOWN_KIND = MxCommandRequest(
    session_id="session-of-nobody", command=MxCommand(kind=MxCommandKind(31_999))
)


async def test_an_unknown_request_needs_admin_and_is_malformed_for_those_who_have_it(
    site, gateway
) -> None:
    """Row: an unknown request needs admin."""
    method = MxAccessGatewayMethods.INVOKE
    narrow = gateway.add_api_key(scopes=ALL_SCOPES - {Scope.ADMIN})
    status, text = await outcome(site.client(gateway).channel, narrow, method, UNKNOWN_KIND)
    assert (status, "scope admin" in text) == (Status.PERMISSION_DENIED, True)
    wide = gateway.add_api_key(scopes=[Scope.ADMIN])
    status, text = await outcome(site.client(gateway).channel, wide, method, UNKNOWN_KIND)
    assert (status, "31999" in text) == (Status.INVALID_ARGUMENT, True)


def test_an_rpc_that_no_table_names_needs_admin() -> None:
    other = "/mxaccess_gateway.v1.MxAccessGateway/Reboot"
    assert scope_needed(other, RPCS["OpenSession"].request()) is Scope.ADMIN


@pytest.mark.parametrize("command", [None, MxCommand()])
async def test_a_request_that_asks_for_nothing_is_malformed_whatever_the_scopes(
    site, gateway, command
) -> None:
    """D: a client that forgot the command is told so, and not that it needs admin."""
    key = gateway.add_api_key(scopes=[])
    request = MxCommandRequest(session_id="session-of-nobody", command=command)
    channel = site.client(gateway).channel
    status, _ = await outcome(channel, key, MxAccessGatewayMethods.INVOKE, request)
    assert status is Status.INVALID_ARGUMENT


@pytest.mark.parametrize(
    ("scopes", "expected"),
    [
        (None, Status.UNAUTHENTICATED),  # no such key: strangers learn nothing else
        ([], Status.INVALID_ARGUMENT),  # the bytes say what is asked, and so which scope
    ],
)
async def test_strangers_are_refused_before_the_request_is_read_and_scopes_are_asked_after(
    site, gateway, scopes, expected
) -> None:
    """D: UNAUTHENTICATED, then bytes that are no request, then PERMISSION_DENIED, then the rest."""
    key = "mxgw_no_key" if scopes is None else gateway.add_api_key(scopes=scopes)
    channel = site.client(gateway).channel
    for method in RPCS.values():
        assert (await outcome(channel, key, method, b"\xff\xff\xff"))[0] is expected, method


async def test_a_call_that_ends_without_a_request_is_malformed(site, gateway, refused) -> None:
    client = site.client(gateway)
    method = RPCS["OpenSession"]
    metadata = client.transport.metadata
    opened = client.channel.request(
        method.path, Cardinality.STREAM_UNARY, method.request, method.reply, metadata=metadata
    )

    async def ended() -> None:
        async with opened as stream:
            await stream.send_request()
            await stream.end()
            await stream.recv_message()

    refusal = await refused(ended())
    assert (refusal.status, refusal.message) == (
        Status.INVALID_ARGUMENT,
        "the call ended without a request",
    )


async def test_a_missing_scope_comes_before_whatever_else_is_wrong(site, gateway) -> None:
    """A kind with another's payload, to a session that there is not: the kind alone counts."""
    key = gateway.add_api_key(scopes=[])
    wrong = MxCommand(kind=MxCommandKind.WRITE, register=COMMANDS["register"].payload())
    request = MxCommandRequest(session_id="", command=wrong)
    channel = site.client(gateway).channel
    status, text = await outcome(channel, key, MxAccessGatewayMethods.INVOKE, request)
    assert (status, "scope invoke:write" in text) == (Status.PERMISSION_DENIED, True)


def test_a_key_that_is_made_without_naming_scopes_has_all_but_admin() -> None:
    """D"""
    assert {*DEFAULT_SCOPES, Scope.ADMIN} == ALL_SCOPES
    assert Scope.ADMIN not in DEFAULT_SCOPES
