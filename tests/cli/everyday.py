"""What the tests of read, write, info and watch share: a galaxy, and what is left at a gateway."""

from __future__ import annotations

import os
import re
import sys
import time
import urllib.request
from pathlib import Path
from typing import Final

import pytest

from zb_mom_ww_mxgateway_sim.plugin import RunningGateway

#: For ``pytestmark``: a gateway that changes signals often and tells how many sessions it has.
GATEWAY: Final = pytest.mark.mxgw_gateway(
    galaxy=Path(__file__).with_name("everyday.toml"), change_interval=0.05, operations_port=0
)
#: The installed program.
MXGW_PY: Final = Path(sys.executable).with_name("mxgw-py.exe" if os.name == "nt" else "mxgw-py")


def connection(gateway: RunningGateway) -> dict[str, str]:
    """What the fixture ``mxgw`` takes in place of its simulator."""
    return {"endpoint": gateway.endpoint, "apiKey": gateway.api_key}


def environment(gateway: RunningGateway) -> dict[str, str]:
    """The environment of a process that talks to a gateway."""
    return {
        **os.environ,
        "MXGATEWAY_ENDPOINT": gateway.endpoint,
        "MXGATEWAY_API_KEY": gateway.api_key,
        "MXGATEWAY_PLAINTEXT": "1",
        "TERM": "xterm-256color",
    }


def counted(gateway: RunningGateway, metric: str, **labels: str) -> int:
    """The sum of a metric's samples that have these labels."""
    with urllib.request.urlopen(f"http://{gateway.gateway.operations_endpoint}/metrics") as answer:
        lines = answer.read().decode().splitlines()
    assert any(line.startswith(f"# TYPE {metric} ") for line in lines), f"no metric {metric}"
    samples = [line for line in lines if re.match(rf"{metric}[{{ ]", line)]
    wanted = [f'{name}="{label}"' for name, label in labels.items()]
    return sum(
        int(float(line.rpartition(" ")[2]))
        for line in samples
        if all(label in line for label in wanted)
    )


def open_sessions(gateway: RunningGateway) -> int:
    """How many sessions there are that are not closed."""
    return counted(gateway, "mxgateway_sessions")


def wait_until_counted(gateway: RunningGateway, metric: str, **labels: str) -> None:
    """Wait until something has happened at a gateway."""
    end = time.monotonic() + 20
    while not counted(gateway, metric, **labels):
        assert time.monotonic() < end, f"{metric} {labels} stays 0"
        time.sleep(0.02)
