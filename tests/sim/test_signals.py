"""What signals are made of: values that depend on nothing but signal, key and k."""

from __future__ import annotations

from itertools import pairwise
from statistics import fmean

import pytest
from hypothesis import assume, given, strategies as st

from zb_mom_ww_mxgateway_sim.galaxy.signals import (
    GOOD,
    Changing,
    Counter,
    Ramp,
    RandomWalk,
    Replay,
    Sine,
    Toggle,
    signal_key,
)

KEYS = st.integers(0, 2**64 - 1)
TICKS = st.integers(0, 10**9)
PHASES = st.none() | st.floats(0, 1, exclude_max=True)
FLOATS = st.floats(-1e308, 1e308)
WHOLE = st.integers(-(2**31), 2**31 - 1)


@st.composite
def ranges(draw, numbers):
    low, high = sorted(draw(st.lists(numbers, min_size=2, max_size=2, unique=True)))
    return {"low": low, "high": high}


@st.composite
def waves(draw):
    is_whole = draw(st.booleans())
    kind = draw(st.sampled_from([Ramp, Sine, RandomWalk]))
    return kind(
        **draw(ranges(WHOLE if is_whole else FLOATS)),
        period=draw(st.integers(1, 10_000)),
        every=draw(st.integers(1, 50)),
        is_whole=is_whole,
        **({} if kind is RandomWalk else {"phase": draw(PHASES)}),
    )


@st.composite
def counters(draw):
    is_whole = draw(st.booleans())
    return Counter(
        **draw(ranges(WHOLE if is_whole else st.floats(-1e6, 1e6))),
        step=draw(st.integers(1, 10**6) if is_whole else st.floats(0.001, 1e6)),
        every=draw(st.integers(1, 50)),
        is_whole=is_whole,
    )


@st.composite
def toggles(draw):
    period = draw(st.integers(2, 1_000))
    return Toggle(period=period, on=draw(st.integers(1, period - 1)), phase=draw(PHASES))


@st.composite
def replays(draw):
    later = draw(st.sets(st.integers(1, 300), max_size=20))
    ticks = (0, *sorted(later))
    values = st.one_of(st.integers(), st.booleans(), st.text(), st.floats(allow_nan=False))
    size = {"min_size": len(ticks), "max_size": len(ticks)}
    qualities = draw(st.just([]) | st.lists(st.integers(0, 255), **size))
    return Replay(
        ticks=ticks, values=tuple(draw(st.lists(values, **size))), qualities=tuple(qualities)
    )


SIGNALS = st.one_of(
    waves(), counters(), toggles(), replays(), st.builds(Changing, st.integers(10, 2**31 - 1))
)


@given(SIGNALS, TICKS, KEYS)
def test_a_signal_moves_exactly_where_its_value_or_quality_is_another_than_before(signal, k, key):
    assert signal.moves(0, key)
    for now in range(k + 1, k + 30):
        before = signal.value(now - 1, key), signal.quality(now - 1, key)
        assert signal.moves(now, key) == (
            before != (signal.value(now, key), signal.quality(now, key))
        )


@given(waves(), TICKS, KEYS)
def test_waves_stay_in_their_range_and_are_whole_where_they_have_to_be(wave, k, key):
    value = wave.value(k, key)
    assert wave.low <= value <= wave.high
    assert type(value) is (int if wave.is_whole else float)


@given(waves(), TICKS, KEYS)
def test_between_two_new_values_a_wave_stands_still(wave, k, key):
    begun = k - k % wave.every
    assert len({wave.value(begun + later, key) for later in range(wave.every)}) == 1


@given(ranges(st.floats(-1e6, 1e6)), st.integers(2, 500), PHASES, KEYS)
def test_a_ramp_rises_from_one_end_to_the_other_and_falls_once_a_period(limits, period, phase, key):
    ramp = Ramp(**limits, period=period, phase=phase)
    assume(ramp.high - ramp.low > 1e-6)  # so that a step is more than what is rounded
    values = [ramp.value(k, key) for k in range(period + 1)]
    assert {min(values), max(values)} == {ramp.low, ramp.high}
    assert values[0] == values[-1]
    assert sum(later < before for before, later in pairwise(values)) == 1


@given(st.integers(4, 500), PHASES, KEYS)
def test_a_sine_is_as_long_above_its_middle_as_below_and_repeats(period, phase, key):
    sine = Sine(low=-1, high=1, period=period, phase=phase)
    values = [sine.value(k, key) for k in range(period)]
    assert abs(fmean(values)) < 1e-9
    assert sine.value(period + 3, key) == sine.value(3, key)


def test_phase_0_of_a_sine_is_its_middle_and_rises():
    sine = Sine(low=10, high=20, period=8, phase=0)
    assert [round(sine.value(k, 0), 2) for k in (0, 2, 4, 6)] == [15, 20, 15, 10]


@given(KEYS, st.integers(100, 500))
def test_a_random_walk_takes_small_steps_often_gets_around_and_does_not_repeat(key, period):
    walk = RandomWalk(low=0, high=100, period=period)
    values = [walk.value(k, key) for k in range(10 * period)]
    steps = fmean(abs(later - before) for before, later in pairwise(values))
    strides = fmean(
        abs(later - before) for before, later in zip(values, values[period // 2 :], strict=False)
    )
    assert 0 < steps < strides / 2
    assert max(values) - min(values) > 50
    assert values[:period] != values[period : 2 * period]


@given(counters(), st.integers(0, 400), KEYS)
def test_a_counter_counts_up_and_begins_again_before_it_would_be_above_its_end(counter, k, key):
    value, at = counter.low, 0
    steps = 0
    while at + counter.every <= k:
        at, steps = at + counter.every, steps + 1
        value = counter.low + steps * counter.step
        if value > counter.high and value - counter.high > 1e-6 * counter.step:
            value, steps = counter.low, 0
    assert counter.value(k, key) == pytest.approx(min(value, counter.high))
    assert type(counter.value(k, key)) is (int if counter.is_whole else float)


@given(toggles(), TICKS, KEYS)
def test_a_toggle_is_on_for_its_part_of_each_period(toggle, k, key):
    values = [toggle.value(k + later, key) for later in range(toggle.period + 1)]
    assert values.count(True) - values[-1] == toggle.on
    assert values[0] == values[-1]


@given(replays(), st.integers(0, 2_000), KEYS)
def test_a_replay_holds_each_row_until_the_next_and_begins_anew_after_the_last(replay, k, key):
    recorded = {}
    for row, tick in enumerate(replay.ticks):
        end = [*replay.ticks, replay.ticks[-1] + 1][row + 1]
        for held in range(tick, end):
            recorded[held] = replay.values[row], (replay.qualities or [GOOD] * 99)[row]
    assert (replay.value(k, key), replay.quality(k, key)) == recorded[k % len(recorded)]


@given(st.integers())
def test_attributes_of_one_kind_have_values_of_their_own(seed):
    keys = [signal_key(seed, f"Tank_{number:02}.Level") for number in range(30)]
    for signal in (
        Ramp(low=0, high=1, period=10**6),
        RandomWalk(low=0, high=1, period=100),
        Changing(),
    ):
        assert len({(signal.value(5, key), signal.value(6, key)) for key in keys}) > 20


@given(st.integers(), st.text(), st.integers(0, 10**6))
def test_changing_values_always_change(seed, reference, k):
    key = signal_key(seed, reference)
    values = [Changing().value(k + later, key) for later in range(3)]
    assert len(set(values)) == 3
    assert all(0 <= value < 10_000 for value in values)


@given(st.integers(), st.text(), st.text())
def test_the_key_depends_on_seed_and_reference(seed, reference, other):
    key = signal_key(seed, reference)
    assert 0 <= key < 2**64
    assert (signal_key(seed, other) == key) == (other == reference)
    assert signal_key(seed + 1, reference) != key
