"""``python -m codegen``: generate, check, watch, dump-ir, breaking, fetch."""

from __future__ import annotations

import argparse
import subprocess
import sys
import sysconfig
import time
from pathlib import Path

from . import fetch
from .conventions import DEFAULT_ROOT, FILE
from .errors import CodegenError
from .generate import differences, load_schema, render_contract, write

_PROJECT = Path(__file__).parent.parent


def main(arguments: list[str] | None = None) -> int:
    """Run one subcommand; 0 is success, 1 a difference or a contract that cannot be generated."""
    options = _parser().parse_args(arguments)
    try:
        return int(options.run(options))
    except CodegenError as error:
        print(f"codegen: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m codegen", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for name, run, writes, text in (
        ("generate", _generate, True, "write the package that the contract describes"),
        ("check", _check, True, "compare the written package with what would be generated"),
        ("watch", _watch, True, "generate again whenever the contract or a template is saved"),
        ("dump-ir", _dump_ir, False, "print what the templates are given, as JSON"),
        ("breaking", _breaking, False, "compare the contract with its last release (buf)"),
    ):
        command = commands.add_parser(name, help=text, description=text)
        command.set_defaults(run=run)
        command.add_argument(
            "--proto-dir", type=Path, default=_PROJECT / "proto", help="folder of the .proto files"
        )
        if writes:
            command.add_argument(
                "--out", type=Path, default=_PROJECT / "generated", help="source root to write to"
            )
    text = "write the .proto files of the contract that a live gateway serves"
    command = commands.add_parser("fetch", help=text, description=text)
    command.set_defaults(run=fetch.run)
    fetch.add_arguments(command)
    return parser


def _generate(options: argparse.Namespace) -> int:
    started = time.perf_counter()
    root, files = render_contract(options.proto_dir)
    changed = write(files, root, options.out)
    for path in changed:
        print(f"  {path}")
    print(f"{len(files)} files, {len(changed)} changed, {time.perf_counter() - started:.2f} s")
    _warn_without_conventions(options)
    return 0


def _warn_without_conventions(options: argparse.Namespace) -> None:
    """Say that what was generated is not the package that the SDK imports, which nobody expects."""
    if (options.proto_dir / FILE).exists():
        return
    print(
        f"codegen: warning: there is no {FILE} in {options.proto_dir}, so the generated package is "
        f"{options.out / DEFAULT_ROOT} and has no commands; the SDK does not use it\n"
        f"  hint: copy {_PROJECT / 'proto' / FILE} to {options.proto_dir}, delete "
        f"{options.out / DEFAULT_ROOT}, and generate again",
        file=sys.stderr,
    )


def _check(options: argparse.Namespace) -> int:
    root, files = render_contract(options.proto_dir)
    lines = list(differences(files, root, options.out))
    for line in lines:
        print(line)
    _warn_without_conventions(options)
    if lines:
        print("codegen: the generated package is out of step; run `make generate`", file=sys.stderr)
        return 1
    print(f"{len(files)} files in step with the contract")
    return 0


def _watch(options: argparse.Namespace) -> int:
    from watchfiles import watch

    folders = [options.proto_dir, _PROJECT / "templates", _PROJECT / "codegen"]
    print(f"watching {', '.join(str(folder) for folder in folders)}; Ctrl-C ends", flush=True)
    # A process of its own each time, so that a change of the generator counts too.
    command = [sys.executable, "-m", "codegen", "generate"]
    command += [
        "--proto-dir",
        str(options.proto_dir.resolve()),
        "--out",
        str(options.out.resolve()),
    ]
    subprocess.run(command, check=False, cwd=_PROJECT)
    for _ in watch(*folders, raise_interrupt=True):
        subprocess.run(command, check=False, cwd=_PROJECT)
    return 0


def _dump_ir(options: argparse.Namespace) -> int:
    print(load_schema(options.proto_dir).to_json())
    return 0


def _breaking(options: argparse.Namespace) -> int:
    baseline = options.proto_dir / "baseline.binpb"
    if not baseline.exists():
        raise CodegenError(
            f"there is no {baseline}", hint="copy contract.binpb of the last release there"
        )
    buf = Path(sysconfig.get_path("scripts"), "buf")
    command = [str(buf), "breaking", str(options.proto_dir), "--against", str(baseline)]
    status = subprocess.run(command, check=False).returncode
    if status == 0:
        print("no wire-breaking change against the last release")
    return 1 if status else 0


if __name__ == "__main__":
    sys.exit(main())
