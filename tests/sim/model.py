"""A small model of the gateway: sessions, items, writes and events by the documented rules.

It is what the simulator is compared with, so it has nothing of it: plain Python, one caller at a
time, no clock but ``now``, no sockets. Handles are the gateway's to choose; the model only knows
which are taken.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial
from typing import NamedTuple, TypeVar

from .model_plant import (
    FORBIDDEN,
    NOT_AUTHENTICATED,
    OK,
    SECURED_WRITE,
    VERIFIED_WRITE,
    WRONG,
    CallFailedError,
    Plant,
    Reading,
    RefusedError,
    Status,
    Target,
    Users,
    Watcher,
)
from .model_values import Sent, Sparse, UnfitError, Value, fitted

T = TypeVar("T")


@dataclass(eq=False)
class Item:
    """An added reference. The gateway says which handle it has."""

    registration: Registration
    definition: str
    target: Target
    handle: int = 0
    #: The last data change; there is one from the advice on.
    last: Reading | None = None
    is_suspended: bool = False
    watcher: Watcher | None = None


@dataclass(eq=False)
class Registration:
    """A server handle."""

    handle: int = 0
    items: list[Item] = field(default_factory=list)
    users: set[int] = field(default_factory=set)


class Event(NamedTuple):
    """What is raised; ``unordered`` events of one number may come in any order."""

    family: str
    item: Item
    reading: Reading
    raised_at: float
    unordered: int = 0

    @property
    def item_handle(self) -> int:
        """What the gateway calls the item."""
        return self.item.handle

    @property
    def server_handle(self) -> int:
        """What it calls the registration."""
        return self.item.registration.handle


class Session:
    """One session. What a command replies, or ``CallFailedError``, or ``RefusedError``."""

    #: Ring and grace of the gateway that is compared.
    RING, RING_AGE, GRACE = 16, 21.0, 30.0

    def __init__(self, plant: Plant, users: Users) -> None:
        self.plant = plant
        self.known = users
        self.state = "READY"
        self.registrations: list[Registration] = []
        self.events: list[Event] = []
        #: How many of them a stream or a drain has taken.
        self.taken = 0
        self.is_attached = False
        self.detached_at: float | None = None

    def require_ready(self) -> None:
        """Commands and streams need READY."""
        if self.state != "READY":
            raise CallFailedError("FAILED_PRECONDITION")

    # Handles

    def registration(self, handle: int) -> Registration:
        """An invalid server handle: 0x80070057, CONFIGURATION_ERROR."""
        for registration in self.registrations:
            if registration.handle == handle:
                return registration
        raise RefusedError

    def item(self, server: int, handle: int) -> Item:
        """An invalid item handle likewise."""
        for item in self.registration(server).items:
            if item.handle == handle:
                return item
        raise RefusedError

    def register(self) -> Registration:
        """A positive server handle."""
        self.registrations.append(Registration())
        return self.registrations[-1]

    def unregister(self, server: int) -> None:
        """Its items, advices and user ids are void afterwards."""
        registration = self.registration(server)
        for item in list(registration.items):
            self.remove(server, item.handle)
        self.registrations.remove(registration)

    def add(self, server: int, definition: str, context: str = "") -> Item:
        """Succeeds for references that do not exist; the same name twice: two handles.

        A context is tried before the definition, and passed on as given: no ``[]`` is appended.
        """
        registration = self.registration(server)
        if not definition:
            raise RefusedError
        target = None
        if context:
            target = self.plant.target(f"{context}.{definition}", appends=False)
        if target is None or target.name not in self.plant.deployed:
            target = self.plant.target(definition)
        item = Item(registration, definition, target)
        registration.items.append(item)
        return item

    def remove(self, server: int, handle: int) -> Item:
        """While advised: un-advises first."""
        item = self.un_advise(server, handle)
        item.registration.items.remove(item)
        return item

    def advise(self, server: int, handle: int) -> Item:
        """The current value follows as the first OnDataChange. Advising twice: no second stream."""
        return self._start(self.item(server, handle))

    def subscribe(self, server: int, definition: str) -> Item:
        """Adds and advises."""
        return self._start(self.add(server, definition))

    def _start(self, item: Item) -> Item:
        if item.last is None:
            item.is_suspended = False
            item.watcher = Watcher(item.target.index, partial(self._changed, item))
            self.plant.watched.setdefault(item.target.name, []).append(item.watcher)
            self._tell(item)
        return item

    def un_advise(self, server: int, handle: int) -> Item:
        """No data changes from now on; harmless for an item that is not advised."""
        item = self.item(server, handle)
        if item.watcher is not None:
            self.plant.watched[item.target.name].remove(item.watcher)
            item.last = item.watcher = None
        return item

    def suspend(self, server: int, handle: int) -> None:
        """A suspended item sends no data changes."""
        self._advised(server, handle).is_suspended = True

    def activate(self, server: int, handle: int) -> None:
        """Activating sends the current value, if the item was suspended."""
        item = self._advised(server, handle)
        if item.is_suspended:
            item.is_suspended = False
            self._tell(item)

    def _advised(self, server: int, handle: int) -> Item:
        item = self.item(server, handle)
        if item.last is None:
            raise RefusedError
        return item

    # Values

    def _changed(self, item: Item, unordered: int) -> None:
        """An attribute changed. Invalid reference: one OnDataChange."""
        reading = self.plant.read(item.target)
        is_news = item.last is None or reading.status == OK or reading.status != item.last.status
        if is_news and not item.is_suspended:
            self._tell(item, unordered)

    def _tell(self, item: Item, unordered: int = 0) -> None:
        item.last = self.plant.read(item.target)
        self._raise("ON_DATA_CHANGE", item, item.last, unordered)

    def write(self, write: Write) -> None:
        """OK means accepted; the outcome is an OnWriteComplete, which always follows."""
        item = self.item(write.server, write.item)
        users = item.registration.users
        if write.signers is not None and not users.issuperset(write.signers):
            raise RefusedError(NOT_AUTHENTICATED, FORBIDDEN)
        if item.last is None or self.plant.read(item.target).status != OK:
            raise RefusedError
        attribute = self.plant.deployed[item.target.name]
        status = self._objection(write, attribute.security, users)
        value: Value = ""
        if status == OK:
            try:
                if not write.has_fitting_time:
                    raise UnfitError
                value = fitted(write.value, attribute.data_type, whole=item.target.whole)
            except UnfitError:
                status = WRONG
        self._raise("ON_WRITE_COMPLETE", item, Reading(status))
        if status == OK:
            self.plant.write(item.target, value, write.time)

    def _objection(self, write: Write, security: str, users: set[int]) -> Status:
        signers = write.signers
        if security == "VIEW_ONLY":
            return FORBIDDEN
        if security == "SECURED_WRITE" and signers is None:
            return SECURED_WRITE
        if security == "VERIFIED_WRITE" and (signers is None or len(set(signers)) == 1):
            return VERIFIED_WRITE
        if signers is None and self.known.is_secured and security != "FREE_ACCESS":
            return OK if write.user in users else FORBIDDEN
        return OK

    def read_bulk(self, server: int, tag: str) -> tuple[list[Item], Reading]:
        """A tag already added and advised in the session: its last data change, of any such item;
        else the present value.
        """
        self.registration(server)
        if not tag:
            raise RefusedError
        target = self.plant.target(tag)
        cached = [
            item
            for owner in self.registrations
            for item in owner.items
            if item.last is not None and item.target == target
        ]
        return cached, self.plant.read(target)

    # Users

    def authenticate(self, server: int, name: str, password: str) -> int:
        """Open galaxy: every credential gives user id 1; secured: a bad one gives 0x80070057."""
        registration = self.registration(server)
        user = self.known.log_in(name, password)
        registration.users.add(user)
        return user

    def user_of_guid(self, server: int, guid: str) -> int:
        """GUID of a configured user → its id, else 0x80070057."""
        self.registration(server)
        if guid not in self.known.by_guid:
            raise RefusedError
        return self.known.by_guid[guid]

    # Events

    def _raise(self, family: str, item: Item, reading: Reading, unordered: int = 0) -> None:
        self.events.append(Event(family, item, reading, self.plant.now, unordered))

    def drain(self, limit: int) -> int:
        """How many events DrainEvents gives: queued ones, oldest first, 0 = all."""
        queued = len(self.events) - self.taken
        return min(limit, queued) if limit else queued

    def take(self, item_handle: int) -> tuple[int, Event]:
        """The next queued event, and its sequence; the item's where the order is not given."""
        group = self.events[self.taken].unordered
        if group:
            # A subscriber that resumes within such a group may have been told of any of it before.
            at, *_ = [
                at
                for at, event in enumerate(self.events)
                if event.unordered == group and event.item_handle == item_handle
            ]
            event = self.events[at]
            self.events[at] = self.events[self.taken]
            self.events[self.taken] = event._replace(unordered=0)
        self.taken += 1
        return self.taken, self.events[self.taken - 1]

    def attach(self, after: int) -> int | None:
        """One subscriber a session. Returns the oldest sequence there is, if there is a gap."""
        self.require_ready()
        if self.is_attached:
            raise CallFailedError("ALREADY_EXISTS")
        self.is_attached, self.detached_at = True, None
        if after == 0:
            return None
        last = len(self.events)
        kept = [
            sequence
            for sequence, event in enumerate(self.events, 1)
            if sequence > self.taken
            or (sequence > last - self.RING and event.raised_at >= self.plant.now - self.RING_AGE)
        ]
        oldest = kept[0] if kept else last + 1
        self.taken = min(max(after, oldest - 1), last)
        return oldest if after + 1 < oldest else None

    def detach(self) -> None:
        """When the last stream drops, the session lives for 30 s more."""
        self.is_attached, self.detached_at = False, self.plant.now

    def let_time_pass(self) -> None:
        """Close once the grace is over."""
        if self.detached_at is not None and self.plant.now >= self.detached_at + self.GRACE:
            self.close()

    def close(self) -> None:
        """Un-advises, removes items, unregisters."""
        for registration in list(self.registrations):
            self.unregister(registration.handle)
        self.state = "CLOSED"


@dataclass(frozen=True)
class Write:
    """A write of any family; ``signers`` are current user and verifier of a secured one."""

    server: int
    item: int
    value: Sent
    #: In nanoseconds: when it happens, or the time to store.
    time: int
    user: int = 0
    signers: tuple[int, int] | None = None
    #: False if the time to store is none.
    has_fitting_time: bool = True


def check_well_formed(values: Iterable[Sent]) -> None:
    """A sparse array that describes no array ends the call."""
    if any(isinstance(value, Sparse) and value.is_malformed() for value in values):
        raise CallFailedError("INVALID_ARGUMENT")


def each(entries: Iterable[Callable[[], T]]) -> list[T | RefusedError]:
    """Entries run in order; a failing one fails alone, and the rest go on."""
    results: list[T | RefusedError] = []
    for entry in entries:
        try:
            results.append(entry())
        except RefusedError as failure:
            results.append(failure)
    return results
