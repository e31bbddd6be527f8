"""The group of all commands. None is imported before it is run, so that help is quick."""

from __future__ import annotations

import json
from collections.abc import Mapping
from difflib import get_close_matches
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import click

_CONTRACT: Final = "zb_mom_ww_mxgateway_contracts"
#: The section of the commands that the contract alone has.
GATEWAY: Final = "Gateway commands"

#: By section and name: where a command is, and what help says of it.
COMMANDS: Final[Mapping[str, Mapping[str, tuple[str, str]]]] = {
    "Everyday": {},
    GATEWAY: {
        "open-session": ("session:open_session", "Open a session and leave it open."),
        "close-session": ("session:close_session", "Close a session."),
        "stream-events": ("session:stream_events", "Show a session's events."),
        "smoke": ("session:smoke", "Open, register, add, advise, see events, close."),
    },
    "Galaxy": {},
    "Alarms": {},
    "Simulator": {
        "simulate": ("simulate:simulate", "Run a gateway without a plant."),
        "demo": ("demo:demo", "Show the main job against a simulator."),
    },
    "Contract": {
        "contract": ("contract:contract", "Compare the contract with a gateway's."),
    },
    "Tools": {
        "version": ("version:version", "Show the versions of client and gateway protocol."),
    },
}


@cache
def contract_summary() -> dict[str, Any]:
    """``commands``, with the text of each, and ``protocol``; the contract is not imported."""
    spec = find_spec(_CONTRACT)
    assert spec is not None
    assert spec.origin is not None
    found: dict[str, Any] = json.loads(
        Path(spec.origin).with_name("commands.json").read_text(encoding="utf-8")
    )
    return found


class Program(click.Group):
    """Commands by section: those of ``COMMANDS``, and the others that the contract has.

    Where both have a name, such as ``write``, the contract's is meant if ``--session-id`` is given.
    """

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Every command's name, section by section."""
        return [name for section in self._sections().values() for name in section]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """A command, imported now."""
        for section in COMMANDS.values():
            if cmd_name in section:
                module, _, name = section[cmd_name][0].partition(":")
                found: click.Command = getattr(import_module(f".{module}", __package__), name)
                return found
        return _of_contract(cmd_name)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command that is meant; the error for none names those that are spelled like it."""
        name, *rest = args
        in_session = any(arg.partition("=")[0] == "--session-id" for arg in rest)
        found = _of_contract(name) if in_session else None
        found = found or self.get_command(ctx, name)
        if found is None:
            close = get_close_matches(name, self.list_commands(ctx))
            meant = f" Did you mean {' or '.join(close)}?" if close else ""
            ctx.fail(f"No such command {name!r}.{meant}")
        return name, found, rest

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the commands, by section."""
        for title, section in self._sections().items():
            with formatter.section(title):
                formatter.write_dl(list(section.items()))

    def _sections(self) -> dict[str, dict[str, str]]:
        """What help says of each command, by section and name."""
        sections = {
            title: {name: text for name, (_, text) in section.items()}
            for title, section in COMMANDS.items()
        }
        by_hand = {name for section in sections.values() for name in section}
        for name, text in contract_summary()["commands"].items():
            if name.replace("_", "-") not in by_hand:
                first = text.partition(". ")[0].removesuffix(".")
                sections[GATEWAY][name.replace("_", "-")] = f"{first}."
        return {title: section for title, section in sections.items() if section}


def _of_contract(name: str) -> click.Command | None:
    """A command of the contract, imported now."""
    name = name.replace("-", "_")
    if name not in contract_summary()["commands"]:
        return None
    from .handle import handle_command

    return handle_command(name)
