"""What the well-known types can do beyond their fields, mixed into the generated classes.

Times are exact to the nanosecond; Python's ``datetime`` and ``timedelta`` hold microseconds, so
converting to them cuts the rest off (towards the past), and ``to_nanoseconds`` loses nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, timedelta, timezone, tzinfo
from typing import TYPE_CHECKING, Any, Final, Self, cast

from typing_extensions import override

from .codec import DecodeError, EncodeError
from .fields import REGISTRY, fields_of, root_package
from .json import (
    CustomJson,
    JsonValue,
    float_to_json,
    from_json_value,
    single_from_json,
    single_to_json,
    text_from_json,
    to_json_value,
)

if TYPE_CHECKING:
    from .message import Message

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=timezone.utc)
_SECOND: Final = 1_000_000_000
#: Seconds of 0001-01-01T00:00:00Z and 9999-12-31T23:59:59Z: what a Timestamp may hold.
_MIN_SECONDS: Final = -62_135_596_800
_MAX_SECONDS: Final = 253_402_300_799
#: About 10,000 years: what a Duration may hold, either way.
_MAX_DURATION: Final = 315_576_000_000

_RFC3339: Final = re.compile(
    r"(\d{4}-\d{2}-\d{2})T(\d{2}:\d{2}:\d{2})(?:\.(\d{1,9}))?(Z|[+-]\d{2}:\d{2})", re.ASCII
)
_DURATION: Final = re.compile(r"(-?)(\d{1,12})(?:\.(\d{1,9}))?s", re.ASCII)


def _fraction(nanos: int) -> str:
    if nanos == 0:
        return ""
    digits = f"{nanos:09d}"
    for size in (3, 6):
        if digits[size:].strip("0") == "":
            return "." + digits[:size]
    return "." + digits


class TimestampMethods(CustomJson):
    """A point in time, UTC, 0001-01-01 to 9999-12-31."""

    seconds: int
    nanos: int

    @classmethod
    def now(cls) -> Self:
        """The current time, to the microsecond."""
        return cls.from_datetime(datetime.now(timezone.utc))

    @classmethod
    def from_datetime(cls, value: datetime) -> Self:
        """From an aware datetime; a naive one is refused with ``ValueError``."""
        if value.tzinfo is None or value.utcoffset() is None:
            raise ValueError(
                "a naive datetime names no point in time; give it a tzinfo, such as timezone.utc"
            )
        delta = value - _EPOCH
        made = cls()
        made.seconds = delta.days * 86_400 + delta.seconds
        made.nanos = delta.microseconds * 1_000
        return made

    @classmethod
    def from_nanoseconds(cls, value: int) -> Self:
        """From nanoseconds since 1970-01-01T00:00:00Z."""
        made = cls()
        made.seconds, made.nanos = divmod(value, _SECOND)
        return made

    def to_nanoseconds(self) -> int:
        """Nanoseconds since 1970-01-01T00:00:00Z."""
        return self.seconds * _SECOND + self.nanos

    def to_datetime(self, tz: tzinfo = timezone.utc) -> datetime:
        """An aware datetime in ``tz``, cut to the microsecond; ``ValueError`` beyond its range."""
        seconds, nanos = self.seconds, self.nanos
        if not (_MIN_SECONDS <= seconds <= _MAX_SECONDS and 0 <= nanos < _SECOND):
            raise _outside("to_datetime", ValueError)
        utc = _EPOCH + timedelta(0, seconds, nanos // 1_000)  # by keyword takes twice as long
        try:
            return utc if tz is timezone.utc else utc.astimezone(tz)
        except OverflowError:
            raise ValueError("to_datetime: the zone's offset leaves the years 1 to 9999") from None

    def ToDatetime(self, tzinfo: tzinfo | None = None) -> datetime:
        """As google.protobuf's: naive UTC without ``tzinfo``, aware with it."""
        if tzinfo is None:
            return self.to_datetime().replace(tzinfo=None)
        return self.to_datetime(tzinfo)

    @override
    def to_custom_json(self) -> JsonValue:
        """RFC 3339 with 0, 3, 6 or 9 digits of fraction and ``Z``."""
        self._check("to_json", EncodeError)
        utc = _EPOCH + timedelta(seconds=self.seconds)
        return f"{utc:%m-%dT%H:%M:%S}".join((f"{utc.year:04d}-", f"{_fraction(self.nanos)}Z"))

    @override
    @classmethod
    def from_custom_json(cls, value: JsonValue, depth: int) -> Self:
        match = _RFC3339.fullmatch(value) if isinstance(value, str) else None
        if match is None:
            raise DecodeError(
                "google.protobuf.Timestamp: expected RFC 3339, such as 2026-01-31T12:00:00Z"
            )
        day, time, fraction, zone = match.groups()
        try:
            # Without its offset first: an offset may step out of the years that datetime knows.
            moment = datetime.fromisoformat(f"{day}T{time}+00:00") - _EPOCH
        except ValueError as error:
            raise DecodeError(f"google.protobuf.Timestamp: {error}") from None
        made = cls()
        made.seconds = moment.days * 86_400 + moment.seconds - _offset(zone)
        made.nanos = int((fraction or "").ljust(9, "0"))
        made._check("from_json", DecodeError)
        return made

    def _check(self, action: str, error: type[ValueError]) -> None:
        if not (_MIN_SECONDS <= self.seconds <= _MAX_SECONDS and 0 <= self.nanos < _SECOND):
            raise _outside(action, error)


def _outside(action: str, error: type[ValueError]) -> ValueError:
    return error(f"{action}: the Timestamp is outside years 1 to 9999, or its nanos are")


def _offset(zone: str) -> int:
    if zone == "Z":
        return 0
    hours, minutes = int(zone[1:3]), int(zone[4:6])
    if hours > 23 or minutes > 59:
        raise DecodeError("google.protobuf.Timestamp: the offset from UTC is out of range")
    return (-1 if zone[0] == "-" else 1) * (hours * 3_600 + minutes * 60)


class DurationMethods(CustomJson):
    """A signed span of time; ``seconds`` and ``nanos`` have the same sign."""

    seconds: int
    nanos: int

    @classmethod
    def from_timedelta(cls, value: timedelta) -> Self:
        """From a timedelta."""
        microseconds = (value.days * 86_400 + value.seconds) * 1_000_000 + value.microseconds
        return cls.from_nanoseconds(microseconds * 1_000)

    @classmethod
    def from_nanoseconds(cls, value: int) -> Self:
        """From nanoseconds."""
        made = cls()
        seconds, nanos = divmod(abs(value), _SECOND)
        made.seconds, made.nanos = (-seconds, -nanos) if value < 0 else (seconds, nanos)
        return made

    def to_nanoseconds(self) -> int:
        """The span in nanoseconds."""
        return self.seconds * _SECOND + self.nanos

    def to_timedelta(self) -> timedelta:
        """A timedelta, cut to the microsecond towards zero; ``ValueError`` beyond 10,000 years."""
        self._check("to_timedelta", ValueError)
        microseconds = abs(self.to_nanoseconds()) // 1_000
        return timedelta(microseconds=-microseconds if self.to_nanoseconds() < 0 else microseconds)

    def ToTimedelta(self) -> timedelta:
        """``to_timedelta``, under the name that google.protobuf uses."""
        return self.to_timedelta()

    @override
    def to_custom_json(self) -> JsonValue:
        """Seconds with 0, 3, 6 or 9 digits of fraction and ``s``."""
        self._check("to_json", EncodeError)
        sign = "-" if self.seconds < 0 or self.nanos < 0 else ""
        return f"{sign}{abs(self.seconds)}{_fraction(abs(self.nanos))}s"

    @override
    @classmethod
    def from_custom_json(cls, value: JsonValue, depth: int) -> Self:
        match = _DURATION.fullmatch(value) if isinstance(value, str) else None
        if match is None:
            raise DecodeError("google.protobuf.Duration: expected seconds, such as 1.5s")
        sign, seconds, fraction = match.groups()
        total = int(seconds) * _SECOND + int((fraction or "").ljust(9, "0"))
        made = cls.from_nanoseconds(-total if sign else total)
        made._check("from_json", DecodeError)
        return made

    def _check(self, action: str, error: type[ValueError]) -> None:
        if abs(self.seconds) > _MAX_DURATION or abs(self.nanos) >= _SECOND:
            raise error(
                f"{action}: the Duration is beyond 10,000 years, or its nanos beyond a second"
            )
        if self.seconds * self.nanos < 0:
            raise error(f"{action}: the Duration's seconds and nanos differ in sign")


class WrapperMethods(CustomJson):
    """A scalar with presence; in JSON the scalar itself."""

    value: Any

    @override
    def to_custom_json(self) -> JsonValue:
        info = fields_of(cast("type[Message]", type(self)))["value"]
        return single_to_json(info, self.value, False, False)

    @override
    @classmethod
    def from_custom_json(cls, value: JsonValue, depth: int) -> Self:
        message = cast("type[Message]", cls)
        info = fields_of(message)["value"]
        made = cls()
        made.value = single_from_json(info, value, message.__proto_name__, False, depth)
        return made


class StructMethods(CustomJson):
    """A JSON object."""

    fields: Any

    @override
    def to_custom_json(self) -> JsonValue:
        return {key: to_json_value(value) for key, value in self.fields.items()}

    @override
    @classmethod
    def from_custom_json(cls, value: JsonValue, depth: int) -> Self:
        if not isinstance(value, dict):
            raise DecodeError("google.protobuf.Struct: expected an object")
        element = _message_class(cls, "fields")
        made = cls()
        made.fields = {
            text_from_json(key, "google.protobuf.Struct.fields"): from_json_value(
                element, item, depth=depth + 2
            )
            for key, item in cast("dict[str, JsonValue]", value).items()
        }
        return made


class ListValueMethods(CustomJson):
    """A JSON array."""

    values: Any

    @override
    def to_custom_json(self) -> JsonValue:
        return [to_json_value(value) for value in self.values]

    @override
    @classmethod
    def from_custom_json(cls, value: JsonValue, depth: int) -> Self:
        if not isinstance(value, list):
            raise DecodeError("google.protobuf.ListValue: expected an array")
        element = _message_class(cls, "values")
        made = cls()
        items = cast("list[JsonValue]", value)
        made.values = [from_json_value(element, item, depth=depth + 1) for item in items]
        return made


class ValueMethods(CustomJson):
    """Any JSON value."""

    null_value: Any
    number_value: Any
    string_value: Any
    bool_value: Any
    struct_value: Any
    list_value: Any

    @override
    def to_custom_json(self) -> JsonValue:
        if self.number_value is not None:
            number = float_to_json(self.number_value)
            if isinstance(number, str):
                raise EncodeError(f"google.protobuf.Value.number_value: JSON has no {number} here")
            return number
        for scalar in (self.string_value, self.bool_value):
            if scalar is not None:
                return scalar
        for nested in (self.struct_value, self.list_value):
            if nested is not None:
                return to_json_value(nested)
        return None

    @override
    @classmethod
    def from_custom_json(cls, value: JsonValue, depth: int) -> Self:
        made = cls()
        if value is None:
            made.null_value = _enum_class(cls, "null_value")(0)
        elif isinstance(value, bool):
            made.bool_value = value
        elif isinstance(value, (int, float, str)):
            name = "string_value" if isinstance(value, str) else "number_value"
            info = fields_of(cast("type[Message]", cls))[name]
            where = f"google.protobuf.Value.{name}"
            setattr(made, name, single_from_json(info, value, where, False, depth))
        else:
            name = "struct_value" if isinstance(value, dict) else "list_value"
            setattr(made, name, from_json_value(_message_class(cls, name), value, depth=depth + 1))
        return made


class FieldMaskMethods(CustomJson):
    """Paths of fields; in JSON one string of lowerCamelCase paths."""

    paths: list[str]

    @override
    def to_custom_json(self) -> JsonValue:
        return ",".join(_camel(path) for path in self.paths)

    @override
    @classmethod
    def from_custom_json(cls, value: JsonValue, depth: int) -> Self:
        if not isinstance(value, str) or "_" in value:
            raise DecodeError("google.protobuf.FieldMask: expected lowerCamelCase paths and commas")
        made = cls()
        made.paths = [
            re.sub(
                "[A-Z]",
                lambda m: "_" + m[0].lower(),
                text_from_json(p, "google.protobuf.FieldMask.paths"),
            )
            for p in value.split(",")
            if p
        ]
        return made


def _camel(path: str) -> str:
    if re.search("[A-Z]|_[^a-z]|_$", path):
        raise EncodeError("google.protobuf.FieldMask.paths: a path has no lowerCamelCase form")
    return re.sub("_([a-z])", lambda m: m[1].upper(), path)


class AnyMethods(CustomJson):
    """A message of any type with its name. ``pack`` and ``unpack`` convert."""

    type_url: str
    value: bytes

    @classmethod
    def pack(cls, message: Message) -> Self:
        """``message`` with its type's name."""
        made = cls()
        made.type_url = f"type.googleapis.com/{message.__proto_name__}"
        made.value = bytes(message)
        return made

    def unpack(self) -> Message:
        """The message inside; ``DecodeError`` for a type that the generated package has not."""
        name = self.type_url.rpartition("/")[2]
        found = REGISTRY.get((root_package(cast("type[Message]", type(self))), name))
        if found is None:
            raise DecodeError(f"google.protobuf.Any: this contract has no type {name!r}")
        return found.FromString(self.value)

    @override
    def to_custom_json(self) -> JsonValue:
        if not self.type_url:
            return {}
        try:
            message = self.unpack()
        except DecodeError as error:
            raise EncodeError(f"google.protobuf.Any.value: {error}") from None
        shown = to_json_value(message)
        if isinstance(message, CustomJson):
            return {"@type": self.type_url, "value": shown}
        return {"@type": self.type_url, **shown}

    @override
    @classmethod
    def from_custom_json(cls, value: JsonValue, depth: int) -> Self:
        if not isinstance(value, dict):
            raise DecodeError("google.protobuf.Any: expected an object")
        made = cls()
        if not value:
            return made
        rest: JsonValue = dict(cast("dict[str, JsonValue]", value))
        url = rest.pop("@type", None)
        if not isinstance(url, str):
            raise DecodeError("google.protobuf.Any: @type is missing")
        name = url.rpartition("/")[2]
        found = REGISTRY.get((root_package(cast("type[Message]", cls)), name))
        if found is None:
            raise DecodeError(f"google.protobuf.Any: this contract has no type {name!r}")
        if issubclass(found, CustomJson):
            if set(rest) != {"value"}:
                raise DecodeError("google.protobuf.Any: expected @type and value alone")
            rest = rest["value"]
        made.type_url = text_from_json(url, "google.protobuf.Any.@type")
        made.value = bytes(from_json_value(found, rest, depth=depth + 1))
        return made


def _message_class(owner: type, field: str) -> type[Message]:
    type_of = fields_of(cast("type[Message]", owner))[field].type_of
    assert type_of is not None
    return cast("type[Message]", type_of())


def _enum_class(owner: type, field: str) -> Callable[[int], int]:
    type_of = fields_of(cast("type[Message]", owner))[field].type_of
    assert type_of is not None
    return cast("Callable[[int], int]", type_of())
