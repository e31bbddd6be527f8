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
from zb_mom_ww_mxgateway_sim.faulting import Faults, Strike
from zb_mom_ww_mxgateway_sim.faults import DelayFirstValues, SlowWrites
from zb_mom_ww_mxgateway_sim.operations.observer import Closing
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


class CloseSessions(Strike):
    """All sessions are closed, as when an operator of the gateway does that."""

    async def strike(self, gateway: Faults) -> None:
        for session in gateway.sessions.opened(None):
            session.close(Closing.CLIENT)


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


@pytest.mark.parametrize(
    "arguments", [["Tank.Level=1", "Tank.Contents", "s3cret.text"], ["two", "words"]]
)
def test_what_may_be_a_piece_of_a_value_is_not_told(mxgw: Run, arguments: list[str]) -> None:
    failed = mxgw("write", *arguments, "--yes")
    assert failed.code == 2
    assert "TAG=VALUE; a value with spaces in it needs quotes" in failed.err
    assert not {"Tank.Contents", "s3cret", "two", "words"} & set(failed.err.split())


def test_a_tag_without_its_value_is_told(mxgw: Run) -> None:
    failed = mxgw("write", "Tank.Contents", "Apple", "--yes")
    assert "tag 1 of 2 is not given as TAG=VALUE: Tank.Contents=..." in failed.err
    assert "Apple" not in failed.err


@pytest.mark.parametrize(
    ("assignment", "text"),
    [
        ("Tank.Volume=null", "the value of Tank.Volume cannot be null: double takes a finite"),
        ("Tank.Limits=null", "the value of Tank.Limits cannot be null"),
        ("Tank.Mode=Running", "the value of Tank.Mode has to be the number of the state"),
        ("Tank.Volume=abc", "the value of Tank.Volume is not of type double"),
    ],
)
def test_values_that_no_attribute_of_the_type_takes_are_refused_before_anything_is_sent(
    mxgw: Run, assignment: str, text: str
) -> None:
    failed = mxgw("write", "Tank.Level=1", assignment, "--yes")
    assert (failed.code, failed.out) == (2, "")
    assert text in failed.err
    assert value_of(mxgw, "Tank.Level") == 42


@pytest.mark.parametrize(
    ("given", "meant"),
    [("int", "int32 or int64"), ("Double", "double or double[]"), ("strng", "string or string[]")],
)
def test_a_type_that_there_is_not_is_answered_with_what_is_near(
    mxgw: Run, given: str, meant: str
) -> None:
    failed = mxgw("write", "Tank.Level=1", "--type", given)
    assert failed.code == 2
    assert f"did you mean {meant}?" in failed.err
    assert "big-string" not in failed.err
    assert "--help has all of them" in mxgw("write", "Tank.Level=1", "--type", "?" * 10_000).err


def test_all_problems_are_named_up_to_a_number(mxgw: Run) -> None:
    two = mxgw("write", "Tank.No=1", "Tank.Open=7", "--yes").err
    assert "Tank.No:" in two
    assert "the value of Tank.Open is not of type bool" in two
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


def test_names_of_contained_objects_lead_to_what_is_written(mxgw: Run) -> None:
    tags = ["Tank.Small.Level=1", "Tank.Small.Limits=[1,2]", "Tank.Small.Small.Level=2"]
    assert mxgw("write", *tags, "--yes").code == 0
    assert value_of(mxgw, "Inner.Level") == 1
    assert value_of(mxgw, "Inner.Limits[]") == [1.0, 2.0]
    assert value_of(mxgw, "Deep.Level") == 2
    twice = mxgw("write", "Tank.Small.Level=1", "Inner.Level=1", "--yes")
    assert (twice.code, "more than once" in twice.err) == (2, True)


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


def test_a_session_that_somebody_closes_before_the_values_come_ends_it_with_words(
    mxgw_gateway: RunningGateway,
) -> None:
    with (
        mxgw_gateway.fault(DelayFirstValues(seconds=600)),
        subprocess.Popen(
            [MXGW, "write", "Tank.Level=1", "--timeout", "60"],
            env=environment(mxgw_gateway),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process,
    ):
        wait_until_counted(mxgw_gateway, "mxgateway_commands_total", command="subscribe_bulk")
        wait_until_counted(mxgw_gateway, "mxgateway_event_streams")
        mxgw_gateway.strike(CloseSessions())
        out, errors = process.communicate(timeout=20)
    assert (process.returncode, out) == (1, "")
    assert "nothing was written: the gateway ended the event stream" in errors


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
