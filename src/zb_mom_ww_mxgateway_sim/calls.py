"""Calls that run now: who may call, what was received, and waiting for their end."""

from __future__ import annotations

import asyncio
from typing import TypeVar

from grpclib.const import Status
from grpclib.exceptions import GRPCError
from grpclib.server import Stream

from zb_mom_ww_mxgateway_wire.codec import DecodeError
from zb_mom_ww_mxgateway_wire.message import Message

from .auth import ApiKeys

_Request = TypeVar("_Request", bound=Message)
_Reply = TypeVar("_Reply", bound=Message)


class Calls:
    """The calls that run now: who may call, and waiting for their end."""

    def __init__(self, keys: ApiKeys) -> None:
        self._keys = keys
        self._tasks: set[asyncio.Task[object]] = set()

    def enter(self, stream: Stream[_Request, _Reply]) -> str:
        """Count a call in and return the id of its API key, or end it with UNAUTHENTICATED."""
        key_id = self._keys.authenticate(stream.metadata)
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return key_id

    async def ended(self, patience: float) -> None:
        """Wait until every call has ended, at most ``patience`` seconds."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=patience)


async def received(stream: Stream[_Request, _Reply]) -> _Request:
    """The one request of a call; INVALID_ARGUMENT for bytes that are none, or nothing at all."""
    try:
        request = await stream.recv_message()
    except DecodeError as error:
        raise GRPCError(Status.INVALID_ARGUMENT, str(error)) from None
    if request is None:
        raise GRPCError(Status.INVALID_ARGUMENT, "the call ended without a request")
    return request
