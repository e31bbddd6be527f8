"""Text from the command line as values: ``--type``, ``--value``, ``--timestamp``, comma lists."""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import click

from zb_mom_ww_mxgateway import (
    MxDataType,
    MxGatewayValueError,
    MxValue,
    MxValueInput,
    from_mx_value,
    to_mx_value,
)

_BOOLS: Final = {"true": True, "1": True, "on": True, "false": False, "0": False, "off": False}


def parse_bool(text: str) -> bool:
    """true, false, 1, 0, on, off in any case; ``KeyError`` for anything else."""
    return _BOOLS[text.lower()]


def _int(low: int, high: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        number = whole_number(text)
        if not low <= number <= high:
            raise ValueError(text)
        return number

    return parse


def timestamp(text: str) -> datetime:
    """ISO 8601 with an offset or Z; ``ValueError`` without, as it names no point in time."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError("no offset")
    return moment


@dataclass(frozen=True, slots=True)
class Type:
    """One ``--type``: how text becomes Python, the data type where that does not tell it, and what
    is accepted."""

    parse: Callable[[str], MxValueInput]
    data_type: MxDataType | None
    accepts: str


#: What ``--type`` takes.
TYPES: Final[Mapping[str, Type]] = {
    "bool": Type(parse_bool, None, "true, false, on, off, 1 or 0"),
    "int32": Type(_int(-(2**31), 2**31 - 1), None, "a whole number of 32 bits"),
    "int64": Type(_int(-(2**63), 2**63 - 1), None, "a whole number of 64 bits"),
    "float": Type(float, MxDataType.FLOAT, "a finite number of 32 bits, such as 1.5"),
    "double": Type(float, MxDataType.DOUBLE, "a finite number, such as 1.5"),
    "string": Type(str, None, "any text"),
    "time": Type(timestamp, None, "ISO 8601 with an offset, such as 2026-01-31T12:00:00Z"),
}


def parse_value(text: str, type_name: str, flag: str = "--value") -> MxValue:
    """``text`` as a value of that type; a usage error names the type, not the text."""
    found = TYPES[type_name]
    try:
        value = to_mx_value(found.parse(text), data_type=found.data_type)
    except (ValueError, KeyError):
        # Without its cause, which quotes the text: it may be a secured value.
        raise click.UsageError(
            f"{flag} is not of type {type_name}, which takes {found.accepts}"
        ) from None
    if type_name == "int64" and value.int32_value is not None:
        value.variant_type, value.int64_value = "VT_I8", value.int32_value
    return value


def parse_time(text: str) -> MxValue:
    """``--timestamp`` as a value."""
    try:
        return to_mx_value(timestamp(text))
    except ValueError:
        raise click.UsageError(f"--timestamp takes {TYPES['time'].accepts}") from None


def value_text(value: MxValue) -> str:
    """A value as a person reads it."""
    try:
        return repr(from_mx_value(value))
    except MxGatewayValueError:
        return "(no value that Python has)"


def comma_list(text: str) -> list[str]:
    """The items of a comma list; quotes keep commas and spaces inside an item."""
    try:
        return [item for row in csv.reader([text], skipinitialspace=True) for item in row]
    except csv.Error as error:
        raise click.UsageError(f"a comma list cannot be read: {error}") from None


def whole_number(text: str) -> int:
    """Digits with a sign, and nothing that Python alone would take."""
    if not re.fullmatch(r"\s*[+-]?[0-9]+\s*", text):
        raise ValueError("not a whole number")
    return int(text)


class Seconds(click.FloatRange):
    """A time span in seconds: finite, from 0 (``min_open``: above it), and short enough for gRPC's
    eight digits.
    """

    name = "seconds"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """``value`` as a float in range."""
        try:
            number = float(str(value))
        except ValueError:
            number = math.nan
        if not 0 <= number < 100_000_000 or (self.min_open and not number):
            least = "above 0" if self.min_open else "from 0"
            self.fail(f"must be a number of seconds {least} and below 100,000,000", param, ctx)
        return number
