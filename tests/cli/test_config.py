"""Profiles: the commands on them, and the file that they are in."""

from __future__ import annotations

import os
import stat
import tomllib
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, strategies as st

from tests.cli.conftest import Run
from zb_mom_ww_mxgateway_cli.__main__ import run

PIN = "ab" * 32
WRITTEN = """\
# Gateways that I work with
default = "plant"  # the usual one

[profiles.plant]
endpoint = "gateway.example:5001"  # in the control room
api-key = "mxgw_plant_topsecret"

[profiles.lab]
endpoint = "localhost:5000"
plaintext = true
api-key = "env:LAB_KEY"
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A file with profiles."""
    found = tmp_path / "config.toml"
    found.write_text(WRITTEN, encoding="utf-8")
    return found


# The commands


@given(
    st.from_regex(r"\A[a-z][a-z0-9_.-]{0,10}\Z"),
    st.fixed_dictionaries(
        {},
        optional={
            "endpoint": st.from_regex(r"\A[a-z]{1,10}:[1-9][0-9]{0,3}\Z"),
            "api-key": st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1),
            "certificate-sha256": st.just(PIN),
            "server-name-override": st.from_regex(r"\A[a-z]{1,10}\Z"),
            "timeout": st.floats(0.001, 1e6),
        },
    ).filter(bool),
)
def test_what_is_set_is_in_the_file_as_it_was_given(
    name: str, settings: dict[str, str | float]
) -> None:
    if str(settings.get("api-key", "")).startswith("file:"):
        settings["api-key"] = "file:/there"
    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        file = Path(folder) / "made" / "config.toml"
        patch.setenv("MXGATEWAY_CONFIG", str(file))
        assert run(["config", "set", name, *(f"{key}={settings[key]}" for key in settings)]) == 0
        assert tomllib.loads(file.read_text(encoding="utf-8")) == {"profiles": {name: settings}}
        assert [found.name for found in file.parent.iterdir()] == ["config.toml"]


def test_what_people_wrote_around_it_stays(cli: Run, file: Path) -> None:
    assert cli("config", "set", "plant", "endpoint=other.example:5001", "timeout=5").code == 0
    assert cli("config", "set", "new", "plaintext=on").code == 0
    assert cli("config", "use", "lab").code == 0
    written = file.read_text(encoding="utf-8")
    for comment in ("# Gateways that I work with", "# the usual one", "# in the control room"):
        assert comment in written
    found = tomllib.loads(written)
    assert found["default"] == "lab"
    assert found["profiles"]["plant"] == {
        "endpoint": "other.example:5001",
        "api-key": "mxgw_plant_topsecret",
        "timeout": 5.0,
    }
    assert found["profiles"]["new"] == {"plaintext": True}
    assert found["profiles"]["lab"] == tomllib.loads(WRITTEN)["profiles"]["lab"]


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such modes")
def test_nobody_else_can_read_the_file_from_the_moment_it_is_there(cli: Run, file: Path) -> None:
    before = os.umask(0)
    try:
        file.chmod(0o644)
        assert cli("config", "set", "lab", "timeout=5").code == 0
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        file.unlink()
        assert cli("config", "set", "lab", "timeout=5").code == 0
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    finally:
        os.umask(before)


@pytest.mark.skipif(os.name == "nt", reason="links need a privilege on Windows")
def test_a_link_to_the_file_stays_a_link(
    cli: Run, file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    link = tmp_path / "link.toml"
    link.symlink_to(file)
    monkeypatch.setenv("MXGATEWAY_CONFIG", str(link))
    assert cli("config", "use", "lab").code == 0
    assert link.is_symlink()
    assert 'default = "lab"' in file.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (
            ["set", "plant", "plaintext=true", "ca-file=ca.pem"],
            "--plaintext goes without --ca-file",
        ),
        (["set", "lab", "ca-file=ca.pem"], "--plaintext goes without --ca-file"),
        (["set", "plant", "endpoint=nowhere"], "no host:port"),
        (["set", "plant", "endpoint=http://gateway.example:1"], "no --plaintext contradict"),
        (["set", "plant", "timeout=0"], "--timeout must be above 0"),
        (["set", "plant", "timeout=nan"], "--timeout must be above 0"),
        (["set", "plant", "timeout=soon"], "timeout takes a number of seconds"),
        (["set", "plant", "plaintext=maybe"], "plaintext takes true or false"),
        (["set", "plant", "certificate-sha256=12"], "--certificate-sha256 must be 64 hex digits"),
        (["set", "plant", "client-key-file=k"], "--client-key-file goes with --client-cert-file"),
        (["set", "plant", "colour=red"], "there is no key 'colour'"),
        (["set", "plant", "endpoint"], "KEY=VALUE"),
        (["set", "a plant", "timeout=1"], "a profile's name"),
        (["set", "plant", "api-key="], "the API key is empty"),
        (["unset", "nothing"], "there is no profile 'nothing'"),
        (["unset", "plant", "timeout"], "does not set timeout"),
        (["use", "nothing"], "there is no profile 'nothing'"),
        (["use"], "--none"),
        (["use", "lab", "--none"], "--none"),
        (["show", "nothing"], "there are: lab, plant"),
    ],
)
def test_what_cannot_be_is_a_usage_error_and_changes_nothing(
    cli: Run, file: Path, arguments: list[str], says: str
) -> None:
    refused = cli("config", *arguments)
    assert refused.code == 2
    assert says in refused.err
    assert "topsecret" not in refused.err
    assert file.read_text(encoding="utf-8") == WRITTEN
    assert [found.name for found in file.parent.iterdir()] == ["config.toml"]


def test_two_changes_at_once_are_kept_apart(cli: Run, file: Path) -> None:
    file.with_name("config.toml.next").touch()
    refused = cli("config", "use", "lab")
    assert refused.code == 1
    assert "is being changed by somebody else" in refused.err
    assert file.read_text(encoding="utf-8") == WRITTEN


def test_a_profile_that_is_removed_is_the_default_no_more(cli: Run, file: Path) -> None:
    assert cli("config", "unset", "plant", "api-key").code == 0
    assert cli("config", "unset", "plant").code == 0
    assert tomllib.loads(file.read_text(encoding="utf-8")) == {
        "profiles": {"lab": tomllib.loads(WRITTEN)["profiles"]["lab"]}
    }
    assert cli("config", "use", "lab", "--json").json == {"default": "lab"}
    assert cli("config", "use", "--none", "--json").json == {"default": None}
    assert "default" not in tomllib.loads(file.read_text(encoding="utf-8"))


@pytest.mark.parametrize("form", ["table", "json", "jsonl", "csv"])
def test_a_key_is_not_shown_and_where_it_is_can_be_seen(cli: Run, file: Path, form: str) -> None:
    shown = cli("config", "show", "--output", form)
    assert shown.code == 0
    assert "topsecret" not in shown.out
    assert "***" in shown.out
    assert "env:LAB_KEY" in shown.out


def test_one_profile_is_shown_as_json_with_its_name(cli: Run, file: Path) -> None:
    assert cli("config", "show", "plant", "--json").json == {
        "apiKey": "***",
        "default": True,
        "endpoint": "gateway.example:5001",
        "profile": "plant",
    }
    assert cli("config", "path", "--json").json == {"exists": True, "path": str(file)}


def test_paths_mean_the_same_file_wherever_a_command_runs(
    cli: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert cli("config", "set", "a", "ca-file=ca.pem", "api-key=file:key.txt").code == 0
    shown = cli("config", "show", "a", "--json").json
    assert shown["caFile"] == str(tmp_path / "ca.pem")
    assert shown["apiKey"] == f"file:{tmp_path / 'key.txt'}"


@pytest.mark.skipif(os.name == "nt", reason="Windows takes any name for a user's")
def test_a_tilde_that_names_no_user_is_a_letter_like_others(
    cli: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert cli("config", "set", "a", "ca-file=~nobody-here/ca.pem").code == 0
    shown = cli("config", "show", "a", "--json").json
    assert shown["caFile"] == str(tmp_path / "~nobody-here" / "ca.pem")
    refused = cli("read", "Tank.Level", "--api-key", "file:~nobody-here/key.txt")
    assert refused.code == 2
    assert "--api-key: ~nobody-here/key.txt cannot be read" in refused.err
    monkeypatch.setenv("MXGATEWAY_CONFIG", "~nobody-here/config.toml")
    assert cli("config", "path", "--json").json["path"] == "~nobody-here/config.toml"


@given(st.one_of(st.binary(), st.text().map(str.encode)))
def test_a_file_of_anything_is_no_reason_for_a_trace(contents: bytes) -> None:
    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        file = Path(folder) / "config.toml"
        file.write_bytes(contents)
        patch.setenv("MXGATEWAY_CONFIG", str(file))
        assert run(["config", "show"]) in (0, 2)


@pytest.mark.parametrize(
    ("written", "says"),
    [
        ("other = 1", "unknown key 'other'"),
        ("profiles = 1", "profiles must be tables"),
        ("profiles.a = 1", "profiles.a must be a table"),
        ("default = 'a'", "default names no profile"),
        ("profiles.a.colour = 'red'", "profiles.a has the unknown key 'colour'"),
        ("profiles.a.endpoint = 1", "profiles.a.endpoint must be text"),
        ("profiles.a.plaintext = 'yes'", "profiles.a.plaintext must be true or false"),
        ("profiles.a.timeout = true", "profiles.a.timeout must be a number of seconds"),
        ("profiles.a.timeout = 2026-01-31", "profiles.a.timeout must be a number of seconds"),
    ],
)
def test_what_is_wrong_with_a_file_is_said_with_its_name_and_place(
    cli: Run, tmp_path: Path, written: str, says: str
) -> None:
    (tmp_path / "config.toml").write_text(written, encoding="utf-8")
    for command in (["config", "show"], ["config", "set", "b", "timeout=1"], ["open-session"]):
        refused = cli(*command)
        assert refused.code == 2
        assert f"{tmp_path / 'config.toml'}: {says}" in refused.err


# Words


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["open-session", "--ca-file", "no.pem"], "--ca-file 'no.pem' cannot be read"),
        (["open-session", "--client-cert-file", "no.pem"], "--client-cert-file 'no.pem'"),
        (["open-session", "--client-key-file", "k"], "goes with --client-cert-file"),
        (["open-session", "--server-name-override", "a b"], "--server-name-override must be"),
        (
            ["open-session", "--endpoint", "https://a:1", "--plaintext"],
            "and --plaintext contradict",
        ),
        (["simulate", "--tls-cert", "no.pem"], "--tls-cert 'no.pem': no PEM certificate"),
        (["simulate", "--tls-key", "k"], "--tls-key goes with --tls-cert"),
        (["simulate", "--tls-cert", "c", "--tls-self-signed"], "--tls-self-signed and --tls-cert"),
        (["simulate", "--no-auth", "--keys-file", "k"], "--no-auth excludes --keys-file"),
        (["simulate", "--machines", "abc"], "'abc' is not a whole number"),
    ],
)
def test_errors_speak_of_the_options_of_the_command_line(
    cli: Run, arguments: list[str], says: str
) -> None:
    refused = cli(*arguments)
    assert refused.code == 2
    assert says in refused.err
    for name in ("ca_file", "cert_file", "key_file", "self_signed", "no_auth", "plaintext="):
        assert name not in refused.err
