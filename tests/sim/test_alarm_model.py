"""Alarms against a model: whatever is written, acknowledged and deployed, in any order."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from tests.sim.plant import ACKNOWLEDGE, CLEAR, RAISE, RETRIGGER, BadQuality, Works
from zb_mom_ww_mxgateway_contracts.mxaccess_gateway_v1 import (
    AlarmConditionState,
    AlarmTransitionKind,
    OnAlarmTransitionEvent,
)
from zb_mom_ww_mxgateway_sim.auth.access import EVERYTHING

MOST_MACHINES = 3
ALARMS = [(machine, n) for machine in range(1, MOST_MACHINES + 1) for n in (1, 3)]
#: A machine and the number of its alarm.
Key: TypeAlias = tuple[int, int]
#: What is told: which alarm, what happened, the severity, the operator and the comment.
Told: TypeAlias = tuple[str, AlarmTransitionKind, int, str, str]


def name_of(key: Key) -> str:
    return f"TestMachine_{key[0]:03}.TestAlarm{key[1]:03}"


def reference_of(key: Key) -> str:
    return f"Galaxy!TestArea.{name_of(key)}"


@dataclass
class Modelled:
    """What one alarm should be."""

    condition: bool = False
    acked: bool = True
    priority: int = 500
    message: str = ""
    #: Who acknowledged it, and how, since it was raised.
    operator: str = ""
    comment: str = ""
    #: The severity that the last transition told.
    severity: int = 0


@dataclass
class Model:
    """What all alarms should be, and what should be told next."""

    machines: int = 2
    alarms: dict[Key, Modelled] = field(default_factory=lambda: {key: Modelled() for key in ALARMS})
    told: list[Told] = field(default_factory=list[Told])

    def write(self, key: Key, value: bool) -> None:
        it = self.alarms[key]
        if value == it.condition:
            return
        it.condition = value
        if not value:
            self._tell(key, CLEAR)
        elif it.acked:
            it.acked, it.operator, it.comment = False, "", ""
            self._tell(key, RAISE)
        else:
            self._tell(key, RETRIGGER)

    def acknowledge(self, key: Key, comment: str, operator: str) -> None:
        it = self.alarms[key]
        if not it.acked:
            it.acked, it.message, it.comment, it.operator = True, comment, comment, operator
            self._tell(key, ACKNOWLEDGE)

    def deploy(self, machines: int) -> None:
        for key, it in self.alarms.items():
            if key[0] > machines:
                if it.condition:
                    self._tell(key, CLEAR)
                self.alarms[key] = Modelled()
        self.machines = machines

    def _tell(self, key: Key, kind: AlarmTransitionKind) -> None:
        it = self.alarms[key]
        it.severity = it.priority
        self.told.append((reference_of(key), kind, it.priority, it.operator, it.comment))


def told_of(it: OnAlarmTransitionEvent) -> Told:
    about = (it.alarm_full_reference, it.transition_kind)
    return (*about, it.severity, it.operator_user, it.operator_comment)


keys = st.sampled_from(ALARMS)
texts = st.sampled_from(["", "seen", "on it"])


class AlarmMachine(RuleBasedStateMachine):
    """Transitions RAISE, ACKNOWLEDGE, CLEAR, RETRIGGER; condition states ACTIVE, ACTIVE_ACKED; a
    cleared alarm leaves the snapshot; ``.InAlarm``, ``.Acked``, ``.Priority``, ``.AckMsg`` (writing
    it acknowledges).
    """

    def __init__(self) -> None:
        super().__init__()
        self.model = Model()
        self.works = Works(machines=self.model.machines)
        self.works.alarms.start()

    @rule(key=keys, value=st.booleans())
    def a_condition_is_written(self, key: Key, value: bool) -> None:
        if key[0] <= self.model.machines:
            self.works.write(name_of(key), value)
            self.model.write(key, value)

    @rule(key=keys, comment=texts, operator=st.sampled_from(["joe", "ann"]))
    def somebody_acknowledges(self, key: Key, comment: str, operator: str) -> None:
        is_deployed = key[0] <= self.model.machines
        assert self.works.acknowledge(reference_of(key), comment, operator) is is_deployed
        if is_deployed:
            self.model.acknowledge(key, comment, operator)

    @rule(key=keys, comment=texts)
    def ack_msg_is_written(self, key: Key, comment: str) -> None:
        if key[0] <= self.model.machines:
            self.works.write(f"{name_of(key)}.AckMsg", comment)
            self.model.acknowledge(key, comment, "")
            self.model.alarms[key].message = comment

    @rule(key=keys, priority=st.integers(1, 999))
    def the_priority_is_written(self, key: Key, priority: int) -> None:
        if key[0] <= self.model.machines:
            self.works.write(f"{name_of(key)}.Priority", priority)
            self.model.alarms[key].priority = priority

    @rule(machines=st.integers(0, MOST_MACHINES))
    def the_galaxy_is_deployed_anew(self, machines: int) -> None:
        self.told_the_same()
        self.works.deploy(machines=machines)
        self.model.deploy(machines)
        # Alarms that go together are told of in any order.
        told = sorted(map(told_of, self.works.news()))
        assert told == sorted(self.model.told)
        self.model.told.clear()

    @rule()
    def qualities_turn_bad_for_a_while(self) -> None:
        with self.works.galaxy.overlaid(BadQuality()):
            pass  # whoever watches is told twice, and nothing has happened to an alarm

    @invariant()
    def told_the_same(self) -> None:
        assert list(map(told_of, self.works.news())) == self.model.told
        self.model.told.clear()

    @invariant()
    def the_snapshot_has_what_is_active(self) -> None:
        snapshot = self.works.alarms.active("", EVERYTHING)
        assert {
            it.alarm_full_reference: (it.state, it.severity, it.operator_comment) for it in snapshot
        } == {
            reference_of(key): (
                AlarmConditionState.ACTIVE_ACKED if it.acked else AlarmConditionState.ACTIVE,
                it.severity,
                it.comment,
            )
            for key, it in self.model.alarms.items()
            if it.condition
        }
        assert self.works.alarms.active_count == len(snapshot)

    @invariant()
    def the_sub_attributes_show_the_state(self) -> None:
        for key, it in self.model.alarms.items():
            if key[0] <= self.model.machines:
                name = name_of(key)
                shown = [self.works.read(f"{name}.{part}") for part in ("InAlarm", "Acked")]
                assert shown == [it.condition, it.acked]
                assert self.works.read(f"{name}.Priority") == it.priority
                assert self.works.read(f"{name}.AckMsg") == it.message


TestAlarmMachine = AlarmMachine.TestCase
