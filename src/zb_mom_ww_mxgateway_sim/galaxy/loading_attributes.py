"""Attributes from a galaxy's file: their short and long form, what they inherit, their alarms."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

from zb_mom_ww_mxgateway.galaxy import SecurityClassification
from zb_mom_ww_mxgateway_contracts.mxaccess_gateway_v1 import MxDataType

from .definition import (
    DEFAULT_PRIORITY,
    AlarmDefinition,
    AttributeDefinition,
    AttributeSet,
    Scalar,
    Threshold,
    Value,
)
from .documents import DocumentError, Table, TomlValue, nearest
from .loading_signals import SignalReader
from .loading_values import (
    NUMBER_TYPES,
    TYPE_NAMES,
    TYPES,
    WrongValueError,
    data_type_of,
    default_value,
    scalar,
)
from .signals import Signal

#: The longest array that a file may describe, as that of a sparse write.
MAX_ARRAY_LENGTH: Final = 1_000_000

_NAME: Final = re.compile(r"[^\W\d][\w$#]*(\.[^\W\d][\w$#]*)*")
#: What stands for a number in texts and names: ``{n}``, or ``{n:03}`` for at least three digits.
PLACEHOLDER: Final = re.compile(r"\{n(?::0[1-9])?\}")

_KEYS: Final = (
    "type",
    "value",
    "pattern",
    "length",
    "signal",
    "alarm",
    "security",
    "historized",
)
_SECURITY: Final = {
    member.name.lower().replace("_", "-"): member for member in SecurityClassification
}


@dataclass(frozen=True, slots=True)
class Placed:
    """An attribute and the table of attributes in which a file speaks of it last."""

    definition: AttributeDefinition
    table: Table
    key: str

    def error(self, reason: str, *path: str) -> DocumentError:
        """An error at the attribute, or at something in its table."""
        return self.table.error(reason, self.key, *path)


#: Attributes by their casefolded names, in the order in which objects list them.
Attributes: TypeAlias = dict[str, Placed]


class AttributeReader:
    """Reads tables of attributes."""

    def __init__(self, signals: SignalReader) -> None:
        self._signals = signals

    def read(self, table: Table, inherited: Mapping[str, Placed]) -> Attributes:
        """The attributes of a template or an object: what it inherits, changed, and its own.

        Raises:
            GalaxyFileError: The table is at fault.
        """
        attributes = dict(inherited)
        own: dict[str, str] = {}
        for name in table:
            key = name.casefold()
            if not _NAME.fullmatch(name):
                raise table.error(
                    "is no name of an attribute: it starts with a letter or _ and has letters, "
                    "digits, _, $, #, and dots between such names",
                    name,
                )
            if key in own:
                raise table.error(f"is the same as {own[key]!r}; names match in any case", name)
            own[key] = name
            before = inherited.get(key)
            definition = self._definition(table, name, before.definition if before else None)
            attributes[key] = Placed(definition, table, name)
        _check(attributes)
        return attributes

    def _definition(
        self, table: Table, name: str, before: AttributeDefinition | None
    ) -> AttributeDefinition:
        given = table.value(name)
        if isinstance(given, dict):
            long = table.table(name)
            if given and not any(key in _KEYS for key in given):
                raise table.error(
                    f"has none of {', '.join(_KEYS)}; a name with a dot in it stands in quotes",
                    name,
                )
            long.allow(*_KEYS)
        else:
            long = Table(table.document, (*table.path, name), {"value": given})
        data_type = _data_type(long, before)
        value = _value(long, data_type, before)
        signal = self._signal(long, data_type, value, before)
        alarm = _alarm(long, data_type, value, before)
        if alarm is not None and alarm.threshold is not None:
            if signal is not None:
                raise long.error("follows another attribute; it cannot have a signal too", "signal")
            if value is True:
                raise long.error(
                    "follows another attribute, which makes it true; leave it out", "value"
                )
        security, is_historized = SecurityClassification.OPERATE, False
        if before is not None:
            security, is_historized = before.security, before.is_historized
        return AttributeDefinition(
            name=name if before is None else before.name,
            data_type=data_type,
            value=value,
            security=long.choice("security", _SECURITY, security),
            signal=signal,
            alarm=alarm,
            is_historized=long.flag("historized", is_historized),
            is_pattern=_is_pattern(long, before),
        )

    def _signal(
        self,
        long: Table,
        data_type: MxDataType,
        value: Value,
        before: AttributeDefinition | None,
    ) -> Signal | None:
        if "signal" not in long:
            if before is None or "value" in long or "pattern" in long:
                return None  # behind an inherited signal, nobody would see the new value
            return before.signal
        if isinstance(value, list):
            raise long.error("moves single values; an array cannot have one", "signal")
        return self._signals.read(long.table("signal"), data_type)


def _data_type(long: Table, before: AttributeDefinition | None) -> MxDataType:
    given = long.choice("type", TYPES) if "type" in long else None
    if before is not None:
        if given not in (None, before.data_type):
            inherited = TYPE_NAMES[before.data_type]
            raise long.error(f"must stay {inherited}, which the template says", "type")
        return before.data_type
    if given is not None:
        return given
    if "value" in long:
        try:
            return data_type_of(long.value("value"))
        except WrongValueError as fault:
            raise long.error(str(fault), "value") from None
    if "pattern" in long:
        return MxDataType.STRING
    if "alarm" in long:
        return MxDataType.BOOLEAN
    raise long.error(f"needs a value, or a type: one of {', '.join(TYPES)}")


def _value(long: Table, data_type: MxDataType, before: AttributeDefinition | None) -> Value:
    value = _given_value(long, data_type)
    if value is None:
        return default_value(data_type) if before is None else before.value
    if before is not None and before.is_array != isinstance(value, list):
        what = "an array" if before.is_array else "a single value"
        raise long.error(f"must stay {what}, which the template says", "value")
    return value


def _given_value(long: Table, data_type: MxDataType) -> Value | None:
    if "pattern" in long:
        return _pattern(long, data_type)
    length = long.whole("length", -1, least=0, most=MAX_ARRAY_LENGTH)
    if "value" not in long:
        return [default_value(data_type)] * length if "length" in long else None
    value = long.value("value")
    if not isinstance(value, list):
        single = _scalar(long, value, data_type, "value")
        return [single] * length if "length" in long else single
    if "length" in long and length != len(value):
        raise long.error(f"is {length}, but the value has {len(value)} elements", "length")
    return [
        _scalar(long, element, data_type, "value", index) for index, element in enumerate(value)
    ]


def _scalar(long: Table, value: TomlValue, data_type: MxDataType, *path: str | int) -> Scalar:
    try:
        return scalar(value, data_type)
    except WrongValueError as fault:
        raise long.error(str(fault), *path) from None


def _pattern(long: Table, data_type: MxDataType) -> str:
    if "value" in long or "length" in long:
        raise long.error("stands in place of value and length; give one of them", "pattern")
    text = _scalar(long, long.text("pattern"), data_type, "pattern")
    check_pattern(long, "pattern")
    return str(text)


def check_pattern(table: Table, key: str) -> None:
    """Refuse a text with braces that are no placeholder of a number, or with none at all."""
    rest, count = PLACEHOLDER.subn("", table.text(key))
    if not count or "{" in rest or "}" in rest:
        raise table.error(
            "must have {n}, which stands for a number, or {n:03} for one of three digits, and no "
            "other braces",
            key,
        )


def _is_pattern(long: Table, before: AttributeDefinition | None) -> bool:
    if "pattern" in long:
        return True
    return before is not None and before.is_pattern and "value" not in long


def _alarm(
    long: Table, data_type: MxDataType, value: Value, before: AttributeDefinition | None
) -> AlarmDefinition | None:
    if "alarm" not in long:
        return None if before is None else before.alarm
    if data_type is not MxDataType.BOOLEAN or isinstance(value, list):
        raise long.error("needs a condition: a single boolean, and this is none", "alarm")
    table = long.table("alarm")
    table.allow("priority", "description", "category", "attribute", "above", "below", "deadband")
    return AlarmDefinition(
        priority=table.whole("priority", DEFAULT_PRIORITY, least=1, most=999),
        description=table.text("description", ""),
        category=table.text("category", AlarmDefinition().category),
        threshold=_threshold(table),
    )


def _threshold(table: Table) -> Threshold | None:
    if not any(key in table for key in ("attribute", "above", "below", "deadband")):
        return None
    if "above" in table and "below" in table:
        raise table.error("has above and below, which exclude each other; make two alarms", "below")
    if "above" not in table and "below" not in table:
        raise table.error("needs either above or below, the limit of its attribute")
    return Threshold(
        attribute=table.text("attribute"),
        above=table.number("above") if "above" in table else None,
        below=table.number("below") if "below" in table else None,
        deadband=table.number("deadband", 0.0, least=0),
    )


def _check(attributes: Attributes) -> None:
    """Refuse alarms that follow no number, and names that alarms need for themselves."""
    for placed in attributes.values():
        alarm = placed.definition.alarm
        if alarm is None:
            continue
        if alarm.threshold is not None:
            _check_followed(placed, alarm.threshold.attribute, attributes)
        condition = AttributeSet([placed.definition])
        for part in condition.attributes[1:]:
            taken = attributes.get(part.name.casefold())
            if taken is not None:
                name = placed.definition.name
                raise taken.error(f"is a name that the alarm {name!r} needs for itself; rename it")


def _check_followed(placed: Placed, name: str, attributes: Attributes) -> None:
    followed = attributes.get(name.casefold())
    if followed is None:
        names = [other.definition.name for other in attributes.values()]
        raise placed.error(
            f"{name!r} is no attribute of this object{nearest(name, names)}", "alarm", "attribute"
        )
    if followed.definition.data_type not in NUMBER_TYPES or followed.definition.is_array:
        raise placed.error(f"{name!r} is no single number", "alarm", "attribute")


def attribute_set(attributes: Attributes) -> AttributeSet:
    """What objects with these attributes share."""
    return AttributeSet(placed.definition for placed in attributes.values())
