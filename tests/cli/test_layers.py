"""What is used of flags, the environment and a profile, where more than one of them says it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import click
import pytest
from hypothesis import given, strategies as st

from tests.cli.conftest import Run
from zb_mom_ww_mxgateway import ClientOptions
from zb_mom_ww_mxgateway_cli.connection import Connection, connected
from zb_mom_ww_mxgateway_cli.profiles import KEYS

PIN = "ab" * 32


@click.command()
@connected
async def _probe(connection: Connection) -> int:
    """Keep how a command would connect."""
    SEEN.append(connection)
    return 0


SEEN: list[Connection] = []


def connection(*arguments: str) -> Connection:
    """How a command with these flags would connect."""
    SEEN.clear()
    _probe.main(list(arguments), standalone_mode=False)
    return SEEN[0]


def options(*arguments: str) -> ClientOptions:
    return connection(*arguments).options


def _write(profile: Mapping[str, Any]) -> None:
    path = Path(os.environ["MXGATEWAY_CONFIG"])
    lines = (
        f"{key} = {str(value).lower() if isinstance(value, bool) else repr(value)}"
        for key, value in profile.items()
    )
    path.write_text("default = 'a'\n[profiles.a]\n" + "\n".join(lines), encoding="utf-8")


#: Options of which each layer has its own value: of a profile, of the environment, as typed.
LAYERED: Mapping[str, tuple[str, str, str]] = {
    "api-key": ("profile", "environment", "typed"),
    "ca-file": ("/profile", "/environment", "/typed"),
    "client-cert-file": ("/profile", "/environment", "/typed"),
    "client-key-file": ("/profile", "/environment", "/typed"),
    "server-name-override": ("profile", "environment", "typed"),
    "certificate-sha256": ("aa" * 32, "bb" * 32, "cc" * 32),
}


@given(
    st.fixed_dictionaries(
        {key: st.tuples(st.booleans(), st.booleans(), st.booleans()) for key in LAYERED}
    )
)
def test_what_is_typed_goes_over_the_environment_and_that_over_the_profile(
    given_in: dict[str, tuple[bool, bool, bool]],
) -> None:
    given_in["client-cert-file"] = (True, *given_in["client-cert-file"][1:])
    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setenv("MXGATEWAY_CONFIG", str(Path(folder) / "config.toml"))
        expected: dict[str, str | None] = dict.fromkeys(LAYERED)
        profile: dict[str, str] = {}
        typed: list[str] = []
        for key, (in_profile, in_environment, on_line) in given_in.items():
            first, second, third = LAYERED[key]
            if in_profile:
                profile[key] = expected[key] = first
            if in_environment:
                expected[key] = second
                patch.setenv(f"MXGATEWAY_{key.replace('-', '_').upper()}", second)
            if on_line:
                expected[key] = third
                typed += [f"--{key}", third]
        _write(profile)
        found = options(*typed)
        assert {key: getattr(found, key.replace("-", "_")) for key in LAYERED} == expected


def test_a_key_that_is_not_accepted_is_told_by_where_it_came_from(
    mxgw: Run, simulator: dict[str, str], cli: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    cli("config", "set", "own", f"endpoint={simulator['endpoint']}", "api-key=mxgw_a_profiles")
    wrong = "mxgw_wrong_wrongwrong"
    assert "that of --api-key\n" in mxgw("open-session", "--api-key", wrong).err
    monkeypatch.setenv("OWN", wrong)
    assert "that of --api-key-env\n" in mxgw("open-session", "--api-key-env", "OWN").err
    monkeypatch.setenv("MXGATEWAY_API_KEY", wrong)
    assert "that of MXGATEWAY_API_KEY\n" in mxgw("open-session", "--profile", "own").err
    monkeypatch.delenv("MXGATEWAY_API_KEY")
    assert "that of the profile\n" in mxgw("open-session", "--profile", "own").err


def test_every_key_of_a_profile_is_an_option_of_the_same_name() -> None:
    flags = {option for parameter in _probe.params for option in parameter.opts}
    assert {f"--{key}" for key in KEYS} <= flags


def test_a_key_of_a_profile_never_goes_to_another_endpoint(
    cli: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    _write({"endpoint": "gateway.example:5001", "api-key": "mxgw_plant_topsecret"})
    assert options().api_key == "mxgw_plant_topsecret"
    assert options("--endpoint", "gateway.example:5001").api_key == "mxgw_plant_topsecret"
    assert options("--endpoint", "other.example:5001").api_key is None
    refused = cli("open-session", "--profile", "a", "--endpoint", "other.example:5001")
    assert refused.code == 2
    monkeypatch.setenv("MXGATEWAY_ENDPOINT", "other.example:5001")
    assert options().api_key is None
    assert cli("open-session", "--profile", "a").code == 2


def test_a_profile_without_an_endpoint_is_that_of_the_default_one() -> None:
    _write({"api-key": "secret", "plaintext": True})
    assert options().api_key == "secret"
    assert options("--endpoint", "localhost:5000").api_key == "secret"
    assert options("--endpoint", "localhost:5001", "--plaintext").api_key is None


def test_tls_that_is_typed_goes_over_plaintext_of_the_environment_and_the_profile(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    _write({"plaintext": True})
    assert options().plaintext
    assert not options("--tls").plaintext
    monkeypatch.setenv("MXGATEWAY_PLAINTEXT", "1")
    assert options().plaintext
    assert not options("--tls").plaintext
    monkeypatch.setenv("MXGATEWAY_PLAINTEXT", "0")
    assert not options().plaintext


def test_plaintext_leaves_out_what_is_said_of_tls_in_the_layers_below(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    _write({"ca-file": "/profile", "certificate-sha256": PIN, "server-name-override": "x"})
    monkeypatch.setenv("MXGATEWAY_CLIENT_CERT_FILE", "/environment")
    monkeypatch.setenv("MXGATEWAY_CLIENT_KEY_FILE", "/environment")
    assert options("--plaintext") == ClientOptions(endpoint="localhost:5000", plaintext=True)


@given(
    st.dictionaries(
        st.sampled_from(["ca-file", "certificate-sha256", "server-name-override", "plaintext"]),
        st.none(),
    )
)
def test_plaintext_of_the_environment_alone_bares_no_key_of_a_profile_for_tls(
    has: dict[str, None],
) -> None:
    texts = {"ca-file": "/profile", "certificate-sha256": PIN, "server-name-override": "x"}
    of_tls = {key: texts[key] for key in has if key != "plaintext"}
    not_plaintext = {"plaintext": False} if "plaintext" in has else {}
    profile = {"api-key": "secret", **of_tls, **not_plaintext}
    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setenv("MXGATEWAY_CONFIG", str(Path(folder) / "config.toml"))
        _write(profile)
        secured = options()
        patch.setenv("MXGATEWAY_PLAINTEXT", "1")
        with pytest.raises(click.UsageError, match=r"MXGATEWAY_PLAINTEXT.*the profile is for TLS"):
            options()
        assert options("--tls") == secured
        assert options("--plaintext") == ClientOptions(
            endpoint="localhost:5000", api_key="secret", plaintext=True
        )


def test_plaintext_and_what_is_for_tls_are_not_typed_together(cli: Run) -> None:
    refused = cli("open-session", "--plaintext", "--ca-file", "ca.pem")
    assert refused.code == 2
    assert "--plaintext goes without --ca-file" in refused.err


def test_a_variable_that_is_neither_yes_nor_no_is_a_usage_error(
    cli: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MXGATEWAY_PLAINTEXT", "perhaps")
    refused = cli("open-session")
    assert refused.code == 2
    assert "MXGATEWAY_PLAINTEXT" in refused.err


def test_a_time_limit_that_is_not_typed_is_for_calls_and_ends_no_stream(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    _write({"timeout": 7})
    assert (connection().timeout, options().call_timeout) == (None, 7)
    monkeypatch.setenv("MXGATEWAY_TIMEOUT", "8")
    assert (connection().timeout, options().call_timeout) == (None, 8)
    assert (connection("--timeout", "9").timeout, options("--timeout", "9").call_timeout) == (9, 9)


def test_a_key_from_a_named_variable_goes_over_one_that_is_not_typed(
    cli: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MXGATEWAY_API_KEY", "prompt")
    monkeypatch.setenv("OTHER", "other")
    assert options("--api-key-env", "OTHER").api_key == "other"
    refused = cli("open-session", "--api-key-env", "OTHER", "--api-key", "x")
    assert refused.code == 2
    assert "exclude each other" in refused.err
