"""The log: one event a line, made of an allow-list of fields, as text or JSON.

What is logged, and when, is in observer.py.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from datetime import datetime, timezone
from enum import Enum
from typing import Final, Literal, LiteralString, TextIO, TypeAlias, TypedDict, Unpack

LOGGER: Final = logging.getLogger("zb_mom_ww_mxgateway_sim")
# A library says nothing on its own; without this, warnings would go to standard error.
LOGGER.addHandler(logging.NullHandler())

LogFormat: TypeAlias = Literal["text", "json"]
_Value: TypeAlias = str | int | float

#: The longest text of a field, in characters; clients send names of any length.
_LONGEST: Final = 200
#: What must not be seen even where somebody put it into a text: the secret of an API key.
_SECRET: Final = re.compile(r"(mxgw_[^_\s]*_|bearer\s+)(?!<API key>)\S+", re.IGNORECASE)
#: What a text may consist of to be readable without quotes.
_PLAIN: Final = re.compile(r"[^\s\"'=\\]+")


class Fields(TypedDict, total=False):
    """All that may be logged: ids, names and numbers. Never a key, a password or a tag's value."""

    session: str | None
    key: str | None  # its id
    client: str | None  # the name that it gave its session
    rpc: str | None
    command: str | None
    status: str | Enum | None
    duration_ms: float | None
    reason: str | None
    endpoint: str | None
    fault: str | None
    tag: str | None  # the name of an object, or the reference of an attribute or an alarm
    file: str | None
    count: int | None
    objects: int | None
    attributes: int | None


_NAMES: Final = Fields.__annotations__.keys()


class Event:
    """An event and its fields: the ``msg`` of a log record. Its text is one readable line."""

    def __init__(self, name: str, fields: Mapping[str, _Value]) -> None:
        self.name = name
        self.fields = fields

    def __str__(self) -> str:
        return " ".join([self.name, *(f"{name}={_text(v)}" for name, v in self.fields.items())])


def log_event(event: LiteralString, level: int = logging.INFO, **fields: Unpack[Fields]) -> None:
    """Log that something happened; costs next to nothing where nobody listens.

    Args:
        event: What happened, ``thing.happened``.
        level: How much it matters, such as ``logging.WARNING``.
        fields: What it happened to. A field that is None is left out; a long text is cut.

    Raises:
        TypeError: A field that is not one of ``Fields``.
    """
    if not fields.keys() <= _NAMES:
        raise TypeError(f"{event}: only {', '.join(_NAMES)} may be logged, not all of {[*fields]}")
    if LOGGER.isEnabledFor(level):
        shown = {name: _shown(value) for name, value in fields.items() if value is not None}
        LOGGER.log(level, Event(event, shown), stacklevel=2)


@contextmanager
def logging_to(
    stream: TextIO, *, form: LogFormat = "text", level: int = logging.INFO
) -> Generator[None]:
    """Write the log to a stream while the block runs; for programs, not for libraries.

    Args:
        stream: Where to, such as standard error.
        form: Lines for people, or one JSON object a line.
        level: What matters less is left out.
    """
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonFormatter() if form == "json" else TextFormatter())
    before = LOGGER.level
    LOGGER.addHandler(handler)
    LOGGER.setLevel(level)
    try:
        yield
    finally:
        LOGGER.setLevel(before)
        LOGGER.removeHandler(handler)
        handler.close()


class TextFormatter(logging.Formatter):
    """``2026-01-31T12:00:00.000Z INFO session.opened session=session-… key=…``."""

    def format(self, record: logging.LogRecord) -> str:
        """One line."""
        return f"{_time(record)} {record.levelname} {_event(self, record)}"


class JsonFormatter(logging.Formatter):
    """``{"time": …, "level": "info", "event": "session.opened", "session": …}``, in ASCII."""

    def format(self, record: logging.LogRecord) -> str:
        """One line."""
        event = _event(self, record)
        head = {"time": _time(record), "level": record.levelname.lower(), "event": event.name}
        return json.dumps(head | dict(event.fields))


def _event(formatter: logging.Formatter, record: logging.LogRecord) -> Event:
    """What a record says; one that was not made by ``log_event`` has its text as the reason."""
    message: object = record.msg
    if not isinstance(message, Event):
        message = Event("log.message", {"reason": _shown(record.getMessage())})
    if record.exc_info:
        traced = _masked(formatter.formatException(record.exc_info))
        message = Event(message.name, {**message.fields, "exception": traced})
    return message


def _time(record: logging.LogRecord) -> str:
    # The time of day of this process, also where the gateway has a clock of its own.
    moment = datetime.fromtimestamp(record.created, timezone.utc)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _shown(value: object) -> _Value:
    if isinstance(value, Enum) and not isinstance(value, str):
        return value.name
    if isinstance(value, int | float):
        return value
    text = str(value)
    return _masked(text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…")


def _masked(text: str) -> str:
    return _SECRET.sub(r"\1***", text)


def _text(value: _Value) -> str:
    """A value for a line of text, quoted unless it is one plain word."""
    if not isinstance(value, str):
        return json.dumps(value)
    if value.isprintable():
        return value if _PLAIN.fullmatch(value) else json.dumps(value, ensure_ascii=False)
    return json.dumps(value)  # line breaks and what turns text around come out as \uXXXX
