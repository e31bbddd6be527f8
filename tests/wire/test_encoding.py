"""What cannot be sent is refused with an EncodeError that names the field and never its value."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, strategies as st

from tests.contracts import fragments
from zb_mom_ww_mxgateway_wire.codec import EncodeError

SCALARS = fragments().module("fragments_scalars")
MAPS = fragments().module("fragments_maps")
ONEOFS = fragments().module("fragments_oneofs")
RECURSION = fragments().module("fragments_recursion")

SECRET = "hunter2"

_S32 = (-(2**31), 2**31 - 1)
_S64 = (-(2**63), 2**63 - 1)
_U32 = (0, 2**32 - 1)
_U64 = (0, 2**64 - 1)
RANGES = {
    "int32": _S32, "sint32": _S32, "sfixed32": _S32, "kind": _S32,
    "int64": _S64, "sint64": _S64, "sfixed64": _S64,
    "uint32": _U32, "fixed32": _U32, "uint64": _U64, "fixed64": _U64,
}  # fmt: skip
EVERY_TYPE = [*RANGES, "bool", "float", "double", "string", "bytes"]
#: How each type sits in a message: the class and what wraps one value.
SHAPES: dict[str, Callable[[Any], Any]] = {
    "Plain": lambda value: value,
    "Optional": lambda value: value,
    "Repeated": lambda value: [value],
    "NotPacked": lambda value: [value],
    "OneOf": lambda value: value,
}


def refusal(message: Any) -> str:
    """The text of the error with which every way of sending refuses ``message``."""
    with pytest.raises(EncodeError) as caught:
        bytes(message)
    for send in (message.SerializeToString, message.to_json):
        with pytest.raises(EncodeError) as other:
            send()
        assert str(other.value) == str(caught.value)
    text = str(caught.value)
    assert SECRET not in text
    return text


def made(shape: str, proto_type: str, value: Any) -> Any:
    return getattr(SCALARS, shape)(**{f"{proto_type}_value": SHAPES[shape](value)})


CASES = [
    (shape, proto_type)
    for shape in SHAPES
    for proto_type in EVERY_TYPE
    if not (shape == "NotPacked" and proto_type in ("string", "bytes"))
]
EACH_CASE = pytest.mark.parametrize(("shape", "proto_type"), CASES)


@EACH_CASE
def test_a_value_of_another_type_is_refused_by_the_fields_name(shape: str, proto_type: str) -> None:
    wrong = 5 if proto_type in ("string", "bytes") else SECRET
    text = refusal(made(shape, proto_type, wrong))
    assert text.startswith(f"{shape}.{proto_type}_value: expected ")
    assert text.endswith(f"got {type(wrong).__name__}")


@EACH_CASE
def test_an_object_of_no_known_type_is_refused_by_the_fields_name(
    shape: str, proto_type: str
) -> None:
    text = refusal(made(shape, proto_type, object()))
    assert text.startswith(f"{shape}.{proto_type}_value: expected ")


@pytest.mark.parametrize("proto_type", EVERY_TYPE)
def test_none_in_a_field_without_presence_is_refused(proto_type: str) -> None:
    text = refusal(made("Plain", proto_type, None))
    assert text.startswith(f"Plain.{proto_type}_value: expected ")


@pytest.mark.parametrize(("shape", "proto_type"), [c for c in CASES if c[1] in RANGES])
def test_a_number_out_of_range_is_refused_and_one_at_its_edge_is_sent(
    shape: str, proto_type: str
) -> None:
    low, high = RANGES[proto_type]
    for edge in (low, high):
        message = made(shape, proto_type, edge)
        sent = getattr(type(message).FromString(bytes(message)), f"{proto_type}_value")
        assert sent == SHAPES[shape](edge)
    for beyond in (low - 1, high + 1, 7 * high):
        text = refusal(made(shape, proto_type, beyond))
        assert text.startswith(f"{shape}.{proto_type}_value: the value is outside ")
    assert str(7 * high) not in text


@pytest.mark.parametrize("shape", SHAPES)
@given(value=st.floats(min_value=3.4028236e38, allow_infinity=False) | st.just(10**400))
def test_a_number_beyond_float_is_refused_and_not_made_infinite(shape: str, value: float) -> None:
    for signed in (value, -value):
        text = refusal(made(shape, "float", signed))
        assert text.startswith(f"{shape}.float_value: the value is outside float")


class _NoFloat:
    def __float__(self) -> float:
        raise LookupError(SECRET)


@pytest.mark.parametrize("proto_type", ["float", "double"])
@pytest.mark.parametrize("value", [_NoFloat(), Decimal("sNaN")])
@pytest.mark.parametrize("shape", ["Optional", "Repeated"])
def test_what_an_object_says_when_asked_for_its_number_is_not_told(
    shape: str, value: object, proto_type: str
) -> None:
    text = refusal(made(shape, proto_type, value))
    assert text == f"{shape}.{proto_type}_value: expected float, got {type(value).__name__}"


def test_an_integer_beyond_double_is_refused() -> None:
    assert refusal(made("Plain", "double", 10**400)).startswith("Plain.double_value: the value")


@pytest.mark.parametrize("shape", ["Plain", "Optional", "Repeated", "OneOf"])
def test_text_with_a_lone_surrogate_is_refused(shape: str) -> None:
    text = refusal(made(shape, "string", f"{SECRET}\ud800"))
    assert text.startswith(f"{shape}.string_value: the text holds a lone surrogate")


@pytest.mark.parametrize("proto_type", EVERY_TYPE)
@pytest.mark.parametrize("shape", ["Repeated", "NotPacked"])
@pytest.mark.parametrize("value", [SECRET, b"hunter2", 5, None, {SECRET: 1}, iter(SECRET)])
def test_a_repeated_field_takes_only_a_list(shape: str, proto_type: str, value: Any) -> None:
    if shape == "NotPacked" and proto_type in ("string", "bytes"):
        shape = "Repeated"
    message = getattr(SCALARS, shape)(**{f"{proto_type}_value": value})
    expected = f"{shape}.{proto_type}_value: expected list, got {type(value).__name__}"
    assert refusal(message) == expected


@pytest.mark.parametrize("value", [SECRET, [(SECRET, 1)], None, 5])
@pytest.mark.parametrize("field", ["of_int32", "of_item", "of_level"])
def test_a_map_takes_only_a_dict(field: str, value: Any) -> None:
    expected = f"Values.{field}: expected dict, got {type(value).__name__}"
    assert refusal(MAPS.Values(**{field: value})) == expected


@pytest.mark.parametrize(
    "message",
    [
        MAPS.Values(of_int32={5: 1}),
        MAPS.Values(of_int32={"a": SECRET}),
        MAPS.Values(of_int32={"a": None}),
        MAPS.Values(of_int32={f"{SECRET}\ud800": 1}),
        MAPS.Values(of_item={5: MAPS.Item()}),
        MAPS.Values(of_item={"a": SECRET}),
        MAPS.Values(of_item={"a": None}),
        MAPS.Values(of_item={"a": MAPS.Item(name=5)}),
        MAPS.Keys(by_int32={SECRET: "a"}),
        MAPS.Keys(by_bool={1: "a"}),
        MAPS.Keys(by_fixed64={-1: "a"}),
    ],
    ids=repr,
)
def test_a_wrong_key_or_value_in_a_map_is_refused_by_a_fields_name(message: Any) -> None:
    assert refusal(message).split(":")[0] in {
        "Values.of_int32", "Values.of_item", "Item.name",
        "Keys.by_int32", "Keys.by_bool", "Keys.by_fixed64",
    }  # fmt: skip


@pytest.mark.parametrize("wrong", [SECRET, 5, {"leaf": SECRET}, MAPS.Item(name=SECRET)])
def test_a_message_of_another_class_is_refused_by_the_fields_name(wrong: Any) -> None:
    got = type(wrong).__name__
    assert refusal(RECURSION.Tree(left=wrong)) == f"Tree.left: expected Tree, got {got}"
    assert refusal(RECURSION.Tree(children=[wrong])) == f"Tree.children: expected Tree, got {got}"
    assert refusal(ONEOFS.Several(nested=wrong)) == f"Several.nested: expected Several, got {got}"


def test_a_bool_passes_for_a_number_as_it_does_in_python() -> None:
    assert bytes(SCALARS.Plain(int32_value=True)) == bytes(SCALARS.Plain(int32_value=1))


def test_a_whole_number_passes_for_a_float() -> None:
    assert bytes(SCALARS.Plain(double_value=2)) == bytes(SCALARS.Plain(double_value=2.0))


def test_bytearrays_pass_for_bytes() -> None:
    message = SCALARS.Plain(bytes_value=bytearray(b"ab"))
    assert bytes(message) == bytes(SCALARS.Plain(bytes_value=b"ab"))


@pytest.mark.parametrize("value", [0, 0.0, "", b"", False])
def test_a_default_is_not_sent_without_presence_and_is_with_it(value: Any) -> None:
    for proto_type in EVERY_TYPE:
        kinds = {"bool": bool, "float": float, "double": float, "string": str, "bytes": bytes}
        if kinds.get(proto_type, int) is type(value):
            assert bytes(made("Plain", proto_type, value)) == b""
            assert bytes(made("Optional", proto_type, value)) != b""
            assert bytes(made("OneOf", proto_type, value)) != b""


def test_minus_zero_is_sent_for_it_is_not_the_default() -> None:
    for proto_type in ("float", "double"):
        message = made("Plain", proto_type, -0.0)
        assert (
            str(getattr(type(message).FromString(bytes(message)), f"{proto_type}_value")) == "-0.0"
        )
        assert (
            str(getattr(type(message).from_json(message.to_json()), f"{proto_type}_value"))
            == "-0.0"
        )
        assert message.is_set(f"{proto_type}_value")
