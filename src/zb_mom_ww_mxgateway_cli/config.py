"""``mxgw-py config``: what profiles say, and the file that they are in."""

from __future__ import annotations

import os
import re
from collections.abc import Generator, MutableMapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, TypeAlias, TypeGuard

import click
import tomlkit

from zb_mom_ww_mxgateway import MxGatewayArgumentError

from . import profiles
from .completion import complete_profile
from .connection import client_options
from .output import Output, progress, with_output
from .profiles import KEYS, VARIABLE, Profile, Setting
from .references import is_secret, without_keys

#: A table of the file, as tomlkit keeps it: with its comments.
_Table: TypeAlias = MutableMapping[str, Any]

_NAME: Final = re.compile(r"\w[\w.-]*")
#: What the file is written as before it takes the place of the one there is.
_NEXT: Final = ".next"


@click.group(epilog="Example: mxgw-py config set plant endpoint=gateway:5001 api-key=env:PLANT_KEY")
def config() -> None:
    """Keep what it takes to reach gateways, as profiles.

    'mxgw-py help profiles' says what a profile may have and when one is used.
    """


@config.command(
    "set",
    epilog="Example: mxgw-py config set plant endpoint=gateway:5001 api-key=env:PLANT_KEY "
    "ca-file=plant-ca.pem",
)
@click.argument("profile", shell_complete=complete_profile)
@click.argument("settings", metavar="KEY=VALUE...", nargs=-1, required=True)
@with_output
def set_(profile: str, settings: Sequence[str], output: Output) -> None:
    """Set what a profile says; makes the profile if there is none.

    Paths are kept absolute. An API key is best kept as env:NAME or file:PATH.
    """
    if not _NAME.fullmatch(profile):
        raise click.UsageError("a profile's name has letters, digits, '.', '_' and '-' only")
    given = dict(_setting(text) for text in settings)
    with _editing(profile) as document:
        is_new = profile not in (tables := _tables(document))
        table: _Table = tables.setdefault(profile, tomlkit.table())
        table.update(given)
    if is_new:
        progress(f"to use it: --profile {profile}, or always with 'mxgw-py config use {profile}'")
    _show_one(profile, output)


@config.command(epilog="Example: mxgw-py config unset plant server-name-override")
@click.argument("profile", shell_complete=complete_profile)
@click.argument("keys", metavar="[KEY]...", nargs=-1, type=click.Choice(list(KEYS)))
@with_output
def unset(profile: str, keys: Sequence[str], output: Output) -> None:
    """Remove settings from a profile, or the whole profile."""
    known = profiles.load()
    kept = known.named(profile)
    missing = [key for key in keys if key not in kept]
    if missing:
        raise click.UsageError(f"profile {profile} does not set {' and '.join(missing)}")
    with _editing(profile) as document:
        tables = _tables(document)
        for key in keys:
            del tables[profile][key]
        if not keys:
            del tables[profile]
            if known.default == profile:
                del document["default"]
    if keys:
        _show_one(profile, output)


@config.command(epilog="Example: mxgw-py config show plant")
@click.argument("profile", shell_complete=complete_profile, required=False)
@with_output
def show(profile: str | None, output: Output) -> None:
    """Show a profile, or all of them; *** stands for an API key.

    What only says where a key is, such as env:NAME, is shown.
    """
    if profile is not None:
        _show_one(profile, output)
        return
    known = profiles.load()
    output.rows(
        [_data(name, known) for name in known.profiles],
        [_shown(name, known) for name in known.profiles],
        columns=_columns(),
    )


@config.command(epilog="Example: mxgw-py config use plant")
@click.argument("profile", shell_complete=complete_profile, required=False)
@click.option("--none", "nothing", is_flag=True, help="Use none from now on.")
@with_output
def use(profile: str | None, nothing: bool, output: Output) -> None:
    """Say which profile is used where none is asked for."""
    if (profile is None) is not nothing:
        raise click.UsageError("name a profile, or give --none")
    if profile is not None:
        profiles.load().named(profile)
    with _editing() as document:
        if profile is None:
            document.pop("default", None)
        else:
            document["default"] = profile
    output.record({"default": None if profile is None else without_keys(profile)})


@config.command(epilog="Example: mxgw-py config path")
@with_output
def path(output: Output) -> None:
    """Show where the file with the profiles is, or would be."""
    file = profiles.path()
    output.record({"exists": file.exists(), "path": str(file)})


def _setting(text: str) -> tuple[str, Setting]:
    key, equals, value = text.partition("=")
    if not equals:  # and it may be anything, a key by mistake too
        raise click.UsageError("settings are given as KEY=VALUE, such as endpoint=gateway:5001")
    if key not in KEYS:
        raise click.UsageError(f"there is no key {key!r} in a profile; keys are {', '.join(KEYS)}")
    try:
        return key, KEYS[key].parse(value)
    except (ValueError, KeyError):
        raise click.UsageError(f"{key} takes {KEYS[key].words}") from None


def _show_one(name: str, output: Output) -> None:
    known = profiles.load()
    output.record(_data(name, known), _shown(name, known), columns=_columns())


def _data(name: str, known: profiles.Profiles) -> dict[str, Setting]:
    masked = _masked(known.named(name))
    return {
        "default": name == known.default,
        "profile": without_keys(name),
        **{_camel(key): value for key, value in masked.items()},
    }


def _shown(name: str, known: profiles.Profiles) -> dict[str, Setting]:
    default = {"default": "yes"} if name == known.default else {}
    return {"profile": without_keys(name), **default, **_masked(known.named(name))}


def _masked(profile: Profile) -> dict[str, Setting]:
    return {key: _without_secret(key, value) for key, value in profile.items()}


def _without_secret(key: str, value: Setting) -> Setting:
    if key == "api-key" and is_secret(str(value)):
        return "***"
    return without_keys(value) if isinstance(value, str) else value  # a key in the wrong place


def _columns() -> list[str]:
    return ["default", "profile", *map(_camel, KEYS)]


def _camel(key: str) -> str:
    first, *rest = key.split("-")
    return first + "".join(map(str.capitalize, rest))


@contextmanager
def _editing(profile: str | None = None) -> Generator[_Table]:
    """The file as tomlkit reads it; written when the block ends well, and ``profile`` can be.

    The next state is written beside the file. As that is made only where there is none, it keeps
    two changes at once apart, of which one would lose the other's.
    """
    file = Path(os.path.realpath(profiles.path()))  # a link stays a link
    following = file.with_name(file.name + _NEXT)
    try:
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        made = os.open(following, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise click.ClickException(
            f"{file} is being changed by somebody else; if that is not so, delete {following}"
        ) from None
    except OSError as error:
        raise _unwritable(file, error) from None
    try:
        with open(made, "w", encoding="utf-8", newline="") as written:
            profiles.load()  # which says what is wrong with it now
            document: _Table = tomlkit.parse(profiles.text())
            yield document
            text = tomlkit.dumps(document)
            _check(profiles.parsed(text).profiles.get(profile or "", {}))
            written.write(text)
            written.flush()
            os.fsync(written.fileno())
        os.replace(following, file)
    except BaseException as error:
        # Only here: once it was renamed, a file of that name is somebody else's.
        following.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise _unwritable(file, error) from None
        raise


def _unwritable(file: Path, error: OSError) -> click.ClickException:
    return click.ClickException(
        f"{file} cannot be written: {error.strerror or error}; {VARIABLE} names another file"
    )


def _check(profile: Profile) -> None:
    """Raise what using the profile would, without looking for a key that is elsewhere."""
    settings = {
        key.replace("-", "_"): value
        for key, value in profile.items()
        if key != "api-key" or is_secret(str(value))
    }
    try:
        client_options(settings)
    except MxGatewayArgumentError as error:
        error.add_note("nothing was changed")
        raise


def _tables(document: _Table) -> _Table:
    """The tables of the profiles, made if there are none."""
    found: object = document.setdefault("profiles", tomlkit.table(is_super_table=True))
    assert _is_table(found)  # or the file would not have been read
    return found


def _is_table(value: object) -> TypeGuard[_Table]:
    return isinstance(value, MutableMapping)
