"""Types and values of attributes, from what a file has: TOML's values, or the texts of a CSV."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import datetime
from typing import Final

from zb_mom_ww_mxgateway_contracts.google_protobuf import Timestamp
from zb_mom_ww_mxgateway_contracts.mxaccess_gateway_v1 import MxDataType

from .definition import DATA_TYPES, Scalar
from .documents import TomlValue

WHOLE_TYPES: Final = frozenset({MxDataType.INTEGER, MxDataType.QUALIFIED_ENUM})
FLOAT_TYPES: Final = frozenset({MxDataType.FLOAT, MxDataType.DOUBLE, MxDataType.ELAPSED_TIME})
NUMBER_TYPES: Final = WHOLE_TYPES | FLOAT_TYPES

#: The types by their names in a file.
TYPES: Final[Mapping[str, MxDataType]] = {
    data_type.name.removeprefix("QUALIFIED_").lower().replace("_", "-"): data_type
    for data_type in DATA_TYPES
}
TYPE_NAMES: Final[Mapping[MxDataType, str]] = {kind: name for name, kind in TYPES.items()}

_GREATEST_FLOAT: Final = (2 - 2**-23) * 2.0**127
_FLAGS: Final = {"true": True, "1": True, "false": False, "0": False}


class WrongValueError(Exception):
    """A value is none of the type that is wanted; the text says what is, and not the value."""


def greatest(data_type: MxDataType) -> float:
    """The greatest number of a type with fractions; the least is its negative."""
    return _GREATEST_FLOAT if data_type is MxDataType.FLOAT else math.inf


def default_value(data_type: MxDataType) -> Scalar:
    """What an attribute without a value holds: false, 0, an empty text, 1970-01-01."""
    if data_type is MxDataType.BOOLEAN:
        return False
    if data_type is MxDataType.TIME:
        return Timestamp()
    if data_type in WHOLE_TYPES:
        return 0
    return 0.0 if data_type in FLOAT_TYPES else ""


def data_type_of(value: TomlValue) -> MxDataType:
    """The type of an attribute that holds ``value``; an array is of its elements' type.

    Raises:
        WrongValueError: No type, or more than one, has such values.
    """
    if isinstance(value, list):
        if not value:
            raise WrongValueError("is an empty array, which could be of any type; give a type")
        types = {data_type_of(element) for element in value}
        if types == {MxDataType.INTEGER, MxDataType.FLOAT}:
            return MxDataType.FLOAT
        if len(types) > 1:
            raise WrongValueError("has elements of different types; make them alike")
        return types.pop()
    if isinstance(value, bool):
        return MxDataType.BOOLEAN
    if isinstance(value, int):
        return MxDataType.INTEGER
    if isinstance(value, float):
        return MxDataType.FLOAT
    if isinstance(value, str):
        return MxDataType.STRING
    if isinstance(value, datetime):
        return MxDataType.TIME
    raise WrongValueError(
        "must be true or false, a number, a text, a date and time with an offset, or an array of "
        "one of these"
    )


def scalar(value: TomlValue, data_type: MxDataType) -> Scalar:
    """``value`` as an attribute of ``data_type`` holds it.

    Raises:
        WrongValueError: It is no value of that type.
    """
    if data_type is MxDataType.BOOLEAN:
        if not isinstance(value, bool):
            raise WrongValueError("must be true or false")
        return value
    if data_type is MxDataType.TIME:
        if not isinstance(value, datetime) or value.tzinfo is None:
            raise WrongValueError(
                "must be a date and time with an offset, such as 2026-01-31T06:00:00Z"
            )
        return Timestamp.from_datetime(value)
    if data_type in WHOLE_TYPES:
        if isinstance(value, bool) or not isinstance(value, int) or not -(2**31) <= value < 2**31:
            raise WrongValueError("must be a whole number of 32 bits")
        return value
    if data_type in FLOAT_TYPES:
        return _float(value, data_type)
    if not isinstance(value, str):
        raise WrongValueError("must be a text")
    return value


def _float(value: TomlValue, data_type: MxDataType) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise WrongValueError(f"must be {_number_of(data_type)}")
    try:
        number = float(value)
    except OverflowError:  # a whole number of hundreds of digits
        number = math.inf
    if not math.isfinite(number) or abs(number) > greatest(data_type):
        raise WrongValueError(f"must be {_number_of(data_type)}")
    return number


def _number_of(data_type: MxDataType) -> str:
    if data_type is MxDataType.ELAPSED_TIME:
        return "a finite number of seconds"
    return "a finite number of 32 bits" if data_type is MxDataType.FLOAT else "a finite number"


def scalar_of_text(text: str, data_type: MxDataType) -> Scalar:
    """The value that a cell of a CSV spells out.

    Raises:
        WrongValueError: It spells out no value of that type.
    """
    value: TomlValue = text
    if data_type is MxDataType.BOOLEAN:
        value = _FLAGS.get(text.strip().casefold(), text)
    elif data_type in NUMBER_TYPES:
        number = int if data_type in WHOLE_TYPES else float
        try:
            value = number(text.replace("_", "x"))  # Python would take 1_000
        except ValueError:
            value = text
    return scalar(value, data_type)
