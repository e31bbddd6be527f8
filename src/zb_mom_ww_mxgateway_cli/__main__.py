"""``mxgw-py``: the one place where errors become exit codes."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final, TextIO

import click

from . import exits
from .output import fail, wants_json
from .program import COMPLETION, Program
from .references import without_keys
from .signals import CODES, ignore

#: How click begins to say that there are words too many, before it says which.
_TOO_MANY: Final = "Got unexpected extra"
#: What click calls a whole number within limits, and what people call it.
_CLICK_SAYS: Final = ("a valid integer range", "a whole number")


@click.group(
    cls=Program,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="mxgw-py COMMAND --help has the options and an example; mxgw-py help exit-codes, "
    "environment or profiles explains what all commands share.",
)
@click.version_option(package_name="zb-mom-ww-mxgateway", prog_name="mxgw-py")
def cli() -> None:
    """Talk to an MXAccess Gateway, or simulate one."""


def run(arguments: Sequence[str]) -> int:
    """Run one command line; its exit code.

    Raises:
        BrokenPipeError: Whoever read the output had enough of it.
    """
    if not arguments:
        run(["--help"])
        return exits.USAGE
    as_json = wants_json(arguments)
    try:
        code = int(cli.main(list(arguments), prog_name="mxgw-py", standalone_mode=False) or 0)
        sys.stdout.flush()  # while there still is somebody to be told that it cannot be written
        return code
    except click.ClickException as error:
        context = getattr(error, "ctx", None)
        hint = f"{context.command_path} --help" if context is not None else None
        said = _without_words(error, arguments)
        text = "; ".join([said, *getattr(error, "__notes__", ())])
        text = without_keys(text).replace(*_CLICK_SAYS)
        return fail(text, type(error).__name__, error.exit_code, as_json=as_json, hint=hint)
    except (KeyboardInterrupt, click.Abort):
        return exits.INTERRUPTED
    except SystemExit as end:
        # So click ends on a closed pipe, and here on nothing else.
        raise BrokenPipeError from end
    except BrokenPipeError:
        raise
    except Exception as error:
        from .failures import EXPECTED, exit_code, text_of

        # Those of files have a name and are told by who opens them, those of networks by the SDK.
        if type(error) is OSError and error.filename is None:
            text = f"the output cannot be written: {error.strerror}"
            return fail(text, "OSError", exits.FAILURE, as_json=as_json)
        if not isinstance(error, EXPECTED):
            raise
        text = without_keys(text_of(error))
        return fail(text, type(error).__name__, exit_code(error), as_json=as_json)


def _without_words(error: click.ClickException, arguments: Sequence[str]) -> str:
    """What click says, but for words too many: a secret without its quotes falls into such."""
    said = error.format_message()
    context = error.ctx if isinstance(error, click.UsageError) else None
    if context is None or not said.startswith(_TOO_MANY):
        return said
    command, depth = context.command, 0
    while context.parent is not None:
        context, depth = context.parent, depth + 1
    parser = command.make_parser(click.Context(command))
    _, extra, _ = parser.parse_args([*arguments[depth:]])
    what = "argument" if len(extra) == 1 else "arguments"
    return f"{_TOO_MANY} {what}: {len(extra)} too many; a text with spaces goes in quotes"


def main() -> None:
    """The console script."""
    _open_closed_streams()
    for stream in (sys.stdout, sys.stderr):
        # A pipe on Windows seldom carries every character; better an escape than a failure.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    if COMPLETION in os.environ:
        from .completion import complete

        sys.exit(complete(cli))
    try:
        code = run(sys.argv[1:])
    except BrokenPipeError:
        code = exits.OK
        _drop(sys.stdout)
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            _drop(stream)
    if code in CODES.values():
        ignore()
    sys.exit(code)


def _open_closed_streams() -> None:
    """Whoever starts the program may have closed a standard stream: nobody is there."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            stream = Path(os.devnull).open(mode, encoding="utf-8")  # noqa: SIM115
            setattr(sys, name, stream)


def _drop(stream: TextIO) -> None:
    """Let go of what is left in a buffer: it has nowhere to go."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


if __name__ == "__main__":
    main()
