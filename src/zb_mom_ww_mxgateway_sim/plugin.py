"""The pytest plugin: the fixture ``mxgw_gateway``, a simulated gateway for one test.

pytest imports this file in every run, so nothing of the simulator is imported before it is needed.
"""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable, Coroutine, Generator, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar, overload

import pytest

if TYPE_CHECKING:
    from zb_mom_ww_mxgateway.loop_thread import LoopThread
    from zb_mom_ww_mxgateway_sim import SimulatedGateway
    from zb_mom_ww_mxgateway_sim.faults import LastingFault, Strike

R = TypeVar("R")

MARKER = "mxgw_gateway"


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker."""
    config.addinivalue_line(
        "markers",
        f"{MARKER}(**settings): arguments of SimulatedGateway for the fixture mxgw_gateway, such "
        "as machines=100; those of a test come before those of its class and module",
    )


class RunningGateway:
    """A simulated gateway that runs on an event loop in a thread of its own."""

    def __init__(self, gateway: SimulatedGateway, thread: LoopThread) -> None:
        self.gateway = gateway
        self._thread = thread

    def __repr__(self) -> str:
        return f"RunningGateway({self.endpoint})"

    @property
    def endpoint(self) -> str:
        """Where it listens, ``host:port``."""
        return self.gateway.endpoint

    @property
    def api_key(self) -> str:
        """The API key that it accepts; a secret."""
        return self.gateway.api_key

    @overload
    def run(self, function: Callable[[SimulatedGateway], Coroutine[Any, Any, R]]) -> R: ...
    @overload
    def run(self, function: Callable[[SimulatedGateway], R]) -> R: ...
    def run(self, function: Callable[[SimulatedGateway], object]) -> object:
        """Run a function with the gateway on its loop, and wait for what it gives or raises.

        >>> mxgw_gateway.run(lambda gateway: gateway.deploy(machines=3))

        A gateway may be touched on its own loop alone, so this is the way to deploy, to inject
        faults and so on. In an async test it holds up the test's loop meanwhile.

        Args:
            function: Takes the ``SimulatedGateway``; may be async.
        """

        async def call() -> object:
            given = function(self.gateway)
            return await given if inspect.iscoroutine(given) else given

        return self._thread.run("run on the gateway's loop", call)

    @contextmanager
    def fault(self, fault: LastingFault) -> Generator[None]:
        """Let something be wrong while a block runs; faults are in ``faults``.

        >>> with mxgw_gateway.fault(DelayReplies(seconds=2.0, rpc="Invoke")):
        ...     ...

        Raises:
            FaultError: Entering cannot begin it now.
        """
        lasting = self.gateway.fault(fault)
        self.run(lambda _: lasting.__enter__())
        try:
            yield
        finally:
            self.run(lambda _: lasting.__exit__(None, None, None))

    def strike(self, fault: Strike) -> None:
        """Let something go wrong once, such as ``DropConnections()``; returns when it has.

        Raises:
            FaultError: It cannot happen now.
        """
        self.run(lambda gateway: gateway.strike(fault))

    def advance(self, seconds: float) -> None:
        """Let time pass on the gateway's ``ManualClock``; returns when what is due has happened.

        Raises:
            TypeError: It has another clock.
        """
        from zb_mom_ww_mxgateway_sim import ManualClock

        clock = self.gateway.clock
        if not isinstance(clock, ManualClock):
            raise TypeError(
                "time passes by itself in this gateway; give its marker clock=ManualClock()"
            )
        self.run(lambda _: clock.advance(seconds))


@pytest.fixture
def mxgw_gateway(request: pytest.FixtureRequest) -> Iterator[RunningGateway]:
    """A simulated gateway on a free port, for blocking and async tests: ``endpoint``, ``api_key``.

    ``@pytest.mark.mxgw_gateway(machines=100)`` gives arguments of ``SimulatedGateway``.
    """
    from zb_mom_ww_mxgateway.loop_thread import LoopThread
    from zb_mom_ww_mxgateway_sim import SimulatedGateway

    settings = _settings(request)
    _check_names(settings, SimulatedGateway)
    thread = LoopThread("mxgw_gateway")
    try:
        gateway = _started(settings, thread)
        try:
            yield RunningGateway(gateway, thread)
        finally:
            thread.run("close the gateway", gateway.close)
    finally:
        thread.stop()


def _settings(request: pytest.FixtureRequest) -> dict[str, object]:
    """The arguments of all markers; the closest one has the last word."""
    settings: dict[str, object] = {}
    for marker in request.node.iter_markers(MARKER):
        if marker.args:
            _refuse(f"takes settings by name, such as machines=100, not {len(marker.args)} without")
        settings = {**marker.kwargs, **settings}
    return settings


def _check_names(settings: dict[str, object], gateway: type[SimulatedGateway]) -> None:
    known = list(inspect.signature(gateway).parameters)
    for name in settings:
        if name not in known:
            near = difflib.get_close_matches(name, known, 1)
            meant = f"did you mean {near[0]!r}? " if near else ""
            _refuse(f"has no setting {name!r}; {meant}there are {', '.join(known)}")


def _started(settings: dict[str, Any], thread: LoopThread) -> SimulatedGateway:
    from zb_mom_ww_mxgateway_sim import SimulatedGateway

    async def start() -> SimulatedGateway:
        gateway = SimulatedGateway(**settings)
        await gateway.start()
        return gateway

    try:
        return thread.run("start the gateway", start)
    except (OSError, TypeError, ValueError) as error:
        _refuse(f"could not start it: {error}", error)


def _refuse(text: str, cause: BaseException | None = None) -> NoReturn:
    raise pytest.fail.Exception(f"@pytest.mark.{MARKER} {text}", pytrace=False) from cause
