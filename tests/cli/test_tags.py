"""Looking tags up in the galaxy, many at once."""

from __future__ import annotations

import asyncio

import pytest
from grpclib import GRPCError, Status
from grpclib.server import Stream

from tests.sdk.galaxies import ScriptedGalaxy, client_of
from zb_mom_ww_mxgateway import MxGatewayAuthorizationError
from zb_mom_ww_mxgateway_cli.tags import look_up
from zb_mom_ww_mxgateway_contracts.galaxy_repository_v1 import (
    DiscoverHierarchyReply,
    DiscoverHierarchyRequest,
)


class DenyingGalaxy(ScriptedGalaxy):
    """Denies one object as soon as it is asked for others, which it never answers."""

    def __init__(self) -> None:
        super().__init__()
        self.waits = asyncio.Event()
        self.was_cancelled = asyncio.Event()

    async def discover_hierarchy(
        self, stream: Stream[DiscoverHierarchyRequest, DiscoverHierarchyReply]
    ) -> None:
        request = await stream.recv_message()
        assert request is not None
        if request.root_tag_name == "denied":
            await self.waits.wait()
            raise GRPCError(Status.PERMISSION_DENIED, "not yours")
        self.waits.set()
        try:
            await asyncio.Event().wait()
        finally:
            self.was_cancelled.set()


async def test_where_one_tag_cannot_be_looked_up_the_others_are_not_asked_for_any_longer() -> None:
    service = DenyingGalaxy()
    async with client_of(service) as galaxy:
        with pytest.raises(MxGatewayAuthorizationError):
            await look_up(galaxy, ["Denied.Level", "Other.Level"])
        await asyncio.wait_for(service.was_cancelled.wait(), 20)
