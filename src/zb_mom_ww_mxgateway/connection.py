"""``Connection``: what every client of a gateway's service has in common, its connection."""

from __future__ import annotations

from os import urandom
from types import TracebackType
from typing import Self, Unpack

from .channel import GatewayChannel
from .options import ClientOptions, ConnectOptions


class Connection:
    """A connection to one gateway. ``connect`` makes it, ``async with`` closes it."""

    def __init__(self, channel: GatewayChannel, options: ClientOptions) -> None:
        self._channel = channel
        self._options = options

    @classmethod
    async def connect(cls, endpoint: str, **options: Unpack[ConnectOptions]) -> Self:
        """Connect to a gateway.

        Args:
            endpoint: ``host:port``, ``[v6]:port``, or the same behind ``https://`` or ``http://``.
            **options: The other arguments of ``ClientOptions``.

        Raises:
            MxGatewayArgumentError: Options that cannot be.
            MxGatewayUnavailableError: Nobody answers there.
            MxGatewayCertificateError: The gateway's certificate is not accepted.
            MxGatewayTimeoutError: No connection within ``connect_timeout``.

        Example:
            >>> client = await GatewayClient.connect("localhost:5000", api_key=key, plaintext=True)
        """
        try:
            made = ClientOptions(endpoint=endpoint, **options)
        finally:
            del options  # a traceback that shows locals shall not show the key
        return await cls.from_options(made)

    @classmethod
    async def from_options(cls, options: ClientOptions) -> Self:
        """Connect as ``options`` say; raises what ``connect`` raises."""
        return cls(await GatewayChannel.connect(options), options)

    @property
    def options(self) -> ClientOptions:
        """How this client connected."""
        return self._options

    @property
    def endpoint(self) -> str:
        """The endpoint as it was given."""
        return self._options.endpoint

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.endpoint}>"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connection, and wait for its end; calls and streams that still run end too.

        Safe to call again.
        """
        await self._channel.close()


def new_correlation_id() -> str:
    """A name for a call in logs, where the caller gives none: 32 hex digits, always different."""
    return urandom(16).hex()
