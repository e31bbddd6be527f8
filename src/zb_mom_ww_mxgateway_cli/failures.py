"""Errors as exit codes and as text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from zb_mom_ww_mxgateway import (
    EncodeError,
    MxGatewayArgumentError,
    MxGatewayAuthenticationError,
    MxGatewayAuthorizationError,
    MxGatewayCertificateError,
    MxGatewayError,
    MxGatewayTimeoutError,
    MxGatewayUnavailableError,
)

from . import exits

_EXIT_CODES: Final[Sequence[tuple[type[BaseException], int]]] = (
    (MxGatewayUnavailableError, exits.UNREACHABLE),
    (MxGatewayCertificateError, exits.UNREACHABLE),
    (MxGatewayAuthenticationError, exits.DENIED),
    (MxGatewayAuthorizationError, exits.DENIED),
    (MxGatewayTimeoutError, exits.TIMED_OUT),
    (MxGatewayArgumentError, exits.USAGE),
    (EncodeError, exits.USAGE),
)

#: What the SDK may raise that is not a bug.
EXPECTED: Final = (MxGatewayError, EncodeError)


def exit_code(error: BaseException) -> int:
    """The code of an error that the SDK raised."""
    for kind, code in _EXIT_CODES:
        if isinstance(error, kind):
            return code
    return exits.FAILURE
