"""Reflection and health for a gateway, where what they need is there; they are in discovery.py."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .discovery import Discovery, Servable

_log = logging.getLogger("zb_mom_ww_mxgateway_sim")


def discovery_of(services: list[Servable]) -> Discovery | None:
    """Reflection and health, where the extra ``sim`` is installed."""
    try:
        from .discovery import Discovery
    except ImportError as error:
        advice = 'install "zb-mom-ww-mxgateway[sim]" to have them'
        _log.info("no reflection and no health: %s; %s", error, advice)
        return None
    except TypeError as error:
        # From google.protobuf, when the program has another copy of their files.
        _log.info("no reflection and no health: %s", error)
        return None
    return Discovery(services)
