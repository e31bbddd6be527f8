"""``deploys``: the state, what comes behind it, and what ends it."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import subprocess

import pytest

from tests.cli.conftest import Run
from tests.cli.golden import assert_golden
from tests.cli.installed import MXGW, environment
from tests.cli.serving import process, serving
from tests.sdk.fixed import KEY
from tests.sdk.galaxies import ObservedGalaxy, ScriptedGalaxy
from zb_mom_ww_mxgateway_contracts.galaxy_repository_v1 import DeployEvent
from zb_mom_ww_mxgateway_contracts.google_protobuf import Timestamp


async def test_deploys_are_followed_from_the_state_on() -> None:
    galaxy = ObservedGalaxy(machines=2)
    async with serving(galaxy) as endpoint:
        running = await asyncio.create_subprocess_exec(
            MXGW, "deploys", "--max-events", "2", "--plaintext",
            env=environment(endpoint, KEY),
            stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        assert running.stdout is not None
        state = json.loads(await running.stdout.readline())
        await galaxy.deploy(machines=5)
        later = json.loads(await running.stdout.readline())
        assert await running.wait() == 0
    assert (state["sequence"], state["objectChange"]) == (1, None)
    assert (later["sequence"], later["objectChange"], later["missedEvents"]) == (2, 3, 0)


async def test_the_greatest_numbers_of_the_contract_have_no_sign() -> None:
    galaxy = ScriptedGalaxy()
    galaxy.events = [DeployEvent(sequence=2**64 - 1, object_count=1)]
    async with serving(galaxy) as endpoint:
        deploys = await process(endpoint, "deploys", "--json")
        watched = await process(endpoint, "galaxy-watch", "--json")
    assert deploys.json["deploys"][0]["sequence"] == 2**64 - 1
    assert watched.json["events"][0]["sequence"] == str(2**64 - 1)


async def test_deploys_that_were_missed_and_times_that_are_unknown_are_said() -> None:
    galaxy = ScriptedGalaxy()
    known = Timestamp(seconds=1_767_225_600)
    galaxy.events = [
        DeployEvent(sequence=7, object_count=3, attribute_count=10),
        DeployEvent(
            sequence=9,
            object_count=1,
            attribute_count=10,
            time_of_last_deploy=known,
            time_of_last_deploy_present=True,
        ),
    ]
    async with serving(galaxy) as endpoint:
        done = await process(endpoint, "deploys", "--output", "table")
        machine = await process(endpoint, "deploys", "--json")
    assert done.out.splitlines() == [
        "#7  at a time that the gateway does not know  3 objects  10 attributes",
        "#9  deployed 2026-01-01T00:00:00Z  1 objects (-2)  10 attributes  1 missed before it",
    ]
    assert [event["missedEvents"] for event in machine.json["deploys"]] == [0, 1]
    assert machine.json["deploys"][0]["timeOfLastDeploy"] is None


def test_a_duration_ends_deploys(mxgw: Run) -> None:
    done = mxgw("deploys", "--duration", "1.5", "--time-format", "relative", "--output", "table")
    assert done.code == 0
    assert re.fullmatch(r"#1  deployed .* ago  \d+ objects  \d+ attributes\n", done.out)


@pytest.mark.skipif(os.name == "nt", reason="Windows can only kill a process by force")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_it_without_a_trace(
    simulator: dict[str, str], number: signal.Signals, code: int
) -> None:
    made = environment(simulator["endpoint"], simulator["apiKey"])
    with subprocess.Popen(
        [MXGW, "deploys", "--plaintext"], env=made, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as running:
        assert running.stdout is not None
        assert json.loads(running.stdout.readline())["sequence"] == 1
        running.send_signal(number)
        rest, errors = running.communicate(timeout=20)
    assert (running.returncode, rest, errors.strip()) == (code, b"", b"")


def test_golden(mxgw: Run) -> None:
    assert_golden("deploys", mxgw("deploys", "--max-events", "1", "--json"))
