"""Values of numpy and pandas go as the Python values they are, without either being imported."""

from __future__ import annotations

import array
import subprocess
import sys
from collections import deque
from datetime import datetime, timedelta, timezone
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, strategies as st

from zb_mom_ww_mxgateway.errors import MxGatewayValueError
from zb_mom_ww_mxgateway.values import SparseArray, from_mx_value, to_mx_value
from zb_mom_ww_mxgateway_contracts.google_protobuf import Timestamp
from zb_mom_ww_mxgateway_contracts.mxaccess_gateway_v1 import MxDataType, MxValue

EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
NOON = datetime(2026, 1, 1, 12, tzinfo=timezone.utc)
NS = 1_000_000_000

#: A dtype of numpy, and what its values are drawn from.
DTYPES: dict[str, st.SearchStrategy[Any]] = {
    "bool": st.booleans(),
    "int8": st.integers(-(2**7), 2**7 - 1),
    "int16": st.integers(-(2**15), 2**15 - 1),
    "int32": st.integers(-(2**31), 2**31 - 1),
    "int64": st.integers(-(2**63), 2**63 - 1),
    ">i4": st.integers(-(2**31), 2**31 - 1),
    "uint8": st.integers(0, 2**8 - 1),
    "uint16": st.integers(0, 2**16 - 1),
    "uint32": st.integers(0, 2**32 - 1),
    "uint64": st.integers(0, 2**63 - 1),
    "float64": st.floats(allow_nan=False, allow_infinity=False),
    "str": st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1),
    "object": st.integers(-(2**63), 2**63 - 1),
}
SHAPES = st.lists(st.integers(1, 3), min_size=1, max_size=3)
#: Nanoseconds in the units of datetime64 that have a fixed length.
UNITS = {"ns": 1, "us": 10**3, "ms": 10**6, "s": NS, "m": 60 * NS, "h": 3600 * NS, "D": 86400 * NS}


def wire(value: Any, data_type: MxDataType | None = None) -> MxValue:
    return MxValue.FromString(bytes(to_mx_value(value, data_type=data_type)))


@pytest.mark.parametrize("dtype", DTYPES)
@given(data=st.data())
def test_an_array_of_numpy_goes_as_the_nested_list_that_it_is(
    dtype: str, data: st.DataObject
) -> None:
    shape = data.draw(SHAPES)
    count = int(np.prod(shape))
    values = data.draw(st.lists(DTYPES[dtype], min_size=count, max_size=count))
    made = np.array(values, dtype=dtype).reshape(shape)
    assert to_mx_value(made) == to_mx_value(made.tolist())
    assert from_mx_value(wire(made)) == made.tolist()
    assert to_mx_value(np.asfortranarray(made)) == to_mx_value(made)
    assert to_mx_value(list(made)) == to_mx_value(made)


@pytest.mark.parametrize("dtype", DTYPES)
@given(data=st.data())
def test_a_single_value_of_numpy_goes_as_the_python_value_that_it_is(
    dtype: str, data: st.DataObject
) -> None:
    value = data.draw(DTYPES[dtype])
    without_dimension = np.array(value, dtype=dtype)
    for scalar in (without_dimension, without_dimension[()]):
        assert to_mx_value(scalar) == to_mx_value(value)
        assert to_mx_value([scalar, scalar]) == to_mx_value([value, value])
        assert to_mx_value(SparseArray(1, {0: scalar})) == to_mx_value(SparseArray(1, {0: value}))


@pytest.mark.parametrize("dtype", ["float16", "float32"])
@given(value=st.floats(width=16, allow_nan=False, allow_infinity=False))
def test_floats_of_32_bits_or_fewer_go_as_float(dtype: str, value: float) -> None:
    scalar = np.dtype(dtype).type(value)
    asked = to_mx_value(value, data_type=MxDataType.FLOAT)
    assert asked.variant_type == "VT_R4"
    assert to_mx_value(scalar) == asked
    assert to_mx_value(SparseArray(1, {0: scalar})) == to_mx_value(
        SparseArray(1, {0: value}, MxDataType.FLOAT)
    )
    several = to_mx_value([value, value], data_type=MxDataType.FLOAT)
    for made in ([scalar, scalar], np.array([scalar, scalar]), pd.Series([value] * 2, dtype=dtype)):
        assert to_mx_value(made) == several
    assert to_mx_value(scalar, data_type=MxDataType.DOUBLE).double_value == value
    assert to_mx_value([scalar, 1], data_type=MxDataType.DOUBLE).variant_type == "VT_ARRAY|VT_R8"


def test_floats_of_32_and_64_bits_are_not_mixed_unasked() -> None:
    with pytest.raises(MxGatewayValueError, match="mixes types \\(float, float32\\)"):
        to_mx_value([np.float32(1), 1.5])


def test_bytes_of_numpy_are_bytes() -> None:
    assert to_mx_value(np.bytes_(b"\x01")) == to_mx_value(b"\x01")
    assert to_mx_value(np.array([b"\x01", b"\x02"])) == to_mx_value([b"\x01", b"\x02"])


def test_the_texts_of_numpys_string_type_are_texts() -> None:
    made = np.array(["a", "längst"], dtype=np.dtypes.StringDType())
    assert to_mx_value(made) == to_mx_value(["a", "längst"])


@pytest.mark.parametrize(
    ("made", "variant"),
    [
        (np.array([], dtype="bool"), "VT_ARRAY|VT_BOOL"),
        (np.array([], dtype="int64"), "VT_ARRAY|VT_I4"),
        (np.zeros((0, 3)), "VT_ARRAY|VT_R8"),
        (np.array([], dtype="float32"), "VT_ARRAY|VT_R4"),
        (np.array([], dtype="str"), "VT_ARRAY|VT_BSTR"),
        (np.array([], dtype="bytes"), "VT_ARRAY|VT_RECORD"),
        (np.array([], dtype="M8[s]"), "VT_ARRAY|VT_DATE"),
        (np.array([], dtype="m8[s]"), "VT_ARRAY|VT_R8"),
        (pd.Series([], dtype="Int64"), "VT_ARRAY|VT_I4"),
        (pd.Series([], dtype="float64"), "VT_ARRAY|VT_R8"),
    ],
    ids=lambda value: str(getattr(value, "dtype", value)),
)
def test_an_empty_array_tells_its_type(made: Any, variant: str) -> None:
    mx = wire(made)
    assert mx.variant_type == variant
    assert mx.array_value is not None
    assert mx.array_value.dimensions == list(made.shape)
    assert from_mx_value(mx) == []


@pytest.mark.parametrize("unit", UNITS)
@given(data=st.data())
def test_datetime64_is_taken_as_utc_to_the_nanosecond(unit: str, data: st.DataObject) -> None:
    size = UNITS[unit]
    low, high = -62_135_596_800 * NS, 253_402_300_800 * NS - 1
    bounds = (max(-(-low // size), -(2**63) + 1), min(high // size, 2**63 - 1))
    counts = data.draw(st.lists(st.integers(*bounds), min_size=1, max_size=4))
    made = np.array(counts, dtype=f"M8[{unit}]")
    array_value = wire(made).array_value
    assert array_value is not None
    assert array_value.timestamp_values is not None
    times = array_value.timestamp_values.values
    assert [time.to_nanoseconds() for time in times] == [count * size for count in counts]
    assert to_mx_value(made[0]) == to_mx_value(times[0])
    assert to_mx_value(made.astype(made.dtype.newbyteorder(">"))) == to_mx_value(made)


@pytest.mark.parametrize(
    ("made", "moment"),
    [
        (np.datetime64("2026"), datetime(2026, 1, 1, tzinfo=timezone.utc)),
        (np.datetime64("1969-03"), datetime(1969, 3, 1, tzinfo=timezone.utc)),
        (np.datetime64(1, "W"), datetime(1970, 1, 8, tzinfo=timezone.utc)),
        (np.datetime64(2, ("s", 25)), EPOCH + timedelta(seconds=50)),
        (np.datetime64(3_000_000, "ps"), EPOCH + timedelta(microseconds=3)),
        (np.datetime64("0001-01-01"), datetime(1, 1, 1, tzinfo=timezone.utc)),
        (np.datetime64("9999", "Y"), datetime(9999, 1, 1, tzinfo=timezone.utc)),
    ],
    ids=str,
)
def test_datetime64_of_every_unit_is_its_time(made: np.datetime64, moment: datetime) -> None:
    assert from_mx_value(wire(made)) == moment


@given(st.timedeltas(timedelta(days=-90_000), timedelta(days=90_000)))
def test_spans_of_numpy_and_pandas_are_timedeltas(value: timedelta) -> None:
    single = to_mx_value(value)
    several = to_mx_value([value, value])
    assert to_mx_value(np.timedelta64(value)) == single
    assert to_mx_value(np.array([value, value], dtype="m8[us]")) == several
    assert to_mx_value(pd.Timedelta(value)) == single
    assert to_mx_value(pd.Series([value, value])) == several
    assert to_mx_value(pd.TimedeltaIndex([value, value])) == several


@given(
    st.integers(-(2**63) + 10**15, 2**63 - 10**15).map(lambda ns: pd.Timestamp(ns, tz="UTC")),
    st.sampled_from(["UTC", "Europe/Berlin", "America/St_Johns"]),
)
def test_a_timestamp_of_pandas_keeps_its_nanoseconds(moment: pd.Timestamp, zone: str) -> None:
    exact = Timestamp.from_nanoseconds(moment.value)
    local = moment.tz_convert(zone)
    assert to_mx_value(local) == to_mx_value(exact)
    assert wire(local).timestamp_value == exact
    for made in ([local], pd.Series([local]), pd.DatetimeIndex([local])):
        assert to_mx_value(made) == to_mx_value([exact])


def test_a_timestamp_of_pandas_tells_the_hour_that_comes_twice() -> None:
    first = pd.Timestamp("2026-10-25 00:30", tz="UTC").tz_convert("Europe/Berlin")
    again = pd.Timestamp("2026-10-25 01:30", tz="UTC").tz_convert("Europe/Berlin")
    assert (first.hour, again.hour) == (2, 2)
    half_past = datetime(2026, 10, 25, 0, 30, tzinfo=timezone.utc)
    assert from_mx_value(wire([first, again])) == [half_past, half_past + timedelta(hours=1)]


class Derived(np.ndarray[Any, np.dtype[Any]]):
    """An array of a class that numpy does not know."""


@pytest.mark.parametrize(
    ("made", "plain"),
    [
        (pd.Series([1, 2]), [1, 2]),
        (pd.Series([1, 2], dtype="Int64"), [1, 2]),
        (pd.Series(["a", "b"]), ["a", "b"]),
        (pd.Series(["a", "b"], dtype="category"), ["a", "b"]),
        (pd.Series([True, False]), [True, False]),
        (pd.Series([1.5], dtype="Float64"), [1.5]),
        (pd.Index([1, 2]), [1, 2]),
        (pd.DataFrame({"a": [1, 2], "b": [3, 4]}).to_numpy(), [[1, 3], [2, 4]]),
        (np.ma.array([1, 2], mask=[False, False]), [1, 2]),
        (np.array([[1, 2]]).view(Derived), [[1, 2]]),
        (np.ma.array(7), 7),
        ([np.array([1, 2]), [np.int8(3), 4]], [[1, 2], [3, 4]]),
        (np.array([NOON, NOON], dtype=object), [NOON, NOON]),
        (np.array(NOON, dtype=object), NOON),
        ([np.array(NOON, dtype=object)], [NOON]),
        (deque([1, 2]), [1, 2]),
        (array.array("d", [1.5]), [1.5]),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_is_like_an_array_goes_as_the_list_that_it_is(made: Any, plain: Any) -> None:
    assert to_mx_value(made) == to_mx_value(plain)


def holds_itself() -> Any:
    """An array of no dimension, which as an element is a single value: itself."""
    made = np.empty((), dtype=object)
    made[()] = made
    return [made]


@pytest.mark.parametrize(
    ("bad", "hint"),
    [
        (np.float64("nan"), "NaN and infinities"),
        (np.float32("inf"), "NaN and infinities"),
        (np.array([1.0, np.nan]), "NaN and infinities"),
        (np.array([[1.0], [np.inf]], dtype="float16"), "NaN and infinities"),
        (pd.Series([1.0, None]), "NaN and infinities"),
        (np.datetime64("NaT", "s"), "missing value"),
        (np.timedelta64("NaT", "s"), "missing value"),
        (np.array(["2026", "NaT"], dtype="M8[D]"), "missing value"),
        (pd.NaT, "missing value"),
        (pd.NA, "missing value"),
        (pd.Series([1, None], dtype="Int64"), "missing value"),
        (pd.Series([NOON, None]), "missing value"),
        (np.ma.array([1, 2], mask=[False, True]), "holds None"),
        (np.array([1, None]), "holds None"),
        (pd.Timestamp("2026-01-01"), "naive"),
        (pd.Series(pd.to_datetime(["2026-01-01"])), "naive"),
        (np.uint64(2**63), "64 bits"),
        (np.array([2**64 - 1], dtype="uint64"), "64 bits"),
        (np.complex128(1), "complex128 has no form"),
        (np.array([1j]), "complex128 has no form"),
        (np.zeros(1, dtype=[("a", "i4")]), "void32 has no form"),
        (np.void(b"a"), "void8 has no form"),
        (np.rec.array([(1, 2), (3, 4)], dtype=[("a", "i4"), ("b", "i4")]), "has no form"),
        (np.ma.array([(1, 2)], dtype=[("a", "i4"), ("b", "i4")]), "void64 has no form"),
        (np.ma.array(np.array([5], dtype="M8[ns]")), "numpy.asarray"),
        (np.array([5_000], dtype="m8[ns]").view(Derived), "numpy.asarray"),
        (np.longdouble(1), "has no form"),
        ([np.longdouble(1)], "has no form"),
        ([np.array(object())], "object has no form"),
        (holds_itself(), "ndarray has no form"),
        (np.array([np.longdouble(1)], dtype=object), "has no form"),
        (np.array([object()]), "has no form"),
        (np.array([[1, 2], [3]], dtype=object), "list has no form"),
        (pd.DataFrame({"a": [1]}), "DataFrame has no form"),
        ([pd.Series([1])], "Series has no form"),
        (np.array([5]).view("m8")[0], "without a unit"),
        (np.timedelta64(1, "M"), "no fixed length"),
        (np.timedelta64(1, "ns"), "finer than a microsecond"),
        (pd.Timedelta(1, "ns"), "finer than a microsecond"),
        (np.timedelta64(2**60, "D"), "beyond that of timedelta"),
        (np.datetime64(1, "as"), "finer than a nanosecond"),
        (np.datetime64(8030, "Y"), "years 1 to 9999"),
        (np.datetime64(2**62, "Y"), "years 1 to 9999"),
        (np.datetime64(2**62, "D"), "years 1 to 9999"),
        (np.array([1, "a"], dtype=object), "mixes types"),
        (np.array([]).astype(object), "data_type"),
        ([np.array([1, 2]), [3]], "ragged"),
        ([np.array(1), [1]], "mixes single values and lists"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_mxaccess_cannot_carry_is_refused_from_numpy_and_pandas_too(
    bad: Any, hint: str
) -> None:
    with pytest.raises(MxGatewayValueError, match=hint):
        to_mx_value(bad)


def test_a_data_type_is_asked_for_as_with_lists() -> None:
    made = np.arange(6).reshape(2, 3)
    assert to_mx_value(made, data_type=MxDataType.DOUBLE) == to_mx_value(
        made.tolist(), data_type=MxDataType.DOUBLE
    )
    seconds = to_mx_value(made, data_type=MxDataType.ELAPSED_TIME)
    assert from_mx_value(seconds) == [
        [timedelta(seconds=int(value)) for value in row] for row in made
    ]
    assert to_mx_value(np.array([]), data_type=MxDataType.FLOAT).variant_type == "VT_ARRAY|VT_R4"


def test_the_sdk_imports_neither_numpy_nor_pandas() -> None:
    script = (
        "import sys, zb_mom_ww_mxgateway as sdk; sdk.to_mx_value([[1.5]]); "
        "sys.exit({'numpy', 'pandas'} & set(sys.modules) != set())"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
