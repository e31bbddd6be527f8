"""Scenarios: when their faults happen, and what their files may say."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from grpclib.const import Status
from hypothesis import given, strategies as st

from tests.sim.conftest import Site
from zb_mom_ww_mxgateway_sim import SimulatedGateway
from zb_mom_ww_mxgateway_sim.clock import Clock, ManualClock
from zb_mom_ww_mxgateway_sim.faults import (
    BadQuality,
    CrashWorker,
    DelayReplies,
    DropConnections,
    FaultError,
    FreezeStreams,
    GoAway,
    LastingFault,
    Redeploy,
    RefuseCalls,
    SlowWrites,
    StepClock,
    Strike,
    WrongTypes,
)
from zb_mom_ww_mxgateway_sim.scenario import (
    KINDS,
    Scenario,
    ScenarioFileError,
    Step,
    load_scenario,
)

GUIDE = Path(__file__).parents[2] / "docs" / "simulator-faults.md"
EXAMPLES = re.findall(r"```toml\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.S)

# --- when ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class State:
    """What the faults of the property below have done."""

    write_delay: float
    stepped: float


TIMES = st.integers(0, 40)


@st.composite
def steps(draw: st.DrawFn) -> Step:
    """Writes are slowed down by some number of seconds, or the clock steps by a minute."""
    at = draw(TIMES)
    every = draw(st.none() | st.integers(2, 15))
    if draw(st.booleans()):
        return Step(fault=StepClock(seconds=60), at=at, every=every)
    longest = 20 if every is None else every - 1
    lasts = draw(st.integers(1, longest) if every else st.none() | st.integers(1, longest))
    return Step(fault=SlowWrites(seconds=draw(st.integers(1, 9))), at=at, lasts=lasts, every=every)


def beginnings(step: Step, now: float) -> list[float]:
    """All times until ``now`` at which a step has begun."""
    times = [step.at]
    while step.every is not None and times[-1] <= now:
        times.append(times[-1] + step.every)
    return [time for time in times if time <= now]


def expected(scenario: Sequence[Step], now: float) -> State:
    """The state by the definition: what lasts is there from each beginning until its end."""
    slow: list[tuple[float, int, float]] = []
    stepped = 0.0
    for number, step in enumerate(scenario):
        times = beginnings(step, now)
        if isinstance(step.fault, StepClock):
            stepped += 60 * len(times)
            continue
        assert isinstance(step.fault, SlowWrites)
        if times and (step.lasts is None or now < times[-1] + step.lasts):
            slow.append((times[-1], number, step.fault.seconds))
    return State(write_delay=max(slow)[2] if slow else 0.0, stepped=stepped)


@given(st.lists(steps(), max_size=5), st.lists(st.integers(0, 12), max_size=8))
def test_faults_begin_and_end_at_their_times(scenario: list[Step], waits: list[int]) -> None:
    async def run() -> None:
        clock = ManualClock()
        await clock.advance(0.7)  # what counts is the start of the gateway, not of its clock
        began = clock.now().to_nanoseconds()
        gateway = SimulatedGateway(clock=clock, scenario=scenario, plant=False, machines=0)
        async with gateway:
            elapsed = 0
            for wait in [0, *waits]:
                if wait:
                    await clock.advance(wait)
                    elapsed += wait
                stepped = (clock.now().to_nanoseconds() - began) / 1e9 - elapsed
                state = State(gateway._galaxy.write_delay, round(stepped, 6))
                assert state == expected(scenario, elapsed)
        assert gateway._galaxy.write_delay == 0.0
        assert gateway._faults.active == 0

    asyncio.run(run())


async def test_what_cannot_happen_is_logged_and_the_scenario_goes_on(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    clock = ManualClock()
    gateway = await site.gateway(
        clock=clock,
        scenario=[
            Step(fault=CrashWorker(session=7), at=1),
            Step(fault=BadQuality(tag_name="TestMachine_003"), at=2, lasts=1, every=2),
            Step(fault=SlowWrites(seconds=5), at=3),
        ],
        machines=2,
    )
    await clock.advance(5)
    assert gateway._galaxy.write_delay == 5
    crash, *bad = [text for text in caplog.messages if text.startswith("fault.failed")]
    assert crash == 'fault.failed fault=crash-worker reason="crash-worker: session 7 is not open"'
    assert len(bad) == 2  # at 2 and 4 seconds
    assert all("tag_name 'TestMachine_003' is not deployed" in text for text in bad)
    await gateway.deploy(machines=3)
    await clock.advance(1)
    assert gateway._faults.active == 2


async def test_a_scenario_deploys_and_drops_by_itself(site: Site) -> None:
    clock = ManualClock()
    gateway = await site.gateway(
        clock=clock,
        scenario=[
            Step(fault=Redeploy(machines=4), at=10),
            Step(fault=DropConnections(), at=10),
            Step(fault=GoAway(), at=10),
        ],
    )
    await site.client(gateway).open()
    assert gateway._server is not None
    await clock.advance(10)
    async with asyncio.timeout(5):
        while gateway._server.connections:
            await asyncio.sleep(0.001)
    # One after another, as they stand there: nothing was dropped before all was deployed.
    assert gateway._deploys.latest.machines == 4


async def test_faults_at_the_start_are_there_for_the_first_call(
    site: Site, refused: Callable[[Awaitable[Any]], Awaitable[Any]]
) -> None:
    gateway = await site.gateway(scenario=[Step(fault=RefuseCalls(), at=0, lasts=0.05)])
    error = await refused(site.client(gateway).open())
    assert error.status is Status.UNAVAILABLE
    async with asyncio.timeout(5):  # on a clock that runs by itself
        while gateway._faults.active:
            await asyncio.sleep(0.01)
    await site.client(gateway).open()


class BrokenClock(Clock):
    """One that cannot be set, which nobody has foreseen."""

    def step(self, seconds: float) -> None:
        raise RuntimeError("broken")


async def test_a_scenario_that_broke_leaves_a_gateway_that_closes_and_says_so() -> None:
    gateway = SimulatedGateway(
        clock=BrokenClock(), scenario=[Step(fault=StepClock(seconds=1), at=0.01)], machines=0
    )
    before = asyncio.all_tasks()
    await gateway.start()
    scenario = gateway._scenario._task
    assert scenario is not None
    await asyncio.wait([scenario])
    with pytest.raises(RuntimeError, match="broken"):
        await gateway.close()
    assert asyncio.all_tasks() == before
    host, _, port = gateway.endpoint.rpartition(":")
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection(host, int(port))


# --- files -----------------------------------------------------------------------------------


def written(folder: Path, text: str) -> Path:
    file = folder / "faults.toml"
    file.write_text(text, encoding="utf-8")
    return file


@pytest.mark.parametrize("text", EXAMPLES, ids=range(len(EXAMPLES)))
async def test_the_examples_of_the_guide_run(
    site: Site, tmp_path: Path, text: str, caplog: pytest.LogCaptureFixture
) -> None:
    clock = ManualClock()
    gateway = await site.gateway(clock=clock)
    for _ in range(2):
        await site.client(gateway).open()
    scenario = Scenario(load_scenario(written(tmp_path, text)), gateway._faults, clock)
    with caplog.at_level(logging.INFO):
        await scenario.start()
        await clock.advance(901)
        async with asyncio.timeout(5):
            while "fault.began" not in caplog.text:  # deploys take time of their own
                await asyncio.sleep(0.001)
        await scenario.stop()
    assert "fault.failed" not in caplog.text
    assert gateway._faults.active == 0


def test_the_guide_has_an_example_of_every_kind(tmp_path: Path) -> None:
    text = "".join(EXAMPLES)
    shown = {type(step.fault) for step in load_scenario(written(tmp_path, text))}
    assert shown == set(KINDS)


def test_every_kind_of_fault_can_be_in_a_scenario() -> None:
    def leaves(kind: type) -> set[type]:
        below = kind.__subclasses__()
        own = [found for found in below if found.__module__ == BadQuality.__module__]
        return set().union(*map(leaves, own)) if own else {kind}

    # Dataclasses with slots are made twice; what counts is their name.
    named = {kind.__name__ for kind in leaves(LastingFault) | leaves(Strike)}
    assert {kind.__name__ for kind in KINDS} == {
        name for name in named if name not in ("LastingFault", "Strike", "_SessionStrike")
    }


def test_a_file_says_what_python_can_say(tmp_path: Path) -> None:
    text = """
        [[faults]]
        kind = "refuse-calls"
        status = "INTERNAL"
        message = "broken"
        rpc = "Invoke"
        at = 1
        for = 2.5
        every = 10

        [[faults]]
        kind = "go-away"
        graceful = false
        at = 0

        [[faults]]
        kind = "bad-quality"
        tag_name = "TestArea"
        at = 3
    """
    broken = RefuseCalls(status=Status.INTERNAL, message="broken", rpc="Invoke")
    assert load_scenario(written(tmp_path, text)) == (
        Step(fault=broken, at=1, lasts=2.5, every=10),
        Step(fault=GoAway(graceful=False), at=0),
        Step(fault=BadQuality(tag_name="TestArea", quality=0), at=3),
    )


@pytest.mark.parametrize(
    ("text", "place", "reason"),
    [
        ("", "", "has no faults; add [[faults]] with a kind and a time"),
        ("[[fault]]", ":1: fault: ", "is not known here; did you mean 'faults'?"),
        ("[[faults]]\nat = 1", ":1: faults[1]: ", "'kind' is missing"),
        (
            '[[faults]]\nkind = "delay-reply"\nat = 1',
            ":2: faults[1].kind: ",
            "did you mean 'delay-replies'?",
        ),
        (
            '[[faults]]\nkind = "slow-writes"\nsecond = 1\nat = 1',
            ":3: faults[1].second: ",
            "is not known here; did you mean 'seconds'?",
        ),
        (
            '[[faults]]\nkind = "slow-writes"\nat = 1\nseconds = 0',
            ":4: faults[1].seconds: ",
            "must be positive, but is 0",
        ),
        (
            '[[faults]]\nkind = "slow-writes"\nat = 1\nseconds = "1"',
            ":4: faults[1].seconds: ",
            "must be a number, not a text",
        ),
        (
            '[[faults]]\nkind = "drop-connections"\nat = -1',
            ":3: faults[1].at: ",
            "must be at least 0, but is -1",
        ),
        (
            '[[faults]]\nkind = "drop-connections"\nat = 1\nfor = 1',
            ":4: faults[1].for: ",
            "makes no sense for what happens once; leave it out",
        ),
        (
            '[[faults]]\nkind = "refuse-connections"\nat = 1\nfor = 3\nevery = 3',
            ":5: faults[1].every: ",
            "must be longer than the fault lasts, which has to end",
        ),
        (
            '[[faults]]\nkind = "freeze-streams"\nat = 1\n\nrpc = "StreamEvent"',
            ":5: faults[1].rpc: ",
            "did you mean 'StreamEvents'?",
        ),
        (
            '[[faults]]\nkind = "refuse-calls"\nat = 1\nstatus = "UNAVAILABEL"',
            ":4: faults[1].status: ",
            "did you mean 'UNAVAILABLE'?",
        ),
        (
            '[[faults]]\nkind = "crash-worker"\nat = 1\nsession = 0',
            ":4: faults[1].session: ",
            "must be 1 or more, not 0",
        ),
        (
            '[[faults]]\nkind = "go-away"\nat = 1\n[[faults]]\nkind = "bad-quality"\nat = 1',
            ":4: faults[2]: ",
            "'tag_name' is missing",
        ),
    ],
)
def test_an_error_names_file_line_and_key_and_says_what_to_do(
    tmp_path: Path, text: str, place: str, reason: str
) -> None:
    file = written(tmp_path, text)
    with pytest.raises(ScenarioFileError) as caught:
        load_scenario(file)
    assert str(caught.value).startswith(f"{file}{place}")
    assert reason in str(caught.value)


def test_a_gateway_does_not_begin_with_a_file_that_is_no_scenario(tmp_path: Path) -> None:
    with pytest.raises(ScenarioFileError, match="is not TOML"):
        SimulatedGateway(scenario=written(tmp_path, "[[faults"))
    with pytest.raises(FileNotFoundError):
        SimulatedGateway(scenario=tmp_path / "missing.toml")


@pytest.mark.parametrize(
    ("times", "text"),
    [
        ({"at": -1.0}, "at must be from 0"),
        ({"at": float("nan")}, "at must be from 0"),
        ({"at": 0.0, "lasts": 0.0}, "lasts must be above 0"),
        ({"at": 0.0, "every": 0.001, "lasts": 0.0001}, "every must be 0.01 or more"),
        ({"at": 0.0, "every": 1.0}, "every must be longer than the fault lasts"),
    ],
)
def test_steps_in_python_are_checked_too(times: dict[str, float], text: str) -> None:
    with pytest.raises(FaultError, match=text):
        Step(fault=WrongTypes(tag_name="TestArea"), **times)


def test_kinds_are_called_as_their_classes() -> None:
    assert [kind.kind() for kind in (GoAway, DelayReplies, FreezeStreams)] == [
        "go-away",
        "delay-replies",
        "freeze-streams",
    ]
