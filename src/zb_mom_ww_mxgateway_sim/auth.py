"""API keys: who calls. Scopes and tag subtrees are not simulated yet; a key may do everything."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Mapping
from typing import Final

from grpclib.const import Status
from grpclib.exceptions import GRPCError

_KEY: Final = re.compile(r"mxgw_([!-^`-~]+)_([!-~]+)")  # the id has no "_", the secret may


class ApiKeys:
    """The API keys that a gateway accepts, kept as HMAC-SHA256 with a pepper of its own."""

    def __init__(self) -> None:
        self._pepper = secrets.token_bytes(32)
        self._digests: dict[str, bytes] = {}

    def add(self, key: str | None = None) -> str:
        """Accept ``key`` from now on, or a new random one, and return it.

        Raises:
            ValueError: It is not ``mxgw_<id>_<secret>``, or its id is taken. The text does not
                show it.
        """
        if key is None:
            key = f"mxgw_{secrets.token_hex(4)}_{secrets.token_urlsafe(24)}"
        match = _KEY.fullmatch(key)
        if match is None:
            raise ValueError("an API key is mxgw_<id>_<secret> in ASCII, with no _ in the id")
        key_id = match[1]
        if key_id in self._digests:
            raise ValueError("there is an API key with this id already")
        self._digests[key_id] = self._digest(key)
        return key

    def authenticate(self, metadata: Mapping[str, str | bytes] | None) -> str:
        """The id of the key in ``authorization: Bearer …``, or gRPC UNAUTHENTICATED.

        The answer is the same for a missing, a malformed and an unknown key.
        """
        value = (metadata or {}).get("authorization", "")
        scheme, _, key = (value if isinstance(value, str) else "").partition(" ")
        key = key.strip()
        match = _KEY.fullmatch(key) if scheme.lower() == "bearer" else None
        key_id = match[1] if match else ""
        # Compared for unknown ids too, so that time does not tell which ids exist.
        expected = self._digests.get(key_id, self._pepper)
        if not hmac.compare_digest(expected, self._digest(key)) or match is None:
            raise GRPCError(
                Status.UNAUTHENTICATED,
                "the call needs metadata 'authorization: Bearer <API key>' with a valid API key",
            )
        return key_id

    def _digest(self, key: str) -> bytes:
        return hmac.new(self._pepper, key.encode(), hashlib.sha256).digest()
