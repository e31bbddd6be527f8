"""What is generated of each command of the contract: its help, its example, its lists."""

from __future__ import annotations

import json
import shlex

import pytest

from tests.cli.conftest import Run
from zb_mom_ww_mxgateway import COMMANDS
from zb_mom_ww_mxgateway_cli.handle import handle_command

TAGS = "TestMachine_001.TestChangingInt,TestMachine_002.TestChangingInt"


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_one_example_that_runs(
    mxgw: Run, session_id: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PLANT_PASSWORD", "topsecret")
    epilog = handle_command(name).epilog
    assert epilog is not None
    program, command, *arguments = shlex.split(epilog.replace("\b\n", "").removeprefix("Example: "))
    assert (program, command) == ("mxgw-py", name.replace("_", "-"))
    arguments[arguments.index("ID")] = session_id
    outcome = mxgw(command, *arguments)
    # MXAccess may refuse what the example names; the command line is right.
    assert outcome.code in (0, 1, 6), outcome


@pytest.mark.parametrize("name", COMMANDS)
def test_an_example_leaves_out_what_may_be_left_out(name: str) -> None:
    command = handle_command(name)
    shown = [part for part in shlex.split(command.epilog or "") if part.startswith("--")]
    required = {option.opts[0] for option in command.params if option.required}
    secrets = {"--password"} if name == "authenticate_user" else set()
    assert set(shown) == required | secrets
    assert len(shown) == len(set(shown))


def test_a_list_that_is_given_again_is_longer(mxgw: Run, session_id: str) -> None:
    common = ["--session-id", session_id, "--server-handle", "1"]
    first, second = TAGS.split(",")
    added = mxgw("subscribe-bulk", *common, "--items", first, "--items", second, "--json").json
    assert [result["tagAddress"] for result in added] == [first, second]
    bulk = ["write-bulk", *common, "--item-handles", "1", "--item-handles", "2"]
    written = mxgw(*bulk, "--type", "int32", "--values", "7", "--values", "[8]", "--json").json
    assert [result["itemHandle"] for result in written] == [1, 2]


def test_one_empty_list_among_others_is_a_usage_error(mxgw: Run) -> None:
    common = ["read-bulk", "--session-id", "s", "--server-handle", "1"]
    failed = mxgw(*common, "--items", TAGS, "--items", " ")
    assert failed.code == 2
    assert "--items is empty" in failed.err


def test_a_value_and_a_list_of_values_take_every_type(mxgw: Run, session_id: str) -> None:
    common = ["--session-id", session_id, "--server-handle", "1"]
    tag = "TestChildObject.TestStringArray[]"
    mxgw("subscribe-bulk", *common, "--items", tag)
    bulk = ["write-bulk", *common, "--item-handles", "1", "--type", "string[]"]
    assert mxgw(*bulk, "--values", '[["a","b"]]').code == 0
    read = mxgw("read-bulk", *common, "--items", tag, "--json").json
    assert read[0]["value"]["arrayValue"]["stringValues"] == {"values": ["a", "b"]}


def test_a_wrong_value_of_a_secured_write_is_in_no_output(mxgw: Run) -> None:
    users = ["--current-user-id", "1", "--verifier-user-id", "1"]
    item = ["--session-id", "s", "--server-handle", "1", "--item-handle", "1"]
    for name in ("int32", "time[]", "bytes", "bool"):
        secured = ["write-secured", *item, *users, "--type", name, "--value", "topsecret"]
        failed = mxgw(*secured, "--json")
        assert failed.code == 2
        assert name in failed.error["error"]
        assert "topsecret" not in failed.out + failed.err


def test_what_is_no_proto_json_is_a_usage_error(mxgw: Run) -> None:
    alarms = ["subscribe-alarms", "--session-id", "s", "--subscription-expression", "x"]
    for option in ("--watch-list", "--failover"):
        for wrong in ("{", "[" * 100_000, json.dumps({"nothing": 1}), "1", "[1]"):
            failed = mxgw(*alarms, option, wrong)
            assert failed.code == 2
            assert option in failed.err
