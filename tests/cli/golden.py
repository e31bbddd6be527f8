"""Golden files: what commands print as JSON, in ``golden/NAME.json``, with placeholders for what
differs from run to run. ``MXGW_UPDATE_GOLDEN=1 python -m pytest tests/cli -k golden`` writes them
anew; read the difference before you keep it.
"""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any, Final

from tests.cli.conftest import Outcome

FOLDER: Final = Path(__file__).with_name("golden")
VARIABLE: Final = "MXGW_UPDATE_GOLDEN"

#: What differs from run to run, wherever it is in a text.
_TEXTS: Final = (
    (re.compile(r"session-[0-9a-f]{32}"), "<session id>"),
    (re.compile(r"\b[0-9a-f]{32}\b"), "<correlation id>"),
    (re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z"), "<time>"),
    (re.compile(r"127\.0\.0\.1:\d+"), "<endpoint>"),
    (re.compile(r"mxgw_\w+_[\w-]+"), "<key>"),
)
#: The same by the name of what holds it.
_NAMES: Final = {"workerProcessId": "<process id>", "client": "<version>", "codec": "<kind>"}


def stable(data: Any) -> Any:
    """``data`` with placeholders."""
    if isinstance(data, dict):
        return {key: _NAMES.get(key) or stable(value) for key, value in data.items()}
    if isinstance(data, list):
        return [stable(item) for item in data]
    if isinstance(data, str):
        for pattern, placeholder in _TEXTS:
            data = pattern.sub(placeholder, data)
    return data


def assert_golden(name: str, outcome: Outcome) -> None:
    """That a command run with ``--json`` ended and printed as ``golden/NAME.json`` has it."""
    printed = {"output": outcome.json} if outcome.out else {"error": outcome.error}
    found = {"exitCode": outcome.code, **stable(printed)}
    path = FOLDER / f"{name}.json"
    if os.environ.get(VARIABLE):
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(found, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    assert path.exists(), f"no {path.name} in golden/; {VARIABLE}=1 writes it"
    assert found == json.loads(path.read_text(encoding="utf-8"))
