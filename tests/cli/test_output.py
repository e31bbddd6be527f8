"""What is printed in every form: columns of CSV, errors of streams, texts that control things."""

from __future__ import annotations

import csv
import io
import json
import os
from typing import Any

import pytest

from tests.cli.conftest import Run
from tests.cli.everyday import GATEWAY, connection, environment
from tests.cli.installed import MXGW
from tests.cli.terminal import Terminal
from tests.cli.test_batch import answers, standard_input
from zb_mom_ww_mxgateway import ActiveAlarmSnapshot, AlarmFeedMessage, MxEvent
from zb_mom_ww_mxgateway_cli.batch import END_OF_LINE
from zb_mom_ww_mxgateway_sim.plugin import RunningGateway
from zb_mom_ww_mxgateway_wire.fields import fields_of
from zb_mom_ww_mxgateway_wire.message import Message

pytestmark = GATEWAY

#: A text of the plant that would clear a screen, and end a line of a batch.
HOSTILE = f"x\x1b[2J\n{END_OF_LINE}\ny"
NO_SESSION = ["--session-id", "nobody"]


@pytest.fixture
def simulator(mxgw_gateway: RunningGateway) -> dict[str, str]:
    """The gateway that ``mxgw`` talks to."""
    return connection(mxgw_gateway)


def header(printed: str) -> list[str]:
    return next(csv.reader(io.StringIO(printed)))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (["read", "Tank.Level"], ["read", "No.Such"]),
        (["alarms"], ["alarms", "--filter-prefix", "Nothing"]),
        (["alarms"], ["alarms", "--follow", "--duration", "0.1"]),
        (["query-active-alarms"], ["query-active-alarms", "--filter-prefix", "Nothing"]),
        (["ack", "Galaxy!Farm.Tank.Leak"], ["ack", "Nothing"]),
        (["browse", "Farm"], ["browse", "Tank"]),
        (["tree", "Farm", "--attributes"], ["tree", "Deep"]),
        (["write", "Tank.Level=1", "--dry-run"], ["write", "Tank.Contents=", "--dry-run"]),
        (["config", "set", "a", "timeout=5"], ["config", "show"]),
        (["open-session"], ["open-session", "--client-session-name", ""]),
    ],
)
def test_columns_of_csv_are_the_same_whatever_there_is(
    mxgw: Run, cli: Run, one: list[str], other: list[str]
) -> None:
    call = cli if one[0] == "config" else mxgw
    first, second = (header(call(*line, "--output", "csv").out) for line in (one, other))
    assert first == second
    assert len(set(first)) == len(first) > 2


def test_csv_of_nothing_is_the_header_alone(mxgw: Run, cli: Run) -> None:
    assert cli("config", "show", "--output", "csv").out.startswith("default,profile,endpoint,")
    empty = mxgw("alarms", "--filter-prefix", "Nothing", "--output", "csv").out
    assert empty == "severity,state,change,reference,since,description,operator,comment\n"


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (["stream-events", *NO_SESSION], MxEvent),
        (["stream-alarms", "--max-messages", "1"], AlarmFeedMessage),
        (["query-active-alarms"], ActiveAlarmSnapshot),
    ],
)
def test_every_field_of_the_contract_is_a_column(
    mxgw: Run, line: list[str], message: type[Message]
) -> None:
    columns = header(mxgw(*line, "--output", "csv").out)
    assert columns == [field.json_name for field in fields_of(message).values()]


def test_a_stream_without_an_item_that_fails_is_its_error_alone(mxgw: Run) -> None:
    line = ["stream-events", *NO_SESSION]
    failed = mxgw(*line, "--json")
    assert (failed.code, failed.out) == (1, "")
    with standard_input(" ".join(line).encode()):
        ((only,),) = answers(mxgw("batch").out)
    assert only["error"] == failed.error["error"]


def test_a_stream_without_an_item_that_ends_is_an_empty_list(mxgw: Run) -> None:
    opened = mxgw("open-session", "--json").json["sessionId"]
    events: Any = mxgw("stream-events", "--session-id", opened, "--duration", "0.1", "--json").json
    assert events == {"events": []}


def test_a_text_of_the_plant_is_in_a_csv_file_as_it_is_and_escaped_where_it_is_obeyed(
    mxgw: Run,
) -> None:
    assert mxgw("write", f"Tank.Contents={HOSTILE}").code == 0
    read = ["read", "Tank.Contents", "--output", "csv"]
    (row,) = csv.DictReader(io.StringIO(mxgw(*read).out, newline=""))
    assert row["value"] == HOSTILE
    with standard_input(" ".join(read).encode()):
        batch = mxgw("batch").out
    assert batch.splitlines().count(END_OF_LINE) == 1
    (row,) = csv.DictReader(batch.splitlines()[:-1])
    assert row["value"] == json.dumps(HOSTILE)[1:-1].replace("\\u001b", "\\x1b")


@pytest.mark.skipif(os.name == "nt", reason="there are no pseudo-terminals on Windows")
def test_a_terminal_is_not_moved_by_csv(mxgw: Run, mxgw_gateway: RunningGateway) -> None:
    assert mxgw("write", f"Tank.Contents={HOSTILE}").code == 0
    command = [MXGW, "read", "Tank.Contents", "--output", "csv"]
    with Terminal(command, environment(mxgw_gateway)) as terminal:
        shown = terminal.rest()
    assert terminal.process.returncode == 0
    assert "\\x1b[2J" in shown
    assert "\x1b" not in shown
