# ruff: noqa: D102 - the generated base class says what each call does
"""The Galaxy service: requests for metadata, answered from the last deploy, page by page."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Final, TypeVar

from grpclib.const import Status
from grpclib.exceptions import GRPCError
from grpclib.server import Stream

from zb_mom_ww_mxgateway_contracts.galaxy_repository_v1 import (
    BrowseChildrenReply,
    BrowseChildrenRequest,
    DeployEvent,
    DiscoverHierarchyReply,
    DiscoverHierarchyRequest,
    GalaxyObject,
    GetLastDeployTimeReply,
    GetLastDeployTimeRequest,
    TestConnectionReply,
    TestConnectionRequest,
    WatchDeployEventsRequest,
)
from zb_mom_ww_mxgateway_contracts.galaxy_repository_v1.services import (
    GalaxyRepositoryBase,
    GalaxyRepositoryMethods as Rpc,
)

from ..calls import Calls
from .deploys import Deploys
from .pages import Query, Tokens, checked_size, page
from .selection import Filters, View
from .shown import Showing
from .store import Store, StoredObject

#: Objects that are encoded before other tasks have their turn: a few milliseconds.
_AT_ONCE: Final = 250
#: How much of a name a refusal repeats.
_SHOWN_CHARACTERS: Final = 100

_Reply = TypeVar("_Reply", DiscoverHierarchyReply, BrowseChildrenReply)


class GalaxyService(GalaxyRepositoryBase):
    """Galaxy metadata, as far as the caller's API key may see it."""

    def __init__(self, calls: Calls, deploys: Deploys) -> None:
        self._calls = calls
        self._deploys = deploys
        self._tokens = Tokens()
        self._showing = Showing()

    async def test_connection(
        self, stream: Stream[TestConnectionRequest, TestConnectionReply]
    ) -> None:
        await self._calls.begin(stream, Rpc.TEST_CONNECTION)
        await self._calls.send(stream, Rpc.TEST_CONNECTION, TestConnectionReply(ok=True))

    async def get_last_deploy_time(
        self, stream: Stream[GetLastDeployTimeRequest, GetLastDeployTimeReply]
    ) -> None:
        await self._calls.begin(stream, Rpc.GET_LAST_DEPLOY_TIME)
        time = self._deploys.current.time
        await self._calls.send(
            stream,
            Rpc.GET_LAST_DEPLOY_TIME,
            GetLastDeployTimeReply(present=True, time_of_last_deploy=time),
        )

    async def discover_hierarchy(
        self, stream: Stream[DiscoverHierarchyRequest, DiscoverHierarchyReply]
    ) -> None:
        caller, request = await self._calls.begin(stream, Rpc.DISCOVER_HIERARCHY)
        deploy = self._deploys.current
        store, view = deploy.store, deploy.store.view(caller.access.browse)
        root = _found(
            store,
            view,
            request.which_root(),
            request.root_gobject_id,
            request.root_tag_name,
            request.root_contained_path,
        )
        depth = None if request.max_depth is None else request.max_depth.value
        if depth is not None and depth < 0:
            raise GRPCError(Status.INVALID_ARGUMENT, f"max_depth {depth} is negative")
        size = checked_size(request.page_size)
        query = _query("DiscoverHierarchy", root, depth, request, caller.access.browse)
        level = 0 if root is None else root.level
        listing = store.listing(
            root=root,
            shallowest=0 if depth is None else level,
            deepest=None if depth is None else level + depth,
            filters=query.filters,
            view=view,
        )
        start = self._tokens.position(deploy.sequence, query, request.page_token)
        found = await page(store, listing, start, size)
        reply = DiscoverHierarchyReply(
            next_page_token=self._tokens.token(deploy.sequence, query, found.following),
            total_object_count=found.total,
        )
        await self._fill(
            reply, lambda part: DiscoverHierarchyReply(objects=part), found.objects, query
        )
        await self._calls.send(stream, Rpc.DISCOVER_HIERARCHY, reply)

    async def watch_deploy_events(
        self, stream: Stream[WatchDeployEventsRequest, DeployEvent]
    ) -> None:
        _, request = await self._calls.begin(stream, Rpc.WATCH_DEPLOY_EVENTS)
        with self._deploys.watch(request.last_seen_deploy_time) as watcher:
            await stream.send_initial_metadata()  # tells the client that it misses nothing now
            while True:
                await self._calls.send(stream, Rpc.WATCH_DEPLOY_EVENTS, await watcher.next())

    async def browse_children(
        self, stream: Stream[BrowseChildrenRequest, BrowseChildrenReply]
    ) -> None:
        caller, request = await self._calls.begin(stream, Rpc.BROWSE_CHILDREN)
        deploy = self._deploys.current
        store, view = deploy.store, deploy.store.view(caller.access.browse)
        parent = _found(
            store,
            view,
            request.which_parent(),
            request.parent_gobject_id,
            request.parent_tag_name,
            request.parent_contained_path,
        )
        size = checked_size(request.page_size)
        query = _query("BrowseChildren", parent, 1, request, caller.access.browse)
        level = 0 if parent is None else parent.level + 1
        listing = store.listing(
            root=parent, shallowest=level, deepest=level, filters=query.filters, view=view
        )
        start = self._tokens.position(deploy.sequence, query, request.page_token)
        found = await page(store, listing, start, size)
        reply = BrowseChildrenReply(
            next_page_token=self._tokens.token(deploy.sequence, query, found.following),
            total_child_count=found.total,
            # D: whether there are any at all, and not only such as the filters let through. What
            # is on the way to something that the key may see has that below it.
            child_has_children=[child.has_children for child in found.objects],
        )
        await self._fill(
            reply, lambda part: BrowseChildrenReply(children=part), found.objects, query
        )
        await self._calls.send(stream, Rpc.BROWSE_CHILDREN, reply)

    async def _fill(
        self,
        reply: _Reply,
        reply_of: Callable[[list[GalaxyObject]], _Reply],
        objects: Sequence[StoredObject],
        query: Query,
    ) -> None:
        """Put objects into ``reply``, encoded already, with turns for other tasks in between.

        Encoded messages that are joined are one message with all that is in them, so the objects
        go where a message keeps what it sends on as it is.
        """
        encoded = bytearray()
        for start in range(0, len(objects), _AT_ONCE):
            part = objects[start : start + _AT_ONCE]
            shown = [
                self._showing.shown(stored, with_attributes=query.with_attributes)
                for stored in part
            ]
            encoded += bytes(reply_of(shown))
            await asyncio.sleep(0)
        reply.unknown_fields = encoded


def _found(
    store: Store,
    view: View,
    member: str | None,
    gobject_id: int | None,
    tag_name: str | None,
    contained_path: str | None,
) -> StoredObject | None:
    """The root or parent that a request names with ``member``; None if it names none.

    NOT_FOUND in the same words for what is not there and for what the key may not see.
    """
    if member is None:
        return None
    found = store.find(gobject_id=gobject_id, tag_name=tag_name, contained_path=contained_path)
    if found is None or view.span_of(found.place) is None:
        named = repr(next(n for n in (gobject_id, tag_name, contained_path) if n is not None))
        if len(named) > _SHOWN_CHARACTERS:
            named = f"{named[:_SHOWN_CHARACTERS]}…"
        raise GRPCError(Status.NOT_FOUND, f"no deployed object has {member} {named}")
    return found


def _query(
    rpc: str,
    root: StoredObject | None,
    depth: int | None,
    request: DiscoverHierarchyRequest | BrowseChildrenRequest,
    roots: tuple[str, ...] | None,
) -> Query:
    return Query(
        rpc=rpc,
        gobject_id=None if root is None else root.gobject_id,
        depth=depth,
        filters=Filters(
            category_ids=tuple(sorted(set(request.category_ids))),
            templates=tuple(sorted({t.casefold() for t in request.template_chain_contains})),
            tag_name_glob=request.tag_name_glob.casefold(),
            alarm_bearing_only=request.alarm_bearing_only,
            historized_only=request.historized_only,
        ),
        with_attributes=request.include_attributes is not False,
        roots=roots,
    )
