"""Sessions: opening, closing, owners, limits, and the order of commands."""

from __future__ import annotations

import asyncio
import re
from datetime import timedelta

import pytest
from grpclib.const import Status
from grpclib.exceptions import GRPCError

from zb_mom_ww_mxgateway_contracts.google_protobuf import Duration
from zb_mom_ww_mxgateway_contracts.mxaccess_gateway_v1 import (
    CloseSessionRequest,
    MxCommand,
    MxCommandKind,
    MxCommandRequest,
    MxEventFamily,
    OpenSessionRequest,
    ProtocolStatusCode,
    ReadBulkCommand,
    SessionState,
    StreamEventsRequest,
)
from zb_mom_ww_mxgateway_contracts.mxaccess_gateway_v1.services import MxAccessGatewayMethods
from zb_mom_ww_mxgateway_sim import session as sim_session
from zb_mom_ww_mxgateway_sim.limits import Limits

CHANGING = "TestMachine_001.TestChangingInt"


async def test_opening_tells_what_the_gateway_is(site):
    """``session_id`` is ``session-`` and a GUID of 32 hex digits; backend name ``mxaccess-worker``,
    gateway protocol version 3, worker protocol version 1; capabilities include
    ``unary-acknowledge-alarm``, ``server-stream-active-alarms``. Default command timeout 30 s.
    """
    stub = site.client(await site.gateway()).stub
    reply = await stub.open_session(OpenSessionRequest(client_session_name="x"))
    assert re.fullmatch(r"session-[0-9a-f]{32}", reply.session_id)
    assert reply.backend_name == "mxaccess-worker"
    assert reply.worker_process_id > 0
    assert reply.worker_protocol_version == 1
    assert reply.gateway_protocol_version == 3
    assert reply.capabilities == ["unary-acknowledge-alarm", "server-stream-active-alarms"]
    assert reply.default_command_timeout.to_timedelta() == timedelta(seconds=30)
    assert reply.protocol_status.code == ProtocolStatusCode.OK


async def test_a_command_timeout_is_taken_over_and_must_be_positive(site, refused):
    stub = site.client(await site.gateway()).stub
    two = Duration(seconds=2)
    reply = await stub.open_session(OpenSessionRequest(command_timeout=two))
    assert reply.default_command_timeout == two
    for wrong in (Duration(), Duration(seconds=-1)):
        refusal = await refused(stub.open_session(OpenSessionRequest(command_timeout=wrong)))
        assert refusal.status is Status.INVALID_ARGUMENT
        assert "command_timeout" in refusal.message


async def test_closing_twice_is_harmless_and_a_closed_session_takes_no_commands(session, refused):
    """CloseSession is idempotent while the gateway remembers the session. Commands and streams need
    READY; not READY: FAILED_PRECONDITION.
    """
    for _ in range(2):
        reply = await session.close()
        assert reply.session_id == session.id
        assert reply.final_state == SessionState.CLOSED
        assert reply.protocol_status.code == ProtocolStatusCode.OK
    refusal = await refused(session.invoke("ping"))
    assert refusal.status is Status.FAILED_PRECONDITION
    assert "CLOSED" in refusal.message
    async with session.events() as events:
        assert (await refused(events.next())).status is Status.FAILED_PRECONDITION


async def test_closing_ends_the_event_stream_after_what_is_queued(session):
    await session.subscribed(CHANGING)
    async with session.events() as events:
        await events.next()
        await session.close()
        assert await events.end() == []


async def test_an_unknown_session_is_not_found_and_none_at_all_is_malformed(session, refused):
    """Unknown session: NOT_FOUND. Malformed request (no session id): INVALID_ARGUMENT."""
    stub = session.stub
    for session_id, status in (
        ("session-00000000000000000000000000000000", Status.NOT_FOUND),
        ("", Status.INVALID_ARGUMENT),
    ):
        session.id = session_id
        async with session.events() as events:
            refusals = [
                await refused(session.invoke("ping")),
                await refused(stub.close_session(CloseSessionRequest(session_id=session_id))),
                await refused(events.next()),
            ]
        assert {refusal.status for refusal in refusals} == {status}


async def test_a_session_does_not_exist_for_another_key(site, refused):
    gateway = await site.gateway()
    session = await site.client(gateway).open()
    strange = site.client(gateway, api_key=gateway.add_api_key()).session(session.id)
    async with strange.events() as events:
        refusals = [
            await refused(strange.invoke("ping")),
            await refused(strange.close()),
            await refused(events.next()),
        ]
    assert {refusal.status for refusal in refusals} == {Status.NOT_FOUND}
    await session.do("ping")


async def test_the_65th_session_is_refused_until_one_closes(site, refused):
    """64 sessions; over the limit: RESOURCE_EXHAUSTED."""
    client = site.client(await site.gateway())
    opened = [await client.open() for _ in range(64)]
    assert len({session.id for session in opened}) == 64
    refusal = await refused(client.open())
    assert refusal.status is Status.RESOURCE_EXHAUSTED
    assert "64" in refusal.message
    await opened[0].close()
    await client.open()


async def test_the_limits_of_sessions_and_of_pending_commands_are_settings(site, refused):
    limits = Limits(sessions=1, pending_commands=1)
    gateway = await site.gateway(limits=limits, first_value_delay=10)
    client = site.client(gateway)
    session = await client.open()
    assert (await refused(client.open())).status is Status.RESOURCE_EXHAUSTED
    server = await session.do("register")
    reading = asyncio.create_task(
        session.invoke("read_bulk", server_handle=server, tag_addresses=[CHANGING])
    )
    while not gateway._sessions.commands_pending():
        await asyncio.sleep(0.001)
    assert (await refused(session.invoke("ping"))).status is Status.RESOURCE_EXHAUSTED
    await session.close()
    await reading


async def test_commands_run_one_after_another_in_order_of_arrival(site):
    """Commands of a session run one after another, in order of arrival."""
    session = await site.session(first_value_delay=0.05)
    server = await session.do("register")
    finished: list[str] = []

    async def run(name, command, **fields):
        await session.do(command, **fields)
        finished.append(name)

    read = {"server_handle": server, "tag_addresses": [CHANGING]}
    async with asyncio.TaskGroup() as group:
        for name, command, fields in (
            ("slow", "read_bulk", read),
            ("quick", "ping", {}),
            ("slow again", "read_bulk", read),
            ("last", "register", {}),
        ):
            group.create_task(run(name, command, **fields))
    assert finished == ["slow", "quick", "slow again", "last"]


async def test_a_slow_command_holds_up_no_other_session(site):
    gateway = await site.gateway(first_value_delay=10)
    client = site.client(gateway)
    slow, quick = await client.open(), await client.open()
    server = await slow.do("register")
    reading = asyncio.create_task(
        slow.invoke("read_bulk", server_handle=server, tag_addresses=[CHANGING])
    )
    async with asyncio.timeout(1):
        await quick.do("ping")
    assert not reading.done()
    await slow.close()
    await reading


async def test_the_reply_comes_before_the_events_it_causes(session):
    """The reply is sent before the events it causes."""
    seen: list[str] = []
    server, (item,) = await session.subscribed(CHANGING)
    async with session.events() as events:
        await events.next()

        async def watch():
            for _ in range(40):
                await events.next()
                seen.append("event")

        watching = asyncio.create_task(watch())
        for number in range(20):
            await session.write(server, item, number)
            seen.append("reply")
            await asyncio.sleep(0.005)
        await watching
    assert seen == ["reply", "event", "event"] * 20


async def test_the_129th_pending_command_fails_at_once(site, refused):
    """128 pending commands a session, the excess fails at once: RESOURCE_EXHAUSTED. Commands still
    queued at the close answer WORKER_UNAVAILABLE.
    """
    gateway = await site.gateway(first_value_delay=10)
    client, other = site.client(gateway), site.client(gateway)
    session = await client.open()
    server = await session.do("register")
    same = other.session(session.id)
    drivers = [session] * 64 + [same] * 64  # HTTP/2 allows 100 calls a connection
    pending = [
        asyncio.create_task(driver.invoke("read_bulk", server_handle=server, tag_addresses=["A.B"]))
        for driver in drivers
    ]
    while len(gateway._sessions._open[session.id].tasks) < 128:
        await asyncio.sleep(0.01)
    refusal = await refused(session.invoke("ping"))
    assert refusal.status is Status.RESOURCE_EXHAUSTED
    assert "128" in refusal.message
    await session.close()
    replies = await asyncio.gather(*pending)
    assert {reply.protocol_status.code for reply in replies} == {
        ProtocolStatusCode.WORKER_UNAVAILABLE
    }
    assert all(reply.session_id == session.id for reply in replies)


async def test_a_command_that_takes_too_long_answers_timeout_and_runs_to_its_end(site):
    client = site.client(await site.gateway(first_value_delay=0.2))
    session = await client.open(command_timeout=Duration.from_timedelta(timedelta(seconds=0.05)))
    server = await session.do("register")
    reply = await session.invoke("read_bulk", server_handle=server, tag_addresses=[CHANGING])
    assert reply.protocol_status.code == ProtocolStatusCode.TIMEOUT
    assert "0.05 s" in reply.protocol_status.message
    await asyncio.sleep(0.2)
    assert await session.do("get_session_state") == SessionState.READY


async def test_each_answer_is_counted_by_its_command_and_status(site):
    gateway = await site.gateway()
    session = await site.client(gateway).open()
    await session.do("ping")
    await session.do("ping")
    await session.invoke("unregister", server_handle=9)
    assert gateway._observer.metrics.commands.read() == {
        ("ping", "OK"): 2,
        ("unregister", "MXACCESS_FAILURE"): 1,
    }


async def test_a_deadline_ends_only_the_waiting(site, refused):
    """A deadline or a cancel ends only the waiting: the call runs to its end."""
    session = await site.session(first_value_delay=0.2)
    server = await session.do("register")
    reading = session.invoke(
        "read_bulk", server_handle=server, tag_addresses=[CHANGING], within=0.05
    )
    with pytest.raises((TimeoutError, GRPCError)):  # by the client's clock, or the server's
        await reading
    registering = asyncio.create_task(session.invoke("register"))
    await asyncio.sleep(0.05)
    registering.cancel()  # while it waits for its turn
    await asyncio.wait([registering])
    assert await session.do("register") == server + 2  # the canceled one ran nevertheless


async def test_a_faulted_session_takes_nothing_and_can_be_closed(site, refused):
    """FAULTED can only become CLOSED. Commands and streams need READY. Events raised before anyone
    attaches are kept (queue 10,000), and one more faults the session.
    """
    session = await site.session()
    server, _ = await session.subscribed(*["TestMachine_001.MachineCode"] * 10_000)
    await session.do("subscribe_bulk", server_handle=server, tag_addresses=[CHANGING])
    refusal = await refused(session.invoke("ping"))
    assert refusal.status is Status.FAILED_PRECONDITION
    assert "FAULTED" in refusal.message
    stream = session.stub.stream_events(StreamEventsRequest(session_id=session.id))
    assert (await refused(anext(stream))).status is Status.FAILED_PRECONDITION
    assert (await session.close()).final_state == SessionState.CLOSED


async def test_closing_lets_go_of_what_was_advised(site):
    client = site.client(await site.gateway())
    session, other = await client.open(), await client.open()
    await session.subscribed("TestMachine_001.MachineCode")
    server, (item,) = await other.subscribed("TestMachine_001.MachineCode")
    await session.close()
    async with other.events() as events:
        await other.write(server, item, "new")
        assert (await events.take(3))[1].family == MxEventFamily.ON_WRITE_COMPLETE


async def test_a_client_that_does_not_read_its_reply_holds_up_its_session_only_shortly(
    site, monkeypatch
):
    monkeypatch.setattr(sim_session, "SENDING_TIME", 0.05)
    gateway = await site.gateway()
    session = await site.client(gateway).open()
    server, (item,) = await session.subscribed(CHANGING)
    stuck = site.client(gateway, window=65_535)
    method = MxAccessGatewayMethods.INVOKE
    async with stuck.transport._open(method, None, None) as stream:
        read = ReadBulkCommand(server_handle=server, tag_addresses=[CHANGING] * 2_000)
        request = MxCommandRequest(
            session_id=session.id,
            command=MxCommand(kind=MxCommandKind.READ_BULK, read_bulk=read),
        )
        await stream.send_message(request, end=True)
        await stream.recv_initial_metadata()
        async with asyncio.timeout(2), session.events() as events:
            await session.write(server, item, 1)
            await events.take(3)
        await stream.cancel()
