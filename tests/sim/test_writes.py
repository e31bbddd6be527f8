"""Writes: what is accepted, how it completes, and what it changes."""

from __future__ import annotations

from contextlib import AsyncExitStack
from datetime import datetime, timezone

import pytest

from zb_mom_ww_mxgateway.values import from_mx_value, to_mx_value
from zb_mom_ww_mxgateway_contracts.google_protobuf import Timestamp
from zb_mom_ww_mxgateway_contracts.mxaccess_gateway_v1 import (
    MxDataType,
    MxEventFamily,
    MxSparseArray,
    MxSparseElement,
    MxStatusCategory,
    MxValue,
    ProtocolStatusCode,
    Write2BulkEntry,
    WriteBulkEntry,
    WriteSecured2BulkEntry,
    WriteSecuredBulkEntry,
)

E_INVALIDARG = 0x80070057 - 2**32
NOT_AUTHENTICATED = 0x80004021 - 2**32
CODE = "TestMachine_001.MachineCode"
INTEGER = "TestMachine_001.TestHistoryValue"
BOOLEAN = "TestChildObject.TestBool"
ARRAY = "TestChildObject.TestStringArray"
SECURED = "TestMachine_001.ProtectedValue"
VERIFIED = "TestMachine_001.ProtectedValue1"
CHANGING = "TestMachine_001.TestChangingInt"
NOON = datetime(2020, 2, 3, 12, tzinfo=timezone.utc)


def failed_with(reply, hresult):
    return (
        reply.protocol_status.code == ProtocolStatusCode.MXACCESS_FAILURE
        and reply.hresult == hresult
    )


@pytest.fixture
async def writing(session):
    """Subscribe one tag; the function writes and gives OnWriteComplete's status and the value."""

    async def subscribe(tag):
        server, (item,) = await session.subscribed(tag)
        events = await stack.enter_async_context(session.events())
        await events.next()

        async def write(value, command="write", **fields):
            reply = await session.invoke(
                command, server_handle=server, item_handle=item, value=to_mx_value(value), **fields
            )
            assert reply.protocol_status.code == ProtocolStatusCode.OK, reply
            complete = await events.next()
            assert complete.family == MxEventFamily.ON_WRITE_COMPLETE
            assert complete.which_body() == "on_write_complete"
            assert (complete.server_handle, complete.item_handle) == (server, item)
            (status,) = complete.statuses
            if status.category != MxStatusCategory.OK:
                assert await events.quiet(0.01)
                return status, None
            change = await events.next()
            assert change.family == MxEventFamily.ON_DATA_CHANGE
            return status, change

        return server, write

    async with AsyncExitStack() as stack:
        yield subscribe


async def test_an_accepted_write_completes_and_changes_the_value(writing):
    """Write, Write2: OK means accepted; the outcome is an OnWriteComplete. MXSTATUS detail codes: 0
    success.
    """
    _, write = await writing(INTEGER)
    status, change = await write(42, user_id=0)
    assert (status.category, status.detail) == (MxStatusCategory.OK, 0)
    assert from_mx_value(change.value) == 42
    assert change.quality == 192


async def test_write2_stores_its_own_time(writing):
    _, write = await writing(INTEGER)
    _, change = await write(42, "write2", timestamp_value=to_mx_value(NOON))
    assert change.source_timestamp.to_datetime() == NOON


@pytest.mark.parametrize(
    "time",
    [
        to_mx_value("2020-02-03"),
        None,
        MxValue(timestamp_value=Timestamp(seconds=2**62)),
    ],
)
async def test_a_time_that_is_none_is_a_configuration_error(writing, time):
    _, write = await writing(INTEGER)
    status, _ = await write(42, "write2", timestamp_value=time)
    assert status.category == MxStatusCategory.CONFIGURATION_ERROR


@pytest.mark.parametrize(
    ("tag", "value", "stored"),
    [
        (INTEGER, 7.0, 7),
        (INTEGER, to_mx_value(7, data_type=MxDataType.FLOAT), 7),
        (INTEGER, MxValue(int64_value=7), 7),
        (INTEGER, -(2**31), -(2**31)),
        (BOOLEAN, True, True),
        (CODE, "", ""),
        (CODE, "Ä€", "Ä€"),
        (ARRAY, ["a"], ["a"]),
        (ARRAY, [], []),
        (f"{ARRAY}[]", ["a", "b"], ["a", "b"]),
        (f"{ARRAY}[3]", "a", "a"),
    ],
)
async def test_numbers_are_converted_where_nothing_is_lost(writing, tag, value, stored):
    """Wrong type in a write: numbers are coerced where no value is lost."""
    _, write = await writing(tag)
    if value == []:
        value = to_mx_value([], data_type=MxDataType.STRING)
    _, change = await write(value)
    assert from_mx_value(change.value) == stored


@pytest.mark.parametrize(
    ("tag", "value"),
    [
        (INTEGER, 7.5),
        (INTEGER, 2**31),
        (INTEGER, 1e300),
        (INTEGER, MxValue(double_value=float("nan"))),
        (INTEGER, MxValue(double_value=float("inf"))),
        (INTEGER, True),
        (INTEGER, "7"),
        (INTEGER, None),
        (INTEGER, MxValue()),
        (INTEGER, [7]),
        (INTEGER, b"7"),
        (INTEGER, NOON),
        (BOOLEAN, 1),
        (CODE, 7),
        (ARRAY, "a"),
        (ARRAY, [1, 2]),
        (f"{ARRAY}[3]", ["a"]),
        (CODE, MxValue(timestamp_value=Timestamp(seconds=2**62))),
        (CODE, MxValue(sparse_array_value=MxSparseArray(element_data_type=MxDataType.STRING))),
    ],
)
async def test_a_wrong_type_is_a_configuration_error_on_completion(writing, tag, value):
    """Wrong type in a write: numbers are coerced where no value is lost; else OnWriteComplete fails
    with CONFIGURATION_ERROR.
    """
    _, write = await writing(tag)
    status, change = await write(value)
    assert status.category == MxStatusCategory.CONFIGURATION_ERROR
    assert change is None


async def test_a_sparse_array_is_expanded_with_defaults_not_with_old_values(writing):
    """Sparse array value: positions not named become the type's default, not the old value."""
    _, write = await writing(ARRAY)
    element = MxSparseElement(index=1, value=to_mx_value("b"))
    sparse = MxSparseArray(element_data_type=MxDataType.STRING, total_length=3, elements=[element])
    _, change = await write(MxValue(sparse_array_value=sparse))
    assert from_mx_value(change.value) == ["", "b", ""]


async def test_writing_an_array_resizes_it_and_elements_see_it(session):
    """Array write replaces the whole array and resizes it to the count given; ``Attr[n]`` is one
    element.
    """
    server, (whole, second, tenth) = await session.subscribed(ARRAY, f"{ARRAY}[2]", f"{ARRAY}[10]")
    async with session.events() as events:
        first = await events.take(3)
        assert from_mx_value(first[2].value) == "Item 10"
        await session.write(server, whole, ["a", "b"])
        _, array, element, gone = await events.take(4)
        assert from_mx_value(array.value) == ["a", "b"]
        assert from_mx_value(element.value) == "b"
        assert (gone.value, gone.quality) == (None, 4)
        assert failed_with(await session.write(server, tenth, "x"), E_INVALIDARG)
        await session.write(server, second, "B")
        _, array, element = await events.take(3)
        assert from_mx_value(array.value) == ["a", "B"]
        assert from_mx_value(element.value) == "B"
        assert await events.quiet()


@pytest.mark.parametrize("reference", [f"{ARRAY}[0]", f"{CODE}[1]", f"{CODE}[]", f"{ARRAY}[x]"])
async def test_an_element_that_cannot_be_is_an_invalid_reference(session, reference):
    """``Attr[]`` is the whole array, ``Attr[n]`` one element, n from 1; ``[0]`` is invalid."""
    await session.subscribed(reference)
    async with session.events() as events:
        event = await events.next()
    assert (event.quality, event.statuses[0].detail) == (4, 6)


async def test_a_write_needs_an_advised_and_resolved_item(site):
    """Write to an item not advised, or whose reference is not resolved: HRESULT 0x80070057."""
    session = await site.session(first_value_delay=0.1)
    server = await session.do("register")
    item = await session.do("add_item", server_handle=server, item_definition=CODE)
    nowhere = await session.do("add_item", server_handle=server, item_definition="No.Such")
    reply = await session.write(server, item, "x")
    assert failed_with(reply, E_INVALIDARG)
    assert "not advised" in reply.diagnostic_message
    for handle in (item, nowhere):
        await session.do("advise", server_handle=server, item_handle=handle)
    reply = await session.write(server, item, "x")
    assert failed_with(reply, E_INVALIDARG)
    assert "not resolved" in reply.diagnostic_message
    async with session.events() as events:
        await events.take(2)
        assert (await session.write(server, item, "x")).protocol_status.code == (
            ProtocolStatusCode.OK
        )
        assert failed_with(await session.write(server, nowhere, "x"), E_INVALIDARG)


@pytest.mark.parametrize(("tag", "detail"), [(SECURED, 1012), (VERIFIED, 1013)])
@pytest.mark.parametrize("command", ["write", "write2"])
async def test_a_plain_write_to_a_protected_attribute_is_accepted_and_then_fails(
    writing, tag, detail, command
):
    """Write to a SecuredWrite / VerifiedWrite attribute: accepted, then OnWriteComplete fails with
    detail 1012 / 1013, category SECURITY_ERROR. MXSTATUS detail codes: 1012 secured write required,
    1013 verified write required.
    """
    _, write = await writing(tag)
    time = {"timestamp_value": to_mx_value(NOON)} if command == "write2" else {}
    status, _ = await write(True, command, **time)
    assert (status.category, status.detail) == (MxStatusCategory.SECURITY_ERROR, detail)


@pytest.mark.parametrize("command", ["write_secured", "write_secured2"])
async def test_a_secured_write_needs_users_of_the_same_server_handle(session, command):
    """WriteSecured, WriteSecured2 need user ids from AuthenticateUser of the same server handle;
    without: HRESULT 0x80004021.
    """
    other = await session.do("register")
    await session.do("authenticate_user", server_handle=other)
    server, (item,) = await session.subscribed(SECURED)
    fields = {
        "server_handle": server,
        "item_handle": item,
        "value": to_mx_value(True),
        "current_user_id": 1,
        "verifier_user_id": 1,
    }
    if command == "write_secured2":
        fields["timestamp_value"] = to_mx_value(NOON)
    reply = await session.invoke(command, **fields)
    assert failed_with(reply, NOT_AUTHENTICATED)
    assert reply.statuses[0].category == MxStatusCategory.SECURITY_ERROR
    await session.do("authenticate_user", server_handle=server)
    assert failed_with(
        await session.invoke(command, **{**fields, "verifier_user_id": 2}), NOT_AUTHENTICATED
    )
    await session.do(command, **fields)
    async with session.events() as events:
        _, complete, change = await events.take(3)
    assert complete.statuses[0].category == MxStatusCategory.OK
    assert from_mx_value(change.value) is True
    assert (change.source_timestamp.to_datetime() == NOON) == (command == "write_secured2")


async def test_a_verified_write_by_one_user_fails_on_completion(session, writing):
    """VerifiedWrite: verifier must be a second, different user."""
    server, write = await writing(VERIFIED)
    await session.do("authenticate_user", server_handle=server)
    status, _ = await write(True, "write_secured", current_user_id=1, verifier_user_id=1)
    assert (status.category, status.detail) == (MxStatusCategory.SECURITY_ERROR, 1013)


@pytest.mark.parametrize(
    ("command", "entry", "extra"),
    [
        ("write_bulk", WriteBulkEntry, {}),
        ("write2_bulk", Write2BulkEntry, {"timestamp_value": to_mx_value(NOON)}),
        (
            "write_secured_bulk",
            WriteSecuredBulkEntry,
            {"current_user_id": 1, "verifier_user_id": 1},
        ),
        (
            "write_secured2_bulk",
            WriteSecured2BulkEntry,
            {
                "current_user_id": 1,
                "verifier_user_id": 1,
                "timestamp_value": to_mx_value(NOON),
            },
        ),
    ],
)
async def test_bulk_writes_fail_entry_by_entry_and_every_accepted_one_completes(
    session, command, entry, extra
):
    """Bulk commands: a failing entry has ``was_successful`` = false and an error text and the rest
    go on; the whole reply is OK.
    """
    server, (code, integer) = await session.subscribed(CODE, INTEGER)
    await session.do("authenticate_user", server_handle=server)
    values = [(code, "new"), (99, "x"), (integer, "wrong"), (integer, 5), (code, "newer")]
    entries = [entry(item_handle=h, value=to_mx_value(v), **extra) for h, v in values]
    async with session.events() as events:
        await events.take(2)
        results = await session.do(command, server_handle=server, entries=entries)
        seen = await events.take(7)
        assert await events.quiet(0.01)
    assert [result.item_handle for result in results] == [code, 99, integer, integer, code]
    assert [result.was_successful for result in results] == [True, False, True, True, True]
    assert [result.hresult for result in results] == [0, E_INVALIDARG, 0, 0, 0]
    assert results[1].statuses[0].category == MxStatusCategory.CONFIGURATION_ERROR
    assert [bool(result.error_message) for result in results] == [False, True, False, False, False]
    completes = [event for event in seen if event.family == MxEventFamily.ON_WRITE_COMPLETE]
    assert [event.item_handle for event in completes] == [code, integer, integer, code]
    assert completes[1].statuses[0].category == MxStatusCategory.CONFIGURATION_ERROR
    changes = [event for event in seen if event.family == MxEventFamily.ON_DATA_CHANGE]
    assert [from_mx_value(event.value) for event in changes] == ["new", 5, "newer"]


async def test_everybody_who_advised_sees_a_write(site):
    client = site.client(await site.gateway())
    writer, reader = await client.open(), await client.open()
    server, (item,) = await writer.subscribed(CODE)
    await reader.subscribed(CODE)
    async with reader.events() as events:
        await events.next()
        await writer.write(server, item, "news")
        event = await events.next()
    assert event.family == MxEventFamily.ON_DATA_CHANGE
    assert from_mx_value(event.value) == "news"


async def test_a_written_signal_is_taken_over_again_when_it_next_moves(site):
    session = await site.session(change_interval=0.05)
    server, (item,) = await session.subscribed(CHANGING)
    async with session.events() as events:
        await events.next()
        await session.write(server, item, -5)
        values = [from_mx_value(event.value) for event in await events.take(6)]
    assert -5 in values
    assert values[-1] > 0
