# ruff: noqa: D102 - the generated base class says what each command does
"""The alarm commands of a session. They do what the calls without a session do."""

from __future__ import annotations

from uuid import UUID

from zb_mom_ww_mxgateway_contracts.mxaccess_gateway_v1 import (
    AcknowledgeAlarmByNameCommand,
    AcknowledgeAlarmCommand,
    AcknowledgeAlarmReplyPayload,
    AlarmProviderMode,
    QueryActiveAlarmsCommand,
    QueryActiveAlarmsReplyPayload,
    SubscribeAlarmsCommand,
    UnsubscribeAlarmsCommand,
)
from zb_mom_ww_mxgateway_contracts.mxaccess_gateway_v1.handlers import CommandHandlers

from .alarms import Alarm, Alarms, News
from .events import alarm_news
from .sessions import Session
from .statuses import NotSimulated, invalid_argument


class AlarmCommands(CommandHandlers[Session]):
    """The commands on alarms."""

    def __init__(self, alarms: Alarms) -> None:
        self._alarms = alarms

    async def subscribe_alarms(self, context: Session, command: SubscribeAlarmsCommand) -> None:
        # D: alarms come from the gateway's one source; a source for one session is not simulated.
        if command.forced_mode not in (AlarmProviderMode.UNSPECIFIED, AlarmProviderMode.ALARMMGR):
            raise NotSimulated(f"forced_mode {command.forced_mode.name}")
        if command.watch_list or command.failover is not None:
            raise NotSimulated("a session's own watch_list and failover")

        def tell(news: News) -> None:
            context.emit(alarm_news(news))

        prefixes = selected(command.subscription_expression)
        context.follow_alarms(self._alarms.subscribe(prefixes, tell))

    async def unsubscribe_alarms(self, context: Session, command: UnsubscribeAlarmsCommand) -> None:
        context.follow_alarms(None)

    async def acknowledge_alarm(
        self, context: Session, command: AcknowledgeAlarmCommand
    ) -> AcknowledgeAlarmReplyPayload:
        try:
            guid = UUID(command.alarm_guid)
        except ValueError:
            raise invalid_argument(f"alarm_guid {command.alarm_guid!r} is no GUID") from None
        alarm = self._alarms.by_guid(guid)
        return _acknowledged(context, alarm, f"GUID {guid}", command.comment, command.operator_user)

    async def acknowledge_alarm_by_name(
        self, context: Session, command: AcknowledgeAlarmByNameCommand
    ) -> AcknowledgeAlarmReplyPayload:
        name, provider, group = command.alarm_name, command.provider_name, command.group_name
        return _acknowledged(
            context,
            self._alarms.by_name(name, provider, group),
            f"name {name!r}, provider {provider!r} and group {group!r}",
            command.comment,
            command.operator_user,
        )

    async def query_active_alarms(
        self, context: Session, command: QueryActiveAlarmsCommand
    ) -> QueryActiveAlarmsReplyPayload:
        return QueryActiveAlarmsReplyPayload(
            snapshots=list(self._alarms.active(command.alarm_filter_prefix))
        )


def _acknowledged(
    session: Session, alarm: Alarm | None, wanted: str, comment: str, operator: str
) -> AcknowledgeAlarmReplyPayload:
    if alarm is None:
        raise invalid_argument(f"there is no alarm with {wanted}")
    with session.causing():
        alarm.acknowledge(comment, operator)
    return AcknowledgeAlarmReplyPayload(native_status=0)


def selected(expression: str) -> tuple[str, ...]:
    r"""The prefixes of full references that a subscription expression selects.

    D: expressions are separated by blanks; each is ``\\node\provider!group``, of which the node
    does not matter and the end may be a ``*``. None at all selects every alarm.

    >>> selected(r"\\HOST\Galaxy!TestArea \Galaxy!*")
    ('Galaxy!TestArea', 'Galaxy!')
    """
    words = expression.split() or [""]
    return tuple(word.rpartition("\\")[2].removesuffix("*") for word in words)
