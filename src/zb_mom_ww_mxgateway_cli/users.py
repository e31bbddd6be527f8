"""Users of the galaxy on whose behalf is written: their options, and their passwords."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import wraps
from typing import Final

import click
from click.core import ParameterSource

from .output import with_options
from .references import FORMS, asked, resolved


def _secret(
    flag: str, variable: str, whose: str
) -> Callable[[Callable[..., int]], Callable[..., int]]:
    return click.option(
        flag, metavar="REF", envvar=variable, show_envvar=True, help=f"{whose} password: {FORMS}."
    )


_OPTIONS: Final = (
    click.option(
        "--user",
        envvar="MXGATEWAY_USER",
        show_envvar=True,
        help="Who writes; asked for, or taken from the environment, where an attribute needs it.",
    ),
    _secret("--password", "MXGATEWAY_PASSWORD", "Their"),
    click.option(
        "--verifier",
        envvar="MXGATEWAY_VERIFIER",
        show_envvar=True,
        help="Who else answers for it; asked for, or taken from the environment, likewise.",
    ),
    _secret("--verifier-password", "MXGATEWAY_VERIFIER_PASSWORD", "The verifier's"),
)


@dataclass(frozen=True, slots=True)
class Login:
    """A user of the galaxy."""

    name: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class User:
    """A user as far as options and the environment say."""

    flag: str
    name: str | None
    #: Where the password is, or itself.
    password: str | None = field(repr=False)
    #: Whether any of it was typed. What the environment has is for writes that need it.
    is_typed: bool

    def login(self, role: str) -> Login:
        """The user with the password; what is not given is asked for, the name by its ``role``.

        Raises:
            click.UsageError: Something is missing, and there is no terminal to ask at.
        """
        name = self.name
        if name is None:
            if not sys.stdin.isatty():
                raise click.UsageError(
                    f"{self.flag} is missing, and there is no terminal to ask at"
                )
            name = str(click.prompt(role, err=True))
        flag = "--password" if self.flag == "--user" else f"{self.flag}-password"
        secret = asked(flag) if self.password is None else resolved(self.password, flag)
        return Login(name, secret)


@dataclass(frozen=True, slots=True)
class Users:
    """Who writes, and who verifies it."""

    writer: User
    verifier: User

    def logins(self, needed: int, written: str, verified: str) -> list[Login]:
        """Who is to log in: those who are needed or typed, the writer first.

        Args:
            needed: How many users the writes cannot do without: 0, 1 or 2.
            written: What the writer writes, in words.
            verified: What of it the verifier answers for.

        Raises:
            click.UsageError: Something is missing, and there is no terminal to ask at; or the
                verifier is the writer.
        """
        wanted: list[tuple[User, str]] = []
        if needed > 0 or self.writer.is_typed or self.verifier.is_typed:
            wanted.append((self.writer, f"User who writes {written}"))
        if needed > 1 or self.verifier.is_typed:
            wanted.append((self.verifier, f"User who verifies {verified}"))
        logins = [user.login(role) for user, role in wanted]
        if len({login.name.casefold() for login in logins}) < len(logins):
            raise click.UsageError("--verifier is to be somebody else than --user")
        return logins


def with_users(command: Callable[..., int]) -> Callable[..., int]:
    """Add the options; the command gets them as its keyword ``users``."""

    @wraps(command)
    def run(
        *,
        user: str | None,
        password: str | None,
        verifier: str | None,
        verifier_password: str | None,
        **arguments: object,
    ) -> int:
        users = Users(
            User("--user", user, password, _is_typed("user", "password")),
            User(
                "--verifier",
                verifier,
                verifier_password,
                _is_typed("verifier", "verifier_password"),
            ),
        )
        return command(users=users, **arguments)

    return with_options(run, _OPTIONS)


def _is_typed(*names: str) -> bool:
    source = click.get_current_context().get_parameter_source
    return any(source(name) is ParameterSource.COMMANDLINE for name in names)
