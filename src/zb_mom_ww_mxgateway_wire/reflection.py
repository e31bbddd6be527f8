"""What a server says of its contract: a client of gRPC server reflection, v1 or v1alpha.

Needs google.protobuf, which the extra ``sim`` brings; whoever imports this says so where it is
missing.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from typing import Final, Protocol, TypeVar

from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import DecodeError
from grpclib.const import Status
from grpclib.reflection.v1.reflection_pb2 import ServerReflectionRequest, ServerReflectionResponse

from .grpc import Cardinality, Metadata, Method
from .message import Message

__all__ = ["OWN_SERVICES", "ReflectionError", "ReplyStreams", "served_contract"]

#: What the names of services begin with that any server may have and no contract describes.
OWN_SERVICES: Final = ("grpc.reflection.", "grpc.health.")
#: A server that names more files than this does not describe a contract.
MAX_FILES: Final = 1_000

_Request = TypeVar("_Request", bound=Message)
_Reply = TypeVar("_Reply", bound=Message)


class ReflectionError(Exception):
    """A server that answers by reflection, and not with a whole contract."""


class ReplyStreams(Protocol):
    """The part of a ``Transport`` that asking takes."""

    def unary_stream(
        self,
        method: Method[_Request, _Reply],
        request: _Request,
        *,
        timeout: float | None,
        metadata: Metadata | None,
    ) -> AsyncGenerator[_Reply, None]:
        """Send one message and yield those that answer it."""
        ...


async def served_contract(transport: ReplyStreams, *, timeout: float | None = None) -> bytes:
    """The files behind a server's services, as a serialized ``FileDescriptorSet``.

    The services of reflection and health are left out. Each file comes once, after those that it
    imports, and as the server gives it; the same server gives the same bytes each time. Files that
    no service uses cannot be seen.

    Args:
        transport: The connection, with its own credentials and errors. A server without v1 is told
            by the ``status`` of what it raises.
        timeout: Seconds for one question; None leaves it to the transport.

    Raises:
        ReflectionError: The server names no service, does not give a file that it names, or gives
            what is none.
    """
    server = await _Server.found(transport, timeout)
    names = sorted(name for name in server.services if not name.startswith(OWN_SERVICES))
    if not names:
        raise ReflectionError("the server names no service of a contract; is it a gateway's port?")
    files: dict[str, FileDescriptorProto] = {}
    for name in names:
        question = ServerReflectionRequest(file_containing_symbol=name)
        files |= await server.files(question, f"the file of service {name}")
    while missing := {name for file in files.values() for name in file.dependency} - files.keys():
        for name in sorted(missing):
            question = ServerReflectionRequest(file_by_filename=name)
            found = await server.files(question, f"the file {name}")
            if name not in found:
                raise ReflectionError(f"the server gives another file than {name}, asked for it")
            files |= found
        if len(files) > MAX_FILES:
            raise ReflectionError(f"the server describes more than {MAX_FILES:,} files")
    served = FileDescriptorSet(file=_ordered(files))
    _check(served)
    return served.SerializeToString(deterministic=True)


def _ordered(files: Mapping[str, FileDescriptorProto]) -> list[FileDescriptorProto]:
    imports = {name: sorted(file.dependency) for name, file in sorted(files.items())}
    try:
        return [files[name] for name in TopologicalSorter(imports).static_order()]
    except CycleError as error:
        raise ReflectionError(
            f"the server's files import each other: {', '.join(error.args[1])}"
        ) from None


def _check(served: FileDescriptorSet) -> None:
    """Hold the files together in a pool of their own, which refuses what cannot be."""
    pool = DescriptorPool()
    for file in served.file:
        try:
            pool.AddSerializedFile(file.SerializeToString())
        except TypeError as error:
            raise ReflectionError(
                f"what the server gives as {file.name} cannot be: {error}"
            ) from None


@dataclass(frozen=True, slots=True)
class _Server:
    """A server whose version of reflection is known, and the services that it named."""

    transport: ReplyStreams
    timeout: float | None
    path: str
    services: tuple[str, ...]

    @classmethod
    async def found(cls, transport: ReplyStreams, timeout: float | None) -> _Server:
        """The server with its list of services: that of v1, or of v1alpha where v1 is not there."""
        question = ServerReflectionRequest(list_services="")
        try:
            path, reply = _V1, await _ask(transport, _V1, question, timeout)
        except Exception as error:
            if not _is_absent(error):
                raise
            path, reply = _V1_ALPHA, await _ask_last(transport, question, timeout)
        if not reply.HasField("list_services_response"):
            raise ReflectionError("the server has reflection and does not list its services")
        names = (service.name for service in reply.list_services_response.service)
        return cls(transport, timeout, path, tuple(names))

    async def files(
        self, question: ServerReflectionRequest, what: str
    ) -> dict[str, FileDescriptorProto]:
        """The files that answer a question, by name: the one asked for, often with its imports."""
        reply = await _ask(self.transport, self.path, question, self.timeout)
        files = reply.file_descriptor_response.file_descriptor_proto
        if not files:
            said = reply.error_response.error_message or "it answers without one"
            raise ReflectionError(f"the server does not give {what}: {said}")
        try:
            read = [FileDescriptorProto.FromString(file) for file in files]
        except DecodeError:
            raise ReflectionError(f"the server gives something else as {what}") from None
        return {file.name: file for file in read}


async def _ask_last(
    transport: ReplyStreams, question: ServerReflectionRequest, timeout: float | None
) -> ServerReflectionResponse:
    try:
        return await _ask(transport, _V1_ALPHA, question, timeout)
    except Exception as error:
        if _is_absent(error):
            error.add_note(
                "the server seems to have no reflection: switch it on there, or take the .proto "
                "files from whoever runs it"
            )
        raise error from None


def _is_absent(error: Exception) -> bool:
    """Whether a call failed because the server does not have it, by whatever transport.

    Servers of grpclib leave a header out when they say UNIMPLEMENTED, which its clients then report
    as UNKNOWN.
    """
    return getattr(error, "status", None) in (Status.UNIMPLEMENTED, Status.UNKNOWN)


async def _ask(
    transport: ReplyStreams, path: str, question: ServerReflectionRequest, timeout: float | None
) -> ServerReflectionResponse:
    """The answer to one question, in a call of its own.

    The rpc streams both ways, and a stream of one message is on the wire what a unary request is.
    """
    method = Method(path, _Encoded, _Encoded, Cardinality.UNARY_STREAM)
    request = _Encoded.FromString(question.SerializeToString())
    replies = transport.unary_stream(method, request, timeout=timeout, metadata=None)
    async with aclosing(replies):
        answers = [reply async for reply in replies]  # to the end, which may still bring an error
    if not answers:
        raise ReflectionError("the server ended a question without an answer")
    try:
        return ServerReflectionResponse.FromString(bytes(answers[0]))
    except DecodeError:
        raise ReflectionError("the server answers a question with something else") from None


#: The messages are the same in both.
_V1: Final = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo"
_V1_ALPHA: Final = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"


@dataclass(eq=False, repr=False, kw_only=True)
class _Encoded(Message):
    """A message of google.protobuf on its way through a transport of ours, which sees bytes."""


def _encode(out: bytearray, message: _Encoded, label: str, depth: int) -> None:
    out += message.unknown_fields


def _decode(data: bytes, pos: int, end: int, depth: int, into: _Encoded | None) -> _Encoded:
    message = into or _Encoded()
    message.unknown_fields += data[pos:end]
    return message


_Encoded.__bind__("grpc.reflection.v1.ServerReflectionRequest", _encode, _decode)
