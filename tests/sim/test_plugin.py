"""The pytest plugin, in runs of pytest of its own; and what importing it costs everybody else."""

from __future__ import annotations

import re
import subprocess
import sys
import threading
from pathlib import Path

import pytest

import zb_mom_ww_mxgateway.sync  # noqa: F401 - pytester forgets what only an inner run imported
import zb_mom_ww_mxgateway_sim
from zb_mom_ww_mxgateway_sim import SimulatedGateway, plugin

pytest_plugins = ["pytester"]

DOCUMENTS = Path(__file__).parents[2] / "docs"

IMPORTS = """
import asyncio
import pytest
from zb_mom_ww_mxgateway import GatewayClient, MxGatewayError, sync
from zb_mom_ww_mxgateway_sim.plugin import RunningGateway

CODE = "TestMachine_001.MachineCode"
"""


@pytest.fixture
def run(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Run:
    # Given here, so that it makes no difference whether the installed package gives it too.
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    return Run(pytester)


class Run:
    """Runs tests in this process, as a user's pytest would."""

    def __init__(self, pytester: pytest.Pytester) -> None:
        self.pytester = pytester

    def __call__(self, text: str, *arguments: str) -> pytest.RunResult:
        self.pytester.makepyfile(IMPORTS + text)
        before = set(threading.enumerate())
        done = self.pytester.runpytest_inprocess(
            *("--strict-markers", "-W", "error", "-p", "no:cacheprovider", *arguments),
            plugins=[plugin],
        )
        left = set(threading.enumerate()) - before
        # A loop's own helper threads end a moment after it.
        assert not {one for one in left if not one.name.startswith("asyncio")}
        return done


def test_a_blocking_test_reads_and_writes_through_the_fixture(run: Run) -> None:
    done = run(
        """
        def test_it(mxgw_gateway: RunningGateway) -> None:
            with (
                sync.GatewayClient.connect(
                    mxgw_gateway.endpoint, api_key=mxgw_gateway.api_key, plaintext=True
                ) as client,
                client.open_session() as session,
            ):
                session.write_and_wait(CODE, "A-1")
                assert session.read(CODE).value == "A-1"
    """.replace("\n        ", "\n")
    )
    done.assert_outcomes(passed=1)


ASYNC = """
async def main(mxgw_gateway):
    async with (
        await GatewayClient.connect(
            mxgw_gateway.endpoint, api_key=mxgw_gateway.api_key, plaintext=True
        ) as client,
        await client.open_session() as session,
    ):
        await session.write_and_wait(CODE, "A-1")
        assert (await session.read(CODE)).value == "A-1"
        mxgw_gateway.run(lambda gateway: gateway.deploy(machines=2))

"""


def test_an_async_test_needs_no_other_plugin(run: Run) -> None:
    done = run(ASYNC + "def test_it(mxgw_gateway): asyncio.run(main(mxgw_gateway))\n")
    done.assert_outcomes(passed=1)


@pytest.mark.parametrize("mode", ["auto", "strict"])
def test_an_async_test_of_pytest_asyncio_uses_the_same_fixture(run: Run, mode: str) -> None:
    done = run(
        ASYNC + "@pytest.mark.asyncio\nasync def test_it(mxgw_gateway): await main(mxgw_gateway)\n",
        *("-p", "pytest_asyncio.plugin", "-o", f"asyncio_mode={mode}"),
        *("-o", "asyncio_default_fixture_loop_scope=function"),
    )
    done.assert_outcomes(passed=1)


def test_run_gives_what_a_function_gives_or_raises_on_the_gateways_loop(run: Run) -> None:
    done = run("""
def test_it(mxgw_gateway):
    async def where(gateway):
        assert gateway is mxgw_gateway.gateway
        return asyncio.get_running_loop()

    def fails(gateway):
        raise LookupError("as it is")

    loop = mxgw_gateway.run(where)
    assert mxgw_gateway.run(lambda gateway: asyncio.get_running_loop()) is loop
    with pytest.raises(LookupError, match="^as it is$"):
        mxgw_gateway.run(fails)
    with pytest.raises(ValueError, match="machines"):
        mxgw_gateway.run(lambda gateway: gateway.deploy(machines=-1))
    assert mxgw_gateway.api_key not in repr(mxgw_gateway)
    assert mxgw_gateway.endpoint in repr(mxgw_gateway)
""")
    done.assert_outcomes(passed=1)


@pytest.mark.parametrize(("page", "count"), [("simulator.md", 2), ("simulator-faults.md", 1)])
def test_the_tests_of_the_documents_pass(run: Run, page: str, count: int) -> None:
    text = (DOCUMENTS / page).read_text(encoding="utf-8")
    examples = re.findall(r"```py\n(.*?)```", text, re.S)
    run("\n".join(examples)).assert_outcomes(passed=count)


def test_a_fault_of_a_blocking_test_lasts_as_long_as_its_block(run: Run) -> None:
    done = run("""
from zb_mom_ww_mxgateway_sim.faults import BadQuality, CrashWorker, FaultError

def test_it(mxgw_gateway: RunningGateway) -> None:
    with (
        sync.GatewayClient.connect(
            mxgw_gateway.endpoint, api_key=mxgw_gateway.api_key, plaintext=True
        ) as client,
        client.open_session() as session,
    ):
        bad = BadQuality(tag_name="TestMachine_001", quality=24)
        with mxgw_gateway.fault(bad), mxgw_gateway.fault(bad):
            assert session.read(CODE).quality == 24
        assert session.read(CODE).quality == 192
        with pytest.raises(LookupError), mxgw_gateway.fault(bad):
            raise LookupError
        assert session.read(CODE).quality == 192
        with pytest.raises(FaultError, match="not deployed"):
            with mxgw_gateway.fault(BadQuality(tag_name="Nobody")):
                pass
        mxgw_gateway.strike(CrashWorker(session=1))
        with pytest.raises(MxGatewayError):
            session.ping("")
""")
    done.assert_outcomes(passed=1)


def test_a_test_lets_time_pass_on_a_manual_clock_and_on_no_other(run: Run) -> None:
    done = run("""
from zb_mom_ww_mxgateway_sim import ManualClock

CLOCK = ManualClock()

@pytest.mark.mxgw_gateway(clock=CLOCK)
def test_it(mxgw_gateway: RunningGateway) -> None:
    assert mxgw_gateway.gateway.clock is CLOCK
    with sync.GatewayClient.connect(
        mxgw_gateway.endpoint, api_key=mxgw_gateway.api_key, plaintext=True
    ) as client:
        session = client.open_session()
        mxgw_gateway.advance(1_700)
        session.ping("")  # renews the lease
        mxgw_gateway.advance(1_700)
        session.ping("")
        mxgw_gateway.advance(1_900)
        with pytest.raises(MxGatewayError):
            session.ping("")

def test_other(mxgw_gateway: RunningGateway) -> None:
    with pytest.raises(TypeError, match="clock=ManualClock"):
        mxgw_gateway.advance(1)
""")
    done.assert_outcomes(passed=2)


def test_the_marker_gives_the_gateways_settings_the_closest_one_last(run: Run) -> None:
    done = run("""
pytestmark = pytest.mark.mxgw_gateway(api_key="mxgw_plant_one", port=0)

def test_of_the_module(mxgw_gateway):
    assert mxgw_gateway.api_key == "mxgw_plant_one"

@pytest.mark.mxgw_gateway(api_key="mxgw_plant_two", host="127.0.0.1")
def test_of_its_own(mxgw_gateway):
    assert mxgw_gateway.api_key == "mxgw_plant_two"
""")
    done.assert_outcomes(passed=2)


def test_each_test_has_a_gateway_of_its_own_that_is_gone_afterwards(run: Run) -> None:
    done = run("""
seen = []

def test_one(mxgw_gateway):
    seen.append(mxgw_gateway)

def test_other(mxgw_gateway):
    assert mxgw_gateway is not seen[0]
    from zb_mom_ww_mxgateway import MxGatewayUnavailableError
    with pytest.raises(MxGatewayUnavailableError):
        sync.GatewayClient.connect(
            seen[0].endpoint, api_key=seen[0].api_key, plaintext=True
        ).open_session()
""")
    done.assert_outcomes(passed=2)


def test_a_client_that_a_test_left_open_does_not_hold_up_its_end(run: Run) -> None:
    done = run("""
loop = asyncio.new_event_loop()
left = []

async def forgetful(mxgw_gateway):
    client = await GatewayClient.connect(
        mxgw_gateway.endpoint, api_key=mxgw_gateway.api_key, plaintext=True
    )
    await client.open_session()
    return client

def test_one(mxgw_gateway):
    left.append(loop.run_until_complete(forgetful(mxgw_gateway)))

def test_other():
    loop.run_until_complete(left.pop().close())
    loop.close()
""")
    done.assert_outcomes(passed=2)


@pytest.mark.parametrize(
    ("marker", "text"),
    [
        ("machine=3", "*has no setting 'machine'; did you mean 'machines'?*"),
        ("zzz=3", "*has no setting 'zzz'; there are host, port,*"),
        ("3", "*takes settings by name, such as machines=100, not 1 without*"),
        ("machines=-1", "*could not start it: machines must not be negative, but is -1*"),
        ("machines='many'", "*could not start it: *"),
        ("api_key='open sesame'", "*could not start it: *"),
        ("host='192.0.2.1'", "*could not start it: *"),
    ],
)
def test_a_mistake_in_the_marker_is_said_in_one_line(run: Run, marker: str, text: str) -> None:
    done = run(f"@pytest.mark.mxgw_gateway({marker})\ndef test_it(mxgw_gateway): ...\n")
    done.assert_outcomes(errors=1)
    done.stdout.fnmatch_lines([f"@pytest.mark.mxgw_gateway {text}"])
    done.stdout.no_fnmatch_line("*Traceback*")
    done.stdout.no_fnmatch_line("*plugin.py:*")
    done.stdout.no_fnmatch_line("*sesame*")


def test_marker_and_fixture_say_what_they_are_for(run: Run) -> None:
    run("", "--markers").stdout.fnmatch_lines(["@pytest.mark.mxgw_gateway(*settings*): *"])
    run("", "--fixtures").stdout.fnmatch_lines(["mxgw_gateway*", "*A simulated gateway*"])


def test_importing_the_plugin_imports_nothing_of_the_simulator_or_the_sdk() -> None:
    script = (
        f"import sys, pytest; before = set(sys.modules); import {plugin.__name__}\n"
        "print(*sorted(n for n in set(sys.modules) - before if n.startswith(\n"
        "    ('zb_', 'mxgateway', 'grpclib', 'h2', 'betterproto', 'prometheus', 'google'))))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert (done.stderr, done.stdout.split()) == ("", ["zb_mom_ww_mxgateway_sim", plugin.__name__])


def test_the_simulators_names_are_imported_when_they_are_asked_for() -> None:
    for name in zb_mom_ww_mxgateway_sim.__all__:
        assert getattr(zb_mom_ww_mxgateway_sim, name).__name__ == name
        assert name in dir(zb_mom_ww_mxgateway_sim)
    assert zb_mom_ww_mxgateway_sim.SimulatedGateway is SimulatedGateway
    with pytest.raises(AttributeError, match="has no attribute 'SimulatedGatway'"):
        zb_mom_ww_mxgateway_sim.SimulatedGatway  # type: ignore[attr-defined]  # noqa: B018


def test_a_star_import_gives_the_simulators_names() -> None:
    names: dict[str, object] = {}
    exec("from zb_mom_ww_mxgateway_sim import *", names)
    assert names["SimulatedGateway"] is SimulatedGateway
