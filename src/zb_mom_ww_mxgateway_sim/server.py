"""The simulated gateway: put together, listening on a socket, and leaving nothing behind."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self

from grpclib.const import Status
from grpclib.events import RecvRequest, listen
from grpclib.exceptions import GRPCError

from zb_mom_ww_mxgateway_contracts.galaxy_repository_v1 import DeployEvent
from zb_mom_ww_mxgateway_contracts.mxaccess_gateway_v1 import AlarmProviderMode

from . import tls
from .alarms import Alarms
from .auth.access import Access
from .auth.keys import Anybody, ApiKeys
from .auth.keys_file import WatchedKeysFile
from .auth.scopes import ALL_SCOPES, scopes_from
from .calls import Calls
from .clock import Clock
from .control import ControlService
from .discovering import discovery_of
from .faulting import Faults, LastingFault, Strike
from .galaxy.definition import GalaxyDefinition
from .galaxy.deploys import Deploys
from .galaxy.live import Galaxy
from .galaxy.loading import default_galaxy, load_galaxy
from .galaxy.service import GalaxyService
from .galaxy.store import Store
from .limits import Limits
from .listener import Listener, bound
from .operations.calls import call_watcher
from .operations.http import OperationsServer
from .operations.metrics import Snapshot
from .operations.observer import Observer
from .scenario import Scenario, Step, load_scenario
from .services import GatewayCodec, GatewayService
from .sessions import Sessions
from .users import Users

if TYPE_CHECKING:
    from .discovery import Discovery, Servable

#: How long closing waits, in seconds, for calls to end and for clients to read what was sent.
CLOSING_TIME: Final = 1.0


class SimulatedGateway:
    """A gateway with MXAccess semantics in memory; an async context manager that listens.

    >>> async with SimulatedGateway() as gateway:
    ...     print(gateway.endpoint, gateway.api_key)

    Args:
        host: The address to listen on.
        port: The port to listen on; 0 takes a free one.
        api_key: The API key to accept, ``mxgw_<id>_<secret>``; None makes a random one.
        keys_file: More keys, as ``mxgw-py simulate keys`` keeps them; changes are noticed.
        no_auth: Whether every call is taken, with a key or without; excludes ``api_key`` and
            ``keys_file``, which would then keep nobody out.
        cert_file: PEM file of the certificate to listen with; without it, or ``self_signed``, the
            gateway speaks plaintext.
        key_file: PEM file of its private key, where it is not in ``cert_file``.
        self_signed: Whether to make a certificate; ``certificate_sha256`` is its fingerprint.
        galaxy: What is deployed: a TOML file (see docs/simulator-galaxy.md) or a definition; None
            is the default galaxy.
        plant: Whether the default galaxy has its plant beside the test machines.
        seed: What the signals start from; the same seed gives the same values in the same order.
        machines: How many TestMachine objects there are, or other objects with
            ``count = "machines"``.
        first_value_delay: Seconds from an advice to its first value (live: 3 to 8).
        change_interval: Seconds between two values of a signal.
        deployed: Whether the metadata of the galaxy is loaded from the start; without, Galaxy calls
            end with UNAVAILABLE until ``deploy``. Sessions do not care.
        limits: How much the gateway allows, and for how long.
        clock: Where time comes from; a ``ManualClock`` stands still until a test lets it pass.
        scenario: Faults, and when they happen: a TOML file (see docs/simulator-faults.md) or its
            steps; None is a gateway without faults.
        operations_port: The port for ``/metrics`` and ``/health/live``; 0 takes a free one, None
            has none. It listens on ``host``, in plaintext and without a key.

    Raises:
        ValueError: An argument is out of range, or a file or key is not what it should be.
        OSError: A file of galaxy or scenario cannot be read, or entering cannot listen there.
    """

    def __init__(
        self,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        api_key: str | None = None,
        keys_file: str | Path | None = None,
        no_auth: bool = False,
        cert_file: str | Path | None = None,
        key_file: str | Path | None = None,
        self_signed: bool = False,
        galaxy: str | Path | GalaxyDefinition | None = None,
        plant: bool = True,
        seed: int = 0,
        machines: int = 10,
        first_value_delay: float = 0.0,
        change_interval: float = 0.4,
        deployed: bool = True,
        limits: Limits | None = None,
        clock: Clock | None = None,
        scenario: str | Path | Sequence[Step] | None = None,
        operations_port: int | None = None,
    ) -> None:
        if not first_value_delay >= 0:  # nor NaN
            raise ValueError(f"first_value_delay must not be negative, but is {first_value_delay}")
        if not change_interval > 0:
            raise ValueError(f"change_interval must be positive, but is {change_interval}")
        if no_auth and (api_key is not None or keys_file is not None):
            given = "api_key" if api_key is not None else "keys_file"
            raise ValueError(
                f"no_auth excludes {given}: it takes every call, whatever its key; leave one of "
                "the two out"
            )
        self._host = host
        self._port = port
        self._change_interval = change_interval
        self._clock = clock or Clock()
        self._observer = Observer()
        certificate = tls.certificate(cert_file, key_file, self_signed=self_signed, host=host)
        self._tls, self._certificate_sha256 = certificate

        self._keys = ApiKeys(WatchedKeysFile(Path(keys_file)) if keys_file else None)
        self._api_key = self._keys.add(api_key)
        self._calls = Calls(Anybody() if no_auth else self._keys)

        self._file = galaxy if isinstance(galaxy, str | Path) else None
        definition = galaxy if isinstance(galaxy, GalaxyDefinition) else self._loaded(plant=plant)
        self._deploys = Deploys(definition, machines=machines, clock=self._clock, loaded=deployed)
        self._galaxy = Galaxy(
            self._deploys.latest.store,
            Users(definition),
            seed=seed,
            clock=self._clock,
            change_interval=change_interval,
        )
        self._galaxy.first_value_delay = first_value_delay
        self._alarms = Alarms(self._galaxy, definition)
        self._deploys.on_deploy.append(self._on_deploy)
        self._sessions = Sessions(self._galaxy, limits or Limits(), self._observer)

        self._faults = Faults(
            clock=self._clock,
            galaxy=self._galaxy,
            sessions=self._sessions,
            conditions=self._calls.conditions,
            redeploy=lambda machines: self.deploy(machines=machines),
            listener=lambda: self._server,
            observer=self._observer,
        )
        steps = load_scenario(scenario) if isinstance(scenario, str | Path) else scenario
        self._scenario = Scenario(steps or (), self._faults, self._clock)

        self._operations: OperationsServer | None = None
        if operations_port is not None:
            self._operations = OperationsServer(
                self._observer.metrics, self._snapshot, host=host, port=operations_port
            )
        self._is_started = False
        self._server: Listener | None = None
        self._discovery: Discovery | None = None
        self._signals: asyncio.Task[None] | None = None
        self._closing: asyncio.Task[None] | None = None

    def _loaded(self, *, plant: bool) -> GalaxyDefinition:
        if self._file is None:
            return default_galaxy(self._change_interval, plant=plant)
        return load_galaxy(self._file, change_interval=self._change_interval)

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
    def clock(self) -> Clock:
        """Where its time comes from: what it was given, or real time."""
        return self._clock

    @property
    def api_key(self) -> str:
        """The API key that it accepts; a secret."""
        return self._api_key

    @property
    def certificate_sha256(self) -> str | None:
        """The fingerprint of a self-signed certificate, for clients to pin; else None."""
        return self._certificate_sha256

    @property
    def operations_endpoint(self) -> str | None:
        """Where ``/metrics`` and ``/health/live`` are; None if nowhere."""
        return None if self._operations is None else self._operations.endpoint

    def add_api_key(
        self,
        api_key: str | None = None,
        *,
        scopes: Iterable[str] = ALL_SCOPES,
        browse: Iterable[str] | None = None,
        read: Iterable[str] | None = None,
        write: Iterable[str] | None = None,
    ) -> str:
        """Accept one more API key and return it; sessions belong to their key.

        Args:
            api_key: ``mxgw_<id>_<secret>``; None makes a random one.
            scopes: What it may ask for, such as ``invoke:read``; everything by default.
            browse: Tag names of the objects that it sees the metadata of, with all below them;
                None is the whole galaxy.
            read: The same for what it reads, and for the alarms that it sees.
            write: The same for what it writes, and for the alarms that it acknowledges.

        Raises:
            ValueError: The key is not of that form, its id is taken, or there is no such scope.
        """
        access = Access.of(browse=browse, read=read, write=write)
        return self._keys.add(api_key, scopes=scopes_from(scopes), access=access)

    def revoke_api_key(self, api_key: str) -> None:
        """Refuse a key from the next call on; calls and streams that run go on (D).

        Raises:
            ValueError: The gateway was not given this key.
        """
        self._keys.revoke(api_key)

    def switch_alarm_provider(self, mode: AlarmProviderMode, reason: str = "") -> None:
        """Let alarms come from another source, as after a failure of the alarm manager.

        Whoever follows alarms is told; each transition from then on says that it is degraded,
        unless ``mode`` is ALARMMGR.

        Args:
            mode: The source from now on.
            reason: An explanation for people.
        """
        self._alarms.switch_provider(mode, reason)

    def fault(self, fault: LastingFault) -> AbstractContextManager[None]:
        """Let something be wrong while a block runs; faults are in ``faults``.

        >>> with gateway.fault(DelayReplies(seconds=2.0, rpc="Invoke")):
        ...     ...

        Raises:
            FaultError: Entering cannot begin it now.
        """
        return self._faults.lasting(fault)

    async def strike(self, fault: Strike) -> None:
        """Let something go wrong once, such as ``DropConnections()``; returns when it has.

        Raises:
            FaultError: It cannot happen now.
        """
        await self._faults.strike(fault)

    async def deploy(
        self, *, machines: int | None = None, galaxy: GalaxyDefinition | None = None
    ) -> DeployEvent:
        """Deploy the galaxy anew: page tokens become void, and whoever watches deploys is told.

        Items of objects that are gone have a configuration error from then on, and their alarms
        are cleared. What stays keeps what was written to it.

        Args:
            machines: How many machines there are from now on; None leaves them.
            galaxy: What is deployed from now on; None reads the file again that the gateway was
                given, or leaves what there is.

        Returns:
            What watchers are told.

        Raises:
            ValueError: ``machines`` is negative, or the file is not what it should be; nothing
                changes then.
            OSError: The file cannot be read; nothing changes then.
        """
        try:
            if galaxy is None and self._file is not None:
                galaxy = await asyncio.to_thread(self._loaded, plant=True)
            deploy = await self._deploys.deploy(machines=machines, definition=galaxy)
        except (ValueError, OSError) as error:
            self._observer.deploy_refused(str(error))
            raise
        return deploy.event

    def _on_deploy(self, store: Store) -> None:
        definition = self._deploys.latest.definition
        self._galaxy.deploy(store, Users(definition))
        self._alarms.deployed(definition)
        self._observer.galaxy_deployed(store.object_count, store.attribute_count)

    def handlers(self) -> list[GatewayService | GalaxyService]:
        """The services, for grpclib's ``Server`` or ``ChannelFor``; signals move once entered."""
        return [
            GatewayService(self._calls, self._sessions, self._alarms, self._observer),
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
        if self._is_started or self._closing is not None:
            raise RuntimeError("a simulated gateway starts once")
        self._is_started = True
        try:
            await self._start()
        except BaseException:
            await self.close()
            raise

    async def _start(self) -> None:
        services: list[Servable] = [*self.handlers()]
        self._discovery = discovery_of(services)
        if self._discovery is not None:
            services += self._discovery.services
        # Not told of by reflection, as it is no part of the contract.
        services.append(ControlService(self._calls, lambda count: self.deploy(machines=count)))
        codec = GatewayCodec() if self._discovery is None else self._discovery.codec
        server = Listener(services, codec=codec)
        listen(server, RecvRequest, call_watcher(self._observer, self._clock))
        listening = await bound(self._host, self._port)
        self._port = listening.getsockname()[1]
        await server.listen(listening, self._tls)
        self._server = server
        self._sessions.start()
        self._alarms.start()
        self._signals = asyncio.create_task(self._galaxy.run())
        if self._operations is not None:
            await self._operations.start()
        store = self._deploys.latest.store
        self._observer.gateway_started(self.endpoint, store.object_count, store.attribute_count)
        await self._scenario.start()

    async def close(self) -> None:
        """Close every session, stop listening and hang up on every client; again is harmless."""
        if self._closing is None:
            self._closing = asyncio.ensure_future(self._close())
        await asyncio.shield(self._closing)

    async def _close(self) -> None:
        try:
            await self._scenario.stop()
        finally:  # what stopped the scenario is raised when all is closed
            await self._shut()

    async def _shut(self) -> None:
        if self._signals is not None:
            self._signals.cancel()
            await asyncio.wait([self._signals])
        if self._discovery is not None:
            await self._discovery.shut(CLOSING_TIME)
        self._alarms.end(GRPCError(Status.UNAVAILABLE, "the gateway is shutting down"))
        self._deploys.shut()
        await self._sessions.shut()
        await self._calls.ended(CLOSING_TIME)
        if self._server is not None:
            await self._server.hang_up(CLOSING_TIME)
            self._observer.gateway_closed(self.endpoint)
        if self._operations is not None:
            await self._operations.close()
        if self._signals is not None and not self._signals.cancelled():
            self._signals.result()  # raises what stopped them

    def _snapshot(self) -> Snapshot:
        store = self._deploys.latest.store
        return Snapshot(
            sessions=self._sessions.by_state(),
            commands_pending=self._sessions.commands_pending(),
            events_queued=self._sessions.events_queued(),
            event_streams=self._sessions.event_streams(),
            alarms_active=self._alarms.active_count,
            galaxy_objects=store.object_count,
            galaxy_attributes=store.attribute_count,
            faults_active=self._faults.active,
        )
