"""Everything that is printed: data to standard output, errors and progress to standard error."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

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

OK: Final = 0
FAILURE: Final = 1
USAGE: Final = 2
UNREACHABLE: Final = 3
DENIED: Final = 4
TIMED_OUT: Final = 5
SOME_FAILED: Final = 6
INTERRUPTED: Final = 130
TERMINATED: Final = 143


def emit(value: Mapping[str, Any] | Sequence[Mapping[str, Any]], *, as_json: bool) -> None:
    """Print a result: one line of JSON with sorted keys, or lines or a table for people."""
    if as_json:
        # ASCII alone: pipes on Windows seldom carry more.
        click.echo(json.dumps(value, sort_keys=True))
    elif isinstance(value, Mapping):
        _lines(value)
    else:
        table(value)


def _lines(value: Mapping[str, Any]) -> None:
    for key, item in value.items():
        if item != "":
            click.echo(f"{key}: {_cell(item)}")


def table(rows: Sequence[Mapping[str, Any]]) -> None:
    """Print rows under the columns in which any of them has something."""
    columns = list(dict.fromkeys(key for row in rows for key, item in row.items() if item != ""))
    cells = [[_cell(row.get(column, "")) for column in columns] for row in rows]
    widths = [max(map(len, column)) for column in zip(columns, *cells, strict=True)]
    for line in [columns, *cells] if rows else []:
        click.echo("  ".join(c.ljust(w) for c, w in zip(line, widths, strict=True)).rstrip())


def _cell(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True)


def progress(text: str) -> None:
    """Tell a person how things go; never part of the data."""
    click.echo(text, err=True)


def fail(error: BaseException, *, as_json: bool) -> int:
    """Print what went wrong as one line or one JSON object; returns the exit code."""
    code = exit_code(error)
    text = " ".join(message_of(error).split())
    if as_json:
        shown = {"error": text, "exitCode": code, "type": type(error).__name__}
        click.echo(json.dumps(shown, sort_keys=True), err=True)
    else:
        click.echo(f"mxgw-py: {text}", err=True)
        if isinstance(error, click.UsageError) and error.ctx is not None:
            click.echo(f"try: {error.ctx.command_path} --help", err=True)
    return code


def message_of(error: BaseException) -> str:
    """The text of an error, with the notes that were added to it."""
    text = error.format_message() if isinstance(error, click.ClickException) else str(error)
    return "; ".join([text, *getattr(error, "__notes__", ())])


def exit_code(error: BaseException) -> int:
    """The code of an error: 1 failure, 2 usage, 3 unreachable, 4 key or scope, 5 timeout."""
    if isinstance(error, click.ClickException):
        return error.exit_code
    for kind, code in _EXIT_CODES:
        if isinstance(error, kind):
            return code
    return FAILURE


_EXIT_CODES: Final[Sequence[tuple[type[BaseException], int]]] = (
    (MxGatewayUnavailableError, UNREACHABLE),
    (MxGatewayCertificateError, UNREACHABLE),
    (MxGatewayAuthenticationError, DENIED),
    (MxGatewayAuthorizationError, DENIED),
    (MxGatewayTimeoutError, TIMED_OUT),
    (MxGatewayArgumentError, USAGE),
    (EncodeError, USAGE),
    (KeyboardInterrupt, INTERRUPTED),
)

#: What a command may raise that is not a bug.
EXPECTED: Final = (MxGatewayError, EncodeError, click.ClickException)
