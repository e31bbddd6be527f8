"""Scopes: what an API key may ask for, and which of them each rpc and each command needs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Final

from zb_mom_ww_mxgateway_contracts.galaxy_repository_v1.services import (
    GalaxyRepositoryMethods as Galaxy,
)
from zb_mom_ww_mxgateway_contracts.mxaccess_gateway_v1 import (
    MxCommandKind as Kind,
    MxCommandRequest,
)
from zb_mom_ww_mxgateway_contracts.mxaccess_gateway_v1.services import (
    MxAccessGatewayMethods as Gateway,
)
from zb_mom_ww_mxgateway_wire.message import Message


class Scope(StrEnum):
    """What an API key may ask for. D: ADMIN does not include the others."""

    SESSION_OPEN = "session:open"
    SESSION_CLOSE = "session:close"
    INVOKE_READ = "invoke:read"
    INVOKE_WRITE = "invoke:write"
    INVOKE_SECURE = "invoke:secure"
    EVENTS_READ = "events:read"
    METADATA_READ = "metadata:read"
    ADMIN = "admin"


ALL_SCOPES: Final = frozenset(Scope)
#: D: of a key that is made without naming any.
DEFAULT_SCOPES: Final = ALL_SCOPES - {Scope.ADMIN}
#: D: what no table below names.
_UNKNOWN: Final = Scope.ADMIN

_RPCS: Final[Mapping[str, Scope]] = {
    Gateway.OPEN_SESSION.path: Scope.SESSION_OPEN,
    Gateway.CLOSE_SESSION.path: Scope.SESSION_CLOSE,
    Gateway.STREAM_EVENTS.path: Scope.EVENTS_READ,
    Gateway.STREAM_ALARMS.path: Scope.EVENTS_READ,
    Gateway.QUERY_ACTIVE_ALARMS.path: Scope.EVENTS_READ,
    Gateway.ACKNOWLEDGE_ALARM.path: Scope.INVOKE_WRITE,
    Galaxy.TEST_CONNECTION.path: Scope.METADATA_READ,
    Galaxy.GET_LAST_DEPLOY_TIME.path: Scope.METADATA_READ,
    Galaxy.DISCOVER_HIERARCHY.path: Scope.METADATA_READ,
    Galaxy.WATCH_DEPLOY_EVENTS.path: Scope.METADATA_READ,
    Galaxy.BROWSE_CHILDREN.path: Scope.METADATA_READ,
}

_COMMANDS: Final[Mapping[Kind, Scope]] = {
    kind: scope
    for scope, kinds in {
        Scope.SESSION_OPEN: (Kind.PING, Kind.GET_SESSION_STATE, Kind.GET_WORKER_INFO),
        Scope.INVOKE_READ: (
            Kind.REGISTER,
            Kind.UNREGISTER,  # D
            Kind.ADD_ITEM,
            Kind.ADD_ITEM2,
            Kind.REMOVE_ITEM,
            Kind.ADVISE,
            Kind.UN_ADVISE,
            Kind.ADVISE_SUPERVISORY,
            Kind.ADD_BUFFERED_ITEM,  # D
            Kind.SET_BUFFERED_UPDATE_INTERVAL,  # D
            Kind.SUSPEND,  # D
            Kind.ACTIVATE,  # D
            Kind.ADD_ITEM_BULK,
            Kind.ADVISE_ITEM_BULK,
            Kind.REMOVE_ITEM_BULK,
            Kind.UN_ADVISE_ITEM_BULK,
            Kind.SUBSCRIBE_BULK,
            Kind.UNSUBSCRIBE_BULK,
            Kind.READ_BULK,
        ),
        Scope.INVOKE_WRITE: (
            Kind.WRITE,
            Kind.WRITE2,
            Kind.WRITE_BULK,
            Kind.WRITE2_BULK,
            Kind.ACKNOWLEDGE_ALARM,  # D: as the rpc
            Kind.ACKNOWLEDGE_ALARM_BY_NAME,  # D: as the rpc
        ),
        Scope.INVOKE_SECURE: (
            Kind.WRITE_SECURED,
            Kind.WRITE_SECURED2,
            Kind.WRITE_SECURED_BULK,
            Kind.WRITE_SECURED2_BULK,
            Kind.AUTHENTICATE_USER,
            Kind.ARCHESTRA_USER_TO_ID,
        ),
        Scope.EVENTS_READ: (
            Kind.DRAIN_EVENTS,
            Kind.SUBSCRIBE_ALARMS,  # D: as the rpcs
            Kind.UNSUBSCRIBE_ALARMS,  # D
            Kind.QUERY_ACTIVE_ALARMS,  # D: as the rpc
        ),
        Scope.ADMIN: (Kind.SHUTDOWN_WORKER,),
    }.items()
    for kind in kinds
}


def scope_needed(path: str, request: Message) -> Scope | None:
    """The scope that a call of the rpc at ``path`` needs; admin for what is not known here.

    An Invoke needs that of its command. D: None for one without a command or a kind, which asks
    for nothing and is malformed whoever sends it.
    """
    if not isinstance(request, MxCommandRequest):
        return _RPCS.get(path, _UNKNOWN)
    command = request.command
    if command is None or command.kind is Kind.UNSPECIFIED:
        return None
    return _COMMANDS.get(command.kind, _UNKNOWN)


def scopes_from(names: Iterable[str]) -> frozenset[Scope]:
    """The scopes of these names.

    Raises:
        ValueError: There is no scope of that name; the text lists those there are.
    """
    found: set[Scope] = set()
    for name in names:
        try:
            found.add(Scope(name))
        except ValueError:
            known = ", ".join(Scope)
            raise ValueError(f"there is no scope {name!r}; scopes are {known}") from None
    return frozenset(found)
