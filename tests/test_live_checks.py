"""The live checks themselves are checked, once, against the simulator."""

from __future__ import annotations

import asyncio
import os
import sys
from asyncio.subprocess import PIPE
from pathlib import Path

from zb_mom_ww_mxgateway_sim import SimulatedGateway


async def test_the_live_checks_pass_against_the_simulator() -> None:
    async with SimulatedGateway(change_interval=0.1, first_value_delay=0.1) as gateway:
        environment = {
            **os.environ,
            "MXGATEWAY_INTEGRATION": "1",
            "MXGATEWAY_ENDPOINT": gateway.endpoint,
            "MXGATEWAY_API_KEY": gateway.api_key,
            "MXGATEWAY_TEST_ITEM": "TestMachine_001.TestChangingInt",
        }
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "pytest", "tests/live", "-p", "no:cacheprovider", "-q"),
            cwd=Path(__file__).parent.parent,
            env=environment,
            stdout=PIPE,
            stderr=PIPE,
        )
        output, errors = await process.communicate()
    assert process.returncode == 0, output.decode() + errors.decode()
    assert b"skipped" not in output
