"""The blocking classes: the same surface as the async ones, from threads, Jupyter and Ctrl-C."""

from __future__ import annotations

import gc
import inspect
import signal
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import chain

import pytest

import zb_mom_ww_mxgateway as aio
from zb_mom_ww_mxgateway import (
    DataChange,
    MxAccessError,
    MxGatewayArgumentError,
    MxGatewaySessionClosedError,
    MxGatewaySessionNotReadyError,
    MxGatewayTimeoutError,
    MxGatewayTransportError,
    MxGatewayUnavailableError,
    StreamEventsRequest,
    sync,
)
from zb_mom_ww_mxgateway.loop_thread import LoopThread
from zb_mom_ww_mxgateway_sim import SimulatedGateway

CODE = "TestMachine_001.MachineCode"
CHANGING = "TestMachine_001.TestChangingInt"


@pytest.fixture
def gateway() -> Iterator[SimulatedGateway]:
    before = set(threading.enumerate())
    thread = LoopThread("simulator")
    running = SimulatedGateway(change_interval=0.05, plant=False)
    thread.run("start", running.start)
    yield running
    thread.run("close", running.close)
    thread.stop()
    left = {
        one for one in set(threading.enumerate()) - before if not one.name.startswith("asyncio")
    }
    assert not left


@pytest.fixture
def client(gateway: SimulatedGateway) -> Iterator[sync.GatewayClient]:
    with sync.GatewayClient.connect(
        gateway.endpoint, api_key=gateway.api_key, plaintext=True
    ) as connected:
        yield connected


@pytest.fixture
def session(client: sync.GatewayClient) -> Iterator[sync.Session]:
    with client.open_session() as opened:
        yield opened


PAIRS = [
    (aio.GatewayClient, sync.GatewayClient),
    (aio.Session, sync.Session),
    (aio.GalaxyRepositoryClient, sync.GalaxyRepositoryClient),
    (aio.BrowseNode, sync.BrowseNode),
]


def members(cls: type) -> dict[str, object]:
    return {name: value for name, value in inspect.getmembers(cls) if not name.startswith("_")}


@pytest.mark.parametrize(("theirs", "ours"), PAIRS, ids=lambda cls: cls.__module__)
def test_the_blocking_class_has_every_member_of_the_async_one(theirs: type, ours: type) -> None:
    assert set(members(ours)) == set(members(theirs))


def shape(member: object) -> object:
    """A member's kind and parameters, and what it returns once waited for."""
    if isinstance(member, property):
        return "property"
    assert callable(member)
    signature = inspect.signature(member)
    returns = str(signature.return_annotation).replace(
        "AsyncGenerator[GalaxyObject, None]", "STREAM"
    )
    return list(signature.parameters.values()), returns.replace("Stream", "STREAM")


@pytest.mark.parametrize(("theirs", "ours"), PAIRS, ids=lambda cls: cls.__module__)
def test_every_blocking_method_takes_and_returns_what_the_async_one_does(
    theirs: type, ours: type
) -> None:
    for name, member in members(theirs).items():
        assert shape(getattr(ours, name)) == shape(member), name


@pytest.mark.parametrize(("_", "ours"), PAIRS, ids=lambda cls: getattr(cls, "__module__", ""))
def test_no_blocking_method_returns_something_to_await(_: type, ours: type) -> None:
    for name, member in members(ours).items():
        assert not inspect.iscoroutinefunction(member), name
        assert not inspect.isasyncgenfunction(member), name
        assert inspect.getdoc(member), name


def test_the_main_job(session: sync.Session) -> None:
    server = session.register("tests")
    [item] = session.subscribe_bulk(server, [CODE])
    with session.stream_events() as events:
        first = next(events)
        assert isinstance(first, DataChange)
        assert (first.item_handle, first.value) == (item.item_handle, "M001")
        assert session.write_item_and_wait(server, item.item_handle, "M2").is_good
        assert [event.value for _, event in zip(range(2), events, strict=False)] == [None, "M2"]
    assert session.read(CODE).value == "M2"
    assert [reading.tag for reading in session.read_many([CODE, CHANGING])] == [CODE, CHANGING]
    assert session.write_and_wait(CODE, "M3").is_good
    assert session.get_session_state() == aio.SessionState.READY


def test_clients_sessions_and_nodes_say_what_they_are(
    client: sync.GatewayClient, session: sync.Session, gateway: SimulatedGateway
) -> None:
    assert client.endpoint == client.options.endpoint == gateway.endpoint
    assert repr(client) == f"<GatewayClient {gateway.endpoint}>"
    assert session.open_reply.session_id == session.session_id
    assert repr(session) == f"<Session {session.session_id}>"
    with sync.GalaxyRepositoryClient.connect(
        gateway.endpoint, api_key=gateway.api_key, plaintext=True
    ) as galaxy:
        [top] = galaxy.browse()
        assert top.has_children
        assert not top.expanded
        below = top.children()
        assert top.expanded
        assert len({*below, *top.children()}) == len(below)
        assert repr(top) == f"<BrowseNode {top.object.tag_name}>"


def test_a_session_that_was_opened_elsewhere_can_be_used(
    client: sync.GatewayClient, session: sync.Session
) -> None:
    other = client.session(session.session_id)
    other.ping()
    assert other != session
    assert not other.closed


def test_errors_are_those_of_the_async_classes(session: sync.Session) -> None:
    with pytest.raises(MxAccessError, match="0x80070057"):
        session.advise(1, 4711)


def test_a_wait_for_the_next_item_may_have_a_limit(session: sync.Session) -> None:
    with session.stream_events() as events:
        for _ in range(3):
            with pytest.raises(MxGatewayTimeoutError, match=r"no item came within 0\.02 s"):
                events.next(timeout=0.02)
        session.subscribe_bulk(session.register("tests"), [CODE])
        assert events.next(timeout=5).value == "M001"


def test_with_begins_the_call(client: sync.GatewayClient, session: sync.Session) -> None:
    with (
        session.stream_events(),
        pytest.raises(MxGatewayTransportError, match="EventSubscriberAlreadyActive"),
    ):
        client.stream_events(session.session_id).next(timeout=5)


def test_every_event_comes_once_and_in_order_whoever_takes_it(session: sync.Session) -> None:
    tags = [f"TestMachine_{number:03}.TestChangingInt" for number in range(1, 11)]
    session.subscribe_bulk(session.register("tests"), tags * 30)
    with session.stream_events() as events, ThreadPoolExecutor(3) as pool:
        takers = [pool.submit(lambda: [next(events) for _ in range(300)]) for _ in range(3)]
        taken = [[event.worker_sequence for event in taker.result()] for taker in takers]
        assert all(sequences == sorted(sequences) for sequences in taken)
        assert sorted(chain.from_iterable(taken)) == list(range(1, 901))
    with pytest.raises(StopIteration):
        next(events)


def test_a_limit_holds_while_another_thread_waits_without_one(session: sync.Session) -> None:
    with session.stream_events() as events, ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(next, events)
        time.sleep(0.05)
        with pytest.raises(MxGatewayTimeoutError, match="no item came"):
            events.next(timeout=0.05)
        session.subscribe_bulk(session.register("tests"), [CODE])
        assert waiting.result().value == "M001"


def test_a_stream_ends_with_its_session_and_with_close(client: sync.GatewayClient) -> None:
    session = client.open_session()
    session.subscribe_bulk(session.register("tests"), [CODE])
    events = session.stream_events()
    assert next(events).value == "M001"
    session.close()
    assert list(events) == []
    events.close()
    events.close()


def test_raw_streams_alarms_and_galaxy_are_there_too(
    client: sync.GatewayClient, session: sync.Session, gateway: SimulatedGateway
) -> None:
    session.subscribe_bulk(session.register("tests"), [CODE])
    request = StreamEventsRequest(session_id=session.session_id)
    with client.stream_events_raw(request) as events:
        assert next(events).worker_sequence == 1
    assert list(client.query_active_alarms()) == []
    with client.stream_alarms() as alarms:
        assert next(alarms).which_payload() == "provider_status"
    with sync.GalaxyRepositoryClient.connect(
        gateway.endpoint, api_key=gateway.api_key, plaintext=True
    ) as galaxy:
        assert galaxy.test_connection()
        names = {found.tag_name for found in galaxy.discover_hierarchy()}
        assert {found.tag_name for found in galaxy.iter_hierarchy(page_size=3)} == names
        [top] = galaxy.browse()
        below = top.children()
        assert below
        assert top.children() == below
        assert {node.object.tag_name for node in below} < names
        assert top.refresh() != below
        with galaxy.watch_deploy_events() as deploys:
            assert next(deploys).sequence > 0


def test_many_threads_share_a_client_and_a_session(session: sync.Session) -> None:
    tags = [f"TestMachine_{number:03}.MachineCode" for number in range(1, 11)]
    with ThreadPoolExecutor(8) as pool:
        readings = list(pool.map(session.read, tags * 5))
    assert [reading.tag for reading in readings] == tags * 5
    assert all(readings)


def test_closing_from_many_threads_is_one_close(client: sync.GatewayClient) -> None:
    session = client.open_session()
    with ThreadPoolExecutor(8) as pool:
        for _ in range(8):
            pool.submit(session.close)
        for closed in [pool.submit(client.close) for _ in range(8)]:
            closed.result()
    with pytest.raises(MxGatewaySessionClosedError, match="this client was closed"):
        session.ping()


def test_closing_the_client_ends_the_waits_of_other_threads(client: sync.GatewayClient) -> None:
    events = client.open_session().stream_events()
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(next, events, None)
        with pytest.raises(MxGatewayTimeoutError):
            events.next(timeout=0.05)
        client.close()
        with pytest.raises((MxGatewaySessionClosedError, MxGatewayUnavailableError)):
            waiting.result()


async def test_it_works_where_a_loop_runs_already(gateway: SimulatedGateway) -> None:
    with (
        sync.GatewayClient.connect(
            gateway.endpoint, api_key=gateway.api_key, plaintext=True
        ) as client,
        client.open_session() as session,
    ):
        assert session.read(CODE)


def test_a_connection_that_fails_leaves_no_thread(gateway: SimulatedGateway) -> None:
    before = threading.enumerate()
    with pytest.raises(MxGatewayUnavailableError):
        sync.GatewayClient.connect("127.0.0.1:1", plaintext=True)
    with pytest.raises(MxGatewayArgumentError):
        sync.GatewayClient.connect("nonsense", plaintext=True)
    assert threading.enumerate() == before


def test_a_client_that_is_dropped_leaves_no_thread(gateway: SimulatedGateway) -> None:
    before = set(threading.enumerate())
    client = sync.GatewayClient.connect(gateway.endpoint, api_key=gateway.api_key, plaintext=True)
    session = client.open_session()
    assert session.read(CODE)
    assert set(threading.enumerate()) - before
    session.close()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # Python's word for what was not closed
        del client, session
        gc.collect()
    assert set(threading.enumerate()) == before


def test_the_first_error_of_a_with_block_is_the_one_to_see(client: sync.GatewayClient) -> None:
    def fail_twice() -> None:
        with client.open_session():
            client.close()
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail_twice()


def test_a_session_closed_by_with_is_closed_at_the_gateway(client: sync.GatewayClient) -> None:
    with client.open_session() as session:
        pass
    assert session.closed
    with pytest.raises(MxGatewaySessionNotReadyError, match="CLOSED"):
        client.session(session.session_id).ping()


LEFT_OPEN = """
import sys, threading
from zb_mom_ww_mxgateway.sync import GatewayClient

client = GatewayClient.connect(sys.argv[1], api_key=sys.argv[2], plaintext=True)
session = client.open_session()
events = session.stream_events()
events.__enter__()
session.write_and_wait("TestMachine_001.MachineCode", "M2")
print("ready")
"""


def test_an_interpreter_that_ends_with_open_clients_ends_silently(
    gateway: SimulatedGateway,
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", LEFT_OPEN, gateway.endpoint, gateway.api_key],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "ready\n", "")


INTERRUPTED = """
import sys
from zb_mom_ww_mxgateway.sync import GatewayClient

with GatewayClient.connect(sys.argv[1], api_key=sys.argv[2], plaintext=True) as client:
    with client.open_session() as session:
        print(session.session_id, flush=True)
        try:
            for event in session.stream_events():
                print(event)
        except KeyboardInterrupt:
            print("interrupted", session.read("TestMachine_001.MachineCode").value, flush=True)
            raise
"""


@pytest.mark.skipif(sys.platform == "win32", reason="a test cannot press Ctrl-C there")
def test_ctrl_c_ends_a_wait_and_everything_is_closed(
    gateway: SimulatedGateway, client: sync.GatewayClient
) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", INTERRUPTED, gateway.endpoint, gateway.api_key],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    session_id = process.stdout.readline().strip()
    time.sleep(0.2)
    process.send_signal(signal.SIGINT)
    output, errors = process.communicate(timeout=30)
    assert output == "interrupted M001\n"
    assert errors.rstrip().endswith("KeyboardInterrupt")
    assert process.returncode == -signal.SIGINT
    with pytest.raises(MxGatewaySessionNotReadyError, match="CLOSED"):
        client.session(session_id).ping()
