"""Errors as exit codes and as text in the words of the command line."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Final

import click

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
from zb_mom_ww_mxgateway.grpc_errors import NO_KEY

from . import exits
from .connection import connection_options
from .program import contract_summary

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


#: A name in a text; not one in quotes or in a path, which was not put there by the SDK.
_NAME: Final = re.compile(r"(?<![\w./\\'\"-])([a-z]\w*)(?:=(True|False))?(?![\w/\\'\"]|\.\w)")


def text_of(error: BaseException) -> str:
    """What an error says, in the words of the command line."""
    text = in_words("; ".join([str(error), *getattr(error, "__notes__", ())]), _words())
    return text.replace(NO_KEY, f"{NO_KEY}: --api-key or MXGATEWAY_API_KEY")


def flags_of(parameters: Iterable[click.Parameter]) -> dict[str, str]:
    """What the command line calls each option, by its name in Python."""
    return {found.name: found.opts[0] for found in parameters if found.name}


def in_words(text: str, words: Mapping[str, str]) -> str:
    """A text of the SDK with ``words`` in place of its names: ``--ca-file`` for ``ca_file``.

    A name that is a word of English too, such as ``plaintext``, is one only in ``plaintext=True``.
    """

    def spelled(found: re.Match[str]) -> str:
        name, value = found.groups("")
        if name not in words or ("_" not in name and not value):
            return found[0]
        return f"no {words[name]}" if value == "False" else words[name]

    return _NAME.sub(spelled, text)


@cache
def _words() -> Mapping[str, str]:
    flags = flags_of(connection_options())
    methods = {name: name.replace("_", "-") for name in contract_summary()["commands"]}
    return {**methods, **flags, "call_timeout": flags["timeout"]}
