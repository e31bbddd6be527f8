"""The galaxy: objects, attributes, the signals that move them, and references into them.

The k-th value of a signal depends on the seed, the attribute's name and k alone.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum
from typing import Final, Protocol

from zb_mom_ww_mxgateway_contracts.google_protobuf import Timestamp
from zb_mom_ww_mxgateway_contracts.mxaccess_gateway_v1 import MxDataType, MxStatusProxy, MxValue

from .statuses import INVALID_REFERENCE, OK, configuration_error
from .values import Scalar, Value, mx_value

#: OPC qualities.
GOOD: Final = 192
CONFIGURATION_ERROR: Final = 4

#: The severity of every alarm until somebody writes another; 1 is the most urgent, 999 the least.
PRIORITY: Final = 500

#: How many data changes are made before other tasks have their turn.
BREATH: Final = 250

_REFERENCE: Final = re.compile(r"([^\[\]]+?)(?:\[(\d{0,9})\])?")


class Security(Enum):
    """What a write to an attribute needs."""

    OPERATE = "operate"
    SECURED_WRITE = "secured write"
    VERIFIED_WRITE = "verified write"
    VIEW_ONLY = "view only"


@dataclass(frozen=True, slots=True)
class Signal:
    """A ramp that repeats; two values in a row always differ."""

    start: int
    stride: int

    SPAN = 10_000

    @classmethod
    def of(cls, seed: int, tag: str) -> Signal:
        """The signal of an attribute."""
        digest = hashlib.blake2b(f"{seed}:{tag}".encode(), digest_size=8).digest()
        return cls(int.from_bytes(digest[:4], "big") % cls.SPAN, 1 + digest[4] % 9)

    def value(self, k: int) -> int:
        """The ``k``-th value."""
        return (self.start + k * self.stride) % self.SPAN


@dataclass(frozen=True, slots=True)
class Reading:
    """What a reference reads as at one moment."""

    value: MxValue | None
    quality: int
    timestamp: Timestamp
    status: MxStatusProxy


class Watcher(Protocol):
    """Whoever wants to know that an attribute has a new value."""

    #: The element watched, counted from 1; None watches the whole.
    index: int | None

    def changed(self) -> None:
        """Take notice."""


@dataclass(slots=True, eq=False)
class Attribute:
    """An attribute with its present value, its watchers, and the signal that moves it."""

    name: str
    data_type: MxDataType
    value: Value
    timestamp: Timestamp
    security: Security = Security.OPERATE
    signal: Signal | None = None
    #: The k of the galaxy at which ``value`` was current, where there is a signal.
    as_of: int = 0
    #: Whether it is the condition of an alarm, which has sub-attributes then.
    is_alarm: bool = False
    is_historized: bool = False
    watchers: dict[Watcher, None] = field(default_factory=dict[Watcher, None])


@dataclass(frozen=True, slots=True)
class Point:
    """Where a reference leads: an attribute, or one element of it counted from 1."""

    attribute: Attribute
    index: int | None = None

    @property
    def is_array(self) -> bool:
        """Whether the whole of an array is meant."""
        return isinstance(self.attribute.value, list) and self.index is None


class Galaxy:
    """All that is deployed. ``k`` counts the changes of the signals; the last was at ``now``."""

    def __init__(self, *, seed: int, machines: int) -> None:
        self.k = 0
        self.now = Timestamp.now()
        self._seed = seed
        self._moving: dict[Attribute, None] = {}  # with a signal and watched
        self._attributes = {
            attribute.name.casefold(): attribute for attribute in self._deploy(machines)
        }

    def _deploy(self, machines: int) -> Iterator[Attribute]:
        for number in range(1, machines + 1):
            machine = f"TestMachine_{number:03d}"
            signal = Signal.of(self._seed, f"{machine}.TestChangingInt")
            yield self._attribute(f"{machine}.TestChangingInt", signal.value(0), signal=signal)
            for alarm in range(1, 4):
                yield from self._alarm(f"{machine}.TestAlarm{alarm:03d}")
            secured, verified = Security.SECURED_WRITE, Security.VERIFIED_WRITE
            yield self._attribute(f"{machine}.ProtectedValue", False, security=secured)
            yield self._attribute(f"{machine}.ProtectedValue1", False, security=verified)
            history = Signal.of(self._seed, f"{machine}.TestHistoryValue").start
            yield self._attribute(f"{machine}.TestHistoryValue", history, is_historized=True)
            yield self._attribute(f"{machine}.MachineCode", f"M{number:03d}")
        yield self._attribute("TestChildObject.TestBool", False)
        yield self._attribute("TestChildObject.TestInt", 0)
        yield self._attribute("TestChildObject.TestString", "")
        items: list[Scalar] = [f"Item {index}" for index in range(1, 11)]
        yield self._attribute("TestChildObject.TestStringArray", items)

    def _alarm(self, name: str) -> Iterator[Attribute]:
        """The condition of an alarm and its sub-attributes: nothing waits for acknowledgement."""
        yield self._attribute(name, False, is_alarm=True)
        yield self._attribute(f"{name}.InAlarm", False, security=Security.VIEW_ONLY)
        yield self._attribute(f"{name}.Acked", True, security=Security.VIEW_ONLY)
        yield self._attribute(f"{name}.Priority", PRIORITY)
        yield self._attribute(f"{name}.AckMsg", "")

    def _attribute(
        self,
        name: str,
        value: Value,
        *,
        security: Security = Security.OPERATE,
        signal: Signal | None = None,
        is_alarm: bool = False,
        is_historized: bool = False,
    ) -> Attribute:
        element = value[0] if isinstance(value, list) else value
        if isinstance(element, bool):
            data_type = MxDataType.BOOLEAN
        else:
            data_type = MxDataType.INTEGER if isinstance(element, int) else MxDataType.STRING
        return Attribute(
            name,
            data_type,
            value,
            self.now,
            security,
            signal,
            is_alarm=is_alarm,
            is_historized=is_historized,
        )

    def deploy(self, machines: int) -> None:
        """Have so many TestMachines from now on.

        What stays keeps its value and watchers. D: an item that was added before keeps what it
        leads to, even where a new one would find nothing any more.
        """
        wanted = {attribute.name.casefold(): attribute for attribute in self._deploy(machines)}
        self._attributes = {key: self._attributes.get(key, new) for key, new in wanted.items()}

    def attributes(self) -> Iterator[Attribute]:
        """Every attribute, in the order of deployment."""
        return iter(self._attributes.values())

    def normalize(self, reference: str) -> str:
        """``reference`` as items are compared: any case is the same (D), and ``[]`` is appended to
        the bare name of an array.
        """
        key = reference.strip().casefold()
        attribute = self._attributes.get(key)
        return f"{key}[]" if attribute and isinstance(attribute.value, list) else key

    def resolve(self, normalized: str) -> Point | None:
        """Where a normalized reference leads; None for one that leads nowhere."""
        match = _REFERENCE.fullmatch(normalized)
        attribute = self._attributes.get(match[1]) if match else None
        if match is None or attribute is None:
            return None
        brackets = match[2]
        if brackets is None:
            return Point(attribute)
        if not isinstance(attribute.value, list) or brackets.strip("0") == "" != brackets:
            return None
        return Point(attribute, int(brackets) if brackets else None)

    def read(self, point: Point | None) -> Reading:
        """The present value; a configuration error without a value for what leads nowhere."""
        if point is None:
            return self._nothing()
        attribute = point.attribute
        if attribute.signal is not None and attribute.as_of != self.k:
            attribute.value = attribute.signal.value(self.k)
            attribute.timestamp, attribute.as_of = self.now, self.k
        value = attribute.value
        if isinstance(value, list) and point.index is not None:
            if point.index > len(value):
                return self._nothing()
            value = value[point.index - 1]
        return Reading(mx_value(value, attribute.data_type), GOOD, attribute.timestamp, OK)

    def _nothing(self) -> Reading:
        error = configuration_error("the reference is invalid", INVALID_REFERENCE)
        return Reading(None, CONFIGURATION_ERROR, self.now, error)

    def write(self, point: Point, value: Value, timestamp: Timestamp) -> None:
        """Change the value and tell the watchers. A signal takes over again when it next moves."""
        attribute = point.attribute
        if point.index is None:
            attribute.value = value
        elif isinstance(attribute.value, list) and not isinstance(value, list):
            attribute.value = list(attribute.value)
            attribute.value[point.index - 1] = value
        attribute.timestamp, attribute.as_of = timestamp, self.k
        for watcher in list(attribute.watchers):
            if point.index is None or watcher.index in (None, point.index):
                watcher.changed()

    def watch(self, point: Point, watcher: Watcher) -> None:
        """Tell ``watcher`` of each new value from now on."""
        point.attribute.watchers[watcher] = None
        if point.attribute.signal is not None:
            self._moving[point.attribute] = None

    def unwatch(self, point: Point, watcher: Watcher) -> None:
        """Tell ``watcher`` no more."""
        point.attribute.watchers.pop(watcher, None)
        if not point.attribute.watchers:
            self._moving.pop(point.attribute, None)

    async def advance(self) -> None:
        """Let every signal move on by one; only watched attributes cost anything."""
        self.k += 1
        self.now = Timestamp.now()
        told = 0
        for attribute in list(self._moving):
            for watcher in list(attribute.watchers):
                if watcher in attribute.watchers:  # not while others had their turn
                    watcher.changed()
                told += 1
                if told % BREATH == 0:
                    await asyncio.sleep(0)
