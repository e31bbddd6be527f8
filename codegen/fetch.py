"""``python -m codegen fetch``: the contract that a live gateway serves, as .proto files."""

from __future__ import annotations

import argparse
import asyncio
import os
import ssl
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final, TypeVar

from google.protobuf.descriptor_pb2 import FileDescriptorSet
from grpclib.client import Channel
from grpclib.exceptions import GRPCError, ProtocolError, StreamTerminatedError
from h2.exceptions import H2Error
from typing_extensions import override

from zb_mom_ww_mxgateway_wire.codec import DecodeError
from zb_mom_ww_mxgateway_wire.grpc import MessageCodec, Metadata, Method
from zb_mom_ww_mxgateway_wire.message import Message
from zb_mom_ww_mxgateway_wire.reflection import ReflectionError, served_contract

from .errors import CodegenError
from .protoprint import print_files

#: How long all of it may take, in seconds.
TIME: Final = 30.0
_HEAD: Final = """\
// As a gateway serves it by reflection, which has no comments.
// Written by `python -m codegen fetch`.

"""

_Request = TypeVar("_Request", bound=Message)
_Reply = TypeVar("_Reply", bound=Message)


def add_arguments(command: argparse.ArgumentParser) -> None:
    """Say what the subcommand takes."""
    command.add_argument("--endpoint", required=True, metavar="HOST:PORT", help="the gateway")
    command.add_argument("--plaintext", action="store_true", help="talk without TLS")
    command.add_argument("--ca-file", metavar="FILE", help="PEM file of authorities to trust")
    command.add_argument(
        "--api-key-env", metavar="NAME", help="environment variable that holds the API key, if any"
    )
    command.add_argument(
        "--out", type=Path, required=True, metavar="DIR", help="new or empty folder to write to"
    )


def run(options: argparse.Namespace) -> int:
    """Fetch, write and say what was written."""
    out: Path = options.out
    _check_free(out)
    api_key = _api_key(options.api_key_env)
    context = None if options.plaintext else _context(options.ca_file)
    if options.plaintext and options.ca_file:
        raise CodegenError(
            "--plaintext and --ca-file exclude each other", hint="TLS is the default"
        )
    served = asyncio.run(_fetch(options.endpoint, context, api_key))
    files = sources(served)
    for name, text in files.items():
        (out / name).parent.mkdir(parents=True, exist_ok=True)
        (out / name).write_text(text, encoding="utf-8", newline="\n")
        print(f"  {name}")
    print(
        f"{len(files)} files in {out}, without comments and without files that no service uses\n"
        f"next: copy proto/conventions.toml there, and `make generate PROTO_DIR={out}`"
    )
    return 0


def sources(served: bytes) -> dict[str, str]:
    """The .proto files of a serialized ``FileDescriptorSet``, by their names.

    Raises:
        CodegenError: A file is not proto3, or its name leads out of the folder.
    """
    files = FileDescriptorSet.FromString(served).file
    return {_inside(name): _HEAD + text for name, text in print_files(files).items()}


def _inside(name: str) -> str:
    """A file's name, which the other side chose, if it stays in the folder that is written to."""
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or set(name) & set('\\:*?"<>|\0'):
        raise CodegenError(
            f"the gateway serves a file by the name of {name!r}, which is not written",
            hint="look at who answers there",
        )
    return name


def _check_free(out: Path) -> None:
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise CodegenError(
            f"{out} is there and not empty",
            hint="name a new folder with --out; nothing is replaced",
        )


def _api_key(variable: str | None) -> str | None:
    if variable is None:
        return None
    key = os.environ.get(variable)
    if not key:
        raise CodegenError(f"the environment variable {variable} is not set", hint="--api-key-env")
    return key


def _context(ca_file: str | None) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=ca_file)
    except OSError as error:  # an SSLError too
        raise CodegenError(
            f"{ca_file} cannot be read as certificates: {error.strerror or error}",
            hint="--ca-file names a PEM file",
        ) from None
    context.set_alpn_protocols(["h2"])
    return context


def _address(endpoint: str) -> tuple[str, int]:
    host, _, port = endpoint.rpartition(":")
    if not host or "/" in host or not port.isdecimal() or not 0 < int(port) < 2**16:
        raise CodegenError(f"{endpoint!r} is no endpoint", hint="host:port, or [v6]:port")
    return host.removeprefix("[").removesuffix("]"), int(port)


async def _fetch(endpoint: str, context: ssl.SSLContext | None, api_key: str | None) -> bytes:
    host, port = _address(endpoint)
    metadata = {"authorization": f"Bearer {api_key}"} if api_key else {}
    channel = _Channel(host, port, ssl=context, codec=MessageCodec())
    try:
        async with asyncio.timeout(TIME):
            return await served_contract(_Calls(channel, metadata))
    except (
        ReflectionError,
        GRPCError,
        StreamTerminatedError,
        ProtocolError,
        H2Error,
        DecodeError,
        OSError,
    ) as error:
        said = _said(error)
        if api_key:
            said = said.replace(api_key, "<redacted>")
        raise CodegenError(
            f"fetching the contract of {endpoint}: {said}", hint=_hint(error)
        ) from None
    finally:
        channel.close()


def _said(error: Exception) -> str:
    if isinstance(error, TimeoutError) and error.errno is None:
        return f"no answer within {TIME:g} s"
    if isinstance(error, GRPCError):
        return f"{error.status.name}{': ' + error.message if error.message else ''}"
    return str(error) or type(error).__name__


def _hint(error: Exception) -> str:
    notes: list[str] = getattr(error, "__notes__", [])
    if notes:
        return "; ".join(notes)
    if isinstance(error, ssl.SSLError):
        return "--ca-file names whom to trust, --plaintext talks without TLS"
    return "check the endpoint, and whether it talks TLS (--plaintext if not)"


class _Channel(Channel):
    """A channel that leaves nothing behind: by itself TLS would wait for the other side's goodbye,
    and the loop ends before that.
    """

    @override
    def close(self) -> None:
        made = self._protocol and getattr(self._protocol.connection, "_transport", None)
        super().close()
        if isinstance(made, asyncio.Transport):
            made.abort()


@dataclass(frozen=True, slots=True)
class _Calls:
    """The one kind of call that reflection takes, over a channel of grpclib."""

    channel: Channel
    metadata: Mapping[str, str]

    async def unary_stream(
        self,
        method: Method[_Request, _Reply],
        request: _Request,
        *,
        timeout: float | None,
        metadata: Metadata | None,
    ) -> AsyncGenerator[_Reply, None]:
        async with self.channel.request(
            method.path,
            method.cardinality,
            method.request,
            method.reply,
            timeout=timeout,
            metadata={**self.metadata, **(metadata or {})},
        ) as stream:
            await stream.send_message(request, end=True)
            async for reply in stream:
                yield reply
