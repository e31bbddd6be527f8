"""What a simulator has counted, from its metrics: they need ``operations_port=0``."""

from __future__ import annotations

import urllib.request

from zb_mom_ww_mxgateway_sim.plugin import RunningGateway


def counted(running: RunningGateway, metric: str, *labels: str) -> float:
    """The sum of a metric's numbers whose labels have all of these texts."""
    where = running.gateway.operations_endpoint
    with urllib.request.urlopen(f"http://{where}/metrics", timeout=20) as answer:
        lines = answer.read().decode().splitlines()
    pairs = (line.rpartition(" ") for line in lines if not line.startswith("#"))
    return sum(
        float(number)
        for name, _, number in pairs
        if name.partition("{")[0] == metric and all(label in name for label in labels)
    )
