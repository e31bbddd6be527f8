"""``mxgw-py``: the group of all commands, and the one place where errors become exit codes."""

from __future__ import annotations

import io
import sys
from collections.abc import Sequence

import click

from .contract import contract
from .demo import demo
from .handle import add_handle_commands
from .output import EXPECTED, INTERRUPTED, USAGE, fail
from .session import close_session, open_session, smoke, stream_events
from .simulate import simulate
from .version import version


@click.group(
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Exit codes: 0 ok, 1 failure, 2 usage, 3 unreachable, 4 key or scope, 5 timeout, "
    "6 some items failed, 130 Ctrl-C, 143 SIGTERM; simulate ends with 0 on either.",
)
@click.version_option(package_name="zb-mom-ww-mxgateway", prog_name="mxgw-py")
def cli() -> None:
    """Talk to an MXAccess Gateway, or simulate one."""


for _command in (
    version,
    simulate,
    demo,
    smoke,
    open_session,
    close_session,
    stream_events,
    contract,
):
    cli.add_command(_command)
add_handle_commands(cli)


def run(arguments: Sequence[str]) -> int:
    """Run one command line; its exit code."""
    if not arguments:
        run(["--help"])
        return USAGE
    as_json = "--json" in arguments
    try:
        return int(cli.main(list(arguments), prog_name="mxgw-py", standalone_mode=False) or 0)
    except EXPECTED as error:
        return fail(error, as_json=as_json)
    except (KeyboardInterrupt, click.Abort):
        return INTERRUPTED


def main() -> None:
    """The console script."""
    for stream in (sys.stdout, sys.stderr):
        # A pipe on Windows seldom carries every character; better an escape than a failure.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
