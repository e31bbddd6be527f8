"""What a galaxy consists of: objects, attributes, alarms, users. Nothing moves in here."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Final, TypeAlias

from zb_mom_ww_mxgateway.galaxy import ObjectCategory, SecurityClassification
from zb_mom_ww_mxgateway_contracts.google_protobuf import Timestamp
from zb_mom_ww_mxgateway_contracts.mxaccess_gateway_v1 import MxDataType

from .signals import Signal

#: One element; a float for FLOAT, DOUBLE and, in seconds, ELAPSED_TIME.
Scalar: TypeAlias = bool | int | float | str | Timestamp
#: What an attribute holds.
Value: TypeAlias = Scalar | list[Scalar]

#: The provider of alarms, the first part of their references, unless a galaxy has a name.
DEFAULT_NAME: Final = "Galaxy"
_NUMBER_AT_THE_END: Final = re.compile(r"[0-9]+\Z")

#: The severity of an alarm until somebody writes another; 1 is the most urgent, 999 the least.
DEFAULT_PRIORITY: Final = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Threshold:
    """An alarm condition that follows a number of the same object.

    The condition becomes true when ``attribute`` is above (or below) the limit, and false once the
    number is back by ``deadband``.
    """

    attribute: str
    above: float | None = None
    below: float | None = None
    deadband: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class AlarmDefinition:
    """What makes a boolean attribute the condition of an alarm, and how people see that."""

    priority: int = DEFAULT_PRIORITY
    description: str = ""
    category: str = "Discrete"
    #: None where only writes and the attribute's own signal change the condition.
    threshold: Threshold | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AttributeDefinition:
    """One attribute as it is deployed.

    Args:
        name: Its name within the object; may contain dots.
        data_type: The type of its value, of its elements for an array.
        value: What it holds at first; a list for an array.
        security: What a write to it needs.
        signal: What moves it; None for what only writes change.
        alarm: Present on the condition of an alarm, which has four sub-attributes then.
        is_historized: Whether its values are kept.
        is_pattern: Whether ``{n}`` in ``value``, a text, stands for the number at the end of the
            object's tag name; see ``value_of``.
    """

    name: str
    data_type: MxDataType
    value: Value
    security: SecurityClassification = SecurityClassification.OPERATE
    signal: Signal | None = None
    alarm: AlarmDefinition | None = None
    is_historized: bool = False
    is_pattern: bool = False

    @property
    def is_array(self) -> bool:
        """Whether it holds a list."""
        return isinstance(self.value, list)

    @property
    def is_driven(self) -> bool:
        """Whether it is an alarm that comes without a write: by a number, a signal, or because it
        is true from the start.
        """
        if self.alarm is None:
            return False
        return self.alarm.threshold is not None or self.signal is not None or self.value is True

    def value_of(self, tag_name: str) -> Value:
        """What it holds at first in the object of that name.

        >>> code.value, code.is_pattern
        ('M{n:03}', True)
        >>> code.value_of("TestMachine_007")
        'M007'
        """
        if not self.is_pattern or not isinstance(self.value, str):
            return self.value
        number = _NUMBER_AT_THE_END.search(tag_name)
        return self.value.format(n=int(number[0]) if number else 0)


class AttributeSet:
    """The attributes that all objects of one kind have; shared, so that many objects cost little.

    Each alarm condition is followed by its sub-attributes: nothing waits for acknowledgement.
    """

    def __init__(self, attributes: Iterable[AttributeDefinition] = ()) -> None:
        #: In the order in which objects list them.
        self.attributes: tuple[AttributeDefinition, ...] = tuple(_with_alarms(attributes))
        self._by_name = {attribute.name.casefold(): attribute for attribute in self.attributes}
        self.has_alarm = any(attribute.alarm for attribute in self.attributes)
        self.has_history = any(attribute.is_historized for attribute in self.attributes)
        #: Whether an alarm in it comes without a write, so that it must be followed.
        self.has_driven_alarm = any(attribute.is_driven for attribute in self.attributes)

    def find(self, name: str) -> AttributeDefinition | None:
        """The attribute of that name, in any case."""
        return self._by_name.get(name.casefold())


def _with_alarms(attributes: Iterable[AttributeDefinition]) -> Iterator[AttributeDefinition]:
    view_only = SecurityClassification.VIEW_ONLY
    for attribute in attributes:
        yield attribute
        if attribute.alarm is not None:
            name, priority = attribute.name, attribute.alarm.priority
            boolean, integer, text = MxDataType.BOOLEAN, MxDataType.INTEGER, MxDataType.STRING
            yield AttributeDefinition(
                name=f"{name}.InAlarm", data_type=boolean, value=False, security=view_only
            )
            yield AttributeDefinition(
                name=f"{name}.Acked", data_type=boolean, value=True, security=view_only
            )
            yield AttributeDefinition(name=f"{name}.Priority", data_type=integer, value=priority)
            yield AttributeDefinition(name=f"{name}.AckMsg", data_type=text, value="")


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectDefinition:
    """One deployed object.

    Args:
        tag_name: Its unique name, with which references start; has no dot.
        category: The native number of its category, see ``ObjectCategory``.
        template_chain: The templates from which it is derived, the nearest first.
        attributes: Its attributes; the same set for all objects of a kind.
        parent: The tag name of the area or object that it stands in; empty for a root.
        host: The tag name of what hosts it at run time; empty where nothing does.
        contained_name: Its name within ``parent`` where it is contained there.
        else_parent: What it stands in, without a contained name, where there is no ``parent``: a
            machine may be missing. Empty where ``parent`` is always there.
    """

    tag_name: str
    category: int = ObjectCategory.USER_DEFINED
    template_chain: tuple[str, ...] = ()
    attributes: AttributeSet
    parent: str = ""
    host: str = ""
    contained_name: str = ""
    else_parent: str = ""

    @property
    def is_area(self) -> bool:
        """Whether it is an area."""
        return self.category == ObjectCategory.AREA

    @property
    def browse_name(self) -> str:
        """The name to show in a tree."""
        return self.contained_name or self.tag_name


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectSeries:
    """Objects that differ in their number alone: ``{n}`` in the names of ``pattern``, from 1 on.

    ``{n:03}`` fills with zeros to three digits.
    """

    pattern: ObjectDefinition
    #: How many; None for as many machines as the gateway is asked for.
    count: int | None

    def objects(self, machines: int) -> Iterator[ObjectDefinition]:
        """The objects, where there are ``machines`` machines."""
        pattern = self.pattern
        for n in range(1, (machines if self.count is None else self.count) + 1):
            yield ObjectDefinition(
                tag_name=pattern.tag_name.format(n=n),
                category=pattern.category,
                template_chain=pattern.template_chain,
                attributes=pattern.attributes,
                parent=pattern.parent.format(n=n),
                host=pattern.host.format(n=n),
                contained_name=pattern.contained_name.format(n=n),
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class UserDefinition:
    """A user of a secured galaxy. The password is for play; no text shows it.

    Args:
        name: What AuthenticateUser is called with, in any case; may be ``DOMAIN\\\\name``.
        password: What goes with it.
        user_id: The positive id that MXAccess gives.
        guid: The GUID for ArchestrAUserToId.
    """

    name: str
    password: str = field(repr=False)
    user_id: int
    guid: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AlarmStep:
    """One step of the alarm script: ``at`` seconds after the start, set or acknowledge an alarm."""

    at: float
    #: ``tag_name.Attribute`` of the condition.
    alarm: str
    #: The condition's new value; None leaves it.
    active: bool | None = None
    #: The comment of an acknowledgement; None for none.
    acknowledge: str | None = None
    operator: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class GalaxyDefinition:
    """A whole galaxy.

    Args:
        name: The provider in references of alarms.
        is_secured: Whether users must log in; in an open galaxy every credential is user 1.
        entries: Objects and series of objects; each after its parent, but perhaps before its host:
            an area is hosted by an engine that stands in it.
        users: Who may log in.
        alarm_script: What happens to alarms by itself, by ``at``.
        script_period: Seconds after which the script begins anew; None plays it once.
    """

    entries: tuple[ObjectDefinition | ObjectSeries, ...]
    name: str = DEFAULT_NAME
    is_secured: bool = False
    users: tuple[UserDefinition, ...] = ()
    alarm_script: tuple[AlarmStep, ...] = ()
    script_period: float | None = None

    def objects(self, machines: int) -> Iterator[ObjectDefinition]:
        """All objects, in the order of the definition, with so many machines.

        Every ``parent`` is there and ``else_parent`` is empty.
        """
        single = [entry for entry in self.entries if isinstance(entry, ObjectDefinition)]
        awaited = {entry.parent.casefold() for entry in single if entry.else_parent}
        for placed in self._entered(machines):
            tag_name = placed.tag_name.casefold()
            if placed.else_parent:
                missing = placed.parent.casefold() in awaited
                parent = placed.else_parent if missing else placed.parent
                name = "" if missing else placed.contained_name
                placed = replace(placed, parent=parent, contained_name=name, else_parent="")
            awaited.discard(tag_name)
            yield placed

    def _entered(self, machines: int) -> Iterator[ObjectDefinition]:
        for entry in self.entries:
            if isinstance(entry, ObjectSeries):
                yield from entry.objects(machines)
            else:
                yield entry


#: Data types that attributes can have, with their native numbers and names.
DATA_TYPES: Final[Mapping[MxDataType, tuple[int, str]]] = {
    MxDataType.BOOLEAN: (1, "Boolean"),
    MxDataType.INTEGER: (2, "Integer"),
    MxDataType.FLOAT: (3, "Float"),
    MxDataType.DOUBLE: (4, "Double"),
    MxDataType.STRING: (5, "String"),
    MxDataType.TIME: (6, "Time"),
    MxDataType.ELAPSED_TIME: (7, "ElapsedTime"),
    MxDataType.REFERENCE: (8, "ReferenceType"),
    MxDataType.QUALIFIED_ENUM: (13, "CustomEnum"),
    MxDataType.INTERNATIONALIZED_STRING: (15, "InternationalizedString"),
    MxDataType.BIG_STRING: (16, "BigString"),
}
