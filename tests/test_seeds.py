"""The examples that specify this client's surface run as they were written, under both names."""

from __future__ import annotations

import ast
import asyncio
from typing import Any

import pytest

from zb_mom_ww_mxgateway import Session
from zb_mom_ww_mxgateway_sim import SimulatedGateway

PACKAGES = ["zb_mom_ww_mxgateway", "mxgateway"]

LIBRARY_USAGE = """
from PACKAGE import GatewayClient

async with await GatewayClient.connect(
    endpoint="localhost:5000",
    api_key="<gateway-api-key>",
    plaintext=True,
) as client:
    session = await client.open_session(client_session_name="python-client")
    try:
        server_handle = await session.register("python-client")
        item_handle = await session.add_item(server_handle, "Object.Attribute")
        await session.advise(server_handle, item_handle)
    finally:
        await session.close()
"""

GALAXY_BROWSE = """
from PACKAGE import GalaxyRepositoryClient

async with await GalaxyRepositoryClient.connect(
    endpoint="localhost:5000",
    api_key="<gateway-api-key>",
    plaintext=True,
) as galaxy:
    if not await galaxy.test_connection():
        raise RuntimeError("gateway cannot reach the Galaxy Repository DB")

    last_deploy = await galaxy.get_last_deploy_time()
    print(f"last deploy: {last_deploy}")

    for obj in await galaxy.discover_hierarchy():
        print(obj.tag_name, obj.contained_name)
        for attr in obj.attributes:
            print(" ", attr.attribute_name, "->", attr.full_tag_reference)
"""

ITER_HIERARCHY = """
from PACKAGE import GalaxyRepositoryClient

async with await GalaxyRepositoryClient.connect(
    endpoint="localhost:5000",
    api_key="<gateway-api-key>",
    plaintext=True,
) as galaxy:
    async for obj in galaxy.iter_hierarchy():
        print(obj.tag_name, obj.contained_name)
"""

WATCHING_DEPLOY_EVENTS = """
from datetime import datetime, timezone
from PACKAGE import DeployEvent, GalaxyRepositoryClient

async with await GalaxyRepositoryClient.connect(
    endpoint="localhost:5000",
    api_key="<gateway-api-key>",
    plaintext=True,
) as galaxy:
    last_seen: datetime | None = None
    async for event in galaxy.watch_deploy_events(last_seen_deploy_time=last_seen):
        assert isinstance(event, DeployEvent)
        print(
            f"#{event.sequence} deploy={event.time_of_last_deploy.ToDatetime(tzinfo=timezone.utc)} "
            f"objects={event.object_count} attributes={event.attribute_count}"
        )
        if event.time_of_last_deploy_present:
            last_seen = event.time_of_last_deploy.ToDatetime(tzinfo=timezone.utc)
"""


async def run(text: str, package: str, gateway: SimulatedGateway, names: dict[str, Any]) -> None:
    """Run an example, of which only the names were replaced that a reader replaces."""
    for placeholder, name in (
        ("PACKAGE", package),
        ("localhost:5000", gateway.endpoint),
        ("<gateway-api-key>", gateway.api_key),
        ("Object.Attribute", "TestMachine_001.TestChangingInt"),
    ):
        text = text.replace(placeholder, name)
    await eval(compile(text, package, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT), names)


@pytest.mark.parametrize("package", PACKAGES)
async def test_library_usage(package: str) -> None:
    names: dict[str, Any] = {}
    async with SimulatedGateway() as gateway:
        await run(LIBRARY_USAGE, package, gateway, names)
    assert isinstance(names["session"], Session)
    assert names["session"].closed


@pytest.mark.parametrize("package", PACKAGES)
async def test_galaxy_browse(package: str, capsys: pytest.CaptureFixture[str]) -> None:
    async with SimulatedGateway() as gateway:
        await run(GALAXY_BROWSE, package, gateway, {})
    printed = capsys.readouterr().out
    assert printed.startswith("last deploy: 20")
    assert "TestMachine_001 " in printed
    assert "  TestChangingInt -> TestMachine_001.TestChangingInt" in printed


@pytest.mark.parametrize("package", PACKAGES)
async def test_iter_hierarchy(package: str, capsys: pytest.CaptureFixture[str]) -> None:
    async with SimulatedGateway() as gateway:
        await run(ITER_HIERARCHY, package, gateway, {})
    assert "TestMachine_010" in capsys.readouterr().out


@pytest.mark.parametrize("package", PACKAGES)
async def test_watching_deploy_events(package: str, capsys: pytest.CaptureFixture[str]) -> None:
    names: dict[str, Any] = {}
    async with SimulatedGateway() as gateway:
        watching = asyncio.create_task(run(WATCHING_DEPLOY_EVENTS, package, gateway, names))
        printed = ""
        async with asyncio.timeout(10):
            while "#2 " not in printed:
                if "#1 " in printed and "#2 " not in printed:
                    await gateway.deploy()
                await asyncio.sleep(0.05)
                printed += capsys.readouterr().out
        watching.cancel()
        with pytest.raises(asyncio.CancelledError):
            await watching
    assert names["last_seen"].tzinfo is not None
    assert "objects=" in printed
