"""A Galaxy service of its own, for tests of it: what it serves, and clients with various keys."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

from grpclib.client import Channel
from grpclib.testing import ChannelFor

from zb_mom_ww_mxgateway_contracts.galaxy_repository_v1 import GalaxyObject
from zb_mom_ww_mxgateway_contracts.galaxy_repository_v1.services import GalaxyRepositoryStub
from zb_mom_ww_mxgateway_sim.auth.access import Access
from zb_mom_ww_mxgateway_sim.auth.keys import ApiKeys
from zb_mom_ww_mxgateway_sim.calls import Calls
from zb_mom_ww_mxgateway_sim.clock import ManualClock
from zb_mom_ww_mxgateway_sim.galaxy.definition import GalaxyDefinition
from zb_mom_ww_mxgateway_sim.galaxy.deploys import Deploys
from zb_mom_ww_mxgateway_sim.galaxy.service import GalaxyService
from zb_mom_ww_mxgateway_wire.grpc import MessageCodec

from .conftest import ChannelTransport
from .galaxies import PLANT


class Served:
    """A Galaxy service, its deploys, and clients of it."""

    def __init__(self, channel: Channel, keys: ApiKeys, deploys: Deploys) -> None:
        self.channel = channel
        self.deploys = deploys
        self.keys = keys
        self.api_key = keys.add()
        self.galaxy = self.with_key(self.api_key)

    def with_key(self, api_key: str) -> GalaxyRepositoryStub:
        """A client with that key."""
        return GalaxyRepositoryStub(ChannelTransport(self.channel, api_key))

    def narrowed(self, *roots: str) -> GalaxyRepositoryStub:
        """A client that sees these objects and all below them."""
        return self.with_key(self.keys.add(access=Access.of(browse=roots)))


@asynccontextmanager
async def serving(
    definition: GalaxyDefinition = PLANT, machines: int = 7, *, loaded: bool = True
) -> AsyncIterator[Served]:
    """A service of that galaxy."""
    deploys = Deploys(definition, machines=machines, clock=ManualClock(), loaded=loaded)
    keys = ApiKeys()
    async with ChannelFor([GalaxyService(Calls(keys), deploys)], codec=MessageCodec()) as channel:
        yield Served(channel, keys, deploys)


def names(objects: Iterable[GalaxyObject]) -> list[str]:
    """Their tag names."""
    return [shown.tag_name for shown in objects]
