"""The simulator's log: one event a line, in which nobody can forge a line and no secret shows."""

from __future__ import annotations

import io
import json
import logging
import re
import subprocess
import sys
from datetime import datetime, timedelta
from typing import Any

import pytest
from grpclib.const import Status
from hypothesis import given, strategies as st

from zb_mom_ww_mxgateway_contracts.mxaccess_gateway_v1 import ProtocolStatusCode
from zb_mom_ww_mxgateway_sim.operations.log import (
    LOGGER,
    Fields,
    LogFormat,
    log_event,
    logging_to,
)
from zb_mom_ww_mxgateway_sim.operations.observer import Closing

HEAD = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"
texts = st.text(st.characters(), max_size=60)
forged = st.one_of(
    texts,
    st.sampled_from(
        ["a\nb", "a\r\nb INFO session.opened", "\u2028x", "\x85", "\x1b[31m", "\u202e"]
    ),
)
fields = st.fixed_dictionaries(
    {},
    optional={
        "session": forged,
        "client": forged,
        "reason": forged,
        "duration_ms": st.floats(allow_nan=False, allow_infinity=False),
        "count": st.integers(),
    },
)


def logged(form: LogFormat, level: int = logging.INFO, **said: Any) -> str:
    """What one event writes."""
    stream = io.StringIO()
    with logging_to(stream, form=form):
        log_event("thing.happened", level, **said)
    return stream.getvalue()


@given(fields)
def test_an_event_is_one_line_of_text_whatever_a_client_puts_into_it(said: dict[str, Any]) -> None:
    text = logged("text", **said)
    assert text.endswith("\n")
    assert len(text.splitlines()) == 1
    assert text[:-1].isprintable()
    assert re.match(rf"{HEAD} INFO thing\.happened( |$)", text)


@given(fields)
def test_an_event_is_one_line_of_json_that_gives_each_field_back(said: dict[str, Any]) -> None:
    text = logged("json", **said)
    assert text.isascii()
    assert len(text.splitlines()) == 1
    read = json.loads(text)
    assert list(read)[:3] == ["time", "level", "event"]
    assert re.fullmatch(HEAD, read.pop("time"))
    assert (read.pop("level"), read.pop("event")) == ("info", "thing.happened")
    assert read == said


@given(st.text(st.characters(), max_size=60))
def test_a_text_field_can_be_told_from_its_neighbours(reason: str) -> None:
    text = logged("text", session="s", reason=reason, count=3)
    found = re.fullmatch(rf"{HEAD} INFO thing\.happened session=s reason=(.*) count=3\n", text)
    assert found is not None
    word = found[1]
    quoted = word.startswith('"')
    assert (json.loads(word) if quoted else word) == reason
    assert quoted or not re.search(r"[\s=\"]", word)


def test_the_time_is_that_of_the_day_in_utc() -> None:
    read = json.loads(logged("json"))
    said = datetime.fromisoformat(read["time"])
    assert said.utcoffset() == timedelta()
    assert abs(datetime.now(said.tzinfo) - said) < timedelta(minutes=5)


def test_statuses_and_reasons_are_logged_by_name_and_what_is_unknown_not_at_all() -> None:
    read = json.loads(logged("json", status=Status.NOT_FOUND, reason=Closing.LEASE, key=None))
    assert (read["status"], read["reason"]) == ("NOT_FOUND", "lease_expired")
    assert "key" not in read
    assert " status=MXACCESS_FAILURE" in logged("text", status=ProtocolStatusCode.MXACCESS_FAILURE)


@pytest.mark.parametrize("form", ["text", "json"])
@pytest.mark.parametrize("field", ["session", "client", "reason", "tag"])
@given(st.text(st.characters(categories=["L", "N"]), min_size=1, max_size=12), texts)
def test_never_in_a_log_keys(form: LogFormat, field: str, key_id: str, before: str) -> None:
    """Never in a log, an error, a repr or an echo: keys, passwords, whole values of secured
    writes. Where a key got into a text after all, its secret is masked.
    """
    for text in (f"{before}mxgw_{key_id}_topsecret", f"{before}bearer topsecret"):
        assert "topsecret" not in logged(form, **{field: text})


def test_what_to_send_for_a_key_is_no_key() -> None:
    shown = logged("text", reason="the call needs 'authorization: Bearer <API key>', a valid one")
    assert "Bearer <API key>', a valid one" in shown


@pytest.mark.parametrize("name", ["password", "value", "api_key", "current_user_password"])
def test_never_in_a_log_passwords_and_values(name: str) -> None:
    """Never in a log: keys, passwords, whole values of secured writes. There is no field for them,
    also while nobody listens.
    """
    with pytest.raises(TypeError, match="may be logged"):
        log_event("thing.happened", **{name: "topsecret"})  # type: ignore[arg-type]


def test_the_fields_are_pinned() -> None:
    assert [*Fields.__annotations__] == [
        "session",
        "key",
        "client",
        "rpc",
        "command",
        "status",
        "duration_ms",
        "reason",
        "endpoint",
        "fault",
        "tag",
        "file",
        "count",
        "objects",
        "attributes",
    ]


def test_a_long_text_of_a_client_is_cut() -> None:
    read = json.loads(logged("json", client="x" * 1_000_000))
    assert len(read["client"]) < 300


def test_what_matters_less_than_asked_for_is_left_out() -> None:
    stream = io.StringIO()
    with logging_to(stream, level=logging.WARNING):
        log_event("thing.happened")
        log_event("thing.broke", logging.WARNING)
    assert "thing.broke" in stream.getvalue()
    assert "thing.happened" not in stream.getvalue()


def test_logging_ends_with_its_block() -> None:
    before = (list(LOGGER.handlers), LOGGER.level)
    stream = io.StringIO()
    with logging_to(stream):
        pass
    log_event("thing.broke", logging.ERROR)
    assert stream.getvalue() == ""
    assert (LOGGER.handlers, LOGGER.level) == before


def test_a_program_with_logging_of_its_own_gets_readable_lines(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.INFO, logger=LOGGER.name):
        log_event("session.opened", session="session-1", key="ops")
    (record,) = caplog.records
    assert record.getMessage() == "session.opened session=session-1 key=ops"
    assert record.funcName == "test_a_program_with_logging_of_its_own_gets_readable_lines"


@pytest.mark.parametrize("form", ["text", "json"])
def test_a_record_of_another_make_keeps_its_text_and_traceback_on_one_line(form: LogFormat) -> None:
    stream = io.StringIO()
    with logging_to(stream, form=form):
        try:
            raise OSError("no Bearer topsecret")
        except OSError:
            LOGGER.exception("it broke\nbadly")
    text = stream.getvalue()
    assert len(text.splitlines()) == 1
    assert "log.message" in text
    assert r"it broke\nbadly" in text
    assert "OSError: no Bearer ***" in text


def test_the_library_itself_writes_nothing() -> None:
    script = (
        "import logging, zb_mom_ww_mxgateway_sim.operations.log as log\n"
        "log.log_event('thing.broke', logging.ERROR)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
