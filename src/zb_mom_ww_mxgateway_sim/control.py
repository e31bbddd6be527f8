"""The simulator's own rpc, which no gateway has: deploy the galaxy anew while it runs.

It is made of messages that the contract has already, and needs scope admin as every rpc that the
gateway does not know.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from grpclib.const import Cardinality, Handler, Status
from grpclib.exceptions import GRPCError
from grpclib.server import Stream

from zb_mom_ww_mxgateway_contracts.galaxy_repository_v1 import DeployEvent
from zb_mom_ww_mxgateway_contracts.google_protobuf import Int32Value
from zb_mom_ww_mxgateway_wire.grpc import Method

from .calls import Calls

#: Asks for so many machines, or for as many as there are with a number below 0; tells the deploy.
REDEPLOY: Final = Method(
    "/mxgateway_simulator.v1.Simulator/Redeploy", Int32Value, DeployEvent, Cardinality.UNARY_UNARY
)


class ControlService:
    """Deploys when it is asked to."""

    def __init__(
        self, calls: Calls, deploy: Callable[[int | None], Awaitable[DeployEvent]]
    ) -> None:
        self._calls = calls
        self._deploy = deploy

    async def redeploy(self, stream: Stream[Int32Value, DeployEvent]) -> None:
        """Deploy and tell what is deployed; FAILED_PRECONDITION for a galaxy file that is wrong, or
        gone.
        """
        _, request = await self._calls.begin(stream, REDEPLOY)
        try:
            event = await self._deploy(request.value if request.value >= 0 else None)
        except (ValueError, OSError) as error:
            raise GRPCError(Status.FAILED_PRECONDITION, str(error)) from None
        await self._calls.send(stream, REDEPLOY, event)

    def __mapping__(self) -> Mapping[str, Handler]:
        return {REDEPLOY.path: REDEPLOY.handler(self.redeploy)}
