"""``mxgw-py write``: checked before, waited for after, and never half told."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from tests.cli.conftest import Outcome, Run
from tests.cli.everyday import GATEWAY, connection, environment
from tests.cli.golden import assert_golden
from tests.cli.installed import MXGW
from tests.cli.metrics import open_sessions, wait_until_counted
from tests.cli.terminal import Terminal
from zb_mom_ww_mxgateway_sim.faults import DelayFirstValues, SlowWrites
from zb_mom_ww_mxgateway_sim.plugin import RunningGateway

pytestmark = GATEWAY

on_a_terminal = pytest.mark.skipif(
    os.name == "nt", reason="there are no pseudo-terminals on Windows"
)
one_gateway_is_enough = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture
def simulator(mxgw_gateway: RunningGateway) -> dict[str, str]:
    """The gateway that ``mxgw`` talks to."""
    return connection(mxgw_gateway)


def value_of(mxgw: Run, tag: str) -> Any:
    """What a tag has now."""
    read = mxgw("read", tag, "--json")
    assert read.code == 0, read
    return read.json[0]["value"]


def statuses(outcome: Outcome) -> list[str]:
    """What became of each write."""
    return [row["status"] for row in outcome.json]


def test_json_is_pinned(mxgw: Run) -> None:
    written = mxgw(
        "write", "Tank.Level=7", "Tank.Limits=1,2.5", "Tank.Guarded=2", "--yes", "--json"
    )
    assert_golden("write-tags", written)


def test_the_json_of_a_dry_run_is_pinned_and_hides_secured_values(mxgw: Run) -> None:
    tags = ["Tank.Level=7", "Tank.Limits=[1, 2.5]", "Tank.Valve=true", "Tank.Vent=4711"]
    planned = mxgw("write", *tags, "--dry-run", "--json")
    assert_golden("write-dry-run", planned)
    assert "4711" not in planned.out
    assert value_of(mxgw, "Tank.Level") == 42


@one_gateway_is_enough
@given(number=st.integers(-(2**31), 2**31 - 1))
def test_what_was_written_is_what_is_read(mxgw: Run, number: int) -> None:
    assert mxgw("write", f"Tank.Level={number}", "--json").code == 0
    assert value_of(mxgw, "Tank.Level") == number


@pytest.mark.parametrize(
    ("assignment", "value"),
    [
        ("Tank.Volume=1e3", 1000.0),
        ("Tank.Weight=0.2", 0.2),
        ("Tank.Open=on", True),
        ("Tank.Contents=a=b c", "a=b c"),
        ("Tank.Contents=", ""),
        ("Tank.Filled=2026-01-31T12:00:00+01:00", "2026-01-31T11:00:00Z"),
        ("Tank.RunTime=1.5", 1.5),
        ("Tank.Mode=3", 3),
        ("Tank.Source=Tank.Level", "Tank.Level"),
        ("Tank.Notes=long", "long"),
        ("Tank.Limits=[1,2,3]", [1.0, 2.0, 3.0]),
        ("tank.LIMITS[]=4,5", [4.0, 5.0]),
        ("Tank.Limits[2]=0", 0.0),
    ],
)
def test_the_type_is_that_of_the_attribute(mxgw: Run, assignment: str, value: object) -> None:
    written = mxgw("write", assignment, "--json")
    assert (written.code, statuses(written)) == (0, ["written"])
    assert value_of(mxgw, assignment.partition("=")[0]) == value


@pytest.mark.parametrize(
    ("assignment", "text"),
    [
        ("Tank.Volume=4711x", "double"),
        ("Tank.Limits=4711x", "float[]"),
        ("Tank.Lebel=4711", "did you mean Level?"),
        ("Tonk.Level=4711", "no object Tonk"),
        ("Tank.Sensor=4711", "viewing only"),
        ("Tank.Level=4711", "more than once"),
        ("Tank.Level", "TAG=VALUE"),
        ("=4711", "TAG=VALUE"),
    ],
)
def test_nothing_is_written_unless_all_is_right_and_no_value_is_told(
    mxgw: Run, mxgw_gateway: RunningGateway, assignment: str, text: str
) -> None:
    failed = mxgw("write", "Tank.Level=4711", assignment, "--yes")
    assert (failed.code, failed.out) == (2, "")
    assert text in failed.err
    assert "4711" not in failed.err
    assert value_of(mxgw, "Tank.Level") == 42
    assert open_sessions(mxgw_gateway) == 0


def test_all_problems_are_named_up_to_a_number(mxgw: Run) -> None:
    two = mxgw("write", "Tank.No=1", "Tank.Open=7", "--yes").err
    assert "Tank.No:" in two
    assert "Tank.Open is not of type bool" in two
    many = mxgw("write", *(f"Tank.No{n}=1" for n in range(30)), "--yes").err
    assert "Tank.No9:" in many
    assert "Tank.No10:" not in many
    assert "and 20 more problems" in many


def test_more_than_one_tag_needs_yes_where_nobody_can_be_asked(mxgw: Run) -> None:
    refused = mxgw("write", "Tank.Level=1", "Tank.Open=1")
    assert refused.code == 2
    assert "--yes" in refused.err
    assert value_of(mxgw, "Tank.Level") == 42


def test_tags_are_written_in_their_order_from_a_file_and_from_standard_input(
    mxgw: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "values.txt"
    file.write_text("# a recipe\nTank.Contents=two words\nTank.Level=1\n", encoding="utf-8")
    monkeypatch.setattr("sys.stdin", io.StringIO("Tank.Mode=5\n"))
    written = mxgw("write", "-", f"@{file}", "--yes", "--json")
    assert [row["tag"] for row in written.json] == ["Tank.Mode", "Tank.Contents", "Tank.Level"]
    assert statuses(written) == ["written"] * 3
    assert value_of(mxgw, "Tank.Contents") == "two words"


def test_with_type_a_tag_that_the_galaxy_does_not_list_is_left_to_the_gateway(mxgw: Run) -> None:
    without = mxgw("write", "No.Such=7")
    assert without.code == 2
    assert "--type" in without.err
    given_type = mxgw("write", "Tank.Level=7", "No.Such=7", "--type", "int32", "--yes", "--json")
    assert (given_type.code, statuses(given_type)) == (6, ["written", "not written"])
    assert "invalid reference" in given_type.json[1]["error"]


def test_a_key_that_may_not_see_the_galaxy_writes_with_type(
    mxgw: Run, mxgw_gateway: RunningGateway
) -> None:
    scopes = ["session:open", "session:close", "invoke:read", "invoke:write", "events:read"]
    key = mxgw_gateway.run(lambda gateway: gateway.add_api_key(scopes=scopes))
    denied = mxgw("write", "Tank.Level=7", "--api-key", key)
    assert denied.code == 4
    assert "--type" in denied.err
    assert mxgw("write", "Tank.Level=7", "--type", "int32", "--api-key", key).code == 0
    assert value_of(mxgw, "Tank.Level") == 7


def test_a_tag_that_the_key_may_not_write_leaves_the_others_alone(
    mxgw: Run, mxgw_gateway: RunningGateway
) -> None:
    key = mxgw_gateway.run(lambda gateway: gateway.add_api_key(write=["Inner"]))
    tags = ["Tank.Level=1", "Inner.Level=2"]
    written = mxgw("write", *tags, "--yes", "--api-key", key, "--json")
    assert (written.code, statuses(written)) == (6, ["failed", "written"])
    assert value_of(mxgw, "Tank.Level") == 42
    assert value_of(mxgw, "Inner.Level") == 2


# Users


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


def test_a_password_without_its_user_is_a_usage_error(mxgw: Run) -> None:
    assert mxgw("write", "Tank.Level=1", "--password", "x").code == 2
    assert mxgw("write", "Tank.Level=1", "--verifier", "x").code == 2


# What ends early


def test_a_tag_whose_value_does_not_come_is_not_written(
    mxgw: Run, mxgw_gateway: RunningGateway
) -> None:
    with mxgw_gateway.fault(DelayFirstValues(seconds=600)):
        late = mxgw("write", "Tank.Level=1", "--timeout", "1.5", "--json")
    assert (late.code, statuses(late)) == (6, ["not written"])
    assert value_of(mxgw, "Tank.Level") == 42


def test_an_outcome_that_does_not_come_is_unknown(mxgw: Run, mxgw_gateway: RunningGateway) -> None:
    with mxgw_gateway.fault(SlowWrites(seconds=600)):
        late = mxgw("write", "Tank.Level=1", "--timeout", "1.5", "--json")
    assert (late.code, statuses(late)) == (6, ["unknown"])
    assert "read the value" in late.json[0]["error"]


@pytest.mark.skipif(os.name == "nt", reason="Windows can only kill a process by force")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_write_that_is_ended_says_what_is_written_and_what_may_be(
    mxgw_gateway: RunningGateway, number: signal.Signals, code: int
) -> None:
    tags = ["Tank.Level=1", "Tank.Mode=1"]
    with (
        mxgw_gateway.fault(SlowWrites(seconds=600)),
        subprocess.Popen(
            [MXGW, "write", *tags, "--yes", "--json"],
            env=environment(mxgw_gateway),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        ) as process,
    ):
        wait_until_counted(mxgw_gateway, "mxgateway_commands_total", command="write")
        process.send_signal(number)
        out, errors = process.communicate(timeout=20)
    assert process.returncode == code
    assert [row["status"] for row in json.loads(out)] == ["unknown", "not written"]
    assert errors.strip() == b""
    assert open_sessions(mxgw_gateway) == 0


# At a terminal


@on_a_terminal
@pytest.mark.parametrize(("answer", "code", "level"), [("y", 0, 1), ("n", 1, 42)])
def test_more_than_one_tag_is_asked_about_at_a_terminal(
    mxgw: Run, mxgw_gateway: RunningGateway, answer: str, code: int, level: int
) -> None:
    command = [MXGW, "write", "Tank.Level=1", "Tank.Contents=Milk"]
    with Terminal(command, environment(mxgw_gateway)) as terminal:
        asked = terminal.wait_for("[y/N]: ")
        assert "Tank.Contents = Milk  (string)" in asked
        terminal.type(answer)
        terminal.rest()
    assert terminal.process.returncode == code
    assert value_of(mxgw, "Tank.Level") == level


@on_a_terminal
def test_users_are_asked_for_at_a_terminal_and_neither_password_nor_value_is_shown(
    mxgw: Run, mxgw_gateway: RunningGateway
) -> None:
    command = [MXGW, "write", "Tank.Vent=4711", "Tank.Valve=1"]
    with Terminal(command, environment(mxgw_gateway)) as terminal:
        shown = terminal.wait_for("[y/N]: ")
        terminal.type("y")
        shown += terminal.wait_for("User: ")
        terminal.type("op")
        shown += terminal.wait_for("Password: ")
        terminal.type("op-topsecret")
        shown += terminal.wait_for("Verifier: ")
        terminal.type("boss")
        shown += terminal.wait_for("Verifier-password: ")
        terminal.type("boss-topsecret")
        shown += terminal.rest()
    assert terminal.process.returncode == 0, shown
    assert "topsecret" not in shown
    assert "4711" not in shown
    assert value_of(mxgw, "Tank.Vent") == 4711


@on_a_terminal
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_what_is_asked(
    mxgw_gateway: RunningGateway, number: signal.Signals, code: int
) -> None:
    command = [MXGW, "write", "Tank.Valve=1", "--user", "op"]
    with Terminal(command, environment(mxgw_gateway)) as terminal:
        terminal.wait_for("Password: ")
        if number == signal.SIGINT:
            terminal.press("\x03")
        else:
            terminal.process.send_signal(number)
        assert "Traceback" not in terminal.rest()
    assert terminal.process.returncode == code
