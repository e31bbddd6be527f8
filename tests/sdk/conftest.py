"""A simulator on a real socket, a client connected to it, and a session, for each test."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from zb_mom_ww_mxgateway import GatewayClient, Session
from zb_mom_ww_mxgateway_sim import SimulatedGateway


@pytest.fixture
async def gateway() -> AsyncIterator[SimulatedGateway]:
    async with SimulatedGateway(change_interval=0.05) as running:
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
