"""Checks against a gateway that is named in the environment; they write nothing.

MXGATEWAY_INTEGRATION=1 turns them on; MXGATEWAY_ENDPOINT says where (plaintext, unless it begins
with https://), MXGATEWAY_API_KEY with which key, MXGATEWAY_TEST_ITEM which reference to read.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from zb_mom_ww_mxgateway import (
    ClientOptions,
    GalaxyRepositoryClient,
    GatewayClient,
    Session,
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if os.environ.get("MXGATEWAY_INTEGRATION") == "1":
        return
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.skip(reason="MXGATEWAY_INTEGRATION=1 turns live checks on"))


@pytest.fixture
def options() -> ClientOptions:
    endpoint = os.environ["MXGATEWAY_ENDPOINT"]
    return ClientOptions(
        endpoint=endpoint,
        api_key=os.environ.get("MXGATEWAY_API_KEY"),
        plaintext=not endpoint.startswith("https://"),
    )


@pytest.fixture
def item() -> str:
    return os.environ["MXGATEWAY_TEST_ITEM"]


@pytest.fixture
async def client(options: ClientOptions) -> AsyncIterator[GatewayClient]:
    async with await GatewayClient.from_options(options) as connected:
        yield connected


@pytest.fixture
async def session(client: GatewayClient) -> AsyncIterator[Session]:
    async with await client.open_session(client_session_name="live checks") as opened:
        yield opened


@pytest.fixture
async def galaxy(options: ClientOptions) -> AsyncIterator[GalaxyRepositoryClient]:
    async with await GalaxyRepositoryClient.from_options(options) as connected:
        yield connected
