"""``mxgw-py write`` on somebody's behalf: who logs in for what, and what is shown of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import Run
from tests.cli.everyday import GATEWAY, connection, environment
from tests.cli.installed import MXGW
from tests.cli.metrics import open_sessions
from tests.cli.terminal import Terminal
from tests.cli.test_write import on_a_terminal, statuses, value_of
from zb_mom_ww_mxgateway_sim.plugin import RunningGateway

pytestmark = GATEWAY

#: A key that may not see the galaxy.
BLIND = (
    "session:open",
    "session:close",
    "invoke:read",
    "invoke:write",
    "invoke:secure",
    "events:read",
)


@pytest.fixture
def simulator(mxgw_gateway: RunningGateway) -> dict[str, str]:
    """The gateway that ``mxgw`` talks to."""
    return connection(mxgw_gateway)


OP = ("--user", "op", "--password", "env:OP")
BOSS = ("--verifier", "boss", "--verifier-password", "file:boss.txt")


@pytest.fixture
def passwords(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The passwords of both users, where the options above look for them."""
    monkeypatch.setenv("OP", "op-topsecret")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "boss.txt").write_text("boss-topsecret\n", encoding="utf-8")


@pytest.mark.usefixtures("passwords")
@pytest.mark.parametrize(
    ("assignment", "users", "value"),
    [
        ("Tank.Valve=true", OP, True),
        ("Tank.Vent=4711", (*OP, *BOSS), 4711),
        ("Tank.Guarded=5", OP, 5),
    ],
)
def test_a_write_that_needs_users_has_them(
    mxgw: Run, assignment: str, users: tuple[str, ...], value: object
) -> None:
    without = mxgw("write", assignment, "--json")
    assert without.code in (2, 6)
    assert "4711" not in without.err + without.out
    assert value_of(mxgw, assignment.partition("=")[0]) != value
    written = mxgw("write", assignment, *users, "--json")
    assert (written.code, statuses(written)) == (0, ["written"])
    assert value_of(mxgw, assignment.partition("=")[0]) == value
    assert "topsecret" not in written.out + written.err


@pytest.mark.usefixtures("passwords")
def test_credentials_come_from_the_environment_too(
    mxgw: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MXGATEWAY_USER", "op")
    monkeypatch.setenv("MXGATEWAY_PASSWORD", "env:OP")
    monkeypatch.setenv("MXGATEWAY_VERIFIER", "boss")
    monkeypatch.setenv("MXGATEWAY_VERIFIER_PASSWORD", "boss-topsecret")
    assert mxgw("write", "Tank.Vent=1", "Tank.Valve=1", "Tank.Level=1", "--yes").code == 0


@pytest.mark.usefixtures("passwords")
def test_the_verifier_has_to_be_somebody_else(mxgw: Run) -> None:
    same = ("--verifier", "OP", "--verifier-password", "env:OP")
    refused = mxgw("write", "Tank.Vent=4711", *OP, *same)
    assert refused.code == 2
    assert "--verifier" in refused.err


def test_a_wrong_password_writes_nothing_and_is_not_shown(
    mxgw: Run, mxgw_gateway: RunningGateway
) -> None:
    failed = mxgw("write", "Tank.Valve=1", "--user", "op", "--password", "wr0ngsecret")
    assert (failed.code, failed.out) == (1, "")
    assert "'op'" in failed.err
    assert "wr0ngsecret" not in failed.err
    assert value_of(mxgw, "Tank.Valve") is False
    assert open_sessions(mxgw_gateway) == 0


def test_a_wrong_password_is_said_once_and_no_handle_is_suspected(mxgw: Run) -> None:
    failed = mxgw("write", "Tank.Valve=1", "--user", "op", "--password", "wr0ngsecret")
    assert failed.err.count("'op'") == failed.err.count("password is wrong") == 1
    assert "item handle that" not in failed.err


def test_a_plain_write_that_needs_a_user_names_the_option(mxgw: Run) -> None:
    denied = mxgw("write", "Tank.Guarded=5", "--json")
    assert denied.code == 6
    assert "--user" in denied.json[0]["error"]


def test_a_password_without_its_user_is_a_usage_error(mxgw: Run) -> None:
    assert mxgw("write", "Tank.Level=1", "--password", "x").code == 2
    assert mxgw("write", "Tank.Level=1", "--verifier", "x").code == 2


@on_a_terminal
def test_users_are_asked_for_at_a_terminal_and_neither_password_nor_value_is_shown(
    mxgw: Run, mxgw_gateway: RunningGateway
) -> None:
    command = [MXGW, "write", "Tank.Vent=4711", "Tank.Valve=1"]
    with Terminal(command, environment(mxgw_gateway)) as terminal:
        shown = terminal.wait_for("[y/N]: ")
        terminal.type("y")
        shown += terminal.wait_for("User who writes Tank.Vent and 1 more: ")
        terminal.type("op")
        shown += terminal.wait_for("Password: ")
        terminal.type("op-topsecret")
        shown += terminal.wait_for("User who verifies Tank.Vent: ")
        terminal.type("boss")
        shown += terminal.wait_for("Password of the verifier: ")
        terminal.type("boss-topsecret")
        shown += terminal.rest()
    assert terminal.process.returncode == 0, shown
    assert "topsecret" not in shown
    assert "4711" not in shown
    assert value_of(mxgw, "Tank.Vent") == 4711


@pytest.mark.usefixtures("passwords")
@pytest.mark.parametrize(
    ("assignment", "type_name", "users", "value"),
    [
        ("Tank.Valve=1", "bool", OP, True),
        ("Tank.Vent=4711", "int32", (*OP, *BOSS), 4711),
        ("Tank.Level=4711", "int32", OP, 4711),
    ],
)
def test_users_who_are_named_write_what_the_galaxy_does_not_tell_of(
    mxgw: Run,
    mxgw_gateway: RunningGateway,
    assignment: str,
    type_name: str,
    users: tuple[str, ...],
    value: object,
) -> None:
    key = mxgw_gateway.run(lambda gateway: gateway.add_api_key(scopes=BLIND))
    blind = ("write", assignment, "--type", type_name, "--api-key", key, "--json")
    written = mxgw(*blind, *users)
    assert (written.code, statuses(written)) == (0, ["written"])
    assert value_of(mxgw, assignment.partition("=")[0]) == value
    planned = mxgw(*blind, *users, "--dry-run")
    assert planned.json[0]["value"] == "***"


@on_a_terminal
def test_what_may_be_secured_is_not_shown_where_it_is_confirmed(
    mxgw_gateway: RunningGateway,
) -> None:
    command = [MXGW, "write", "No.Such=4711", "Tank.Level=4712", "--type", "int32"]
    with Terminal(command, environment(mxgw_gateway)) as terminal:
        shown = terminal.wait_for("[y/N]: ")
        terminal.type("n")
        shown += terminal.rest()
    assert "No.Such = ***" in shown
    assert "Tank.Level = 4712" in shown
    assert "4711" not in shown


@pytest.mark.parametrize(
    "variables",
    [
        {"MXGATEWAY_USER": "op"},
        {"MXGATEWAY_VERIFIER": "boss"},
        {"MXGATEWAY_USER": "op", "MXGATEWAY_PASSWORD": "not-op-topsecret"},
    ],
)
@pytest.mark.parametrize("type_option", [(), ("--type", "int32")])
def test_users_in_the_environment_are_left_out_of_plain_writes(
    mxgw: Run,
    mxgw_gateway: RunningGateway,
    monkeypatch: pytest.MonkeyPatch,
    variables: dict[str, str],
    type_option: tuple[str, ...],
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    scopes = [*(scope for scope in BLIND if scope != "invoke:secure"), "metadata:read"]
    key = mxgw_gateway.run(lambda gateway: gateway.add_api_key(scopes=scopes))
    written = mxgw("write", "Tank.Level=7", *type_option, "--api-key", key, "--json")
    assert (written.code, statuses(written)) == (0, ["written"])


@pytest.mark.usefixtures("passwords")
def test_a_verifier_in_the_environment_is_left_out_where_one_user_will_do(
    mxgw: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MXGATEWAY_VERIFIER", "boss")
    monkeypatch.setenv("MXGATEWAY_VERIFIER_PASSWORD", "wr0ngsecret")
    assert mxgw("write", "Tank.Valve=1", *OP).code == 0


def test_a_write_that_is_denied_for_want_of_a_user_says_how_to_name_one(mxgw: Run) -> None:
    denied = mxgw("write", "Tank.Guarded=5", "--json")
    assert (denied.code, statuses(denied)) == (6, ["failed"])
    assert "--user" in denied.json[0]["error"]
