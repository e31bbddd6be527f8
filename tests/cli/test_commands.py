"""The command line against a simulator in another process."""

from __future__ import annotations

import os
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from threading import Thread

import click
import pytest
import trustme

from tests.cli.conftest import Run
from zb_mom_ww_mxgateway import COMMANDS, MxEvent, MxGatewayTimeoutError
from zb_mom_ww_mxgateway_cli.__main__ import cli, run
from zb_mom_ww_mxgateway_cli.bounds import bounded
from zb_mom_ww_mxgateway_cli.values import comma_list, parse_value

NAMES = cli.list_commands(click.Context(cli))
TABLE = ("--output", "table")
TAGS = "TestMachine_001.TestChangingInt,TestMachine_002.TestChangingInt"


def test_every_command_of_the_contract_is_there() -> None:
    assert {name.replace("_", "-") for name in COMMANDS} <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_every_command_has_help_with_an_explanation(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run([name, "--help"]) == 0
    assert capsys.readouterr().out.split("\n\n")[1].strip()


def test_version_is_deterministic_json(mxgw: Run) -> None:
    shown = mxgw("version", "--json", plaintext=False)
    assert shown.code == 0
    assert list(shown.json) == sorted(shown.json)
    assert shown.json["gatewayProtocolVersion"] == 3


def test_the_seeds_command_lines_run_in_their_order(mxgw: Run) -> None:
    opened = mxgw("open-session", "--json")
    session = ["--session-id", opened.json["sessionId"]]
    assert opened.json["protocolStatus"] == {"code": "PROTOCOL_STATUS_CODE_OK"}
    registered = mxgw("register", *session, "--client-name", "python-client", "--json")
    assert registered.json["register"] == {"serverHandle": 1}
    handles = ["--server-handle", "1"]
    item = mxgw("add-item", *session, *handles, "--item", "TestMachine_001.MachineCode", "--json")
    assert item.json["addItem"] == {"itemHandle": 1}
    item_handle = ["--item-handle", "1"]
    assert mxgw("advise", *session, *handles, *item_handle, "--json").code == 0
    events = mxgw("stream-events", *session, "--max-events", "1", "--json").json["events"]
    assert [event["family"] for event in events] == ["MX_EVENT_FAMILY_ON_DATA_CHANGE"]
    written = mxgw(
        "write", *session, *handles, *item_handle, "--type", "string", "--value", "x", "--json"
    )
    assert written.json["kind"] == "MX_COMMAND_KIND_WRITE"
    closed = mxgw("close-session", *session, "--json")
    assert closed.json["finalState"] == "SESSION_STATE_CLOSED"


def test_bulk_commands_take_comma_lists_and_give_a_result_each(mxgw: Run, session_id: str) -> None:
    common = ["--session-id", session_id, "--server-handle", "1"]
    subscribed = mxgw("subscribe-bulk", *common, "--items", TAGS, "--json").json
    assert [result["wasSuccessful"] for result in subscribed] == [True, True]
    written = mxgw(
        "write-bulk",
        *common,
        "--item-handles",
        "1,2",
        "--type",
        "int32",
        "--values",
        "7,8",
        "--json",
    )
    assert [result["wasSuccessful"] for result in written.json] == [True, True]
    read = mxgw("read-bulk", *common, "--items", TAGS, "--timeout-ms", "1000", "--json").json
    assert [result["wasCached"] for result in read] == [True, True]


def test_a_bulk_with_a_failed_entry_ends_with_its_own_code(mxgw: Run, session_id: str) -> None:
    failed = mxgw(
        "advise-item-bulk", "--session-id", session_id, "--server-handle", "1",
        "--item-handles", "99", "--json",
    )  # fmt: skip
    assert failed.code == 6
    assert failed.json[0]["errorMessage"]


def test_people_get_a_table(mxgw: Run, session_id: str) -> None:
    shown = mxgw(
        "read-bulk", "--session-id", session_id, "--server-handle", "1", "--items", TAGS, *TABLE
    ).out.splitlines()
    assert len(shown) == 3
    assert "was_cached" in shown[0]
    assert "source_timestamp" in shown[0]
    assert max(map(len, shown)) < 160
    assert "TestMachine_002.TestChangingInt" in shown[2]


def test_a_stream_that_runs_out_of_time_is_no_error(mxgw: Run, session_id: str) -> None:
    ended = mxgw("stream-events", "--session-id", session_id, "--timeout", "0.2", "--json")
    assert (ended.code, ended.json) == (0, {"events": []})


def test_smoke_opens_sees_an_event_and_closes(mxgw: Run) -> None:
    shown = mxgw("smoke", "--item", "TestMachine_001.MachineCode", "--json")
    assert shown.code == 0
    assert len(shown.json["events"]) == 1
    later = mxgw("ping", "--session-id", shown.json["sessionId"], "--json")
    assert later.error["type"] == "MxGatewaySessionNotReadyError"


def test_smoke_fails_for_an_item_that_does_not_exist(mxgw: Run) -> None:
    shown = mxgw("smoke", "--item", "No.Such")
    assert shown.code == 1
    assert "No.Such: CONFIGURATION_ERROR, detail 6 (invalid reference)" in shown.err


def test_smoke_fails_when_too_few_events_come(mxgw: Run) -> None:
    item = "TestMachine_001.MachineCode"  # which never changes
    shown = mxgw("smoke", "--item", item, "--max-events", "3", "--timeout", "1.5")
    assert shown.code == 1
    assert f"only 1 of 3 events of {item} came in time" in shown.err


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (["--type", "int32", "--value", "abc"], "int32"),
        (["--type", "int32", "--value", "2147483648"], "int32"),
        (["--type", "double", "--value", "nan"], "double"),
        (["--type", "bool", "--value", "maybe"], "bool"),
        (["--type", "time", "--value", "yesterday"], "time"),
        (["--type", "colour", "--value", "red"], "colour"),
    ],
)
def test_a_value_that_is_not_of_its_type_is_a_usage_error(
    mxgw: Run, values: list[str], message: str
) -> None:
    failed = mxgw(
        "write",
        "--session-id",
        "s",
        "--server-handle",
        "1",
        "--item-handle",
        "1",
        *values,
        "--json",
    )
    assert failed.code == 2
    assert message in failed.error["error"]


def test_lists_of_different_length_are_a_usage_error(mxgw: Run) -> None:
    failed = mxgw(
        "write-bulk", "--session-id", "s", "--server-handle", "1", "--item-handles", "1,2",
        "--type", "int32", "--values", "1",
    )  # fmt: skip
    assert failed.code == 2
    assert "--item-handles has 2 items and --values 1" in failed.err


def test_tls_and_plaintext_exclude_each_other(mxgw: Run) -> None:
    failed = mxgw("ping", "--session-id", "s", "--tls", "--json")
    assert failed.code == 2
    assert "exclude each other" in failed.error["error"]


def test_without_plaintext_there_is_tls_and_no_downgrade(mxgw: Run) -> None:
    failed = mxgw("ping", "--session-id", "s", "--json", plaintext=False)
    assert failed.code == 3
    assert "plaintext explicitly" in failed.error["error"]


def test_a_certificate_that_is_not_accepted_is_code_3_and_asks_for_a_ca_file(
    mxgw: Run, tmp_path: Path
) -> None:
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    ca_file = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(ca_file))
    with socket.create_server(("127.0.0.1", 0)) as listening:
        endpoint = f"127.0.0.1:{listening.getsockname()[1]}"
        listening.settimeout(10)
        seen = []
        for trusted in ([], ["--ca-file", str(ca_file)]):
            server = Thread(target=_shake_hands, args=(listening, context))
            server.start()
            arguments = ["open-session", "--endpoint", endpoint, "--json", *trusted]
            seen.append(mxgw(*arguments, plaintext=False))
            server.join()
    strange, hung_up = seen
    assert (strange.code, strange.error["type"]) == (3, "MxGatewayCertificateError")
    assert "--ca-file" in strange.error["error"]
    assert (hung_up.code, hung_up.error["type"]) == (3, "MxGatewayUnavailableError")


def _shake_hands(listening: socket.socket, context: ssl.SSLContext) -> None:
    """Accept one connection, and hang up after its TLS handshake."""
    with suppress(OSError):  # the client may not want to go on
        connection, _ = listening.accept()
        context.wrap_socket(connection, server_side=True).close()


def test_an_endpoint_that_refuses_is_code_3(mxgw: Run) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        endpoint = f"127.0.0.1:{unused.getsockname()[1]}"
        failed = mxgw("ping", "--session-id", "s", "--endpoint", endpoint, "--json")
    assert failed.code == 3
    assert f"connecting to {endpoint}" in failed.error["error"]


def test_a_wrong_key_is_code_4_and_never_shown(mxgw: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTHER_KEY", "mxgw_x_topsecret")
    for arguments in (["--api-key", "mxgw_x_topsecret"], ["--api-key-env", "OTHER_KEY"]):
        failed = mxgw("open-session", *arguments, "--json")
        assert failed.code == 4
        assert failed.error["type"] == "MxGatewayAuthenticationError"
        assert "topsecret" not in failed.out + failed.err


def test_a_key_variable_that_is_not_set_is_named_not_guessed(mxgw: Run) -> None:
    failed = mxgw("open-session", "--api-key-env", "NOT_SET_ANYWHERE", "--json")
    assert failed.code == 2
    assert "NOT_SET_ANYWHERE" in failed.error["error"]


def test_an_mxaccess_failure_is_one_line_or_one_object_and_no_trace(
    mxgw: Run, session_id: str
) -> None:
    handles = ["--server-handle", "1", "--item-handle", "9"]
    arguments = ["advise", "--session-id", session_id, *handles]
    plain = mxgw(*arguments)
    assert plain.code == 1
    assert plain.err.count("\n") == 1
    assert "Traceback" not in plain.err
    assert "0x80070057" in plain.err
    as_json = mxgw(*arguments, "--json")
    assert as_json.error["type"] == "MxAccessError"


def test_an_unknown_command_is_a_usage_error(mxgw: Run) -> None:
    assert mxgw("no-such-command", plaintext=False).code == 2


def test_spaces_inside_quotes_are_written_as_they_are() -> None:
    assert comma_list('" a ",b, c') == [" a ", "b", "c"]
    with pytest.raises(click.UsageError, match="comma list"):
        comma_list("a\rb")


def test_a_value_that_is_wrong_is_in_no_error_nor_its_cause() -> None:
    with pytest.raises(click.UsageError) as caught:
        parse_value("topsecret", "int32")
    assert caught.value.__cause__ is None
    assert "topsecret" not in str(caught.value)


@pytest.mark.parametrize("seconds", ["nan", "inf", "1e300", "0", "-1", "soon"])
def test_a_time_span_that_cannot_be_is_a_usage_error(mxgw: Run, seconds: str) -> None:
    for option in ("--timeout", "--command-timeout"):
        failed = mxgw("open-session", option, seconds, "--json")
        assert failed.code == 2
        assert "seconds above 0" in failed.error["error"]


def test_a_key_that_the_simulator_cannot_use_is_a_usage_error_and_not_shown(mxgw: Run) -> None:
    failed = mxgw("simulate", "--port", "0", "--api-key", "topsecret", plaintext=False)
    assert failed.code == 2
    assert "topsecret" not in failed.err


def test_what_is_refused_before_it_is_sent_is_a_usage_error(mxgw: Run) -> None:
    failed = mxgw(
        "advise", "--session-id", "s", "--server-handle", "1", "--item-handle", "99999999999"
    )
    assert failed.code == 2
    assert "AdviseCommand.item_handle" in failed.err


@pytest.mark.parametrize(
    ("command", "missing"),
    [("register", "--client-name"), ("advise", "--server-handle"), ("ping", "--session-id")],
)
def test_a_required_option_that_is_missing_is_a_usage_error_before_anything_is_sent(
    mxgw: Run, command: str, missing: str
) -> None:
    given = [] if missing == "--session-id" else ["--session-id", "s"]
    failed = mxgw(command, *given, "--endpoint", "localhost:1")
    assert failed.code == 2
    assert f"Missing option '{missing}'" in failed.err


def test_without_arguments_there_is_the_help(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run([]) == 2
    assert len(capsys.readouterr().out.splitlines()) > 40


def test_an_empty_list_is_a_usage_error(mxgw: Run, session_id: str) -> None:
    failed = mxgw("read-bulk", "--session-id", session_id, "--server-handle", "1", "--items", "")
    assert failed.code == 2
    assert "--items is empty" in failed.err


def test_reading_what_does_not_exist_ends_with_the_code_of_failed_items(
    mxgw: Run, session_id: str
) -> None:
    items = "TestMachine_001.MachineCode,No.Such"
    common = ["--session-id", session_id, "--server-handle", "1"]
    read = mxgw("read-bulk", *common, "--items", items, *TABLE)
    assert read.code == 6
    assert "CONFIGURATION_ERROR, detail 6 (invalid reference)" in read.out


def test_a_missing_key_is_told_from_a_wrong_one(mxgw: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MXGATEWAY_API_KEY")
    failed = mxgw("open-session")
    assert failed.code == 4
    assert "no API key was given" in failed.err


def test_a_password_is_taken_from_a_variable_and_never_asked_for_without_a_terminal(
    mxgw: Run, session_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PLANT_PASSWORD", "topsecret")
    user = ["authenticate-user", "--session-id", session_id, "--server-handle", "1"]
    named = [*user, "--user-name", "op"]
    taken = mxgw(*named, "--password-env", "PLANT_PASSWORD", "--json")
    assert taken.json["authenticateUser"] == {"userId": 1}
    unset = mxgw(*named, "--password-env", "NOT_SET_ANYWHERE")
    assert (unset.code, "NOT_SET_ANYWHERE" in unset.err) == (2, True)
    with open(os.devnull) as nothing:
        monkeypatch.setattr("sys.stdin", nothing)
        failed = mxgw(*named)
    assert failed.code == 2
    assert "--password: there is no terminal to ask at" in failed.err


def test_a_time_without_an_offset_is_refused(mxgw: Run) -> None:
    handles = ["--session-id", "s", "--server-handle", "1", "--item-handle", "1"]
    failed = mxgw("write", *handles, "--type", "time", "--value", "2026-01-01T00:00:00")
    assert failed.code == 2
    assert "ISO 8601 with an offset" in failed.err


@pytest.mark.parametrize(
    ("handles", "values", "flag"),
    [("a,b", "1,2", "--item-handles"), ("", "1", "--item-handles"), ("1,2", "1,x", "--values")],
)
def test_a_bulk_write_names_the_option_that_is_wrong(
    mxgw: Run, handles: str, values: str, flag: str
) -> None:
    bulk = ["write-bulk", "--session-id", "s", "--server-handle", "1", "--type", "int32"]
    failed = mxgw(*bulk, "--item-handles", handles, "--values", values)
    assert failed.code == 2
    assert flag in failed.err


async def test_a_timeout_of_the_call_is_no_end_of_the_stream() -> None:
    async def events() -> AsyncIterator[MxEvent]:
        yield MxEvent()
        raise MxGatewayTimeoutError("no answer")

    shown = bounded(events(), None, 60.0)
    await anext(shown)
    with pytest.raises(MxGatewayTimeoutError):
        await anext(shown)


def test_a_stream_that_never_began_prints_no_empty_result(mxgw: Run) -> None:
    failed = mxgw("stream-events", "--session-id", "s", "--endpoint", "localhost:1", "--json")
    assert (failed.code, failed.out) == (3, "")
