"""Writes docs/command-reference.md from the commands themselves: ``make docs``."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

import click

from zb_mom_ww_mxgateway_cli.__main__ import cli
from zb_mom_ww_mxgateway_cli.connection import connected
from zb_mom_ww_mxgateway_cli.handle import handle_command
from zb_mom_ww_mxgateway_cli.output import with_output
from zb_mom_ww_mxgateway_cli.program import GATEWAY, both_ways

TARGET: Final = Path(__file__).with_name("command-reference.md")

_HEAD: Final = """\
# Command reference

Written by `make docs` from the commands themselves; edits are lost.
[The command line](command-line.md) says how they go together.
"""


def reference() -> str:
    """The whole page."""
    context = click.Context(cli, info_name="mxgw-py")
    parts = [_HEAD]
    for title, names in cli.sections().items():
        parts.append(f"## {title}\n")
        for name in names:
            parts += _command(_found(cli, context, name), context, name)
        if title == GATEWAY:
            for name in both_ways():
                command = handle_command(name.replace("-", "_"))
                parts += _command(command, context, f"{name} --session-id")
    parts.append("## Options that many commands have\n")
    parts += ["### To talk to a gateway\n", *_options(_CONNECTING, context)]
    parts += ["### To print a result\n", *_options(_PRINTING, context)]
    return "\n".join(parts).rstrip() + "\n"


def _found(group: click.Group, context: click.Context, name: str) -> click.Command:
    command = group.get_command(context, name)
    assert command is not None
    return command


async def _nothing(*_: object, **__: object) -> None:
    """What has only the options that its decorators add."""


_PRINTING: Final = click.command()(with_output(_nothing)).params
_ALL: Final = click.command()(connected(_nothing)).params
_CONNECTING: Final = [param for param in _ALL if param.name not in {p.name for p in _PRINTING}]
_SHARED: Final = {param.name: param.to_info_dict() for param in _ALL}


def _is_own(param: click.Parameter) -> bool:
    return param.to_info_dict() != _SHARED.get(param.name)


def _command(command: click.Command, parent: click.Context, name: str) -> Iterator[str]:
    context = click.Context(command, info_name=name, parent=parent)
    yield f"### `{context.command_path}`\n"
    yield inspect.cleandoc(command.help or "") + "\n"
    usage = " ".join(command.collect_usage_pieces(context))
    yield f"```\n{context.command_path} {usage}\n```\n"
    if command.epilog:
        text, _, example = command.epilog.replace("\b\n", "").partition("Example:")
        yield from (
            f"{part}\n"
            for part in (" ".join(text.split()), f"Example: `{example.strip()}`")
            if part
        )
    yield from _options([param for param in command.params if _is_own(param)], context)
    names = {param.name for param in command.params if not _is_own(param)}
    if "endpoint" in names:
        yield "Also the options [to talk to a gateway](#to-talk-to-a-gateway) and [to print a"
        yield "result](#to-print-a-result).\n"
    elif names:
        yield "Also the options [to print a result](#to-print-a-result).\n"
    if isinstance(command, click.Group):
        for inner in command.list_commands(context):
            yield from _command(_found(command, context, inner), context, inner)


def _options(params: Iterable[click.Parameter], context: click.Context) -> Iterator[str]:
    records = [
        record for param in params if (record := param.get_help_record(context)) and record[1]
    ]
    if records:
        yield "| option | what |\n|---|---|"
        for names, text in records:
            yield f"| `{_cell(names)}` | {_cell(text)} |"
        yield ""


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def main(arguments: list[str]) -> int:
    """Write the page, or with ``--check`` say by the exit code whether it is in step."""
    text = reference()
    if arguments == ["--check"]:
        return 0 if TARGET.read_text(encoding="utf-8") == text else 1
    TARGET.write_text(text, encoding="utf-8", newline="\n")
    print(f"wrote {TARGET.name}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
