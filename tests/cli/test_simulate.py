"""``mxgw-py simulate`` as a process with each of its options, and ``simulate redeploy``."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterator
from concurrent import futures
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path
from typing import Any
from urllib.request import ProxyHandler, build_opener

import grpc
import pytest
import trustme

from tests.cli.conftest import Outcome, Run
from tests.cli.metrics import counted
from tests.cli.simulated import Simulated, simulated
from tests.sim.galaxies import live
from zb_mom_ww_mxgateway import StreamEventsRequest
from zb_mom_ww_mxgateway.sync import GatewayClient, Session

KEY = "mxgw_tester_topsecret"
CODE = "TestMachine_001.MachineCode"
CHANGING = "TestMachine_001.TestChangingInt"


Start = Callable[..., AbstractContextManager[Simulated]]


@pytest.fixture
def start(tmp_path: Path) -> Start:
    """Run a simulator with these options while a block does; it must end cleanly."""

    return partial(simulated, tmp_path / "log")


@pytest.fixture
def mxgw(cli: Run, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run a command line with ``key`` in the environment, and none by default."""

    def call(*arguments: str | Path, key: str | None = None) -> Outcome:
        if key is None:
            monkeypatch.delenv("MXGATEWAY_API_KEY", raising=False)
        else:
            monkeypatch.setenv("MXGATEWAY_API_KEY", key)
        return cli(*arguments)

    return call


@contextmanager
def session(running: Simulated, **options: Any) -> Iterator[Session]:
    """A session at a simulator."""
    given = {"api_key": running.ready.get("apiKey"), "plaintext": True, **options}
    with (
        GatewayClient.connect(running.endpoint, **given) as client,
        client.open_session() as opened,
    ):
        yield opened


# What it runs with


def test_it_prints_what_a_client_needs_and_tells_by_metrics_and_log_what_happens(
    start: Start, mxgw: Run
) -> None:
    few = ["--machines", "2", "--no-plant", "--host", "localhost", "--metrics-port", "0"]
    with start(*few, "--api-key", KEY) as running:
        assert running.ready.keys() == {"endpoint", "metrics"}  # the key was not made up
        assert running.endpoint.startswith("localhost:")
        at = ["--endpoint", running.endpoint, "--plaintext"]
        assert mxgw("open-session", *at, key=KEY).code == 0
        base = f"http://{running.ready['metrics']}"
        with build_opener(ProxyHandler({})).open(f"{base}/health/live") as answer:
            assert answer.status == 200
        # Two machines with an object below the first, and what they stand in.
        objects = json.loads(running.log.splitlines()[0])["objects"]
        assert counted(running, "mxgateway_galaxy_objects") == objects
        assert counted(running, "mxgateway_sessions_opened_total") == 1
    events = [json.loads(line)["event"] for line in running.log.splitlines()]
    assert events[0] == "gateway.started"
    assert {"session.opened", "call.ended", "session.closed"} <= set(events)
    assert "topsecret" not in running.log


def test_values_come_by_the_seed_when_they_are_due(start: Start) -> None:
    times = ["--first-value-delay", "0.3", "--change-interval", "3600"]
    with start("--seed", "7", *times) as running, session(running) as opened:
        server = opened.register("tests")
        (late,) = opened.read_bulk(server, [CHANGING], timeout_ms=10)
        assert not late.was_successful
        (result,) = opened.read_bulk(server, [CHANGING])
        galaxy = live(seed=7)
        assert result.value == galaxy.read(galaxy.resolve(CHANGING)).value
        other = live(seed=8)
        assert result.value != other.read(other.resolve(CHANGING)).value


def test_a_session_may_have_as_many_event_streams_as_it_says(start: Start) -> None:
    with (
        start("--event-subscribers", "2") as running,
        session(running) as opened,
        grpc.insecure_channel(running.endpoint) as channel,
    ):
        stream_events = channel.unary_stream("/mxaccess_gateway.v1.MxAccessGateway/StreamEvents")
        metadata = [("authorization", f"Bearer {running.ready['apiKey']}")]
        request = bytes(StreamEventsRequest(session_id=opened.session_id))
        readers = [stream_events(request, metadata=metadata) for _ in range(2)]
        for reader in readers:
            reader.initial_metadata()  # it is attached
        with pytest.raises(grpc.RpcError) as refused:
            next(stream_events(request, metadata=metadata))
        assert refused.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        for reader in readers:
            reader.cancel()


def test_a_self_signed_certificate_is_trusted_by_the_fingerprint_that_is_printed(
    start: Start, mxgw: Run
) -> None:
    with start("--tls-self-signed") as running:
        key, pin = running.ready["apiKey"], running.ready["certificateSha256"]
        with session(running, plaintext=False, certificate_sha256=pin) as pinned:
            assert pinned.read(CODE).value == "M001"
        at = ["--endpoint", running.endpoint]
        assert mxgw("simulate", "redeploy", *at, "--certificate-sha256", pin, key=key).code == 0
        refused = mxgw("simulate", "redeploy", *at, "--certificate-sha256", "00" * 32, key=key)
        assert refused.code == 3
        assert "fingerprint" in refused.err or "certificate" in refused.err
        assert mxgw("simulate", "redeploy", *at, key=key).code == 3


def test_it_shows_a_certificate_from_files(start: Start, mxgw: Run, tmp_path: Path) -> None:
    authority = trustme.CA()
    issued = authority.issue_cert("127.0.0.1")
    certificate, key, ca_file = (tmp_path / name for name in ("gateway.pem", "gateway.key", "ca"))
    issued.cert_chain_pems[0].write_to_path(str(certificate))
    issued.private_key_pem.write_to_path(str(key))
    authority.cert_pem.write_to_path(str(ca_file))
    with start("--tls-cert", certificate, "--tls-key", key) as running:
        assert "certificateSha256" not in running.ready
        at = ["--endpoint", running.endpoint, "--ca-file", ca_file]
        assert mxgw("open-session", *at, key=running.ready["apiKey"]).code == 0


def test_without_auth_every_call_is_taken_and_no_key_is_printed(start: Start, mxgw: Run) -> None:
    with start("--no-auth") as running:
        assert "apiKey" not in running.ready
        at = ["--endpoint", running.endpoint, "--plaintext"]
        for key in (None, "mxgw_any_key"):
            assert mxgw("open-session", *at, key=key).code == 0
        assert mxgw("simulate", "redeploy", *at).code == 0


def test_a_scenario_begins_with_the_gateway(start: Start, mxgw: Run, tmp_path: Path) -> None:
    scenario = tmp_path / "faults.toml"
    scenario.write_text('[[faults]]\nkind = "refuse-connections"\nat = 0\n')
    with start("--scenario", scenario) as running:
        at = ["--endpoint", running.endpoint, "--plaintext"]
        assert mxgw("open-session", *at, key=running.ready["apiKey"]).code == 3


# What it refuses to run with


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--galaxy", "{missing}"], ["missing.toml", "cannot be read"]),
        (["--galaxy", "{folder}"], ["cannot be read"]),
        (["--galaxy", "{broken}"], ["broken.toml:1:"]),
        (["--scenario", "{missing}"], ["missing.toml", "cannot be read"]),
        (["--scenario", "{broken}"], ["broken.toml:1:"]),
        (["--keys-file", "{missing}"], ["missing.toml", "keys add"]),
        (["--tls-cert", "{missing}"], ["missing.toml"]),
        (["--tls-key", "{broken}"], ["--tls-cert"]),
        (["--tls-self-signed", "--tls-cert", "{broken}"], ["exclude each other"]),
        (["--change-interval", "0"], ["--change-interval"]),
        (["--event-subscribers", "0"], ["--event-subscribers"]),
    ],
)
def test_what_it_cannot_run_with_is_a_usage_error_in_one_line(
    mxgw: Run, tmp_path: Path, options: list[str], words: list[str]
) -> None:
    (tmp_path / "broken.toml").write_text("nonsense")
    places = {
        "missing": tmp_path / "missing.toml",
        "broken": tmp_path / "broken.toml",
        "folder": tmp_path,
    }
    failed = mxgw("simulate", "--json", *(option.format(**places) for option in options))
    assert failed.code == 2
    for word in words:
        assert word in failed.error["error"]


def test_a_metrics_port_that_is_taken_is_named(mxgw: Run) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        failed = mxgw("simulate", "--json", "--port", "0", "--metrics-port", port)
    assert failed.code == 1
    assert f"127.0.0.1:{port}" in failed.error["error"]


@pytest.mark.parametrize("command", [["redeploy"], ["keys", "list", "--file", "keys.json"]])
@pytest.mark.parametrize("option", [["--machines", "3"], ["--port", "5001"], ["--no-auth"]])
def test_an_option_of_the_simulator_is_not_ignored_before_a_subcommand(
    mxgw: Run, option: list[str], command: list[str]
) -> None:
    failed = mxgw("simulate", *option, *command)
    assert failed.code == 2
    assert option[0] in failed.err
    assert command[0] in failed.err


# Redeploy


GALAXY = """\
[templates."$Tank".attributes.Level]
type = "double"

[[objects]]
tag_name = "Tank_{{n}}"
template = "$Tank"
count = {count}
"""


def test_a_redeploy_makes_as_many_machines_as_it_is_asked_for_and_leaves_them_otherwise(
    start: Start, mxgw: Run
) -> None:
    with start("--machines", "1") as running, session(running) as opened:
        redeploy = ["simulate", "redeploy", "--endpoint", running.endpoint, "--plaintext"]
        key = running.ready["apiKey"]
        third = "TestMachine_003.MachineCode"
        assert not opened.read(third)
        first = mxgw(*redeploy, "--machines", "3", "--json", key=key).json
        assert opened.read(third).value == "M003"
        second = mxgw(*redeploy, "--json", key=key).json
        assert opened.read(third).value == "M003"
        assert int(second["sequence"]) == int(first["sequence"]) + 1
        assert second["objectCount"] == first["objectCount"]
        assert "object_count: " in mxgw(*redeploy, "--output", "table", key=key).out


def test_a_redeploy_reads_the_galaxy_file_again_and_changes_nothing_where_it_is_wrong(
    start: Start, mxgw: Run, tmp_path: Path
) -> None:
    file = tmp_path / "galaxy.toml"
    file.write_text(GALAXY.format(count=1))
    with start("--galaxy", file) as running, session(running) as opened:
        key = running.ready["apiKey"]
        redeploy = ["simulate", "redeploy", "--endpoint", running.endpoint, "--plaintext"]
        assert opened.read("Tank_1.Level")
        file.write_text(GALAXY.format(count=2))
        assert mxgw(*redeploy, "--json", key=key).json["objectCount"] == 2
        assert opened.read("Tank_2.Level")
        file.write_text(GALAXY.format(count=3) + "nonsense")
        broken = mxgw(*redeploy, "--json", key=key)
        file.unlink()
        gone = mxgw(*redeploy, "--json", key=key)
        for failed in (broken, gone):
            assert failed.code == 1
            assert "galaxy.toml" in failed.error["error"]
        assert "galaxy.toml:8:" in broken.error["error"]
        assert opened.read("Tank_2.Level")
        assert not opened.read("Tank_3.Level")


def test_a_redeploy_needs_a_key_with_scope_admin(start: Start, mxgw: Run, tmp_path: Path) -> None:
    file = tmp_path / "keys.json"
    add = ["simulate", "keys", "add", "--json", "--file", file]
    plain = mxgw(*add).json["apiKey"]
    admin = mxgw(*add, "--id", "boss", "--scope", "admin").json["apiKey"]
    with start("--keys-file", file) as running:
        assert "apiKey" not in running.ready  # one that nobody was to have
        at = ["--endpoint", running.endpoint, "--plaintext"]
        assert mxgw("simulate", "redeploy", *at, key=admin).code == 0
        denied = mxgw("simulate", "redeploy", *at, "--json", key=plain)
        assert denied.code == 4
        assert "admin" in denied.error["error"]
        for key in (None, "mxgw_boss_wrong"):
            assert mxgw("simulate", "redeploy", *at, key=key).code == 4
        assert mxgw("simulate", "keys", "revoke", "--file", file, "boss").code == 0
        assert mxgw("simulate", "redeploy", *at, key=admin).code == 4


def test_a_redeploy_of_what_does_not_run_or_is_no_simulator_says_so(mxgw: Run) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        nobody = f"127.0.0.1:{taken.getsockname()[1]}"
    redeploy = ["simulate", "redeploy", "--plaintext", "--json", "--endpoint"]
    assert mxgw(*redeploy, nobody).code == 3
    server = grpc.server(futures.ThreadPoolExecutor(1))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        refused = mxgw(*redeploy, f"127.0.0.1:{port}")
    finally:
        server.stop(None).wait()
    assert refused.code == 1
    assert "only a simulator" in refused.error["error"]
