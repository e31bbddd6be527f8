"""Profiles: named gateways with how to reach them, in a TOML file of the user's."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import click

#: Names another file than that of ``path()``.
VARIABLE: Final = "MXGATEWAY_CONFIG"

#: What a profile may have: the connection options by their names, and the type of each.
KEYS: Final[Mapping[str, type]] = {
    "endpoint": str,
    "api-key": str,
    "plaintext": bool,
    "ca-file": str,
    "certificate-sha256": str,
    "client-cert-file": str,
    "client-key-file": str,
    "server-name-override": str,
    "timeout": float,
}


@dataclass(frozen=True, slots=True)
class Profiles:
    """The file: which profile is used when none is asked for, and all of them by name."""

    default: str | None = None
    profiles: Mapping[str, Mapping[str, Any]] = field(default_factory=dict[str, dict[str, Any]])


def path() -> Path:
    """Where the file is, whether it is there or not."""
    if named := os.environ.get(VARIABLE):
        return Path(named)
    from platformdirs import user_config_path

    return user_config_path("mxgw-py", appauthor=False) / "config.toml"


def load() -> Profiles:
    """What the file says; empty if there is none.

    Raises:
        click.UsageError: It cannot be read, or says what cannot be.
    """
    file = path()
    try:
        table = tomllib.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return Profiles()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is no text"
        raise click.UsageError(f"{file} cannot be read: {reason}") from None
    except tomllib.TOMLDecodeError as error:
        raise click.UsageError(f"{file}: {error}") from None
    return _checked(file, table)


def _checked(file: Path, table: dict[str, Any]) -> Profiles:
    default, profiles = table.pop("default", None), table.pop("profiles", {})
    if table:
        raise click.UsageError(
            f"{file}: unknown key {min(table)!r}; known are default and profiles"
        )
    if default is not None and (not isinstance(default, str) or default not in profiles):
        raise click.UsageError(f"{file}: default names no profile: {default!r}")
    if not isinstance(profiles, dict):
        raise click.UsageError(f"{file}: profiles must be tables, such as [profiles.plant]")
    for name, profile in profiles.items():  # pyright: ignore[reportUnknownVariableType]
        _check(file, f"profiles.{name}", profile)
    return Profiles(default, profiles)  # pyright: ignore[reportUnknownArgumentType]


def _check(file: Path, where: str, profile: Any) -> None:
    if not isinstance(profile, dict):
        raise click.UsageError(f"{file}: {where} must be a table")
    for key, value in profile.items():  # pyright: ignore[reportUnknownVariableType]
        if key not in KEYS:
            raise click.UsageError(
                f"{file}: {where} has the unknown key {key!r}; known are {', '.join(KEYS)}"
            )
        kind = KEYS[key]
        is_number = kind is float and type(value) is int  # pyright: ignore[reportUnknownArgumentType]
        if type(value) is not kind and not is_number:  # pyright: ignore[reportUnknownArgumentType]
            raise click.UsageError(f"{file}: {where}.{key} must be of type {kind.__name__}")


def profile_for(name: str | None, endpoint: str | None) -> Mapping[str, Any]:
    """The settings of the profile that goes with a command line.

    A profile goes with its endpoint: its key is never sent to another one. Where another is given,
    a profile that was asked for is an error, and the default one is left out.

    Args:
        name: The profile that was asked for, if any.
        endpoint: The endpoint that was given, if any.
    """
    known = load()
    chosen = name or known.default
    if chosen is None:
        return {}
    if chosen not in known.profiles:
        names = ", ".join(sorted(known.profiles)) or "none"
        raise click.UsageError(f"there is no profile {chosen!r} in {path()}; there are: {names}")
    profile = known.profiles[chosen]
    if endpoint is None or endpoint == profile.get("endpoint"):
        return profile
    if name is not None:
        raise click.UsageError(
            f"--profile {name} is for another endpoint than --endpoint (or MXGATEWAY_ENDPOINT) "
            "names; give one of them"
        )
    return {}
