"""``mxgw-py doctor`` against simulators that are well, and others that are not."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
from collections.abc import Iterable
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
import trustme

from tests.cli.conftest import Outcome, Run
from tests.cli.installed import MXGW, environment
from tests.cli.metrics import wait_until_counted
from tests.cli.simulated import simulated

CHECKS = ["name", "tcp", "tls", "protocol", "key", "galaxy", "value", "clock"]


@pytest.fixture
def doctor(cli: Run, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run the command with an API key."""

    def call(endpoint: str, *arguments: str, key: str = "") -> Outcome:
        monkeypatch.setenv("MXGATEWAY_API_KEY", key)
        return cli("doctor", "--endpoint", endpoint, *arguments, "--json")

    return call


def statuses(shown: Outcome) -> dict[str, str]:
    rows: list[dict[str, str]] = shown.json["checks"]
    assert [row["check"] for row in rows] == CHECKS
    for found in rows:
        assert found.keys() == {"check", "status", "detail", "advice"}
        assert found["detail"]
        if found["status"] != "skipped":
            assert bool(found["advice"]) is (found["status"] != "ok")
    return {found["check"]: found["status"] for found in rows}


def row(shown: Outcome, check: str) -> dict[str, str]:
    rows: list[dict[str, str]] = shown.json["checks"]
    (found,) = (each for each in rows if each["check"] == check)
    return found


def until(last: str, status: str) -> dict[str, str]:
    """All checks fine before one of them, and none possible behind it."""
    place = CHECKS.index(last)
    return {
        name: "ok" if number < place else status if number == place else "skipped"
        for number, name in enumerate(CHECKS)
    }


def test_all_is_well_and_its_session_is_closed(doctor: Run, tmp_path: Path) -> None:
    with simulated(tmp_path / "log") as gateway:
        shown = doctor(gateway.endpoint, "--plaintext", key=gateway.ready["apiKey"])
        assert shown.code == 0
        assert set(statuses(shown).values()) == {"ok"}
        assert "gateway protocol 3" in row(shown, "protocol")["detail"]
        assert "invoke:secure" in row(shown, "key")["detail"]
        assert re.search(r"\d+ objects, deployed", row(shown, "galaxy")["detail"])
    assert gateway.events("session.opened") == gateway.events("session.closed") == 1


def test_people_get_a_line_for_each_check(simulator: dict[str, str], mxgw: Run) -> None:
    lines = mxgw("doctor", "--output", "table").out.splitlines()
    assert [line.split()[1] for line in lines] == CHECKS
    assert {line.split()[0] for line in lines} == {"ok"}


def test_a_name_without_an_address_is_the_first_failure(doctor: Run) -> None:
    shown = doctor("gateway.invalid:5000", "--plaintext")
    assert shown.code == 3
    assert statuses(shown) == until("name", "fail")


def test_a_port_at_which_nobody_listens_is_unreachable(doctor: Run) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    shown = doctor(f"127.0.0.1:{port}", "--plaintext")
    assert shown.code == 3
    assert statuses(shown) == until("tcp", "fail")


def test_something_else_at_the_port_is_told_from_a_gateway(doctor: Run) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.listen()
        endpoint = f"127.0.0.1:{listening.getsockname()[1]}"
        shown = doctor(endpoint, "--plaintext", "--timeout", "0.3")
    assert shown.code == 5  # it took the connection and said nothing
    assert statuses(shown) == until("protocol", "fail")


def test_a_gateway_without_tls_has_to_be_asked_for_plaintext(
    simulator: dict[str, str], doctor: Run
) -> None:
    shown = doctor(simulator["endpoint"])
    assert shown.code == 3
    assert statuses(shown) == until("tls", "fail")
    assert "--plaintext" in row(shown, "tls")["advice"]


def test_a_wrong_key_is_denied(simulator: dict[str, str], doctor: Run) -> None:
    for key in ("mxgw_nobody_wrong", ""):
        shown = doctor(simulator["endpoint"], "--plaintext", key=key)
        assert shown.code == 4
        assert statuses(shown) == until("key", "fail")
        assert "key" in row(shown, "key")["advice"] + row(shown, "key")["detail"]


def _add(cli: Run, file: Path, scopes: Iterable[str]) -> str:
    options = [word for scope in scopes for word in ("--scope", scope)]
    added = cli("simulate", "keys", "add", "--file", file, *options, "--json")
    assert added.code == 0
    return str(json.loads(added.out)["apiKey"])


SCOPES = [
    "session:open",
    "session:close",
    "invoke:read",
    "invoke:write",
    "invoke:secure",
    "events:read",
    "metadata:read",
]


def test_each_scope_that_a_key_lacks_is_found(doctor: Run, cli: Run, tmp_path: Path) -> None:
    file = tmp_path / "keys.json"
    lacking = {scope: _add(cli, file, [s for s in SCOPES if s != scope]) for scope in SCOPES}
    with simulated(tmp_path / "log", "--keys-file", file) as gateway:
        for scope, key in lacking.items():
            shown = doctor(gateway.endpoint, "--plaintext", key=key)
            found = statuses(shown)
            assert (shown.code, found["key"]) == (0, "warn")
            lacks, _, has = row(shown, "key")["detail"].partition(", has ")
            assert lacks == f"it lacks {scope}"
            if scope != "session:open":
                assert all(other in has for other in SCOPES if other != scope)
            without_value = scope in ("session:open", "invoke:read", "events:read", "metadata:read")
            assert (found["value"] == "skipped") is without_value
            assert (found["galaxy"] == "skipped") is (scope == "metadata:read")


def test_a_gateway_that_asks_for_no_key_is_warned_of(doctor: Run, tmp_path: Path) -> None:
    with simulated(tmp_path / "log", "--no-auth") as gateway:
        for key in ("", "mxgw_bogus_secret"):
            shown = doctor(gateway.endpoint, "--plaintext", key=key)
            assert shown.code == 0
            assert {name for name, is_ in statuses(shown).items() if is_ != "ok"} == {"key"}
            assert row(shown, "key")["detail"] == "the gateway takes calls without an API key"


def test_a_tag_that_does_not_exist_and_one_without_a_value_fail(
    doctor: Run, tmp_path: Path
) -> None:
    with simulated(tmp_path / "log", "--first-value-delay", "60") as gateway:
        key = gateway.ready["apiKey"]
        late = doctor(gateway.endpoint, "--plaintext", "--timeout", "2", key=key)
        assert (late.code, statuses(late)) == (5, until("value", "fail"))
    with simulated(tmp_path / "log") as gateway:
        key = gateway.ready["apiKey"]
        shown = doctor(gateway.endpoint, "--plaintext", "--item", "No.Such", key=key)
        assert (shown.code, statuses(shown)) == (1, until("value", "fail"))
        assert "No.Such" in row(shown, "value")["detail"]
    assert gateway.events("session.opened") == gateway.events("session.closed") == 1


@pytest.mark.skipif(os.name == "nt", reason="Windows can only kill a process by force")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_one_that_is_ended_closes_its_session(tmp_path: Path, number: signal.Signals) -> None:
    late = ["--first-value-delay", "60", "--metrics-port", "0"]
    with simulated(tmp_path / "log", *late) as gateway:
        with subprocess.Popen(
            [MXGW, "doctor", "--plaintext", "--output", "jsonl"],
            env=environment(gateway.endpoint, gateway.ready["apiKey"]),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        ) as process:
            wait_until_counted(gateway, "mxgateway_event_streams")  # of the value it waits for
            process.send_signal(number)
            _, errors = process.communicate(timeout=20)
        assert b"Traceback" not in errors
        assert process.returncode == (130 if number == signal.SIGINT else 143)
        assert gateway.events("session.opened") == gateway.events("session.closed") == 1


# Certificates


def _certificate(tmp_path: Path, days: float, *names: str) -> tuple[Path, list[str | Path]]:
    """The authority's file and the simulator's options for a certificate that ends so soon."""
    authority = trustme.CA()
    now = datetime.now(timezone.utc)
    issued = authority.issue_cert(
        *names, not_before=now - timedelta(days=90), not_after=now + timedelta(days=days)
    )
    certificate, ca_file = tmp_path / "gateway.pem", tmp_path / "ca.pem"
    issued.private_key_and_cert_chain_pem.write_to_path(str(certificate))
    authority.cert_pem.write_to_path(str(ca_file))
    return ca_file, ["--tls-cert", certificate]


@pytest.mark.parametrize(("days", "status"), [(60.5, "ok"), (10.5, "warn")])
def test_a_certificate_is_told_with_its_names_and_its_end(
    doctor: Run, tmp_path: Path, days: float, status: str
) -> None:
    ca_file, options = _certificate(tmp_path, days, "127.0.0.1", "gateway.example")
    with simulated(tmp_path / "log", *options) as gateway:
        key = gateway.ready["apiKey"]
        shown = doctor(gateway.endpoint, "--ca-file", str(ca_file), key=key)
        assert shown.code == 0
        assert statuses(shown) == {**dict.fromkeys(CHECKS, "ok"), "tls": status}
        detail = row(shown, "tls")["detail"]
        for part in ("gateway.example", "127.0.0.1", "trustme", f"in {round(days)} days"):
            assert part in detail


@pytest.mark.parametrize(
    ("days", "name", "with_ca", "says"),
    [
        (-1.5, "127.0.0.1", True, "expired"),
        (60, "gateway.example", True, "--server-name-override"),
        (60, "127.0.0.1", False, "--certificate-sha256"),
    ],
)
def test_a_certificate_that_is_not_accepted_is_shown_all_the_same(
    doctor: Run, tmp_path: Path, days: float, name: str, with_ca: bool, says: str
) -> None:
    ca_file, options = _certificate(tmp_path, days, name)
    with simulated(tmp_path / "log", *options) as gateway:
        trusted = ["--ca-file", str(ca_file)] if with_ca else []
        shown = doctor(gateway.endpoint, *trusted, key=gateway.ready["apiKey"])
        assert (shown.code, statuses(shown)) == (3, until("tls", "fail"))
        found = row(shown, "tls")
        assert says in found["detail"] + found["advice"]
        assert f"for {name}," in found["detail"]
        assert "SHA-256" in found["detail"]


def test_a_pinned_certificate_is_told_too(doctor: Run, tmp_path: Path) -> None:
    with simulated(tmp_path / "log", "--tls-self-signed") as gateway:
        key, pin = gateway.ready["apiKey"], gateway.ready["certificateSha256"]
        shown = doctor(gateway.endpoint, "--certificate-sha256", pin, key=key)
        assert shown.code == 0
        found = row(shown, "tls")
        assert pin in found["detail"].replace(":", "")
        assert "localhost" in found["detail"]
        refused = doctor(gateway.endpoint, "--certificate-sha256", "00" * 32, key=key)
        assert (refused.code, statuses(refused)) == (3, until("tls", "fail"))
        assert pin in row(refused, "tls")["detail"].replace(":", "")
