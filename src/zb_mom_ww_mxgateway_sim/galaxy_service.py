# ruff: noqa: D102 - the generated base class says what each call does
"""The Galaxy service: requests for metadata, answered from the last deploy, page by page."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

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
from zb_mom_ww_mxgateway_contracts.galaxy_repository_v1.services import GalaxyRepositoryBase

from .calls import Calls, received
from .deploys import Deploy, Deploys
from .repository import Filters, Node, below

#: Objects on a page when the request does not say, and the most there can be.
PAGE_SIZE: Final = 500
MAX_PAGE_SIZE: Final = 5_000

_TOKEN: Final = re.compile(r"(\d{1,9})-([0-9a-f]{32})", re.ASCII)


@dataclass(frozen=True, slots=True)
class Query:
    """What a page token is bound to: what was asked, but for the page."""

    rpc: str
    #: The root or parent; None for the whole tree or its roots.
    gobject_id: int | None
    depth: int | None
    filters: Filters
    with_attributes: bool


class Pages:
    """Cuts answers into pages. A token is good for its own query and deploy alone."""

    def __init__(self) -> None:
        self._secret = secrets.token_bytes(16)
        self._last: tuple[tuple[int, Query], list[Node]] | None = None

    def cut(
        self, deploy: Deploy, query: Query, answer: Callable[[], list[Node]], size: int, token: str
    ) -> tuple[list[Node], str, int]:
        """One page, the token of the next, and how many nodes all pages have.

        Args:
            deploy: What the query is about.
            query: Decides, with the deploy, what ``answer`` returns.
            answer: Asked unless the page before was of the same answer.
            size: The most nodes that the page may have; 0 for the default.
            token: Where the page begins; empty for the first.
        """
        if size < 0:
            raise GRPCError(Status.INVALID_ARGUMENT, f"page_size {size} is negative")
        start = self._start(deploy, query, token) if token else 0
        key = (deploy.sequence, query)
        if self._last is None or self._last[0] != key:
            self._last = key, answer()
        nodes = self._last[1]
        end = start + (min(size, MAX_PAGE_SIZE) or PAGE_SIZE)
        following = self._token(deploy, query, end) if end < len(nodes) else ""
        return nodes[start:end], following, len(nodes)

    def _start(self, deploy: Deploy, query: Query, token: str) -> int:
        match = _TOKEN.fullmatch(token)
        start = int(match[1]) if match else 0
        if not hmac.compare_digest(self._token(deploy, query, start).encode(), token.encode()):
            raise GRPCError(
                Status.INVALID_ARGUMENT,
                "the page token is not of this query, or the galaxy was deployed since; ask again "
                "without a page token",
            )
        return start

    def _token(self, deploy: Deploy, query: Query, start: int) -> str:
        bound = f"{deploy.sequence} {start} {query!r}".encode()
        return f"{start}-{hmac.new(self._secret, bound, hashlib.sha256).hexdigest()[:32]}"


class GalaxyService(GalaxyRepositoryBase):
    """Galaxy metadata for every API key."""

    def __init__(self, calls: Calls, deploys: Deploys) -> None:
        self._calls = calls
        self._deploys = deploys
        self._pages = Pages()

    async def test_connection(
        self, stream: Stream[TestConnectionRequest, TestConnectionReply]
    ) -> None:
        self._calls.enter(stream)
        await received(stream)
        await stream.send_message(TestConnectionReply(ok=True))

    async def get_last_deploy_time(
        self, stream: Stream[GetLastDeployTimeRequest, GetLastDeployTimeReply]
    ) -> None:
        self._calls.enter(stream)
        await received(stream)
        time = self._deploys.current.time
        await stream.send_message(GetLastDeployTimeReply(present=True, time_of_last_deploy=time))

    async def discover_hierarchy(
        self, stream: Stream[DiscoverHierarchyRequest, DiscoverHierarchyReply]
    ) -> None:
        self._calls.enter(stream)
        request = await received(stream)
        deploy = self._deploys.current
        root = _found(
            deploy,
            request.which_root(),
            request.root_gobject_id,
            request.root_tag_name,
            request.root_contained_path,
        )
        depth = None if request.max_depth is None else request.max_depth.value
        if depth is not None and depth < 0:
            raise GRPCError(Status.INVALID_ARGUMENT, f"max_depth {depth} is negative")
        query = Query(
            "DiscoverHierarchy", _id(root), depth, Filters.of(request), _with_attributes(request)
        )
        start = deploy.repository.roots if root is None else [root]
        nodes, token, total = self._pages.cut(
            deploy,
            query,
            lambda: query.filters.keep(below(start, depth)),
            request.page_size,
            request.page_token,
        )
        await stream.send_message(
            DiscoverHierarchyReply(
                objects=[_shown(node, query) for node in nodes],
                next_page_token=token,
                total_object_count=total,
            )
        )

    async def watch_deploy_events(
        self, stream: Stream[WatchDeployEventsRequest, DeployEvent]
    ) -> None:
        self._calls.enter(stream)
        request = await received(stream)
        with self._deploys.watch(request.last_seen_deploy_time) as watcher:
            await stream.send_initial_metadata()  # tells the client that it misses nothing now
            while True:
                await stream.send_message(await watcher.next())

    async def browse_children(
        self, stream: Stream[BrowseChildrenRequest, BrowseChildrenReply]
    ) -> None:
        self._calls.enter(stream)
        request = await received(stream)
        deploy = self._deploys.current
        parent = _found(
            deploy,
            request.which_parent(),
            request.parent_gobject_id,
            request.parent_tag_name,
            request.parent_contained_path,
        )
        filters = Filters.of(request)
        query = Query("BrowseChildren", _id(parent), 1, filters, _with_attributes(request))
        children = deploy.repository.roots if parent is None else parent.children
        nodes, token, total = self._pages.cut(
            deploy, query, lambda: filters.keep(children), request.page_size, request.page_token
        )
        await stream.send_message(
            BrowseChildrenReply(
                children=[_shown(node, query) for node in nodes],
                next_page_token=token,
                total_child_count=total,
                # D: whether there are any at all, and not only such as the filters let through.
                child_has_children=[bool(node.children) for node in nodes],
            )
        )


def _found(
    deploy: Deploy,
    member: str | None,
    gobject_id: int | None,
    tag_name: str | None,
    contained_path: str | None,
) -> Node | None:
    """The root or parent that a request names with ``member``; None if it names none."""
    if member is None:
        return None
    node = deploy.repository.find(
        gobject_id=gobject_id, tag_name=tag_name, contained_path=contained_path
    )
    if node is None:
        named = next(n for n in (gobject_id, tag_name, contained_path) if n is not None)
        raise GRPCError(Status.NOT_FOUND, f"no deployed object has {member} {named!r}")
    return node


def _id(node: Node | None) -> int | None:
    return None if node is None else node.object.gobject_id


def _with_attributes(request: DiscoverHierarchyRequest | BrowseChildrenRequest) -> bool:
    return request.include_attributes is not False


def _shown(node: Node, query: Query) -> GalaxyObject:
    return node.object if query.with_attributes else replace(node.object, attributes=[])
