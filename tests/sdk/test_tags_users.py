"""Writing by tag on behalf of users, whose ids count on the registration that knows them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.sdk.conftest import session_of
from zb_mom_ww_mxgateway import (
    MxAccessError,
    MxAccessWriteError,
    MxGatewayArgumentError,
    Session,
    sync,
)
from zb_mom_ww_mxgateway_sim import SimulatedGateway

SITE = """
secured = true
users = [
    { name = "weber", password = "one", user_id = 7 },
    { name = "wagner", password = "two", user_id = 9 },
]

[[objects]]
tag_name = "Oven"
template = "$UserDefined"

[objects.attributes]
Plain = 1
Secured = { value = 1, security = "secured-write" }
Verified = { value = 1, security = "verified-write" }
"""


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[SimulatedGateway]:
    (tmp_path / "site.toml").write_text(SITE)
    async with SimulatedGateway(galaxy=tmp_path / "site.toml") as running:
        yield running


@pytest.fixture
async def session(gateway: SimulatedGateway) -> AsyncIterator[Session]:
    async with session_of(gateway) as (_, opened):
        yield opened


async def test_a_secured_galaxy_takes_writes_by_tag_on_the_handle_that_knows_the_user(
    session: Session,
) -> None:
    server = await session.register("tests")
    user = await session.authenticate_user(server, "weber", "one")
    with pytest.raises(MxAccessWriteError, match="was not authenticated on server handle"):
        await session.write_and_wait("Oven.Plain", 2, user_id=user)
    done = await session.write_and_wait("Oven.Plain", 3, server_handle=server, user_id=user)
    assert (done.is_good, done.server_handle) == (True, server)
    done = await session.write_and_wait("Oven.Secured", 4, server_handle=server, users=(user, user))
    assert done.is_good
    assert [it.value for it in await session.read_many(["Oven.Plain", "Oven.Secured"])] == [3, 4]


async def test_a_verified_write_by_tag_needs_two_users(session: Session) -> None:
    server = await session.register("tests")
    user = await session.authenticate_user(server, "weber", "one")
    verifier = await session.authenticate_user(server, "wagner", "two")
    with pytest.raises(MxAccessWriteError, match="1013"):
        await session.write_and_wait("Oven.Verified", 2, server_handle=server, users=(user, user))
    await session.write_and_wait("Oven.Verified", 3, server_handle=server, users=(user, verifier))
    assert (await session.read("Oven.Verified")).value == 3


async def test_users_of_another_registration_are_refused_and_nothing_is_left_there(
    session: Session, gateway: SimulatedGateway
) -> None:
    server, other = await session.register("tests"), await session.register("others")
    user = await session.authenticate_user(server, "weber", "one")
    with pytest.raises(MxAccessError, match="was not authenticated"):
        await session.write_and_wait("Oven.Secured", 2, server_handle=other, users=(user, user))
    await session._settle()
    registrations = gateway._sessions._open[session.session_id].handles
    assert [len(registration.items) for registration in registrations] == [0, 0]


async def test_users_without_their_server_handle_are_refused_before_anything_is_sent(
    session: Session, gateway: SimulatedGateway
) -> None:
    with pytest.raises(MxGatewayArgumentError, match="users need server_handle"):
        await session.write_and_wait("Oven.Secured", 2, users=(7, 7))
    assert list(gateway._sessions._open[session.session_id].handles) == []


async def test_a_stream_shows_the_events_of_a_write_on_a_handle_of_ones_own(
    session: Session,
) -> None:
    server = await session.register("tests")
    user = await session.authenticate_user(server, "weber", "one")
    async with session.stream_events() as events:
        await session.write_and_wait("Oven.Plain", 2, server_handle=server, user_id=user)
        assert [(await anext(events)).server_handle for _ in range(2)] == [server, server]


def test_a_blocking_write_by_tag_has_users_too(tmp_path: Path) -> None:
    from zb_mom_ww_mxgateway.loop_thread import LoopThread

    (tmp_path / "site.toml").write_text(SITE)
    thread = LoopThread("test gateway")

    async def start() -> SimulatedGateway:
        running = SimulatedGateway(galaxy=tmp_path / "site.toml")
        await running.start()
        return running

    running = thread.run("start", start)
    try:
        with (
            sync.GatewayClient.connect(
                running.endpoint, api_key=running.api_key, plaintext=True
            ) as client,
            client.open_session() as session,
        ):
            server = session.register("tests")
            user = session.authenticate_user(server, "weber", "one")
            assert session.write_and_wait(
                "Oven.Secured", 2, server_handle=server, users=(user, user)
            ).is_good
    finally:
        thread.run("close", running.close)
        thread.stop()
