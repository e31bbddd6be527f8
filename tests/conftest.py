"""Hypothesis profiles: ``default``, and ``deep`` (HYPOTHESIS_PROFILE=deep) for a long run."""

from __future__ import annotations

import os

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
