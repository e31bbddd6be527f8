"""API keys: which there are, and who it is that calls with one."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, Protocol

from grpclib.const import Status
from grpclib.exceptions import GRPCError

from .access import EVERYTHING, Access
from .scopes import ALL_SCOPES, Scope

#: Length of a pepper and of an HMAC-SHA256, in bytes.
DIGEST_SIZE: Final = 32
_ID: Final = r"[!-^`-~]+"  # printable ASCII without "_", which ends it
_KEY: Final = re.compile(rf"mxgw_({_ID})_[!-~]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who calls, and what it may do."""

    key_id: str
    scopes: frozenset[Scope]
    access: Access

    def require(self, scope: Scope | None) -> None:
        """PERMISSION_DENIED unless the key has ``scope``; None is nothing that it could lack."""
        if scope is not None and scope not in self.scopes:
            raise GRPCError(
                Status.PERMISSION_DENIED,
                f"the call needs scope {scope}, which API key {self.key_id} does not have",
            )


class Authenticator(Protocol):
    """What knows callers by the metadata of their calls."""

    def authenticate(self, metadata: Mapping[str, str | bytes] | None) -> Caller:
        """Who calls; gRPC UNAUTHENTICATED for nobody known."""
        ...


class Anybody:
    """Takes every call, with a key or without, as one caller who may do everything."""

    _CALLER: Final = Caller(key_id="anonymous", scopes=ALL_SCOPES, access=EVERYTHING)

    def authenticate(self, metadata: Mapping[str, str | bytes] | None) -> Caller:
        """The one caller, whatever the metadata."""
        return self._CALLER


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """What is kept of an API key: enough to know it again, too little to make it."""

    id: str
    digest: bytes = field(repr=False)
    scopes: frozenset[Scope]
    access: Access = EVERYTHING


class KeyRing:
    """Keys that are accepted, each kept as its HMAC-SHA256 with the same pepper."""

    def __init__(self, pepper: bytes, keys: Iterable[Key] = ()) -> None:
        self._pepper = pepper
        self._keys = {key.id: key for key in keys}

    def __contains__(self, key_id: str) -> bool:
        return key_id in self._keys

    def digest(self, key: str) -> bytes:
        """What is kept of ``key``."""
        return hmac.new(self._pepper, key.encode(), hashlib.sha256).digest()

    def put(self, key: Key) -> None:
        """Accept ``key``, in the place of one with its id if there is one."""
        self._keys[key.id] = key

    def drop(self, key_id: str) -> None:
        """Accept that key no more."""
        del self._keys[key_id]

    def found(self, key: str) -> Key | None:
        """What is kept of ``key``; None if it is not accepted."""
        known = self._keys.get(id_of(key))
        # Compared for unknown ids too, so that time does not tell which ids exist.
        same = hmac.compare_digest(known.digest if known else self._pepper, self.digest(key))
        return known if same else None


class KeySource(Protocol):
    """Where keys are kept that others may change meanwhile, such as a file."""

    def current(self) -> KeyRing:
        """The keys as they are now."""
        ...


class ApiKeys:
    """The API keys that a gateway accepts: those it was given, and those of ``source``.

    D: an id of a key that was given hides the same id in ``source``, so that one id is one key.
    """

    def __init__(self, source: KeySource | None = None) -> None:
        self._own = KeyRing(secrets.token_bytes(DIGEST_SIZE))
        self._source = source

    def add(
        self,
        key: str | None = None,
        *,
        scopes: Iterable[Scope] = ALL_SCOPES,
        access: Access = EVERYTHING,
    ) -> str:
        """Accept ``key`` from now on, or a new random one, and return it.

        Raises:
            ValueError: It is not ``mxgw_<id>_<secret>``, or its id is taken. The text does not
                show it.
        """
        key = new_key() if key is None else key
        key_id = id_of(key)
        if not key_id:
            raise ValueError("an API key is mxgw_<id>_<secret> in ASCII, with no _ in the id")
        if key_id in self._own:
            raise ValueError("there is an API key with this id already")
        digest = self._own.digest(key)
        self._own.put(Key(id=key_id, digest=digest, scopes=frozenset(scopes), access=access))
        return key

    def revoke(self, key: str) -> None:
        """Refuse a key that was added, from the next call on.

        Raises:
            ValueError: It is not one of those that were added. The text does not show it.
        """
        found = self._own.found(key)
        if found is None:
            raise ValueError("the gateway was not given this API key, or it is revoked already")
        self._own.drop(found.id)

    def authenticate(self, metadata: Mapping[str, str | bytes] | None) -> Caller:
        """Whose key stands in ``authorization: Bearer …``, or gRPC UNAUTHENTICATED.

        The answer is the same for a missing, a malformed, an unknown and a revoked key.
        """
        key = _bearer(metadata or {})
        ring = self._own
        if self._source is not None and id_of(key) not in self._own:
            ring = self._source.current()
        found = ring.found(key)
        if found is None:
            raise GRPCError(
                Status.UNAUTHENTICATED,
                "the call needs metadata 'authorization: Bearer <API key>' with a valid API key",
            )
        return Caller(key_id=found.id, scopes=found.scopes, access=found.access)


def new_key(key_id: str | None = None) -> str:
    """A random API key, of that id or of a random one."""
    return f"mxgw_{key_id or secrets.token_hex(4)}_{secrets.token_urlsafe(24)}"


def id_of(key: str) -> str:
    """The id in an API key; empty for what is none."""
    match = _KEY.fullmatch(key)
    return match[1] if match else ""


def is_id(text: str) -> bool:
    """Whether an API key can have ``text`` as its id."""
    return re.fullmatch(_ID, text) is not None


def _bearer(metadata: Mapping[str, str | bytes]) -> str:
    value = metadata.get("authorization", "")
    scheme, _, key = (value if isinstance(value, str) else "").partition(" ")
    return key.strip() if scheme.lower() == "bearer" else ""
