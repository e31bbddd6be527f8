"""Options are checked when they are made; the key is never shown."""

from __future__ import annotations

import copy
import dataclasses
import pickle
from typing import Any, get_type_hints

import pytest
from hypothesis import given, strategies as st

from tests.sdk.seen import KEY, SECRET, secrets_seen_in
from zb_mom_ww_mxgateway import (
    ClientOptions,
    ConnectOptions,
    GatewayClient,
    MxGatewayArgumentError,
    MxGatewayError,
    sync,
)


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
        "a..b:1",
        f"{'a' * 64}:1",
        "gerät:1",
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


@pytest.mark.parametrize(
    "option",
    [
        {"ca_file": "ca.pem"},
        {"client_cert_file": "own.pem"},
        {"server_name_override": "b"},
        {"certificate_sha256": "ab" * 32},
    ],
)
def test_plaintext_and_tls_options_exclude_each_other(option: dict[str, Any]) -> None:
    ClientOptions(endpoint="a:1", **option)
    with pytest.raises(MxGatewayArgumentError, match=f"without {next(iter(option))}"):
        ClientOptions(endpoint="a:1", plaintext=True, **option)


@pytest.mark.parametrize("key", ["", "two words", "line\n", "ümlaut", "tab\t"])
def test_a_key_that_no_header_carries_is_refused_and_not_shown(key: str) -> None:
    with pytest.raises(MxGatewayArgumentError) as caught:
        ClientOptions(endpoint="a:1", api_key=key)
    assert not key or key not in str(caught.value)


def test_the_key_is_in_no_repr() -> None:
    options = ClientOptions(endpoint="a:1", api_key="mxgw_1_topsecret")
    assert "topsecret" not in f"{options!r} {options}"


@pytest.mark.parametrize("name", ["connect_timeout", "call_timeout", "keepalive"])
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


def test_the_options_of_connect_are_those_of_the_dataclass_in_step() -> None:
    hints = get_type_hints(ClientOptions)
    fields = {field.name: hints[field.name] for field in dataclasses.fields(ClientOptions)}
    public = {name: hint for name, hint in fields.items() if not name.startswith("_")}
    assert public.pop("endpoint") is str
    assert get_type_hints(ConnectOptions) == public
    assert not ConnectOptions.__required_keys__


@given(st.text())
def test_an_endpoint_is_taken_with_host_and_port_or_refused_as_one(text: str) -> None:
    try:
        options = ClientOptions(endpoint=text, plaintext=text.startswith("http://"))
    except MxGatewayArgumentError:
        return
    assert options.host.isascii()
    assert 0 < options.port < 65_536


@given(
    st.from_regex(r"[a-z][a-z0-9-]{0,20}(\.[a-z][a-z0-9-]{0,20}){0,3}", fullmatch=True),
    st.integers(1, 65_535),
    st.sampled_from(["", "https://"]),
)
def test_every_host_name_and_port_is_an_endpoint(host: str, port: int, scheme: str) -> None:
    options = ClientOptions(endpoint=f"{scheme}{host}:{port}")
    assert (options.host, options.port) == (host, port)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"certificate_sha256": "ab" * 31}, "64 hex digits"),
        ({"certificate_sha256": "xy" * 32}, "64 hex digits"),
        ({"certificate_sha256": ""}, "64 hex digits"),
        ({"certificate_sha256": b"ab"}, "must be a str"),
        ({"client_key_file": "own.key"}, "goes with client_cert_file"),
        ({"ca_file": ""}, "path of a PEM file"),
        ({"client_cert_file": 5}, "path of a PEM file"),
        ({"server_name_override": ""}, "host name"),
        ({"server_name_override": ".example"}, "host name"),
        ({"server_name_override": 5}, "must be a str"),
        ({"max_receive_bytes": 0}, "max_receive_bytes"),
        ({"max_receive_bytes": 2**32}, "max_receive_bytes"),
        ({"max_receive_bytes": 1.5}, "max_receive_bytes"),
        ({"user_agent": ""}, "user_agent"),
        ({"user_agent": " x"}, "user_agent"),
        ({"user_agent": "x\r\ny: z"}, "user_agent"),
        ({"user_agent": "x" * 201}, "user_agent"),
        ({"user_agent": 5}, "must be a str"),
    ],
)
def test_an_option_that_cannot_be_is_refused_by_name(wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(MxGatewayArgumentError, match=said) as caught:
        ClientOptions(endpoint="a:1", **wrong)
    assert next(iter(wrong)) in str(caught.value)


@given(st.binary(min_size=32, max_size=32), st.booleans(), st.booleans())
def test_a_fingerprint_is_read_however_it_is_written(
    digest: bytes, colons: bool, upper: bool
) -> None:
    text = digest.hex(":") if colons else digest.hex()
    options = ClientOptions(endpoint="a:1", certificate_sha256=text.upper() if upper else text)
    assert options.fingerprint == digest


async def _later() -> str:
    return KEY


@pytest.mark.parametrize("key", [_later, 5, [KEY]])
def test_a_key_is_a_str_or_a_function_and_what_else_was_given_is_not_shown(key: Any) -> None:
    with pytest.raises(MxGatewayArgumentError, match="api_key must be a str, or a function"):
        ClientOptions(endpoint="a:1", api_key=key)


def test_every_key_that_was_handed_out_lately_is_taken_out_of_texts() -> None:
    keys = [f"mxgw_{n}_{SECRET}-{n}" for n in range(4)]
    asked = [*keys, *[f"mxgw_{n}_another-{n}" for n in range(4)], *keys, "mxgw_9_another-9"]
    left = iter(asked)
    options = ClientOptions(endpoint="a:1", api_key=lambda: next(left))
    for key in asked:
        assert options.current_api_key() == key
    shown = options.redacted(" ".join(f"Bearer {key}, or {SECRET}-{key[-1]}," for key in keys))
    assert SECRET not in shown
    assert shown.count("<redacted>") == 8
    assert SECRET not in repr(options)


def test_a_key_that_is_asked_for_again_and_again_pushes_no_other_out() -> None:
    left = iter([KEY, *["mxgw_2_another-key"] * 20])
    options = ClientOptions(endpoint="a:1", api_key=lambda: next(left))
    for _ in range(21):
        options.current_api_key()
    assert SECRET not in options.redacted(KEY)


def test_of_a_key_that_begins_as_another_nothing_is_left_over() -> None:
    left = iter(["firstkey", f"firstkey-{SECRET}"])
    options = ClientOptions(endpoint="a:1", api_key=lambda: next(left))
    for _ in range(2):
        options.current_api_key()
    assert SECRET not in options.redacted(f"firstkey-{SECRET} or firstkey")


@given(
    st.from_regex(r"mxgw_[a-z0-9]{1,8}_[A-Za-z0-9_-]{8,40}", fullmatch=True), st.text(), st.text()
)
def test_neither_key_nor_secret_survives_redaction_whatever_stands_around(
    key: str, before: str, after: str
) -> None:
    options = ClientOptions(endpoint="a:1", api_key=key)
    secret = key.split("_", 2)[2]
    assert secret not in options.redacted(f"{before}{key}{after}{secret}")


def test_options_are_equal_copied_and_pickled_by_their_values() -> None:
    options = ClientOptions(endpoint="a:1", api_key=KEY, keepalive=None)
    same = ClientOptions(endpoint="a:1", api_key=KEY, keepalive=None)
    options.current_api_key()
    for other in (same, copy.deepcopy(options), pickle.loads(pickle.dumps(options))):
        assert other == options
        assert hash(other) == hash(options)
    assert dataclasses.replace(options, api_key=None) != options


def test_the_repr_shows_what_was_given_and_no_defaults() -> None:
    options = ClientOptions(endpoint="a:1", api_key=KEY, plaintext=True, keepalive=None)
    assert repr(options) == "ClientOptions(endpoint='a:1', plaintext=True, keepalive=None)"


@pytest.mark.parametrize(
    "wrong", [{"api_key": f"{KEY} x"}, {"api_key": KEY.encode()}, {"endpoint": f"{KEY}:x"}]
)
def test_a_key_in_the_wrong_place_is_in_no_text_of_the_error(wrong: dict[str, Any]) -> None:
    with pytest.raises(MxGatewayError) as caught:
        ClientOptions(**{"endpoint": "a:1", **wrong})
    assert not secrets_seen_in(caught.value)


async def test_a_key_is_in_no_local_of_an_error_about_an_option_that_does_not_exist() -> None:
    wrong: Any = {"api_key": KEY, "verbose": True}
    with pytest.raises(TypeError, match="verbose") as caught:
        ClientOptions(endpoint="a:1", **wrong)
    assert not secrets_seen_in(caught.value)
    with pytest.raises(TypeError, match="verbose") as caught:
        await GatewayClient.connect("a:1", **wrong)
    assert not secrets_seen_in(caught.value)


@pytest.mark.parametrize("endpoint", ["no endpoint", "http://127.0.0.1:1", "127.0.0.1:1"])
async def test_a_key_is_in_no_local_of_a_connect_that_failed(endpoint: str) -> None:
    plaintext = "http" not in endpoint
    with pytest.raises(MxGatewayError) as caught:
        await GatewayClient.connect(endpoint, api_key=KEY, plaintext=plaintext)
    assert not secrets_seen_in(caught.value)
    with pytest.raises(MxGatewayError) as caught:
        sync.GatewayClient.connect(endpoint, api_key=KEY, plaintext=plaintext)
    assert not secrets_seen_in(caught.value)
