"""The exception tree: what each status of gRPC, gateway and MXAccess becomes, and what it says."""

from __future__ import annotations

import copy
import pickle
import re
from pathlib import Path
from typing import Any

import pytest
from grpclib.const import Status
from hypothesis import given, strategies as st

import zb_mom_ww_mxgateway as sdk
from tests.sdk.seen import KEY, SECRET
from zb_mom_ww_mxgateway import (
    ClientOptions,
    MxAccessError,
    MxCommand,
    MxCommandKind,
    MxCommandReply,
    MxEvent,
    MxEventFamily,
    MxGatewayArgumentError,
    MxGatewayCommandError,
    MxGatewayError,
    MxGatewaySessionNotFoundError,
    MxGatewaySessionNotReadyError,
    MxGatewayTimeoutError,
    MxGatewayTransportError,
    MxStatusCategory,
    MxStatusProxy,
    ProtocolStatus,
    ProtocolStatusCode,
    errors,
)
from zb_mom_ww_mxgateway.describe import describe_command, describe_request
from zb_mom_ww_mxgateway.errors import (
    MxAccessWriteError,
    MxGatewayCertificateError,
    MxGatewayNotFoundError,
    MxGatewayResourceExhaustedError,
    MxGatewayUnimplementedError,
    check_acknowledge,
    check_protocol,
    check_status,
    has_failed,
    write_error,
)
from zb_mom_ww_mxgateway.grpc_errors import from_grpc
from zb_mom_ww_mxgateway.statuses import DETAILS, describe_hresult
from zb_mom_ww_mxgateway_contracts.google_protobuf import Int32Value
from zb_mom_ww_mxgateway_contracts.mxaccess_gateway_v1 import (
    AcknowledgeAlarmCommand,
    AcknowledgeAlarmReply,
)

PAGE = (Path(__file__).parents[2] / "docs" / "errors.md").read_text(encoding="utf-8")
CLASSES = sorted(
    (
        value
        for value in vars(errors).values()
        if isinstance(value, type) and issubclass(value, MxGatewayError)
    ),
    key=lambda kind: kind.__name__,
)
REDACT = ClientOptions(endpoint="a:1", api_key=KEY).redacted
FAILED = MxStatusProxy(category=MxStatusCategory.SECURITY_ERROR, detail=1012)
FINE = MxStatusProxy(success=-1, category=MxStatusCategory.OK)

failures = st.sampled_from([status for status in Status if status is not Status.OK])


def made(kind: type[MxGatewayError]) -> MxGatewayError:
    """An exception of a class with all that it can carry."""
    arguments: dict[str, Any] = {}
    if issubclass(kind, MxGatewayTransportError):
        arguments["status"] = Status.RESOURCE_EXHAUSTED
    if issubclass(kind, errors.MxGatewaySessionError):
        arguments["session_id"] = "session-1"
    if issubclass(kind, MxAccessWriteError):
        arguments["event"] = MxEvent(hresult=-2147024809, statuses=[FAILED])
    elif issubclass(kind, MxGatewayCommandError):
        arguments["reply"] = MxCommandReply(hresult=-2147024809, statuses=[FAILED])
    return kind("something failed; do this", **arguments)


@pytest.mark.parametrize("kind", CLASSES)
@pytest.mark.parametrize(
    "again", [copy.copy, copy.deepcopy, lambda error: pickle.loads(pickle.dumps(error))]
)
def test_exceptions_cross_threads_and_processes_whole(
    kind: type[MxGatewayError], again: Any
) -> None:
    error = made(kind)
    error.add_note("seen on the way")
    other = again(error)
    assert type(other) is kind
    assert (str(other), other.args) == (str(error), error.args)
    assert vars(other) == vars(error)
    for name in ("transient", "hresult_hex", "statuses"):
        assert getattr(other, name, None) == getattr(error, name, None)


@pytest.mark.parametrize(
    ("kind", "guess"),
    [
        (MxCommandKind.AUTHENTICATE_USER, "the user's name and password"),
        (MxCommandKind.ADVISE, "a server or item handle"),
    ],
)
@pytest.mark.parametrize("words", ["", "the password is wrong"])
def test_what_an_invalid_argument_may_be_is_guessed_only_where_mxaccess_does_not_say(
    kind: MxCommandKind, guess: str, words: str
) -> None:
    status = MxStatusProxy(category=MxStatusCategory.CONFIGURATION_ERROR, diagnostic_text=words)
    reply = MxCommandReply(kind=kind, hresult=-2147024809, statuses=[status])
    with pytest.raises(MxAccessError) as caught:
        check_protocol(reply, attempted="it", session_id="", mxaccess=True, redact=REDACT)
    text = str(caught.value)
    assert (guess in text) == (not words)
    assert ("handle" in text) == (not words and kind == MxCommandKind.ADVISE)


def test_the_page_about_errors_names_every_exception_once_as_a_heading_and_no_other() -> None:
    headings = re.findall(r"^#+ `(\w+)`$", PAGE, re.M)
    assert sorted(headings) == [kind.__name__ for kind in CLASSES]
    mentioned = set(re.findall(r"\bMx(?:Gateway|Access)\w*Error\b", PAGE))
    assert mentioned == set(headings)


def test_every_exception_of_the_page_can_be_imported_from_the_package() -> None:
    assert [kind for kind in CLASSES if getattr(sdk, kind.__name__, None) is not kind] == []


def test_the_page_has_the_detail_codes_as_they_are_spoken_of() -> None:
    rows = re.findall(r"^\| (\d+) \| ([^|]+?) \|", PAGE, re.M)
    assert {int(code): words for code, words in rows} == DETAILS


@given(failures, st.text(), st.sampled_from(["", "session-1"]), st.booleans())
def test_every_grpc_status_is_an_exception_that_says_what_was_attempted_and_what_came_back(
    status: Status, message: str, session_id: str, has_key: bool
) -> None:
    error = from_grpc(
        status, message, attempted="ping() at a:1", session_id=session_id, has_key=has_key
    )
    assert str(error).startswith(f"ping() at a:1 ended with {status.name}")
    assert message in str(error)
    if isinstance(error, MxGatewayTransportError):
        assert error.status is status
    else:
        assert status in ABOUT_THE_CALL


#: Statuses that are not about the transport: the caller's argument, or the session.
ABOUT_THE_CALL = {
    Status.INVALID_ARGUMENT,
    Status.OUT_OF_RANGE,
    Status.NOT_FOUND,
    Status.FAILED_PRECONDITION,
}


@pytest.mark.parametrize(
    ("status", "session_id", "expected", "transient", "hint"),
    [
        (Status.CANCELLED, "", MxGatewayTransportError, False, "may have taken effect"),
        (Status.UNKNOWN, "", MxGatewayTransportError, False, "gateway's log"),
        (Status.INVALID_ARGUMENT, "", MxGatewayArgumentError, None, ""),
        (Status.OUT_OF_RANGE, "", MxGatewayArgumentError, None, ""),
        (Status.DEADLINE_EXCEEDED, "", MxGatewayTimeoutError, True, "allow more time"),
        (Status.NOT_FOUND, "", MxGatewayNotFoundError, False, ""),
        (Status.NOT_FOUND, "s", MxGatewaySessionNotFoundError, None, "open a new session"),
        (Status.ALREADY_EXISTS, "s", MxGatewayTransportError, False, ""),
        (Status.PERMISSION_DENIED, "", errors.MxGatewayAuthorizationError, False, "that may"),
        (Status.RESOURCE_EXHAUSTED, "", MxGatewayResourceExhaustedError, True, "try later"),
        (Status.FAILED_PRECONDITION, "", MxGatewayTransportError, False, ""),
        (Status.FAILED_PRECONDITION, "s", MxGatewaySessionNotReadyError, None, "open a new one"),
        (Status.ABORTED, "", MxGatewayTransportError, True, "try again"),
        (Status.UNIMPLEMENTED, "", MxGatewayUnimplementedError, False, "older than this call"),
        (Status.INTERNAL, "", MxGatewayTransportError, False, "gateway's log"),
        (Status.UNAVAILABLE, "", errors.MxGatewayUnavailableError, True, "try again"),
        (Status.DATA_LOSS, "", MxGatewayTransportError, False, "gateway's log"),
        (Status.UNAUTHENTICATED, "", errors.MxGatewayAuthenticationError, False, "check the API"),
    ],
)
def test_each_grpc_status_has_its_class_and_says_what_to_do(
    status: Status,
    session_id: str,
    expected: type[MxGatewayError],
    transient: bool | None,
    hint: str,
) -> None:
    error = from_grpc(status, "said so", attempted="ping()", session_id=session_id)
    assert type(error) is expected
    assert hint in str(error)
    assert getattr(error, "transient", None) == transient


def test_without_a_key_the_gateway_that_asks_for_one_is_named_as_the_reason() -> None:
    error = from_grpc(Status.UNAUTHENTICATED, "", attempted="ping()", has_key=False)
    assert "no API key was given" in str(error)


def test_a_reader_that_was_too_slow_is_told_how_to_read_and_that_the_session_is_gone() -> None:
    error = from_grpc(
        Status.RESOURCE_EXHAUSTED,
        "EventQueueOverflow: more than 10000 events",
        attempted="StreamEvents in session-1",
        session_id="session-1",
    )
    assert isinstance(error, MxGatewayResourceExhaustedError)
    assert "open a new session, and read events in a task of their own" in str(error)
    assert not error.transient


def test_a_second_reader_is_told_to_end_the_first_and_may_try_again() -> None:
    error = from_grpc(
        Status.ALREADY_EXISTS,
        "EventSubscriberAlreadyActive",
        attempted="StreamEvents in session-1",
        session_id="session-1",
    )
    assert type(error) is MxGatewayTransportError
    assert "end the other first" in str(error)
    assert error.transient


@given(st.sampled_from(list(Status)))
def test_a_certificate_that_is_not_accepted_never_goes_away_by_itself(status: Status) -> None:
    assert not MxGatewayCertificateError("refused", status=status).transient


@given(st.integers(-(2**31), 2**31 - 1))
def test_an_hresult_is_the_same_number_signed_and_in_hex(hresult: int) -> None:
    error = MxAccessError("failed", reply=MxCommandReply(hresult=hresult))
    assert error.hresult == hresult
    assert int(error.hresult_hex, 16) == hresult % 2**32
    assert f"{error.hresult_hex} ({hresult}" in describe_hresult(hresult)


def test_a_failure_without_an_hresult_has_none_rather_than_zero() -> None:
    error = MxAccessError("failed", reply=MxCommandReply())
    assert (error.hresult, error.hresult_hex, list(error.statuses)) == (None, "", [])
    assert MxAccessError("failed").statuses == ()
    assert MxAccessError("failed").hresult is None


def acknowledged(reply: AcknowledgeAlarmReply) -> None:
    check_acknowledge(reply, attempted="AcknowledgeAlarm of A.B at a:1", redact=REDACT)


@pytest.mark.parametrize(
    "reply",
    [
        AcknowledgeAlarmReply(),
        AcknowledgeAlarmReply(protocol_status=ProtocolStatus(code=ProtocolStatusCode.OK)),
        AcknowledgeAlarmReply(hresult=0, status=MxStatusProxy()),
        AcknowledgeAlarmReply(hresult=1, status=FINE),
    ],
)
def test_an_acknowledgement_that_worked_is_silent(reply: AcknowledgeAlarmReply) -> None:
    acknowledged(reply)


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        (AcknowledgeAlarmReply(hresult=-2147467259), "0x80004005"),
        (AcknowledgeAlarmReply(status=FAILED), "secured write required"),
        (
            AcknowledgeAlarmReply(
                protocol_status=ProtocolStatus(
                    code=ProtocolStatusCode.MXACCESS_FAILURE, message=f"sent {KEY}"
                ),
                diagnostic_message="provider is down",
            ),
            "provider is down; sent <redacted>",
        ),
        (
            AcknowledgeAlarmReply(
                protocol_status=ProtocolStatus(code=ProtocolStatusCode.MXACCESS_FAILURE)
            ),
            "does not say why",
        ),
    ],
)
def test_an_acknowledgement_that_failed_raises_with_its_reply(
    reply: AcknowledgeAlarmReply, said: str
) -> None:
    with pytest.raises(MxAccessError, match=re.escape(said)) as caught:
        acknowledged(reply)
    assert caught.value.reply is reply
    assert caught.value.hresult == reply.hresult
    assert list(caught.value.statuses) == ([] if reply.status is None else [reply.status])
    assert "AcknowledgeAlarm of A.B" in str(caught.value)
    assert SECRET not in str(caught.value)


def test_a_refused_acknowledgement_keeps_its_reply_too() -> None:
    refused = ProtocolStatus(code=ProtocolStatusCode.INVALID_REQUEST)
    reply = AcknowledgeAlarmReply(protocol_status=refused)
    with pytest.raises(MxGatewayCommandError, match="this gateway does not take it") as caught:
        acknowledged(reply)
    assert type(caught.value) is MxGatewayCommandError
    assert caught.value.reply is reply


@pytest.mark.parametrize(
    ("event", "said"),
    [
        (MxEvent(statuses=[FINE, FAILED]), "SECURITY_ERROR, detail 1012 (secured write required)"),
        (MxEvent(statuses=[FAILED]), "write it with write_secured"),
        (MxEvent(hresult=-2147467259, statuses=[FINE]), "0x80004005"),
    ],
)
def test_the_error_of_a_write_that_was_accepted_and_failed_has_its_event(
    event: MxEvent, said: str
) -> None:
    event.family = MxEventFamily.ON_WRITE_COMPLETE
    assert has_failed(event)
    error = write_error(event, "write(item_handle=2) failed", redact=REDACT)
    assert error.event is event
    assert error.reply is None
    assert (error.hresult, error.statuses) == (event.hresult, event.statuses)
    assert str(error).startswith("write(item_handle=2) failed: ")
    assert said in str(error)


@given(st.sampled_from([FINE, MxStatusProxy(), MxStatusProxy(category=MxStatusCategory.WARNING)]))
def test_a_write_that_worked_has_not_failed(status: MxStatusProxy) -> None:
    assert not has_failed(MxEvent(statuses=[status]))


def test_a_failure_of_a_call_without_a_raw_reply_has_none() -> None:
    refused = ProtocolStatus(code=ProtocolStatusCode.CANCELED, message=f"by {KEY}")
    with pytest.raises(MxGatewayCommandError, match="may have taken effect") as caught:
        check_status(refused, attempted="OpenSession", redact=REDACT)
    assert caught.value.reply is None
    assert SECRET not in str(caught.value)


def test_a_wrapped_number_that_nobody_typed_is_told_of_in_no_text() -> None:
    assert describe_request("/simulator.v1.Simulator/Redeploy", Int32Value(value=-1)) == "Redeploy"


def test_the_comment_of_an_acknowledgement_is_a_value_and_is_told_of_in_no_text() -> None:
    payload = AcknowledgeAlarmCommand(alarm_guid="guid-1", comment="valve replaced")
    command = MxCommand(kind=MxCommandKind.ACKNOWLEDGE_ALARM, acknowledge_alarm_command=payload)
    assert describe_command(command) == "acknowledge_alarm(alarm_guid='guid-1')"
