"""The SDK for code that does not use asyncio: the same classes and methods, blocking.

>>> from zb_mom_ww_mxgateway.sync import GatewayClient
>>> with GatewayClient.connect("localhost:5000", api_key=key, plaintext=True) as client:
...     with client.open_session() as session:
...         print(session.read("TestMachine_001.TestChangingInt"))

Each client has an event loop in a thread of its own, which ends with the client. Clients,
sessions and streams may be used from several threads, and where an event loop runs already, as in
Jupyter. Ctrl-C ends a wait and cancels the call that it waits for.
"""

from __future__ import annotations

import asyncio
import threading
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Coroutine, Iterable
from contextlib import suppress
from datetime import timedelta
from functools import partial, wraps
from types import TracebackType
from typing import Any, Concatenate, Final, Generic, ParamSpec, Protocol, Self, TypeVar, Unpack

from grpclib.const import Status

from zb_mom_ww_mxgateway_contracts.galaxy_repository_v1 import GalaxyObject
from zb_mom_ww_mxgateway_contracts.mxaccess_gateway_v1 import MxValue, OpenSessionReply
from zb_mom_ww_mxgateway_contracts.mxaccess_gateway_v1.session_sync import SyncSessionCommands
from zb_mom_ww_mxgateway_wire.command import CommandSpec, Payload, Result

from . import (
    client as aio_client,
    connection as aio_connection,
    galaxy as aio_galaxy,
    session as aio_session,
    streams as aio_streams,
)
from .errors import MxGatewaySessionClosedError, MxGatewayTimeoutError
from .galaxy import ObjectFilters
from .loop_thread import LoopThread
from .options import ClientOptions, ConnectOptions
from .values import MxValueInput, to_mx_value
from .waiting import until

#: Items that cross from the loop's thread together: a crossing takes longer than an item.
_AT_ONCE: Final = 100

P = ParamSpec("P")
R = TypeVar("R")
T_co = TypeVar("T_co", covariant=True)
Target = TypeVar("Target")
ConnectionT = TypeVar("ConnectionT", bound=aio_connection.Connection)


class _Facade(Generic[Target]):
    """A blocking object in front of an async one, which lives on the loop of its client."""

    def __init__(self, thread: LoopThread, target: Target) -> None:
        self._thread = thread
        self._async = target

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Facade) and other._async is self._async  # pyright: ignore[reportUnknownMemberType]

    def __hash__(self) -> int:
        return id(self._async)

    def __repr__(self) -> str:
        return repr(self._async)


def _blocking(
    method: Callable[Concatenate[Any, P], Coroutine[Any, Any, R]],
) -> Callable[Concatenate[Any, P], R]:
    """``method`` of the async class, blocking."""

    @wraps(method)
    def call(self: Any, /, *args: P.args, **kwargs: P.kwargs) -> R:
        thread: LoopThread = self._thread
        return thread.run(method.__name__, lambda: method(self._async, *args, **kwargs))

    return call


class _Source(Protocol[T_co]):
    def __anext__(self) -> Coroutine[Any, Any, T_co]: ...
    def aclose(self) -> Coroutine[Any, Any, None]: ...


def _streaming(
    method: Callable[Concatenate[Any, P], _Source[R]],
) -> Callable[Concatenate[Any, P], Stream[R]]:
    """``method`` of the async class, whose items are iterated blocking."""

    @wraps(method)
    def call(self: Any, /, *args: P.args, **kwargs: P.kwargs) -> Stream[R]:
        return Stream(self._thread, method(self._async, *args, **kwargs))

    return call


class Stream(_Facade[_Source[R]]):
    """What a streaming call answers, item by item; leaving it, or ``close``, ends the call.

    >>> with session.stream_events() as events:
    ...     for event in events:
    ...         print(event)
    """

    def __init__(self, thread: LoopThread, target: _Source[R]) -> None:
        super().__init__(thread, target)
        self._taken: deque[R] = deque()
        self._turn = threading.Lock()  # or threads would mix the order

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> R:
        return self.next()

    def next(self, timeout: float | None = None) -> R:
        """The next item.

        Args:
            timeout: Seconds to wait for it; None waits for ever. Nothing is lost when it does not
                come in time.

        Raises:
            StopIteration: The stream has ended.
            MxGatewayTimeoutError: No item came in time.
        """
        if not self._turn.acquire(timeout=-1 if timeout is None else max(timeout, 0)):
            raise MxGatewayTimeoutError(_late(timeout), status=Status.DEADLINE_EXCEEDED)
        try:
            if not self._taken:
                self._taken += self._thread.run("next", partial(_take, self._async, timeout))
            return self._taken.popleft()
        except StopAsyncIteration:
            raise StopIteration from None
        finally:
            self._turn.release()

    def close(self) -> None:
        """End the call and drop what was not taken; safe to call again."""
        self._taken.clear()
        with suppress(MxGatewaySessionClosedError):  # the client was closed, and this with it
            self._thread.run("close", self._async.aclose)

    def __enter__(self) -> Self:
        if isinstance(self._async, aio_streams.Stream):  # the others ask page by page
            self._thread.run("open", self._async.__aenter__)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


async def _take(source: _Source[R], timeout: float | None) -> list[R]:
    deadline = None if timeout is None else asyncio.get_running_loop().time() + timeout
    async with until(deadline, _late(timeout)):
        if isinstance(source, aio_streams.Stream):
            return await source.take(_AT_ONCE)
        return [await source.__anext__()]


def _late(timeout: float | None) -> str:
    return "" if timeout is None else f"no item came within {timeout:g} s; the stream goes on"


class Session(_Facade[aio_session.Session], SyncSessionCommands[MxValueInput]):
    """An open session; see ``zb_mom_ww_mxgateway.Session``. ``with`` closes it."""

    @property
    def session_id(self) -> str:
        """The gateway's id of this session."""
        return self._async.session_id

    @property
    def open_reply(self) -> OpenSessionReply:
        """What the gateway said when it opened the session."""
        return self._async.open_reply

    @property
    def closed(self) -> bool:
        """Whether ``close`` was called."""
        return self._async.closed

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            self._thread.run("close", lambda: self._async.__aexit__(kind, error, traceback))
        except MxGatewaySessionClosedError:  # the client was closed before
            if error is None:
                raise

    def _command(
        self, spec: CommandSpec[Payload, Result], payload: Payload, correlation_id: str
    ) -> Result:
        run = self._async._command  # pyright: ignore[reportPrivateUsage]
        return self._thread.run(spec.name, lambda: run(spec, payload, correlation_id))

    def _value(self, value: MxValueInput) -> MxValue:
        return to_mx_value(value)

    close = _blocking(aio_session.Session.close)
    invoke = _blocking(aio_session.Session.invoke)
    invoke_raw = _blocking(aio_session.Session.invoke_raw)
    stream_events = _streaming(aio_session.Session.stream_events)
    read = _blocking(aio_session.Session.read)
    read_many = _blocking(aio_session.Session.read_many)
    write_and_wait = _blocking(aio_session.Session.write_and_wait)
    write_item_and_wait = _blocking(aio_session.Session.write_item_and_wait)
    write_array_elements = _blocking(aio_session.Session.write_array_elements)


class _Connection(_Facade[ConnectionT], ABC):
    """What the blocking clients have in common: a connection, and the thread that serves it."""

    @staticmethod
    @abstractmethod
    def _opening(options: ClientOptions) -> Coroutine[Any, Any, ConnectionT]:
        """What connects the async client."""

    @classmethod
    def connect(cls, endpoint: str, **options: Unpack[ConnectOptions]) -> Self:
        """Connect to a gateway; see ``connect`` of the async class."""
        try:
            made = ClientOptions(endpoint=endpoint, **options)
        finally:
            del options  # a traceback that shows locals shall not show the key
        return cls.from_options(made)

    @classmethod
    def from_options(cls, options: ClientOptions) -> Self:
        """Connect as ``options`` say."""
        thread = LoopThread(f"mxgateway {options.endpoint}")
        try:
            client = thread.run("connect", partial(cls._opening, options))
        except BaseException:
            thread.stop()
            raise
        return cls(thread, client)

    @property
    def options(self) -> ClientOptions:
        """How this client connected."""
        return self._async.options

    @property
    def endpoint(self) -> str:
        """The endpoint as it was given."""
        return self._async.endpoint

    def close(self) -> None:
        """Close the connection and end its thread; safe to call again and from several threads."""
        try:
            with suppress(MxGatewaySessionClosedError):
                self._thread.run("close", self._async.close)
        finally:
            self._thread.stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


class GatewayClient(_Connection[aio_client.GatewayClient]):
    """A connection to one gateway; see ``zb_mom_ww_mxgateway.GatewayClient``."""

    @staticmethod
    def _opening(options: ClientOptions) -> Coroutine[Any, Any, aio_client.GatewayClient]:
        return aio_client.GatewayClient.from_options(options)

    def open_session(
        self,
        *,
        client_session_name: str = "",
        client_correlation_id: str = "",
        command_timeout: timedelta | float | None = None,
    ) -> Session:
        """Open a session; see ``open_session`` of the async class."""

        def opening() -> Coroutine[Any, Any, aio_session.Session]:
            return self._async.open_session(
                client_session_name=client_session_name,
                client_correlation_id=client_correlation_id,
                command_timeout=command_timeout,
            )

        return Session(self._thread, self._thread.run("open_session", opening))

    def session(self, session_id: str) -> Session:
        """A session that was opened elsewhere with the same API key; nothing is sent."""
        return Session(self._thread, self._async.session(session_id))

    open_session_raw = _blocking(aio_client.GatewayClient.open_session_raw)
    close_session_raw = _blocking(aio_client.GatewayClient.close_session_raw)
    invoke_raw = _blocking(aio_client.GatewayClient.invoke_raw)
    stream_events = _streaming(aio_client.GatewayClient.stream_events)
    stream_events_raw = _streaming(aio_client.GatewayClient.stream_events_raw)
    stream_alarms = _streaming(aio_client.GatewayClient.stream_alarms)
    stream_alarms_raw = _streaming(aio_client.GatewayClient.stream_alarms_raw)
    query_active_alarms = _streaming(aio_client.GatewayClient.query_active_alarms)
    query_active_alarms_raw = _streaming(aio_client.GatewayClient.query_active_alarms_raw)
    acknowledge_alarm = _blocking(aio_client.GatewayClient.acknowledge_alarm)
    acknowledge_alarm_raw = _blocking(aio_client.GatewayClient.acknowledge_alarm_raw)


class BrowseNode(_Facade[aio_galaxy.BrowseNode]):
    """An object in the galaxy's tree; see ``zb_mom_ww_mxgateway.BrowseNode``."""

    @property
    def object(self) -> GalaxyObject:
        """The object, with its attributes unless they were declined."""
        return self._async.object

    @property
    def has_children(self) -> bool:
        """Whether there are children, for whoever shows a tree."""
        return self._async.has_children

    @property
    def expanded(self) -> bool:
        """Whether the children are known, so that ``children`` answers at once."""
        return self._async.expanded

    def children(self) -> tuple[BrowseNode, ...]:
        """The children; see ``children`` of the async class."""
        return self._nodes(self._thread.run("children", self._async.children))

    def refresh(self) -> tuple[BrowseNode, ...]:
        """Fetch the children anew; see ``refresh`` of the async class."""
        return self._nodes(self._thread.run("refresh", self._async.refresh))

    def _nodes(self, found: Iterable[aio_galaxy.BrowseNode]) -> tuple[BrowseNode, ...]:
        return tuple(BrowseNode(self._thread, node) for node in found)


class GalaxyRepositoryClient(_Connection[aio_galaxy.GalaxyRepositoryClient]):
    """A connection for the metadata of a galaxy; see the async class of that name."""

    @staticmethod
    def _opening(
        options: ClientOptions,
    ) -> Coroutine[Any, Any, aio_galaxy.GalaxyRepositoryClient]:
        return aio_galaxy.GalaxyRepositoryClient.from_options(options)

    def browse(
        self,
        *,
        parent_gobject_id: int | None = None,
        parent_tag_name: str | None = None,
        parent_contained_path: str | None = None,
        **filters: Unpack[ObjectFilters],
    ) -> tuple[BrowseNode, ...]:
        """The top of the galaxy's tree, or the children of one object; see the async class."""

        def browsing() -> Coroutine[Any, Any, tuple[aio_galaxy.BrowseNode, ...]]:
            return self._async.browse(
                parent_gobject_id=parent_gobject_id,
                parent_tag_name=parent_tag_name,
                parent_contained_path=parent_contained_path,
                **filters,
            )

        nodes = self._thread.run("browse", browsing)
        return tuple(BrowseNode(self._thread, node) for node in nodes)

    test_connection = _blocking(aio_galaxy.GalaxyRepositoryClient.test_connection)
    test_connection_raw = _blocking(aio_galaxy.GalaxyRepositoryClient.test_connection_raw)
    get_last_deploy_time = _blocking(aio_galaxy.GalaxyRepositoryClient.get_last_deploy_time)
    get_last_deploy_time_raw = _blocking(aio_galaxy.GalaxyRepositoryClient.get_last_deploy_time_raw)
    discover_hierarchy = _blocking(aio_galaxy.GalaxyRepositoryClient.discover_hierarchy)
    discover_hierarchy_raw = _blocking(aio_galaxy.GalaxyRepositoryClient.discover_hierarchy_raw)
    browse_children_raw = _blocking(aio_galaxy.GalaxyRepositoryClient.browse_children_raw)
    iter_hierarchy = _streaming(aio_galaxy.GalaxyRepositoryClient.iter_hierarchy)
    watch_deploy_events = _streaming(aio_galaxy.GalaxyRepositoryClient.watch_deploy_events)
    watch_deploy_events_raw = _streaming(aio_galaxy.GalaxyRepositoryClient.watch_deploy_events_raw)
