"""``conventions.toml``: what the contract cannot say."""

from __future__ import annotations

import keyword
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from .errors import CodegenError

#: The name of the file, which stands beside the contract.
FILE = "conventions.toml"
#: The name of the generated package where no conventions name one.
DEFAULT_ROOT = "contracts"


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandConventions:
    """How commands are found, and what their methods look like beyond their fields' types.

    ``rpc`` carries the commands; ``request_suffix`` is what payload messages are called beyond
    their kind. ``reply_arms`` names the reply member of kinds that share another kind's.
    ``protocol`` is what the gateway says of itself when it speaks this contract.
    ``optional`` (its default is the type's) and ``keyword_only`` list fields by method name.
    """

    rpc: str
    request_suffix: str
    value_message: str
    protocol: int
    max_bulk_items: int
    reply_arms: Mapping[str, str]
    optional: Mapping[str, Sequence[str]]
    keyword_only: Mapping[str, Sequence[str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Conventions:
    """The whole file. ``rename`` and ``redact`` are by full proto name."""

    file: str = FILE
    root: str = DEFAULT_ROOT
    rename: Mapping[str, str] = field(default_factory=dict[str, str])
    redact: frozenset[str] = frozenset()
    commands: CommandConventions | None = None


def read_conventions(proto_dir: Path) -> Conventions:
    """The conventions beside the contract; without a file, messages and services alone are made."""
    path = proto_dir / FILE
    if not path.exists():
        return Conventions()
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
        commands = table.pop("commands", None)
        conventions = Conventions(
            file=str(path),
            root=_package(table.pop("package", DEFAULT_ROOT)),
            rename=_rename(table.pop("rename", {})),
            redact=frozenset(table.pop("redact", ())),
            commands=_commands(commands) if commands is not None else None,
        )
    except (tomllib.TOMLDecodeError, KeyError, TypeError) as error:
        raise CodegenError(f"{error}", where=str(path), hint="see proto/conventions.toml") from None
    if table:
        raise CodegenError(
            f"unknown key {min(table)!r}",
            where=str(path),
            hint="known are package, rename, redact and commands",
        )
    return conventions


def _package(name: object) -> str:
    if not _is_identifier(name):
        raise TypeError(f"package: {name!r} cannot be imported")
    return str(name)


def _rename(table: Mapping[str, object]) -> dict[str, str]:
    for name, wanted in table.items():
        if not _is_identifier(wanted):
            raise TypeError(f"rename: {name!r} cannot be called {wanted!r}")
    return {name: str(wanted) for name, wanted in table.items()}


def _is_identifier(name: object) -> bool:
    return isinstance(name, str) and name.isidentifier() and not keyword.iskeyword(name)


def _commands(table: dict[str, Any]) -> CommandConventions:
    known = {item.name for item in fields(CommandConventions)}
    unknown = table.keys() - known
    if unknown:
        raise KeyError(
            f"[commands] has no key {min(unknown)!r}; known are {', '.join(sorted(known))}"
        )
    given: dict[str, Any] = {"reply_arms": {}, "optional": {}, "keyword_only": {}, **table}
    for name, kind in (
        ("rpc", str),
        ("request_suffix", str),
        ("protocol", int),
        ("max_bulk_items", int),
    ):
        if not isinstance(given.get(name), kind):
            raise TypeError(f"[commands] {name} must be given, as {kind.__name__}")
    return CommandConventions(**given)
