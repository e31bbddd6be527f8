"""The simulated gateway: listening on a socket, the signals' clock, and leaving nothing behind."""

from __future__ import annotations

import asyncio
import os
import socket
from types import TracebackType
from typing import Final, Self

from grpclib.const import Status
from grpclib.exceptions import GRPCError
from grpclib.protocol import H2Protocol
from grpclib.server import Server

from zb_mom_ww_mxgateway_contracts.mxaccess_gateway_v1 import AlarmProviderMode

from .alarms import Alarms
from .auth import ApiKeys
from .calls import Calls
from .deploys import Deploys
from .galaxy import Galaxy
from .galaxy_service import GalaxyService
from .services import GatewayCodec, GatewayService
from .sessions import Sessions

#: How long closing waits, in seconds, for calls to end and for clients to read what was sent.
CLOSING_TIME: Final = 1.0
_ACCEPTING: Final = 0.02


class SimulatedGateway:
    """A gateway with MXAccess semantics in memory; an async context manager that listens.

    >>> async with SimulatedGateway() as gateway:
    ...     print(gateway.endpoint, gateway.api_key)

    Args:
        host: The address to listen on.
        port: The port to listen on; 0 takes a free one.
        api_key: The API key to accept, ``mxgw_<id>_<secret>``; None makes a random one.
        seed: What the signals start from; the same seed gives the same values in the same order.
        machines: How many TestMachine objects the galaxy has.
        first_value_delay: Seconds from an advice to its first value (live: 3 to 8).
        change_interval: Seconds between two values of a signal.
        deployed: Whether the metadata of the galaxy is loaded from the start; without, Galaxy calls
            end with UNAVAILABLE until ``deploy``. Sessions do not care.

    Raises:
        ValueError: An argument is out of range, or the key is not of that form.
        OSError: Entering cannot listen there.
    """

    def __init__(
        self,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        api_key: str | None = None,
        seed: int = 0,
        machines: int = 10,
        first_value_delay: float = 0.0,
        change_interval: float = 0.4,
        deployed: bool = True,
    ) -> None:
        _check_machines(machines)
        if first_value_delay < 0:
            raise ValueError(f"first_value_delay must not be negative, but is {first_value_delay}")
        if change_interval <= 0:
            raise ValueError(f"change_interval must be positive, but is {change_interval}")
        self._host = host
        self._port = port
        self._change_interval = change_interval
        self._keys = ApiKeys()
        self._api_key = self._keys.add(api_key)
        self._galaxy = Galaxy(seed=seed, machines=machines)
        self._alarms = Alarms(self._galaxy)
        self._sessions = Sessions(self._galaxy, first_value_delay)
        self._deploys = Deploys(self._galaxy)
        if deployed:
            self._deploys.deploy()
        self._calls = Calls(self._keys)
        self._server: _Listener | None = None
        self._clock: asyncio.Task[None] | None = None
        self._closing: asyncio.Task[None] | None = None

    def __repr__(self) -> str:
        return f"SimulatedGateway({self._address()})"

    def _address(self) -> str:
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"{host}:{self._port}"

    @property
    def endpoint(self) -> str:
        """Where it listens, ``host:port``; once entered, with the port that was taken."""
        return self._address()

    @property
    def api_key(self) -> str:
        """The API key that it accepts; a secret."""
        return self._api_key

    def add_api_key(self, api_key: str | None = None) -> str:
        """Accept one more key, given or random, and return it; sessions belong to their key."""
        return self._keys.add(api_key)

    def switch_alarm_provider(self, mode: AlarmProviderMode, reason: str = "") -> None:
        """Let alarms come from another source, as after a failure of the alarm manager.

        Whoever follows alarms is told; each transition from then on says that it is degraded,
        unless ``mode`` is ALARMMGR.

        Args:
            mode: The source from now on.
            reason: An explanation for people.
        """
        self._alarms.switch_provider(mode, reason)

    def deploy(self, *, machines: int | None = None) -> None:
        """Deploy the galaxy anew: page tokens become void, and whoever watches deploys is told.

        Args:
            machines: How many TestMachine objects there are from now on; None leaves them. Items
                that sessions added before stay what they are; alarms of machines that go are
                cleared.

        Raises:
            ValueError: ``machines`` is negative.
        """
        if machines is not None:
            _check_machines(machines)
            self._galaxy.deploy(machines)
            self._alarms.deployed()
        self._deploys.deploy()

    def handlers(self) -> list[GatewayService | GalaxyService]:
        """The services, for grpclib's ``Server`` or ``ChannelFor``; signals move once entered."""
        return [
            GatewayService(self._calls, self._sessions, self._alarms),
            GalaxyService(self._calls, self._deploys),
        ]

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    async def start(self) -> None:
        """Listen; entering the context does it."""
        if self._server is not None or self._closing is not None:
            raise RuntimeError("a simulated gateway starts once")
        listening = await _bound(self._host, self._port)
        self._port = listening.getsockname()[1]
        self._server = _Listener(self.handlers(), codec=GatewayCodec())
        await self._server.start(sock=listening)
        self._clock = asyncio.create_task(self._run_clock())

    async def _run_clock(self) -> None:
        while True:
            await asyncio.sleep(self._change_interval)
            await self._galaxy.advance()

    async def close(self) -> None:
        """Close every session, stop listening and hang up on every client; again is harmless."""
        if self._closing is None:
            self._closing = asyncio.ensure_future(self._close())
        await asyncio.shield(self._closing)

    async def _close(self) -> None:
        if self._clock is not None:
            self._clock.cancel()
            await asyncio.wait([self._clock])
        self._alarms.end(GRPCError(Status.UNAVAILABLE, "the gateway is shutting down"))
        self._deploys.shut()
        await self._sessions.shut()
        await self._calls.ended(CLOSING_TIME)
        if self._server is not None:
            await self._server.hang_up(CLOSING_TIME)
        if self._clock is not None and not self._clock.cancelled():
            self._clock.result()  # raises what stopped the clock


def _check_machines(machines: int) -> None:
    if machines < 0:
        raise ValueError(f"machines must not be negative, but is {machines}")


async def _bound(host: str, port: int) -> socket.socket:
    """A TCP socket that is bound; asked for by number, or connections would lack TCP_NODELAY."""
    infos = await asyncio.get_running_loop().getaddrinfo(
        host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP
    )
    family, kind, protocol, _, address = infos[0]
    made = socket.socket(family, kind, protocol)
    try:
        if os.name == "posix":  # on Windows it would let others take the port too
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind(address)
    except OSError:
        made.close()
        raise
    return made


class _Listener(Server):
    """grpclib's server, which leaves its connections open when it closes; this one does not."""

    _transports: set[asyncio.Transport]

    def _protocol_factory(self) -> H2Protocol:
        if not hasattr(self, "_transports"):
            self._transports = set()
        plain = super()._protocol_factory()
        protocol = _Connection(plain.handler, plain.config, plain.h2_config)
        protocol.transports = self._transports
        return protocol

    async def hang_up(self, patience: float) -> None:
        """Stop listening and close every connection, by force after ``patience`` seconds."""
        self.close()
        # One that was accepted just before takes some turns of the loop to show up.
        await asyncio.sleep(_ACCEPTING)
        closed = asyncio.ensure_future(self.wait_closed())
        transports = getattr(self, "_transports", set[asyncio.Transport]())
        until = asyncio.get_running_loop().time() + patience
        while transports or not closed.done():
            for transport in list(transports):
                if asyncio.get_running_loop().time() > until:
                    transport.abort()
                else:
                    transport.close()
            await asyncio.sleep(0.001)
        await closed


class _Connection(H2Protocol):
    """grpclib's connection, which is on a list as long as it is open."""

    transports: set[asyncio.Transport]
    _transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self.transports.add(transport)
        super().connection_made(transport)

    def connection_lost(self, exc: BaseException | None) -> None:
        self.transports.discard(self._transport)
        super().connection_lost(exc)
