"""What was measured on: the machine, and the versions of what was measured."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass
class Setting:
    """The machine, and what took part."""

    cores: int
    processor: str
    system: str
    python: str
    #: Versions of packages, by column.
    versions: dict[str, dict[str, str]] = field(default_factory=dict[str, dict[str, str]])

    @classmethod
    def here(cls) -> Setting:
        """This machine."""
        return cls(
            cores=os.cpu_count() or 1,
            processor=_processor(),
            system=platform.platform(terse=True),
            python=f"{platform.python_implementation()} {platform.python_version()}",
        )

    def note(self, name: str, about: dict[str, Any]) -> None:
        """Remember the versions that a worker has."""
        self.versions[name] = about["versions"]

    def sentences(self) -> Iterable[str]:
        """All of it for people."""
        yield f"{self.cores} cores of {self.processor}, {self.system}, {self.python}"
        for name, packages in self.versions.items():
            yield f"{name}: " + ", ".join(f"{each} {found}" for each, found in packages.items())


def _processor() -> str:
    """The processor's name; Python knows it on some systems, /proc on the others."""
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for each in cpuinfo.read_text().splitlines():
            if each.startswith("model name"):
                return each.partition(":")[2].strip()
    return platform.processor() or platform.machine()
