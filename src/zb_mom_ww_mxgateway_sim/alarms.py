"""Alarms: their states, the transitions between them, and whoever follows those.

An alarm is active or not and acknowledged or not. D: every alarm starts inactive and acknowledged.

======================  ===============================================  ============
what happens            when                                             transition
======================  ===============================================  ============
condition becomes true  acknowledged before                              RAISE
condition becomes true  never acknowledged since it was raised           RETRIGGER
condition becomes false                                                  CLEAR
acknowledged            not acknowledged before, active or cleared       ACKNOWLEDGE
======================  ===============================================  ============

Anything else changes nothing: writing the value that the condition has, acknowledging again.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterator
from itertools import chain
from types import TracebackType
from typing import Final, TypeAlias
from uuid import NAMESPACE_OID, UUID, uuid5

from grpclib.const import Status
from grpclib.exceptions import GRPCError

from zb_mom_ww_mxgateway.values import to_mx_value
from zb_mom_ww_mxgateway_contracts.google_protobuf import Timestamp
from zb_mom_ww_mxgateway_contracts.mxaccess_gateway_v1 import (
    ActiveAlarmSnapshot,
    AlarmConditionState,
    AlarmFeedMessage,
    AlarmProviderMode,
    AlarmProviderStatus,
    AlarmTransitionKind,
    OnAlarmTransitionEvent,
)

from .galaxy import Attribute, Galaxy, Point
from .values import Scalar

#: A full reference is ``provider!group.name`` (D), so one of the default galaxy is
#: ``Galaxy!TestArea.TestMachine_001.TestAlarm001``.
PROVIDER: Final = "Galaxy"
GROUP: Final = "TestArea"
#: What alarm managers call an alarm on a boolean.
TYPE_NAME: Final = "DSC"
CATEGORY: Final = "Discrete"

#: Transitions that wait for a reader of the feed.
QUEUE_LIMIT: Final = 10_000

#: What those who follow alarms are told.
News: TypeAlias = OnAlarmTransitionEvent | AlarmProviderStatus


class _Observer:
    """Watches a whole attribute."""

    def __init__(self, act: Callable[[], None]) -> None:
        self.index: int | None = None
        self._act = act

    def changed(self) -> None:
        """Act on the new value."""
        self._act()


class Alarm:
    """One alarm: a boolean attribute, its sub-attributes, and what was told of it last."""

    def __init__(
        self, galaxy: Galaxy, condition: Attribute, tell: Callable[[OnAlarmTransitionEvent], None]
    ) -> None:
        self.name = condition.name
        self.source = condition.name.partition(".")[0]
        self.reference = f"{PROVIDER}!{GROUP}.{condition.name}"
        #: D: made from the reference, as no message of the contract tells it.
        self.guid = uuid5(NAMESPACE_OID, self.reference)
        self._galaxy = galaxy
        self._tell = tell
        self._last = OnAlarmTransitionEvent()
        self._condition = condition
        self._in_alarm = self._sub_attribute("InAlarm")
        self._acked = self._sub_attribute("Acked")
        self._priority = self._sub_attribute("Priority")
        self._ack_msg = self._sub_attribute("AckMsg")
        self._watched = (
            (Point(condition), _Observer(self._follow_condition)),
            (Point(self._ack_msg), _Observer(self._follow_ack_msg)),
        )
        for point, observer in self._watched:
            galaxy.watch(point, observer)

    def _sub_attribute(self, name: str) -> Attribute:
        point = self._galaxy.resolve(self._galaxy.normalize(f"{self.name}.{name}"))
        assert point is not None  # deployed with every alarm
        return point.attribute

    @property
    def active(self) -> bool:
        """Whether the alarm is active, acknowledged or not."""
        return self._in_alarm.value is True

    def snapshot(self) -> ActiveAlarmSnapshot:
        """The alarm as its last transition left it."""
        last = self._last
        acked = self._acked.value is True
        return ActiveAlarmSnapshot(
            alarm_full_reference=last.alarm_full_reference,
            source_object_reference=last.source_object_reference,
            alarm_type_name=last.alarm_type_name,
            state=AlarmConditionState.ACTIVE_ACKED if acked else AlarmConditionState.ACTIVE,
            severity=last.severity,
            original_raise_timestamp=last.original_raise_timestamp,
            last_transition_timestamp=last.transition_timestamp,
            operator_user=last.operator_user,
            operator_comment=last.operator_comment,
            category=last.category,
            description=last.description,
            current_value=last.current_value,
            degraded=last.degraded,
            source_provider=last.source_provider,
        )

    def acknowledge(self, comment: str, operator: str) -> None:
        """Acknowledge; harmless where there is nothing to acknowledge (D)."""
        if self._acked.value is True:
            return
        self._set(self._acked, True)
        if self._ack_msg.value != comment:
            self._set(self._ack_msg, comment)
        self._pass(AlarmTransitionKind.ACKNOWLEDGE, operator, comment)

    def retire(self) -> None:
        """Clear, and go by the attributes no more."""
        self._set(self._condition, False)
        for point, observer in self._watched:
            self._galaxy.unwatch(point, observer)

    def _follow_condition(self) -> None:
        raised = self._condition.value is True
        if raised == self.active:
            return
        self._set(self._in_alarm, raised)
        if not raised:
            last = self._last
            self._pass(AlarmTransitionKind.CLEAR, last.operator_user, last.operator_comment)
        elif self._acked.value is True:
            self._set(self._acked, False)
            self._pass(AlarmTransitionKind.RAISE)
        else:
            self._pass(AlarmTransitionKind.RETRIGGER)

    def _follow_ack_msg(self) -> None:
        # D: who wrote is not known here, so the operator is empty.
        self.acknowledge(str(self._ack_msg.value), "")

    def _set(self, attribute: Attribute, value: Scalar) -> None:
        self._galaxy.write(Point(attribute), value, Timestamp.now())

    def _pass(self, kind: AlarmTransitionKind, operator: str = "", comment: str = "") -> None:
        now = Timestamp.now()
        raised = now if kind is AlarmTransitionKind.RAISE else self._last.original_raise_timestamp
        severity = self._priority.value
        self._last = OnAlarmTransitionEvent(
            alarm_full_reference=self.reference,
            source_object_reference=self.source,
            alarm_type_name=TYPE_NAME,
            transition_kind=kind,
            severity=severity if isinstance(severity, int) else 0,
            original_raise_timestamp=raised,
            transition_timestamp=now,
            operator_user=operator,
            operator_comment=comment,
            category=CATEGORY,
            description=f"{self.name} is true",
            current_value=to_mx_value(self._condition.value),
        )
        self._tell(self._last)


class Subscription:
    """Tells of alarms whose full reference starts with one of ``prefixes``, and of the provider."""

    def __init__(
        self, alarms: Alarms, prefixes: tuple[str, ...], tell: Callable[[News], None]
    ) -> None:
        self._alarms = alarms
        self._prefixes = tuple(prefix.casefold() for prefix in prefixes)
        self._tell = tell

    def hear(self, news: News) -> None:
        """Pass on what is wanted."""
        if isinstance(news, AlarmProviderStatus) or (
            news.alarm_full_reference.casefold().startswith(self._prefixes)
        ):
            self._tell(news)

    def stop(self) -> None:
        """Tell no more."""
        self._alarms.drop(self)


class Alarms:
    """Every alarm of a galaxy, and everybody who follows them. Prefixes match in any case (D)."""

    def __init__(self, galaxy: Galaxy) -> None:
        self._subscriptions: dict[Subscription, None] = {}
        self._ended: GRPCError | None = None
        self._feeds: set[Feed] = set()
        self._provider = AlarmProviderStatus(mode=AlarmProviderMode.ALARMMGR, since=Timestamp.now())
        self._galaxy = galaxy
        self._alarms: dict[Attribute, Alarm] = {}
        self.deployed()

    def deployed(self) -> None:
        """Go by the attributes that are deployed now; alarms that are gone are cleared."""
        conditions = [it for it in self._galaxy.attributes() if it.is_alarm]
        present = set(conditions)
        for gone in [condition for condition in self._alarms if condition not in present]:
            self._alarms.pop(gone).retire()
        self._alarms = {
            condition: self._alarms.get(condition) or Alarm(self._galaxy, condition, self._pass)
            for condition in conditions
        }

    @property
    def provider(self) -> AlarmProviderStatus:
        """Where alarms come from now."""
        return self._provider

    def switch_provider(self, mode: AlarmProviderMode, reason: str) -> None:
        """Let alarms come from another source; without a change nobody is told."""
        if mode is not self._provider.mode:
            self._provider = AlarmProviderStatus(
                mode=mode,
                degraded=mode is not AlarmProviderMode.ALARMMGR,
                reason=reason,
                since=Timestamp.now(),
            )
            self._tell(self._provider)

    def active(self, prefix: str) -> Iterator[ActiveAlarmSnapshot]:
        """The active alarms, in the order of deployment."""
        folded = prefix.casefold()
        for alarm in self._alarms.values():
            if alarm.active and alarm.reference.casefold().startswith(folded):
                yield alarm.snapshot()

    def by_reference(self, reference: str) -> Alarm | None:
        """The alarm with that full reference."""
        return self._one(lambda alarm: alarm.reference.casefold() == reference.casefold())

    def by_guid(self, guid: UUID) -> Alarm | None:
        """The alarm with that GUID."""
        return self._one(lambda alarm: alarm.guid == guid)

    def by_name(self, name: str, provider: str, group: str) -> Alarm | None:
        """The alarm of that name; an empty provider or group means any (D)."""
        if provider.casefold() not in ("", PROVIDER.casefold()):
            return None
        if group.casefold() not in ("", GROUP.casefold()):
            return None
        return self._one(lambda alarm: alarm.name.casefold() == name.casefold())

    def _one(self, wanted: Callable[[Alarm], bool]) -> Alarm | None:
        return next(filter(wanted, self._alarms.values()), None)

    def subscribe(self, prefixes: tuple[str, ...], tell: Callable[[News], None]) -> Subscription:
        """Tell of every change from now on, until the subscription stops."""
        made = Subscription(self, prefixes, tell)
        self._subscriptions[made] = None
        return made

    def drop(self, subscription: Subscription) -> None:
        """Forget a subscription."""
        self._subscriptions.pop(subscription, None)

    def follow(self, prefix: str) -> Feed:
        """A new reader: what is active now, and then every change."""
        if self._ended is not None:
            raise self._ended
        feed = Feed(self, prefix)
        self._feeds.add(feed)
        return feed

    def leave(self, feed: Feed) -> None:
        """Forget a reader."""
        self._feeds.discard(feed)

    def end(self, failure: GRPCError) -> None:
        """End every feed with ``failure``, and take no new ones."""
        self._ended = failure
        for feed in self._feeds:
            feed.end(failure)

    def _pass(self, transition: OnAlarmTransitionEvent) -> None:
        transition.degraded = self._provider.degraded
        transition.source_provider = self._provider.mode
        self._tell(transition)

    def _tell(self, news: News) -> None:
        for subscription in list(self._subscriptions):
            subscription.hear(news)


class Feed:
    """One reader of the feed, with a queue of its own; a context manager that leaves."""

    def __init__(self, alarms: Alarms, prefix: str) -> None:
        self._alarms = alarms
        self._queue = deque(
            chain(
                [AlarmFeedMessage(provider_status=alarms.provider)],
                (AlarmFeedMessage(active_alarm=alarm) for alarm in alarms.active(prefix)),
                [AlarmFeedMessage(snapshot_complete=True)],
            )
        )
        self._limit = len(self._queue) + QUEUE_LIMIT
        self._failure: GRPCError | None = None
        self._wake = asyncio.Event()
        self._waiting = False
        self._subscription = alarms.subscribe((prefix,), self._hear)

    def __enter__(self) -> Feed:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._subscription.stop()
        self._alarms.leave(self)

    def _hear(self, news: News) -> None:
        if isinstance(news, AlarmProviderStatus):
            self._queue.append(AlarmFeedMessage(provider_status=news))
        else:
            self._queue.append(AlarmFeedMessage(transition=news))
        self._wake.set()
        # A reader that waits for news is not slow: it just had no turn since they came.
        if len(self._queue) > self._limit and not self._waiting:
            self.end(
                GRPCError(
                    Status.RESOURCE_EXHAUSTED,
                    f"AlarmQueueOverflow: more than {QUEUE_LIMIT} changes of alarms wait for this "
                    "reader; read faster, and begin again with a new snapshot",
                )
            )

    def end(self, failure: GRPCError) -> None:
        """Drop what is queued and end with ``failure``; nothing is dropped from the middle."""
        self._failure = failure
        self._queue.clear()
        self._subscription.stop()
        self._wake.set()

    async def next(self) -> AlarmFeedMessage:
        """The next message, as soon as there is one.

        Raises:
            GRPCError: The reader was too slow, or the gateway shuts down.
        """
        self._waiting = True
        try:
            while not self._queue:
                if self._failure is not None:
                    raise self._failure
                self._wake.clear()
                await self._wake.wait()
            return self._queue.popleft()
        finally:
            self._waiting = False
