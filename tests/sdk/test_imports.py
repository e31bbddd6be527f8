"""What ``import zb_mom_ww_mxgateway`` leaves alone: everybody waits for what it loads."""

from __future__ import annotations

import subprocess
import sys

#: Modules that only some uses need, each with its use.
LEFT_ALONE = {
    "click": "the command line",
    "concurrent.futures.process": "nothing of ours",
    "cryptography": "certificates that the simulator signs",
    "google.protobuf": "reflection",
    "grpc": "tests",
    "grpclib.server": "servers",
    "hashlib": "a pinned certificate",
    "numpy": "users who have it",
    "pandas": "users who have it",
    "platformdirs": "the command line",
    "prometheus_client": "the simulator's metrics",
    "rich": "the command line",
    "tomlkit": "the command line",
    "zb_mom_ww_mxgateway.sync": "the blocking facade",
    "zb_mom_ww_mxgateway_cli": "the command line",
    "zb_mom_ww_mxgateway_contracts.mxaccess_worker_v1": "workers",
    "zb_mom_ww_mxgateway_sim": "the simulator",
    "zb_mom_ww_mxgateway_wire.reflection": "reflection",
}
PROBE = """
import sys
{}
print(*(name for name in sys.argv[1:] if name in sys.modules))
"""


def loaded(statement: str) -> set[str]:
    """Which of those modules a fresh process has after a statement."""
    done = subprocess.run(
        [sys.executable, "-c", PROBE.format(statement), *LEFT_ALONE],
        capture_output=True,
        text=True,
        check=True,
    )
    return set(done.stdout.split())


def test_importing_the_sdk_loads_nothing_that_only_some_uses_need() -> None:
    assert loaded("from zb_mom_ww_mxgateway import *") == set()


def test_a_module_that_is_needed_comes_when_it_is() -> None:
    assert loaded("import zb_mom_ww_mxgateway.sync") == {"zb_mom_ww_mxgateway.sync"}
    assert {"grpclib.server", "zb_mom_ww_mxgateway_sim"} <= loaded(
        "import zb_mom_ww_mxgateway_sim.server"
    )
