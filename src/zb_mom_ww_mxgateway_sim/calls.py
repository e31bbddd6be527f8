"""The one door of every call: who calls, whether it may, what was received; and how calls end."""

from __future__ import annotations

import asyncio
from typing import TypeVar

from grpclib.const import Status
from grpclib.exceptions import GRPCError
from grpclib.server import Stream

from zb_mom_ww_mxgateway_wire.codec import DecodeError
from zb_mom_ww_mxgateway_wire.grpc import Cardinality, Method
from zb_mom_ww_mxgateway_wire.message import Message

from .auth.keys import Authenticator, Caller
from .auth.scopes import scope_needed
from .conditions import Conditions

_Request = TypeVar("_Request", bound=Message)
_Reply = TypeVar("_Reply", bound=Message)


class Calls:
    """The calls that run now: who may call, and waiting for their end."""

    def __init__(self, authenticator: Authenticator) -> None:
        #: What is wrong with calls, on purpose.
        self.conditions = Conditions()
        self._authenticator = authenticator
        self._tasks: set[asyncio.Task[object]] = set()

    async def begin(
        self, stream: Stream[_Request, _Reply], method: Method[_Request, _Reply]
    ) -> tuple[Caller, _Request]:
        """Let a call in: who calls and the one request, or the gRPC error that ends it.

        D: in this order. A fault that refuses calls looks at none of them; UNAUTHENTICATED tells
        strangers nothing else; INVALID_ARGUMENT for bytes that are no request, which is what the
        scope of a command is read from; PERMISSION_DENIED for a missing scope. What else is wrong
        with the request is for its handler to say.
        """
        self.conditions.admit(method.path)
        caller = self._authenticator.authenticate(stream.metadata)
        self._count_in()
        request = await _received(stream)
        caller.require(scope_needed(method.path, request))
        return caller, request

    async def send(
        self, stream: Stream[_Request, _Reply], method: Method[_Request, _Reply], message: _Reply
    ) -> None:
        """Send a reply, or a message of a stream, when there is nothing wrong that holds it up."""
        if method.cardinality is Cardinality.UNARY_UNARY:
            await self.conditions.due(method.path)
        else:
            await self.conditions.thawed(method.path)
        await stream.send_message(message)

    def _count_in(self) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def ended(self, patience: float) -> None:
        """Wait until every call has ended, at most ``patience`` seconds; no fault holds any up."""
        self.conditions.shut()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=patience)


async def _received(stream: Stream[_Request, _Reply]) -> _Request:
    try:
        request = await stream.recv_message()
    except DecodeError as error:
        raise GRPCError(Status.INVALID_ARGUMENT, str(error)) from None
    if request is None:
        raise GRPCError(Status.INVALID_ARGUMENT, "the call ended without a request")
    return request
