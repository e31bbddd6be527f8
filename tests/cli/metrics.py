"""What a simulator has counted, from its metrics: it needs ``operations_port=0``, as a process
``--metrics-port 0``.
"""

from __future__ import annotations

import re
import time
from urllib.request import ProxyHandler, build_opener

from tests.cli.simulated import Simulated
from zb_mom_ww_mxgateway_sim.plugin import RunningGateway

PATIENCE = 20.0


def metrics_of(gateway: RunningGateway | Simulated) -> str:
    """Its page of metrics; no proxy of the developer's is asked for it."""
    if isinstance(gateway, RunningGateway):
        where = gateway.gateway.operations_endpoint
    else:
        where = gateway.ready["metrics"]
    with build_opener(ProxyHandler({})).open(f"http://{where}/metrics", timeout=20) as answer:
        page: bytes = answer.read()
    return page.decode()


def counted(gateway: RunningGateway | Simulated, metric: str, **labels: str) -> int:
    """The sum of a metric's samples that have these labels."""
    lines = metrics_of(gateway).splitlines()
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


def wait_until_counted(gateway: RunningGateway | Simulated, metric: str, **labels: str) -> None:
    """Wait until something has happened at a gateway."""
    end = time.monotonic() + PATIENCE
    while not counted(gateway, metric, **labels):
        assert time.monotonic() < end, f"{metric} {labels} stays 0"
        time.sleep(0.02)
