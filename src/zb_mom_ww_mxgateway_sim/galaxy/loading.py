"""Galaxies from TOML files. ``docs/simulator-galaxy.md`` says what these may have."""

from __future__ import annotations

import os
import re
from functools import cache
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Final
from uuid import UUID

from .definition import (
    DEFAULT_NAME,
    AlarmStep,
    GalaxyDefinition,
    UserDefinition,
)
from .documents import Document, Table
from .loading_attributes import AttributeReader
from .loading_objects import Objects
from .loading_signals import LONGEST, GalaxyFileError as GalaxyFileError, SignalReader
from .loading_templates import Templates

_PROVIDER: Final = re.compile(r"[\w$#-]+")


def load_galaxy(path: str | os.PathLike[str], *, change_interval: float) -> GalaxyDefinition:
    """Read a galaxy from a TOML file.

    Args:
        path: The file; the paths of recordings in it start from its folder.
        change_interval: Seconds between two values of a signal, positive; other times are rounded
            up to a multiple of it.

    Raises:
        OSError: The file cannot be read.
        GalaxyFileError: It describes no galaxy; the text has file, line, key and what to do.
    """
    file = Path(path)
    return _loaded(file, file.parent, change_interval)


@cache
def default_galaxy(change_interval: float, *, plant: bool = True) -> GalaxyDefinition:
    """The galaxy that a simulated gateway has unless it is given another.

    Args:
        change_interval: Seconds between two values of a signal, positive.
        plant: Whether the small plant is there besides the TestMachine objects.
    """
    folder = resources.files(__name__.rpartition(".")[0])
    machines, rest = (
        _loaded(folder.joinpath(name), folder, change_interval)
        for name in ("machines.toml", "plant.toml")
    )
    if not plant:
        return machines
    return GalaxyDefinition(
        entries=machines.entries + rest.entries,
        alarm_script=rest.alarm_script,
        script_period=rest.script_period,
    )


def _loaded(file: Traversable, folder: Traversable, change_interval: float) -> GalaxyDefinition:
    table = Document(file, folder, GalaxyFileError).root
    table.allow("name", "secured", "users", "templates", "objects", "alarm_script", "script_period")
    name = table.text("name", DEFAULT_NAME)
    if not _PROVIDER.fullmatch(name):
        raise table.error("must have letters, digits, _, -, $ and # alone", "name")
    users = _users(table)
    is_secured = table.flag("secured", False)
    if is_secured and not users:
        raise table.error("needs users, or nobody can log in; add [[users]]", "secured")
    reader = AttributeReader(SignalReader(change_interval))
    templates = Templates(table.table("templates"), reader)
    objects = Objects(table.tables("objects"), templates, reader)
    script = _alarm_script(table, objects)
    return GalaxyDefinition(
        entries=objects.entries,
        name=name,
        is_secured=is_secured,
        users=users,
        alarm_script=script,
        script_period=_script_period(table, script),
    )


def _users(table: Table) -> tuple[UserDefinition, ...]:
    users: list[UserDefinition] = []
    taken: set[tuple[str, str | int]] = set()
    for entry in table.tables("users"):
        entry.allow("name", "password", "user_id", "guid")
        user = UserDefinition(
            name=entry.text("name"),
            password=entry.text("password"),
            user_id=entry.whole("user_id", least=1),
            guid=_guid(entry),
        )
        for key in ("name", "password"):
            if not entry.text(key):
                raise entry.error("must not be empty", key)
        claims: dict[str, str | int] = {
            "name": user.name.casefold(),
            "user_id": user.user_id,
            "guid": user.guid,
        }
        for key, value in claims.items():
            if value and (key, value) in taken:
                raise entry.error("is that of another user; give each their own", key)
            taken.add((key, value))
        users.append(user)
    return tuple(users)


def _guid(table: Table) -> str:
    if "guid" not in table:
        return ""
    try:
        return str(UUID(table.text("guid")))
    except ValueError:
        raise table.error(
            'must be a GUID, such as "3f2504e0-4f89-41d3-9a0c-0305e82c3301"', "guid"
        ) from None


def _alarm_script(table: Table, objects: Objects) -> tuple[AlarmStep, ...]:
    steps: list[AlarmStep] = []
    for entry in table.tables("alarm_script"):
        entry.allow("at", "alarm", "active", "acknowledge", "operator")
        if "active" not in entry and "acknowledge" not in entry:
            raise entry.error("does nothing; give active, acknowledge or both")
        if "operator" in entry and "acknowledge" not in entry:
            raise entry.error("acknowledges nothing; give acknowledge, a comment", "operator")
        steps.append(
            AlarmStep(
                at=entry.number("at", least=0, most=LONGEST),
                alarm=_alarm(entry, objects),
                active=entry.flag("active") if "active" in entry else None,
                acknowledge=entry.text("acknowledge") if "acknowledge" in entry else None,
                operator=entry.text("operator", ""),
            )
        )
    return tuple(sorted(steps, key=lambda step: step.at))


def _alarm(entry: Table, objects: Objects) -> str:
    """The alarm of a step, which must be there, and be free to be set if the step sets it."""
    reference = entry.text("alarm")
    tag_name, _, name = reference.partition(".")
    attributes = objects.attributes(tag_name)
    if attributes is None:
        question = objects.nearest(tag_name)
        raise entry.error(f"no object {tag_name!r} is always there{question}", "alarm")
    condition = attributes.find(name)
    if condition is None or condition.alarm is None:
        raise entry.error(f"{reference!r} is no alarm; write tag_name.Attribute", "alarm")
    if "active" in entry and (condition.alarm.threshold or condition.signal):
        raise entry.error(f"{reference!r} follows something else; leave active out", "active")
    return reference


def _script_period(table: Table, script: tuple[AlarmStep, ...]) -> float | None:
    if "script_period" not in table:
        return None
    period = table.number("script_period", above=0, most=LONGEST)
    if not script or script[-1].at >= period:
        raise table.error(
            "must be after the last step of the alarm script, of which there is at least one",
            "script_period",
        )
    return period
