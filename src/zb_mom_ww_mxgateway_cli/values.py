"""Text from the command line as values: ``--type``, ``--value``, ``--timestamp``, comma lists; and
values as text for people.
"""

from __future__ import annotations

import csv
import json
import math
import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Final, TypeAlias, TypeVar, cast

import click

from zb_mom_ww_mxgateway import (
    MxDataType,
    MxGatewayValueError,
    MxScalar,
    MxSequence,
    MxValue,
    MxValueOutput,
    RawValue,
    Timestamp,
    from_mx_value,
    to_mx_value,
)
from zb_mom_ww_mxgateway_contracts.mxaccess_gateway_v1 import Int64Array

from .program import close_matches, cut

#: How a text becomes one value; ``ValueError`` or ``KeyError`` where it does not.
Parse: TypeAlias = Callable[[str], MxScalar | None]

_Item = TypeVar("_Item")

_BOOLS: Final = {"true": True, "1": True, "on": True, "false": False, "0": False, "off": False}
_NUMBER: Final = re.compile(r"\s*[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?\s*")
#: A time, the digits behind its decimal sign, and its offset, which has no such digits.
_TIME: Final = re.compile(r"[^.,]*(?:[.,]([0-9]{1,9}))?(?:Z|[+-][0-9:]+)")


def parse_bool(text: str) -> bool:
    """true, false, 1, 0, on, off in any case; ``KeyError`` for anything else."""
    return _BOOLS[text.strip().lower()]


def whole_number(text: str) -> int:
    """Digits with a sign, and nothing that Python alone would take."""
    if not re.fullmatch(r"\s*[+-]?[0-9]+\s*", text):
        raise ValueError("not a whole number")
    return int(text)


def _int(bits: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        number = whole_number(text)
        if not -(2 ** (bits - 1)) <= number < 2 ** (bits - 1):
            raise ValueError("out of range")
        return number

    return parse


def _number(text: str) -> float:
    if not _NUMBER.fullmatch(text):
        raise ValueError("not a number")
    return float(text)


def timestamp(text: str) -> datetime:
    """ISO 8601 with an offset or Z; ``ValueError`` without, as it names no point in time."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError("no offset")
    return moment


def _exact_time(text: str) -> Timestamp:
    """The same with the nanoseconds, which a ``datetime`` has not."""
    text = text.strip()
    moment, found = timestamp(text), _TIME.fullmatch(text)
    if found is None:
        raise ValueError("finer than nanoseconds")
    try:
        whole = Timestamp.from_datetime(moment.replace(microsecond=0))
    except OverflowError:
        raise ValueError("beyond the years of UTC") from None
    whole.nanos = int((found[1] or "").ljust(9, "0"))
    return whole


def _one_of_a_set(text: str) -> int | str:
    try:
        return _int(64)(text)
    except ValueError:
        return text


def _null(text: str) -> None:
    if text.strip().lower() not in ("", "null"):
        raise ValueError("not null")


@dataclass(frozen=True, slots=True)
class Type:
    """One ``--type``: what it is sent as, what it takes, and how.

    ``json`` has the kinds of JSON that an element may be and how the text of each is read; where
    ``is_array``, the text is a JSON array (nested for each dimension) or a comma list.
    """

    data_type: MxDataType
    accepts: str
    parse: Parse
    json: Mapping[type, Parse]
    is_wide: bool = False
    is_array: bool = False

    def read(self, text: str) -> MxValue:
        """``text`` as a value.

        ``null`` is a null of the type, unless that is a text of its own to it.

        Raises:
            ValueError: It is none of this type; so does ``KeyError``.
            click.UsageError: It is no comma list.
        """
        try:
            return self._made(self._parsed(text))
        except (ValueError, KeyError):
            if text.strip() != "null":
                raise
            return self._made(None)

    def read_json(self, value: object) -> MxValue:
        """The same for what JSON has."""
        if value is None:
            return self._made(None)
        if isinstance(value, list) is not self.is_array:
            raise ValueError("an array for a single value, or the other way round")
        return self._made(self._elements(value))

    def _parsed(self, text: str) -> MxScalar | MxSequence | None:
        if not self.is_array:
            return self.parse(text)
        if _is_json(text):
            return self._elements(_json(text))
        return cast("MxSequence", [self.parse(item) for item in comma_list(text)])

    def _elements(self, value: object) -> MxScalar | MxSequence:
        if isinstance(value, list):
            items = cast("list[object]", value)
            return cast("MxSequence", [self._elements(item) for item in items])
        made = self.json[type(value)](value if isinstance(value, str) else json.dumps(value))
        if made is None:
            raise ValueError("a null inside an array")
        return made

    def _made(self, value: MxScalar | MxSequence | None) -> MxValue:
        made = to_mx_value(value, data_type=self.data_type)
        return _wide(made) if self.is_wide else made


def _wide(value: MxValue) -> MxValue:
    """Whole numbers as 64 bits, although fewer do."""
    array = value.array_value
    if value.int32_value is not None:
        value.variant_type, value.int64_value = "VT_I8", value.int32_value
    elif array is not None and array.int32_values is not None:
        value.variant_type, array.variant_type = "VT_ARRAY|VT_I8", "VT_I8"
        array.int64_values = Int64Array(values=array.int32_values.values)
    return value


def _text(data_type: MxDataType, accepts: str) -> Type:
    return Type(data_type, accepts, str, {str: str})


def _whole(data_type: MxDataType, bits: int, *, is_wide: bool = False) -> Type:
    parse = _int(bits)
    return Type(data_type, f"a whole number of {bits} bits", parse, {int: parse}, is_wide)


def _real(data_type: MxDataType, accepts: str) -> Type:
    return Type(data_type, accepts, _number, {int: _number, float: _number})


def _bytes(data_type: MxDataType) -> Type:
    return Type(
        data_type, "bytes in hexadecimal, such as 01ff", bytes.fromhex, {str: bytes.fromhex}
    )


_SINGLE: Final[Mapping[str, Type]] = {
    "bool": Type(
        MxDataType.BOOLEAN, "true, false, on, off, 1 or 0", parse_bool, {bool: parse_bool}
    ),
    "int32": _whole(MxDataType.INTEGER, 32),
    "int64": _whole(MxDataType.INTEGER, 64, is_wide=True),
    "float": _real(MxDataType.FLOAT, "a finite number of 32 bits, such as 1.5"),
    "double": _real(MxDataType.DOUBLE, "a finite number, such as 1.5"),
    "string": _text(MxDataType.STRING, "any text"),
    "time": Type(
        MxDataType.TIME,
        "ISO 8601 with an offset, such as 2026-01-31T12:00:00Z",
        _exact_time,
        {str: _exact_time},
    ),
    "elapsed-time": _real(MxDataType.ELAPSED_TIME, "a finite number of seconds, such as 1.5"),
    "reference": _text(MxDataType.REFERENCE, "the name of an object or attribute"),
    "big-string": _text(MxDataType.BIG_STRING, "any text"),
    "internationalized-string": _text(MxDataType.INTERNATIONALIZED_STRING, "any text"),
    "qualified-enum": Type(
        MxDataType.QUALIFIED_ENUM,
        "a whole number or a text",
        _one_of_a_set,
        {int: _int(64), str: str},
    ),
    "data-type-enum": _whole(MxDataType.DATA_TYPE_ENUM, 32),
    "security-classification-enum": _whole(MxDataType.SECURITY_CLASSIFICATION_ENUM, 32),
    "data-quality-type": _whole(MxDataType.DATA_QUALITY_TYPE, 32),
    "qualified-struct": _bytes(MxDataType.QUALIFIED_STRUCT),
    "status-type": _bytes(MxDataType.STATUS_TYPE),
    "bytes": _bytes(MxDataType.UNKNOWN),
}

#: What ``--type`` takes: a type, its arrays with ``[]``, and ``null`` for no value.
TYPES: Final[Mapping[str, Type]] = {
    **_SINGLE,
    **{
        f"{name}[]": replace(
            of, is_array=True, accepts=f"a JSON array or a comma list, each of it {of.accepts}"
        )
        for name, of in _SINGLE.items()
    },
    "null": Type(MxDataType.NO_DATA, "null", _null, {}),
}
#: So many types are named to who gets one wrong.
_NEAR: Final = 2
#: What help says of them.
TYPES_HELP: Final = (
    f"Type of the value: {', '.join(_SINGLE)}; each with [] for an array, as a JSON array or a "
    "comma list; or null. The value null is a null of any type but those that are texts."
)


class TypeName(click.Choice[str]):
    """A ``--type``. Who gets it wrong is told what is near, not all there is."""

    def __init__(self) -> None:
        super().__init__(list(TYPES))

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """``value`` if it is the name of a type."""
        if value in TYPES:
            return value
        # int is int32 or int64, though hint may be nearer to it in spelling.
        close = [name for name in TYPES if value and name.startswith(value.lower())]
        close = (close or close_matches(value, list(TYPES)))[:_NEAR]
        meant = f"did you mean {' or '.join(close)}?" if close else "--help has all of them"
        self.fail(f"there is no type {cut(value)!r}; {meant}", param, ctx)


def parse_value(text: str, type_name: str, flag: str = "--value") -> MxValue:
    """``text`` as a value of that type; a usage error names the type, not the text."""
    try:
        return TYPES[type_name].read(text)
    except (ValueError, KeyError, RecursionError):
        # Without its cause, which quotes the text: it may be a secured value.
        raise _refused(flag, type_name) from None


def parse_values(text: str, type_name: str, flag: str = "--values") -> list[MxValue]:
    """A comma list of values of that type, or a JSON array of them, which for arrays is nested.

    A usage error names the type and the position of the first that is wrong, counted from 1.
    """
    found = TYPES[type_name]
    if not _is_json(text):
        return _each(comma_list(text), found.read, type_name, flag)
    try:
        items = _json(text)
    except (ValueError, RecursionError):
        raise click.UsageError(f"{flag} begins as a JSON array and is none") from None
    return _each(items, found.read_json, type_name, flag)


def _each(
    items: Sequence[_Item], read: Callable[[_Item], MxValue], type_name: str, flag: str
) -> list[MxValue]:
    made: list[MxValue] = []
    for number, item in enumerate(items, 1):
        try:
            made.append(read(item))
        except (ValueError, KeyError, RecursionError):
            raise _refused(f"{flag}: item {number}", type_name) from None
    return made


def _refused(what: str, type_name: str) -> click.UsageError:
    return click.UsageError(
        f"{what} is not of type {type_name}, which takes {TYPES[type_name].accepts}"
    )


def _is_json(text: str) -> bool:
    return text.lstrip().startswith("[")


def _json(text: str) -> list[object]:
    return cast("list[object]", json.loads(text))


def parse_time(text: str) -> MxValue:
    """``--timestamp`` as a value."""
    try:
        return to_mx_value(_exact_time(text))
    except ValueError:
        raise click.UsageError(f"--timestamp takes {TYPES['time'].accepts}") from None


def value_text(value: MxValue) -> str:
    """A value as a person reads it."""
    try:
        return native_text(from_mx_value(value))
    except MxGatewayValueError:
        return "(no value that Python has)"


def native_text(value: MxValueOutput) -> str:
    """The same for what ``from_mx_value`` gives: texts in quotes, times in UTC, spans in seconds,
    opaque bytes in hexadecimal.
    """
    if isinstance(value, list):
        return f"[{', '.join(map(native_text, value))}]"
    if isinstance(value, RawValue):
        return f"0x{value.hex()}" if value.has_bytes else f"({value.raw_diagnostic or 'unknown'})"
    if isinstance(value, datetime):
        return value.astimezone(timezone.utc).replace(tzinfo=None).isoformat() + "Z"
    if isinstance(value, timedelta):
        return f"{value.total_seconds()} s"
    if value is None:
        return "null"
    return str(value).lower() if isinstance(value, bool) else repr(value)


def comma_list(text: str) -> list[str]:
    """The items of a comma list; quotes keep commas and spaces inside an item."""
    try:
        return [item for row in csv.reader([text], skipinitialspace=True) for item in row]
    except csv.Error as error:
        raise click.UsageError(f"a comma list cannot be read: {error}") from None


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


class File(click.Path):
    """A file, as ``Path``."""

    def __init__(self) -> None:
        super().__init__(path_type=Path)

    def convert(
        self,
        value: str | os.PathLike[str],
        param: click.Parameter | None,
        ctx: click.Context | None,
    ) -> str | bytes | os.PathLike[str]:
        """``value`` as a path; click leaves what is none to whoever opens it."""
        try:
            is_path = b"\0" not in os.fsencode(value)
        except UnicodeEncodeError:
            is_path = False
        if not is_path:
            self.fail("no file can be called that", param, ctx)
        return super().convert(value, param, ctx)
