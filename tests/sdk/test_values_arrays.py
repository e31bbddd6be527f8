"""Nested lists are dimensions, and sparse arrays name some elements of an array to write."""

from __future__ import annotations

import copy
import dataclasses
import pickle
from datetime import datetime, timedelta, timezone
from itertools import chain
from typing import Any

import pytest
from hypothesis import given, strategies as st

from zb_mom_ww_mxgateway.errors import MxGatewayValueError
from zb_mom_ww_mxgateway.values import (
    MxValueInput,
    SparseArray,
    from_mx_array,
    from_mx_value,
    to_mx_value,
)
from zb_mom_ww_mxgateway_contracts.mxaccess_gateway_v1 import (
    Int32Array,
    MxArray,
    MxDataType,
    MxValue,
)

NOON = datetime(2026, 1, 1, 12, tzinfo=timezone.utc)
ONE_OF_EACH = [True, 7, 2**40, 1.5, "text", NOON, timedelta(seconds=1)]


def nested(values: list[Any], dimensions: list[int]) -> list[Any]:
    """``values`` in row-major order, the plain way."""
    if len(dimensions) == 1:
        return values
    size = len(values) // dimensions[0]
    rows = [values[start : start + size] for start in range(0, len(values), size)]
    return [nested(row, dimensions[1:]) for row in rows]


@given(st.lists(st.integers(1, 4), min_size=1, max_size=4), st.sampled_from(ONE_OF_EACH))
def test_nested_lists_are_dimensions_in_row_major_order(dimensions: list[int], like: Any) -> None:
    count = 1
    for length in dimensions:
        count *= length
    flat = list(range(count)) if type(like) is int and like == 7 else [like] * count
    value = nested(flat, dimensions)
    mx = MxValue.FromString(bytes(to_mx_value(value)))
    assert mx.array_value is not None
    assert mx.array_value.dimensions == dimensions
    assert from_mx_array(dataclasses.replace(mx.array_value, dimensions=[])) == flat
    assert from_mx_value(mx) == value


def test_the_first_dimension_is_the_outer_list() -> None:
    array = to_mx_value([[1, 2, 3], [4, 5, 6]]).array_value
    assert array is not None
    assert array.int32_values is not None
    assert (array.dimensions, array.int32_values.values) == ([2, 3], [1, 2, 3, 4, 5, 6])


def itself() -> list[Any]:
    value: list[Any] = []
    value.append(value)
    return value


def itself_twice() -> list[Any]:
    value: list[Any] = []
    value += [value, value]
    return value


def each_other() -> list[Any]:
    """A list of two that are in each other."""
    inner: list[Any] = []
    outer = [inner]
    inner.append(outer)
    return [outer]


@pytest.mark.parametrize(
    ("bad", "hint"),
    [
        ([[1, 2], [3]], "ragged"),
        ([[], [1]], "ragged"),
        ([[[1], [2]], [[1], [2, 3]]], "ragged"),
        ([[1], 2], "mixes single values and lists"),
        ([[1], None], "mixes single values and lists"),
        ([[1], [None]], "holds None"),
        ([[1], ["a"]], "mixes types"),
        ([[], []], "one of .*BOOLEAN, .*TIME"),
        (nested([0], [1] * 61), "more than 60 dimensions"),
        (itself(), "holds itself"),
        (itself_twice(), "holds itself"),
        (each_other(), "holds itself"),
    ],
)
def test_lists_that_are_no_array_are_refused(bad: MxValueInput, hint: str) -> None:
    with pytest.raises(MxGatewayValueError, match=hint):
        to_mx_value(bad)


@pytest.mark.parametrize(
    ("empty", "dimensions"), [([], [0]), ((), [0]), ([[], []], [2, 0]), ([[[]]], [1, 1, 0])]
)
def test_an_empty_list_takes_its_type_from_the_caller(
    empty: MxValueInput, dimensions: list[int]
) -> None:
    mx = MxValue.FromString(bytes(to_mx_value(empty, data_type=MxDataType.STRING)))
    assert mx.variant_type == "VT_ARRAY|VT_BSTR"
    assert mx.array_value is not None
    assert mx.array_value.dimensions == dimensions
    assert from_mx_value(mx) == []


@given(st.lists(st.integers(), max_size=6), st.lists(st.integers(0, 2**32 - 1), max_size=70))
def test_dimensions_are_those_of_the_elements_or_an_error(
    values: list[int], dimensions: list[int]
) -> None:
    product = 1
    for length in dimensions:
        product *= length
    array = MxArray(int32_values=Int32Array(values=values), dimensions=dimensions)
    if not dimensions:
        assert from_mx_array(array) == values
    elif product != len(values) or len(dimensions) > 60:
        with pytest.raises(MxGatewayValueError, match="dimensions"):
            from_mx_array(array)
    else:
        made: Any = from_mx_array(array)
        while made and isinstance(made[0], list):
            made = list(chain.from_iterable(made))
        assert made == values


@pytest.mark.parametrize("dimensions", [[3, 2**32 - 1, 0], [0, 2**32 - 1], [0]])
def test_an_array_without_elements_is_an_empty_list_whatever_its_dimensions(
    dimensions: list[int],
) -> None:
    assert from_mx_array(MxArray(dimensions=dimensions)) == []


@given(
    st.integers(1, 2**32 - 1),
    st.sampled_from(ONE_OF_EACH),
    st.data(),
)
def test_a_sparse_array_names_some_elements(length: int, value: Any, data: st.DataObject) -> None:
    indexes = data.draw(st.lists(st.integers(0, length - 1), min_size=1, max_size=5, unique=True))
    mx = to_mx_value(SparseArray(length, dict.fromkeys(indexes, value)))
    sparse = MxValue.FromString(bytes(mx)).sparse_array_value
    assert sparse is not None
    assert sparse.total_length == length
    assert [element.index for element in sparse.elements] == sorted(indexes)
    assert {element.value == to_mx_value(value) for element in sparse.elements} == {True}
    whole = to_mx_value([value])
    assert (mx.data_type, mx.variant_type) == (whole.data_type, whole.variant_type)
    assert sparse.element_data_type == whole.data_type


def test_elements_of_a_sparse_array_go_as_one_type() -> None:
    sparse = to_mx_value(SparseArray(9, {0: 1, 8: 2**40})).sparse_array_value
    assert sparse is not None
    assert [element.value and element.value.variant_type for element in sparse.elements] == [
        "VT_I8",
        "VT_I8",
    ]


def test_the_data_type_of_a_sparse_array_is_its_own_or_the_one_asked_for() -> None:
    own = SparseArray(2, {0: 1}, MxDataType.DOUBLE)
    asked = SparseArray(2, {0: 1})
    assert to_mx_value(own) == to_mx_value(asked, data_type=MxDataType.DOUBLE)
    assert to_mx_value(own, data_type=MxDataType.DOUBLE) == to_mx_value(own)
    with pytest.raises(MxGatewayValueError, match="of DOUBLE cannot be sent as INTEGER"):
        to_mx_value(own, data_type=MxDataType.INTEGER)


def test_a_sparse_array_without_elements_is_all_defaults_of_its_type() -> None:
    sparse = to_mx_value(SparseArray(3, {}, MxDataType.TIME)).sparse_array_value
    assert sparse is not None
    assert (sparse.total_length, sparse.elements) == (3, [])
    assert sparse.element_data_type == MxDataType.TIME


@pytest.mark.parametrize(
    ("length", "elements", "data_type", "hint"),
    [
        (3, {3: 1}, None, "position 3 .* 0 to 2"),
        (3, {-1: 1}, None, "position -1"),
        (0, {0: 1}, None, "position 0"),
        (-1, {}, MxDataType.INTEGER, "0 to 4294967295"),
        (2**32, {0: 1}, None, "0 to 4294967295"),
        (True, {0: 1}, None, "length .* whole number"),
        (3, {1.5: 1}, None, "position .* whole number"),
        (3, {0: 1, "a": 2}, None, "position .* whole number"),
        (3, [1, 2], None, "mapping by position"),
        (3, {0: 1, 1: "a"}, None, "mixes types"),
        (3, {0: [1]}, None, "single values"),
        (3, {0: None}, None, "None"),
        (3, {}, None, "data_type"),
        (3, {0: "a"}, MxDataType.INTEGER, "cannot be sent as INTEGER"),
        (3, {0: b"\x01"}, None, "UNKNOWN has no default"),
        (3, {0: float("nan")}, None, "NaN"),
    ],
)
def test_a_sparse_array_is_checked_when_it_is_made(
    length: int, elements: Any, data_type: MxDataType | None, hint: str
) -> None:
    with pytest.raises(MxGatewayValueError, match=hint):
        SparseArray(length, elements, data_type)


def test_a_sparse_array_is_a_value_that_does_not_change_and_hides_what_is_written() -> None:
    elements: dict[int, Any] = {0: "secret"}
    sparse = SparseArray(2, elements)
    elements[1] = "late"
    assert dict(sparse.elements) == {0: "secret"}
    assert "secret" not in repr(sparse)
    for twin in (copy.deepcopy(sparse), pickle.loads(pickle.dumps(sparse))):
        assert twin == sparse
    with pytest.raises(dataclasses.FrozenInstanceError):
        sparse.length = 3  # type: ignore[misc]


def test_a_sparse_array_is_for_writing_alone() -> None:
    with pytest.raises(MxGatewayValueError, match="for writing alone"):
        from_mx_value(to_mx_value(SparseArray(2, {0: 1})))
