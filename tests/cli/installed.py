"""The installed program, and the environment in which it talks to a gateway."""

from __future__ import annotations

import os
import sys
from pathlib import Path

MXGW = str(Path(sys.executable).with_name("mxgw-py.exe" if os.name == "nt" else "mxgw-py"))


def environment(endpoint: str, key: str) -> dict[str, str]:
    """This process's, with a gateway to talk to."""
    return {**os.environ, "MXGATEWAY_ENDPOINT": endpoint, "MXGATEWAY_API_KEY": key}
