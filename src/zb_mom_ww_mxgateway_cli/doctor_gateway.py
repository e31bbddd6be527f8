"""The checks of ``doctor`` that ask the gateway: its protocol, the key, Galaxy, values, clock."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, aclosing, suppress
from dataclasses import replace
from datetime import datetime, timezone
from functools import partial
from typing import Final

from zb_mom_ww_mxgateway import (
    GATEWAY_PROTOCOL_VERSION,
    CloseSessionRequest,
    DiscoverHierarchyRequest,
    GalaxyRepositoryClient,
    GatewayClient,
    MxDataType,
    MxEvent,
    MxEventFamily,
    MxGatewayAuthenticationError,
    MxGatewayAuthorizationError,
    MxGatewayError,
    MxGatewayTimeoutError,
    MxGatewayUnavailableError,
    Session,
    StreamEventsRequest,
    data_type_of,
    describe_quality,
    describe_status,
    is_failure,
    is_good_quality,
)

from . import exits
from .connection import Connection
from .doctor_network import Finding
from .output import ago

_LABEL: Final = "mxgw-py doctor"
#: Seconds to wait for the first value; a live system takes 3 to 8.
_FIRST_VALUE: Final = 15.0
#: Seconds that clocks may differ, the way of an event included.
_CLOCKS: Final = 2.0
_NANOS: Final = 10**9
#: Objects in which to look for a tag to read, and how many are asked for at once.
_LOOKED_AT: Final = 1_000
_PAGE: Final = 50
#: A session that no gateway has.
_NO_SESSION: Final = "session-" + "0" * 32
#: The types of the values that every plant has.
_PLAIN_TYPES: Final = (
    MxDataType.BOOLEAN,
    MxDataType.INTEGER,
    MxDataType.FLOAT,
    MxDataType.DOUBLE,
    MxDataType.STRING,
)


class GatewayChecks:
    """The checks, and what later ones need of earlier ones.

    Args:
        connection: How to reach the gateway.
        item: The tag whose first value to wait for; None for any.
        stack: Closes what the checks open.
    """

    def __init__(self, connection: Connection, item: str | None, stack: AsyncExitStack) -> None:
        self._connection = connection
        self._options = connection.options
        self._limit = connection.timeout or _FIRST_VALUE
        self._tag = item
        self._stack = stack
        self._clients: tuple[GatewayClient, GalaxyRepositoryClient] | None = None
        self._session: Session | None = None
        #: Why there is no session, if that is for the key.
        self._refusal: MxGatewayError | None = None
        #: Scopes that calls were denied for.
        self._lacks: list[str] = []
        self._server_handle = 0
        #: The first event of the tag, and when it came, in nanoseconds since 1970.
        self._first: tuple[MxEvent, int] | None = None

    async def check_protocol(self) -> Finding:
        """Whether a gateway answers, and the versions that it names."""
        client = await self._stack.enter_async_context(self._connection.client())
        channel = await self._stack.enter_async_context(self._connection.channel())
        self._clients = client, GalaxyRepositoryClient(channel, self._options)
        try:
            session = await client.open_session(client_session_name=_LABEL)
        except (MxGatewayAuthenticationError, MxGatewayAuthorizationError) as error:
            self._refusal = error
            return Finding("ok", "a gateway answers; it tells its versions when a session is open")
        self._session = session
        self._stack.push_async_callback(_close, session)
        reply = session.open_reply
        worker = await session.get_worker_info()
        theirs = reply.gateway_protocol_version
        detail = (
            f"gateway protocol {theirs}, made for {GATEWAY_PROTOCOL_VERSION} here; worker "
            f"protocol {reply.worker_protocol_version}, {reply.backend_name or 'worker'} "
            f"{worker.worker_version or 'of no version'}"
        )
        if theirs == GATEWAY_PROTOCOL_VERSION:
            return Finding("ok", detail)
        return Finding("warn", detail, "use the release of this package made for that gateway")

    @property
    def _client(self) -> GatewayClient:
        assert self._clients is not None  # check_protocol went first
        return self._clients[0]

    @property
    def _galaxy(self) -> GalaxyRepositoryClient:
        assert self._clients is not None
        return self._clients[1]

    async def check_key(self) -> Finding:
        """Whether the key is accepted, and which scopes it has, told by calls that do nothing."""
        if isinstance(self._refusal, MxGatewayAuthenticationError):
            raise self._refusal
        has: list[str] = []
        for scope, call in self._probes().items():
            try:
                await call()
            except MxGatewayAuthorizationError:
                self._lacks.append(scope)
                continue
            except (MxGatewayUnavailableError, MxGatewayTimeoutError):
                raise
            except MxGatewayError:
                pass  # it was let in, and found nothing to do
            has.append(scope)
        if await self._takes_none():
            return Finding(
                "warn",
                "the gateway takes calls without an API key",
                "have it ask for keys, if it is not for tests alone",
            )
        untried = (
            "admin is not tried" if self._session else "others cannot be told without a session"
        )
        if not self._lacks:
            return Finding("ok", f"it has {', '.join(has)} ({untried})")
        return Finding(
            "warn",
            f"it lacks {', '.join(self._lacks)}, has {', '.join(has) or 'none'} ({untried})",
            "ask for a key with the scopes that your commands need",
        )

    async def _takes_none(self) -> bool:
        """Whether the gateway asks for no key, so that its answers tell nothing of this one."""
        if self._options.api_key is None:
            return True
        without = replace(self._options, api_key=None)
        async with await GatewayClient.from_options(without) as client:
            try:
                await client.close_session_raw(CloseSessionRequest(session_id=_NO_SESSION))
            except (MxGatewayAuthenticationError, MxGatewayAuthorizationError):
                return False
            except (MxGatewayUnavailableError, MxGatewayTimeoutError):
                raise
            except MxGatewayError:
                pass  # it was let in, and found no session
        return True

    def _probes(self) -> Mapping[str, Callable[[], Awaitable[object]]]:
        """Harmless calls, by the scope without which each is denied."""
        session = self._session
        closing = CloseSessionRequest(session_id=_NO_SESSION)
        needs_session: dict[str, Callable[[], Awaitable[object]]] = {}
        if session is not None:
            needs_session = {
                "invoke:read": partial(self._register, session),
                "invoke:write": partial(session.write_bulk, 0, []),
                "invoke:secure": partial(session.write_secured_bulk, 0, []),
                "events:read": partial(session.drain_events, 1),
            }
        return {
            "session:open": self._opened,
            "session:close": partial(self._client.close_session_raw, closing),
            **needs_session,
            "metadata:read": self._galaxy.test_connection,
        }

    async def _opened(self) -> None:
        if self._refusal is not None:
            raise self._refusal

    async def _register(self, session: Session) -> None:
        self._server_handle = await session.register(_LABEL)

    async def check_galaxy(self) -> Finding:
        """Whether the Galaxy Repository can be read, what is deployed, and since when."""
        if (skipped := self._without("metadata:read")) is not None:
            return skipped
        galaxy = self._galaxy
        if not await galaxy.test_connection():
            return Finding(
                "fail",
                "the gateway does not reach the Galaxy Repository",
                "check its database, and the gateway's connection to it",
                exits.FAILURE,
            )
        one = DiscoverHierarchyRequest(page_size=1, include_attributes=False)
        count = (await galaxy.discover_hierarchy_raw(one)).total_object_count
        deployed = await galaxy.get_last_deploy_time()
        if deployed is None or not count:
            advice = "deploy objects, or name a key that may browse them"
            return Finding("warn", f"{count} objects, and no known deploy", advice)
        since = ago((datetime.now(timezone.utc) - deployed).total_seconds())
        return Finding("ok", f"{count:,} objects, deployed {since} ({deployed:%Y-%m-%dT%H:%M:%SZ})")

    async def check_value(self) -> Finding:
        """How long a tag takes to its first value."""
        skipped = self._without("session:open", "invoke:read", "events:read")
        if skipped is not None:
            return skipped
        if self._tag is None:
            self._tag = None if "metadata:read" in self._lacks else await self._any_tag()
        tag, session = self._tag, self._session
        if tag is None:
            return Finding("skipped", "no tag to read was found", "name one with --item")
        assert session is not None
        item = await session.add_item(self._server_handle, tag)
        begun = time.perf_counter()
        await session.advise(self._server_handle, item)
        try:
            async with asyncio.timeout(self._limit):
                event = await self._first_of(session, item)
        except TimeoutError:
            return Finding(
                "fail",
                f"no value of {tag} within {self._limit:g} s",
                "check that its object is deployed and on scan, or allow more with --timeout",
                exits.TIMED_OUT,
            )
        taken = f"first value of {tag} after {time.perf_counter() - begun:.3f} s"
        self._first = event, time.time_ns()
        wrong = [describe_status(status) for status in event.statuses if is_failure(status)]
        if wrong:
            advice = "check the reference for a misspelling, and that its object is deployed"
            return Finding("fail", f"{tag}: {'; '.join(wrong)}", advice, exits.FAILURE)
        if not is_good_quality(event.quality):
            advice = "check the device that it comes from"
            return Finding("warn", f"{taken}, {describe_quality(event.quality)}", advice)
        return Finding("ok", taken)

    async def _first_of(self, session: Session, item: int) -> MxEvent:
        request = StreamEventsRequest(session_id=session.session_id)
        async with self._client.stream_events_raw(request) as events:
            async for event in events:
                if event.item_handle == item and event.family == MxEventFamily.ON_DATA_CHANGE:
                    return event
        raise MxGatewayUnavailableError("StreamEvents ended before the first value came")

    async def _any_tag(self) -> str | None:
        """A tag of one plain value, of the first object that has one."""
        seen = 0
        objects = self._galaxy.iter_hierarchy(page_size=_PAGE)
        async with aclosing(objects):
            async for found in objects:
                for attribute in found.attributes:
                    if not attribute.is_array and data_type_of(attribute) in _PLAIN_TYPES:
                        return attribute.full_tag_reference
                seen += 1
                if seen == _LOOKED_AT:
                    return None
        return None

    async def check_clock(self) -> Finding:
        """How far the gateway's clock is from the one here, told by the first event."""
        assert self._first is not None
        event, came = self._first
        sent = event.gateway_receive_timestamp or event.worker_timestamp
        if sent is None:
            return Finding("skipped", "the gateway's events have no time")
        ahead = (sent.to_nanoseconds() - came) / _NANOS
        detail = f"the gateway's is {abs(ahead):.3f} s {'ahead' if ahead > 0 else 'behind'}"
        if abs(ahead) <= _CLOCKS:
            return Finding("ok", f"{detail}, the way of an event included")
        return Finding("warn", detail, "have both clocks set by the same time server")

    def _without(self, *scopes: str) -> Finding | None:
        """The finding for a check that needs scopes which the key lacks."""
        missing = [scope for scope in scopes if scope in self._lacks]
        if not missing:
            return None
        return Finding("skipped", f"not possible without {' and '.join(missing)}")


async def _close(session: Session) -> None:
    # What can go wrong was said by a check already; a session that stays ends with its lease.
    with suppress(MxGatewayError):
        await session.close()
