"""Commands on handles: register, add, advise, their bulk forms, and what is malformed."""

from __future__ import annotations

import os

import pytest
from grpclib.const import Status

from zb_mom_ww_mxgateway.values import from_mx_value, to_mx_value
from zb_mom_ww_mxgateway_contracts.mxaccess_gateway_v1 import (
    MxCommand,
    MxCommandKind,
    MxCommandRequest,
    MxDataType,
    MxEventFamily,
    MxSparseArray,
    MxSparseElement,
    MxStatusCategory,
    MxValue,
    PingCommand,
    ProtocolStatusCode,
    SessionState,
    WriteBulkEntry,
)
from zb_mom_ww_mxgateway_contracts.mxaccess_gateway_v1.commands import COMMANDS, MAX_BULK_ITEMS
from zb_mom_ww_mxgateway_wire.fields import fields_of

E_INVALIDARG = -2147024809
CODE = "TestMachine_001.MachineCode"


def assert_invalid_argument(reply):
    assert reply.protocol_status.code == ProtocolStatusCode.MXACCESS_FAILURE
    assert reply.hresult == E_INVALIDARG
    assert [status.category for status in reply.statuses] == [MxStatusCategory.CONFIGURATION_ERROR]
    assert reply.diagnostic_message
    assert reply.which_payload() is None


async def test_register_gives_a_positive_handle_in_payload_and_return_value(session):
    """Register: positive server handle, also in ``return_value``."""
    reply = await session.invoke("register", client_name="x", correlation_id="c-1")
    assert reply.register.server_handle > 0
    assert from_mx_value(reply.return_value) == reply.register.server_handle
    assert reply.session_id == session.id
    assert reply.correlation_id == "c-1"
    assert reply.kind == MxCommandKind.REGISTER
    assert reply.hresult == 0
    assert (await session.do("register")) != reply.register.server_handle


async def test_unregister_voids_items_advices_and_users(session, refused):
    """Unregister: its items, advices and user ids are void afterwards."""
    server, (item,) = await session.subscribed(CODE)
    other, (kept,) = await session.subscribed(CODE)
    await session.do("authenticate_user", server_handle=server)
    async with session.events() as events:
        await events.take(2)
        await session.do("unregister", server_handle=server)
        assert_invalid_argument(await session.write(server, item, "x"))
        assert_invalid_argument(await session.invoke("unregister", server_handle=server))
        await session.write(other, kept, "x")
        seen = await events.take(2)
    assert [event.item_handle for event in seen] == [kept, kept]


async def test_add_item_succeeds_for_references_that_do_not_exist(session):
    """AddItem succeeds for references that do not exist; the error comes as a data change with a
    configuration error. Invalid reference: one OnDataChange.
    """
    server = await session.do("register")
    item = await session.do("add_item", server_handle=server, item_definition="No.Such")
    await session.do("advise", server_handle=server, item_handle=item)
    async with session.events() as events:
        event = await events.next()
        assert await events.quiet()
    assert event.family == MxEventFamily.ON_DATA_CHANGE
    assert event.value is None
    assert event.quality == 4
    (status,) = event.statuses
    assert (status.category, status.detail) == (MxStatusCategory.CONFIGURATION_ERROR, 6)


async def test_an_empty_reference_is_an_invalid_argument(session):
    server = await session.do("register")
    for command in ("add_item", "add_item2"):
        assert_invalid_argument(await session.invoke(command, server_handle=server))


async def test_the_same_name_twice_gives_two_handles_and_none_is_ever_reused(session):
    """AddItem, same name twice: two handles. Handles are never reused within a session."""
    server = await session.do("register")
    add = {"server_handle": server, "item_definition": CODE}
    handles = [await session.do("add_item", **add) for _ in range(2)]
    await session.do("remove_item", server_handle=server, item_handle=handles[1])
    handles.append(await session.do("add_item", **add))
    await session.do("unregister", server_handle=server)
    add["server_handle"] = await session.do("register")
    handles.append(await session.do("add_item", **add))
    assert len(set(handles)) == 4
    assert add["server_handle"] != server


@pytest.mark.parametrize(
    ("definition", "context"),
    [
        ("MachineCode", "TestMachine_001"),
        ("TestMachine_001.MachineCode", ""),
        ("TestMachine_001.MachineCode", "TestChildObject"),
        ("testmachine_001.MACHINECODE", ""),
    ],
)
async def test_add_item2_completes_a_reference_by_its_context(session, definition, context):
    """AddItem2: as AddItem; the context is passed on as given."""
    server = await session.do("register")
    item = await session.do(
        "add_item2", server_handle=server, item_definition=definition, item_context=context
    )
    await session.do("advise", server_handle=server, item_handle=item)
    async with session.events() as events:
        assert from_mx_value((await events.next()).value) == "M001"


async def test_the_first_data_change_is_good_and_complete(session):
    """OnDataChange: value, quality, source timestamp, statuses; good quality is 192."""
    server, (item,) = await session.subscribed("TestMachine_001.TestHistoryValue")
    async with session.events() as events:
        event = await events.next()
    assert event.family == MxEventFamily.ON_DATA_CHANGE
    assert event.which_body() == "on_data_change"
    assert (event.session_id, event.server_handle, event.item_handle) == (session.id, server, item)
    assert event.quality == 192
    assert event.value.data_type == MxDataType.INTEGER
    assert event.source_timestamp.to_datetime() <= event.worker_timestamp.to_datetime()
    assert [status.category for status in event.statuses] == [MxStatusCategory.OK]


async def test_advising_twice_either_way_is_one_advice_and_one_un_advise_ends_it(session):
    """Advise, AdviseSupervisory: the current value follows as the first OnDataChange; both kinds on
    one item count as one advice. Advising twice: OK, no second stream of events.
    """
    server = await session.do("register")
    item = await session.do("add_item", server_handle=server, item_definition=CODE)
    handles = {"server_handle": server, "item_handle": item}
    for command in ("advise", "advise_supervisory", "advise"):
        await session.do(command, **handles)
    async with session.events() as events:
        assert (await events.next()).worker_sequence == 1
        assert await events.quiet()
        await session.write(server, item, "x")
        assert [event.family for event in await events.take(2)] == [
            MxEventFamily.ON_WRITE_COMPLETE,
            MxEventFamily.ON_DATA_CHANGE,
        ]
        await session.do("un_advise", **handles)
        await session.do("un_advise", **handles)  # harmless
        assert_invalid_argument(await session.write(server, item, "y"))
        await session.do("advise", **handles)
        assert from_mx_value((await events.next()).value) == "x"


async def test_removing_an_advised_item_un_advises_it(session):
    """RemoveItem while advised: un-advises first."""
    server, (item, other) = await session.subscribed(CODE, CODE)
    await session.do("remove_item", server_handle=server, item_handle=item)
    async with session.events() as events:
        await events.take(2)
        await session.write(server, other, "x")
        assert [event.item_handle for event in await events.take(2)] == [other, other]
        assert await events.quiet()


@pytest.mark.parametrize(
    "command",
    [
        "remove_item",
        "advise",
        "advise_supervisory",
        "un_advise",
        "write",
        "write2",
        "write_secured",
        "write_secured2",
    ],
)
async def test_an_invalid_handle_is_a_failure_of_mxaccess(session, command):
    """Invalid server or item handle, any command: 0x80070057, MXACCESS_FAILURE, ``statuses`` carry
    CONFIGURATION_ERROR. A command that failed in MXAccess is not a transport error: gRPC OK,
    protocol status MXACCESS_FAILURE, ``hresult`` is the COM HRESULT (signed), ``statuses`` kept
    whole.
    """
    server = await session.do("register")
    stranger = await session.do("register")
    item = await session.do("add_item", server_handle=stranger, item_definition=CODE)
    for handles in ((99, item), (0, item), (server, item), (server, 99), (server, -1)):
        reply = await session.invoke(command, server_handle=handles[0], item_handle=handles[1])
        assert_invalid_argument(reply)


@pytest.mark.parametrize(
    "command",
    sorted(
        name
        for name, spec in COMMANDS.items()
        if any(param.name == "server_handle" for param in spec.params)
    ),
)
async def test_an_invalid_server_handle_fails_every_command(session, command):
    """Invalid server handle, any command: 0x80070057, MXACCESS_FAILURE."""
    assert_invalid_argument(await session.invoke(command, server_handle=7, correlation_id="c"))


async def test_bulk_commands_answer_in_order_and_one_failure_stops_none_of_the_rest(session):
    """Bulk commands: one command; entries run in order; results in input order; a failing entry has
    ``was_successful`` = false and an error text and the rest go on; the whole reply is OK.
    """
    server = await session.do("register")
    tags = [CODE, "", "No.Such", "TestMachine_002.MachineCode"]
    added = await session.do("add_item_bulk", server_handle=server, tag_addresses=tags)
    assert [result.tag_address for result in added] == tags
    assert [result.was_successful for result in added] == [True, False, True, True]
    assert [bool(result.error_message) for result in added] == [False, True, False, False]
    assert {result.server_handle for result in added} == {server}
    handles = [added[0].item_handle, 99, added[2].item_handle, added[3].item_handle]
    for command in (
        "advise_item_bulk",
        "un_advise_item_bulk",
        "remove_item_bulk",
    ):
        results = await session.do(command, server_handle=server, item_handles=handles)
        assert [result.item_handle for result in results] == handles
        assert [result.was_successful for result in results] == [True, False, True, True]
        assert "99" in results[1].error_message
        assert results[0].tag_address == CODE
    again = await session.do("remove_item_bulk", server_handle=server, item_handles=handles)
    assert not any(result.was_successful for result in again)


async def test_subscribe_bulk_adds_and_advises_and_unsubscribe_bulk_undoes_both(session):
    tags = [f"TestMachine_{number:03d}.TestChangingInt" for number in range(1, 11)]
    server, items = await session.subscribed(*tags)
    async with session.events() as events:
        seen = await events.take(10)
        assert [event.item_handle for event in seen] == items
        results = await session.do("unsubscribe_bulk", server_handle=server, item_handles=items)
        assert [result.tag_address for result in results] == tags
        assert_invalid_argument(
            await session.invoke("advise", server_handle=server, item_handle=items[0])
        )


async def test_empty_bulks_are_fine(session):
    server = await session.do("register")
    for name, spec in COMMANDS.items():
        if spec.bulk_field is not None:
            assert await session.do(name, server_handle=server) == []


@pytest.mark.parametrize("command", sorted(n for n, s in COMMANDS.items() if s.bulk_field))
async def test_more_than_10000_entries_are_malformed(session, refused, command):
    """Bulk commands: more than 10,000 entries: INVALID_ARGUMENT."""
    spec = COMMANDS[command]
    entry = "x" if spec.bulk_field == "tag_addresses" else 1
    if spec.bulk_field == "entries":
        entry_type = fields_of(spec.payload)["entries"].type_of
        assert entry_type is not None
        entry = entry_type()()
    fields = {"server_handle": 1, spec.bulk_field: [entry] * (MAX_BULK_ITEMS + 1)}
    refusal = await refused(session.invoke(command, **fields))
    assert refusal.status is Status.INVALID_ARGUMENT
    assert "10001" in refusal.message
    assert spec.kind.proto_name in refusal.message


async def test_10000_entries_are_fine(session):
    _, items = await session.subscribed(*[CODE] * MAX_BULK_ITEMS)
    assert len(set(items)) == MAX_BULK_ITEMS


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (None, ["no command"]),
        (MxCommand(), ["kind", "not given"]),
        (MxCommand(ping=PingCommand()), ["kind", "not given"]),
        (MxCommand(kind=MxCommandKind(77), ping=PingCommand()), ["77", "unknown"]),
        (MxCommand(kind=MxCommandKind.PING), ["MX_COMMAND_KIND_PING", "none"]),
        (
            MxCommand(kind=MxCommandKind.REGISTER, ping=PingCommand()),
            ["MX_COMMAND_KIND_REGISTER", "register", "ping"],
        ),
    ],
)
async def test_a_malformed_request_is_refused_by_a_text_that_names_the_fault(
    session, refused, command, words
):
    """Malformed request (no command, kind and payload that do not match, unknown kind):
    INVALID_ARGUMENT with a text that names the fault.
    """
    request = MxCommandRequest(session_id=session.id, command=command)
    refusal = await refused(session.stub.invoke(request))
    assert refusal.status is Status.INVALID_ARGUMENT
    for word in words:
        assert word in refusal.message


def _sparse(total, *elements, of=MxDataType.STRING):
    listed = [MxSparseElement(index=index, value=value) for index, value in elements]
    array = MxSparseArray(element_data_type=of, total_length=total, elements=listed)
    return MxValue(sparse_array_value=array)


@pytest.mark.parametrize(
    ("value", "word"),
    [
        (_sparse(2, (2, to_mx_value("x"))), "index 2"),
        (_sparse(2, (1, to_mx_value("x")), (1, to_mx_value("y"))), "repeated"),
        (_sparse(2, (1, to_mx_value(["x"]))), "no scalar"),
        (_sparse(2, (1, None)), "no scalar"),
        (_sparse(2, of=MxDataType.UNSPECIFIED), "default"),
        (_sparse(2**32 - 1), "total_length"),
    ],
)
async def test_a_sparse_array_that_describes_none_is_malformed_and_nothing_is_written(
    session, refused, value, word
):
    """Sparse array: index ≥ ``total_length``, a repeated index, a non-scalar element:
    INVALID_ARGUMENT.
    """
    server, (item, array) = await session.subscribed(CODE, "TestChildObject.TestStringArray")
    entries = [
        WriteBulkEntry(item_handle=item, value=to_mx_value("new")),
        WriteBulkEntry(item_handle=array, value=value),
    ]
    refusal = await refused(session.invoke("write_bulk", server_handle=server, entries=entries))
    assert refusal.status is Status.INVALID_ARGUMENT
    assert word in refusal.message
    (result,) = await session.do("read_bulk", server_handle=server, tag_addresses=[CODE])
    assert from_mx_value(result.value) == "M001"


async def test_a_kind_that_is_known_and_not_supported_is_ok_with_invalid_request(session):
    """A kind that the gateway knows and does not support: OK with protocol status INVALID_REQUEST
    and its name in the text.
    """
    reply = await session.invoke("subscribe_alarms", correlation_id="c", forced_mode=99)
    assert reply.protocol_status.code == ProtocolStatusCode.INVALID_REQUEST
    assert COMMANDS["subscribe_alarms"].kind.proto_name in reply.protocol_status.message
    assert reply.correlation_id == "c"
    assert reply.which_payload() is None


async def test_ping_state_and_worker_info(session):
    """Ping, GetSessionState, GetWorkerInfo: as named."""
    reply = await session.invoke("ping", message="hello", correlation_id="c")
    assert reply.protocol_status.code == ProtocolStatusCode.OK
    assert (reply.which_payload(), reply.hresult, reply.correlation_id) == (None, None, "c")
    assert await session.do("get_session_state") == SessionState.READY
    info = await session.do("get_worker_info")
    assert info.worker_process_id == os.getpid()
    assert info.worker_version == "simulator"


async def test_authenticate_user_gives_user_1_for_every_credential(session):
    """AuthenticateUser, open galaxy: every credential gives user id 1."""
    server = await session.do("register")
    for fields in ({}, {"user_name": "joe", "password": "pass w0rd"}):
        reply = await session.invoke("authenticate_user", server_handle=server, **fields)
        assert reply.authenticate_user.user_id == 1
        assert from_mx_value(reply.return_value) == 1
        assert "pass w0rd" not in repr(reply)
