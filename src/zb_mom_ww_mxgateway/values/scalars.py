"""Single values of Python's own types, as most are: checked and made without a list and a column.

``columns.py`` makes the same of them, and of all others, in ten times as long.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from math import isfinite
from typing import Any, Final

from zb_mom_ww_mxgateway_contracts.mxaccess_gateway_v1 import MxDataType, MxValue

from .columns import check_time, no_text, not_finite, scalar, too_wide
from .plain import wire_time

# Up to Python 3.11, to ask an enum for a member takes as long as to make the message.
_BOOLEAN: Final = MxDataType.BOOLEAN
_INTEGER: Final = MxDataType.INTEGER
_DOUBLE: Final = MxDataType.DOUBLE
_STRING: Final = MxDataType.STRING
_TIME: Final = MxDataType.TIME


def _bool(value: bool) -> MxValue:
    return scalar(_BOOLEAN, "VT_BOOL", "bool_value", value)


def _int(value: int) -> MxValue:
    if -0x8000_0000 <= value <= 0x7FFF_FFFF:
        return scalar(_INTEGER, "VT_I4", "int32_value", value)
    if -0x8000_0000_0000_0000 <= value <= 0x7FFF_FFFF_FFFF_FFFF:
        return scalar(_INTEGER, "VT_I8", "int64_value", value)
    raise too_wide()


def _float(value: float) -> MxValue:
    if not isfinite(value):
        raise not_finite()
    return scalar(_DOUBLE, "VT_R8", "double_value", value)


def _str(value: str) -> MxValue:
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            raise no_text() from None
    return scalar(_STRING, "VT_BSTR", "string_value", value)


def _datetime(value: datetime) -> MxValue:
    time = wire_time(value)
    check_time(time)
    return scalar(_TIME, "VT_DATE", "timestamp_value", time)


#: By exact type: what is derived from one of these, such as an enum, goes the general way.
MAKERS: Final[Mapping[type, Callable[[Any], MxValue]]] = {
    bool: _bool,
    int: _int,
    float: _float,
    str: _str,
    datetime: _datetime,
}
