"""The galaxy at run time: references into it, the values of attributes, and who watches them.

An attribute takes no memory until somebody refers to it, and again when nobody does, unless it was
written to.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final, Protocol
from weakref import WeakValueDictionary

from zb_mom_ww_mxgateway_contracts.google_protobuf import Timestamp
from zb_mom_ww_mxgateway_contracts.mxaccess_gateway_v1 import MxStatusProxy, MxValue

from ..clock import Clock
from ..statuses import ARRAY_ACCESS, INVALID_REFERENCE, OK, configuration_error
from ..users import Users
from ..values import mx_value
from .definition import AttributeDefinition, Value
from .signals import signal_key
from .store import Store, StoredObject

#: OPC qualities.
GOOD: Final = 192
CONFIGURATION_ERROR: Final = 4

#: How many data changes are made, or events read, before other tasks have their turn.
BREATH: Final = 250
#: The part of the time between two changes of the signals over which these are spread.
_SPREAD: Final = 0.8

_REFERENCE: Final = re.compile(r"([^\[\]]+?)(\[(\d{0,9})\])?")

_NOT_DEPLOYED: Final = configuration_error("the reference is invalid", INVALID_REFERENCE)
_NO_ELEMENT: Final = configuration_error("the array has no such element", INVALID_REFERENCE)
_BARE_ARRAY: Final = configuration_error(
    "the attribute is an array; use Attr[] for the whole or Attr[n] for one element", ARRAY_ACCESS
)


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


class Overlay(Protocol):
    """Something that is wrong with what objects read as, such as bad quality."""

    def covers(self, owner: StoredObject) -> bool:
        """Whether it is wrong with that object."""
        ...

    def over(self, reading: Reading) -> Reading:
        """What is read in place of ``reading``."""
        ...


class Attribute:
    """An attribute that somebody refers to, with its present value and its watchers.

    Where nothing of its name is deployed, it has no definition and no value; a deploy may change
    that either way.
    """

    __slots__ = (
        "__weakref__",
        "as_of",
        "definition",
        "name",
        "owner",
        "signal_key",
        "signalled",
        "timestamp",
        "value",
        "watchers",
    )

    def __init__(self, name: str, timestamp: Timestamp) -> None:
        #: The full name, spelled as it is deployed where it is.
        self.name = name
        self.owner: StoredObject | None = None
        self.definition: AttributeDefinition | None = None
        self.value: Value = ""
        self.timestamp = timestamp
        self.watchers: dict[Watcher, None] = {}
        self.signal_key = 0
        #: The last value of the signal; it stands until the next one, unless another is written.
        self.signalled: Value | None = None
        #: The k of the galaxy at which the signal was looked at.
        self.as_of = -1


@dataclass(frozen=True, slots=True)
class Point:
    """Where a reference leads: an attribute, all of an array, or one element counted from 1."""

    attribute: Attribute
    #: The reference as items are compared.
    reference: str
    index: int | None = None
    #: Whether it says that it means a whole array.
    is_array: bool = False


class Galaxy:
    """All that is deployed. ``k`` counts the changes of the signals; the last was at ``now``."""

    def __init__(
        self, store: Store, users: Users, *, seed: int, clock: Clock, change_interval: float
    ) -> None:
        self.store = store
        self.users = users
        self.clock = clock
        self.change_interval = change_interval
        #: Seconds from an advice to its first value (live: 3 to 8).
        self.first_value_delay = 0.0
        #: Seconds from an accepted write to its outcome.
        self.write_delay = 0.0
        self.k = 0
        self.now = clock.now()
        #: Called with an attribute before it is written to for the first time.
        self.on_first_write: Callable[[Attribute], None] | None = None
        self._seed = seed
        self._attributes: WeakValueDictionary[str, Attribute] = WeakValueDictionary()
        self._written: dict[str, Attribute] = {}
        self._watched: dict[Attribute, None] = {}
        self._moving: dict[Attribute, None] = {}  # watched and with a signal
        self._overlays: list[Overlay] = []

    def resolve(self, reference: str, *, is_known: bool = True) -> Point:
        """Where ``reference`` leads; any case is the same (D).

        Args:
            reference: ``tag_name.Attribute``, ``[]`` behind it for a whole array, ``[n]`` for one
                element, n from 1.
            is_known: Whether the gateway sees the whole reference: it appends ``[]`` to the bare
                name of an array then, as MXAccess reads no bare array.
        """
        key = reference.strip().casefold()
        match = _REFERENCE.fullmatch(key)
        if match is None or (match[3] or "").startswith("0"):  # elements count from 1
            return Point(self._attribute(key), key)
        attribute, number = self._attribute(match[1]), match[3]
        if number:
            return Point(attribute, key, index=int(number))
        is_array = match[2] is not None
        if not is_array and is_known and attribute.definition is not None:
            is_array = attribute.definition.is_array
        return Point(attribute, f"{match[1]}[]" if is_array else key, is_array=is_array)

    def _attribute(self, key: str) -> Attribute:
        attribute = self._attributes.get(key)
        if attribute is None:
            attribute = self._attributes[key] = Attribute(key, self.now)
            self._look_up(key, attribute)
        return attribute

    def _look_up(self, key: str, attribute: Attribute) -> bool:
        """Take what is deployed under that name; whether it is something else than before.

        What was written stays, unless the type or the signal is another now (D).
        """
        found = self.store.attribute(key)
        before = attribute.definition
        if found is None:
            attribute.owner = attribute.definition = None
            return before is not None
        attribute.owner, definition = found
        attribute.definition = definition
        attribute.name = f"{attribute.owner.tag_name}.{definition.name}"
        if (
            before is not None
            and (before.data_type, before.is_array) == (definition.data_type, definition.is_array)
            and before.signal == definition.signal
            and (before.value == definition.value or key in self._written)
        ):
            return False
        attribute.value = definition.value_of(attribute.owner.tag_name)
        attribute.timestamp = self.now
        attribute.signal_key = signal_key(self._seed, attribute.name)
        attribute.signalled, attribute.as_of = None, -1
        return True

    def within(self, reference: str, roots: tuple[str, ...]) -> bool:
        """Whether the object of a reference, or of a tag name, is one of ``roots`` or below one.

        D: what is not deployed is below nothing.
        """
        return self.store.within(reference.strip().partition(".")[0], roots)

    @property
    def written(self) -> list[Attribute]:
        """What was written to and is still deployed."""
        return list(self._written.values())

    def deploy(self, store: Store, users: Users) -> None:
        """Go by what is deployed now; items of removed objects have a configuration error then, and
        those whose object has come are resolved.
        """
        self.store, self.users = store, users
        # By name, as the store is quick with attributes of one object that come together.
        for key, attribute in sorted(self._attributes.items()):
            changed = self._look_up(key, attribute)
            if attribute.definition is None:
                self._written.pop(key, None)
            self._sort(attribute)
            if changed:
                _tell(attribute)

    def read(self, point: Point) -> Reading:
        """The present value; a configuration error without a value for what leads nowhere."""
        attribute, definition = point.attribute, point.attribute.definition
        found = self._found(point)
        if isinstance(found, MxStatusProxy) or definition is None:
            error = found if isinstance(found, MxStatusProxy) else _NOT_DEPLOYED
            return Reading(None, CONFIGURATION_ERROR, self.now, error)
        quality = GOOD
        if definition.signal is not None and attribute.value is attribute.signalled:
            quality = definition.signal.quality(attribute.as_of, attribute.signal_key)
        made = mx_value(found, definition.data_type)
        reading = Reading(made, quality, attribute.timestamp, OK)
        for overlay in self._overlays:
            if attribute.owner is not None and overlay.covers(attribute.owner):
                reading = overlay.over(reading)
        return reading

    def leads_somewhere(self, point: Point) -> bool:
        """Whether there is something to read and write."""
        return not isinstance(self._found(point), MxStatusProxy)

    def _found(self, point: Point) -> Value | MxStatusProxy:
        """The present value, or what is wrong with the reference."""
        attribute, index = point.attribute, point.index
        if attribute.definition is None:
            return _NOT_DEPLOYED
        value = self.value(attribute)
        if isinstance(value, list):
            if index is not None:
                return value[index - 1] if index <= len(value) else _NO_ELEMENT
            return value if point.is_array else _BARE_ARRAY
        return _NOT_DEPLOYED if index is not None or point.is_array else value

    def value(self, attribute: Attribute) -> Value:
        """The present value of what is deployed."""
        definition = attribute.definition
        if definition is None or definition.signal is None or attribute.as_of == self.k:
            return attribute.value
        attribute.as_of = self.k
        value = definition.signal.value(self.k, attribute.signal_key)
        if value != attribute.signalled or attribute.signalled is None:
            attribute.value = attribute.signalled = value
            attribute.timestamp = self.now
        return attribute.value

    def write(self, point: Point, value: Value, timestamp: Timestamp) -> None:
        """Change the value and tell the watchers. A signal takes over again when it next moves."""
        attribute = point.attribute
        if attribute.name.casefold() not in self._written:
            self._written[attribute.name.casefold()] = attribute
            if self.on_first_write is not None:
                self.on_first_write(attribute)
        before = self.value(attribute)
        if point.index is not None and isinstance(before, list) and not isinstance(value, list):
            attribute.value = [*before[: point.index - 1], value, *before[point.index :]]
        else:
            attribute.value = value
        attribute.timestamp = timestamp
        _tell(attribute, point.index)

    def watch(self, point: Point, watcher: Watcher) -> None:
        """Tell ``watcher`` of each new value from now on."""
        point.attribute.watchers[watcher] = None
        self._sort(point.attribute)

    def unwatch(self, point: Point, watcher: Watcher) -> None:
        """Tell ``watcher`` no more."""
        point.attribute.watchers.pop(watcher, None)
        self._sort(point.attribute)

    def _sort(self, attribute: Attribute) -> None:
        """Put an attribute among those that are watched and those that move, or take it away."""
        definition = attribute.definition
        if not attribute.watchers:
            self._watched.pop(attribute, None)
            self._moving.pop(attribute, None)
            return
        self._watched[attribute] = None
        if definition is not None and definition.signal is not None:
            self._moving[attribute] = None
        else:
            self._moving.pop(attribute, None)

    @contextmanager
    def overlaid(self, overlay: Overlay) -> Generator[None]:
        """Let something be wrong with what objects read as; whoever watches them is told."""
        self._overlays.append(overlay)
        self._tell_covered(overlay)
        try:
            yield
        finally:
            self._overlays.remove(overlay)
            self._tell_covered(overlay)

    def _tell_covered(self, overlay: Overlay) -> None:
        for attribute in list(self._watched):
            if attribute.owner is not None and overlay.covers(attribute.owner):
                _tell(attribute)

    async def run(self) -> None:
        """Let the signals move until cancelled. Where there is more to do than time, they move more
        slowly: a plant does not outrun its own simulator.
        """
        due = self.clock.time()
        while True:
            due = max(due + self.change_interval, self.clock.time())
            await self._until(due)
            await self.advance(spread=self.change_interval * _SPREAD)

    async def advance(self, spread: float = 0.0) -> None:
        """Let every signal move on by one; only watched attributes cost anything.

        Many changes do not come at once, as in no plant, but spread over ``spread`` seconds.
        """
        self.k += 1
        self.now = self.clock.now()
        begun, told = self.clock.time(), 0
        moving = list(self._moving)
        total = sum(len(attribute.watchers) for attribute in moving)
        for attribute in moving:
            definition = attribute.definition
            if definition is None or definition.signal is None:
                continue
            if not definition.signal.moves(self.k, attribute.signal_key):
                continue
            for watcher in list(attribute.watchers):
                if watcher in attribute.watchers:  # not while others had their turn
                    watcher.changed()
                told += 1
                if told % BREATH == 0:
                    await self._until(begun + spread * told / total)

    async def _until(self, due: float) -> None:
        left = due - self.clock.time()
        await (self.clock.sleep(left) if left > 0 else asyncio.sleep(0))


async def breathe(number: int, breath: int = BREATH) -> None:
    """Let other tasks have their turn where ``number``, counted from 1, ends a breath."""
    if number % breath == 0:
        await asyncio.sleep(0)


def _tell(attribute: Attribute, index: int | None = None) -> None:
    """Tell those who watch the whole, or the element with that ``index``; all for None."""
    for watcher in list(attribute.watchers):
        if index is None or watcher.index in (None, index):
            watcher.changed()
