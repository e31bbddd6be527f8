"""An outside client: stock grpcio, on stubs that grpcio-tools makes from proto/ for this run.

None of our code is in it. ``serving`` runs a simulated gateway in a thread, as the client blocks.
"""

from __future__ import annotations

import atexit
import importlib
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from types import ModuleType
from typing import Any

import grpc
from grpc_tools import protoc

from zb_mom_ww_mxgateway.loop_thread import LoopThread
from zb_mom_ww_mxgateway_sim import SimulatedGateway
from zb_mom_ww_mxgateway_sim.plugin import RunningGateway

PROTO = Path(__file__).parents[2] / "proto"
#: No call takes as long, in seconds; a test that hangs says where.
PATIENCE = 20.0
MAX_MESSAGE_SIZE = 16 * 2**20


@dataclass(frozen=True)
class Stubs:
    """What grpcio-tools made; google's default pool has the contract from these modules alone."""

    gateway: ModuleType
    gateway_rpc: ModuleType
    galaxy: ModuleType
    galaxy_rpc: ModuleType

    @classmethod
    @cache
    def made(cls) -> Stubs:
        """Make and import them, once."""
        folder = tempfile.mkdtemp(prefix="stubs-")
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        files = sorted(path.name for path in PROTO.glob("*.proto"))
        include = resources.files("grpc_tools") / "_proto"
        out = [f"--python_out={folder}", f"--grpc_python_out={folder}"]
        arguments = ["protoc", f"-I{PROTO}", f"-I{include}", *out, *files]
        assert protoc.main(arguments) == 0
        sys.path.insert(0, folder)
        try:
            return cls(
                gateway=importlib.import_module("mxaccess_gateway_pb2"),
                gateway_rpc=importlib.import_module("mxaccess_gateway_pb2_grpc"),
                galaxy=importlib.import_module("galaxy_repository_pb2"),
                galaxy_rpc=importlib.import_module("galaxy_repository_pb2_grpc"),
            )
        finally:
            sys.path.remove(folder)


@contextmanager
def serving(**settings: Any) -> Iterator[RunningGateway]:
    """A simulated gateway on a loop and in a thread of its own; values move only by writes."""
    thread = LoopThread("a gateway for an outside client")
    try:

        async def start() -> SimulatedGateway:
            gateway = SimulatedGateway(**{"change_interval": 3_600, **settings})
            await gateway.start()
            return gateway

        gateway = thread.run("start the gateway", start)
        try:
            yield RunningGateway(gateway, thread)
        finally:
            thread.run("close the gateway", gateway.close)
    finally:
        thread.stop()


class Outside:
    """A client with one connection and one API key; a context manager that hangs up.

    Args:
        endpoint: ``host:port``.
        api_key: None sends none.
        root: The certificate to trust, PEM; None speaks plaintext.
        options: More options of the channel.
    """

    def __init__(
        self,
        endpoint: str,
        api_key: str | None,
        *,
        root: bytes | None = None,
        options: Sequence[tuple[str, int]] = (),
    ) -> None:
        self.stubs = stubs = Stubs.made()
        self.m = stubs.gateway
        self.g = stubs.galaxy
        self.metadata = [("authorization", f"Bearer {api_key}")] if api_key else []
        chosen = [
            ("grpc.use_local_subchannel_pool", 1),
            ("grpc.max_receive_message_length", MAX_MESSAGE_SIZE),
            *options,
        ]
        if root is None:
            self.channel = grpc.insecure_channel(endpoint, options=chosen)
        else:
            credentials = grpc.ssl_channel_credentials(root_certificates=root)
            self.channel = grpc.secure_channel(endpoint, credentials, options=chosen)
        self.gateway = stubs.gateway_rpc.MxAccessGatewayStub(self.channel)
        self.galaxy = stubs.galaxy_rpc.GalaxyRepositoryStub(self.channel)

    def __enter__(self) -> Outside:
        return self

    def __exit__(self, *exc: object) -> None:
        self.channel.close()

    def call(self, method: Callable[..., Any], request: Any) -> Any:
        """A unary call, or a stream of which ``next`` and iteration give messages."""
        return method(request, metadata=self.metadata, timeout=PATIENCE)

    @contextmanager
    def session(self) -> Iterator[str]:
        """The id of a session, closed in the end."""
        session = self.open()
        yield session
        self.close(session)

    def open(self) -> str:
        """A new session's id."""
        reply = self.call(self.gateway.OpenSession, self.m.OpenSessionRequest())
        return str(reply.session_id)

    def close(self, session: str) -> Any:
        """The reply to CloseSession."""
        return self.call(self.gateway.CloseSession, self.m.CloseSessionRequest(session_id=session))

    def events(self, session: str, after: int = 0) -> Any:
        """The event stream."""
        request = self.m.StreamEventsRequest(session_id=session, after_worker_sequence=after)
        return self.call(self.gateway.StreamEvents, request)

    def request(self, session: str, command: str, **fields: Any) -> Any:
        """The request of a command by its member's name, such as ``add_item``."""
        kind = command.removesuffix("_command").upper()
        payload = self.m.MxCommand.DESCRIPTOR.fields_by_name[command].message_type
        body = getattr(self.m, payload.name)(**fields)
        return self.m.MxCommandRequest(
            session_id=session,
            client_correlation_id="outside",
            command=self.m.MxCommand(
                **{command: body}, kind=self.m.MxCommandKind.Value(f"MX_COMMAND_KIND_{kind}")
            ),
        )

    def invoke(self, session: str, command: str, **fields: Any) -> Any:
        """Run a command and return its reply, whatever it says."""
        return self.call(self.gateway.Invoke, self.request(session, command, **fields))

    def do(self, session: str, command: str, **fields: Any) -> Any:
        """Run a command that must succeed; its payload."""
        reply = self.invoke(session, command, **fields)
        assert reply.protocol_status.code == self.m.PROTOCOL_STATUS_CODE_OK, reply
        assert reply.correlation_id == "outside"
        member = reply.WhichOneof("payload")
        return getattr(reply, member) if member else None

    def subscribed(self, session: str, *tags: str) -> tuple[int, list[int]]:
        """A server handle, and the handles of items that are advised on it."""
        server = self.do(session, "register", client_name="outside").server_handle
        results = self.do(
            session, "subscribe_bulk", server_handle=server, tag_addresses=tags
        ).results
        assert all(result.was_successful for result in results)
        return server, [result.item_handle for result in results]


def refusal(act: Callable[[], object]) -> grpc.RpcError:
    """The error that a call, or reading its stream, must end with."""
    error = refusal_or_none(act)
    assert error is not None, "the call was not refused"
    return error


def refusal_or_none(act: Callable[[], object]) -> grpc.RpcError | None:
    """The error that a call, or reading its stream, ends with; None if it does well."""
    try:
        given = act()
        if isinstance(given, Iterator):
            list(given)
    except grpc.RpcError as error:
        return error
    return None


def take(events: Iterable[Any], count: int) -> list[Any]:
    """The next messages of a stream."""
    iterator = iter(events)
    return [next(iterator) for _ in range(count)]
