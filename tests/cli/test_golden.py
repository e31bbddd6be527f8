"""What every gateway command prints with ``--json``, to the letter: see ``golden.py``."""

from __future__ import annotations

import json
import shlex
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import click
import pytest

from tests.cli.conftest import SIMULATE, Run
from tests.cli.golden import FOLDER, assert_golden, stable
from zb_mom_ww_mxgateway import COMMANDS
from zb_mom_ww_mxgateway_cli.__main__ import cli

GALAXY = """\
secured = true

[[users]]
name = "op"
password = "topsecret"
user_id = 7
guid = "3f2504e0-4f89-41d3-9a0c-0305e82c3301"

[[objects]]
tag_name = "Farm"
template = "$Area"

[[objects]]
tag_name = "Tank"
template = "$UserDefined"
parent = "Farm"

[objects.attributes]
Level = 42
Limits = [10.0, 90.0]
Leak = { value = true, alarm = { priority = 100, description = "The tank leaks" } }
"""

LOG_IN = "authenticate-user --server-handle 1 --user-name op --password topsecret"
ALARMS = r"subscribe-alarms --subscription-expression '\\Galaxy!Farm'"
WRITE = "--server-handle 1 --item-handle 1 --type int32 --value 42"
WRITES = "--server-handle 1 --item-handles 1,99 --type int32 --values 42,43"
USERS = "--current-user-id 7 --verifier-user-id 7"
TIME = "--timestamp 2026-01-31T12:00:00Z"

#: What is run, the last of it pinned, in a session that has registered (1), added Tank.Level (1)
#: and advised it. No write changes a value, as all of them have one gateway.
CASES = {
    "register": ["register --client-name second"],
    "unregister": ["unregister --server-handle 1"],
    "add-item": ["add-item --server-handle 1 --item Tank.Limits[]"],
    "add-item2": ["add-item2 --server-handle 1 --item Level --item-context Tank"],
    "remove-item": ["remove-item --server-handle 1 --item-handle 1"],
    "advise": ["advise --server-handle 1 --item-handle 1"],
    "un-advise": ["un-advise --server-handle 1 --item-handle 1"],
    "advise-supervisory": ["advise-supervisory --server-handle 1 --item-handle 1"],
    "add-buffered-item": ["add-buffered-item --server-handle 1 --item Level --item-context Tank"],
    "set-buffered-update-interval": [
        "set-buffered-update-interval --server-handle 1 --update-interval-ms 1000"
    ],
    "suspend": ["suspend --server-handle 1 --item-handle 1"],
    "activate": ["activate --server-handle 1 --item-handle 1"],
    "write": [f"write {WRITE}"],
    "write2": [f"write2 {WRITE} {TIME}"],
    "write-secured": [LOG_IN, f"write-secured {WRITE} {USERS}"],
    "write-secured2": [LOG_IN, f"write-secured2 {WRITE} {USERS} {TIME}"],
    "authenticate-user": [LOG_IN],
    "archestra-user-to-id": [
        "archestra-user-to-id --server-handle 1 --user-guid 3f2504e0-4f89-41d3-9a0c-0305e82c3301"
    ],
    "add-item-bulk": ["add-item-bulk --server-handle 1 --items Tank.Limits[],Tank.Leak"],
    "advise-item-bulk": ["advise-item-bulk --server-handle 1 --item-handles 1,99"],
    "remove-item-bulk": ["remove-item-bulk --server-handle 1 --item-handles 1,99"],
    "un-advise-item-bulk": ["un-advise-item-bulk --server-handle 1 --item-handles 1,99"],
    "subscribe-bulk": ["subscribe-bulk --server-handle 1 --items Tank.Limits[],No.Such"],
    "unsubscribe-bulk": ["unsubscribe-bulk --server-handle 1 --item-handles 1,99"],
    "subscribe-alarms": [ALARMS],
    "unsubscribe-alarms": [ALARMS, "unsubscribe-alarms"],
    "acknowledge-alarm": ["acknowledge-alarm --alarm-guid 090977cd-d21e-561c-bcbc-0610f2d79899"],
    "query-active-alarms": [
        "acknowledge-alarm-by-name --alarm-name Tank.Leak",
        "query-active-alarms",
    ],
    "acknowledge-alarm-by-name": ["acknowledge-alarm-by-name --alarm-name Tank.Leak"],
    "write-bulk": [f"write-bulk {WRITES}"],
    "write2-bulk": [f"write2-bulk {WRITES} {TIME}"],
    "write-secured-bulk": [LOG_IN, f"write-secured-bulk {WRITES} {USERS}"],
    "write-secured2-bulk": [LOG_IN, f"write-secured2-bulk {WRITES} {USERS} {TIME}"],
    "read-bulk": ["read-bulk --server-handle 1 --items Tank.Level,Tank.Limits[],No.Such"],
    "ping": ["ping --message hello"],
    "get-session-state": ["get-session-state"],
    "get-worker-info": ["get-worker-info"],
    "drain-events": ["drain-events --max-events 1"],
    "shutdown-worker": ["shutdown-worker"],
    "close-session": ["close-session"],
    "stream-events": ["stream-events --max-events 1"],
}
LEAK = "Galaxy!Farm.Tank.Leak"
KEYS = "--file keys.json"
#: Those that are in no session; the last of each is pinned. Alarms are acknowledged before.
ALONE = {
    "open-session": ["open-session"],
    "smoke": ["smoke --item Tank.Level"],
    "version": ["version"],
    "alarms": [f"ack {LEAK}", "alarms"],
    "ack": [f"ack {LEAK} Galaxy!Farm.Tank.Other"],
    "stream-alarms": [f"ack {LEAK}", "stream-alarms --max-messages 2"],
    "query-active-alarms-alone": [f"ack {LEAK}", "query-active-alarms"],
    "acknowledge-alarm-alone": [f"acknowledge-alarm --reference {LEAK} --comment seen"],
    "contract-diff": ["contract diff"],
    "config-set": ["config set plant endpoint=gateway:5001 api-key=mxgw_id_secret timeout=5"],
    "config-show": ["config set plant endpoint=gateway:5001 api-key=mxgw_id_secret", "config show"],
    "config-use": ["config set plant endpoint=gateway:5001", "config use plant"],
    "config-unset": [
        "config set plant endpoint=gateway:5001 timeout=5",
        "config unset plant timeout",
    ],
    "simulate-keys-add": [f"simulate keys add {KEYS} --id one --scope invoke:read --read Farm"],
    "simulate-keys-list": [f"simulate keys add {KEYS} --id one", f"simulate keys list {KEYS}"],
    "simulate-keys-revoke": [
        f"simulate keys add {KEYS} --id one",
        f"simulate keys revoke {KEYS} one",
    ],
    "error-usage": ["register --session-id s"],
    "error-of-the-gateway": ["ping --session-id session-0"],
}


@pytest.fixture(scope="module")
def simulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """A simulator whose values stand still, instead of the one that tests share."""
    galaxy = tmp_path_factory.mktemp("golden") / "galaxy.toml"
    galaxy.write_text(GALAXY, encoding="utf-8")
    command = [*SIMULATE, "--galaxy", str(galaxy)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        yield json.loads(process.stdout.readline())
        process.terminate()


#: What has no golden file, as it prints text, numbers that were measured, or what it was told to.
WITHOUT = {
    "batch", "bench-read-bulk", "bench-stream-events", "completion", "config-path", "demo", "help",
    "simulate", "simulate-redeploy",
}  # fmt: skip
#: Commands by hand that the contract has too.
OTHER_NAMES = {
    "acknowledge-alarm": "acknowledge-alarm-alone",
    "query-active-alarms": "query-active-alarms-alone",
    "write": "write-tags",
}


def leaves(group: click.Group, *words: str) -> Iterator[str]:
    """Every command that is no mere group of others."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if isinstance(command, click.Group):
            yield from leaves(command, *words, name)
        if not isinstance(command, click.Group) or command.invoke_without_command:
            yield "-".join([*words, name])


def test_every_command_has_a_golden_file() -> None:
    kept = {path.stem for path in FOLDER.glob("*.json")}
    assert {name.replace("_", "-") for name in COMMANDS} <= CASES.keys() <= kept
    assert {OTHER_NAMES.get(name, name) for name in leaves(cli)} - kept == WITHOUT


@pytest.mark.parametrize("name", CASES)
def test_a_command_in_a_session_prints_its_golden_file(
    mxgw: Run, session_id: str, name: str
) -> None:
    item = ["--session-id", session_id, "--server-handle", "1"]
    assert mxgw("add-item", *item, "--item", "Tank.Level").code == 0
    assert mxgw("advise", *item, "--item-handle", "1").code == 0
    for line in CASES[name]:
        command, *arguments = shlex.split(line)
        outcome = mxgw(command, "--session-id", session_id, *arguments, "--json")
    assert_golden(name, outcome)


@pytest.mark.parametrize("name", ALONE)
def test_a_command_of_its_own_prints_its_golden_file(
    mxgw: Run, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MXGATEWAY_PLAINTEXT", "1")
    for line in ALONE[name]:
        outcome = mxgw(*shlex.split(line), "--json", plaintext=False)
    assert_golden(name, outcome)


def test_doctor_prints_its_golden_file(mxgw: Run) -> None:
    outcome = mxgw("doctor", "--json")
    checks = [{**check, "detail": "<detail>"} for check in outcome.json["checks"]]
    assert_golden("doctor", replace(outcome, out=json.dumps({"checks": checks}) + "\n"))


def test_placeholders_take_the_place_of_what_differs_from_run_to_run_alone() -> None:
    told = {
        "workerProcessId": 17,
        "text": "at 2026-01-31T12:00:00.5Z of session-0123456789abcdef0123456789abcdef",
        "values": [17, "2026"],
    }
    assert stable(told) == {
        "workerProcessId": "<process id>",
        "text": "at <time> of <session id>",
        "values": [17, "2026"],
    }
