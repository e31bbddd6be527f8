"""Who calls: keys that are given to a gateway, what is kept of them, and what strangers learn."""

from __future__ import annotations

import pytest
from grpclib.const import Status
from grpclib.exceptions import GRPCError
from hypothesis import assume, example, given, strategies as st

from zb_mom_ww_mxgateway_contracts.mxaccess_gateway_v1 import OpenSessionRequest
from zb_mom_ww_mxgateway_sim import SimulatedGateway
from zb_mom_ww_mxgateway_sim.auth.access import EVERYTHING, Access
from zb_mom_ww_mxgateway_sim.auth.keys import (
    Anybody,
    ApiKeys,
    Authenticator,
    Caller,
    Key,
    KeyRing,
    id_of,
    new_key,
)
from zb_mom_ww_mxgateway_sim.auth.scopes import ALL_SCOPES, Scope

KEY = "mxgw_tester_s3cret_part"
ASCII = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1)
IDS = ASCII.filter(lambda text: "_" not in text)


def bearer(key: str) -> dict[str, str | bytes]:
    return {"authorization": f"Bearer {key}"}


def refusal(keys: Authenticator, metadata: dict[str, str | bytes] | None) -> str:
    """The text of UNAUTHENTICATED, which a call with ``metadata`` must end with."""
    with pytest.raises(GRPCError) as caught:
        keys.authenticate(metadata)
    assert caught.value.status is Status.UNAUTHENTICATED
    return str(caught.value.message)


async def reads(session) -> None:
    """Attach to a session's events and wait for the first."""
    async with session.events() as events:
        await events.next()


STRANGER = refusal(ApiKeys(), None)


@given(key_id=IDS, secret=ASCII, scopes=st.frozensets(st.sampled_from(Scope)))
def test_a_key_is_its_id_up_to_the_first_underscore_and_a_secret_of_anything(
    key_id: str, secret: str, scopes: frozenset[Scope]
) -> None:
    """Row: metadata `authorization: Bearer mxgw_<id>_<secret>`; split at the first `_` after the
    id.
    """
    access = Access(read=("Area",))
    key = f"mxgw_{key_id}_{secret}"
    keys = ApiKeys()
    assert keys.add(key, scopes=scopes, access=access) == key
    caller = keys.authenticate(bearer(key))
    assert caller == Caller(key_id=key_id, scopes=scopes, access=access)


@given(scheme=st.sampled_from(["Bearer", "bearer", "BEARER", "bEaReR"]), blanks=st.integers(1, 3))
def test_bearer_matches_in_any_case(scheme: str, blanks: int) -> None:
    keys = ApiKeys()
    key = keys.add()
    caller = keys.authenticate({"authorization": f"{scheme}{' ' * blanks}{key}"})
    assert caller.key_id == id_of(key)


@given(st.one_of(st.text(), st.builds("mxgw_tester_{}".format, ASCII), st.just(KEY[:-1])))
@example("")
@example("mxgw_tester_")
@example(f"{KEY}\n")
@example(f"{KEY}\u0661")
@example("mxgw__s3cret_part")
def test_whatever_is_not_the_key_is_refused_in_the_same_words(other: str) -> None:
    """Row: missing, malformed, unknown or revoked key: UNAUTHENTICATED, without saying which."""
    assume(other.strip() != KEY)
    keys = ApiKeys()
    keys.add(KEY)
    assert refusal(keys, bearer(other)) == STRANGER
    assert "s3cret" not in STRANGER
    assert "tester" not in STRANGER


@pytest.mark.parametrize(
    "metadata",
    [
        None,
        {},
        {"authorization": ""},
        {"authorization": KEY},
        {"authorization": f"Basic {KEY}"},
        {"authorization": f"Bearer{KEY}"},
        {"authorization": f"Bearer {KEY}".encode()},
    ],
)
def test_a_key_that_is_not_sent_as_one_is_no_key(metadata: dict[str, str | bytes] | None) -> None:
    keys = ApiKeys()
    keys.add(KEY)
    assert refusal(keys, metadata) == STRANGER


def test_a_revoked_key_is_as_unknown_as_one_that_never_was() -> None:
    keys = ApiKeys()
    key, other = keys.add(), keys.add()
    keys.revoke(key)
    assert refusal(keys, bearer(key)) == STRANGER
    assert keys.authenticate(bearer(other)).key_id == id_of(other)


@pytest.mark.parametrize("wrong", [f"{KEY}x", "mxgw_other_s3cret_part", "tester", ""])
def test_only_the_key_itself_can_be_revoked_and_an_error_does_not_show_it(wrong: str) -> None:
    keys = ApiKeys()
    keys.add(KEY)
    with pytest.raises(ValueError, match="not given this API key") as caught:
        keys.revoke(wrong)
    assert "s3cret" not in str(caught.value)
    keys.authenticate(bearer(KEY))


@given(key_id=IDS, secret=ASCII)
def test_what_is_kept_shows_neither_the_key_nor_its_digest(key_id: str, secret: str) -> None:
    """Row: keys are kept as HMAC-SHA256 with a pepper."""
    key = f"mxgw_{key_id}_{secret}"
    one, other = KeyRing(b"p" * 32), KeyRing(b"q" * 32)
    kept = Key(id=key_id, digest=one.digest(key), scopes=ALL_SCOPES)
    assert len(kept.digest) == 32
    assert one.digest(key) != other.digest(key)
    assert "digest" not in repr(kept)
    assert key not in repr(kept)


def test_a_key_is_found_with_the_pepper_that_it_was_kept_with_alone() -> None:
    ring = KeyRing(b"p" * 32)
    kept = Key(id="tester", digest=ring.digest(KEY), scopes=ALL_SCOPES)
    assert KeyRing(b"p" * 32, [kept]).found(KEY) is kept
    assert KeyRing(b"q" * 32, [kept]).found(KEY) is None


class Elsewhere:
    """Keys that somebody else keeps, and may change."""

    def __init__(self, *keys: str) -> None:
        empty = KeyRing(b"p" * 32)
        kept = (Key(id=id_of(key), digest=empty.digest(key), scopes=ALL_SCOPES) for key in keys)
        self.ring = KeyRing(b"p" * 32, kept)

    def current(self) -> KeyRing:
        return self.ring


def test_keys_of_a_source_are_accepted_beside_those_that_were_given() -> None:
    source = Elsewhere("mxgw_stored_one")
    keys = ApiKeys(source)
    given_key = keys.add()
    assert keys.authenticate(bearer("mxgw_stored_one")).key_id == "stored"
    assert keys.authenticate(bearer(given_key)).key_id == id_of(given_key)
    source.ring.drop("stored")
    assert refusal(keys, bearer("mxgw_stored_one")) == STRANGER


def test_one_id_is_one_key_so_a_given_key_hides_the_same_id_of_a_source() -> None:
    """Otherwise two keys would share their sessions. D"""
    keys = ApiKeys(Elsewhere("mxgw_same_stored"))
    keys.add("mxgw_same_given")
    assert keys.authenticate(bearer("mxgw_same_given")).key_id == "same"
    assert refusal(keys, bearer("mxgw_same_stored")) == STRANGER


@pytest.mark.parametrize("metadata", [None, {}, bearer(KEY), {"authorization": "nonsense"}])
def test_without_authentication_everybody_is_one_caller_who_may_do_everything(
    metadata: dict[str, str | bytes] | None,
) -> None:
    caller = Anybody().authenticate(metadata)
    assert caller == Caller(key_id="anonymous", scopes=ALL_SCOPES, access=EVERYTHING)


def test_a_new_key_is_random_and_of_the_id_that_was_asked_for() -> None:
    assert new_key() != new_key()
    assert id_of(new_key("historian")) == "historian"


async def test_a_key_that_is_revoked_at_a_running_gateway_is_refused_from_the_next_call_on(
    site, refused
) -> None:
    """Row: revoked key: UNAUTHENTICATED. Sessions that it opened go with it."""
    gateway: SimulatedGateway = await site.gateway()
    key = gateway.add_api_key()
    session = await site.client(gateway, key).open()
    assert await session.do("ping") is None
    gateway.revoke_api_key(key)
    assert (await refused(session.invoke("ping"))).status is Status.UNAUTHENTICATED
    assert (await refused(session.close())).message == STRANGER
    assert (await site.client(gateway).open()).id


async def test_a_session_belongs_to_the_key_that_opened_it(site, refused) -> None:
    """Row: a session belongs to the key that opened it; another key gets NOT_FOUND. D"""
    gateway: SimulatedGateway = await site.gateway()
    session = await site.client(gateway).open()
    other = site.client(gateway, gateway.add_api_key()).session(session.id)
    for attempt in (other.invoke("ping"), other.close(), reads(other)):
        assert (await refused(attempt)).status is Status.NOT_FOUND
    assert await session.do("ping") is None


async def test_a_key_of_a_gateway_is_narrowed_as_it_is_told(site) -> None:
    gateway: SimulatedGateway = await site.gateway()
    with pytest.raises(ValueError, match="there is no scope 'invoke:everything'"):
        gateway.add_api_key(scopes=["invoke:everything"])
    with pytest.raises(TypeError, match=r"as in \['TestArea'\]"):
        gateway.add_api_key(read="TestArea")
    key = gateway.add_api_key(scopes=["session:open"], read=["TestArea"])
    assert (await site.client(gateway, key).stub.open_session(OpenSessionRequest())).session_id
