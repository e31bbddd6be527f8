"""Secrets by reference: ``env:NAME``, ``file:PATH``, ``prompt``, or the secret itself."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import Final

import click

#: What help says of them.
FORMS: Final = "env:NAME, file:PATH, prompt, or itself"

#: What the prompts for options say.
_ASKED: Final = {
    "--api-key": "API key",
    "--password": "Password",
    "--verifier-password": "Password of the verifier",
}

#: What an API key looks like, wherever it was typed by mistake: a secret behind its id.
_KEY: Final = re.compile(r"(mxgw_[^\s_'\")]+)_[^\s'\")]+")


def without_keys(text: str) -> str:
    """``text`` with ``***`` for the secret of each API key in it."""
    return _KEY.sub(r"\1_***", text)


def resolved(reference: str, what: str) -> str:
    """The secret that ``reference`` stands for.

    Args:
        reference: ``env:`` and the name of a variable, ``file:`` and a path whose first line is
            the secret, ``prompt`` to ask at the terminal, or the secret.
        what: The option that it was given to, for errors, which never show the reference: it may
            be the secret.

    Raises:
        click.UsageError: The variable is not set, the file cannot be read, or there is no terminal.
    """
    if reference.startswith("env:"):
        return from_variable(reference.removeprefix("env:"), what)
    if reference.startswith("file:"):
        return _from_file(at_home(reference.removeprefix("file:")), what)
    if reference == "prompt":
        return asked(what)
    return reference


def at_home(path: str) -> Path:
    """``path`` with a user's folder for ``~``; as it is where there is no such user."""
    try:
        return Path(path).expanduser()
    except (RuntimeError, ValueError):
        return Path(path)


def is_secret(reference: str) -> bool:
    """Whether it stands for itself."""
    return reference != "prompt" and not reference.startswith(("env:", "file:"))


def from_variable(name: str, what: str) -> str:
    """The value of an environment variable."""
    found = os.environ.get(name)
    if not found:
        raise click.UsageError(f"{what}: the environment variable {name} is not set")
    return found


def _from_file(path: Path, what: str) -> str:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "it is no text"
        raise click.UsageError(f"{what}: {path} cannot be read: {reason}") from None
    if not lines or not lines[0].strip():
        raise click.UsageError(f"{what}: the first line of {path} is empty")
    return lines[0].strip()


def asked(what: str) -> str:
    """What somebody types at the terminal, without echo."""
    if not sys.stdin.isatty():
        raise click.UsageError(f"{what}: there is no terminal to ask at; use env:NAME or file:PATH")
    return str(click.prompt(_ASKED.get(what, what), hide_input=True, err=True))
