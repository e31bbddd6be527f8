"""``BrowseNode``: the galaxy's tree, of which each part is fetched when somebody looks at it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Generic, TypeAlias, TypeVar

from zb_mom_ww_mxgateway_contracts.galaxy_repository_v1 import GalaxyObject

T = TypeVar("T")


class BrowseNode:
    """An object in the galaxy's tree. ``GalaxyRepositoryClient.browse`` gives the first ones.

    Args:
        found: The object.
        has_children: What the gateway says about its children.
        fetch: Asks the gateway for the children.
    """

    def __init__(self, found: GalaxyObject, has_children: bool, fetch: Fetch) -> None:
        self._object = found
        self._has_children = has_children
        self._fetch = fetch
        self._children: tuple[BrowseNode, ...] | None = None
        self._fetches = 0
        self._running: _Shared[tuple[BrowseNode, ...]] | None = None

    def __repr__(self) -> str:
        return f"<BrowseNode {self._object.tag_name}>"

    @property
    def object(self) -> GalaxyObject:
        """The object, with its attributes unless they were declined."""
        return self._object

    @property
    def has_children(self) -> bool:
        """Whether there are children, for whoever shows a tree.

        Before they were fetched it is the gateway's word, which does not ask whether the filters
        let any of them through; from then on it is what was found.
        """
        return self._has_children

    @property
    def expanded(self) -> bool:
        """Whether the children are known, so that ``children`` answers at once."""
        return self._children is not None or not self._has_children

    async def children(self) -> tuple[BrowseNode, ...]:
        """The children, areas first and then by name: always the same nodes until ``refresh``.

        They are fetched once, however many ask at the same time. Giving up the wait is no harm to
        others who wait, and a fetch that failed is tried again by the next who asks. A node of
        which the gateway said that it has no children does not ask.

        Raises:
            MxGatewayNotFoundError: The object is not deployed any more.
            MxGatewayGalaxyChangedError: Deploys come faster than the children can be read.
            MxGatewayTransportError: The call did not go through.
        """
        if self._children is not None:
            return self._children
        if not self._has_children:
            return ()
        if self._running is None or not self._running.joinable:
            self._running = self._start()
        return await self._running.answer()

    async def refresh(self) -> tuple[BrowseNode, ...]:
        """Fetch the children anew, after a deploy for example, and return them.

        They are new nodes, which know nothing below them yet. Until they are there, and when this
        fails, ``children`` returns those of before. Raises what ``children`` raises.
        """
        # One that runs already may have been answered before whatever the caller knows of.
        self._running = self._start()
        return await self._running.answer()

    def _start(self) -> _Shared[tuple[BrowseNode, ...]]:
        self._fetches += 1
        return _Shared(self._load(self._fetches))

    async def _load(self, number: int) -> tuple[BrowseNode, ...]:
        found = await self._fetch(self._object.gobject_id)
        if number == self._fetches:  # or a younger one will know better
            self._children, self._has_children = found, bool(found)
        return found


#: Asks for the children of the object with an id.
Fetch: TypeAlias = Callable[[int], Awaitable[tuple[BrowseNode, ...]]]


class _Shared(Generic[T]):
    """A call whose answer several await; it is given up when the last of them gives up."""

    def __init__(self, call: Coroutine[None, None, T]) -> None:
        self._task = asyncio.ensure_future(call)
        self._task.add_done_callback(_retrieved)
        self._waiting = 0

    @property
    def joinable(self) -> bool:
        """Whether its answer is still to come."""
        return not (self._task.done() or self._task.cancelling())

    async def answer(self) -> T:
        """The answer, or what the call raised."""
        self._waiting += 1
        try:
            return await asyncio.shield(self._task)
        finally:
            self._waiting -= 1
            if not self._waiting and not self._task.done():
                self._task.cancel()
                await asyncio.wait([self._task])


def _retrieved(task: asyncio.Task[T]) -> None:
    """Nobody may be left to see the exception; then asyncio shall not complain."""
    if not task.cancelled():
        task.exception()
