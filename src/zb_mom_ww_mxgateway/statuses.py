"""What MXAccess says about a failure, in words: statuses, detail codes and HRESULTs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from zb_mom_ww_mxgateway_contracts.mxaccess_gateway_v1 import MxStatusCategory, MxStatusProxy

#: Detail codes of MXSTATUS in words (facts of MXAccess); docs/errors.md has the same table.
DETAILS: Final[Mapping[int, str]] = {
    1: "request timed out",
    2: "platform communication error",
    3: "invalid platform id",
    4: "invalid engine id",
    5: "engine communication error",
    6: "invalid reference",
    7: "no galaxy repository",
    8: "invalid object id",
    1003: "array access",
    1012: "secured write required",
    1013: "verified write required",
}

#: E_INVALIDARG: MXAccess does not say which argument it was.
INVALID_ARGUMENT: Final = 0x80070057

#: HRESULTs in words, by their 32 bits.
HRESULTS: Final[Mapping[int, str]] = {
    INVALID_ARGUMENT: "invalid argument",
    0x80004021: "no user was authenticated on this server handle for a secured write",
}

#: Categories whose values may be used; an unset one with success 0 is no failure either.
_USABLE: Final = frozenset(
    {
        MxStatusCategory.UNSPECIFIED,
        MxStatusCategory.OK,
        MxStatusCategory.PENDING,
        MxStatusCategory.WARNING,
    }
)


def is_failure(status: MxStatusProxy) -> bool:
    """Whether a status says that something failed: by its category, never by ``success`` alone."""
    return status.category not in _USABLE


def describe_status(status: MxStatusProxy) -> str:
    """One status in words, such as ``CONFIGURATION_ERROR, detail 6 (invalid reference)``."""
    words = DETAILS.get(status.detail, "")
    parts = [
        status.category.name,
        f"detail {status.detail}" + (f" ({words})" if words else "") if status.detail else "",
        status.diagnostic_text,
    ]
    return ", ".join(part for part in parts if part)


def describe_hresult(hresult: int) -> str:
    """An HRESULT in hex and signed, with words where they are known."""
    words = HRESULTS.get(hresult & 0xFFFF_FFFF, "")
    return f"HRESULT {hresult_hex(hresult)} ({hresult}{', ' + words if words else ''})"


def hresult_hex(hresult: int) -> str:
    """An HRESULT as documents spell it, such as ``0x80070057``."""
    return f"0x{hresult & 0xFFFF_FFFF:08X}"
