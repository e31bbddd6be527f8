"""``mxgw-py read``, and how all commands show a value with its quality and time."""

from __future__ import annotations

import math
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Self, TypeAlias

import click

from zb_mom_ww_mxgateway import (
    DataChange,
    MxStatusCategory,
    MxStatusProxy,
    MxValue,
    Reading,
    Timestamp,
    describe_quality,
    describe_status,
    is_failure,
    is_good_quality,
)
from zb_mom_ww_mxgateway.tags import READ_TIMEOUT
from zb_mom_ww_mxgateway_wire.json import float_to_json

from .connection import Connection, connected
from .exits import OK, SOME_FAILED
from .failures import in_words
from .output import Output, progress
from .tags import lines, tags_argument

Json: TypeAlias = bool | int | float | str | list["Json"] | None

#: What is printed of each tag, in this order where there are columns.
COLUMNS: Final = ("tag", "value", "quality", "isGood", "timestamp", "error")


#: What the command line calls what a reading's error may name.
_WORDS: Final = {"timeout_ms": "--timeout"}


def is_invalid(statuses: Sequence[MxStatusProxy]) -> bool:
    """Whether they say of a value that there is no such tag."""
    return bool(statuses) and statuses[0].category == MxStatusCategory.CONFIGURATION_ERROR


def tell_invalid(output: Output) -> None:
    """Say to people, where tags are not there, how to find those that are."""
    if output.is_table:
        progress("not every tag is there; 'mxgw-py find' looks tags up")


@dataclass(frozen=True, slots=True)
class Shown:
    """What a tag had at one time, as it is printed."""

    tag: str
    value: Json
    #: The OPC quality; None where there is not even that.
    quality: int | None
    timestamp: Timestamp | None
    #: Why the value is not good; empty where it is.
    error: str

    @classmethod
    def of_reading(cls, reading: Reading) -> Self:
        """What a tag read as."""
        raw = reading.raw
        quality = raw.quality if raw.was_successful else None
        error = in_words(reading.error, _WORDS)
        return cls(reading.tag, json_value(raw.value), quality, raw.source_timestamp, error)

    @classmethod
    def of_change(cls, tag: str, change: DataChange) -> Self:
        """What a tag has changed to."""
        raw = change.raw
        if change.statuses and is_failure(change.statuses[0]):
            error = describe_status(change.statuses[0])
        else:
            error = "" if is_good_quality(raw.quality) else describe_quality(raw.quality)
        return cls(tag, json_value(raw.value), raw.quality, raw.source_timestamp, error)

    def row(self, output: Output, **more: Json) -> dict[str, Any]:
        """It as data, by the names of ``COLUMNS``."""
        return {
            "tag": self.tag,
            "value": self.value,
            "quality": self.quality,
            "isGood": not self.error,
            "timestamp": output.time(self.timestamp),
            "error": self.error,
            **more,
        }

    def readable(self, output: Output) -> dict[str, Any]:
        """It for people: the quality in words, nothing said twice."""
        return {
            "tag": self.tag,
            "value": self.value,
            "quality": quality_text(self.quality),
            "timestamp": output.time(self.timestamp),
            "error": "" if self.error == describe_quality(self.quality or 0) else self.error,
        }


def quality_text(quality: int | None) -> str:
    """A quality as a number and in words, such as ``24 (communication failure)``."""
    return "" if quality is None else describe_quality(quality).removeprefix("quality ")


def json_value(mx: MxValue | None) -> Json:
    """A value as JSON has it; None for no value.

    Single values are as in ProtoJSON, but for whole numbers of 64 bits, which are numbers. Arrays
    are lists, one in the other for dimensions.
    """
    if mx is None or mx.is_null:
        return None
    array = mx.array_value
    if array is None:
        kind = mx.which_kind()
        return None if kind is None else _single(getattr(mx, kind), short=kind == "float_value")
    member = array.which_values()
    if member is None:
        return []
    elements: Sequence[object] = getattr(array, member).values
    values: list[Json] = [_single(item, short=member == "float_values") for item in elements]
    if math.prod(array.dimensions) != len(values):
        return values
    for length in reversed(array.dimensions[1:]):
        values = [values[start : start + length] for start in range(0, len(values), length or 1)]
    return values


def _single(value: object, *, short: bool) -> Json:
    if isinstance(value, float):
        number = float_to_json(value, short=short)
        assert isinstance(number, float | int | str)
        return number
    if isinstance(value, Timestamp):
        return value.to_json().strip('"')
    if isinstance(value, bytes):
        return b64encode(value).decode()
    return value if isinstance(value, bool | int | str) else str(value)


@click.command(epilog="Example: mxgw-py read TestMachine_001.TestChangingInt Mixer.State")
@tags_argument()
@connected
async def read(connection: Connection, tags: tuple[str, ...]) -> int:
    """Read tags: value, quality and time of each.

    A TAG is a reference such as Object.Attribute; @FILE stands for the lines of a file, - for those
    of standard input. Waits up to --timeout (15) for each value. Exit code 6 says that some could
    not be read, or that their quality is not good.
    """
    wanted = lines(tags)
    async with (
        connection.client() as client,
        await client.open_session(client_session_name="mxgw-py read") as session,
    ):
        timeout = connection.timeout or READ_TIMEOUT
        readings = await session.read_many(wanted, timeout=timeout)
    shown = [Shown.of_reading(reading) for reading in readings]
    output = connection.output
    output.rows(
        [
            one.row(output, wasCached=reading.was_cached)
            for one, reading in zip(shown, readings, strict=True)
        ],
        [one.readable(output) for one in shown],
        columns=(*COLUMNS, "wasCached"),
    )
    if any(is_invalid(reading.raw.statuses) for reading in readings):
        tell_invalid(output)
    return OK if all(readings) else SOME_FAILED
