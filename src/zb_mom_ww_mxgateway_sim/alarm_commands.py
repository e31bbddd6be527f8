# ruff: noqa: D102 - the generated base class says what each command does
"""The alarm commands of a session. They do what the calls without a session do."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import UUID

from zb_mom_ww_mxgateway_contracts.mxaccess_gateway_v1 import (
    AcknowledgeAlarmByNameCommand,
    AcknowledgeAlarmCommand,
    AcknowledgeAlarmReplyPayload,
    AlarmFailoverConfig,
    AlarmSubtagTarget,
    QueryActiveAlarmsCommand,
    QueryActiveAlarmsReplyPayload,
    SubscribeAlarmsCommand,
    UnsubscribeAlarmsCommand,
)
from zb_mom_ww_mxgateway_contracts.mxaccess_gateway_v1.handlers import CommandHandlers

from .alarm_feed import News, Selection
from .alarms import Alarms
from .events import alarm_news
from .galaxy.store import Condition
from .session import Session
from .statuses import NotSimulated, invalid_argument


class AlarmCommands(CommandHandlers[Session]):
    """The commands on alarms."""

    def __init__(self, alarms: Alarms) -> None:
        self._alarms = alarms

    async def subscribe_alarms(self, context: Session, command: SubscribeAlarmsCommand) -> None:
        """D: a forced mode only says of this session's events where they come from, and keeps
        changes of the gateway's source from it. The source fails when the simulator is told so:
        numbers of failures and probes have nothing to count.
        """
        if not command.forced_mode.is_known:
            raise NotSimulated(f"forced_mode {command.forced_mode:d}")
        _check_failover(command.failover)
        selection = Selection.of(
            *selected(command.subscription_expression),
            access=context.access,
            forced_mode=command.forced_mode,
            watch_list=_watched(command.watch_list),
        )

        def tell(news: News) -> None:
            context.emit(alarm_news(news))

        context.follow_alarms(self._alarms.subscribe(selection, tell))

    async def unsubscribe_alarms(self, context: Session, command: UnsubscribeAlarmsCommand) -> None:
        context.follow_alarms(None)

    async def acknowledge_alarm(
        self, context: Session, command: AcknowledgeAlarmCommand
    ) -> AcknowledgeAlarmReplyPayload:
        try:
            guid = UUID(command.alarm_guid)
        except ValueError:
            raise invalid_argument(f"alarm_guid {command.alarm_guid!r} is no GUID") from None
        found = await self._alarms.by_guid(guid)
        return self._acknowledge(context, found, f"GUID {guid}", command)

    async def acknowledge_alarm_by_name(
        self, context: Session, command: AcknowledgeAlarmByNameCommand
    ) -> AcknowledgeAlarmReplyPayload:
        name, provider, group = command.alarm_name, command.provider_name, command.group_name
        found = self._alarms.by_name(name, provider, group or None)
        wanted = f"name {name!r}, provider {provider!r} and group {group!r}"
        return self._acknowledge(context, found, wanted, command)

    async def query_active_alarms(
        self, context: Session, command: QueryActiveAlarmsCommand
    ) -> QueryActiveAlarmsReplyPayload:
        return QueryActiveAlarmsReplyPayload(
            snapshots=self._alarms.active(command.alarm_filter_prefix, context.access)
        )

    def _acknowledge(
        self,
        session: Session,
        found: Condition | None,
        wanted: str,
        command: AcknowledgeAlarmCommand | AcknowledgeAlarmByNameCommand,
    ) -> AcknowledgeAlarmReplyPayload:
        """D: an unknown alarm is MXAccess' failure here, and NOT_FOUND without a session."""
        comment, operator = command.comment, command.operator_user
        with session.causing():
            if not self._alarms.acknowledge(found, session.access, comment, operator):
                raise invalid_argument(f"there is no alarm with {wanted}")
        return AcknowledgeAlarmReplyPayload(native_status=0)


def _watched(targets: list[AlarmSubtagTarget]) -> Iterator[str]:
    for number, target in enumerate(targets, 1):
        if not target.alarm_full_reference:
            raise invalid_argument(f"entry {number} of watch_list has no alarm_full_reference")
        for field, given, usual in (
            ("active_subtag", target.active_subtag, "InAlarm"),
            ("acked_subtag", target.acked_subtag, "Acked"),
            ("ack_comment_subtag", target.ack_comment_subtag, "AckMsg"),
            ("priority_subtag", target.priority_subtag, "Priority"),
        ):
            if given.casefold() not in ("", usual.casefold()):
                raise NotSimulated(f"{field} {given!r} in place of {usual}")
        yield target.alarm_full_reference


def _check_failover(failover: AlarmFailoverConfig | None) -> None:
    if failover is None:
        return
    for field, given in (
        ("consecutive_failure_threshold", failover.consecutive_failure_threshold),
        ("probe_interval_seconds", failover.probe_interval_seconds),
        ("stable_probes", failover.stable_probes),
    ):
        if given < 0:
            raise invalid_argument(f"{field} of failover is {given}, which must not be negative")


def selected(expression: str) -> tuple[str, ...]:
    r"""The prefixes of full references that a subscription expression selects.

    D: expressions are separated by blanks; each is ``\\node\provider!group``, of which the node
    does not matter and the end may be a ``*``. None at all selects every alarm.

    >>> selected(r"\\HOST\Galaxy!TestArea \Galaxy!*")
    ('Galaxy!TestArea', 'Galaxy!')
    """
    words = expression.split() or [""]
    return tuple(word.rpartition("\\")[2].removesuffix("*") for word in words)
