"""How faults begin and end: what all kinds have in common, and ``Faults``, which a gateway has.

The kinds are in faults.py.
"""

from __future__ import annotations

import math
import re
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Generator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Final

from zb_mom_ww_mxgateway.errors import MxGatewayArgumentError
from zb_mom_ww_mxgateway_contracts.galaxy_repository_v1.services import GalaxyRepositoryMethods
from zb_mom_ww_mxgateway_contracts.mxaccess_gateway_v1.services import MxAccessGatewayMethods
from zb_mom_ww_mxgateway_wire.grpc import Cardinality, Method

from .clock import Clock
from .conditions import Conditions, Overridden
from .galaxy.documents import nearest
from .galaxy.live import Galaxy
from .listener import Listener
from .operations.observer import Observer
from .overlays import Subtree
from .sessions import Sessions

_CAPITAL: Final = re.compile(r"(?<!^)(?=[A-Z])")

#: The rpcs by name, such as ``Invoke``; whether each answers with a stream.
RPCS: Final = {
    method.path.rpartition("/")[2]: method.cardinality is not Cardinality.UNARY_UNARY
    for methods in (MxAccessGatewayMethods, GalaxyRepositoryMethods)
    for method in vars(methods).values()
    if isinstance(method, Method)
}


class FaultError(MxGatewayArgumentError):
    """A fault cannot be as it was described, or not now.

    Attributes:
        kind: The kind of fault, as scenarios call it.
        argument: Which of its arguments is at fault; empty where none is.
        reason: What is wrong, and what to do.
    """

    def __init__(self, kind: str, argument: str, reason: str) -> None:
        super().__init__(f"{kind}: {argument} {reason}" if argument else f"{kind}: {reason}")
        self.kind = kind
        self.argument = argument
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Fault:
    """What can go wrong. Each kind is a frozen dataclass that checks its arguments."""

    @classmethod
    def kind(cls) -> str:
        """What scenarios and the log call it: ``delay-replies`` for ``DelayReplies``."""
        return _CAPITAL.sub("-", cls.__name__).lower()

    def check(self, argument: str, is_right: bool, reason: str) -> None:
        """Raise ``FaultError`` if an argument is not right."""
        if not is_right:
            raise FaultError(self.kind(), argument, reason)

    def check_seconds(self, seconds: float) -> None:
        """Raise ``FaultError`` for seconds that are no time to wait."""
        is_right = math.isfinite(seconds) and seconds > 0
        self.check("seconds", is_right, f"must be positive, but is {seconds}")

    def check_rpc(self, rpc: str | None, *, streams: bool | None = None) -> None:
        """Raise ``FaultError`` for what is no rpc, or none of that sort; None is all of them."""
        if rpc is None:
            return
        known = [name for name, is_stream in RPCS.items() if streams in (None, is_stream)]
        there_are = nearest(rpc, known) or f"; there are {', '.join(known)}"
        what = {None: "rpc", True: "rpc with a stream", False: "rpc with a single reply"}[streams]
        self.check("rpc", rpc in known, f"{rpc!r} is no {what}{there_are}")


@dataclass(frozen=True, slots=True)
class LastingFault(Fault, ABC):
    """A fault that is there for a while."""

    @abstractmethod
    def during(self, gateway: Faults) -> AbstractContextManager[None]:
        """Let it be there while the block runs; ``Faults`` calls it."""


@dataclass(frozen=True, slots=True)
class Strike(Fault, ABC):
    """A fault that happens once."""

    @abstractmethod
    async def strike(self, gateway: Faults) -> None:
        """Let it happen; ``Faults`` calls it."""


class Faults:
    """The faults of one gateway.

    Args:
        clock: That of the gateway.
        galaxy: What is read and written.
        sessions: All of them.
        conditions: How calls fare.
        redeploy: Deploys anew, with so many machines or as many as before.
        listener: What listens now; None while nothing does.
        observer: Is told when a fault begins and ends.
    """

    def __init__(
        self,
        *,
        clock: Clock,
        galaxy: Galaxy,
        sessions: Sessions,
        conditions: Conditions,
        redeploy: Callable[[int | None], Awaitable[object]],
        listener: Callable[[], Listener | None],
        observer: Observer,
    ) -> None:
        def delay_first_values(seconds: float) -> None:
            galaxy.first_value_delay = seconds

        def delay_writes(seconds: float) -> None:
            galaxy.write_delay = seconds

        self.clock = clock
        self.galaxy = galaxy
        self.sessions = sessions
        self.conditions = conditions
        self.redeploy = redeploy
        self.first_value_delay = Overridden(lambda: galaxy.first_value_delay, delay_first_values)
        self.write_delay = Overridden(lambda: galaxy.write_delay, delay_writes)
        #: How many faults last at present.
        self.active = 0
        self._listener = listener
        self._observer = observer

    def listener(self, fault: Fault) -> Listener:
        """What listens; an error where nothing does."""
        listener = self._listener()
        if listener is None:
            raise FaultError(fault.kind(), "", "the gateway does not listen yet; enter it first")
        return listener

    def subtree(self, fault: Fault, tag_name: str) -> Subtree:
        """The object of that name and all below it; an error where it is not deployed."""
        subtree = Subtree(self.galaxy, tag_name)
        if subtree.root is None:
            reason = f"{tag_name!r} is not deployed; give the tag name of an object"
            raise FaultError(fault.kind(), "tag_name", reason)
        return subtree

    @contextmanager
    def lasting(self, fault: LastingFault) -> Generator[None]:
        """Let a fault last while the block runs; faults may end in any order.

        Raises:
            FaultError: It cannot begin now.
        """
        with fault.during(self):
            self.active += 1
            self._observer.fault_began(fault.kind())
            try:
                yield
            finally:
                self.active -= 1
                self._observer.fault_ended(fault.kind())

    async def strike(self, fault: Strike) -> None:
        """Let something happen once; returns when it has.

        Raises:
            FaultError: It cannot happen now.
        """
        await fault.strike(self)
        self._observer.fault_began(fault.kind())
