"""Rules of the gateway that no other test holds, each in the words of its row."""

from __future__ import annotations

import asyncio
import hmac
import io
import logging
from contextlib import AsyncExitStack, suppress
from dataclasses import replace
from datetime import datetime, timezone
from uuid import NAMESPACE_OID, uuid4, uuid5

import pytest
from grpclib.const import Status
from grpclib.exceptions import GRPCError

from zb_mom_ww_mxgateway.galaxy import ObjectCategory, SecurityClassification
from zb_mom_ww_mxgateway.values import from_mx_value, to_mx_value
from zb_mom_ww_mxgateway_contracts.galaxy_repository_v1 import DiscoverHierarchyRequest
from zb_mom_ww_mxgateway_contracts.galaxy_repository_v1.services import GalaxyRepositoryStub
from zb_mom_ww_mxgateway_contracts.google_protobuf import Timestamp
from zb_mom_ww_mxgateway_contracts.mxaccess_gateway_v1 import (
    AlarmProviderMode,
    MxDataType,
    MxEventFamily as Family,
    MxSparseArray,
    MxSparseElement,
    MxStatusCategory,
    MxValue,
    ProtocolStatusCode,
)
from zb_mom_ww_mxgateway_contracts.mxaccess_gateway_v1.commands import COMMANDS
from zb_mom_ww_mxgateway_sim import ManualClock
from zb_mom_ww_mxgateway_sim.auth import keys as sim_keys
from zb_mom_ww_mxgateway_sim.auth.keys import ApiKeys
from zb_mom_ww_mxgateway_sim.galaxy.definition import (
    AttributeDefinition,
    AttributeSet,
    GalaxyDefinition,
    ObjectDefinition,
    UserDefinition,
)
from zb_mom_ww_mxgateway_sim.limits import Limits
from zb_mom_ww_mxgateway_sim.operations.log import logging_to

from .galaxy_serving import serving
from .plant import ALARM, MACHINES, REFERENCE

CODE = "TestMachine_001.MachineCode"
ARRAY = "TestChildObject.TestStringArray"
VERIFIED = "TestMachine_001.ProtectedValue1"
E_INVALIDARG = 0x80070057 - 2**32
NOT_AUTHENTICATED = 0x80004021 - 2**32
EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)

#: Two users of a secured galaxy, with an attribute of every security classification.
ANN = UserDefinition(name="ann", password="p-ann", user_id=11, guid=str(uuid4()))
JOE = UserDefinition(name="joe", password="p-joe", user_id=12, guid=str(uuid4()))
VALVE = AttributeSet(
    AttributeDefinition(
        name=security.name, data_type=MxDataType.BOOLEAN, value=False, security=security
    )
    for security in SecurityClassification
)
SECURED = GalaxyDefinition(
    entries=(ObjectDefinition(tag_name="Valve", attributes=VALVE),),
    is_secured=True,
    users=(ANN, JOE),
)


def is_failure(reply, hresult):
    failed = reply.protocol_status.code == ProtocolStatusCode.MXACCESS_FAILURE
    return failed and reply.hresult == hresult


async def log_in(session, server, user):
    fields = {"user_name": user.name, "password": user.password}
    return await session.do("authenticate_user", server_handle=server, **fields)


# Sessions


async def test_handles_live_and_die_with_their_session(site):
    """Handles live and die with the session."""
    client = site.client(await site.gateway())
    session, other = await client.open(), await client.open()
    server, (item,) = await session.subscribed(CODE)
    assert is_failure(await other.write(server, item, "x"), E_INVALIDARG)
    assert await other.do("register") == server  # the same number, and another registration
    assert is_failure(await other.write(server, item, "x"), E_INVALIDARG)
    await session.close()
    anew = await client.open()
    assert is_failure(await anew.write(server, item, "x"), E_INVALIDARG)


async def test_closing_is_idempotent_while_the_gateway_remembers_the_session(site, refused):
    """CloseSession is idempotent while the gateway remembers the session; after that: NOT_FOUND."""
    client = site.client(await site.gateway(limits=Limits(remembered_sessions=2)))
    sessions = [await client.open() for _ in range(3)]
    for session in sessions:
        await session.close()
    assert (await refused(sessions[0].close())).status is Status.NOT_FOUND
    assert (await refused(sessions[0].invoke("ping"))).status is Status.NOT_FOUND
    for session in sessions[1:]:
        await session.close()
        assert (await refused(session.invoke("ping"))).status is Status.FAILED_PRECONDITION


async def test_a_reply_above_16_mib_is_refused_too(session, refused):
    """Messages 16 MiB both ways; over the limits: RESOURCE_EXHAUSTED."""
    server, (item,) = await session.subscribed(CODE)
    assert (await session.write(server, item, "x" * 2**20)).hresult == 0
    read = {"server_handle": server, "tag_addresses": [CODE] * 16}
    refusal = await refused(session.invoke("read_bulk", **read))
    assert refusal.status is Status.RESOURCE_EXHAUSTED
    assert "16777216" in refusal.message
    results = await session.do("read_bulk", server_handle=server, tag_addresses=[CODE] * 15)
    assert len(results) == 15


# Commands

#: What commands are sent, by the names of their parameters.
GIVEN = {
    "server_handle": 1,
    "item_handle": 1,
    "item_handles": [1],
    "item_definition": CODE,
    "tag_addresses": [CODE],
    "value": to_mx_value("x"),
    "timestamp_value": to_mx_value(EPOCH),
    "current_user_id": 1,
    "verifier_user_id": 1,
    "user_guid": ANN.guid,
    "alarm_guid": str(uuid5(NAMESPACE_OID, REFERENCE)),
    "alarm_name": ALARM,
}


@pytest.mark.parametrize("command", sorted(COMMANDS.keys() - {"echo"}))  # a contract may have more
async def test_an_ok_reply_carries_its_payload_and_every_reply_its_correlation_id(site, command):
    """An OK reply always carries the payload its command has. Replies echo the client's correlation
    id.
    """
    session = await site.session(galaxy=replace(MACHINES, users=(ANN,)), machines=1)
    assert await session.subscribed(CODE) == (1, [1])
    await session.do("authenticate_user", server_handle=1)
    spec = COMMANDS[command]
    fields = {param.name: GIVEN[param.name] for param in spec.params if param.name in GIVEN}
    reply = await session.invoke(command, correlation_id=f"c-{command}", **fields)
    assert reply.correlation_id == f"c-{command}"
    assert (reply.kind, reply.session_id) == (spec.kind, session.id)
    assert reply.protocol_status.code == ProtocolStatusCode.OK, reply
    assert reply.which_payload() == spec.reply_member


async def test_the_name_of_a_client_is_a_label_without_security(session):
    """Register: the name is a label without security."""
    names = ["", "same", "same", "DOMAIN\\Administrator", "x" * 10_000]
    handles = [await session.do("register", client_name=name) for name in names]
    assert len(set(handles)) == len(names)
    assert min(handles) > 0


async def test_unregistering_voids_user_ids(session):
    """Unregister: its items, advices and user ids are void afterwards."""
    server = await session.do("register")
    user = await session.do("authenticate_user", server_handle=server)
    await session.do("unregister", server_handle=server)
    add = {"server_handle": server, "item_definition": VERIFIED}
    assert is_failure(await session.invoke("add_item", **add), E_INVALIDARG)
    server, (item,) = await session.subscribed(VERIFIED)
    users = {"current_user_id": user, "verifier_user_id": user}
    reply = await session.invoke("write_secured", server_handle=server, item_handle=item, **users)
    assert is_failure(reply, NOT_AUTHENTICATED)


async def test_a_context_is_passed_on_as_given_so_a_bare_array_is_detail_1003(session):
    """AddItem2: as AddItem; the context is passed on as given. A bare array name reads as detail
    1003, CONFIGURATION_ERROR; a bare name in AddItem of a known array attribute gets `[]` appended.
    """
    server, _ = await session.subscribed(ARRAY)
    name, _, attribute = ARRAY.partition(".")
    for definition in (attribute, f"{attribute}[]"):
        fields = {"item_definition": definition, "item_context": name}
        item = await session.do("add_item2", server_handle=server, **fields)
        await session.do("advise", server_handle=server, item_handle=item)
    async with session.events() as events:
        whole, bare, same = await events.take(3)
    assert from_mx_value(whole.value) == from_mx_value(same.value)
    assert len(from_mx_value(whole.value)) == 10
    assert (bare.value, bare.quality, bare.statuses[0].detail) == (None, 4, 1003)
    assert bare.statuses[0].category == MxStatusCategory.CONFIGURATION_ERROR


async def test_events_already_queued_may_still_arrive_after_un_advising(session):
    """UnAdvise: events already queued may still arrive."""
    server, (item, other) = await session.subscribed(CODE, CODE)
    await session.do("un_advise", server_handle=server, item_handle=item)
    await session.write(server, other, "x")
    async with session.events() as events:
        handles = [event.item_handle for event in await events.take(4)]
        assert await events.quiet()
    assert handles == [item, other, other, other]


@pytest.mark.parametrize(
    ("data_type", "old", "default"),
    [
        (MxDataType.BOOLEAN, True, False),
        (MxDataType.INTEGER, 7, 0),
        (MxDataType.FLOAT, 7.5, 0.0),
        (MxDataType.DOUBLE, 7.5, 0.0),
        (MxDataType.STRING, "old", ""),
        (MxDataType.TIME, Timestamp(seconds=7), EPOCH),
    ],
)
async def test_positions_that_a_sparse_array_does_not_name_become_the_default_of_their_type(
    site, data_type, old, default
):
    """Sparse array value (write only): the gateway expands it: positions not named become the
    type's default (false, 0, "", epoch), not the old value.
    """
    row = AttributeDefinition(name="Row", data_type=data_type, value=[old] * 4)
    entry = ObjectDefinition(tag_name="T", attributes=AttributeSet([row]))
    session = await site.session(galaxy=GalaxyDefinition(entries=(entry,)))
    server, (item,) = await session.subscribed("T.Row")
    element = MxSparseElement(index=1, value=to_mx_value(old, data_type=data_type))
    sparse = MxSparseArray(element_data_type=data_type, total_length=3, elements=[element])
    async with session.events() as events:
        before = from_mx_value((await events.next()).value)
        await session.write(server, item, MxValue(sparse_array_value=sparse))
        complete, change = await events.take(2)
    assert complete.statuses[0].category == MxStatusCategory.OK
    assert from_mx_value(change.value) == [default, before[0], default]


# Users


async def test_a_secured_galaxy_tells_users_by_their_passwords(site):
    """AuthenticateUser in a secured galaxy: a bad password gives 0x80070057, a good one a positive
    id. The password is never echoed.
    """
    session = await site.session(galaxy=SECURED)
    server = await session.do("register")
    for name, password in (("ann", "p-joe"), ("ann", ""), ("nobody", "p-ann"), ("", "")):
        fields = {"user_name": name, "password": password}
        reply = await session.invoke("authenticate_user", server_handle=server, **fields)
        assert is_failure(reply, E_INVALIDARG)
        assert not password or password not in repr(reply)
    assert [await log_in(session, server, user) for user in (ANN, JOE)] == [11, 12]


async def test_a_guid_of_a_configured_user_gives_its_id(site):
    """ArchestrAUserToId: GUID of a configured user → its id, else 0x80070057."""
    session = await site.session(galaxy=SECURED)
    server = await session.do("register")
    for user in (ANN, JOE):
        for guid in (user.guid, f"{{{user.guid}}}".upper()):
            found = await session.do("archestra_user_to_id", server_handle=server, user_guid=guid)
            assert found == user.user_id
    for guid in (str(uuid4()), "", "ann"):
        fields = {"server_handle": server, "user_guid": guid}
        assert is_failure(await session.invoke("archestra_user_to_id", **fields), E_INVALIDARG)


@pytest.mark.parametrize(
    ("name", "first", "second", "category"),
    [
        ("SECURED_WRITE", ANN, ANN, "OK"),
        ("SECURED_WRITE", ANN, JOE, "OK"),
        ("VERIFIED_WRITE", ANN, JOE, "OK"),
        ("VERIFIED_WRITE", ANN, ANN, "SECURITY_ERROR"),
    ],
)
async def test_a_verified_write_needs_a_second_user_and_a_secured_one_does_not(
    site, name, first, second, category
):
    """SecuredWrite: current user = verifier allowed. VerifiedWrite: verifier must be a second,
    different user.
    """
    session = await site.session(galaxy=SECURED)
    server, (item,) = await session.subscribed(f"Valve.{name}")
    current, verifier = [await log_in(session, server, user) for user in (first, second)]
    users = {"current_user_id": current, "verifier_user_id": verifier}
    fields = {"item_handle": item, "value": to_mx_value(True), **users}
    await session.do("write_secured", server_handle=server, **fields)
    async with session.events() as events:
        complete = await events.next_of(Family.ON_WRITE_COMPLETE)
    assert complete.statuses[0].category.name == category


async def test_user_id_0_is_fine_where_security_is_off_and_only_there(site):
    """user_id 0 is fine where security is off. D: where it is on, everything but FreeAccess needs
    a user of this server handle, and Tune and Configure are as Operate.
    """
    for definition in (replace(SECURED, is_secured=False), SECURED):
        session = await site.session(galaxy=definition)
        names = ("FREE_ACCESS", "OPERATE", "TUNE", "CONFIGURE", "VIEW_ONLY")
        server, items = await session.subscribed(*[f"Valve.{name}" for name in names])
        user = await log_in(session, server, ANN)
        good = []
        async with session.events() as events:
            for user_id in (0, user):
                for item in items:
                    await session.write(server, item, True, user_id=user_id)
                    complete = await events.next_of(Family.ON_WRITE_COMPLETE)
                    good.append(complete.statuses[0].category is MxStatusCategory.OK)
        without = [True, *[not definition.is_secured] * 3, False]
        assert good == [*without, *[True] * 4, False]


@pytest.mark.parametrize("form", ["text", "json"])
async def test_never_in_a_log_an_error_a_repr_or_an_echo(site, refused, form):
    """Never in a log, an error, a repr or an echo: keys, passwords, whole values of secured writes.
    AuthenticateUser: the password is never logged, echoed or kept.
    """
    said, log = [], io.StringIO()
    with logging_to(log, form=form, level=logging.DEBUG):
        gateway = await site.gateway(galaxy=SECURED, api_key="mxgw_me_topsecret-key")
        session = await site.client(gateway).open()
        server, (item,) = await session.subscribed("Valve.SECURED_WRITE")
        for password in (ANN.password, "topsecret-password"):
            fields = {"user_name": "ann", "password": password}
            said.append(await session.invoke("authenticate_user", server_handle=server, **fields))
        for value in ("topsecret-value", ["topsecret-value"]):
            fields = {"item_handle": item, "value": to_mx_value(value)}
            for user in (0, ANN.user_id):  # refused at once, and after it was accepted
                users = {"current_user_id": user, "verifier_user_id": user}
                for command in ("write", "write_secured"):
                    extra = users if command == "write_secured" else {}
                    asked = session.invoke(command, server_handle=server, **fields, **extra)
                    said.append(await asked)
        said += await session.do("drain_events")
        stranger = site.client(gateway, "mxgw_me_topsecret-other")
        said.append(await refused(stranger.open()))
        said += [gateway, SECURED, gateway._keys.__dict__, session.id]
    shown = f"{said!r} {log.getvalue()}"
    assert "authenticate_user" in log.getvalue()
    assert "SECURITY_ERROR" in shown
    assert "topsecret" not in shown
    assert ANN.password not in shown


# Keys


def test_keys_are_compared_in_constant_time(monkeypatch):
    """Keys are kept as HMAC-SHA256 with a pepper and compared in constant time: each attempt is one
    comparison of the same length, whether there is such a key or not.
    """
    compared = []

    def compare(one, other):
        compared.append((len(one), len(other)))
        return same(one, other)

    same = hmac.compare_digest
    monkeypatch.setattr(sim_keys.hmac, "compare_digest", compare)
    keys = ApiKeys()
    good = keys.add("mxgw_me_secret")
    for key in (good, "mxgw_me_other", "mxgw_nobody_secret", "nonsense", ""):
        with suppress(GRPCError):
            keys.authenticate({"authorization": f"Bearer {key}"})
    assert compared == [(32, 32)] * 5


# Events


async def test_all_families_but_operation_complete_are_raised(site):
    """Families: OnDataChange, OnWriteComplete, OperationComplete (never synthesised),
    OnBufferedDataChange, OnAlarmTransition, OnAlarmProviderModeChanged.
    """
    clock = ManualClock()
    gateway = await site.gateway(clock=clock, plant=False)
    session = await site.client(gateway).open()
    server, (alarm,) = await session.subscribed(ALARM)
    item = await session.do("add_buffered_item", server_handle=server, item_definition=CODE)
    await session.do("advise", server_handle=server, item_handle=item)
    await session.do("subscribe_alarms")
    await session.write(server, alarm, True)
    gateway.switch_alarm_provider(AlarmProviderMode.SUBTAG)
    await clock.advance(1)
    families = [event.family for event in await session.do("drain_events")]
    assert set(families) == set(Family) - {Family.UNSPECIFIED, Family.OPERATION_COMPLETE}


async def test_success_is_minus_1_or_0_and_the_category_says_which(session):
    """``success`` is an int16 in COM (-1 true, 0 false) and a plain int32 here, with a category
    that is always set.
    """
    server, (good, _) = await session.subscribed(CODE, "No.Such")
    await session.write(server, good, "x")
    await session.write(server, good, 7)
    reply = await session.invoke("advise", server_handle=server, item_handle=99)
    events = await session.do("drain_events")
    statuses = [*reply.statuses, *(status for event in events for status in event.statuses)]
    assert [(status.success, status.category.name) for status in statuses] == [
        (0, "CONFIGURATION_ERROR"),  # of the reply
        (-1, "OK"),
        (0, "CONFIGURATION_ERROR"),
        (-1, "OK"),
        (-1, "OK"),
        (0, "CONFIGURATION_ERROR"),
    ]


async def test_several_subscribers_8_have_each_every_event(site, refused):
    """Setting: several subscribers (8), each with every event and its own queue."""
    gateway = await site.gateway(limits=Limits(event_subscribers=8))
    session = await site.client(gateway).open()
    server, (item,) = await session.subscribed(CODE)
    await session.do("drain_events")
    async with AsyncExitStack() as stack:
        streams = [await stack.enter_async_context(session.events()) for _ in range(8)]
        async with asyncio.timeout(5):
            while gateway._sessions.event_streams() < 8:
                await asyncio.sleep(0.001)
        ninth = await stack.enter_async_context(session.events())
        assert (await refused(ninth.next())).status is Status.RESOURCE_EXHAUSTED
        await session.write(server, item, "x")
        seen = [[event.worker_sequence for event in await one.take(2)] for one in streams]
    assert seen == [[2, 3]] * 8


# Galaxy


async def test_native_numbers_are_those_of_mxaccess():
    """Attribute data types, native: 1 Boolean, 2 Integer, 3 Float, 4 Double, 5 String, 6 Time,
    7 ElapsedTime (seconds), 8 Reference, 13 Enum, 15 internationalized string, 16 big string.
    Security classification: 0 FreeAccess, 1 Operate, 2 SecuredWrite, 3 VerifiedWrite, 4 Tune,
    5 Configure, 6 ViewOnly. Object categories of interest: 13 area, 1 platform, 3 engine,
    10 user-defined.
    """
    types = "BOOLEAN INTEGER FLOAT DOUBLE STRING TIME ELAPSED_TIME REFERENCE QUALIFIED_ENUM"
    names = [*types.split(), "INTERNATIONALIZED_STRING", "BIG_STRING"]
    typed = [AttributeDefinition(name=n, data_type=MxDataType[n], value="") for n in names]
    categories = ("AREA", "PLATFORM", "ENGINE", "USER_DEFINED")
    objects = [
        ObjectDefinition(tag_name=f"{n}_", category=ObjectCategory[n], attributes=AttributeSet())
        for n in categories
    ]
    objects.append(ObjectDefinition(tag_name="Typed", attributes=AttributeSet(typed)))
    async with serving(GalaxyDefinition(entries=(*objects, *SECURED.entries))) as served:
        reply = await served.galaxy.discover_hierarchy(DiscoverHierarchyRequest())
    shown = {it.tag_name: it for it in reply.objects}
    assert [shown[f"{name}_"].category_id for name in categories] == [13, 1, 3, 10]
    attributes = {a.attribute_name: a for it in reply.objects for a in it.attributes}
    assert [attributes[n].mx_data_type for n in names] == [*range(1, 9), 13, 15, 16]
    classes = "FREE_ACCESS OPERATE SECURED_WRITE VERIFIED_WRITE TUNE CONFIGURE VIEW_ONLY"
    assert [attributes[n].security_classification for n in classes.split()] == [*range(7)]


async def test_sub_attributes_of_alarms_have_their_types(site):
    """Sub-attributes `.InAlarm` (bool), `.Acked` (bool), `.Priority` (int), `.AckMsg` (string)."""
    galaxy = GalaxyRepositoryStub(site.client(await site.gateway()).transport)
    request = DiscoverHierarchyRequest(root_tag_name="TestMachine_001", tag_name_glob="*_001")
    (machine,) = (await galaxy.discover_hierarchy(request)).objects
    types = {a.attribute_name: a.data_type_name for a in machine.attributes}
    alarm = ALARM.partition(".")[2]
    assert [types[f"{alarm}.{name}"] for name in ("InAlarm", "Acked", "Priority", "AckMsg")] == [
        "Boolean",
        "Boolean",
        "Integer",
        "String",
    ]
