"""Open enums: unknown numbers survive, names are the contract's, Python's own attributes stay."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest
from google.protobuf.internal import enum_type_wrapper
from hypothesis import given, strategies as st

from tests.contracts import Contract, fragments, real
from zb_mom_ww_mxgateway_contracts.mxaccess_gateway_v1 import SessionState
from zb_mom_ww_mxgateway_wire.codec import DecodeError
from zb_mom_ww_mxgateway_wire.enums import Members, OpenEnum

ENUMS = fragments().module("fragments_enums")
INT32 = st.integers(-(2**31), 2**31 - 1)


def enums_of(contract: Contract) -> dict[str, type[OpenEnum]]:
    """Every enum class of a generated package, by its name in the contract."""
    found: dict[str, type[OpenEnum]] = {}
    for path in sorted(contract.folder.glob("*/enums.py")):
        for value in vars(contract.module(f"{path.parent.name}.enums")).values():
            if isinstance(value, type) and issubclass(value, OpenEnum) and value is not OpenEnum:
                found[value.__proto_full_name__] = value
    return found


EVERY_ENUM = [
    pytest.param(enum, contract.pool.FindEnumTypeByName(name), id=name)
    for contract in (fragments(), real())
    for name, enum in enums_of(contract).items()
]


@pytest.mark.parametrize(("enum", "descriptor"), EVERY_ENUM)
def test_names_and_numbers_are_the_contracts_aliases_included(
    enum: type[OpenEnum], descriptor: Any
) -> None:
    google = enum_type_wrapper.EnumTypeWrapper(descriptor)
    assert len(enum.__members__) == len(google.keys())
    for name, number in google.items():
        assert enum.from_proto_name(name) == number
        assert enum(number).is_known
        assert google.Value(enum(number).proto_name) == number
    with pytest.raises(KeyError):
        enum.from_proto_name("NO_SUCH_NAME")


@given(number=INT32)
def test_an_unknown_number_survives_bytes_json_copies_and_pickles(number: int) -> None:
    holder = ENUMS.Holder(sparse=number, many=[number], named={"a": number}, maybe=number)
    for again in (
        ENUMS.Holder.FromString(bytes(holder)),
        ENUMS.Holder.from_json(holder.to_json()),
        ENUMS.Holder().from_pydict(holder.to_pydict()),
    ):
        assert again == holder
    decoded = ENUMS.Holder.FromString(bytes(holder))
    for twin in (copy.deepcopy(decoded), pickle.loads(pickle.dumps(decoded))):
        assert twin == decoded
        assert type(twin.sparse) is ENUMS.Sparse
        assert type(twin.maybe) is ENUMS.Aliased


@given(number=INT32)
def test_an_unknown_number_is_a_member_with_a_telling_name(number: int) -> None:
    member = ENUMS.Aliased(number)
    assert int(member) == member.value == number
    if number not in (0, 1, 2):
        assert not member.is_known
        assert member.name == f"UNKNOWN_{number}".replace("-", "MINUS_")
        assert member.proto_name == str(number)
        assert ENUMS.Aliased.__members__.keys() == {"UNSPECIFIED", "FIRST", "ALSO_FIRST", "LAST"}


@pytest.mark.parametrize("value", [2**31, -(2**31) - 1, "FIRST", None, 1.5])
def test_what_is_no_int32_is_no_member(value: Any) -> None:
    with pytest.raises(ValueError, match="is not a valid Aliased"):
        ENUMS.Aliased(value)


def test_a_member_named_as_unknown_ones_are_is_known() -> None:
    assert ENUMS.Reserved.UNKNOWN_99.is_known
    assert ENUMS.Reserved.UNKNOWN_99 == 17
    assert ENUMS.Reserved(99) != ENUMS.Reserved.UNKNOWN_99


def test_an_unknown_number_whose_name_a_member_has_is_not_taken_for_it() -> None:
    assert not ENUMS.Reserved(99).is_known
    assert ENUMS.Reserved(99).proto_name == "99"


def test_an_alias_is_the_member_it_stands_for() -> None:
    assert ENUMS.Aliased.ALSO_FIRST is ENUMS.Aliased.FIRST
    assert (
        ENUMS.Holder.from_json('{"aliased": "ALIASED_ALSO_FIRST"}').aliased is ENUMS.Aliased.FIRST
    )


def test_an_enum_in_json_is_its_name_and_may_come_as_number() -> None:
    holder = ENUMS.Holder(sparse=ENUMS.Sparse.MINUS_ONE, reserved=ENUMS.Reserved.mro_)
    assert holder.to_dict() == {"sparse": "SPARSE_MINUS_ONE", "reserved": "mro"}
    for number in ("-1", "-1.0", '"-1"'):
        assert ENUMS.Holder.from_json(f'{{"sparse": {number}}}').sparse == -1
    for wrong in ('"MINUS_ONE"', '"NOPE"', "1.5", "2147483648", "true", "[]"):
        with pytest.raises(DecodeError, match=r"fragments\.enums\.Holder\.sparse"):
            ENUMS.Holder.from_json(f'{{"sparse": {wrong}}}')


def test_a_table_of_members_knows_every_number_and_keeps_no_unknown_one() -> None:
    table = Members(ENUMS.Sparse)
    assert table[128] is ENUMS.Sparse.BYTE
    before = len(table)
    assert table[12345] == 12345
    assert len(table) == before


def test_tables_of_two_enums_with_like_names_are_not_confused() -> None:
    holder = ENUMS.Holder(close=ENUMS.Close_Name.CLOSE_ONE, closer=ENUMS.CloseName.CLOSER_ONE)
    again = ENUMS.Holder.FromString(bytes(holder))
    assert (again.close.proto_name, again.closer.proto_name) == ("CLOSE_ONE", "CLOSER_ONE")


def test_an_enum_prints_as_its_name_and_formats_as_a_number_when_asked() -> None:
    assert f"{SessionState.READY} {SessionState.READY!s} {SessionState.READY:03d}" == (
        "READY READY 005"
    )
    assert str(SessionState(99)) == "UNKNOWN_99"


def test_an_enum_is_aligned_by_its_name() -> None:
    assert f"[{SessionState.READY:>7}]" == "[  READY]"
