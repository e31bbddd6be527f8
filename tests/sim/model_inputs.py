"""What is given to the gateway and to its model: one galaxy in two forms, references, values."""

from __future__ import annotations

from typing import Any, TypeVar

from hypothesis import strategies as st

from zb_mom_ww_mxgateway.galaxy import SecurityClassification
from zb_mom_ww_mxgateway_contracts.google_protobuf import Timestamp
from zb_mom_ww_mxgateway_contracts.mxaccess_gateway_v1 import MxDataType
from zb_mom_ww_mxgateway_sim.galaxy.definition import (
    AttributeDefinition,
    AttributeSet,
    GalaxyDefinition,
    ObjectDefinition,
    ObjectSeries,
    UserDefinition,
)

from .model_plant import Attribute
from .model_values import MEMBERS, NUMBERS, Many, Scalar, Sent, Single, Sparse

T = TypeVar("T")

DAY = 86_400 * 10**9
ATTRIBUTES = {
    "Flag": Attribute("BOOLEAN", False),
    "Count": Attribute("INTEGER", 7),
    "Ratio": Attribute("FLOAT", 0.5),
    "Amount": Attribute("DOUBLE", 0.1),
    "Text": Attribute("STRING", "as new"),
    "Moment": Attribute("TIME", 20_000 * DAY),
    "Span": Attribute("ELAPSED_TIME", 1.5, "TUNE"),
    "State": Attribute("QUALIFIED_ENUM", 1),
    "Free": Attribute("INTEGER", 0, "FREE_ACCESS"),
    "Viewed": Attribute("INTEGER", 0, "VIEW_ONLY"),
    "Secured": Attribute("BOOLEAN", False, "SECURED_WRITE"),
    "Verified": Attribute("BOOLEAN", False, "VERIFIED_WRITE"),
    "Row": Attribute("INTEGER", (1, 2, 3)),
    "Words": Attribute("STRING", ("a", "b")),
    "Times": Attribute("TIME", (0, DAY), "SECURED_WRITE"),
}
#: name, password, id, GUID
USERS = [
    ("anna", "tea", 11, "11111111-1111-4111-8111-111111111111"),
    ("berta", "milk", 12, "22222222-2222-4222-8222-222222222222"),
]
#: Half of the objects of a galaxy come and go.
OBJECTS = ["Fixed", "Machine_1", "Machine_2"]
MACHINES = [0, 1, 2]


def deployed(machines: int) -> dict[str, Attribute]:
    """The model's galaxy."""
    return {
        f"{tag}.{name}".lower(): attribute
        for tag in OBJECTS[: 1 + machines]
        for name, attribute in ATTRIBUTES.items()
    }


def galaxy(*, is_secured: bool) -> GalaxyDefinition:
    """The simulator's."""

    def held(value: Scalar, data_type: str) -> Any:
        return Timestamp.from_nanoseconds(int(value)) if data_type == "TIME" else value

    def definition(name: str, model: Attribute) -> AttributeDefinition:
        value, of = model.value, model.data_type
        return AttributeDefinition(
            name=name,
            data_type=MxDataType[of],
            value=[held(v, of) for v in value] if isinstance(value, tuple) else held(value, of),
            security=SecurityClassification[model.security],
        )

    every = AttributeSet([definition(name, model) for name, model in ATTRIBUTES.items()])
    machine = ObjectDefinition(tag_name="Machine_{n}", attributes=every)
    return GalaxyDefinition(
        is_secured=is_secured,
        entries=(
            ObjectDefinition(tag_name="Fixed", attributes=every),
            ObjectSeries(pattern=machine, count=None),
        ),
        users=tuple(
            UserDefinition(name=name, password=password, user_id=user_id, guid=guid)
            for name, password, user_id, guid in USERS
        ),
    )


# What is drawn

_TAGS = [*["Fixed"] * 4, *["Machine_1"] * 3, "Machine_2", "Nobody"]
_ARRAYS = [name for name, attribute in ATTRIBUTES.items() if isinstance(attribute.value, tuple)]
_PROTECTED = ["Secured", "Verified", "Free"]
#: Of arrays, and of anything.
_USUAL = ["", "", "[]", "[]", "[1]", "[1]", "[2]", "[4]"]
_ODD = ["[]", "[1]", "[0]", "[x]", "[", "[-1]"]
_whole_numbers = st.integers(-3, 3) | st.sampled_from([2**31 - 1, -(2**31), 2**31, 2**24 + 1])
_members: dict[str, st.SearchStrategy[Scalar]] = {
    "bool_value": st.booleans(),
    "int32_value": st.integers(-3, 3) | st.sampled_from([2**31 - 1, -(2**31), 2**24 + 1]),
    "int64_value": _whole_numbers | st.sampled_from([2**53 + 1, -(2**63), 2**63 - 1]),
    "float_value": st.integers(-3, 3).map(float) | st.floats(width=32),
    "double_value": _whole_numbers.map(float) | st.floats(),
    "string_value": st.text(max_size=3),
    "timestamp_value": st.integers(-DAY, 30_000 * DAY),
}
_singles = st.one_of(
    *(st.builds(Single, st.just(m), values) for m, values in _members.items()),
    st.just(Single("raw_value", b"raw")),
    st.just(Single("", None)),
)


@st.composite
def _many(draw: st.DrawFn, member: str | None = None) -> Many:
    member = member or draw(st.sampled_from(sorted(_members)))
    values = tuple(draw(st.lists(_members[member], max_size=5)))
    fitting = st.sampled_from([(), (len(values),)])
    dimensions = draw(mostly(fitting, st.sampled_from([(2, 2), (3,)])))
    return Many(member, values, dimensions)


@st.composite
def _sparse(draw: st.DrawFn, element_type: str | None = None) -> Sparse:
    element_type = element_type or draw(st.sampled_from([*sorted(MEMBERS), "UNKNOWN"]))
    fitting = _members[MEMBERS.get(element_type, "int32_value")]
    single = st.builds(Single, st.just(MEMBERS.get(element_type, "int32_value")), fitting)
    length = draw(st.integers(0, 4))
    below = st.lists(st.integers(0, length - 1), unique=True) if length else st.just([])
    indexes = draw(mostly(below, st.lists(st.integers(0, length + 1), max_size=3)))
    value = mostly(single, _singles | _many())
    elements = [(index, draw(value)) for index in indexes]
    return Sparse(element_type, length, tuple(elements))


def mostly(usual: st.SearchStrategy[T], odd: st.SearchStrategy[T]) -> st.SearchStrategy[T]:
    """``odd`` once in a while."""
    return st.integers(0, 9).flatmap(lambda number: odd if number == 9 else usual)


def _names(attributes: list[str]) -> st.SearchStrategy[str]:
    tags = st.sampled_from(_TAGS)
    return st.builds(lambda tag, name: f"{tag}.{name}", tags, st.sampled_from(attributes))


#: The attributes that one run works with, few, so that items meet: one array at least.
pools = st.builds(
    lambda *parts: [*parts[:-1], *parts[-1]],
    _names(_ARRAYS),
    _names(_PROTECTED),
    st.lists(_names([*ATTRIBUTES, "Nothing"]), min_size=1, max_size=3),
)


@st.composite
def references(draw: st.DrawFn, pool: list[str]) -> str:
    """``tag_name.Attribute`` of a pool with all that can stand behind it, in any case; or nothing,
    which is refused.
    """
    name = draw(st.sampled_from(pool))
    usual = _USUAL if name.partition(".")[2] in _ARRAYS else [""]
    text = name + draw(mostly(st.sampled_from(usual), st.sampled_from(_ODD)))
    return draw(mostly(st.just(text), st.sampled_from([text.upper(), text.lower(), ""])))


def values(attribute: Attribute | None, *, whole: bool) -> st.SearchStrategy[Sent]:
    """Values to write, of which most fit where ``attribute`` or all of it is written."""
    anything = _singles | _many() | _sparse()
    if attribute is None:
        return anything
    member = MEMBERS[attribute.data_type]
    number = st.sampled_from(sorted(NUMBERS)) if member in NUMBERS else st.just(member)
    if whole:
        return _whole(attribute.data_type, number) | anything
    fitting = number.flatmap(lambda m: st.builds(Single, st.just(m), _members[m]))
    return fitting | fitting | anything


def _whole(data_type: str, members: st.SearchStrategy[str]) -> st.SearchStrategy[Sent]:
    return members.flatmap(_many) | _sparse(data_type)


#: The time to store with a value, which should be a time.
times: st.SearchStrategy[Sent] = st.builds(
    Single, st.just("timestamp_value"), _members["timestamp_value"]
)
maybe_times = mostly(times, _singles)
