"""Profiles: named gateways with how to reach them, in a TOML file of the user's; its reading."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, TypeAlias, TypeGuard

import click

from .references import at_home
from .values import parse_bool

#: Names another file than that of ``path()``.
VARIABLE: Final = "MXGATEWAY_CONFIG"

#: What a profile says of one option.
Setting: TypeAlias = str | bool | int | float
Profile: TypeAlias = Mapping[str, Setting]


@dataclass(frozen=True, slots=True)
class Kind:
    """What one key of a profile takes: in words, as types of TOML, and from the command line.

    ``parse`` raises ``ValueError`` or ``KeyError``.
    """

    words: str
    types: tuple[type[Setting], ...]
    parse: Callable[[str], Setting]


def _absolute(path: str) -> str:
    # It is to mean the same file wherever a command is run.
    return str(at_home(path).absolute()) if path else path


def _reference(text: str) -> str:
    kind, colon, path = text.partition(":")
    return f"file:{_absolute(path)}" if (kind, colon) == ("file", ":") else text


_TEXT: Final = Kind("text", (str,), str)
_PATH: Final = Kind("the path of a file", (str,), _absolute)

#: What a profile may have: the connection options by their names.
KEYS: Final[Mapping[str, Kind]] = {
    "endpoint": _TEXT,
    "api-key": Kind("text", (str,), _reference),
    "plaintext": Kind("true or false", (bool,), parse_bool),
    "ca-file": _PATH,
    "certificate-sha256": _TEXT,
    "client-cert-file": _PATH,
    "client-key-file": _PATH,
    "server-name-override": _TEXT,
    "timeout": Kind("a number of seconds", (float, int), float),
}


@dataclass(frozen=True, slots=True)
class Profiles:
    """The file: which profile is used when none is asked for, and all of them by name."""

    default: str | None = None
    profiles: Mapping[str, Profile] = field(default_factory=dict[str, Profile])

    def named(self, name: str) -> Profile:
        """The profile of that name.

        Raises:
            click.UsageError: There is none; the text names those there are.
        """
        if name not in self.profiles:
            names = ", ".join(sorted(self.profiles)) or "none"
            raise click.UsageError(f"there is no profile {name!r} in {path()}; there are: {names}")
        return self.profiles[name]


def path() -> Path:
    """Where the file is, whether it is there or not."""
    if named := os.environ.get(VARIABLE):
        return at_home(named)
    from platformdirs import user_config_path

    return user_config_path("mxgw-py", appauthor=False) / "config.toml"


def load() -> Profiles:
    """What the file says; empty if there is none.

    Raises:
        click.UsageError: It cannot be read, or says what cannot be.
    """
    return parsed(text())


def text() -> str:
    """The file as it is; empty if there is none.

    Raises:
        click.UsageError: It cannot be read.
    """
    try:
        return path().read_text(encoding="utf-8")
    except FileNotFoundError:
        return ""
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is no text"
        raise click.UsageError(f"{path()} cannot be read: {reason}") from None


def parsed(toml: str) -> Profiles:
    """What the text of a file says.

    Raises:
        click.UsageError: It says what cannot be.
    """
    try:
        found: dict[str, object] = tomllib.loads(toml)
        return _profiles(found)
    except tomllib.TOMLDecodeError as error:
        raise click.UsageError(f"{path()}: {error}") from None
    except _Fault as fault:
        raise click.UsageError(f"{path()}: {fault}") from None


class _Fault(Exception):  # noqa: N818 - becomes a usage error, which names the file
    """What is wrong, and at which key."""


def _profiles(found: Mapping[str, object]) -> Profiles:
    for key in found:
        if key not in ("default", "profiles"):
            raise _Fault(f"unknown key {key!r}; known are default and profiles")
    default, tables = found.get("default"), found.get("profiles", {})
    if not _is_table(tables):
        raise _Fault("profiles must be tables, such as [profiles.plant]")
    profiles = {name: _profile(f"profiles.{name}", table) for name, table in tables.items()}
    if default is not None and (not isinstance(default, str) or default not in profiles):
        raise _Fault(f"default names no profile: {default!r}")
    return Profiles(default, profiles)


def _profile(where: str, found: object) -> Profile:
    if not _is_table(found):
        raise _Fault(f"{where} must be a table")
    return {key: _setting(where, key, value) for key, value in found.items()}


def _setting(where: str, key: str, value: object) -> Setting:
    if key not in KEYS:
        raise _Fault(f"{where} has the unknown key {key!r}; known are {', '.join(KEYS)}")
    kind = KEYS[key]
    # By type and not isinstance: true is an int too.
    if type(value) not in kind.types or not isinstance(value, (str, bool, int, float)):
        raise _Fault(f"{where}.{key} must be {kind.words}")
    return value


def _is_table(value: object) -> TypeGuard[Mapping[str, object]]:
    return isinstance(value, dict)  # whose keys are text in TOML


def profile_for(name: str | None, endpoint: str | None, *, default_endpoint: str) -> Profile:
    """The settings of the profile that goes with a command line.

    A profile goes with its endpoint: its key is never sent to another one. Where another is given,
    a profile that was asked for is an error, and the default one is left out.

    Args:
        name: The profile that was asked for, if any.
        endpoint: The endpoint that was given, if any.
        default_endpoint: That of a profile which names none.
    """
    known = load()
    chosen = name or known.default
    if chosen is None:
        return {}
    profile = known.named(chosen)
    if endpoint is None or endpoint == profile.get("endpoint", default_endpoint):
        return profile
    if name is not None:
        raise click.UsageError(
            f"--profile {name} is for another endpoint than --endpoint (or MXGATEWAY_ENDPOINT) "
            "names; give one of them"
        )
    return {}
