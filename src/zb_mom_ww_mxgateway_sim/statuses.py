"""What MXAccess says about operations: statuses, HRESULTS and the failures that carry them."""

from __future__ import annotations

from typing import Final

from zb_mom_ww_mxgateway_contracts.mxaccess_gateway_v1 import (
    MxStatusCategory,
    MxStatusProxy,
    MxStatusSource,
)

#: E_INVALIDARG, 0x80070057: invalid handles, writes to items that are not advised or resolved.
INVALID_ARGUMENT: Final = 0x8007_0057 - 2**32
#: 0x80004021: a secured write without authenticated users.
NOT_AUTHENTICATED: Final = 0x8000_4021 - 2**32

#: Details of statuses.
INVALID_REFERENCE: Final = 6
ARRAY_ACCESS: Final = 1003
SECURED_WRITE_REQUIRED: Final = 1012
VERIFIED_WRITE_REQUIRED: Final = 1013


#: MXAccess's own numbers, from -1 on.
_NATIVE_CATEGORIES: Final = (
    MxStatusCategory.UNKNOWN,
    MxStatusCategory.OK,
    MxStatusCategory.PENDING,
    MxStatusCategory.WARNING,
    MxStatusCategory.COMMUNICATION_ERROR,
    MxStatusCategory.CONFIGURATION_ERROR,
    MxStatusCategory.OPERATIONAL_ERROR,
    MxStatusCategory.SECURITY_ERROR,
    MxStatusCategory.SOFTWARE_ERROR,
    MxStatusCategory.OTHER_ERROR,
)
_NATIVE_SOURCES: Final = (
    MxStatusSource.UNKNOWN,
    MxStatusSource.REQUESTING_LMX,
    MxStatusSource.RESPONDING_LMX,
    MxStatusSource.REQUESTING_NMX,
    MxStatusSource.RESPONDING_NMX,
)


class MxAccessFailure(Exception):  # noqa: N818 - an answer to the client, not an error here
    """MXAccess refused a call: an HRESULT, the status that goes with it, and words."""

    def __init__(self, hresult: int, status: MxStatusProxy) -> None:
        super().__init__(status.diagnostic_text)
        self.hresult = hresult
        self.status = status
        self.text = status.diagnostic_text


class NotSimulated(Exception):  # noqa: N818 - a fact about the simulator, not an error
    """A command of the contract that the simulator does not answer yet."""


def status(category: MxStatusCategory, detail: int, text: str) -> MxStatusProxy:
    """A status of ``category``; ``success`` is a COM boolean (-1 true, 0 false)."""
    good = category is MxStatusCategory.OK
    source = MxStatusSource.REQUESTING_LMX
    return MxStatusProxy(
        success=-1 if good else 0,
        category=category,
        detected_by=source,
        detail=detail,
        raw_category=_NATIVE_CATEGORIES.index(category) - 1,
        raw_detected_by=_NATIVE_SOURCES.index(source) - 1,
        diagnostic_text=text,
    )


#: Shared by every good value and every completed write; nobody changes a message once it is made.
OK: Final = status(MxStatusCategory.OK, 0, "")


def configuration_error(text: str, detail: int = 0) -> MxStatusProxy:
    """A reference, handle or type that is wrong."""
    return status(MxStatusCategory.CONFIGURATION_ERROR, detail, text)


def security_error(text: str, detail: int = 0) -> MxStatusProxy:
    """Rights that are missing, or a write that needs other rights."""
    return status(MxStatusCategory.SECURITY_ERROR, detail, text)


def invalid_argument(text: str) -> MxAccessFailure:
    """MXAccess refuses an argument with E_INVALIDARG."""
    return MxAccessFailure(INVALID_ARGUMENT, configuration_error(text))


def not_authenticated(text: str) -> MxAccessFailure:
    """MXAccess refuses a secured write, for want of authenticated users."""
    return MxAccessFailure(NOT_AUTHENTICATED, security_error(text))
