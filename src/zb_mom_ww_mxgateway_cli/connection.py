"""The connection options that every command has which talks to a gateway."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import wraps
from types import MappingProxyType
from typing import Any, Final, TypeVar

import click
from click.core import ParameterSource

from zb_mom_ww_mxgateway import ClientOptions, GatewayClient, MxGatewayAuthenticationError
from zb_mom_ww_mxgateway.channel import GatewayChannel

from .completion import complete_profile
from .output import Output, with_options, with_output
from .profiles import profile_for
from .references import FORMS, from_variable, resolved
from .running import run_async
from .shared import SHARED, Shared
from .values import Seconds

_T = TypeVar("_T")

DEFAULT_ENDPOINT: Final = "localhost:5000"

_OPTIONS: Final = (
    click.option(
        "--endpoint",
        envvar="MXGATEWAY_ENDPOINT",
        show_envvar=True,
        help=f"Gateway as host:port.  [default: {DEFAULT_ENDPOINT}]",
    ),
    click.option(
        "--api-key",
        envvar="MXGATEWAY_API_KEY",
        show_envvar=True,
        help=f"API key: {FORMS}, which other users of this machine may see.",
    ),
    click.option(
        "--api-key-env", metavar="NAME", help="Environment variable that holds the API key."
    ),
    click.option(
        "--plaintext",
        is_flag=True,
        envvar="MXGATEWAY_PLAINTEXT",
        show_envvar=True,
        help="Talk without TLS.",
    ),
    click.option("--tls", is_flag=True, help="Talk with TLS (the default)."),
    click.option(
        "--ca-file",
        envvar="MXGATEWAY_CA_FILE",
        show_envvar=True,
        help="PEM file of authorities to trust.",
    ),
    click.option(
        "--certificate-sha256",
        metavar="HEX",
        envvar="MXGATEWAY_CERTIFICATE_SHA256",
        show_envvar=True,
        help="Fingerprint of the one certificate to trust, such as a self-signed one.",
    ),
    click.option(
        "--client-cert-file",
        envvar="MXGATEWAY_CLIENT_CERT_FILE",
        show_envvar=True,
        help="PEM file of a certificate to show.",
    ),
    click.option(
        "--client-key-file",
        envvar="MXGATEWAY_CLIENT_KEY_FILE",
        show_envvar=True,
        help="PEM file of its key, if not in the same file.",
    ),
    click.option(
        "--server-name-override",
        envvar="MXGATEWAY_SERVER_NAME_OVERRIDE",
        show_envvar=True,
        help="Name that the certificate carries.",
    ),
    click.option(
        "--profile",
        envvar="MXGATEWAY_PROFILE",
        show_envvar=True,
        shell_complete=complete_profile,
        help="Profile to connect with; see 'config'.",
    ),
    click.option(
        "--timeout",
        type=Seconds(min=0, min_open=True),
        envvar="MXGATEWAY_TIMEOUT",
        show_envvar=True,
        help="Seconds for one call; where it is typed, also until a stream ends.",
    ),
)

#: Options of TLS alone.
_TLS_ONLY: Final = (
    "ca_file",
    "certificate_sha256",
    "client_cert_file",
    "client_key_file",
    "server_name_override",
)
#: What the options above are called as arguments; --profile says where to look for more.
_SETTINGS: Final = (
    "endpoint",
    "api_key",
    "api_key_env",
    "plaintext",
    "tls",
    "timeout",
    *_TLS_ONLY,
)
#: Of what a batch was given, what is for its own endpoint alone: a key, and to send it in clear.
_OF_ONE_ENDPOINT: Final = ("api_key", "api_key_env", "plaintext")


@dataclass(frozen=True, slots=True)
class Connection:
    """How this command connects, and how it prints."""

    options: ClientOptions
    #: Seconds as --timeout was typed, here or to the batch: until a stream ends, or values come.
    timeout: float | None
    output: Output

    @asynccontextmanager
    async def client(self) -> AsyncGenerator[GatewayClient, None]:
        """A connected client; in a batch the one that its lines share."""
        shared = SHARED.get()
        if shared is not None:
            yield await shared.client(self.options)
            return
        async with await GatewayClient.from_options(self.options) as client:
            yield client

    @asynccontextmanager
    async def channel(self) -> AsyncGenerator[GatewayChannel, None]:
        """A connection for calls that no client has; in a batch the one that its lines share."""
        shared = SHARED.get()
        if shared is not None:
            yield await shared.channel(self.options)
            return
        channel = await GatewayChannel.connect(self.options)
        try:
            yield channel
        finally:
            await channel.close()


def connected(command: Callable[..., Coroutine[Any, Any, int | None]]) -> Callable[..., int]:
    """Add the connection and output options to an async command; it gets a ``Connection`` first."""

    @with_output
    @wraps(command)
    def run(*, output: Output, profile: str | None, **arguments: Any) -> int:
        given = {name: arguments.pop(name) for name in _SETTINGS}
        typed = _from(ParameterSource.COMMANDLINE, given)
        environment = _from(ParameterSource.ENVIRONMENT, given)
        # A profile's limit for calls is not to end streams, which are to go on until Ctrl-C.
        stream_limit = typed.get("timeout")
        shared, batch = SHARED.get(), dict[str, Any]()
        if shared is not None and not _from(ParameterSource.COMMANDLINE, {"profile": profile}):
            batch = _inherited(shared.given, typed.get("endpoint"))
            profile = shared.profile or profile
            stream_limit = typed.get("timeout", batch.get("timeout"))
        settings = _settings(typed, environment, profile, batch)
        connection = Connection(client_options(settings), stream_limit, output)
        try:
            return run_async(command(connection, **arguments))
        except MxGatewayAuthenticationError as error:
            if "api_key" in settings:
                error.add_note(f"the key is that of {_source_of_key(typed, environment, batch)}")
            raise

    return with_connection_options(run)


def _source_of_key(
    typed: Mapping[str, Any], environment: Mapping[str, Any], batch: Mapping[str, Any]
) -> str:
    """Where the key that is sent comes from: several places may have one."""
    for name in ("api_key", "api_key_env"):
        if name in typed:
            return _flag(name)
    if "api_key" in batch:  # from either option
        return "the batch"
    return "MXGATEWAY_API_KEY" if "api_key" in environment else "the profile"


def with_connection_options(command: Callable[..., _T]) -> Callable[..., _T]:
    """Add the options alone."""
    return with_options(command, _OPTIONS)


def shared_connection(profile: str | None, **given: Any) -> Shared:
    """What the lines of the batch that runs now share, from the options that it was given.

    Raises:
        click.UsageError: Options that cannot be.
        MxGatewayArgumentError: The same.
    """
    typed = _from(ParameterSource.COMMANDLINE, given)
    settings = _settings(typed, _from(ParameterSource.ENVIRONMENT, given), profile)
    client_options(settings)  # what cannot be ends the batch, and not each of its lines
    if "api_key" in typed or "api_key_env" in typed:
        typed.pop("api_key_env", None)
        typed["api_key"] = settings["api_key"]  # somebody may have been asked for it
    if any(name in typed for name in _OF_ONE_ENDPOINT):
        typed["endpoint"] = settings.get("endpoint", DEFAULT_ENDPOINT)
    has_profile = _from(ParameterSource.COMMANDLINE, {"profile": profile})
    return Shared(typed, profile if has_profile else None)


def connection_options() -> Sequence[click.Parameter]:
    """The options that ``connected`` adds, for what tells of them."""

    def command() -> None: ...

    return click.command()(with_connection_options(command)).params


def client_options(settings: Mapping[str, Any]) -> ClientOptions:
    """Settings, by the names of the options, as what clients take; ``api_key`` is the key itself.

    Raises:
        MxGatewayArgumentError: One that cannot be, or two that contradict each other.
    """
    named = {"call_timeout" if name == "timeout" else name: settings[name] for name in settings}
    options: dict[str, Any] = {"endpoint": DEFAULT_ENDPOINT, **named}
    return ClientOptions(**options)


def _from(source: ParameterSource, given: Mapping[str, Any]) -> dict[str, Any]:
    """What was given in that way."""
    context = click.get_current_context()
    return {name: given[name] for name in given if context.get_parameter_source(name) is source}


def _inherited(given: Mapping[str, Any], endpoint: str | None) -> dict[str, Any]:
    """What a line that types this endpoint, or none, has of what its batch was given."""
    is_elsewhere = endpoint is not None and endpoint != given.get("endpoint")
    left_out = _OF_ONE_ENDPOINT if is_elsewhere else ()
    return {name: given[name] for name in given if name not in left_out}


def _settings(
    typed: Mapping[str, Any],
    environment: Mapping[str, Any],
    profile: str | None,
    batch: Mapping[str, Any] = MappingProxyType({}),
) -> dict[str, Any]:
    """What was typed, over what the batch was given, the environment has, and a profile has."""
    for one, other in (("plaintext", "tls"), ("api_key", "api_key_env")):
        if one in typed and other in typed:
            raise click.UsageError(f"{_flag(one)} and {_flag(other)} exclude each other")
    said = _layered(batch, typed)
    endpoint = said.get("endpoint", environment.get("endpoint"))
    of_profile = profile_for(profile, endpoint, default_endpoint=DEFAULT_ENDPOINT)
    kept = {key.replace("-", "_"): of_profile[key] for key in of_profile}
    if environment.get("plaintext") and not said.get("plaintext"):
        if not said.get("tls"):
            _refuse_for_tls(kept)
        else:  # or it would take what the profile says of TLS with it
            environment = {name: environment[name] for name in environment if name != "plaintext"}
    found = _layered(kept, environment, said)
    found.pop("tls", None)
    variable = found.pop("api_key_env", None)
    if variable is not None:
        found["api_key"] = from_variable(variable, "--api-key-env")
    elif "api_key" in found:
        found["api_key"] = resolved(found["api_key"], "--api-key")
    return found


def _refuse_for_tls(profile: Mapping[str, Any]) -> None:
    """Refuse plaintext that the environment alone says: it would bare the profile's key.

    Raises:
        click.UsageError: The profile does not say that its link is plaintext.
    """
    if profile and not profile.get("plaintext"):
        raise click.UsageError(
            "MXGATEWAY_PLAINTEXT is set, and the profile is for TLS, as it says no plaintext; give "
            "--tls, or --plaintext if you mean it"
        )


def _layered(*layers: Mapping[str, Any]) -> dict[str, Any]:
    """Each layer of settings over those before it.

    An answer to one question takes the place of all of the answers below it: how the link is
    secured, and which key is sent.
    """
    found: dict[str, Any] = {}
    for layer in layers:
        replaced: list[str] = []
        if layer.get("plaintext"):
            replaced += _TLS_ONLY
        if layer.get("tls"):
            replaced.append("plaintext")
        if "api_key_env" in layer:
            replaced.append("api_key")
        found = {name: found[name] for name in found if name not in replaced} | {**layer}
    return found


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"
