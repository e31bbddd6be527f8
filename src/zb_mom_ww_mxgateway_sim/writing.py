"""Writes: what MXAccess accepts, and what becomes of it."""

from __future__ import annotations

from dataclasses import dataclass

from zb_mom_ww_mxgateway_contracts.google_protobuf import Timestamp
from zb_mom_ww_mxgateway_contracts.mxaccess_gateway_v1 import (
    MxStatusProxy,
    MxValue,
    Write2BulkCommand,
    Write2BulkEntry,
    Write2Command,
    WriteBulkCommand,
    WriteBulkEntry,
    WriteCommand,
    WriteSecured2BulkCommand,
    WriteSecured2BulkEntry,
    WriteSecured2Command,
    WriteSecuredBulkCommand,
    WriteSecuredBulkEntry,
    WriteSecuredCommand,
)
from zb_mom_ww_mxgateway_wire.message import Message

from .events import write_complete
from .galaxy import Point, Security
from .items import Registration
from .sessions import Session
from .statuses import (
    OK,
    SECURED_WRITE_REQUIRED,
    VERIFIED_WRITE_REQUIRED,
    configuration_error,
    invalid_argument,
    security_error,
)
from .values import WrongTypeError, convert, stored_time


@dataclass(frozen=True, slots=True, kw_only=True)
class Users:
    """On whose behalf a secured write happens."""

    current: int
    verifier: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Write:
    """One write of any family: ``timed`` ones bring the time to store, secured ones have users."""

    item_handle: int
    value: MxValue | None
    timed: bool = False
    timestamp: MxValue | None = None
    users: Users | None = None


_Plain = WriteCommand | WriteBulkEntry
_Timed = Write2Command | Write2BulkEntry
_Secured = WriteSecuredCommand | WriteSecuredBulkEntry
_SecuredTimed = WriteSecured2Command | WriteSecured2BulkEntry


def write_of(message: _Plain | _Timed | _Secured | _SecuredTimed) -> Write:
    """What a command, or an entry of a bulk command, wants written."""
    timed = isinstance(message, _Timed | _SecuredTimed)
    users = None
    if isinstance(message, _Secured | _SecuredTimed):
        users = Users(current=message.current_user_id, verifier=message.verifier_user_id)
    return Write(
        item_handle=message.item_handle,
        value=message.value,
        timed=timed,
        timestamp=message.timestamp_value if isinstance(message, _Timed | _SecuredTimed) else None,
        users=users,
    )


def written_values(payload: Message) -> list[MxValue | None]:
    """Every value that a command would write."""
    if isinstance(payload, WriteCommand | Write2Command):
        return [payload.value]
    if isinstance(payload, WriteSecuredCommand | WriteSecured2Command):
        return [payload.value]
    if isinstance(payload, WriteBulkCommand | Write2BulkCommand):
        return [entry.value for entry in payload.entries]
    if isinstance(payload, WriteSecuredBulkCommand | WriteSecured2BulkCommand):
        return [entry.value for entry in payload.entries]
    return []


def accept(session: Session, registration: Registration, write: Write) -> None:
    """Take a write and cause its OnWriteComplete; ``MxAccessFailure`` if MXAccess does not take it.

    D: users are checked before the item's advice.
    """
    item = registration.item(write.item_handle)
    if write.users is not None:
        registration.require_users(write.users.current, write.users.verifier)
    if item.advice is None:
        raise invalid_argument(
            f"item handle {item.handle} is not advised; advise it before writing"
        )
    point = item.point
    if item.advice.last is None:
        raise invalid_argument(
            f"item handle {item.handle} is not resolved yet; wait for its first data change"
        )
    if point is None or session.galaxy.read(point).value is None:
        raise invalid_argument(f"item handle {item.handle} has an invalid reference")

    def complete(status: MxStatusProxy) -> None:
        session.cause(write_complete(registration.handle, write.item_handle, status))

    refusal = _refusal(point, write.users)
    if refusal is not None:
        complete(refusal)
        return
    try:
        value = convert(write.value, point.attribute.data_type, array=point.is_array)
        timestamp = stored_time(write.timestamp) if write.timed else Timestamp.now()
    except WrongTypeError as error:
        complete(configuration_error(str(error)))
        return
    # Caused before the change, so that the data change of this session follows it.
    complete(OK)
    session.galaxy.write(point, value, timestamp)


def _refusal(point: Point, users: Users | None) -> MxStatusProxy | None:
    security = point.attribute.security
    if security is Security.VIEW_ONLY:
        return security_error("the attribute is for viewing only")
    if security is Security.SECURED_WRITE and users is None:
        return security_error("the attribute needs a secured write", SECURED_WRITE_REQUIRED)
    if security is Security.VERIFIED_WRITE and (users is None or users.current == users.verifier):
        return security_error(
            "the attribute needs a verified write by two different users", VERIFIED_WRITE_REQUIRED
        )
    return None
