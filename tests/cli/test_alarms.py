"""Alarms on the command line: as the gateway has them, and as people want them."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import os
import subprocess
from typing import Any

import pytest

from tests.cli.conftest import Outcome, Run
from tests.cli.installed import MXGW
from zb_mom_ww_mxgateway import GatewayClient
from zb_mom_ww_mxgateway_contracts.mxaccess_gateway_v1 import (
    ActiveAlarmSnapshot,
    AlarmFeedMessage,
    AlarmProviderMode,
)
from zb_mom_ww_mxgateway_sim.plugin import RunningGateway

AREA = "Galaxy!TestArea."
FIRST = f"{AREA}TestMachine_001.TestAlarm001"
SECOND = f"{AREA}TestMachine_002.TestAlarm001"
BOTH = ("--filter-prefix", AREA)


async def switch(gateway: RunningGateway, *references: str, on: bool = True) -> None:
    """Raise or clear alarms as the plant would: by their conditions."""
    async with (
        await GatewayClient.connect(
            endpoint=gateway.endpoint, api_key=gateway.api_key, plaintext=True
        ) as client,
        await client.open_session() as session,
    ):
        for reference in references:
            await session.write_and_wait(reference.removeprefix(AREA), on)


@pytest.fixture
def raised(mxgw_gateway: RunningGateway) -> RunningGateway:
    """A gateway with two active alarms in the area of the test machines."""
    asyncio.run(switch(mxgw_gateway, FIRST, SECOND))
    return mxgw_gateway


@pytest.fixture
def at(raised: RunningGateway, cli: Run) -> Run:
    """Run a command line against that gateway."""

    def call(*arguments: str) -> Outcome:
        options = ("--endpoint", raised.endpoint, "--api-key", raised.api_key, "--plaintext")
        return cli(arguments[0], *options, *arguments[1:])

    return call


def test_active_alarms_are_a_list_of_what_the_gateway_says(at: Run) -> None:
    found = at("query-active-alarms", *BOTH, "--json")
    alarms = [ActiveAlarmSnapshot.from_dict(alarm) for alarm in found.json]
    assert [alarm.alarm_full_reference for alarm in alarms] == [FIRST, SECOND]
    assert all(alarm.severity and alarm.original_raise_timestamp for alarm in alarms)


def test_the_feed_is_the_snapshot_and_its_end(at: Run) -> None:
    found = at("stream-alarms", *BOTH, "--max-messages", "4", "--json")
    messages = [AlarmFeedMessage.from_dict(message) for message in found.json["messages"]]
    assert [message.which_payload() for message in messages] == [
        "provider_status",
        "active_alarm",
        "active_alarm",
        "snapshot_complete",
    ]


@pytest.mark.parametrize("limit", ["--duration", "--timeout"])
def test_a_feed_that_runs_out_of_time_is_no_error(at: Run, limit: str) -> None:
    found = at("stream-alarms", "--filter-prefix", "none", limit, "1.5", "--json")
    assert (found.code, len(found.json["messages"])) == (0, 2)


def test_an_acknowledgement_shows_in_all_that_tells_of_the_alarm(at: Run) -> None:
    reply = at(
        "acknowledge-alarm", "--reference", FIRST, "--comment", "on it", "--operator", "anna",
        "--json",
    )  # fmt: skip
    assert reply.json["protocolStatus"] == {"code": "PROTOCOL_STATUS_CODE_OK"}
    assert reply.json["hresult"] == 0
    first, second = at("alarms", *BOTH, "--json").json
    assert (first["state"], first["operator"], first["comment"]) == (
        "ACTIVE_ACKED",
        "anna",
        "on it",
    )
    assert (second["state"], second["operator"]) == ("ACTIVE", "")


def test_acknowledging_an_alarm_needs_its_reference_and_that_it_is_there(at: Run) -> None:
    assert at("acknowledge-alarm", "--json").error["exitCode"] == 2
    error = at("acknowledge-alarm", "--reference", "nobody", "--json").error
    assert (error["exitCode"], error["type"]) == (1, "MxGatewayNotFoundError")


def test_people_get_a_table_of_what_is_active(at: Run) -> None:
    header, first, second = at("alarms", *BOTH, "--output", "table").out.splitlines()
    assert header.split() == ["severity", "state", "reference", "since", "description"]
    assert first.split()[1:3] == ["ACTIVE", FIRST]
    assert second.split()[1:3] == ["ACTIVE", SECOND]


def test_people_are_told_that_nothing_is_active(at: Run) -> None:
    found = at("alarms", "--filter-prefix", "none", "--output", "table")
    assert (found.code, found.out, found.err) == (0, "", "no alarm is active\n")


def test_times_are_as_asked_for(at: Run) -> None:
    (first, _) = at("alarms", *BOTH, "--time-format", "relative", "--json").json
    assert first["since"].endswith("ago")


def test_alarms_are_acknowledged_one_by_one_and_each_says_how_it_went(at: Run) -> None:
    found = at("ack", FIRST, "nobody", SECOND, "--operator", "anna", "--json")
    assert found.code == 6
    assert [(row["reference"], row["acknowledged"]) for row in found.json] == [
        (FIRST, True),
        ("nobody", False),
        (SECOND, True),
    ]
    assert "there is no alarm 'nobody'" in found.json[1]["error"]
    assert at("ack", FIRST, SECOND).code == 0
    assert at("ack").code == 2


def test_alarms_that_cannot_be_acknowledged_at_all_are_no_rows(at: Run) -> None:
    found = at("ack", FIRST, "--api-key", "mxgw_other_unknown-key", "--json")
    assert (found.code, found.out) == (4, "")


def test_limits_without_following_are_refused(at: Run) -> None:
    assert "--follow" in at("alarms", "--max-events", "1", "--json").error["error"]
    assert at("alarms", "--duration", "1").code == 2


def follow(gateway: RunningGateway, *arguments: str) -> subprocess.Popen[str]:
    options = ["--endpoint", gateway.endpoint, "--plaintext", *BOTH, *arguments]
    return subprocess.Popen(
        [MXGW, "alarms", "--follow", *options],
        env={**os.environ, "MXGATEWAY_API_KEY": gateway.api_key},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


async def test_followed_alarms_are_those_active_and_then_what_changes(
    mxgw_gateway: RunningGateway,
) -> None:
    await switch(mxgw_gateway, FIRST)
    with follow(mxgw_gateway, "--max-events", "2", "--output", "jsonl") as process:
        assert process.stdout is not None
        active = json.loads(process.stdout.readline())
        await switch(mxgw_gateway, SECOND)
        await switch(mxgw_gateway, FIRST, on=False)
        out, errors = process.communicate(timeout=20)
    changes = [json.loads(line) for line in out.splitlines()]
    assert (process.returncode, errors) == (0, "")
    assert (active["reference"], active["state"]) == (FIRST, "ACTIVE")
    assert [(row["change"], row["reference"]) for row in changes] == [
        ("RAISE", SECOND),
        ("CLEAR", FIRST),
    ]


def test_followed_alarms_are_lines_for_people_and_say_where_they_come_from(
    raised: RunningGateway, at: Run
) -> None:
    raised.run(
        lambda gateway: gateway.switch_alarm_provider(AlarmProviderMode.SUBTAG, "none\x1b[2J here")
    )
    found = at("alarms", "--follow", "--duration", "1.5", *BOTH, "--output", "table")
    assert found.code == 0
    assert [line.split()[1:3] for line in found.out.splitlines()] == [
        ["ACTIVE", FIRST],
        ["ACTIVE", SECOND],
    ]
    source, following = found.err.splitlines()
    assert source.startswith("alarms come from SUBTAG, degraded, none\\x1b[2J here")
    assert "every change follows" in following


def test_followed_alarms_as_csv_have_one_header_for_both_kinds_of_rows(at: Run) -> None:
    found = at("alarms", "--follow", "--duration", "1.5", *BOTH, "--output", "csv")
    rows: list[dict[str, Any]] = list(csv.DictReader(io.StringIO(found.out)))
    assert [(row["state"], row["change"], row["reference"]) for row in rows] == [
        ("ACTIVE", "", FIRST),
        ("ACTIVE", "", SECOND),
    ]


def test_lines_for_people_say_what_every_message_of_the_feed_is(at: Run) -> None:
    found = at("stream-alarms", *BOTH, "--max-messages", "4", "--output", "table")
    source, first, _, complete = found.out.splitlines()
    assert source.startswith("alarms come from ALARMMGR, since ")
    assert f"ACTIVE {FIRST}  severity " in first
    assert complete == "all that are active"


@pytest.mark.skipif(os.name == "nt", reason="there is no head")
def test_a_reader_who_had_enough_ends_a_feed_with_success(raised: RunningGateway) -> None:
    with follow(raised, "--output", "jsonl") as process:
        assert process.stdout is not None
        assert process.stdout.readline()
        process.stdout.close()
        asyncio.run(switch(raised, FIRST, on=False))
        assert process.stderr is not None
        assert process.stderr.read() == ""
        assert process.wait(20) == 0


@pytest.mark.parametrize("reference", ["Foo", "a at b ended with NOT_FOUND: c)"])
def test_an_alarm_that_is_not_there_is_said_in_the_gateways_words_alone(
    mxgw: Run, reference: str
) -> None:
    failed = mxgw("ack", reference, "--json")
    assert failed.code == 6
    assert failed.json[0]["error"].startswith(f"there is no alarm {reference!r}; ")
