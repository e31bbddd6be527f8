"""Writes: what MXAccess accepts, and what becomes of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from zb_mom_ww_mxgateway.galaxy import SecurityClassification
from zb_mom_ww_mxgateway_contracts.google_protobuf import Timestamp
from zb_mom_ww_mxgateway_contracts.mxaccess_gateway_v1 import (
    MxEvent,
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
from .galaxy.live import Point
from .items import Registration
from .session import Session
from .statuses import (
    INVALID_REFERENCE,
    OK,
    SECURED_WRITE_REQUIRED,
    VERIFIED_WRITE_REQUIRED,
    configuration_error,
    invalid_argument,
    security_error,
)
from .users import Users
from .values import WrongTypeError, convert, stored_time


@dataclass(frozen=True, slots=True, kw_only=True)
class Signers:
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
    user_id: int = 0
    users: Signers | None = None


_Plain = WriteCommand | WriteBulkEntry
_Timed = Write2Command | Write2BulkEntry
_Secured = WriteSecuredCommand | WriteSecuredBulkEntry
_SecuredTimed = WriteSecured2Command | WriteSecured2BulkEntry


def write_of(message: _Plain | _Timed | _Secured | _SecuredTimed) -> Write:
    """What a command, or an entry of a bulk command, wants written."""
    timed = isinstance(message, _Timed | _SecuredTimed)
    users, user_id = None, 0
    if isinstance(message, _Secured | _SecuredTimed):
        users = Signers(current=message.current_user_id, verifier=message.verifier_user_id)
    else:
        user_id = message.user_id
    return Write(
        item_handle=message.item_handle,
        value=message.value,
        timed=timed,
        timestamp=message.timestamp_value if isinstance(message, _Timed | _SecuredTimed) else None,
        user_id=user_id,
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
    """Take a write and cause its OnWriteComplete; ``MxAccessFailure`` if MXAccess does not take it,
    ``AccessDenied`` if the key may not.

    D: users are checked before the item's advice.
    """
    galaxy, item = session.galaxy, registration.item(write.item_handle)
    point = item.point
    session.access.require_write(galaxy, item.asked)
    if write.users is not None:
        registration.require_users(write.users.current, write.users.verifier)
    if item.advice is None:
        raise invalid_argument(
            f"item handle {item.handle} is not advised; advise it before writing"
        )
    if item.advice.last is None:
        raise invalid_argument(
            f"item handle {item.handle} is not resolved yet; wait for its first data change"
        )
    if not galaxy.leads_somewhere(point):
        raise invalid_argument(f"item handle {item.handle} has an invalid reference")
    received = galaxy.clock.now()

    def carry_out(report: Callable[[MxEvent], None]) -> None:
        def complete(status: MxStatusProxy) -> None:
            report(write_complete(registration.handle, write.item_handle, status))

        _carry_out(session, registration, point, write, received, complete)

    if galaxy.write_delay > 0:
        session.later(galaxy.write_delay, lambda: carry_out(session.emit))
    else:
        carry_out(session.cause)


def _carry_out(
    session: Session,
    registration: Registration,
    point: Point,
    write: Write,
    received: Timestamp,
    complete: Callable[[MxStatusProxy], None],
) -> None:
    """Change the value if that is right, and say in any case what became of it."""
    galaxy, definition = session.galaxy, point.attribute.definition
    if definition is None or not galaxy.leads_somewhere(point):  # since it was accepted
        complete(configuration_error("the reference is invalid", INVALID_REFERENCE))
        return
    refusal = _refusal(definition.security, write, registration, session.galaxy.users)
    if refusal is not None:
        complete(refusal)
        return
    try:
        value = convert(write.value, definition.data_type, array=point.is_array)
        timestamp = stored_time(write.timestamp) if write.timed else received
    except WrongTypeError as error:
        complete(configuration_error(str(error)))
        return
    # Reported before the change, so that the data change of this session follows it.
    complete(OK)
    galaxy.write(point, value, timestamp)


def _refusal(
    security: SecurityClassification, write: Write, registration: Registration, known: Users
) -> MxStatusProxy | None:
    """What stands against a write by these users; D: Tune and Configure are as Operate."""
    users = write.users
    if security is SecurityClassification.VIEW_ONLY:
        return security_error("the attribute is for viewing only")
    if security is SecurityClassification.SECURED_WRITE and users is None:
        return security_error("the attribute needs a secured write", SECURED_WRITE_REQUIRED)
    if security is SecurityClassification.VERIFIED_WRITE and (
        users is None or users.current == users.verifier
    ):
        return security_error(
            "the attribute needs a verified write by two different users", VERIFIED_WRITE_REQUIRED
        )
    # D: where security is on, everything but FreeAccess needs a user of this server handle.
    if (
        known.is_secured
        and users is None
        and security is not SecurityClassification.FREE_ACCESS
        and write.user_id not in registration.users
    ):
        return security_error(
            f"the galaxy is secured and user id {write.user_id} was not authenticated on server "
            f"handle {registration.handle}; call AuthenticateUser there first"
        )
    return None
