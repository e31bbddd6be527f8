"""``mxgw-py write``: values by tag, checked against the galaxy before anything is written."""

from __future__ import annotations

import re
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

import click

from zb_mom_ww_mxgateway import (
    DataChange,
    Event,
    MxAccessError,
    MxDataType,
    MxGatewayAuthorizationError,
    MxGatewayError,
    MxStatusCategory,
    MxValue,
    Session,
    Stream,
    SubscribeResult,
    data_type_of,
    describe_hresult,
    describe_status,
    is_failure,
)
from zb_mom_ww_mxgateway.tags import READ_TIMEOUT

from .connection import Connection, connected
from .exits import OK, SOME_FAILED
from .failures import text_of
from .objects import galaxy_of
from .output import cell, printable, progress
from .read import json_value
from .signals import interruptible
from .tags import Found, lines, look_up, subscribe, tags_argument
from .users import Login, Users, with_users
from .values import TYPES, TYPES_HELP, TypeName, parse_value
from .watch import changes

#: By what a write needs: how many users have to be known for it.
_USERS: Final = {"SECURED_WRITE": 1, "VERIFIED_WRITE": 2}
#: What a plain write does for.
_PLAIN: Final = frozenset({"FREE_ACCESS", "OPERATE", "TUNE", "CONFIGURE"})
#: What is shown of a value that is secured, or may be.
_HIDDEN: Final = "***"
#: What is shown of each write before it, and after it, for CSV.
_PLANNED: Final = ("tag", "type", "securityClassification", "value")
_OUTCOMES: Final = ("tag", "type", "status", "error")
#: What looks like a tag, in a text that may be anything.
_REFERENCE: Final = re.compile(r"[A-Za-z_]\w*(\.\w+)+(\[\d*\])?")
#: How many problems an error names.
_PROBLEMS: Final = 10


@dataclass(frozen=True, slots=True)
class Assignment:
    """One write that is wanted."""

    tag: str
    #: The tag as MXAccess takes it.
    item: str
    type_name: str
    value: MxValue = field(repr=False)
    #: What the write needs, such as ``SECURED_WRITE``; empty where the galaxy does not tell.
    security: str

    @property
    def users(self) -> int:
        """How many users it needs."""
        return _USERS.get(self.security, 0)

    @property
    def is_plain(self) -> bool:
        """Whether the galaxy says that it is no secured write."""
        return self.security in _PLAIN

    def row(self) -> dict[str, Any]:
        """What would be written; the value only where it is not, and cannot be, a secured one."""
        return {
            "tag": self.tag,
            "type": self.type_name,
            "securityClassification": self.security,
            "value": json_value(self.value) if self.is_plain else _HIDDEN,
        }


@dataclass(slots=True)
class Outcome:
    """What became of one write."""

    tag: str
    type_name: str
    status: Literal["written", "failed", "unknown", "not written"] = "not written"
    error: str = ""

    def row(self) -> dict[str, Any]:
        """It as data."""
        return {
            "tag": self.tag,
            "type": self.type_name,
            "status": self.status,
            "error": self.error,
        }


@click.command(
    epilog="Example: mxgw-py write TestChildObject.TestInt=7 TestChildObject.TestBool=on"
)
@tags_argument("TAG=VALUE...")
@click.option(
    "--type",
    "type_name",
    type=TypeName(),
    metavar="TYPE",
    help=f"{TYPES_HELP} It is that of all values, also of tags that the galaxy does not know.  "
    "[default: that of the attribute]",
)
@click.option("--dry-run", is_flag=True, help="Check, and show what would be written.")
@click.option("--yes", is_flag=True, help="Do not ask before more than one tag is written.")
@with_users
@connected
async def write(
    connection: Connection,
    tags: tuple[str, ...],
    type_name: str | None,
    users: Users,
    dry_run: bool,
    yes: bool,
) -> int:
    """Write values to tags, and wait for the outcome of each.

    A value has the type of the tag's attribute, of which the galaxy knows; an array is a JSON array
    or a comma list. @FILE stands for the lines of a file, each TAG=VALUE, - for those of standard
    input. Nothing is written unless all tags and values are right; then one is written after the
    other, each within --timeout (15). Exit code 6 says that some were not written.
    """
    pairs = _pairs(lines(tags))
    if len(pairs) > 1 and not (yes or dry_run or sys.stdin.isatty()):
        raise click.UsageError(
            f"{len(pairs)} tags are written only with --yes where there is no terminal to ask at"
        )
    assignments = await _planned(connection, pairs, type_name)
    if dry_run:
        connection.output.rows([one.row() for one in assignments], columns=_PLANNED)
        return OK
    with interruptible():
        if len(assignments) > 1 and not yes:
            _confirm(assignments)
        logins = users.logins(
            max(one.users for one in assignments),
            _subject(assignments, 1),
            _subject(assignments, 2),
        )
    return await _carry_out(connection, assignments, logins)


def _pairs(arguments: Sequence[str]) -> list[tuple[str, str]]:
    """Tags and texts of values. An error does not show an argument: it may be a part of a value."""
    pairs: list[tuple[str, str]] = []
    for number, argument in enumerate(arguments, 1):
        tag, equals, text = argument.partition("=")
        if not (tag.strip() and equals):
            which = f"tag {number} of {len(arguments)}"
            # What stands first is no part of a value before it.
            if number == 1 and _REFERENCE.fullmatch(argument):
                raise click.UsageError(f"{which} is not given as TAG=VALUE: {argument}=...")
            raise click.UsageError(
                f"{which} is not given as TAG=VALUE; a value with spaces in it needs quotes"
            )
        pairs.append((tag.strip(), text))
    return pairs


async def _planned(
    connection: Connection, pairs: Sequence[tuple[str, str]], type_name: str | None
) -> list[Assignment]:
    """What to write; a usage error names all tags and values that are not right."""
    assignments: list[Assignment] = []
    problems: list[str] = []
    known = await _attributes(connection, [tag for tag, _ in pairs], type_name)
    for (tag, text), found in zip(pairs, known, strict=True):
        try:
            assignments.append(_assignment(tag, text, found, type_name))
        except click.UsageError as error:
            problems.append(error.format_message())
    counts = Counter(one.item.casefold() for one in assignments)
    twice = dict.fromkeys(one.tag for one in assignments if counts[one.item.casefold()] > 1)
    problems += [f"{tag} is written more than once" for tag in twice]
    if problems:
        more = len(problems) - _PROBLEMS
        named = problems[:_PROBLEMS] + ([f"and {more} more problems"] if more > 0 else [])
        raise click.UsageError(f"nothing was written: {'; '.join(named)}")
    return assignments


async def _attributes(
    connection: Connection, tags: Sequence[str], type_name: str | None
) -> list[Found | str]:
    async with galaxy_of(connection) as galaxy:
        try:
            return await look_up(galaxy, tags)
        except MxGatewayAuthorizationError as error:
            if type_name is None:
                error.add_note("with --type the galaxy need not be asked")
                raise
            return [f"{tag}: the galaxy may not be asked" for tag in tags]


def _assignment(tag: str, text: str, found: Found | str, type_name: str | None) -> Assignment:
    if isinstance(found, str):
        if type_name is None:
            raise click.UsageError(f"{found}; --type writes to what the galaxy does not list")
        return Assignment(tag, tag, type_name, _value(tag, text, type_name), "")
    if found.security == "VIEW_ONLY":
        raise click.UsageError(f"{tag} is for viewing only")
    name = type_name or _type_of(found, tag)
    value = _value(tag, text, name)
    if type_name is None:
        _check(tag, value, name)
    return Assignment(tag, found.reference, name, value, found.security)


def _value(tag: str, text: str, type_name: str) -> MxValue:
    return parse_value(text, type_name, f"the value of {tag}")


def _check(tag: str, value: MxValue, type_name: str) -> None:
    """Refuse what a type may be sent as, and no attribute of that type takes."""
    if value.is_null:
        raise click.UsageError(
            f"the value of {tag} cannot be null: {type_name} takes {TYPES[type_name].accepts}"
        )
    array = value.array_value
    texts = value.string_value is not None or (array is not None and array.string_values)
    if texts and TYPES[type_name].data_type == MxDataType.QUALIFIED_ENUM:
        raise click.UsageError(
            f"the value of {tag} has to be the number of the state, as in {tag}=2; --type string "
            "sends a text"
        )


def _type_of(found: Found, tag: str) -> str:
    """The ``--type`` of an attribute."""
    data_type = data_type_of(found.attribute)
    for name, of in TYPES.items():
        unknown = data_type in (MxDataType.UNKNOWN, MxDataType.NO_DATA)
        if of.data_type == data_type and of.is_array == found.is_array and not unknown:
            return name
    raise click.UsageError(
        f"{tag} is of type {found.attribute.data_type_name or data_type.name}, for which no text "
        "stands; give --type"
    )


def _confirm(assignments: Sequence[Assignment]) -> None:
    for one in assignments:
        row = one.row()
        progress(f"{cell(row['tag'])} = {cell(row['value'])}  ({cell(row['type'])})")
    if not click.confirm(f"Write these {len(assignments)} tags?", err=True):
        raise click.ClickException("nothing was written, as it was not confirmed")


def _subject(assignments: Sequence[Assignment], users: int) -> str:
    """What so many users are asked for: the tags that need them, or all where none does."""
    tags = [one.tag for one in assignments if one.users >= users]
    tags = tags or [one.tag for one in assignments]
    return printable(tags[0]) + (f" and {len(tags) - 1} more" if len(tags) > 1 else "")


async def _carry_out(
    connection: Connection, assignments: Sequence[Assignment], logins: Sequence[Login]
) -> int:
    outcomes = [Outcome(one.tag, one.type_name) for one in assignments]
    timeout = connection.timeout or READ_TIMEOUT
    async with (
        connection.client() as client,
        await client.open_session(client_session_name="mxgw-py write") as session,
    ):
        server_handle = await session.register("mxgw-py write")
        users = [await _log_in(session, server_handle, login) for login in logins]
        async with session.stream_events() as events:
            items = await subscribe(session, server_handle, [one.item for one in assignments])
            first = await _first_changes(events, items, timeout)
            try:
                for one, item, outcome in zip(assignments, items, outcomes, strict=True):
                    outcome.error = _obstacle(item, first.get(item.item_handle), timeout)
                    if not outcome.error:
                        await _write_one(session, item, one, users, timeout, outcome)
            finally:
                # Also when it was ended before its end: what was written has to be known.
                connection.output.rows([outcome.row() for outcome in outcomes], columns=_OUTCOMES)
    return OK if all(one.status == "written" for one in outcomes) else SOME_FAILED


async def _log_in(session: Session, server_handle: int, login: Login) -> int:
    return await session.authenticate_user(server_handle, login.name, login.password)


async def _first_changes(
    events: Stream[Event], items: Sequence[SubscribeResult], timeout: float
) -> dict[int, DataChange]:
    """The first data change of each item, by its handle, as far as they come in time."""
    found: dict[int, DataChange] = {}
    awaited = {item.item_handle for item in items if item.was_successful}
    if not awaited:
        return found
    try:
        async for change in changes(events, None, timeout):
            found.setdefault(change.item_handle, change)
            awaited.discard(change.item_handle)
            if not awaited:
                break
    except click.ClickException as error:
        raise click.ClickException(f"nothing was written: {error.message}") from None
    return found


def _obstacle(item: SubscribeResult, first: DataChange | None, timeout: float) -> str:
    """Why an item cannot be written to; empty where it can."""
    if not item.was_successful:
        return item.error_message or "the gateway does not say why it cannot be used"
    if first is None:
        return f"no first value came within {timeout:g} s"
    # A value may be bad for reasons that a write does away with; the reference has to be right.
    failed = first.statuses and is_failure(first.statuses[0])
    return describe_status(first.statuses[0]) if failed else ""


async def _write_one(
    session: Session,
    item: SubscribeResult,
    one: Assignment,
    users: Sequence[int],
    timeout: float,
    outcome: Outcome,
) -> None:
    outcome.status = "unknown"
    try:
        await session.write_item_and_wait(
            item.server_handle,
            item.item_handle,
            one.value,
            user_id=users[0] if users else 0,
            # Where the galaxy does not tell, whoever names users means a write that needs them.
            users=(users[0], users[-1]) if users and not one.is_plain else None,
            timeout=timeout,
        )
        outcome.status = "written"
    except MxAccessError as error:
        outcome.status, outcome.error = "failed", _refusal(error)
        denied = any(s.category is MxStatusCategory.SECURITY_ERROR for s in error.statuses)
        if denied and not users:
            outcome.error += "; --user says who writes"
    except MxGatewayAuthorizationError as error:
        outcome.status, outcome.error = "failed", text_of(error)
    except MxGatewayError as error:
        outcome.error = text_of(error)


def _refusal(error: MxAccessError) -> str:
    """What MXAccess says, without the handle that was written to: the tag stands beside it."""
    said = [describe_status(status) for status in error.statuses if is_failure(status)]
    if error.hresult:
        said.append(describe_hresult(error.hresult))
    return "; ".join(said) or text_of(error)
