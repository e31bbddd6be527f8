# ruff: noqa: D102 - the generated base class says what each command does
"""What each command does: one method a command."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Iterable
from typing import Final

from zb_mom_ww_mxgateway.values import to_mx_value
from zb_mom_ww_mxgateway_contracts.mxaccess_gateway_v1 import (
    ActivateCommand,
    ActivateReply,
    AddBufferedItemCommand,
    AddBufferedItemReply,
    AddItem2Command,
    AddItem2Reply,
    AddItemBulkCommand,
    AddItemCommand,
    AddItemReply,
    AdviseCommand,
    AdviseItemBulkCommand,
    AdviseSupervisoryCommand,
    ArchestrAUserToIdCommand,
    ArchestrAUserToIdReply,
    AuthenticateUserCommand,
    AuthenticateUserReply,
    BulkReadReply,
    BulkSubscribeReply,
    BulkWriteReply,
    BulkWriteResult,
    DrainEventsCommand,
    DrainEventsReply,
    GetSessionStateCommand,
    GetSessionStateReply,
    GetWorkerInfoCommand,
    GetWorkerInfoReply,
    MxCommandKind,
    MxCommandReply,
    PingCommand,
    ProtocolStatusCode,
    ReadBulkCommand,
    RegisterCommand,
    RegisterReply,
    RemoveItemBulkCommand,
    RemoveItemCommand,
    SetBufferedUpdateIntervalCommand,
    ShutdownWorkerCommand,
    SubscribeBulkCommand,
    SubscribeResult,
    SuspendCommand,
    SuspendReply,
    UnAdviseCommand,
    UnAdviseItemBulkCommand,
    UnregisterCommand,
    UnsubscribeBulkCommand,
    Write2BulkCommand,
    Write2Command,
    WriteBulkCommand,
    WriteCommand,
    WriteSecured2BulkCommand,
    WriteSecured2Command,
    WriteSecuredBulkCommand,
    WriteSecuredCommand,
)
from zb_mom_ww_mxgateway_wire.message import Message

from .alarm_commands import AlarmCommands
from .auth.access import AccessDenied
from .galaxy.live import breathe
from .items import Item, Registration
from .reading import read_bulk
from .requests import Spec, reply_to
from .session import Session
from .statuses import OK, MxAccessFailure, NotSimulated, invalid_argument
from .writing import Write, accept, write_of

#: Commands that the worker answers itself and that never reach MXAccess.
_ANSWERED_BY_WORKER: Final = frozenset(
    {
        MxCommandKind.PING,
        MxCommandKind.GET_SESSION_STATE,
        MxCommandKind.GET_WORKER_INFO,
        MxCommandKind.DRAIN_EVENTS,
        MxCommandKind.SHUTDOWN_WORKER,
    }
)


def worker_process_id() -> int:
    """The process that serves a session: this one."""
    return os.getpid()


class Commands(AlarmCommands):
    """Every command of the contract; what is not simulated yet raises ``NotSimulated``."""

    async def answer(
        self, session: Session, spec: Spec, payload: Message, correlation_id: str
    ) -> MxCommandReply:
        """Run a command and put its result, or its failure, into a reply."""
        handler: Callable[[Session, Message], Awaitable[Message | None]] = getattr(self, spec.name)
        try:
            if getattr(handler, "__isabstractmethod__", False):
                raise NotSimulated
            result = await handler(session, payload)
        except MxAccessFailure as failure:
            code = ProtocolStatusCode.MXACCESS_FAILURE
            reply = reply_to(session, spec, correlation_id, code, failure.text)
            reply.hresult = failure.hresult
            reply.statuses = [failure.status]
            return reply
        except NotSimulated as missing:
            part = f" with {missing}" if missing.args else ""
            text = f"{spec.kind.proto_name}{part} is not simulated yet"
            code = ProtocolStatusCode.INVALID_REQUEST
            return reply_to(session, spec, correlation_id, code, text)
        reply = reply_to(session, spec, correlation_id, ProtocolStatusCode.OK)
        mxaccess = spec.kind not in _ANSWERED_BY_WORKER
        if mxaccess:
            reply.hresult = 0
        if result is not None and spec.reply_member is not None:
            setattr(reply, spec.reply_member, result)
            returned = getattr(result, spec.result_field) if spec.result_field else None
            if isinstance(returned, int) and mxaccess:
                reply.return_value = to_mx_value(returned)
        return reply

    async def register(self, context: Session, command: RegisterCommand) -> RegisterReply:
        return RegisterReply(server_handle=context.handles.register().handle)

    async def unregister(self, context: Session, command: UnregisterCommand) -> None:
        await context.handles.unregister(context.handles.registration(command.server_handle))

    async def add_item(self, context: Session, command: AddItemCommand) -> AddItemReply:
        registration = context.handles.registration(command.server_handle)
        item = context.add(registration, command.item_definition)
        return AddItemReply(item_handle=item.handle)

    async def add_item2(self, context: Session, command: AddItem2Command) -> AddItem2Reply:
        registration = context.handles.registration(command.server_handle)
        item = context.add(registration, command.item_definition, command.item_context)
        return AddItem2Reply(item_handle=item.handle)

    async def remove_item(self, context: Session, command: RemoveItemCommand) -> None:
        registration = context.handles.registration(command.server_handle)
        context.handles.remove(registration, registration.item(command.item_handle))

    async def advise(self, context: Session, command: AdviseCommand) -> None:
        registration = context.handles.registration(command.server_handle)
        context.advise(registration, registration.item(command.item_handle))

    async def advise_supervisory(self, context: Session, command: AdviseSupervisoryCommand) -> None:
        registration = context.handles.registration(command.server_handle)
        context.advise(registration, registration.item(command.item_handle))

    async def un_advise(self, context: Session, command: UnAdviseCommand) -> None:
        registration = context.handles.registration(command.server_handle)
        context.handles.un_advise(registration.item(command.item_handle))

    async def add_buffered_item(
        self, context: Session, command: AddBufferedItemCommand
    ) -> AddBufferedItemReply:
        registration = context.handles.registration(command.server_handle)
        item = context.add(
            registration, command.item_definition, command.item_context, buffered=True
        )
        return AddBufferedItemReply(item_handle=item.handle)

    async def set_buffered_update_interval(
        self, context: Session, command: SetBufferedUpdateIntervalCommand
    ) -> None:
        registration = context.handles.registration(command.server_handle)
        registration.set_interval(command.update_interval_ms)

    async def suspend(self, context: Session, command: SuspendCommand) -> SuspendReply:
        registration = context.handles.registration(command.server_handle)
        registration.item(command.item_handle).running_advice().suspend(context.cause)
        return SuspendReply(status=OK)

    async def activate(self, context: Session, command: ActivateCommand) -> ActivateReply:
        registration = context.handles.registration(command.server_handle)
        registration.item(command.item_handle).running_advice().activate(context.cause)
        return ActivateReply(status=OK)

    async def write(self, context: Session, command: WriteCommand) -> None:
        registration = context.handles.registration(command.server_handle)
        accept(context, registration, write_of(command))

    async def write2(self, context: Session, command: Write2Command) -> None:
        registration = context.handles.registration(command.server_handle)
        accept(context, registration, write_of(command))

    async def write_secured(self, context: Session, command: WriteSecuredCommand) -> None:
        registration = context.handles.registration(command.server_handle)
        accept(context, registration, write_of(command))

    async def write_secured2(self, context: Session, command: WriteSecured2Command) -> None:
        registration = context.handles.registration(command.server_handle)
        accept(context, registration, write_of(command))

    async def write_bulk(self, context: Session, command: WriteBulkCommand) -> BulkWriteReply:
        return await _write_all(context, command.server_handle, map(write_of, command.entries))

    async def write2_bulk(self, context: Session, command: Write2BulkCommand) -> BulkWriteReply:
        return await _write_all(context, command.server_handle, map(write_of, command.entries))

    async def write_secured_bulk(
        self, context: Session, command: WriteSecuredBulkCommand
    ) -> BulkWriteReply:
        return await _write_all(context, command.server_handle, map(write_of, command.entries))

    async def write_secured2_bulk(
        self, context: Session, command: WriteSecured2BulkCommand
    ) -> BulkWriteReply:
        return await _write_all(context, command.server_handle, map(write_of, command.entries))

    async def authenticate_user(
        self, context: Session, command: AuthenticateUserCommand
    ) -> AuthenticateUserReply:
        registration = context.handles.registration(command.server_handle)
        user_id = context.galaxy.users.log_in(command.user_name, command.password)
        if user_id is None:
            raise invalid_argument("the user's name or password is wrong")
        registration.users.add(user_id)
        return AuthenticateUserReply(user_id=user_id)

    async def add_item_bulk(
        self, context: Session, command: AddItemBulkCommand
    ) -> BulkSubscribeReply:
        registration = context.handles.registration(command.server_handle)

        def add(tag: str) -> Item:
            return context.add(registration, tag)

        return await _each_tag(registration, command.tag_addresses, add)

    async def subscribe_bulk(
        self, context: Session, command: SubscribeBulkCommand
    ) -> BulkSubscribeReply:
        registration = context.handles.registration(command.server_handle)

        def subscribe(tag: str) -> Item:
            item = context.add(registration, tag)
            context.advise(registration, item)
            return item

        return await _each_tag(registration, command.tag_addresses, subscribe)

    async def advise_item_bulk(
        self, context: Session, command: AdviseItemBulkCommand
    ) -> BulkSubscribeReply:
        registration = context.handles.registration(command.server_handle)

        def advise(item: Item) -> None:
            context.advise(registration, item)

        return await _each_item(registration, command.item_handles, advise)

    async def un_advise_item_bulk(
        self, context: Session, command: UnAdviseItemBulkCommand
    ) -> BulkSubscribeReply:
        registration = context.handles.registration(command.server_handle)
        return await _each_item(registration, command.item_handles, context.handles.un_advise)

    async def remove_item_bulk(
        self, context: Session, command: RemoveItemBulkCommand
    ) -> BulkSubscribeReply:
        return await _remove_all(context, command.server_handle, command.item_handles)

    async def unsubscribe_bulk(
        self, context: Session, command: UnsubscribeBulkCommand
    ) -> BulkSubscribeReply:
        return await _remove_all(context, command.server_handle, command.item_handles)

    async def read_bulk(self, context: Session, command: ReadBulkCommand) -> BulkReadReply:
        registration = context.handles.registration(command.server_handle)
        tags, timeout_ms = command.tag_addresses, command.timeout_ms
        return BulkReadReply(results=await read_bulk(context, registration, tags, timeout_ms))

    async def ping(self, context: Session, command: PingCommand) -> None:
        return None

    async def get_session_state(
        self, context: Session, command: GetSessionStateCommand
    ) -> GetSessionStateReply:
        return GetSessionStateReply(state=context.state)

    async def get_worker_info(
        self, context: Session, command: GetWorkerInfoCommand
    ) -> GetWorkerInfoReply:
        # There is no COM class here, so none is named.
        return GetWorkerInfoReply(worker_process_id=worker_process_id(), worker_version="simulator")

    async def drain_events(self, context: Session, command: DrainEventsCommand) -> DrainEventsReply:
        return DrainEventsReply(events=context.events.drain(command.max_events))

    async def archestra_user_to_id(
        self, context: Session, command: ArchestrAUserToIdCommand
    ) -> ArchestrAUserToIdReply:
        context.handles.registration(command.server_handle)
        user_id = context.galaxy.users.by_guid(command.user_guid)
        if user_id is None:
            raise invalid_argument(f"no user of the galaxy has GUID {command.user_guid!r}")
        return ArchestrAUserToIdReply(user_id=user_id)

    async def shutdown_worker(self, context: Session, command: ShutdownWorkerCommand) -> None:
        context.shut_down()


async def _each_tag(
    registration: Registration, tags: Iterable[str], act: Callable[[str], Item]
) -> BulkSubscribeReply:
    results: list[SubscribeResult] = []
    for number, tag in enumerate(tags, 1):
        result = SubscribeResult(server_handle=registration.handle, tag_address=tag)
        try:
            result.item_handle = act(tag).handle
            result.was_successful = True
        except (AccessDenied, MxAccessFailure) as failure:
            result.error_message = failure.text
        results.append(result)
        await breathe(number)
    return BulkSubscribeReply(results=results)


async def _each_item(
    registration: Registration, handles: Iterable[int], act: Callable[[Item], None]
) -> BulkSubscribeReply:
    results: list[SubscribeResult] = []
    for number, handle in enumerate(handles, 1):
        result = SubscribeResult(server_handle=registration.handle, item_handle=handle)
        try:
            item = registration.item(handle)
            result.tag_address = item.definition
            act(item)
            result.was_successful = True
        except (AccessDenied, MxAccessFailure) as failure:
            result.error_message = failure.text
        results.append(result)
        await breathe(number)
    return BulkSubscribeReply(results=results)


async def _remove_all(
    session: Session, server_handle: int, handles: Iterable[int]
) -> BulkSubscribeReply:
    registration = session.handles.registration(server_handle)

    def remove(item: Item) -> None:
        session.handles.remove(registration, item)

    return await _each_item(registration, handles, remove)


async def _write_all(
    session: Session, server_handle: int, writes: Iterable[Write]
) -> BulkWriteReply:
    registration = session.handles.registration(server_handle)
    results: list[BulkWriteResult] = []
    for number, write in enumerate(writes, 1):
        result = BulkWriteResult(server_handle=server_handle, item_handle=write.item_handle)
        try:
            accept(session, registration, write)
            result.was_successful, result.hresult = True, 0
        except MxAccessFailure as failure:
            result.hresult, result.statuses = failure.hresult, [failure.status]
            result.error_message = failure.text
        except AccessDenied as denied:
            result.error_message = denied.text
        results.append(result)
        await breathe(number)
    return BulkWriteReply(results=results)


# Type checkers insist that every command is here. At run time a contract may have more of them,
# made from a gateway's own files: those answer that they are not simulated.
Commands.__abstractmethods__ = frozenset()
