"""Hypothesis profiles: ``default``, and ``deep`` (HYPOTHESIS_PROFILE=deep) for a long run; how many
tests run at once.
"""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, settings

_SLOW_TO_START = [HealthCheck.too_slow, HealthCheck.data_too_large]
_CI = bool(os.environ.get("CI"))

settings.register_profile(
    "default",
    max_examples=25,
    deadline=None,
    derandomize=_CI,
    suppress_health_check=_SLOW_TO_START,
)
settings.register_profile(
    "deep",
    max_examples=200,
    deadline=None,
    derandomize=_CI,
    suppress_health_check=_SLOW_TO_START,
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """One more than there are cores: many tests wait for other processes, or for time."""
    return (os.cpu_count() or 1) + 1
