"""What the tests of read, write, info and watch share: a galaxy, and processes that talk to it."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pytest

from tests.cli import installed
from zb_mom_ww_mxgateway_sim.plugin import RunningGateway

#: For ``pytestmark``: a gateway that changes signals often and tells how many sessions it has.
GATEWAY: Final = pytest.mark.mxgw_gateway(
    galaxy=Path(__file__).with_name("everyday.toml"), change_interval=0.05, operations_port=0
)


def connection(gateway: RunningGateway) -> dict[str, str]:
    """What the fixture ``mxgw`` takes in place of its simulator."""
    return {"endpoint": gateway.endpoint, "apiKey": gateway.api_key}


def environment(gateway: RunningGateway) -> dict[str, str]:
    """The environment of a process that talks to a gateway."""
    made = installed.environment(gateway.endpoint, gateway.api_key)
    return made | {"MXGATEWAY_PLAINTEXT": "1"}
