"""The group of all commands. None is imported before it is run, so that help is quick."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import click
from click.shell_completion import CompletionItem

_CONTRACT: Final = "zb_mom_ww_mxgateway_contracts"
#: The section of the commands that the contract alone has.
GATEWAY: Final = "Gateway commands"

#: Characters of a name that is looked at closely: comparing takes the square of them.
_LONGEST: Final = 100

#: How click is told to leave a paragraph as it is.
_WHOLE: Final = "\b\n"

#: Set by the scripts of ``completion``, to the shell and what it wants: ``bash_complete``.
COMPLETION: Final = "_MXGW_PY_COMPLETE"

#: By section and name: where a command is, and what help says of it.
COMMANDS: Final[Mapping[str, Mapping[str, tuple[str, str]]]] = {
    "Everyday": {
        "read": ("read:read", "Read tags: value, quality and time of each."),
        "write": ("write:write", "Write values to tags, and wait for the outcome of each."),
        "watch": ("watch:watch", "Watch tags: a live table on a terminal, else a row a change."),
        "info": ("info:info", "Show what a tag is, and its value."),
        "browse": ("browse:browse", "Show what is in an object."),
        "tree": ("browse:tree", "Show the tree of objects."),
        "find": ("find:find", "Find objects, or attributes, by name."),
        "deploys": ("deploys:deploys", "Watch deploys of the galaxy."),
        "doctor": ("doctor:doctor", "Say what works between here and a gateway."),
    },
    GATEWAY: {
        "open-session": ("session:open_session", "Open a session and leave it open."),
        "close-session": ("session:close_session", "Close a session."),
        "stream-events": ("session:stream_events", "Show a session's events."),
        "smoke": ("session:smoke", "Open, register, add, advise, see events, close."),
    },
    "Galaxy": {
        "galaxy-test-connection": (
            "galaxy:galaxy_test_connection",
            "Ask whether the gateway reaches the Galaxy Repository.",
        ),
        "galaxy-last-deploy": (
            "galaxy:galaxy_last_deploy",
            "Show when the galaxy was last deployed.",
        ),
        "galaxy-discover": ("galaxy:galaxy_discover", "List objects and their attributes."),
        "galaxy-browse": ("galaxy:galaxy_browse", "List the objects right below one."),
        "galaxy-watch": ("galaxy:galaxy_watch", "Show the deploy state and each deploy."),
    },
    "Alarms": {
        "alarms": ("alarms:alarms", "Show the alarms that are active."),
        "ack": ("alarms:ack", "Acknowledge alarms."),
        "stream-alarms": ("alarms:stream_alarms", "Show the alarms, then every change."),
        "query-active-alarms": (
            "alarms:query_active_alarms",
            "Show the alarms that are active, as the gateway has them.",
        ),
        "acknowledge-alarm": ("alarms:acknowledge_alarm", "Acknowledge one alarm."),
    },
    "Simulator": {
        "simulate": ("simulate:simulate", "Run a gateway without a plant."),
        "demo": ("demo:demo", "Show the main job against a simulator."),
    },
    "Contract": {
        "contract": ("contract:contract", "Compare the contract with a gateway's."),
    },
    "Tools": {
        "batch": (
            "batch:batch",
            "Run command lines from standard input over one connection.",
        ),
        "bench-read-bulk": ("bench:bench_read_bulk", "Measure how fast tags are read in bulk."),
        "bench-stream-events": ("bench:bench_stream_events", "Measure how fast events arrive."),
        "version": ("version:version", "Show the versions of client and gateway protocol."),
        "completion": (
            "completion:completion",
            "Print the script that completes command lines in a shell.",
        ),
        "config": ("config:config", "Keep what it takes to reach gateways, as profiles."),
        "help": ("help:help_", "Explain a command, or what all commands share."),
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


def close_matches(name: str, known: Sequence[str]) -> list[str]:
    """What of the known names is spelled like ``name``; nothing is like one that is very long."""
    return get_close_matches(name, known) if len(name) <= _LONGEST else []


def cut(name: str) -> str:
    """``name`` as an error shows it, which may be anything and of any length."""
    return name if len(name) <= _LONGEST else f"{name[:_LONGEST]}…"


def both_ways() -> list[str]:
    """Names of commands by hand that the contract has too: its are meant with ``--session-id``."""
    by_hand = {name for section in COMMANDS.values() for name in section}
    names = [name.replace("_", "-") for name in contract_summary()["commands"]]
    return [name for name in names if name in by_hand]


class Program(click.Group):
    """Commands by section: those of ``COMMANDS``, and the others that the contract has.

    Where both have a name, such as ``write``, the contract's is meant if ``--session-id`` is given.
    """

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Every command's name, section by section."""
        return [name for section in self.sections().values() for name in section]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """A command, imported now."""
        for section in COMMANDS.values():
            if cmd_name in section:
                module, _, name = section[cmd_name][0].partition(":")
                found: click.Command = getattr(import_module(f".{module}", __package__), name)
                return _with_whole_examples(found)
        return _of_contract(cmd_name)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command that is meant; the error for none names those that are spelled like it."""
        name, *rest = args
        in_session = any(arg.partition("=")[0] == "--session-id" for arg in rest)
        found = _of_contract(name) if in_session else None
        found = found or self.get_command(ctx, name)
        if found is None and not ctx.resilient_parsing:
            close = close_matches(name, self.list_commands(ctx))
            meant = f" Did you mean {' or '.join(close)}?" if close else ""
            ctx.fail(f"No such command {cut(name)!r}.{meant}")
        return name, found, rest

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """The commands and options that begin with ``incomplete``; imports none of them."""
        found = [
            CompletionItem(name, help=text)
            for section in self.sections().values()
            for name, text in section.items()
            if name.startswith(incomplete)
        ]
        # Not super(), which is a group that imports each command for its help.
        return found + click.Command.shell_complete(self, ctx, incomplete)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the commands, by section."""
        for title, section in self.sections().items():
            with formatter.section(title):
                formatter.write_dl(list(section.items()))

    def sections(self) -> dict[str, dict[str, str]]:
        """What help says of each command, by section and name."""
        sections = {
            title: {name: text for name, (_, text) in section.items()}
            for title, section in COMMANDS.items()
        }
        taken = both_ways()
        for method, text in contract_summary()["commands"].items():
            name = method.replace("_", "-")
            if name not in taken:
                first = text.partition(". ")[0].removesuffix(".")
                sections[GATEWAY][name] = f"{first}."
        return {title: section for title, section in sections.items() if section}


def _of_contract(name: str) -> click.Command | None:
    """A command of the contract, imported now."""
    name = name.replace("-", "_")
    if name not in contract_summary()["commands"]:
        return None
    from .handle import handle_command

    return _with_whole_examples(handle_command(name))


def _with_whole_examples(command: click.Command) -> click.Command:
    """The command, whose help breaks no line within an example: it is to be copied."""
    if command.epilog and _WHOLE not in command.epilog:
        command.epilog = command.epilog.replace("Example:", f"\n\n{_WHOLE}Example:").lstrip("\n")
    if isinstance(command, click.Group):
        for inner in command.commands.values():
            _with_whole_examples(inner)
    return command
