"""Registrations and their items: the handles of one session."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from typing import Final

from .advices import Advice
from .galaxy.live import Galaxy, Point, breathe
from .statuses import invalid_argument, not_authenticated

#: Buffered data is sent at multiples of this, in milliseconds; D: and at least so far apart.
INTERVAL_STEP_MS: Final = 100
#: Until a registration says otherwise (D).
DEFAULT_INTERVAL_MS: Final = 1_000


class Item:
    """One added reference. The reference may lead nowhere, which advising it shows."""

    __slots__ = ("advice", "asked", "buffered", "definition", "handle", "point")

    def __init__(
        self, handle: int, definition: str, point: Point, *, asked: str, buffered: bool = False
    ) -> None:
        self.handle = handle
        self.definition = definition
        self.point = point
        #: The reference as it was asked for, with the context that led there. Refusals show it: one
        #: that shows the point's, with [], would tell that there is such an array.
        self.asked = asked
        #: Whether its data arrives in batches.
        self.buffered = buffered
        self.advice: Advice | None = None

    def running_advice(self) -> Advice:
        """The advice; ``MxAccessFailure`` if there is none."""
        if self.advice is None:
            raise invalid_argument(f"item handle {self.handle} is not advised; advise it first")
        return self.advice


class Registration:
    """A server handle with its items and authenticated users."""

    def __init__(self, handle: int) -> None:
        self.handle = handle
        self.items: dict[int, Item] = {}
        self.users: set[int] = set()
        self._interval_ms = DEFAULT_INTERVAL_MS

    def set_interval(self, milliseconds: int) -> None:
        """How often buffered items send their data, from the next batch on; rounded up."""
        steps = -(-milliseconds // INTERVAL_STEP_MS)
        self._interval_ms = max(1, steps) * INTERVAL_STEP_MS

    def interval(self) -> float:
        """How long buffered items collect their data, in seconds."""
        return self._interval_ms / 1000

    def keep(self, item: Item) -> Item:
        """Take an item in, and return it."""
        self.items[item.handle] = item
        return item

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

    def make(self, definition: str, context: str = "", *, buffered: bool = False) -> Item:
        """An item with a handle of its own, in no registration yet. Any reference will do, except
        none at all (D). D: nor can a whole array be buffered, as batches are arrays themselves.

        D: with a context, ``context.definition`` is meant if there is such a thing, else the
        definition alone.
        """
        if not definition.strip():
            raise invalid_argument("the reference is empty; use tag_name.AttributeName")
        asked, point = definition, None
        if context.strip():
            # Passed on as given: the gateway does not see that an array is meant.
            asked = f"{context.strip()}.{definition.strip()}"
            point = self._galaxy.resolve(asked, is_known=False)
        if point is None or point.attribute.definition is None:
            asked, point = definition, self._galaxy.resolve(definition)
        if buffered and point.is_array:
            raise invalid_argument("a whole array cannot be buffered; add its elements, Attr[n]")
        handle = next(self._item_handles)
        return Item(handle, definition, point, asked=asked, buffered=buffered)

    def remove(self, registration: Registration, item: Item) -> None:
        """Un-advise and remove (D: without complaint while advised)."""
        self.un_advise(item)
        registration.items.pop(item.handle, None)

    def un_advise(self, item: Item) -> None:
        """Stop the data changes. D: harmless for an item that is not advised."""
        if item.advice is not None:
            item.advice.stop()
            item.advice = None

    async def unregister(self, registration: Registration) -> None:
        """Un-advise, remove, unregister; others have their turn meanwhile."""
        for number, item in enumerate(list(registration.items.values()), 1):
            self.remove(registration, item)
            await breathe(number)
        registration.users.clear()
        self._registrations.pop(registration.handle, None)
