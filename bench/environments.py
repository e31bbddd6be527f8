"""An environment for each peer: its packages, and the code that its generator makes of proto/.

They are made once, under ``.bench/`` next to this package, and anew when requirements or contract
have changed.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import venv
from dataclasses import dataclass
from pathlib import Path
from shutil import rmtree
from typing import Final

ROOT: Final = Path(__file__).parent.parent
CACHE: Final = ROOT / ".bench"
_CONTRACT: Final = ("mxaccess_gateway.proto", "galaxy_repository.proto")


@dataclass(frozen=True)
class Peer:
    """A library that is measured next to this SDK."""

    name: str
    #: The module of its worker, and the arguments of that.
    worker: tuple[str, ...]
    #: What its generator is asked for, with the folder for the outcome in braces.
    generate: tuple[str, ...]

    @property
    def requirements(self) -> Path:
        """Its packages with their versions."""
        return ROOT / "bench" / "peers" / f"{self.name}.txt"

    @property
    def folder(self) -> Path:
        """Where its environment is."""
        return CACHE / f"{self.name}-py{sys.version_info.major}{sys.version_info.minor}"

    @property
    def code(self) -> Path:
        """Where its generated code is."""
        return self.folder / "code"

    @property
    def scripts(self) -> Path:
        """Where its programs are."""
        return self.folder / ("Scripts" if os.name == "nt" else "bin")

    @property
    def python(self) -> Path:
        """Its interpreter."""
        return self.scripts / ("python.exe" if os.name == "nt" else "python")

    def ready(self) -> Peer:
        """Make the environment, unless it is there."""
        stamp = self.folder / "stamp"
        wanted = self._fingerprint()
        if not stamp.exists() or stamp.read_text() != wanted:
            print(f"making an environment for {self.name} …", file=sys.stderr, flush=True)
            rmtree(self.folder, ignore_errors=True)
            venv.create(self.folder, with_pip=True)
            (CACHE / ".gitignore").write_text("*\n")
            self._run("-m", "pip", "install", "--quiet", "--requirement", str(self.requirements))
            self._generate()
            stamp.write_text(wanted)
        return self

    def _fingerprint(self) -> str:
        made = hashlib.sha256(" ".join((sys.version, *self.generate)).encode())
        for file in (self.requirements, *(ROOT / "proto" / name for name in _CONTRACT)):
            made.update(file.read_bytes())
        return made.hexdigest()

    def _generate(self) -> None:
        package = self.code / f"{self.name}_contract"
        package.mkdir(parents=True)
        outputs = [each.format(code=self.code, package=package) for each in self.generate]
        proto = str(ROOT / "proto")
        self._run("-m", "grpc_tools.protoc", f"-I{proto}", *outputs, *_CONTRACT)

    def _run(self, *arguments: str) -> None:
        # The plugins of protoc are programs that it looks for on the path.
        path = os.pathsep.join((str(self.scripts), os.environ.get("PATH", "")))
        environment = os.environ | {"PATH": path}
        done = subprocess.run(
            [self.python, *arguments], env=environment, capture_output=True, text=True
        )
        if done.returncode:
            raise SystemExit(f"{self.name}: {' '.join(arguments)} failed\n{done.stderr}")


PROTOBUF: Final = Peer(
    "protobuf",
    ("bench.peers.protobuf",),
    ("--python_out={code}", "--grpc_python_out={code}"),
)
BETTERPROTO: Final = Peer(
    "betterproto",
    ("bench.peers.betterproto", "betterproto"),
    ("--python_betterproto_out={package}",),
)
BETTERPROTO2: Final = Peer(
    "betterproto2",
    ("bench.peers.betterproto", "betterproto2"),
    ("--python_betterproto2_out={package}",),
)
