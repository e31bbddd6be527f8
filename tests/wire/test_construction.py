"""Making messages: what ``__init__`` takes, and what the functions of ``dataclasses`` see."""

from __future__ import annotations

import copy
import dataclasses
import inspect
import pickle
import sys
from typing import Any

import pytest
from hypothesis import given, strategies as st

from tests.contracts import Pair, all_pairs, fragments, real
from zb_mom_ww_mxgateway_wire.fields import FieldInfo, fields_of
from zb_mom_ww_mxgateway_wire.message import OneofMessage

ONEOFS = fragments().module("fragments_oneofs")
SCALARS = fragments().module("fragments_scalars")
RECURSION = fragments().module("fragments_recursion")
FIELD_NAMES = fragments().module("fragments_field_names")
GATEWAY = real().module("mxaccess_gateway_v1")

EACH = pytest.mark.parametrize("pair", all_pairs(), ids=lambda pair: pair.name)
WITH_ONEOFS = [pair for pair in all_pairs() if issubclass(pair.ours, OneofMessage)]


def something(info: FieldInfo) -> Any:
    """A value of the field's type that is set, and no default where there is another."""
    element: Any = {"string": "a", "bytes": b"a", "bool": True}.get(info.proto_type, 1)
    if info.type_of is not None:
        kind: Any = info.type_of()
        element = kind() if info.proto_type == "message" else kind(1)
    if info.key_type:
        key: Any = {"string": "k", "bool": True}.get(info.key_type, 1)
        return {key: element}
    return [element] if info.repeated else element


@EACH
def test_every_field_is_an_argument_by_its_name_and_nothing_else_is(pair: Pair) -> None:
    fields = fields_of(pair.ours)
    for name, info in fields.items():
        value = something(info)
        message = pair.ours(**{name: value})
        assert getattr(message, name) is value
        assert [other for other in fields if message.is_set(other)] == [name]
    arguments: Any = {"nonsense_": 1}
    with pytest.raises(TypeError):
        pair.ours(**arguments)
    make: Any = pair.ours
    with pytest.raises(TypeError):
        make(1)


@EACH
def test_an_argument_left_out_reads_as_on_the_wire(pair: Pair) -> None:
    made, decoded = pair.ours(), pair.ours.FromString(b"")
    for name, info in fields_of(pair.ours).items():
        assert getattr(made, name) == getattr(decoded, name)
        assert type(getattr(made, name)) is type(getattr(decoded, name))
        if not info.is_container:
            assert getattr(pair.ours, name) == getattr(made, name)


@EACH
def test_lists_and_maps_left_out_are_new_for_each_message(pair: Pair) -> None:
    one, other = pair.ours(), pair.ours()
    for name, info in fields_of(pair.ours).items():
        if info.is_container:
            assert getattr(one, name) is not getattr(other, name)
            assert not hasattr(pair.ours, name)


def test_a_list_that_is_given_is_the_messages_and_none_stays_wrong() -> None:
    given_list = [1]
    assert SCALARS.Repeated(int32_value=given_list).int32_value is given_list
    wrong = SCALARS.Repeated(int32_value=None)
    assert wrong.int32_value is None
    with pytest.raises(ValueError, match=r"Repeated\.int32_value"):
        bytes(wrong)


@pytest.mark.parametrize("pair", WITH_ONEOFS, ids=lambda pair: pair.name)
@given(data=st.data())
def test_of_a_oneofs_members_that_are_given_the_one_declared_last_is_kept(
    pair: Pair, data: st.DataObject
) -> None:
    infos = fields_of(pair.ours)
    names = data.draw(st.lists(st.sampled_from(list(infos)), unique=True))
    arguments = {name: something(infos[name]) for name in names}
    last = {infos[name].oneof: name for name in infos if name in arguments and infos[name].oneof}
    message = pair.ours(**arguments)
    kept = {name for name in arguments if not infos[name].oneof} | set(last.values())
    assert {name for name in infos if message.is_set(name)} == kept
    assert all(getattr(message, name) is arguments[name] for name in kept)


def test_a_oneof_can_be_set_anew_after_making() -> None:
    message = ONEOFS.Several(text="a", flag=True)
    message.choice = 1
    assert (message.text, message.choice, message.flag) == (None, 1, True)


def test_fields_called_as_what_init_uses_itself() -> None:
    message = FIELD_NAMES.Locals(self="a", data=[1], m=[2])
    assert (message.self, message.data, message.m) == ("a", [1], [2])
    assert FIELD_NAMES.Locals.FromString(bytes(message)) == message


@EACH
def test_what_dataclasses_says_of_a_message(pair: Pair) -> None:
    assert dataclasses.is_dataclass(pair.ours)
    assert dataclasses.is_dataclass(pair.ours())
    rows: Any = dataclasses.fields(pair.ours)
    infos = fields_of(pair.ours)
    assert [row.name for row in rows] == list(infos)
    for row, info in zip(rows, infos.values(), strict=True):
        assert row.kw_only
        assert row.type == pair.ours.__annotations__[row.name]
        assert row.metadata["wire"] == info
        assert row.metadata["betterproto"].number == info.number
        assert (row.default_factory in (list, dict)) is info.is_container
    assert pair.ours.__match_args__ == ()


@EACH
def test_replacing_nothing_gives_an_equal_message_of_its_own(pair: Pair) -> None:
    infos = fields_of(pair.ours)
    message = pair.ours(**{name: something(info) for name, info in infos.items()})
    twin = dataclasses.replace(message)
    assert twin == message
    assert twin is not message
    assert pickle.loads(pickle.dumps(message)) == message
    assert copy.copy(message) == copy.deepcopy(message) == message
    if sys.version_info >= (3, 13):
        assert copy.replace(message) == message


def test_replacing_and_unfolding() -> None:
    value = GATEWAY.MxValue(data_type=GATEWAY.MxDataType.INTEGER, int32_value=5)
    other = dataclasses.replace(value, int32_value=6)
    assert (other.int32_value, other.data_type, value.int32_value) == (6, value.data_type, 5)
    tree = RECURSION.Tree(left=RECURSION.Tree(), named={"x": RECURSION.Tree()})
    unfolded = dataclasses.asdict(tree)
    assert unfolded["left"]["left"] is None
    assert unfolded["named"]["x"]["children"] == []


@EACH
def test_the_signature_names_every_field_with_its_default(pair: Pair) -> None:
    parameters = inspect.signature(pair.ours).parameters
    infos = fields_of(pair.ours)
    assert list(parameters) == list(infos)
    for name, info in infos.items():
        assert parameters[name].kind is inspect.Parameter.KEYWORD_ONLY
        assert parameters[name].annotation == pair.ours.__annotations__[name]
        if not info.is_container:
            assert parameters[name].default == info.default


def test_a_class_of_a_users_own_adds_to_a_message() -> None:
    @dataclasses.dataclass(eq=False, repr=False, kw_only=True)
    class Labelled(SCALARS.Plain):  # type: ignore[misc, name-defined]
        label: str = ""

    one = Labelled(label="a", int32_value=5)
    assert (one.label, one.int32_value) == ("a", 5)
    assert list(fields_of(Labelled)) == list(fields_of(SCALARS.Plain))
    assert {"label", "int32_value"} <= {row.name for row in dataclasses.fields(Labelled)}
