"""Exit codes: the same for every command."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

OK: Final = 0
FAILURE: Final = 1
USAGE: Final = 2
UNREACHABLE: Final = 3
DENIED: Final = 4
TIMED_OUT: Final = 5
SOME_FAILED: Final = 6
HUNG_UP: Final = 129
INTERRUPTED: Final = 130
TERMINATED: Final = 143

#: What each of them says.
MEANINGS: Final[Mapping[int, str]] = {
    OK: "it worked; also when whoever read the output had enough of it",
    FAILURE: "the gateway or MXAccess refused, or something else failed",
    USAGE: "the command line cannot be: nothing was sent",
    UNREACHABLE: "no gateway answers there, or its certificate is not trusted",
    DENIED: "the API key is missing, wrong, or lacks a scope",
    TIMED_OUT: "the time ran out",
    SOME_FAILED: "some items failed, the others worked",
    HUNG_UP: "its terminal was closed (SIGHUP); what it opened was closed",
    INTERRUPTED: "Ctrl-C ended it; what it opened was closed",
    TERMINATED: "SIGTERM ended it; what it opened was closed",
}
