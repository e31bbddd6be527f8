"""Options are checked when they are made; the key is never shown."""

from __future__ import annotations

from typing import Any

import pytest

from zb_mom_ww_mxgateway import ClientOptions, MxGatewayArgumentError


@pytest.mark.parametrize(
    ("endpoint", "plaintext", "host", "port"),
    [
        ("localhost:5000", True, "localhost", 5000),
        ("http://localhost:5000", True, "localhost", 5000),
        ("https://gateway.example:5001", False, "gateway.example", 5001),
        ("https://gateway.example:5001/", False, "gateway.example", 5001),
        ("[::1]:5000", True, "::1", 5000),
        ("http://[::1]:5000", True, "::1", 5000),
    ],
)
def test_an_endpoint_has_several_forms(
    endpoint: str, plaintext: bool, host: str, port: int
) -> None:
    options = ClientOptions(endpoint=endpoint, plaintext=plaintext)
    assert (options.host, options.port) == (host, port)


@pytest.mark.parametrize(
    "endpoint",
    [
        "",
        "localhost",
        "localhost:",
        "localhost:port",
        "localhost:99999",
        ":5000",
        "ftp://a:1",
        "a:1/b",
        "a:0",
        "a:1#x",
        "a:1?",
        "a\n:1",
    ],
)
def test_an_endpoint_that_is_none_is_refused(endpoint: str) -> None:
    with pytest.raises(MxGatewayArgumentError, match="host:port"):
        ClientOptions(endpoint=endpoint)


@pytest.mark.parametrize(("endpoint", "plaintext"), [("http://a:1", False), ("https://a:1", True)])
def test_a_scheme_never_decides_about_plaintext(endpoint: str, plaintext: bool) -> None:
    with pytest.raises(MxGatewayArgumentError, match="contradict"):
        ClientOptions(endpoint=endpoint, plaintext=plaintext)


def test_plaintext_is_never_inferred_for_loopback() -> None:
    assert ClientOptions(endpoint="localhost:5000").plaintext is False


def test_plaintext_and_tls_options_exclude_each_other() -> None:
    with pytest.raises(MxGatewayArgumentError, match="ca_file"):
        ClientOptions(endpoint="a:1", plaintext=True, ca_file="ca.pem")


@pytest.mark.parametrize("key", ["", "two words", "line\n", "ümlaut", "tab\t"])
def test_a_key_that_no_header_carries_is_refused_and_not_shown(key: str) -> None:
    with pytest.raises(MxGatewayArgumentError) as caught:
        ClientOptions(endpoint="a:1", api_key=key)
    assert not key or key not in str(caught.value)


def test_the_key_is_in_no_repr() -> None:
    options = ClientOptions(endpoint="a:1", api_key="mxgw_1_topsecret")
    assert "topsecret" not in f"{options!r} {options}"


@pytest.mark.parametrize("name", ["connect_timeout", "call_timeout"])
@pytest.mark.parametrize("value", [0, -1.0, float("nan")])
def test_a_timeout_is_above_zero(name: str, value: float) -> None:
    with pytest.raises(MxGatewayArgumentError, match=name):
        ClientOptions(endpoint="a:1", **{name: value})


@pytest.mark.parametrize("value", [float("inf"), 1e300])
def test_a_timeout_fits_into_grpcs_header(value: float) -> None:
    with pytest.raises(MxGatewayArgumentError, match="100,000,000"):
        ClientOptions(endpoint="a:1", call_timeout=value)


@pytest.mark.parametrize(
    "endpoint",
    [
        "http://user:topsecret@localhost:1",
        "user:topsecret@a:1",
        "mxgw_id_topsecret",
        "mxgw_id_a-topsecret",
    ],
)
def test_secrets_in_an_endpoint_are_not_shown(endpoint: str) -> None:
    with pytest.raises(MxGatewayArgumentError) as caught:
        ClientOptions(endpoint=endpoint, plaintext=True)
    assert "topsecret" not in str(caught.value)


@pytest.mark.parametrize(
    "wrong",
    [
        {"endpoint": 5},
        {"endpoint": "a:1", "api_key": b"topsecret"},
        {"endpoint": "a:1", "api_key": 0},
    ],
)
def test_an_option_of_the_wrong_type_is_named(wrong: dict[str, Any]) -> None:
    with pytest.raises(MxGatewayArgumentError, match="must be a str") as caught:
        ClientOptions(**wrong)
    assert "topsecret" not in str(caught.value)


@pytest.mark.parametrize("value", [None, "10", [1]])
def test_a_timeout_is_a_number(value: Any) -> None:
    with pytest.raises(MxGatewayArgumentError, match="call_timeout"):
        ClientOptions(endpoint="a:1", call_timeout=value)


def test_a_short_key_is_not_taken_for_a_secret_in_texts() -> None:
    options = ClientOptions(endpoint="a:1", api_key="in")
    assert options.redacted("invalid session") == "invalid session"
