"""``mxgw-py help``: a command's help, and pages about what all commands share."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

import click

from .exits import MEANINGS
from .program import both_ways, close_matches, cut


def _complete(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """Topics and commands; behind a command that has some, its own."""
    command, found = ctx.find_root().command, dict.fromkeys(_TOPICS)
    for word in ctx.params.get("words") or ():
        inner = command.get_command(ctx, word) if isinstance(command, click.Group) else None
        if inner is None:
            return []
        command, found = inner, {}
    if isinstance(command, click.Group):
        found |= dict.fromkeys(command.list_commands(ctx))
    return [name for name in found if name.startswith(incomplete)]


@click.command("help", epilog="Example: mxgw-py help exit-codes")
@click.argument("words", metavar="[TOPIC|COMMAND]...", nargs=-1, shell_complete=_complete)
@click.pass_context
def help_(context: click.Context, words: Sequence[str]) -> None:
    """Explain a command, or what all commands share.

    Topics are environment, exit-codes, output and profiles.
    """
    if len(words) == 1 and words[0] in _TOPICS:
        formatter = context.make_formatter()
        _TOPICS[words[0]](formatter)
        click.echo(formatter.getvalue().rstrip("\n"))
        return
    root = context.find_root().command
    _check(root, words)
    root.main([*words, "--help"], prog_name="mxgw-py", standalone_mode=False)
    if len(words) == 1 and words[0] in both_ways():
        click.echo(
            f"\nThe contract's command of that name is meant with --session-id: "
            f"mxgw-py {words[0]} --session-id ID --help"
        )


def _check(root: click.Command, words: Sequence[str]) -> None:
    """Refuse what is neither a command nor a topic. An option is one of ``help``'s own."""
    assert isinstance(root, click.Group)
    context = click.Context(root)
    if words and root.get_command(context, words[0]) is None:
        known = [*_TOPICS, *root.list_commands(context)]
        close = close_matches(words[0], known)
        meant = f"did you mean {' or '.join(close)}?" if close else f"topics: {', '.join(_TOPICS)}"
        raise click.UsageError(f"there is no command or topic {cut(words[0])!r}; {meant}")


def _exit_codes(formatter: click.HelpFormatter) -> None:
    with formatter.section("Exit codes of every command"):
        formatter.write_dl([(str(code), meaning) for code, meaning in MEANINGS.items()])


def _environment(formatter: click.HelpFormatter) -> None:
    from .connection import connection_options
    from .known_names import VARIABLE as CACHE
    from .profiles import VARIABLE

    found = [
        (str(option.envvar), f"The same as {option.opts[0]}.")
        for option in connection_options()
        if option.envvar
    ]
    with formatter.section("Connection: what is typed goes first, then these, then a profile"):
        formatter.write_dl(found)
    with formatter.section("Others"):
        formatter.write_dl(
            [
                (
                    "MXGATEWAY_USER",
                    "As --user of write; also _PASSWORD, _VERIFIER, _VERIFIER_PASSWORD.",
                ),
                (VARIABLE, "The file that profiles are in; 'config path' shows which it is."),
                (CACHE, "The folder of tag names for completion; empty keeps none."),
                ("NO_COLOR", "Set to anything: no colors."),
            ]
        )


def _profiles(formatter: click.HelpFormatter) -> None:
    from .connection import connection_options
    from .profiles import KEYS, path

    texts = {
        option.opts[0]: option.help or ""
        for option in connection_options()
        if isinstance(option, click.Option)
    }
    _paragraphs(
        formatter,
        "A profile is a gateway's name for you and what it takes to reach it. 'config set' makes "
        "one, --profile or MXGATEWAY_PROFILE asks for one, 'config use' says which is used where "
        "none is asked for.",
        "What is typed goes over the environment, and that over the profile. A profile goes with "
        "its endpoint: where another is given its key is never sent, and the one that 'config use' "
        "named is left out.",
        "An API key is kept as a reference: env:NAME for an environment variable, file:PATH for "
        "the first line of a file, prompt to be asked. The key itself works too; only you can read "
        "the file.",
    )
    with formatter.section("What a profile may have"):
        formatter.write_dl(
            [(key, texts[f"--{key}"].replace("  [default", " [default")) for key in KEYS]
        )
    with formatter.section("The file"):
        formatter.write_text(str(path()))
    with formatter.section("Example"):
        formatter.write('  default = "plant"\n\n  [profiles.plant]\n')
        formatter.write('  endpoint = "gateway.example:5001"\n  api-key = "env:PLANT_KEY"\n')


def _output(formatter: click.HelpFormatter) -> None:
    _paragraphs(
        formatter,
        "Data goes to standard output; errors, questions and progress go to standard error.",
    )
    with formatter.section("--output"):
        formatter.write_dl(
            [
                ("table", "For people. The default on a terminal, and there alone."),
                ("json", "The whole result as one line of JSON, keys sorted. Also --json."),
                ("jsonl", "A line of JSON for each row or event, as it comes. Piped: the default."),
                ("csv", "A header, and a line for each row."),
            ]
        )
    with formatter.section("--time-format, for times that are no part of a reply"):
        formatter.write_dl(
            [
                ("iso", "ISO 8601 in UTC, such as 2026-01-31T12:00:00Z. The default."),
                ("relative", "How long ago, such as 3 min ago."),
                ("raw", "Nanoseconds since 1970 in UTC."),
            ]
        )
    _paragraphs(
        formatter,
        "With JSON an error is JSON too, on standard error: error, exitCode, type.",
    )


def _paragraphs(formatter: click.HelpFormatter, *texts: str) -> None:
    for text in texts:
        formatter.write_paragraph()
        formatter.write_text(text)


_TOPICS: Final[Mapping[str, Callable[[click.HelpFormatter], None]]] = {
    "environment": _environment,
    "exit-codes": _exit_codes,
    "output": _output,
    "profiles": _profiles,
}
