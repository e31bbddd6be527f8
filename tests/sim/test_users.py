"""Users: secured and open galaxies, who may log in, and what they may write, at a gateway."""

from __future__ import annotations

from typing import Any

import pytest

from zb_mom_ww_mxgateway.galaxy import SecurityClassification
from zb_mom_ww_mxgateway.values import from_mx_value, to_mx_value
from zb_mom_ww_mxgateway_contracts.mxaccess_gateway_v1 import (
    MxDataType,
    MxEventFamily,
    MxStatusCategory,
    ProtocolStatusCode,
)
from zb_mom_ww_mxgateway_sim.galaxy.definition import (
    AttributeDefinition,
    AttributeSet,
    GalaxyDefinition,
    ObjectDefinition,
    UserDefinition,
)

E_INVALIDARG = 0x80070057 - 2**32
NOT_AUTHENTICATED = 0x80004021 - 2**32
GUIDS = ("3f2504e0-4f89-41d3-9a0c-0305e82c3301", "3f2504e0-4f89-41d3-9a0c-0305e82c3302")
WAGNER = {"user_name": "PLANT\\mwagner", "password": "t0p secret"}
WEBER = {"user_name": "weber", "password": "als0 secret"}
WRITABLE = ["OPERATE", "TUNE", "CONFIGURE"]


def galaxy(*, is_secured: bool = True) -> GalaxyDefinition:
    """One object with an attribute of each classification, called as that is."""
    attributes = [
        AttributeDefinition(name=it.name, data_type=MxDataType.INTEGER, value=0, security=it)
        for it in SecurityClassification
    ]
    known = [(WAGNER, 7, GUIDS[0]), (WEBER, 9, GUIDS[1])]
    return GalaxyDefinition(
        is_secured=is_secured,
        entries=(ObjectDefinition(tag_name="T", attributes=AttributeSet(attributes)),),
        users=tuple(
            UserDefinition(
                name=who["user_name"], password=who["password"], user_id=user_id, guid=guid
            )
            for who, user_id, guid in known
        ),
    )


@pytest.fixture
async def secured(site: Any) -> Any:
    return await site.session(galaxy=galaxy())


async def outcome(
    session: Any, security: str, server: int, item: int, **fields: Any
) -> tuple[MxStatusCategory, int]:
    """Write 1, which must be accepted; category and detail of its OnWriteComplete."""
    command = "write_secured" if "current_user_id" in fields else "write"
    handles = {"server_handle": server, "item_handle": item}
    reply = await session.invoke(command, **handles, value=to_mx_value(1), **fields)
    assert reply.protocol_status.code == ProtocolStatusCode.OK, reply
    events = await session.do("drain_events", max_events=0)
    (complete,) = [it for it in events if it.family == MxEventFamily.ON_WRITE_COMPLETE]
    (status,) = complete.statuses
    (read,) = await session.do("read_bulk", server_handle=server, tag_addresses=[f"T.{security}"])
    assert from_mx_value(read.value) == (1 if status.category == MxStatusCategory.OK else 0)
    return status.category, status.detail


async def log_in(session: Any, server: int, who: dict[str, str]) -> int:
    return await session.do("authenticate_user", server_handle=server, **who)


async def test_in_a_secured_galaxy_a_good_password_gives_a_positive_id_and_a_bad_one_80070057(
    secured: Any,
) -> None:
    """AuthenticateUser: secured galaxy: a bad password gives 0x80070057, a good one a positive id.
    The password is never echoed.
    """
    server = await secured.do("register")
    assert await log_in(secured, server, WAGNER) == 7
    assert await log_in(secured, server, {**WAGNER, "user_name": "plant\\MWAGNER"}) == 7
    assert await log_in(secured, server, WEBER) == 9
    for wrong in (
        {**WAGNER, "password": WEBER["password"]},
        {**WAGNER, "password": WAGNER["password"].upper()},
        {**WAGNER, "password": ""},
        {"user_name": "nobody", "password": ""},
        {},
    ):
        reply = await secured.invoke("authenticate_user", server_handle=server, **wrong)
        assert reply.protocol_status.code == ProtocolStatusCode.MXACCESS_FAILURE
        assert reply.hresult == E_INVALIDARG
        assert reply.statuses[0].category == MxStatusCategory.CONFIGURATION_ERROR
        assert "secret" not in repr(reply).casefold()


@pytest.mark.parametrize("is_secured", [True, False])
async def test_the_guid_of_a_configured_user_is_its_id_and_any_other_80070057(
    site: Any, is_secured: bool
) -> None:
    """ArchestrAUserToId: GUID of a configured user → its id, else 0x80070057."""
    session = await site.session(galaxy=galaxy(is_secured=is_secured))
    server = await session.do("register")
    for guid in (GUIDS[1], GUIDS[1].upper(), f"{{{GUIDS[1]}}}"):
        assert await session.do("archestra_user_to_id", server_handle=server, user_guid=guid) == 9
    for guid in ("", "weber", GUIDS[1].replace("2", "4")):
        reply = await session.invoke("archestra_user_to_id", server_handle=server, user_guid=guid)
        assert reply.hresult == E_INVALIDARG


async def test_an_id_from_a_guid_is_no_log_in(secured: Any) -> None:
    """Secured writes need user ids from AuthenticateUser of the same server handle."""
    server, (item,) = await secured.subscribed("T.SECURED_WRITE")
    user = await secured.do("archestra_user_to_id", server_handle=server, user_guid=GUIDS[0])
    reply = await secured.invoke(
        "write_secured",
        server_handle=server,
        item_handle=item,
        value=to_mx_value(1),
        current_user_id=user,
        verifier_user_id=user,
    )
    assert reply.hresult == NOT_AUTHENTICATED


async def test_a_secured_write_may_be_verified_by_the_same_user(secured: Any) -> None:
    """SecuredWrite: current user = verifier allowed."""
    server, (item,) = await secured.subscribed("T.SECURED_WRITE")
    user = await log_in(secured, server, WAGNER)
    assert await outcome(
        secured, "SECURED_WRITE", server, item, current_user_id=user, verifier_user_id=user
    ) == (MxStatusCategory.OK, 0)


async def test_a_verified_write_needs_a_second_different_user(secured: Any) -> None:
    """VerifiedWrite: verifier must be a second, different user."""
    security = "VERIFIED_WRITE"
    server, (item,) = await secured.subscribed(f"T.{security}")
    one, two = [await log_in(secured, server, who) for who in (WAGNER, WEBER)]
    same = {"current_user_id": one, "verifier_user_id": one}
    category, detail = await outcome(secured, security, server, item, **same)
    assert (category, detail) == (MxStatusCategory.SECURITY_ERROR, 1013)
    different = {"current_user_id": one, "verifier_user_id": two}
    assert await outcome(secured, security, server, item, **different) == (MxStatusCategory.OK, 0)


@pytest.mark.parametrize("security", WRITABLE)
async def test_where_security_is_on_a_write_needs_a_user_of_its_server_handle(
    secured: Any, security: str
) -> None:
    """D: where security is on, everything but FreeAccess needs a user of this server handle."""
    other = await secured.do("register")
    await log_in(secured, other, WEBER)
    server, (item,) = await secured.subscribed(f"T.{security}")
    user = await log_in(secured, server, WAGNER)
    for stranger in (0, 1, 9):
        category, _ = await outcome(secured, security, server, item, user_id=stranger)
        assert category == MxStatusCategory.SECURITY_ERROR
    assert await outcome(secured, security, server, item, user_id=user) == (MxStatusCategory.OK, 0)


async def test_free_access_needs_no_user_and_view_only_takes_none(secured: Any) -> None:
    server, (free, view) = await secured.subscribed("T.FREE_ACCESS", "T.VIEW_ONLY")
    user = await log_in(secured, server, WAGNER)
    category, _ = await outcome(secured, "VIEW_ONLY", server, view, user_id=user)
    assert category == MxStatusCategory.SECURITY_ERROR
    assert await outcome(secured, "FREE_ACCESS", server, free) == (MxStatusCategory.OK, 0)


@pytest.mark.parametrize("security", ["FREE_ACCESS", *WRITABLE])
async def test_user_id_0_is_fine_where_security_is_off(site: Any, security: str) -> None:
    session = await site.session(galaxy=galaxy(is_secured=False))
    server, (item,) = await session.subscribed(f"T.{security}")
    assert await outcome(session, security, server, item) == (MxStatusCategory.OK, 0)
