"""API keys, as an outside client of stock grpcio meets them: who may call, and what."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import grpc
import pytest

from zb_mom_ww_mxgateway_sim.plugin import RunningGateway

from .outside import Outside, refusal, refusal_or_none, serving

Code = grpc.StatusCode
#: What each scope is for, as specified: rpcs, and commands by their member.
SCOPES: dict[str, list[str]] = {
    "session:open": ["OpenSession", "ping", "get_session_state", "get_worker_info"],
    "session:close": ["CloseSession"],
    "invoke:read": [
        "register",
        "unregister",
        "add_item",
        "add_item2",
        "remove_item",
        "advise",
        "un_advise",
        "advise_supervisory",
        "add_buffered_item",
        "set_buffered_update_interval",
        "suspend",
        "activate",
        "add_item_bulk",
        "advise_item_bulk",
        "remove_item_bulk",
        "un_advise_item_bulk",
        "subscribe_bulk",
        "unsubscribe_bulk",
        "read_bulk",
    ],
    "invoke:write": [
        "AcknowledgeAlarm",
        "write",
        "write2",
        "write_bulk",
        "write2_bulk",
        "acknowledge_alarm_command",
        "acknowledge_alarm_by_name_command",
    ],
    "invoke:secure": [
        "write_secured",
        "write_secured2",
        "write_secured_bulk",
        "write_secured2_bulk",
        "authenticate_user",
        "archestra_user_to_id",
    ],
    "events:read": [
        "StreamEvents",
        "StreamAlarms",
        "QueryActiveAlarms",
        "drain_events",
        "subscribe_alarms",
        "unsubscribe_alarms",
        "query_active_alarms_command",
    ],
    "metadata:read": [
        "TestConnection",
        "GetLastDeployTime",
        "DiscoverHierarchy",
        "WatchDeployEvents",
        "BrowseChildren",
    ],
    "admin": ["shutdown_worker"],
}
CALLS = [(scope, call) for scope, calls in SCOPES.items() for call in calls]
#: These never end by themselves, so their first message is what counts.
ENDLESS = {"StreamAlarms", "WatchDeployEvents"}


@pytest.fixture(scope="module")
def gateway() -> Iterator[RunningGateway]:
    with serving(machines=3, plant=False) as gateway:
        yield gateway


@pytest.fixture
def client(gateway: RunningGateway) -> Iterator[Outside]:
    with Outside(gateway.endpoint, gateway.api_key) as client:
        yield client


def key(gateway: RunningGateway, **settings: Any) -> str:
    """One more API key."""
    return gateway.run(lambda simulated: simulated.add_api_key(**settings))


def make(client: Outside, call: str) -> object:
    """A call by the name of its rpc or of its command's member, for a session that there is not."""
    if call[0].islower():
        return client.invoke("session-0", call)
    for stub, messages in ((client.gateway, client.m), (client.galaxy, client.g)):
        for service in messages.DESCRIPTOR.services_by_name.values():
            if method := service.methods_by_name.get(call):
                request = getattr(messages, method.input_type.name)()
                given = client.call(getattr(stub, call), request)
                return next(given) if call in ENDLESS else given
    raise LookupError(call)


def test_the_scopes_are_those_of_every_call_of_the_contract(client: Outside) -> None:
    payloads = client.m.MxCommand.DESCRIPTOR.oneofs_by_name["payload"].fields
    rpcs = [
        method.name
        for file in (client.m.DESCRIPTOR, client.g.DESCRIPTOR)
        for service in file.services_by_name.values()
        for method in service.methods
    ]
    expected = {*rpcs, *(one.name for one in payloads)} - {"Invoke"}
    assert {call for _, call in CALLS} == expected


@pytest.mark.parametrize(("scope", "call"), CALLS)
def test_a_missing_scope_is_permission_denied_and_named(
    gateway: RunningGateway, scope: str, call: str
) -> None:
    rest = key(gateway, scopes=[one for one in SCOPES if one != scope])
    with Outside(gateway.endpoint, rest) as client:
        error = refusal(lambda: make(client, call))
    assert error.code() is Code.PERMISSION_DENIED
    assert scope in error.details()


@pytest.mark.parametrize(("scope", "call"), CALLS)
def test_a_call_needs_no_other_scope_than_its_own(
    gateway: RunningGateway, scope: str, call: str
) -> None:
    with Outside(gateway.endpoint, key(gateway, scopes=[scope])) as client:
        error = refusal_or_none(lambda: make(client, call))
    assert error is None or error.code() in (Code.NOT_FOUND, Code.INVALID_ARGUMENT)


def test_an_unknown_request_needs_admin(gateway: RunningGateway) -> None:
    rest = key(gateway, scopes=[one for one in SCOPES if one != "admin"])
    with Outside(gateway.endpoint, rest) as client:
        request = client.m.MxCommandRequest(session_id="session-0", command={"kind": 77})
        error = refusal(lambda: client.call(client.gateway.Invoke, request))
    assert error.code() is Code.PERMISSION_DENIED
    assert "admin" in error.details()


def _no_key(given: str) -> list[tuple[str, str]]:
    return []


KEYS: dict[str, Callable[[str], list[tuple[str, str]]]] = {
    "missing": _no_key,
    "empty": lambda key: [("authorization", "")],
    "bare": lambda key: [("authorization", key)],
    "malformed, of another scheme": lambda key: [("authorization", f"Basic {key}")],
    "malformed, without anything": lambda key: [("authorization", "Bearer")],
    "malformed, without an id": lambda key: [("authorization", "Bearer mxgw__secret")],
    "malformed, without a secret": lambda key: [
        ("authorization", f"Bearer {key.rpartition('_')[0]}")
    ],
    "malformed, of another product": lambda key: [("authorization", f"Bearer x{key}")],
    "unknown": lambda key: [("authorization", "Bearer mxgw_nobody_secret")],
    "unknown in its secret": lambda key: [("authorization", f"Bearer {key}x")],
}


@pytest.mark.parametrize("words", KEYS)
def test_a_key_that_is_not_valid_is_unauthenticated_without_saying_why(
    gateway: RunningGateway, client: Outside, words: str
) -> None:
    """Missing, malformed, unknown or revoked key."""
    revoked = key(gateway)
    gateway.run(lambda simulated: simulated.revoke_api_key(revoked))
    refusals = []
    for metadata in (KEYS[words]("mxgw_valid_secret"), [("authorization", f"Bearer {revoked}")]):
        client.metadata = metadata
        refusals.append(refusal(client.open))
    assert [error.code() for error in refusals] == [Code.UNAUTHENTICATED] * 2
    assert refusals[0].details() == refusals[1].details()


@pytest.mark.parametrize("call", ["OpenSession", "ping", *(c for _, c in CALLS if c[0].isupper())])
def test_every_call_needs_a_key(gateway: RunningGateway, call: str) -> None:
    with Outside(gateway.endpoint, None) as client:
        assert refusal(lambda: make(client, call)).code() is Code.UNAUTHENTICATED


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER", "bEaReR"])
def test_bearer_matches_in_any_case(gateway: RunningGateway, client: Outside, scheme: str) -> None:
    """And the key is split at the first ``_`` after the id."""
    given = key(gateway, api_key=f"mxgw_{scheme}_a_secret_with_underscores")
    client.metadata = [("authorization", f"{scheme} {given}")]
    with client.session():
        pass


def test_another_keys_session_is_not_found(gateway: RunningGateway, client: Outside) -> None:
    """A session belongs to the key that opened it."""
    with client.session() as session, Outside(gateway.endpoint, key(gateway)) as other:
        acts: list[Callable[[], object]] = [
            lambda: other.invoke(session, "ping"),
            lambda: other.events(session),
            lambda: other.close(session),
        ]
        for act in acts:
            assert refusal(act).code() is Code.NOT_FOUND


# Keys that are narrowed to subtrees


def test_a_narrowed_key_reads_its_subtree_alone(gateway: RunningGateway) -> None:
    """A denied single command: PERMISSION_DENIED; denied entries of a bulk fail at their index."""
    narrow = key(gateway, read=["TestMachine_001"])
    inside, outside = "TestMachine_001.MachineCode", "TestMachine_002.MachineCode"
    with Outside(gateway.endpoint, narrow) as client, client.session() as session:
        server = client.do(session, "register").server_handle
        for command in ("add_item", "add_item2", "add_buffered_item"):
            fields = {"server_handle": server, "item_definition": outside}
            denied = refusal(partial(client.invoke, session, command, **fields))
            assert denied.code() is Code.PERMISSION_DENIED
        for command in ("add_item_bulk", "subscribe_bulk", "read_bulk"):
            fields = {"server_handle": server, "tag_addresses": [inside, outside, inside]}
            results = client.do(session, command, **fields).results
            assert [result.was_successful for result in results] == [True, False, True]
            assert results[1].error_message


def test_a_narrowed_key_writes_its_subtree_alone(gateway: RunningGateway) -> None:
    """A denied single command: PERMISSION_DENIED; denied entries of a bulk fail at their index."""
    narrow = key(gateway, write=["TestMachine_001"])
    tags = ["TestMachine_002.TestHistoryValue", "TestMachine_001.TestHistoryValue"]
    with Outside(gateway.endpoint, narrow) as client, client.session() as session:
        server, (outside, inside) = client.subscribed(session, *tags)
        value = client.m.MxValue(int32_value=1)
        fields = {"server_handle": server, "item_handle": outside, "value": value}
        for command in ("write", "write2"):
            denied = refusal(partial(client.invoke, session, command, **fields))
            assert denied.code() is Code.PERMISSION_DENIED
        entries = [{"item_handle": item, "value": value} for item in (inside, outside)]
        results = client.do(session, "write_bulk", server_handle=server, entries=entries).results
        assert [result.was_successful for result in results] == [True, False]


def test_a_narrowed_key_browses_its_subtree_alone(gateway: RunningGateway) -> None:
    """What it may not see is an unknown root: NOT_FOUND."""
    narrow = key(gateway, browse=["TestMachine_001"])
    with Outside(gateway.endpoint, narrow) as client:
        found = client.call(client.galaxy.DiscoverHierarchy, client.g.DiscoverHierarchyRequest())
        tags = [one.tag_name for one in found.objects]
        assert "TestMachine_001" in tags
        assert "TestMachine_002" not in tags
        hidden = client.g.DiscoverHierarchyRequest(root_tag_name="TestMachine_002")
        error = refusal(lambda: client.call(client.galaxy.DiscoverHierarchy, hidden))
        assert error.code() is Code.NOT_FOUND
