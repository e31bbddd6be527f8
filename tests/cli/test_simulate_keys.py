"""``mxgw-py simulate keys``: what it prints, once and never again, and how it fails."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from grpclib.const import Status
from grpclib.exceptions import GRPCError

from tests.cli.conftest import Outcome, Run
from zb_mom_ww_mxgateway_sim.auth.keys import ApiKeys
from zb_mom_ww_mxgateway_sim.auth.keys_file import WatchedKeysFile
from zb_mom_ww_mxgateway_sim.auth.scopes import Scope


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "keys.json"


@pytest.fixture
def keys(path: Path, cli: Run) -> Run:
    """Run one of the commands on a file of this test."""

    def call(command: str, *arguments: str) -> Outcome:
        return cli("simulate", "keys", command, "--file", path, *arguments)

    return call


def accepted(path: Path, key: str) -> bool:
    """Whether a gateway with that file takes calls with ``key``."""
    try:
        ApiKeys(WatchedKeysFile(path)).authenticate({"authorization": f"Bearer {key}"})
    except GRPCError as error:
        return error.status is not Status.UNAUTHENTICATED
    return True


NARROWED = ("--scope", "session:open", "--scope", "invoke:read", "--read", "TankFarm")


def test_a_key_that_was_added_is_printed_once_and_accepted_until_it_is_revoked(
    keys: Run, path: Path
) -> None:
    added = keys("add", "--id", "historian", "--json", *NARROWED)
    assert added.code == 0
    assert "cannot be shown again" in added.err
    shown = added.json
    key = shown.pop("apiKey")
    assert key.startswith("mxgw_historian_")
    assert accepted(path, key)

    listed = keys("list", "--json")
    assert listed.json == [shown]
    assert shown["scopes"] == ["invoke:read", "session:open"]
    assert (shown["browse"], shown["read"], shown["write"]) == (None, ["TankFarm"], None)
    assert shown["revoked"] is None

    revoked = keys("revoke", "historian", "--json")
    assert revoked.json["revoked"] >= revoked.json["created"] == shown["created"]
    assert keys("list", "--json").json == [revoked.json]
    assert not accepted(path, key)


def test_without_scopes_it_has_all_but_admin_and_without_subtrees_the_whole_galaxy(
    keys: Run,
) -> None:
    shown = keys("add", "--json").json
    assert set(shown["scopes"]) == set(Scope) - {Scope.ADMIN}
    assert shown["browse"] is shown["read"] is shown["write"] is None


def test_subtrees_are_repeatable_and_each_act_has_its_own(keys: Run) -> None:
    subtrees = ["--browse", "A", "--browse", "B", "--read", "C", "--write", "D"]
    shown = keys("add", *subtrees, "--json").json
    assert [shown["browse"], shown["read"], shown["write"]] == [["A", "B"], ["C"], ["D"]]


def test_people_get_lines_and_a_table(keys: Run) -> None:
    table = ("--output", "table")
    added = keys("add", "--id", "one", *NARROWED, *table)
    assert "apiKey: mxgw_one_" in added.out
    assert "scopes: invoke:read session:open" in added.out
    keys("add", "--id", "two")
    keys("revoke", "two")
    head, *rows = keys("list", *table).out.splitlines()
    assert head.split() == ["id", "scopes", "read", "created", "revoked"]
    assert [row.split()[0] for row in rows] == ["one", "two"]


def test_no_list_and_no_error_shows_a_secret_or_a_digest(keys: Run, path: Path) -> None:
    key = keys("add", "--id", "one", "--json").json["apiKey"]
    document = json.loads(path.read_text())
    kept: dict[str, Any] = document["keys"][0]
    printed = [keys("list"), keys("list", "--json"), keys("revoke", "none"), keys("revoke", "one")]
    for outcome in printed:
        for secret in (key, key.split("_", 2)[2], kept["digest"], document["pepper"]):
            assert secret not in outcome.out + outcome.err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["revoke", "nobody"], "no key with id 'nobody'; list shows"),
        (["add", "--id", "one"], "key with id 'one' already; choose another"),
        (["add", "--id", "a_b"], "'a_b' cannot be the id"),
        (["add", "--scope", "invoke:all"], "no scope 'invoke:all'; scopes are session:open"),
    ],
)
def test_what_cannot_be_done_is_a_usage_error_that_says_what_to_do(
    keys: Run, arguments: list[str], said: str
) -> None:
    keys("add", "--id", "one")
    failed = keys(*arguments, "--json")
    assert failed.code == 2
    assert said in failed.error["error"]
    assert failed.out == ""


@pytest.mark.parametrize("command", [["list"], ["revoke", "one"]])
def test_a_file_that_is_not_there_or_no_keys_file_is_named(
    keys: Run, path: Path, command: list[str]
) -> None:
    missing = keys(*command)
    assert missing.code == 2
    assert f"keys file {path} cannot be read" in missing.err
    assert "simulate keys add" in missing.err
    path.write_text('{\n"version": oops')
    broken = keys(*command)
    assert broken.code == 2
    assert f"{path} is no keys file: line 2, column 12" in broken.err


def test_help_names_every_scope(cli: Run) -> None:
    text = " ".join(cli("simulate", "keys", "add", "--help").out.split())
    assert all(f"{scope}" in text for scope in Scope)
