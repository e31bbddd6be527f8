"""An outside client of stock grpcio does the gateway's main job."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import grpc
import pytest

from zb_mom_ww_mxgateway_sim.plugin import RunningGateway

from .outside import Outside, serving, take

Code = grpc.StatusCode
ALARM = "Galaxy!TestArea.TestMachine_001.TestAlarm001"
MACHINES = [f"TestMachine_{number:03d}" for number in range(1, 4)]


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


def test_an_outside_client_subscribes_writes_and_streams(client: Outside, session: str) -> None:
    tags = [f"{name}.TestHistoryValue" for name in MACHINES]
    server, items = client.subscribed(session, *tags)
    events = client.events(session)
    first = take(events, 3)
    assert [event.item_handle for event in first] == items
    assert all(event.HasField("on_data_change") and event.quality == 192 for event in first)

    entries = [
        client.m.WriteBulkEntry(item_handle=item, value=client.m.MxValue(int32_value=-item))
        for item in items
    ]
    results = client.do(session, "write_bulk", server_handle=server, entries=entries).results
    assert all(result.was_successful for result in results)
    after = take(events, 6)
    assert [event.WhichOneof("body") for event in after] == [
        "on_write_complete",
        "on_data_change",
    ] * 3
    assert [event.value.int32_value for event in after[1::2]] == [-item for item in items]
    assert [event.worker_sequence for event in first + after] == list(range(1, 10))

    read = client.do(session, "read_bulk", server_handle=server, tag_addresses=tags).results
    assert all(result.was_cached and result.was_successful for result in read)
    assert client.close(session).final_state == client.m.SESSION_STATE_CLOSED
    assert list(events) == []
    assert events.code() is Code.OK


def test_an_outside_client_resumes_and_drains(client: Outside, session: str) -> None:
    """``after_worker_sequence`` N > 0: the ring's events above N, then live ones."""
    client.subscribed(session, *[f"{name}.MachineCode" for name in MACHINES])
    events = client.events(session)
    assert [event.worker_sequence for event in take(events, 3)] == [1, 2, 3]
    events.cancel()
    client.do(session, "ping")  # the gateway has heard of the cancel when this is answered
    again = client.events(session, after=1)
    assert [event.worker_sequence for event in take(again, 2)] == [2, 3]
    again.cancel()
    client.do(session, "ping")
    client.subscribed(session, "TestMachine_001.MachineCode", "TestMachine_002.MachineCode")
    drained = client.do(session, "drain_events", max_events=1).events
    assert [event.worker_sequence for event in drained] == [4]
    drained = client.do(session, "drain_events").events
    assert [event.worker_sequence for event in drained] == [5]


def test_an_outside_client_does_secured_writes_in_an_open_galaxy(
    client: Outside, session: str
) -> None:
    """Open galaxy: every credential gives user id 1. SecuredWrite: current user = verifier."""
    server, (item,) = client.subscribed(session, "TestMachine_001.ProtectedValue")
    events = client.events(session)
    assert take(events, 1)[0].item_handle == item
    user = {"user_name": "anybody", "password": "anything"}
    user_id = client.do(session, "authenticate_user", server_handle=server, **user).user_id
    assert user_id == 1
    value = client.m.MxValue(bool_value=True)
    fields = {"server_handle": server, "item_handle": item, "value": value}
    client.do(session, "write", **fields)
    client.do(session, "write_secured", **fields, current_user_id=1, verifier_user_id=1)
    plain, secured, change = take(events, 3)
    assert plain.statuses[0].category == client.m.MX_STATUS_CATEGORY_SECURITY_ERROR
    assert plain.statuses[0].detail == 1012
    assert secured.statuses[0].category == client.m.MX_STATUS_CATEGORY_OK
    assert change.value.bool_value
    events.cancel()


def test_an_outside_client_browses(client: Outside) -> None:
    roots = client.call(client.galaxy.BrowseChildren, client.g.BrowseChildrenRequest())
    (plant,) = [child for child in roots.children if child.tag_name == "TestPlant"]
    assert plant.is_area
    below = client.g.BrowseChildrenRequest(parent_gobject_id=plant.gobject_id)
    children = client.call(client.galaxy.BrowseChildren, below)
    assert "TestArea" in [child.browse_name for child in children.children]
    found = client.g.DiscoverHierarchyRequest(tag_name_glob="testmachine_*", page_size=2)
    pages = []
    while True:
        page = client.call(client.galaxy.DiscoverHierarchy, found)
        pages.append([each.tag_name for each in page.objects])
        if not page.next_page_token:
            break
        found.page_token = page.next_page_token
    assert pages == [MACHINES[:2], MACHINES[2:]]
    assert client.call(client.galaxy.TestConnection, client.g.TestConnectionRequest()).ok


def test_an_outside_client_watches_alarms(client: Outside, session: str) -> None:
    """Every active alarm once, then ``snapshot_complete``, then each transition."""
    feed = client.call(client.gateway.StreamAlarms, client.m.StreamAlarmsRequest())
    seen: list[Any] = []
    while not seen or not seen[-1].snapshot_complete:
        seen.append(next(feed))
    server, (item,) = client.subscribed(session, ALARM.partition(".")[2])

    def set_condition(*, active: bool) -> None:
        value = client.m.MxValue(bool_value=active)
        fields = {"server_handle": server, "item_handle": item, "value": value}
        client.do(session, "write", **fields)

    set_condition(active=True)
    raised = next(feed).transition
    assert raised.transition_kind == client.m.ALARM_TRANSITION_KIND_RAISE
    assert raised.alarm_full_reference == ALARM
    query = client.m.QueryActiveAlarmsRequest()
    (active,) = client.call(client.gateway.QueryActiveAlarms, query)
    assert active.state == client.m.ALARM_CONDITION_STATE_ACTIVE
    acknowledge = client.m.AcknowledgeAlarmRequest(alarm_full_reference=ALARM, comment="seen")
    reply = client.call(client.gateway.AcknowledgeAlarm, acknowledge)
    assert reply.hresult == 0
    assert not reply.HasField("status")
    assert next(feed).transition.transition_kind == client.m.ALARM_TRANSITION_KIND_ACKNOWLEDGE
    set_condition(active=False)
    assert next(feed).transition.transition_kind == client.m.ALARM_TRANSITION_KIND_CLEAR
    feed.cancel()


def test_an_outside_client_watches_deploys(client: Outside, gateway: RunningGateway) -> None:
    """The current state at once, then one event for each new deploy."""
    watch = client.call(client.galaxy.WatchDeployEvents, client.g.WatchDeployEventsRequest())
    now = next(watch)
    gateway.run(lambda simulated: simulated.deploy(machines=3))
    assert next(watch).sequence == now.sequence + 1
    watch.cancel()
