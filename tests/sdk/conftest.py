"""A simulator on a real socket, a client connected to it, and a session, for each test."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Unpack

import pytest

from zb_mom_ww_mxgateway import ConnectOptions, GatewayClient, Session
from zb_mom_ww_mxgateway_sim import SimulatedGateway


@pytest.fixture
async def gateway() -> AsyncIterator[SimulatedGateway]:
    async with SimulatedGateway(change_interval=0.05, plant=False) as running:
        yield running


@pytest.fixture
async def client(gateway: SimulatedGateway) -> AsyncIterator[GatewayClient]:
    async with await GatewayClient.connect(
        gateway.endpoint, api_key=gateway.api_key, plaintext=True
    ) as connected:
        yield connected


@pytest.fixture
async def session(client: GatewayClient) -> AsyncIterator[Session]:
    async with await client.open_session(client_session_name="tests") as opened:
        yield opened


@asynccontextmanager
async def session_of(
    gateway: SimulatedGateway | None = None, **options: Unpack[ConnectOptions]
) -> AsyncIterator[tuple[SimulatedGateway, Session]]:
    """A session of a client of its own, on a gateway of its own where none is given."""
    if gateway is None:
        async with SimulatedGateway() as own, session_of(own, **options) as pair:
            yield pair
        return
    async with (
        await GatewayClient.connect(
            gateway.endpoint, api_key=gateway.api_key, plaintext=True, **options
        ) as client,
        await client.open_session() as session,
    ):
        yield gateway, session
