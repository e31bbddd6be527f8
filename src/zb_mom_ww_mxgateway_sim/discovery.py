"""What ordinary gRPC tools ask any server: its contract (reflection v1, v1alpha) and its health.

Importing this needs google.protobuf, which the extra ``sim`` brings. Neither service asks for an
API key, as tools send none: what they tell is public, the contract and whether the gateway runs.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from importlib import resources
from typing import Protocol

from google.protobuf.descriptor_pb2 import FileDescriptorSet
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import DecodeError, Message
from grpclib.const import Handler, Status
from grpclib.exceptions import GRPCError
from grpclib.health.v1 import health_pb2
from grpclib.health.v1.health_grpc import HealthBase
from grpclib.health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from grpclib.reflection.service import ServerReflection
from grpclib.server import Stream

import zb_mom_ww_mxgateway_contracts

from .services import GatewayCodec


class Servable(Protocol):
    """What grpclib's ``Server`` takes: the handlers of a service by path."""

    def __mapping__(self) -> Mapping[str, Handler]:
        """Path of each rpc and what answers it."""
        ...


class Discovery:
    """Reflection and health beside the services of a gateway.

    ``services`` are theirs, and ``codec`` is for the server that serves all of them.

    Args:
        services: What is served; reflection lists it, and health answers for each and for "".
    """

    def __init__(self, services: Sequence[Servable]) -> None:
        self._health = HealthService(frozenset(map(_name, services)))
        listed = [*services, self._health]
        reflecting = ServerReflection.extend(listed, pool=contract_pool())
        self.services: list[Servable] = [self._health, *reflecting[len(listed) :]]
        self.codec = DiscoveryCodec()

    async def shut(self, patience: float) -> None:
        """Tell watchers of health that the gateway goes, waiting ``patience`` seconds at most."""
        await self._health.shut(patience)


def contract_pool() -> DescriptorPool:
    """The contract and the file of health in a pool of their own, as the gateway serves them.

    Not the default pool: a program that runs the simulator may have the same files there, in
    another version.
    """
    pool = DescriptorPool()
    binpb = resources.files(zb_mom_ww_mxgateway_contracts) / "contract.binpb"
    for file in FileDescriptorSet.FromString(binpb.read_bytes()).file:
        pool.AddSerializedFile(file.SerializeToString())
    pool.AddSerializedFile(health_pb2.DESCRIPTOR.serialized_pb)
    return pool


def _name(service: Servable) -> str:
    path = next(iter(service.__mapping__()))
    return path.split("/")[1]


class HealthService(HealthBase):
    """``grpc.health.v1.Health``: SERVING for each service and for "" until the gateway closes.

    grpclib's own is not used, as its watchers learn of a change at some later turn of the loop, and
    closing would overtake it.
    """

    def __init__(self, services: frozenset[str]) -> None:
        self._known = services | {""}
        self._shut = asyncio.Event()
        self._watching: set[asyncio.Task[object]] = set()

    @property
    def _status(self) -> HealthCheckResponse.ServingStatus.ValueType:
        shut = self._shut.is_set()
        return HealthCheckResponse.NOT_SERVING if shut else HealthCheckResponse.SERVING

    async def Check(  # noqa: N802 - the contract's name
        self, stream: Stream[HealthCheckRequest, HealthCheckResponse]
    ) -> None:
        """Answer for one service; NOT_FOUND for one that is not here."""
        service = await _service(stream)
        if service not in self._known:
            raise GRPCError(Status.NOT_FOUND, f"this gateway has no service {service!r}")
        await stream.send_message(HealthCheckResponse(status=self._status))

    async def Watch(  # noqa: N802
        self, stream: Stream[HealthCheckRequest, HealthCheckResponse]
    ) -> None:
        """Answer for one service, and again when that changes, until the gateway closes."""
        task = asyncio.current_task()
        assert task is not None
        self._watching.add(task)
        task.add_done_callback(self._watching.discard)
        known = await _service(stream) in self._known
        unknown = HealthCheckResponse.SERVICE_UNKNOWN
        if not self._shut.is_set():
            first = self._status if known else unknown
            await stream.send_message(HealthCheckResponse(status=first))
            await self._shut.wait()
        if known:
            await stream.send_message(HealthCheckResponse(status=self._status))
        raise GRPCError(Status.UNAVAILABLE, "the gateway is shutting down")

    async def shut(self, patience: float) -> None:
        """Be NOT_SERVING from now on, and wait until every watcher was told, or for so long."""
        self._shut.set()
        if self._watching:
            await asyncio.wait(self._watching, timeout=patience)


async def _service(stream: Stream[HealthCheckRequest, HealthCheckResponse]) -> str:
    request = await stream.recv_message()
    if request is None:
        raise GRPCError(Status.INVALID_ARGUMENT, "the call ended without a request")
    return request.service


class DiscoveryCodec(GatewayCodec):
    """The gateway's codec, which lets the messages of reflection and health through as well.

    A server of grpclib has one codec, and those messages are google.protobuf's.
    """

    def encode(self, message: object, message_type: type[object]) -> bytes:
        """The bytes of ``message``, if they are not too many."""
        if isinstance(message, Message) and isinstance(message, message_type):
            message = message.SerializeToString()
        return super().encode(message, message_type)

    def decode(self, data: bytes, message_type: type[object]) -> object:
        """A message from ``data``, if it is one and not too long."""
        if not issubclass(message_type, Message):
            return super().decode(data, message_type)
        try:
            return message_type.FromString(data)
        except DecodeError:
            raise GRPCError(
                Status.INVALID_ARGUMENT, f"the request is no {message_type.DESCRIPTOR.full_name}"
            ) from None
