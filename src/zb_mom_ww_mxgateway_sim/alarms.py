"""Every alarm of a galaxy: how they come to life, and are found, acknowledged and followed.

What happens to one alarm is in alarm_state.py. An alarm takes memory once its condition has moved;
most alarms of a large galaxy never do.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from functools import partial
from uuid import NAMESPACE_OID, UUID, uuid5

from grpclib.exceptions import GRPCError

from zb_mom_ww_mxgateway_contracts.mxaccess_gateway_v1 import (
    ActiveAlarmSnapshot,
    AlarmProviderMode,
    OnAlarmTransitionEvent,
)

from .alarm_feed import Feed, Followers, News, Selection, Subscription, snapshot
from .alarm_script import Limit, Script
from .alarm_state import Alarm, alarm_at, reference_of
from .auth.access import Access
from .galaxy.definition import AlarmStep, GalaxyDefinition
from .galaxy.live import Attribute, Galaxy, breathe
from .galaxy.store import Condition
from .operations.log import log_event


def guid_of(reference: str) -> UUID:
    """The GUID of an alarm. D: made from its reference, as no message of the contract tells it."""
    return uuid5(NAMESPACE_OID, reference)


class Alarms:
    """Every alarm of a galaxy, and everybody who follows them.

    Args:
        galaxy: Where they are; nothing in it is touched before ``start``.
        definition: What is deployed, with the script and the name of the provider.
    """

    def __init__(self, galaxy: Galaxy, definition: GalaxyDefinition) -> None:
        self._galaxy = galaxy
        self._definition = definition
        self._followers = Followers(galaxy, galaxy.clock)
        #: Those that came to life, by the casefolded names of their conditions.
        self._living: dict[str, Alarm] = {}
        #: Those that are active, in the order in which they became so.
        self._active: dict[Alarm, None] = {}
        self._limits: dict[str, Limit] = {}
        self._script: Script | None = None
        self._is_running = False
        galaxy.on_first_write = self._written

    @property
    def active_count(self) -> int:
        """How many alarms are active."""
        return len(self._active)

    @property
    def living_count(self) -> int:
        """How many alarms take memory: those that move by themselves, and those that ever moved."""
        return len(self._living)

    @property
    def follower_count(self) -> int:
        """How many readers of the feed, and sessions, follow alarms."""
        return len(self._followers)

    # --- what brings them about ------------------------------------------------------------------

    def start(self) -> None:
        """Let alarms come and go by themselves, and begin the script; needs a running loop."""
        self._is_running = True
        self._drive()
        self._play()

    def deployed(self, definition: GalaxyDefinition) -> None:
        """Go by what is deployed now, once the galaxy does.

        Alarms of objects that are gone are cleared, those that stay keep their state. A script that
        is another one than before begins anew.
        """
        before, self._definition = self._definition, definition
        for key, alarm in list(self._living.items()):
            if not alarm.deployed(definition.name):
                del self._living[key]
        for attribute in self._galaxy.written:  # perhaps before it was a condition
            if alarm_at(attribute) is not None:
                self._live(attribute).changed()
        if self._is_running:
            self._drive()
            if (definition.alarm_script, definition.script_period) != (
                before.alarm_script,
                before.script_period,
            ):
                self._play()

    def end(self, failure: GRPCError) -> None:
        """End every feed with ``failure``, take no new ones, and stop what moves by itself."""
        self._is_running = False
        if self._script is not None:
            self._script.stop()
        self._followers.end(failure)

    def _written(self, attribute: Attribute) -> None:
        """A condition that somebody writes to for the first time comes to life."""
        if alarm_at(attribute) is not None:
            self._live(attribute)

    def _live(self, condition: Attribute) -> Alarm:
        key = condition.name.casefold()
        alarm = self._living.get(key)
        if alarm is None:
            alarm = Alarm(self._galaxy, self._definition.name, condition, self._tell)
            self._living[key] = alarm
        return alarm

    def _drive(self) -> None:
        """Watch what moves conditions; what was watched before goes on undisturbed."""
        before, self._limits = self._limits, {}
        for owner, condition in self._galaxy.store.driven_alarms():
            name = f"{owner.tag_name}.{condition.name}"
            threshold = condition.alarm.threshold if condition.alarm is not None else None
            if condition.signal is not None or condition.value is True:
                self._live(self._galaxy.resolve(name).attribute).changed()
            if threshold is not None:
                key = name.casefold()
                limit = before.get(key)
                if limit is None or limit.threshold != threshold:
                    limit = Limit(self._galaxy, name, threshold, partial(self._is_true, key))
                    limit.changed()
                self._limits[key] = limit
        for key, limit in before.items():
            if self._limits.get(key) is not limit:
                limit.stop()

    def _is_true(self, key: str) -> bool:
        alarm = self._living.get(key)
        return alarm is not None and alarm.is_true

    def _play(self) -> None:
        if self._script is not None:
            self._script.stop()
        definition, clock = self._definition, self._galaxy.clock
        self._script = Script(clock, definition.alarm_script, definition.script_period, self._step)

    def _step(self, step: AlarmStep) -> None:
        found = self._named(step.alarm)
        if found is None:
            log_event("alarm.skipped", logging.WARNING, tag=step.alarm, reason="it is not deployed")
            return
        if step.active is not None:
            point = self._galaxy.resolve(step.alarm)
            self._galaxy.write(point, step.active, self._galaxy.clock.now())
        if step.acknowledge is not None:
            self._acknowledge(found, step.acknowledge, step.operator)

    def _tell(self, alarm: Alarm) -> None:
        if alarm.active:
            self._active[alarm] = None
        else:
            self._active.pop(alarm, None)
        self._followers.tell(alarm.last)

    # --- finding and acknowledging ---------------------------------------------------------------

    def by_reference(self, reference: str) -> Condition | None:
        """The alarm with that full reference, in any case (D)."""
        provider, _, rest = reference.partition("!")
        group, _, name = rest.partition(".")
        return self.by_name(name, provider, group) if provider and name else None

    def by_name(self, name: str, provider: str, group: str | None) -> Condition | None:
        """The alarm of that name, in any case; an empty provider and no group mean any (D)."""
        if provider.casefold() not in ("", self._definition.name.casefold()):
            return None
        found = self._named(name)
        if found is None or group is None or group.casefold() == found[0].area.casefold():
            return found
        return None

    def _named(self, name: str) -> Condition | None:
        found = self._galaxy.store.attribute(name)
        return found if found is not None and found[1].alarm is not None else None

    async def by_guid(self, guid: UUID) -> Condition | None:
        """The alarm with that GUID. Those that ever moved are found soon; all others are looked
        through, with pauses for whoever else has something to do.
        """
        for number, alarm in enumerate(list(self._living.values()), 1):
            if guid_of(alarm.reference) == guid:
                return self._named(alarm.name)
            await breathe(number)
        for number, found in enumerate(self._galaxy.store.alarms(), 1):
            if guid_of(reference_of(self._definition.name, found)) == guid:
                return found
            await breathe(number)
        return None

    def acknowledge(
        self, found: Condition | None, access: Access, comment: str, operator: str
    ) -> bool:
        """Acknowledge an alarm for a key; harmless where there is nothing to acknowledge (D).

        Args:
            found: What was asked for; None if nothing was found.
            access: The subtrees that the key may read and write.
            comment: The operator's comment; may be empty.
            operator: On whose behalf.

        Returns:
            Whether there is such an alarm, as far as this key can know.

        Raises:
            AccessDenied: The key may see the alarm, but not acknowledge it.
        """
        if found is None:
            return False
        name = f"{found[0].tag_name}.{found[1].name}"
        if not access.may_read(self._galaxy, name):
            return False
        access.require_write(self._galaxy, name)
        self._acknowledge(found, comment, operator)
        return True

    def _acknowledge(self, found: Condition, comment: str, operator: str) -> None:
        alarm = self._living.get(f"{found[0].tag_name}.{found[1].name}".casefold())
        if alarm is not None:  # else it is acknowledged, as all are at first
            alarm.acknowledge(comment, operator)

    # --- following -------------------------------------------------------------------------------

    def active(self, prefix: str, access: Access) -> list[ActiveAlarmSnapshot]:
        """The active alarms whose reference starts with ``prefix`` and which a key may read, in the
        order in which they were raised (D).
        """
        selection = Selection.of(prefix, access=access)
        return [snapshot(last) for last in self._followers.selected(selection, self._lasts())]

    def _lasts(self) -> Iterator[OnAlarmTransitionEvent]:
        return (alarm.last for alarm in self._active)

    def follow(self, prefix: str, access: Access) -> Feed:
        """A new reader of the feed: what is active now, and then every change.

        Raises:
            GRPCError: The gateway shuts down.
        """
        return self._followers.follow(Selection.of(prefix, access=access), self._lasts())

    def subscribe(self, selection: Selection, tell: Callable[[News], None]) -> Subscription:
        """Tell of every change from now on, until the subscription stops."""
        known = self._followers.selected(selection, self._lasts())
        return self._followers.subscribe(selection, known, tell)

    def switch_provider(self, mode: AlarmProviderMode, reason: str) -> None:
        """Let alarms come from another source; without a change nobody is told."""
        self._followers.switch_provider(mode, reason)
