"""Each wrong call of an outside client, of stock grpcio, gets the status specified for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import grpc
import pytest

from zb_mom_ww_mxgateway_sim.plugin import RunningGateway

from .outside import MAX_MESSAGE_SIZE, PATIENCE, Outside, refusal, serving

Code = grpc.StatusCode
INVALID, MISSING = Code.INVALID_ARGUMENT, Code.NOT_FOUND
SERVICE = "/mxaccess_gateway.v1.MxAccessGateway"
E_INVALIDARG = 0x80070057 - 2**32
#: Bulk commands and the field with their entries.
BULKS = {
    "add_item_bulk": "tag_addresses",
    "subscribe_bulk": "tag_addresses",
    "read_bulk": "tag_addresses",
    "advise_item_bulk": "item_handles",
    "remove_item_bulk": "item_handles",
    "un_advise_item_bulk": "item_handles",
    "unsubscribe_bulk": "item_handles",
    "write_bulk": "entries",
    "write2_bulk": "entries",
    "write_secured_bulk": "entries",
    "write_secured2_bulk": "entries",
}


@pytest.fixture(scope="module")
def gateway() -> Iterator[RunningGateway]:
    with serving(machines=3, plant=False) as gateway:
        yield gateway


@pytest.fixture(scope="module")
def client(gateway: RunningGateway) -> Iterator[Outside]:
    with Outside(gateway.endpoint, gateway.api_key) as client:
        yield client


@pytest.fixture
def session(client: Outside) -> Iterator[str]:
    with client.session() as session:
        yield session


@dataclass(frozen=True)
class Wrong:
    """A wrong call: what is wrong in the words of the rule, and how it must end."""

    words: str
    code: grpc.StatusCode
    text: str
    act: Callable[[Outside, str], object]


def sparse(client: Outside, *elements: tuple[int, Any]) -> Any:
    """A sparse array of two integers."""
    return client.m.MxValue(
        sparse_array_value=client.m.MxSparseArray(
            element_data_type=client.m.MX_DATA_TYPE_INTEGER,
            total_length=2,
            elements=[client.m.MxSparseElement(index=i, value=value) for i, value in elements],
        )
    )


def write_sparse(client: Outside, session: str, *elements: tuple[int, dict[str, Any]]) -> object:
    """Write it to anything: it is malformed wherever it goes."""
    made = [(index, client.m.MxValue(**value)) for index, value in elements]
    return client.invoke(session, "write", value=sparse(client, *made))


def bare(client: Outside, session: str, **command: Any) -> object:
    """An Invoke with a command made by hand."""
    request = client.m.MxCommandRequest(session_id=session)
    request.command.SetInParent()
    for name, value in command.items():
        if isinstance(value, int):
            request.command.kind = value
        else:
            getattr(request.command, name).CopyFrom(value)
    return client.call(client.gateway.Invoke, request)


def discover(client: Outside, **fields: Any) -> Any:
    return client.call(client.galaxy.DiscoverHierarchy, client.g.DiscoverHierarchyRequest(**fields))


def browse(client: Outside, **fields: Any) -> Any:
    return client.call(client.galaxy.BrowseChildren, client.g.BrowseChildrenRequest(**fields))


def page_token(client: Outside) -> str:
    """That of the second page of TestArea's children."""
    return str(browse(client, parent_tag_name="TestArea", page_size=1).next_page_token)


def closed(client: Outside, session: str) -> str:
    client.close(session)
    return session


def acknowledge(client: Outside, reference: str) -> object:
    request = client.m.AcknowledgeAlarmRequest(alarm_full_reference=reference)
    return client.call(client.gateway.AcknowledgeAlarm, request)


def raw(client: Outside, path: str, data: bytes = b"") -> object:
    """Any bytes to any path."""
    method = client.channel.unary_unary(path)
    return method(data, metadata=client.metadata, timeout=PATIENCE)


def send_too_many(client: Outside, session: str, command: str, field: str) -> object:
    request = client.request(session, command)
    entries = getattr(getattr(request.command, command), field)
    for _ in range(10_001):
        if field == "entries":
            entries.add()
        else:
            entries.append("a.b" if field == "tag_addresses" else 1)
    return client.call(client.gateway.Invoke, request)


WRONG_CALLS = [
    # Sessions
    Wrong("no session id", INVALID, "session_id", lambda c, s: c.invoke("", "ping")),
    Wrong("no session id for a stream", INVALID, "session_id", lambda c, s: c.events("")),
    Wrong("no session id to close", INVALID, "session_id", lambda c, s: c.close("")),
    Wrong("unknown session", MISSING, "session-0", lambda c, s: c.invoke("session-0", "ping")),
    Wrong("unknown session's stream", MISSING, "session-0", lambda c, s: c.events("session-0")),
    Wrong("unknown session to close", MISSING, "session-0", lambda c, s: c.close("session-0")),
    Wrong(
        "commands need READY",
        Code.FAILED_PRECONDITION,
        "CLOS",
        lambda c, s: c.invoke(closed(c, s), "ping"),
    ),
    Wrong(
        "streams need READY",
        Code.FAILED_PRECONDITION,
        "CLOS",
        lambda c, s: c.events(closed(c, s)),
    ),
    Wrong(
        "a command timeout that is none",
        INVALID,
        "command_timeout",
        lambda c, s: c.call(
            c.gateway.OpenSession, c.m.OpenSessionRequest(command_timeout={"seconds": -1})
        ),
    ),
    # Commands
    Wrong(
        "no command",
        INVALID,
        "no command",
        lambda c, s: c.call(c.gateway.Invoke, c.m.MxCommandRequest(session_id=s)),
    ),
    Wrong("a command without a kind", INVALID, "kind", lambda c, s: bare(c, s)),
    Wrong("an unknown kind", INVALID, "unknown", lambda c, s: bare(c, s, kind=77)),
    Wrong(
        "a kind without its payload",
        INVALID,
        "goes with payload ping",
        lambda c, s: bare(c, s, kind=c.m.MX_COMMAND_KIND_PING),
    ),
    Wrong(
        "kind and payload that do not match",
        INVALID,
        "goes with payload ping, not with register",
        lambda c, s: bare(c, s, kind=c.m.MX_COMMAND_KIND_PING, register=c.m.RegisterCommand()),
    ),
    *(
        Wrong(
            f"more than 10,000 entries in {command}",
            INVALID,
            "10000",
            partial(send_too_many, command=command, field=field),
        )
        for command, field in BULKS.items()
    ),
    # Sparse arrays
    Wrong(
        "index ≥ total_length",
        INVALID,
        "index 2",
        lambda c, s: write_sparse(c, s, (2, {"int32_value": 1})),
    ),
    Wrong(
        "a repeated index",
        INVALID,
        "index 1 is repeated",
        lambda c, s: write_sparse(c, s, (1, {"int32_value": 1}), (1, {"int32_value": 2})),
    ),
    Wrong(
        "a non-scalar element",
        INVALID,
        "no scalar",
        lambda c, s: write_sparse(c, s, (0, {"array_value": {"dimensions": [0]}})),
    ),
    # Alarms
    Wrong("unknown alarm", MISSING, "Galaxy!No", lambda c, s: acknowledge(c, "Galaxy!No.Such")),
    Wrong("an acknowledgement of no alarm", INVALID, "alarm_full", lambda c, s: acknowledge(c, "")),
    # Galaxy
    Wrong("unknown root by id", MISSING, "9999", lambda c, s: discover(c, root_gobject_id=9999)),
    Wrong("unknown root by tag", MISSING, "No", lambda c, s: discover(c, root_tag_name="No")),
    Wrong(
        "unknown root by path", MISSING, "A/B", lambda c, s: discover(c, root_contained_path="A/B")
    ),
    Wrong("unknown parent by id", MISSING, "9999", lambda c, s: browse(c, parent_gobject_id=9999)),
    Wrong("unknown parent by tag", MISSING, "No", lambda c, s: browse(c, parent_tag_name="No")),
    Wrong(
        "unknown parent by path",
        MISSING,
        "A/B",
        lambda c, s: browse(c, parent_contained_path="A/B"),
    ),
    Wrong("a token that is none", INVALID, "token", lambda c, s: discover(c, page_token="no")),
    Wrong(
        "a token of another parent",
        INVALID,
        "token",
        lambda c, s: browse(c, parent_tag_name="TestPlant", page_token=page_token(c)),
    ),
    Wrong(
        "a token of another filter",
        INVALID,
        "token",
        lambda c, s: browse(
            c, parent_tag_name="TestArea", historized_only=True, page_token=page_token(c)
        ),
    ),
    Wrong("a negative page size", INVALID, "page_size", lambda c, s: browse(c, page_size=-1)),
    Wrong(
        "a negative depth", INVALID, "max_depth", lambda c, s: discover(c, max_depth={"value": -1})
    ),
    # Transport
    Wrong("unknown rpc", Code.UNIMPLEMENTED, "", lambda c, s: raw(c, f"{SERVICE}/Guess")),
    Wrong("unknown service", Code.UNIMPLEMENTED, "", lambda c, s: raw(c, "/some.Service/Open")),
    Wrong(
        "bytes that are no request", INVALID, "", lambda c, s: raw(c, f"{SERVICE}/Invoke", b"\xff")
    ),
    Wrong(
        "a message over 16 MiB",
        Code.RESOURCE_EXHAUSTED,
        str(MAX_MESSAGE_SIZE),
        lambda c, s: c.invoke(s, "ping", message="x" * MAX_MESSAGE_SIZE),
    ),
]


@pytest.mark.parametrize("wrong", WRONG_CALLS, ids=lambda wrong: wrong.words)
def test_a_wrong_call_gets_the_specified_status(
    client: Outside, session: str, wrong: Wrong
) -> None:
    error = refusal(lambda: wrong.act(client, session))
    assert error.code() is wrong.code, error.details()
    assert wrong.text in error.details()


def test_closing_is_idempotent_while_the_gateway_remembers_the_session(
    client: Outside, session: str
) -> None:
    first, again = client.close(session), client.close(session)
    assert first.final_state == again.final_state == client.m.SESSION_STATE_CLOSED


def test_a_second_subscriber_is_refused(client: Outside, session: str) -> None:
    """ALREADY_EXISTS with EventSubscriberAlreadyActive; the first goes on."""
    events = client.events(session)
    events.initial_metadata()
    error = refusal(lambda: client.events(session))
    assert error.code() is Code.ALREADY_EXISTS
    assert "EventSubscriberAlreadyActive" in error.details()
    client.subscribed(session, "TestMachine_001.MachineCode")
    assert next(events).value.string_value == "M001"
    events.cancel()


def test_a_page_token_of_an_older_deploy_is_invalid(
    client: Outside, gateway: RunningGateway
) -> None:
    token = page_token(client)
    gateway.run(lambda simulated: simulated.deploy())
    error = refusal(
        lambda: browse(client, parent_tag_name="TestArea", page_size=1, page_token=token)
    )
    assert error.code() is INVALID


# What MXAccess refuses: gRPC OK, protocol status MXACCESS_FAILURE


def commands_with(client: Outside, field: str) -> list[str]:
    """The commands that have such a field, by their member."""
    payloads = client.m.MxCommand.DESCRIPTOR.oneofs_by_name["payload"].fields
    return [one.name for one in payloads if field in one.message_type.fields_by_name]


def assert_refused_by_mxaccess(client: Outside, reply: Any, hresult: int = E_INVALIDARG) -> None:
    assert reply.protocol_status.code == client.m.PROTOCOL_STATUS_CODE_MXACCESS_FAILURE
    assert reply.HasField("hresult")
    assert reply.hresult == hresult
    assert reply.WhichOneof("payload") is None


def test_an_invalid_server_handle_is_refused_by_any_command(client: Outside, session: str) -> None:
    """0x80070057, MXACCESS_FAILURE, statuses carry CONFIGURATION_ERROR."""
    commands = commands_with(client, "server_handle")
    assert len(commands) == 28
    for command in commands:
        reply = client.invoke(session, command, server_handle=99)
        assert_refused_by_mxaccess(client, reply)
        categories = [status.category for status in reply.statuses]
        assert categories == [client.m.MX_STATUS_CATEGORY_CONFIGURATION_ERROR]


def test_an_invalid_item_handle_is_refused_by_any_command(client: Outside, session: str) -> None:
    """0x80070057, MXACCESS_FAILURE, statuses carry CONFIGURATION_ERROR."""
    server, _ = client.subscribed(session)
    commands = commands_with(client, "item_handle")
    assert len(commands) == 10
    for command in commands:
        reply = client.invoke(session, command, server_handle=server, item_handle=99)
        assert_refused_by_mxaccess(client, reply)
        categories = [status.category for status in reply.statuses]
        assert categories == [client.m.MX_STATUS_CATEGORY_CONFIGURATION_ERROR]


def test_a_write_to_an_item_that_is_not_advised_is_refused(client: Outside, session: str) -> None:
    """0x80070057; so is one whose reference is not resolved, while adding it succeeds."""
    server, (unresolved,) = client.subscribed(session, "Nobody.Nothing")
    fields = {"server_handle": server, "item_definition": "TestMachine_001.MachineCode"}
    added = client.do(session, "add_item", **fields).item_handle
    for item in (added, unresolved):
        reply = client.invoke(session, "write", server_handle=server, item_handle=item)
        assert_refused_by_mxaccess(client, reply)
    (event,) = client.do(session, "drain_events").events
    assert event.statuses[0].category == client.m.MX_STATUS_CATEGORY_CONFIGURATION_ERROR
    assert (event.statuses[0].detail, event.quality) == (6, 4)
    assert not event.HasField("value")


def test_a_secured_write_without_users_is_refused(client: Outside, session: str) -> None:
    """0x80004021; the user ids must be of the same server handle."""
    server, (item,) = client.subscribed(session, "TestMachine_001.ProtectedValue")
    other, _ = client.subscribed(session)
    client.do(session, "authenticate_user", server_handle=other, user_name="somebody")
    users = {"current_user_id": 1, "verifier_user_id": 1}
    fields = {"server_handle": server, "item_handle": item, **users}
    for command in ("write_secured", "write_secured2"):
        reply = client.invoke(session, command, **fields)
        assert_refused_by_mxaccess(client, reply, 0x80004021 - 2**32)


def test_failing_entries_of_a_bulk_fail_at_their_own_index(client: Outside, session: str) -> None:
    """The rest go on, and the whole reply is OK."""
    server, (item,) = client.subscribed(session, "TestMachine_001.TestHistoryValue")
    entries = [
        client.m.WriteBulkEntry(item_handle=handle, value=client.m.MxValue(int32_value=handle))
        for handle in (item, 99, item)
    ]
    results = client.do(session, "write_bulk", server_handle=server, entries=entries).results
    assert [result.was_successful for result in results] == [True, False, True]
    assert results[1].hresult == E_INVALIDARG
    assert results[1].error_message
    handles = [99, item]
    fields = {"server_handle": server, "item_handles": handles}
    results = client.do(session, "remove_item_bulk", **fields).results
    assert [result.was_successful for result in results] == [False, True]
    assert [result.item_handle for result in results] == handles


def test_an_unknown_alarm_is_refused_by_the_commands_of_a_session(
    client: Outside, session: str
) -> None:
    guid = "00000000-0000-4000-8000-000000000000"
    by_guid = client.invoke(session, "acknowledge_alarm_command", alarm_guid=guid)
    assert_refused_by_mxaccess(client, by_guid)
    by_name = client.invoke(session, "acknowledge_alarm_by_name_command", alarm_name="None")
    assert_refused_by_mxaccess(client, by_name)


def test_an_unknown_user_guid_is_refused(client: Outside, session: str) -> None:
    """GUID of a configured user → its id, else 0x80070057."""
    server, _ = client.subscribed(session)
    fields = {"server_handle": server, "user_guid": "00000000-0000-4000-8000-000000000000"}
    reply = client.invoke(session, "archestra_user_to_id", **fields)
    assert_refused_by_mxaccess(client, reply)
