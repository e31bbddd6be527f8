"""``mxgw-py help``: topics, commands, and what is neither."""

from __future__ import annotations

import pytest

from tests.cli.conftest import Run
from zb_mom_ww_mxgateway_cli import exits
from zb_mom_ww_mxgateway_cli.connection import connection_options
from zb_mom_ww_mxgateway_cli.profiles import KEYS


def test_every_exit_code_is_listed_with_its_meaning(cli: Run) -> None:
    shown = cli("help", "exit-codes")
    assert shown.code == 0
    codes = {value for name, value in vars(exits).items() if name.isupper() and name != "MEANINGS"}
    assert codes == set(exits.MEANINGS)
    lines = [line.strip() for line in shown.out.splitlines()]
    for code, meaning in exits.MEANINGS.items():
        assert any(line.split(maxsplit=1) == [str(code), meaning] for line in lines)


def test_every_variable_that_is_read_is_listed(cli: Run) -> None:
    shown = cli("help", "environment")
    for option in connection_options():
        assert option.envvar is None or f"{option.envvar} " in shown.out
    for name in ("MXGATEWAY_CONFIG", "NO_COLOR"):
        assert f"{name} " in shown.out


def test_every_key_of_a_profile_is_listed_and_where_the_file_is(
    cli: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MXGATEWAY_CONFIG", "/somewhere/else.toml")
    shown = cli("help", "profiles")
    for key in KEYS:
        assert f"  {key} " in shown.out
    assert "else.toml" in shown.out


def test_the_forms_of_output_are_explained(cli: Run) -> None:
    shown = cli("help", "output")
    for form in ("table", "json", "jsonl", "csv", "iso", "relative", "raw"):
        assert f"  {form} " in shown.out


@pytest.mark.parametrize("command", [[], ["ping"], ["simulate"], ["simulate", "keys", "add"]])
def test_a_command_is_explained_as_its_own_help_does(cli: Run, command: list[str]) -> None:
    shown, own = cli("help", *command), cli(*command, "--help")
    assert (shown.code, shown.out) == (0, own.out)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["exitcodes"], "did you mean exit-codes?"),
        (["simulat"], "did you mean simulate?"),
        (["qqqq"], "topics: environment, exit-codes, output, profiles"),
        (["simulate", "qqqq"], "No such command 'qqqq'"),
    ],
)
def test_what_is_neither_is_a_usage_error_that_says_what_was_meant(
    cli: Run, words: list[str], says: str
) -> None:
    refused = cli("help", *words)
    assert refused.code == 2
    assert says in refused.err
