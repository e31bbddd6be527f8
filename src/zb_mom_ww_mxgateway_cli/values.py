"""Text from the command line as values: ``--type``, ``--value``, ``--timestamp``, comma lists."""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Callable, Mapping
from datetime import datetime, timezone
from typing import Final

import click

from zb_mom_ww_mxgateway import MxDataType, MxValue, MxValueInput, to_mx_value

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
    """ISO 8601 with an offset or Z; without one it is UTC."""
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)


#: What ``--type`` takes: how text becomes Python, and the data type where Python does not tell it.
TYPES: Final[Mapping[str, tuple[Callable[[str], MxValueInput], MxDataType | None]]] = {
    "bool": (parse_bool, None),
    "int32": (_int(-(2**31), 2**31 - 1), None),
    "int64": (_int(-(2**63), 2**63 - 1), None),
    "float": (float, MxDataType.FLOAT),
    "double": (float, MxDataType.DOUBLE),
    "string": (str, None),
    "time": (timestamp, None),
}


def parse_value(text: str, type_name: str) -> MxValue:
    """``text`` as a value of that type; a usage error names the type, not the text."""
    parse, data_type = TYPES[type_name]
    try:
        value = to_mx_value(parse(text), data_type=data_type)
    except (ValueError, KeyError):
        # Without its cause, which quotes the text: it may be a secured value.
        raise click.UsageError(f"--value does not hold a value of type {type_name}") from None
    if type_name == "int64" and value.int32_value is not None:
        value.variant_type, value.int64_value = "VT_I8", value.int32_value
    return value


def parse_time(text: str) -> MxValue:
    """``--timestamp`` as a value."""
    try:
        return to_mx_value(timestamp(text))
    except ValueError:
        raise click.UsageError("--timestamp: not an ISO 8601 time") from None


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
    """A time span in seconds: finite, above 0, and short enough for gRPC's eight digits."""

    name = "seconds"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """``value`` as a float in range."""
        try:
            number = float(str(value))
        except ValueError:
            number = math.nan
        if not 0 < number < 100_000_000:
            self.fail("must be a number of seconds above 0", param, ctx)
        return number
