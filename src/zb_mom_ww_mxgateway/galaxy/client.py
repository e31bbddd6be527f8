"""``GalaxyRepositoryClient``: read-only metadata of a galaxy, without a session."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from copy import copy
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Unpack

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
from zb_mom_ww_mxgateway_contracts.galaxy_repository_v1.services import GalaxyRepositoryStub
from zb_mom_ww_mxgateway_contracts.google_protobuf import Timestamp

from ..channel import GatewayChannel
from ..connection import Connection
from ..errors import (
    MxGatewayArgumentError,
    MxGatewayMalformedReplyError,
    MxGatewayValueError,
)
from ..options import ClientOptions
from ..streams import Reader, Stream
from .browse import BrowseNode
from .listing import (
    HierarchyFilters,
    Listing,
    ObjectFilters,
    Page,
    children_request,
    hierarchy_request,
    read_all,
)


def deploy_time(event: DeployEvent) -> datetime | None:
    """When the galaxy was last deployed, according to ``event``: aware UTC, to the microsecond.

    Returns:
        None when the gateway does not know a time.

    Raises:
        MxGatewayValueError: The time is none that a datetime holds.
    """
    time = event.time_of_last_deploy
    if time is None or not event.time_of_last_deploy_present:
        return None
    try:
        return time.to_datetime()
    except ValueError as error:
        raise MxGatewayValueError(f"time_of_last_deploy has no datetime: {error}") from None


class GalaxyRepositoryClient(Connection):
    """A connection for the metadata of a galaxy. The API key needs the scope ``metadata:read``.

    >>> async with await GalaxyRepositoryClient.connect(
    ...     "localhost:5000", api_key=key, plaintext=True
    ... ) as galaxy:
    ...     for found in await galaxy.discover_hierarchy(tag_name_glob="TestMachine_*"):
    ...         print(found.tag_name, [a.full_tag_reference for a in found.attributes])

    Besides what each method says, calls raise ``MxGatewayUnavailableError`` until the gateway has
    loaded the metadata, and the other errors of the transport.
    """

    def __init__(self, channel: GatewayChannel, options: ClientOptions) -> None:
        super().__init__(channel, options)
        self._stub = GalaxyRepositoryStub(channel)

    async def test_connection(self) -> bool:
        """Whether the gateway reaches the Galaxy Repository, its database."""
        return (await self.test_connection_raw()).ok

    async def get_last_deploy_time(self) -> datetime | None:
        """When the galaxy was last deployed: aware UTC, to the microsecond; None if never.

        Raises:
            MxGatewayMalformedReplyError: The reply says that there is a time, and has none.
        """
        reply = await self.get_last_deploy_time_raw()
        if not reply.present:
            return None
        attempted = f"GetLastDeployTime at {self.endpoint}"
        if reply.time_of_last_deploy is None:
            raise MxGatewayMalformedReplyError(f"{attempted}: the reply lacks time_of_last_deploy")
        try:
            return reply.time_of_last_deploy.to_datetime()
        except ValueError as error:
            raise MxGatewayMalformedReplyError(f"{attempted}: {error}") from error

    async def discover_hierarchy(self, **filters: Unpack[HierarchyFilters]) -> list[GalaxyObject]:
        """All objects that match, parents before their children, in one list.

        Large galaxies have many attributes: leave them out with ``include_attributes=False``, or
        take the objects one by one from ``iter_hierarchy``. When the galaxy is deployed between
        two pages, the listing starts over, so that the list is never of two deploys.

        Args:
            **filters: See ``HierarchyFilters``; without any, everything.

        Raises:
            MxGatewayArgumentError: More than one root, or a number out of its range.
            MxGatewayNotFoundError: The root is not deployed.
            MxGatewayGalaxyChangedError: Deploys come faster than the pages can be read.
            MxGatewayProtocolError: The gateway does not end its pages.
        """
        return await read_all(partial(self._hierarchy, hierarchy_request(**filters)))

    def iter_hierarchy(
        self, **filters: Unpack[HierarchyFilters]
    ) -> AsyncGenerator[GalaxyObject, None]:
        """The objects of ``discover_hierarchy``, one by one, with one page in memory.

        The next page is asked for once all objects of the present one were taken; between pages no
        call is open, so leaving the loop leaves nothing behind.

        Raises:
            MxGatewayGalaxyChangedError: The galaxy was deployed between two pages. Objects of the
                older deploy were handed out already, so it does not start over by itself.
            MxGatewayArgumentError, MxGatewayNotFoundError, MxGatewayProtocolError: As
                ``discover_hierarchy``.
        """
        return _one_by_one(self._hierarchy(hierarchy_request(**filters)))

    async def browse(
        self,
        *,
        parent_gobject_id: int | None = None,
        parent_tag_name: str | None = None,
        parent_contained_path: str | None = None,
        **filters: Unpack[ObjectFilters],
    ) -> tuple[BrowseNode, ...]:
        """The top of the galaxy's tree, or the children of one object, as nodes that expand.

        The filters hold on every level: below an object that does not match nothing is reached.
        ``discover_hierarchy`` looks everywhere. When the galaxy is deployed between two pages of
        children, these start over.

        Args:
            parent_gobject_id: The object whose children to begin with; at most one of the three
                parents may be given.
            parent_tag_name: The same, by tag name.
            parent_contained_path: The same, by the path of names in the tree.
            **filters: See ``ObjectFilters``.

        Raises:
            MxGatewayArgumentError: More than one parent, or a number out of its range.
            MxGatewayNotFoundError: The parent is not deployed.
            MxGatewayGalaxyChangedError: Deploys come faster than the pages can be read.
            MxGatewayMalformedReplyError: The gateway does not say of each child whether it has
                children.
            MxGatewayProtocolError: The gateway does not end its pages.

        Example:
            >>> for top in await galaxy.browse():
            ...     print(top.object.browse_name)
            ...     for node in await top.children():
            ...         print("  ", node.object.browse_name, "..." if node.has_children else "")
        """
        request = children_request(
            parent_gobject_id=parent_gobject_id,
            parent_tag_name=parent_tag_name,
            parent_contained_path=parent_contained_path,
            **filters,
        )
        return await self._children(request)

    def watch_deploy_events(
        self, *, last_seen_deploy_time: datetime | Timestamp | None = None
    ) -> Stream[DeployEvent]:
        """The deploy state as it is now, and from then on one event for each deploy.

        A gap in ``sequence`` means that the gateway dropped events, because they were not taken
        fast enough. An event without a known time has an empty ``time_of_last_deploy`` (the epoch)
        and says so with ``time_of_last_deploy_present``; ``deploy_time`` looks at both.

        Args:
            last_seen_deploy_time: Leaves the first event out when the state is the one with exactly
                this time. A datetime is aware and exact to the microsecond.

        Raises:
            MxGatewayArgumentError: The datetime has no time zone.
        """
        last_seen = last_seen_deploy_time
        if isinstance(last_seen, datetime):
            try:
                last_seen = Timestamp.from_datetime(last_seen)
            except ValueError as error:
                raise MxGatewayArgumentError(f"last_seen_deploy_time: {error}") from error
        request = WatchDeployEventsRequest(last_seen_deploy_time=last_seen)
        return Stream(lambda: Reader(self._stub.watch_deploy_events(request), _with_time))

    async def test_connection_raw(
        self, request: TestConnectionRequest | None = None
    ) -> TestConnectionReply:
        """Test the connection and return the reply as it is."""
        return await self._stub.test_connection(request or TestConnectionRequest())

    async def get_last_deploy_time_raw(
        self, request: GetLastDeployTimeRequest | None = None
    ) -> GetLastDeployTimeReply:
        """Ask for the time of the last deploy and return the reply as it is."""
        return await self._stub.get_last_deploy_time(request or GetLastDeployTimeRequest())

    async def discover_hierarchy_raw(
        self, request: DiscoverHierarchyRequest
    ) -> DiscoverHierarchyReply:
        """One page of the hierarchy, as it is."""
        return await self._stub.discover_hierarchy(request)

    async def browse_children_raw(self, request: BrowseChildrenRequest) -> BrowseChildrenReply:
        """One page of children, as it is."""
        return await self._stub.browse_children(request)

    def watch_deploy_events_raw(self, request: WatchDeployEventsRequest) -> Stream[DeployEvent]:
        """The deploy events for a request as it is, and each event as it is."""
        return Stream(lambda: Reader(self._stub.watch_deploy_events(request), _as_it_is))

    def _hierarchy(self, request: DiscoverHierarchyRequest) -> Listing[GalaxyObject]:
        async def ask(token: str) -> Page[GalaxyObject]:
            reply = await self.discover_hierarchy_raw(replace(request, page_token=token))
            return Page(reply.objects, reply.next_page_token, reply.total_object_count)

        return Listing(ask, f"DiscoverHierarchy at {self.endpoint}")

    async def _children(self, request: BrowseChildrenRequest) -> tuple[BrowseNode, ...]:
        attempted = f"BrowseChildren at {self.endpoint}"

        async def ask(token: str) -> Page[BrowseNode]:
            reply = await self.browse_children_raw(replace(request, page_token=token))
            if len(reply.child_has_children) != len(reply.children):
                raise MxGatewayMalformedReplyError(
                    f"{attempted}: the reply has {len(reply.children)} children and says of "
                    f"{len(reply.child_has_children)} whether they have children"
                )
            nodes = [
                BrowseNode(found, has_children, below)
                for found, has_children in zip(
                    reply.children, reply.child_has_children, strict=True
                )
            ]
            return Page(nodes, reply.next_page_token, reply.total_child_count)

        async def below(gobject_id: int) -> tuple[BrowseNode, ...]:
            deeper = copy(request)
            deeper.parent_gobject_id = gobject_id  # which unsets any other way to name a parent
            return await self._children(deeper)

        return tuple(await read_all(lambda: Listing(ask, attempted)))


async def _one_by_one(listing: Listing[GalaxyObject]) -> AsyncGenerator[GalaxyObject, None]:
    while (page := await listing.next_page()) is not None:
        for found in page:
            yield found
        page.clear()  # not to be kept while the next one is awaited


def _with_time(event: DeployEvent) -> DeployEvent:
    """What is not set reads as empty, as it does in google.protobuf."""
    if event.time_of_last_deploy is None:
        event.time_of_last_deploy = Timestamp()
    return event


def _as_it_is(event: DeployEvent) -> DeployEvent:
    return event
