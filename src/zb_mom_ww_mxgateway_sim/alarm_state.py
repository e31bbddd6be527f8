"""One alarm: its states, and the transitions between them.

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

So an alarm whose condition never moved is inactive and acknowledged, whatever else is done to it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from zb_mom_ww_mxgateway.values import to_mx_value
from zb_mom_ww_mxgateway_contracts.mxaccess_gateway_v1 import (
    AlarmTransitionKind,
    MxValue,
    OnAlarmTransitionEvent,
)

from .alarm_feed import RAISES
from .alarm_script import crossed_limit
from .galaxy.definition import AlarmDefinition, Scalar
from .galaxy.live import Attribute, Galaxy, Point
from .galaxy.store import Condition

#: What alarm managers call an alarm on a boolean, as each condition is one.
TYPE_NAME: Final = "DSC"


def reference_of(provider: str, found: Condition) -> str:
    """The full reference of an alarm: ``provider!group.name`` (D).

    The group is the area of its object, so one of the default galaxy is
    ``Galaxy!TestArea.TestMachine_001.TestAlarm001``.
    """
    owner, condition = found
    return f"{provider}!{owner.area}.{owner.tag_name}.{condition.name}"


def alarm_at(attribute: Attribute) -> Condition | None:
    """The alarm that an attribute is the condition of; None if there is none."""
    owner, definition = attribute.owner, attribute.definition
    if owner is None or definition is None or definition.alarm is None:
        return None
    return owner, definition


class _AckMsg:
    """Watches what operators write to acknowledge."""

    def __init__(self, act: Callable[[], None]) -> None:
        self.index: int | None = None
        self._act = act

    def changed(self) -> None:
        """Act on the new comment."""
        self._act()


class Alarm:
    """One alarm that has come to life: its state, its sub-attributes, and what was told of it last.

    Args:
        galaxy: Where its attributes are.
        provider: The first part of its reference.
        condition: The boolean attribute that it is an alarm of; deployed.
        tell: Called with the alarm after each transition.
    """

    def __init__(
        self,
        galaxy: Galaxy,
        provider: str,
        condition: Attribute,
        tell: Callable[[Alarm], None],
    ) -> None:
        self.active = False
        self.acknowledged = True
        #: The last transition; empty before the first.
        self.last = OnAlarmTransitionEvent()
        self.reference = ""
        self.index: int | None = None
        self._galaxy = galaxy
        self._tell = tell
        self._definition = AlarmDefinition()
        self._source = ""
        name = condition.name
        self._condition = galaxy.resolve(name)
        self._in_alarm = galaxy.resolve(f"{name}.InAlarm")
        self._acked = galaxy.resolve(f"{name}.Acked")
        self._priority = galaxy.resolve(f"{name}.Priority")
        self._ack_msg = galaxy.resolve(f"{name}.AckMsg")
        self._comments = _AckMsg(self._follow_ack_msg)
        #: The time object of the comment that was looked at last.
        self._commented = self._ack_msg.attribute.timestamp
        self._take(provider, alarm_at(condition))
        galaxy.watch(self._condition, self)
        galaxy.watch(self._ack_msg, self._comments)

    @property
    def name(self) -> str:
        """``tag_name.Attribute`` of its condition."""
        return self._condition.attribute.name

    @property
    def is_true(self) -> bool:
        """Whether its condition is true now."""
        return self._galaxy.value(self._condition.attribute) is True

    def changed(self) -> None:
        """Go by the value that the condition has now."""
        if alarm_at(self._condition.attribute) is None:
            return  # no alarm any more; ``deployed`` is about to be called
        raised = self.is_true
        if raised is self.active:
            return
        if not raised:
            self._clear()
            return
        self.active = True
        self._show(self._in_alarm, True)
        if self.acknowledged:
            self.acknowledged = False
            self._show(self._acked, False)
            self._pass(AlarmTransitionKind.RAISE)
        else:
            self._pass(AlarmTransitionKind.RETRIGGER)

    def _clear(self) -> None:
        self.active = False
        self._show(self._in_alarm, False)
        self._pass(AlarmTransitionKind.CLEAR, self.last.operator_user, self.last.operator_comment)

    def acknowledge(self, comment: str, operator: str) -> None:
        """Acknowledge; harmless where there is nothing to acknowledge (D)."""
        if self.acknowledged:
            return
        self.acknowledged = True
        self._show(self._acked, True)
        self._show(self._ack_msg, comment)
        self._pass(AlarmTransitionKind.ACKNOWLEDGE, operator, comment)

    def deployed(self, provider: str) -> bool:
        """Go by what is deployed now; whether its condition still is.

        D: an alarm with another reference, as one that moved to another area, is another alarm: the
        old one is cleared, and the new one starts like all.
        """
        found = alarm_at(self._condition.attribute)
        if found is None or reference_of(provider, found) != self.reference:
            if self.active:
                self._clear()
            self.acknowledged = True
            self._show(self._acked, True)
        self._take(provider, found)
        if self._condition.attribute.definition is not None:
            self.changed()
            return True
        self._galaxy.unwatch(self._condition, self)
        self._galaxy.unwatch(self._ack_msg, self._comments)
        return False

    def _take(self, provider: str, found: Condition | None) -> None:
        if found is not None and found[1].alarm is not None:
            self.reference = reference_of(provider, found)
            self._source, self._definition = found[0].tag_name, found[1].alarm

    def _follow_ack_msg(self) -> None:
        attribute = self._ack_msg.attribute
        # Watchers hear of new qualities and of deploys too, but only a write brings a new time.
        is_written = attribute.timestamp is not self._commented
        self._commented = attribute.timestamp
        if is_written and attribute.definition is not None:
            # D: who wrote is not known here, so the operator is empty.
            self.acknowledge(str(attribute.value), "")

    def _show(self, point: Point, value: Scalar) -> None:
        """Let a sub-attribute show the state, if it is deployed."""
        attribute = point.attribute
        if attribute.definition is not None and attribute.value != value:
            self._galaxy.write(point, value, self._galaxy.clock.now())

    def _pass(self, kind: AlarmTransitionKind, operator: str = "", comment: str = "") -> None:
        now = self._galaxy.clock.now()
        raised = now if kind is AlarmTransitionKind.RAISE else self.last.original_raise_timestamp
        severity = self._priority.attribute.value
        limit = self._crossed() if kind in RAISES else self.last.limit_value
        self.last = OnAlarmTransitionEvent(
            alarm_full_reference=self.reference,
            source_object_reference=self._source,
            alarm_type_name=TYPE_NAME,
            transition_kind=kind,
            severity=severity if isinstance(severity, int) else 0,
            original_raise_timestamp=raised,
            transition_timestamp=now,
            operator_user=operator,
            operator_comment=comment,
            category=self._definition.category,
            description=self._definition.description or f"{self.name} is true",
            current_value=self._looked_at(),
            limit_value=limit,
        )
        self._tell(self)

    def _looked_at(self) -> MxValue | None:
        """The number that has a limit, or else the condition; None once it is not deployed."""
        number = self._number()
        if number is not None:
            return self._galaxy.read(number).value
        deployed = self._condition.attribute.definition is not None
        return to_mx_value(self.is_true) if deployed else None

    def _crossed(self) -> MxValue | None:
        """The limit beyond which the number is; None where somebody else set the condition."""
        threshold, number = self._definition.threshold, self._number()
        if threshold is None or number is None:
            return None
        value = self._galaxy.value(number.attribute)
        if not isinstance(value, int | float):
            return None
        limit = crossed_limit(threshold, value, before=True)
        return None if limit is None else to_mx_value(limit)

    def _number(self) -> Point | None:
        threshold = self._definition.threshold
        if threshold is None:
            return None
        return self._galaxy.resolve(f"{self._source}.{threshold.attribute}")
