"""Limits, states, users and TLS, as an outside client of stock grpcio meets them."""

from __future__ import annotations

import queue
import ssl
from functools import partial
from typing import Any

import grpc
import pytest

from zb_mom_ww_mxgateway.galaxy import SecurityClassification
from zb_mom_ww_mxgateway_contracts.mxaccess_gateway_v1 import MxDataType
from zb_mom_ww_mxgateway_sim.clock import ManualClock
from zb_mom_ww_mxgateway_sim.faults import CrashWorker, FaultSession
from zb_mom_ww_mxgateway_sim.galaxy.definition import (
    AttributeDefinition,
    AttributeSet,
    GalaxyDefinition,
    ObjectDefinition,
    UserDefinition,
)
from zb_mom_ww_mxgateway_sim.limits import Limits

from .outside import PATIENCE, Outside, refusal, serving, take

Code = grpc.StatusCode
TAG = "TestMachine_001.MachineCode"
GUID = "11111111-1111-4111-8111-111111111111"


def test_more_than_64_sessions_are_resource_exhausted() -> None:
    with serving(machines=1) as gateway, Outside(gateway.endpoint, gateway.api_key) as client:
        sessions = [client.open() for _ in range(64)]
        assert refusal(client.open).code() is Code.RESOURCE_EXHAUSTED
        client.close(sessions[0])
        with client.session():
            pass


def test_of_more_than_128_pending_commands_the_excess_fails_at_once() -> None:
    """RESOURCE_EXHAUSTED; commands still queued when the session closes: WORKER_UNAVAILABLE."""
    settings = {"clock": ManualClock(), "first_value_delay": 3}  # values that never come
    with (
        serving(machines=1, **settings) as gateway,
        Outside(gateway.endpoint, gateway.api_key) as client,
        Outside(gateway.endpoint, gateway.api_key) as other,  # a connection has 100 calls at once
        client.session() as session,
    ):
        server = client.do(session, "register").server_handle
        ended: queue.Queue[Any] = queue.Queue()

        def begin(by: Outside) -> Any:
            fields = {"server_handle": server, "tag_addresses": [TAG]}
            request = by.request(session, "read_bulk", **fields)
            call = by.gateway.Invoke.future(request, metadata=by.metadata, timeout=PATIENCE)
            call.add_done_callback(ended.put)
            return call

        waiting = {begin(client if number < 64 else other) for number in range(129)}
        excess = ended.get(timeout=PATIENCE)
        assert excess.code() is Code.RESOURCE_EXHAUSTED
        assert not any(call.done() for call in waiting - {excess})
        client.close(session)
        codes = {call.result().protocol_status.code for call in waiting - {excess}}
        assert codes == {client.m.PROTOCOL_STATUS_CODE_WORKER_UNAVAILABLE}


def test_a_command_that_takes_too_long_answers_timeout_and_runs_on() -> None:
    """So what is sent behind it waits too, until it is done."""
    clock = ManualClock()
    with (
        serving(machines=1, clock=clock, first_value_delay=1_000) as gateway,
        Outside(gateway.endpoint, gateway.api_key) as client,
    ):
        opening = client.m.OpenSessionRequest(command_timeout={"seconds": 1})
        session = client.call(client.gateway.OpenSession, opening).session_id
        server = client.do(session, "register").server_handle
        read = {"server_handle": server, "tag_addresses": [TAG], "timeout_ms": 2**32 - 1}

        def outcome(command: str, **fields: Any) -> int:
            request = client.request(session, command, **fields)
            call = client.gateway.Invoke.future(request, metadata=client.metadata, timeout=PATIENCE)
            while not call.done():
                gateway.run(lambda _: clock.advance(0.5))
            return int(call.result().protocol_status.code)

        assert outcome("read_bulk", **read) == client.m.PROTOCOL_STATUS_CODE_TIMEOUT
        assert outcome("ping") == client.m.PROTOCOL_STATUS_CODE_TIMEOUT
        gateway.run(lambda _: clock.advance(1_000))
        assert outcome("ping") == client.m.PROTOCOL_STATUS_CODE_OK
        client.close(session)


def test_a_reader_slower_than_the_queue_ends_with_an_overflow() -> None:
    """RESOURCE_EXHAUSTED with EventQueueOverflow in the text, and the session faults."""
    with (
        serving(machines=1, limits=Limits(event_queue=100)) as gateway,
        Outside(
            gateway.endpoint,
            gateway.api_key,
            options=[("grpc.http2.bdp_probe", 0)],  # an unread stream holds 64 KiB
        ) as client,
        client.session() as session,
    ):
        server, (item,) = client.subscribed(session, TAG)
        events = client.events(session)
        assert take(events, 1)[0].value.string_value == "M001"
        value = client.m.MxValue(string_value="x" * 2_000)
        entries = [client.m.WriteBulkEntry(item_handle=item, value=value)] * 50
        request = client.request(session, "write_bulk", server_handle=server, entries=entries)
        error = None
        while error is None:
            try:
                client.call(client.gateway.Invoke, request)
            except grpc.RpcError as refused:
                error = refused
        assert error.code() is Code.FAILED_PRECONDITION
        assert "FAULTED" in error.details()
        ended = refusal(lambda: events)
        assert ended.code() is Code.RESOURCE_EXHAUSTED
        assert "EventQueueOverflow" in ended.details()
        assert refusal(lambda: client.events(session)).code() is Code.FAILED_PRECONDITION
        assert client.close(session).final_state == client.m.SESSION_STATE_CLOSED


@pytest.mark.parametrize(
    ("strike", "code"),
    [(CrashWorker(), Code.UNAVAILABLE), (FaultSession(), Code.ABORTED)],
    ids=["crashed", "faulted"],
)
def test_a_faulted_session_is_not_ready_and_can_only_become_closed(
    strike: CrashWorker | FaultSession, code: grpc.StatusCode
) -> None:
    with (
        serving(machines=1) as gateway,
        Outside(gateway.endpoint, gateway.api_key) as client,
        client.session() as session,
    ):
        events = client.events(session)
        events.initial_metadata()
        gateway.run(lambda simulated: simulated.strike(strike))
        assert refusal(lambda: events).code() is code
        assert refusal(lambda: client.invoke(session, "ping")).code() is Code.FAILED_PRECONDITION
        assert refusal(lambda: client.events(session)).code() is Code.FAILED_PRECONDITION
        assert client.close(session).final_state == client.m.SESSION_STATE_CLOSED


def test_shutdown_worker_closes_the_session_after_its_reply() -> None:
    with (
        serving(machines=1) as gateway,
        Outside(gateway.endpoint, gateway.api_key) as client,
        client.session() as session,
    ):
        events = client.events(session)
        events.initial_metadata()
        client.do(session, "shutdown_worker")
        assert list(events) == []
        assert refusal(lambda: client.invoke(session, "ping")).code() is Code.FAILED_PRECONDITION


def test_a_galaxy_that_is_not_loaded_is_unavailable_and_sessions_do_not_care() -> None:
    """Before the first load: UNAVAILABLE; TestConnection answers rather than failing."""
    with (
        serving(machines=1, deployed=False) as gateway,
        Outside(gateway.endpoint, gateway.api_key) as client,
        client.session() as session,
    ):
        for rpc in ("GetLastDeployTime", "DiscoverHierarchy", "BrowseChildren"):
            request = getattr(client.g, f"{rpc}Request")()
            error = refusal(partial(client.call, getattr(client.galaxy, rpc), request))
            assert error.code() is Code.UNAVAILABLE
        client.call(client.galaxy.TestConnection, client.g.TestConnectionRequest())
        client.subscribed(session, TAG)
        gateway.run(lambda simulated: simulated.deploy())
        request = client.g.GetLastDeployTimeRequest()
        assert client.call(client.galaxy.GetLastDeployTime, request).present


def secured_galaxy() -> GalaxyDefinition:
    """One attribute that two users must sign for."""
    verified = AttributeDefinition(
        name="Release",
        data_type=MxDataType.BOOLEAN,
        value=False,
        security=SecurityClassification.VERIFIED_WRITE,
    )
    users = [("anna", "tea", 11, GUID), ("berta", "milk", 12, "")]
    return GalaxyDefinition(
        is_secured=True,
        entries=(ObjectDefinition(tag_name="Mixer", attributes=AttributeSet([verified])),),
        users=tuple(
            UserDefinition(name=name, password=password, user_id=user_id, guid=guid)
            for name, password, user_id, guid in users
        ),
    )


def test_in_a_secured_galaxy_a_verified_write_needs_a_second_different_user() -> None:
    """A bad password gives 0x80070057, a good one a positive id. Without the second: 1013."""
    with (
        serving(galaxy=secured_galaxy()) as gateway,
        Outside(gateway.endpoint, gateway.api_key) as client,
        client.session() as session,
    ):
        server, (item,) = client.subscribed(session, "Mixer.Release")

        def log_in(name: str, password: str) -> Any:
            fields = {"server_handle": server, "user_name": name, "password": password}
            return client.invoke(session, "authenticate_user", **fields)

        wrong = log_in("anna", "milk")
        assert wrong.protocol_status.code == client.m.PROTOCOL_STATUS_CODE_MXACCESS_FAILURE
        assert wrong.hresult == 0x80070057 - 2**32
        assert "milk" not in str(wrong)
        anna = log_in("anna", "tea").authenticate_user.user_id
        berta = log_in("berta", "milk").authenticate_user.user_id
        assert 0 < anna != berta > 0
        known = client.do(session, "archestra_user_to_id", server_handle=server, user_guid=GUID)
        assert known.user_id == anna
        for verifier in (anna, berta):
            value = client.m.MxValue(bool_value=True)
            users = {"current_user_id": anna, "verifier_user_id": verifier}
            fields = {"server_handle": server, "item_handle": item, "value": value, **users}
            client.do(session, "write_secured", **fields)
        first, alone, both, change = client.do(session, "drain_events").events
        assert not first.value.bool_value
        assert alone.statuses[0].category == client.m.MX_STATUS_CATEGORY_SECURITY_ERROR
        assert alone.statuses[0].detail == 1013
        assert both.statuses[0].category == client.m.MX_STATUS_CATEGORY_OK
        assert change.value.bool_value


def test_tls_works_with_the_self_signed_certificate_as_root() -> None:
    """And not without it."""
    with serving(machines=1, self_signed=True) as gateway:
        host, _, port = gateway.endpoint.rpartition(":")
        root = ssl.get_server_certificate((host, int(port))).encode()
        trusting = Outside(gateway.endpoint, gateway.api_key, root=root)
        with trusting as client, client.session() as session:
            client.do(session, "ping")
        with Outside(gateway.endpoint, gateway.api_key) as plain:
            assert refusal(plain.open).code() is Code.UNAVAILABLE
