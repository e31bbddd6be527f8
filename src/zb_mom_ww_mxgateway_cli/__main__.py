"""``mxgw-py``: the one place where errors become exit codes."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Sequence
from typing import Final

import click

from . import exits
from .output import fail, wants_json
from .program import COMPLETION, Program
from .references import without_keys

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
        return int(cli.main(list(arguments), prog_name="mxgw-py", standalone_mode=False) or 0)
    except click.ClickException as error:
        context = getattr(error, "ctx", None)
        hint = f"{context.command_path} --help" if context is not None else None
        text = "; ".join([error.format_message(), *getattr(error, "__notes__", ())])
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

        if not isinstance(error, EXPECTED):
            raise
        text = without_keys(text_of(error))
        return fail(text, type(error).__name__, exit_code(error), as_json=as_json)


def main() -> None:
    """The console script."""
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
        # What is left in the buffer has nowhere to go.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = exits.OK
    sys.exit(code)


if __name__ == "__main__":
    main()
