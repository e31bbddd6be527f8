"""What a session does by tag rather than by handle: read, and write with the outcome."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from datetime import datetime
from typing import Any, Final, TypeVar

from grpclib.const import Status

from zb_mom_ww_mxgateway_contracts.mxaccess_gateway_v1 import (
    MxDataType,
    MxStatusCategory,
    MxValue,
)
from zb_mom_ww_mxgateway_contracts.mxaccess_gateway_v1.commands import MAX_BULK_ITEMS
from zb_mom_ww_mxgateway_contracts.mxaccess_gateway_v1.session import SessionCommands

from .errors import (
    MxGatewayArgumentError,
    MxGatewayError,
    MxGatewayMalformedReplyError,
    MxGatewayUnavailableError,
    Redact,
    write_error,
)
from .event_hub import EventHub, Watch
from .events import DataChange, Event, EventGap, Reading, WriteComplete, reading_of
from .values import MxScalar, MxValueInput, SparseArray, to_mx_value
from .waiting import ended_in_vain, until

E = TypeVar("E", bound=Event)
R = TypeVar("R")

#: A live system takes 3 to 8 s for the first value of a tag.
READ_TIMEOUT: Final = 15.0
#: What MXAccess sees of the registration that tags are read and written through.
_CLIENT_NAME: Final = "zb-mom-ww-mxgateway tags"
#: The longest wait that the contract can say, in milliseconds.
_MAX_MS: Final = 2**32 - 1


class TagMethods(SessionCommands[MxValueInput]):
    """The methods of a session that take tags, on top of those that take handles.

    They have a registration of their own, whose events no stream shows. User ids are those of one
    registration, and nobody is authenticated on that one: writes on somebody's behalf name theirs.
    """

    def __init__(self, hub: EventHub, redact: Redact) -> None:
        self._hub = hub
        self._redact = redact
        self._registering: asyncio.Task[int] | None = None
        #: What goes on when whoever began it gives it up.
        self._chores: set[asyncio.Task[Any]] = set()
        self._writing: defaultdict[tuple[int, int], asyncio.Lock] = defaultdict(asyncio.Lock)

    async def read(self, tag: str, *, timeout: float = READ_TIMEOUT) -> Reading:
        """Read one tag, as ``read_many`` does.

        Args:
            tag: The reference, ``tag_name.AttributeName``; ``Attr[]`` for a whole array.
            timeout: Seconds to wait for the value; a live system takes 3 to 8 for the first.

        Returns:
            The reading. It is false, and says why in ``error``, when the value is not good or did
            not come in time.
        """
        return (await self.read_many([tag], timeout=timeout))[0]

    async def read_many(
        self, tags: Iterable[str], *, timeout: float = READ_TIMEOUT
    ) -> list[Reading]:
        """Read tags: from the last data change where a tag is advised, else by a short advice.

        The gateway leaves the session as it was, also when the call is cancelled. More tags than
        one command takes are read by several commands, one after another.

        Args:
            tags: The references; one that is given twice is read twice.
            timeout: Seconds to wait for each value; a live system takes 3 to 8 for the first.

        Returns:
            One reading for each tag, in the order asked. A tag that cannot be read does not raise:
            its reading is false and says why in ``error``.
        """
        if isinstance(tags, str):
            raise MxGatewayArgumentError("read_many takes several tags; read takes a single one")
        wanted = list(tags)
        timeout_ms = _milliseconds(timeout)
        readings: list[Reading] = []
        for start in range(0, len(wanted), MAX_BULK_ITEMS):
            chunk = wanted[start : start + MAX_BULK_ITEMS]
            server_handle = await self._own_registration()
            results = await self.read_bulk(server_handle, chunk, timeout_ms=timeout_ms)
            if len(results) != len(chunk):
                raise MxGatewayMalformedReplyError(
                    f"read_many of {len(chunk)} tags: the reply has {len(results)} results"
                )
            readings += map(reading_of, chunk, results)
        return readings

    async def write_and_wait(
        self,
        tag: str,
        value: MxValueInput,
        *,
        timestamp: datetime | None = None,
        server_handle: int | None = None,
        user_id: int = 0,
        users: tuple[int, int] | None = None,
        timeout: float = READ_TIMEOUT,
    ) -> WriteComplete:
        """Write to a tag and wait for the outcome: its OnWriteComplete.

        The tag is added, advised until it is resolved, written, and removed again, also when the
        call is cancelled or fails. To write to one tag often, advise it once and use
        ``write_item_and_wait``.

        A secured galaxy, and attributes that ask for a secured or verified write, take writes of
        users alone. A user's id counts on the server handle on which it was authenticated:

        >>> server = await session.register("writer")
        >>> user = await session.authenticate_user(server, "operator", password)
        >>> await session.write_and_wait(tag, 5, server_handle=server, user_id=user)
        >>> await session.write_and_wait(tag, 5, server_handle=server, users=(user, verifier))

        Args:
            tag: The reference, ``tag_name.AttributeName``; ``Attr[]`` for a whole array.
            value: The value; ``to_mx_value`` makes one of a certain data type.
            timestamp: The time to store with it, aware; None for the time of writing.
            server_handle: The registration on which the users were authenticated, whose event
                streams show the events of this write too; None for one that nobody sees.
            user_id: On whose behalf, in a plain write; 0 where security is off.
            users: For a secured write, the current user and the verifier, who is the same or, for a
                verified write, another; needs ``server_handle``.
            timeout: Seconds for all of it; a live system takes 3 to 8 to resolve a tag.

        Returns:
            The event that says that the write succeeded.

        Raises:
            MxGatewayArgumentError: ``users`` without ``server_handle``, which nothing could accept.
            MxAccessWriteError: The reference leads nowhere, so nothing was written; or the write
                failed, such as one to an attribute that needs a secured write.
            MxAccessError: MXAccess did not accept the write.
            MxGatewayTimeoutError: The tag was not resolved in time, and nothing was written; or
                the outcome did not come in time. The text says which.
        """
        attempted = f"write_and_wait of {tag!r}"
        if users is not None and server_handle is None:
            raise MxGatewayArgumentError(
                f"{attempted}: users need server_handle, on which authenticate_user gave their ids"
            )
        limit = f"within {timeout:g} s"
        mx_value = to_mx_value(value)
        deadline = asyncio.get_running_loop().time() + _milliseconds(timeout) / 1000
        async with AsyncExitStack() as stack:
            late = f"{attempted}: no first value came {limit}, so nothing was written"
            async with until(deadline, late):
                server = await self._own_registration() if server_handle is None else server_handle
                watch = stack.enter_context(self._hub.watch(_about(server)))
                item = await stack.enter_async_context(self._added(server, tag))
                await self.advise(server, item)
                await self._resolved(watch, item, attempted)
            async with until(deadline, f"{attempted}: no outcome came {limit}; {_UNKNOWN}"):
                await self._write(server, item, mx_value, timestamp, user_id, users)
                return await self._outcome(watch, item, attempted)

    async def write_item_and_wait(
        self,
        server_handle: int,
        item_handle: int,
        value: MxValueInput,
        *,
        timestamp: datetime | None = None,
        user_id: int = 0,
        users: tuple[int, int] | None = None,
        timeout: float = READ_TIMEOUT,
    ) -> WriteComplete:
        """Write to an advised item and wait for the outcome: its OnWriteComplete.

        Writes to one item by this method take turns. MXAccess does not say which write an outcome
        belongs to: so a write that is given up, by a cancel or a timeout, keeps its turn until its
        outcome is there. Do not mix these with other writes to the item; and after an error of the
        transport, such as a lost connection, take a new item.

        Args:
            server_handle: The registration that the item belongs to.
            item_handle: The item; it is advised and its first data change has come.
            value: The value; ``to_mx_value`` makes one of a certain data type.
            timestamp: The time to store with it, aware; None for the time of writing.
            user_id: On whose behalf, in a plain write; 0 where security is off.
            users: For a secured write, the current user and the verifier, both as ids of
                ``authenticate_user`` on this server handle.
            timeout: Seconds until the outcome, the wait for its turn included.

        Returns:
            The event that says that the write succeeded.

        Raises:
            MxAccessWriteError: The write failed.
            MxAccessError: MXAccess did not accept the write.
            MxGatewayTimeoutError: Its turn did not come in time, and nothing was written; or the
                outcome did not come in time. The text says which.
        """
        attempted = f"write_item_and_wait of item handle {item_handle}"
        mx_value = to_mx_value(value)
        deadline = asyncio.get_running_loop().time() + _milliseconds(timeout) / 1000
        limit = f"within {timeout:g} s"

        async def write() -> WriteComplete:
            with self._hub.watch(_about(server_handle)) as watch:
                await self._write(server_handle, item_handle, mx_value, timestamp, user_id, users)
                return await self._outcome(watch, item_handle, attempted)

        turn = self._writing[server_handle, item_handle]
        busy = f"{attempted}: an earlier write to the item had no outcome {limit}"
        async with until(deadline, f"{busy}, so nothing was written"):
            await turn.acquire()
        # The next write would take an outcome that nobody waited for as its own.
        writing = self._start(write())
        writing.add_done_callback(lambda _: turn.release())
        async with until(deadline, f"{attempted}: no outcome came {limit}; {_UNKNOWN}"):
            return await asyncio.shield(writing)

    async def write_array_elements(
        self,
        server_handle: int,
        item_handle: int,
        elements: Mapping[int, MxScalar],
        *,
        length: int,
        data_type: MxDataType | None = None,
        user_id: int = 0,
    ) -> None:
        """Write an array of which only some elements are given.

        The array gets ``length`` elements; those not named become the default of their type (0,
        False, empty), not what they were. To keep them, write single elements: items ``Attr[n]``.

        Args:
            server_handle: The registration that the item belongs to.
            item_handle: The item of the whole array, ``Attr[]``.
            elements: Values by position, counted from 0, all of one type.
            length: How many elements the array shall have.
            data_type: Their type, where the Python type does not tell it.
            user_id: On whose behalf; 0 where security is off.

        Raises:
            MxGatewayValueError: A position that is not below ``length``, or mixed types.
            MxAccessError: MXAccess did not accept the write; its outcome is an OnWriteComplete.
        """
        value = SparseArray(length, elements, data_type)
        await self.write(server_handle, item_handle, value, user_id)

    async def _write(
        self,
        server_handle: int,
        item_handle: int,
        value: MxValue,
        timestamp: datetime | None,
        user_id: int,
        users: tuple[int, int] | None,
    ) -> None:
        at = (server_handle, item_handle)
        if users is None and timestamp is None:
            await self.write(*at, value, user_id)
        elif users is None:
            await self.write2(*at, value, timestamp, user_id)
        elif timestamp is None:
            await self.write_secured(*at, *users, value)
        else:
            await self.write_secured2(*at, *users, value, timestamp)

    async def _resolved(self, watch: Watch, item_handle: int, attempted: str) -> None:
        """Wait for the first data change, before which MXAccess accepts no write."""
        first = await _next(watch, DataChange, item_handle, attempted, "nothing was written")
        if first.statuses and first.statuses[0].category == MxStatusCategory.CONFIGURATION_ERROR:
            text = f"{attempted}: nothing was written, because the reference cannot be used"
            raise write_error(first.raw, text, redact=self._redact)

    async def _outcome(self, watch: Watch, item_handle: int, attempted: str) -> WriteComplete:
        done = await _next(watch, WriteComplete, item_handle, attempted, _UNKNOWN)
        if not done.is_good:
            text = f"{attempted} was accepted and then failed in MXAccess"
            raise write_error(done.raw, text, redact=self._redact)
        return done

    async def _own_registration(self) -> int:
        """The server handle for tags; made by the first who needs it, for all."""
        if self._registering is None or ended_in_vain(self._registering):
            self._registering = self._start(self.register(_CLIENT_NAME))
        handle = await asyncio.shield(self._registering)
        self._hub.private.add(handle)
        return handle

    @asynccontextmanager
    async def _added(self, server_handle: int, tag: str) -> AsyncGenerator[int]:
        """An item that is removed again, whatever happens; a failure does not wait for that."""
        adding = self._start(self.add_item(server_handle, tag))
        try:
            yield await asyncio.shield(adding)
        except BaseException:
            self._start(self._remove(server_handle, adding))
            raise
        await asyncio.shield(self._start(self._remove(server_handle, adding)))

    async def _remove(self, server_handle: int, adding: asyncio.Task[int]) -> None:
        with suppress(MxGatewayError):  # an item that was not added, or a session that is gone
            await self.unsubscribe_bulk(server_handle, [await adding])

    def _start(self, chore: Coroutine[Any, Any, R]) -> asyncio.Task[R]:
        task = asyncio.ensure_future(chore)
        self._chores.add(task)
        task.add_done_callback(self._chores.discard)
        task.add_done_callback(ended_in_vain)
        return task

    async def _settle(self) -> None:
        """Wait until what was begun is done."""
        while self._chores:
            await asyncio.wait(self._chores)


#: What to know when an outcome is missing.
_UNKNOWN: Final = "the write may have taken effect, so read the value before writing again"


def _milliseconds(timeout: float) -> int:
    milliseconds = timeout * 1000
    if not 1 <= milliseconds <= _MAX_MS:
        raise MxGatewayArgumentError(
            f"timeout must be at least 0.001 and at most {_MAX_MS // 1000:,} seconds"
        )
    return int(milliseconds)


def _about(server_handle: int) -> Callable[[Event], bool]:
    """The events of a registration, and gaps, in which some may be lost."""
    return lambda event: event.server_handle == server_handle or isinstance(event, EventGap)


async def _next(watch: Watch, kind: type[E], item_handle: int, attempted: str, written: str) -> E:
    while True:
        event = await watch.next()
        if isinstance(event, EventGap):
            raise MxGatewayUnavailableError(
                f"{attempted}: the event stream was interrupted and lost events; {written}",
                status=Status.UNAVAILABLE,
            )
        if isinstance(event, kind) and event.item_handle == item_handle:
            return event
