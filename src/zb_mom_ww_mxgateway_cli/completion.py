"""Completion at a shell's prompt: the scripts for the shells, and what they are answered."""

from __future__ import annotations

import os
from typing import Final

import click
from click.shell_completion import (
    CompletionItem,
    ShellComplete,
    add_completion_class,
    get_completion_class,
    shell_complete,
)

from . import exits
from .known_names import known_objects, known_references
from .program import COMPLETION

PROGRAM: Final = "mxgw-py"

_POWERSHELL: Final = """\
Register-ArgumentCompleter -Native -CommandName %(prog_name)s, %(prog_name)s.exe -ScriptBlock {
    param($wordToComplete, $commandAst, $cursorPosition)
    $words = foreach ($element in $commandAst.CommandElements) {
        if ($element.Extent.EndOffset -ge $cursorPosition) { break }
        if ($element -is [System.Management.Automation.Language.StringConstantExpressionAst]) {
            $element.Value
        } else {
            $element.Extent.Text
        }
    }
    $saved = $env:%(complete_var)s, $env:COMP_WORDS, $env:COMP_CWORD
    try {
        $env:%(complete_var)s = 'powershell_complete'
        $env:COMP_WORDS = $words -join "`n"
        $env:COMP_CWORD = $wordToComplete
        $lines = & %(prog_name)s 2>$null
    } finally {
        $env:%(complete_var)s, $env:COMP_WORDS, $env:COMP_CWORD = $saved
    }
    foreach ($line in $lines) {
        $type, $value, $help = $line -split "`t", 3
        if ($type -in 'file', 'dir') {
            [System.Management.Automation.CompletionCompleters]::CompleteFilename($wordToComplete)
        }
        if ($type -ne 'plain') { continue }
        $text = $value
        if ($value -notmatch '^[-\\w./:=\\[\\]]+$') {
            $text = "'" + ($value -replace "'", "''") + "'"
        }
        [System.Management.Automation.CompletionResult]::new($text, $value, 'ParameterValue', $help)
    }
}
"""


class PowerShellComplete(ShellComplete):
    """Completion for Windows PowerShell 5.1 and PowerShell 7.

    Click has one only from 8.5 on, which reads words as a POSIX shell does: without backslashes.
    Here a word is a line of COMP_WORDS, the one to complete is COMP_CWORD, and an answer is a line
    of type, value and help between tabs.
    """

    name = "powershell"
    source_template = _POWERSHELL

    def get_completion_args(self) -> tuple[list[str], str]:
        """The complete words behind the program's name, and the word to complete."""
        # PowerShell removes a variable that is set to an empty text.
        _, *arguments = os.environ.get("COMP_WORDS", "").split("\n")
        return arguments, os.environ.get("COMP_CWORD", "").lstrip("'\"")

    def format_completion(self, item: CompletionItem[str]) -> str:
        """One line; the help is the value where there is none, as PowerShell wants some."""
        help_line = " ".join((item.help or item.value).split())
        return f"{item.type}\t{item.value}\t{help_line}"


add_completion_class(PowerShellComplete)


def complete(cli: click.Command) -> int:
    """Answer a shell's script, which asks by the variable that it sets; an exit code."""
    try:
        return shell_complete(cli, {}, PROGRAM, COMPLETION, os.environ[COMPLETION])
    except Exception:
        # Whatever it is, the command itself will say it. Here it would land in the line that is
        # being typed.
        return exits.FAILURE


@click.command(epilog="Example: mxgw-py completion bash")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish", "powershell"]))
def completion(shell: str) -> int:
    """Print the script that completes command lines in a shell.

    That is commands, options and tag names: those that browse, tree, find and galaxy-discover have
    shown of the same gateway.

    \b
    bash, in ~/.bashrc:      eval "$(mxgw-py completion bash)"
    zsh, in ~/.zshrc:        eval "$(mxgw-py completion zsh)"
    fish, once:              mxgw-py completion fish > ~/.config/fish/completions/mxgw-py.fish
    PowerShell, in $PROFILE: mxgw-py completion powershell | Out-String | Invoke-Expression
    """
    found = get_completion_class(shell)
    assert found is not None
    click.echo(found(click.get_current_context().command, {}, PROGRAM, COMPLETION).source())
    return exits.OK


def complete_tag(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """For ``shell_complete`` of a parameter that takes references, such as Object.Attribute."""
    endpoint = _endpoint(ctx)
    return [] if endpoint is None else known_references(endpoint, incomplete)


def complete_object(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """For ``shell_complete`` of a parameter that takes tag names of objects."""
    endpoint = _endpoint(ctx)
    return [] if endpoint is None else known_objects(endpoint, incomplete)


def complete_profile(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """For ``shell_complete`` of a parameter that takes the name of a profile."""
    from .profiles import load

    try:
        names = load().profiles
    except click.UsageError:
        return []
    return sorted(name for name in names if name.startswith(incomplete))


def _endpoint(ctx: click.Context) -> str | None:
    """Where the command that is being typed would connect to; None if that cannot be told."""
    from .connection import DEFAULT_ENDPOINT
    from .profiles import profile_for

    given = ctx.params.get("endpoint")
    try:
        profile = profile_for(ctx.params.get("profile"), given, default_endpoint=DEFAULT_ENDPOINT)
    except click.UsageError:
        return given
    return given or str(profile.get("endpoint", DEFAULT_ENDPOINT))
