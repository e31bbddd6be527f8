"""Registrations, their items and advices: the handles of one session."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from itertools import count

from zb_mom_ww_mxgateway_contracts.mxaccess_gateway_v1 import MxEvent

from .events import data_change
from .galaxy import Galaxy, Point, Reading
from .statuses import invalid_argument, not_authenticated


class Item:
    """One added reference. The reference may lead nowhere, which advising it shows."""

    def __init__(self, handle: int, definition: str, reference: str, point: Point | None) -> None:
        self.handle = handle
        self.definition = definition
        #: The reference as items are compared.
        self.reference = reference
        self.point = point
        self.advice: Advice | None = None


class Registration:
    """A server handle with its items and authenticated users."""

    def __init__(self, handle: int) -> None:
        self.handle = handle
        self.items: dict[int, Item] = {}
        self.users: set[int] = set()

    def item(self, handle: int) -> Item:
        """The item with that handle; ``MxAccessFailure`` if this registration has none."""
        item = self.items.get(handle)
        if item is None:
            raise invalid_argument(
                f"server handle {self.handle} has no item handle {handle}; handles end with "
                "RemoveItem, Unregister and their session"
            )
        return item

    def require_users(self, current: int, verifier: int) -> None:
        """``MxAccessFailure`` unless both were authenticated here. D: the verifier too, always."""
        for role, user_id in (("current", current), ("verifier", verifier)):
            if user_id not in self.users:
                raise not_authenticated(
                    f"the {role} user id {user_id} was not authenticated on server handle "
                    f"{self.handle}; call AuthenticateUser there first"
                )


class Advice:
    """A running advice: the first value after the delay, and then every change.

    ``emit`` raises an event now, ``cause`` one that follows the reply of the present command.
    """

    def __init__(
        self,
        galaxy: Galaxy,
        server_handle: int,
        item: Item,
        emit: Callable[[MxEvent], None],
    ) -> None:
        self.index = item.point.index if item.point else None
        #: The last data change; None until the first, which resolves the reference.
        self.last: Reading | None = None
        self.arrived = asyncio.Event()
        self._galaxy = galaxy
        self._server_handle = server_handle
        self._item = item
        self._emit = emit
        self._timer: asyncio.TimerHandle | None = None

    def start(self, delay: float, cause: Callable[[MxEvent], None]) -> None:
        """Begin; without ``delay`` (in seconds) the first value is caused at once."""
        if delay > 0:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(delay, self._take, self._emit)
        else:
            self._take(cause)

    def _take(self, raise_event: Callable[[MxEvent], None]) -> None:
        if self.last is None and self._item.point is not None:
            self._galaxy.watch(self._item.point, self)
        self.last = self._galaxy.read(self._item.point)
        self.arrived.set()
        raise_event(data_change(self._server_handle, self._item.handle, self.last))

    def changed(self) -> None:
        """Tell the new value on; the galaxy calls it."""
        self._take(self._emit)

    def stop(self) -> None:
        """End; events that were raised may still arrive."""
        if self._timer is not None:
            self._timer.cancel()
        if self._item.point is not None:
            self._galaxy.unwatch(self._item.point, self)


class Handles:
    """All registrations of a session. Handles are positive and never reused (D)."""

    def __init__(self, galaxy: Galaxy) -> None:
        self._galaxy = galaxy
        self._registrations: dict[int, Registration] = {}
        self._server_handles = count(1)
        self._item_handles = count(1)

    def __iter__(self) -> Iterator[Registration]:
        return iter(self._registrations.values())

    def register(self) -> Registration:
        """A new registration."""
        made = Registration(next(self._server_handles))
        self._registrations[made.handle] = made
        return made

    def registration(self, handle: int) -> Registration:
        """The registration with that handle; ``MxAccessFailure`` if the session has none."""
        found = self._registrations.get(handle)
        if found is None:
            raise invalid_argument(
                f"the session has no server handle {handle}; call Register first and use its handle"
            )
        return found

    def add(self, registration: Registration, definition: str, context: str = "") -> Item:
        """A new item; any reference will do, except none at all (D).

        D: with a context, ``context.definition`` is meant if there is such a thing, else the
        definition alone.
        """
        if not definition.strip():
            raise invalid_argument("the reference is empty; use tag_name.AttributeName")
        item = self.detached(definition, context)
        registration.items[item.handle] = item
        return item

    def detached(self, definition: str, context: str = "") -> Item:
        """An item that belongs to no registration, with a handle of its own."""
        reference = self._galaxy.normalize(definition)
        if context.strip():
            whole = self._galaxy.normalize(f"{context.strip()}.{definition.strip()}")
            if self._galaxy.resolve(whole) is not None:
                reference = whole
        point = self._galaxy.resolve(reference)
        return Item(next(self._item_handles), definition, reference, point)

    def remove(self, registration: Registration, item: Item) -> None:
        """Un-advise and remove (D: without complaint while advised)."""
        self.un_advise(item)
        registration.items.pop(item.handle, None)

    def un_advise(self, item: Item) -> None:
        """Stop the data changes. D: harmless for an item that is not advised."""
        if item.advice is not None:
            item.advice.stop()
            item.advice = None

    def unregister(self, registration: Registration) -> None:
        """Un-advise, remove, unregister."""
        for item in list(registration.items.values()):
            self.remove(registration, item)
        registration.users.clear()
        self._registrations.pop(registration.handle, None)
