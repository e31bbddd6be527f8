"""Galaxy services to test the client against: the simulator's, which can be held and looked into,
and one that answers what a test says, so as to break the contract.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import TypeVar

from grpclib.server import Stream
from grpclib.testing import ChannelFor

from tests.sdk.fixed import KEY
from tests.sim.galaxies import PLANT
from zb_mom_ww_mxgateway.channel import GatewayChannel
from zb_mom_ww_mxgateway.galaxy import GalaxyRepositoryClient
from zb_mom_ww_mxgateway.options import ClientOptions
from zb_mom_ww_mxgateway_contracts.galaxy_repository_v1 import (
    BrowseChildrenReply,
    BrowseChildrenRequest,
    DeployEvent,
    DiscoverHierarchyReply,
    DiscoverHierarchyRequest,
    GetLastDeployTimeReply,
    GetLastDeployTimeRequest,
    TestConnectionReply,
    TestConnectionRequest,
    WatchDeployEventsRequest,
)
from zb_mom_ww_mxgateway_contracts.galaxy_repository_v1.services import GalaxyRepositoryBase
from zb_mom_ww_mxgateway_sim.auth.keys import ApiKeys
from zb_mom_ww_mxgateway_sim.calls import Calls
from zb_mom_ww_mxgateway_sim.clock import Clock
from zb_mom_ww_mxgateway_sim.galaxy.deploys import Deploys
from zb_mom_ww_mxgateway_sim.galaxy.service import GalaxyService
from zb_mom_ww_mxgateway_wire.grpc import MessageCodec

T = TypeVar("T")


class ObservedGalaxy(GalaxyService):
    """The simulator's service; counts calls, holds them at ``gate``, and says which still run."""

    def __init__(self, machines: int = 3) -> None:
        self.deploys = Deploys(PLANT, machines=machines, clock=Clock())
        keys = ApiKeys()
        keys.add(KEY)
        super().__init__(Calls(keys), self.deploys)
        #: Calls that came, by name.
        self.calls: Counter[str] = Counter()
        self.running = 0
        self.gate = asyncio.Event()
        self.gate.set()
        #: Where the n-th call waits besides.
        self.gates: dict[int, asyncio.Event] = {}
        #: Done before the n-th call is answered, counted from 1; it may raise, or be awaited.
        self.before: Callable[[int], Awaitable[object] | None] = lambda number: None

    async def deploy(self, machines: int) -> None:
        await self.deploys.deploy(machines=machines)

    async def settled(self, running: int) -> None:
        """Wait until so many calls run."""
        async with asyncio.timeout(5):
            while self.running != running:
                await asyncio.sleep(0.001)

    async def _admitted(self, number: int) -> None:
        await self.gate.wait()
        await self.gates.get(number, self.gate).wait()
        done = self.before(number)
        if done is not None:
            await done

    @contextmanager
    def _counted(self, name: str) -> Generator[int]:
        self.calls[name] += 1
        self.running += 1
        try:
            yield self.calls.total()
        finally:
            self.running -= 1

    async def discover_hierarchy(
        self, stream: Stream[DiscoverHierarchyRequest, DiscoverHierarchyReply]
    ) -> None:
        with self._counted("discover") as number:
            await self._admitted(number)
            await super().discover_hierarchy(stream)

    async def browse_children(
        self, stream: Stream[BrowseChildrenRequest, BrowseChildrenReply]
    ) -> None:
        with self._counted("browse") as number:
            await self._admitted(number)
            await super().browse_children(stream)

    async def watch_deploy_events(
        self, stream: Stream[WatchDeployEventsRequest, DeployEvent]
    ) -> None:
        with self._counted("watch"):
            await super().watch_deploy_events(stream)


class ScriptedGalaxy(GalaxyRepositoryBase):
    """Answers what it was told to."""

    def __init__(self) -> None:
        self.time = GetLastDeployTimeReply()
        self.ok = False
        self.events: Sequence[DeployEvent] = ()
        self.hierarchy: Callable[[DiscoverHierarchyRequest], DiscoverHierarchyReply] = (
            lambda request: DiscoverHierarchyReply()
        )
        self.children: Callable[[BrowseChildrenRequest], BrowseChildrenReply] = lambda request: (
            BrowseChildrenReply()
        )
        #: What was asked for, in the order asked.
        self.requests: list[DiscoverHierarchyRequest | BrowseChildrenRequest] = []
        self.watched: list[WatchDeployEventsRequest] = []

    async def test_connection(
        self, stream: Stream[TestConnectionRequest, TestConnectionReply]
    ) -> None:
        await stream.recv_message()
        await stream.send_message(TestConnectionReply(ok=self.ok))

    async def get_last_deploy_time(
        self, stream: Stream[GetLastDeployTimeRequest, GetLastDeployTimeReply]
    ) -> None:
        await stream.recv_message()
        await stream.send_message(self.time)

    async def discover_hierarchy(
        self, stream: Stream[DiscoverHierarchyRequest, DiscoverHierarchyReply]
    ) -> None:
        request = await stream.recv_message()
        assert request is not None
        self.requests.append(request)
        await stream.send_message(self.hierarchy(request))

    async def watch_deploy_events(
        self, stream: Stream[WatchDeployEventsRequest, DeployEvent]
    ) -> None:
        request = await stream.recv_message()
        assert request is not None
        self.watched.append(request)
        for event in self.events:
            await stream.send_message(event)

    async def browse_children(
        self, stream: Stream[BrowseChildrenRequest, BrowseChildrenReply]
    ) -> None:
        request = await stream.recv_message()
        assert request is not None
        self.requests.append(request)
        await stream.send_message(self.children(request))


@asynccontextmanager
async def client_of(service: GalaxyRepositoryBase) -> AsyncGenerator[GalaxyRepositoryClient]:
    """A client of ``service``."""
    options = ClientOptions(endpoint="galaxy:1", plaintext=True, api_key=KEY)
    async with ChannelFor([service], codec=MessageCodec()) as channel:
        yield GalaxyRepositoryClient(GatewayChannel(channel, options), options)


async def cancelled(waiting: asyncio.Future[T]) -> None:
    """Cancel a task and wait for its end."""
    waiting.cancel()
    await asyncio.wait([waiting])
    assert waiting.cancelled()
