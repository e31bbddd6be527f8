"""Messages as people read them: values as values, statuses in words, nothing that is empty."""

from __future__ import annotations

from typing import Any, cast

from zb_mom_ww_mxgateway import (
    MxStatusProxy,
    MxValue,
    OnAlarmTransitionEvent,
    Timestamp,
    describe_status,
)
from zb_mom_ww_mxgateway_wire.enums import OpenEnum
from zb_mom_ww_mxgateway_wire.fields import fields_of
from zb_mom_ww_mxgateway_wire.message import Message

from .output import Output
from .values import value_text


def show(message: Message, output: Output) -> None:
    """Print a reply: as ProtoJSON, or as lines for people."""
    output.record(message.to_dict(), readable(message), columns=columns_of(type(message)))


def columns_of(message: type[Message]) -> list[str]:
    """The fields of a message as ProtoJSON names them, in the order of the contract, for CSV."""
    return [info.json_name for info in fields_of(message).values()]


def readable(message: Message) -> dict[str, str]:
    """The fields of ``message`` by name, as text; empty text where one is not set."""
    return {name: text_of(getattr(message, name)) for name in fields_of(type(message))}


def text_of(value: Any) -> str:
    """One field as text."""
    if value is None or value == []:
        return ""
    if isinstance(value, MxValue):
        return value_text(value)
    if isinstance(value, MxStatusProxy):
        return describe_status(value)
    if isinstance(value, Timestamp):
        return value.to_json().strip('"')
    if isinstance(value, OpenEnum):
        return value.name
    if isinstance(value, Message):
        parts = (f"{key}={text}" for key, text in readable(value).items() if text)
        return ", ".join(parts) or "{}"
    if isinstance(value, list):
        return "; ".join(text_of(item) for item in cast("list[Any]", value))
    return str(value).lower() if isinstance(value, bool) else str(value)


def transition_text(transition: OnAlarmTransitionEvent) -> str:
    """What happened to which alarm, such as ``RAISE Tank.Level.HiHi  severity 500``."""
    value, limit = transition.current_value, transition.limit_value
    parts = [
        f"{transition.transition_kind.name} {transition.alarm_full_reference}",
        f"severity {transition.severity}",
        "" if value is None else f"value {value_text(value)}",
        "" if limit is None else f"limit {value_text(limit)}",
        f"by {transition.operator_user}" if transition.operator_user else "",
        f"comment {transition.operator_comment!r}" if transition.operator_comment else "",
        transition.description,
        f"degraded, from {transition.source_provider.name}" if transition.degraded else "",
    ]
    return "  ".join(part for part in parts if part)
