"""The schema to files: templates, imports for what they print, ruff format, a compile check."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from importlib import resources
from pathlib import Path
from typing import Final

import jinja2
from ruff.__main__ import find_ruff_bin  # type: ignore[import-untyped]

from . import ir
from .codec_views import CodecViews
from .command_views import CommandViews
from .docstrings import docstring
from .errors import CodegenError
from .views import Views

_RUNTIME: Final = "zb_mom_ww_mxgateway_wire"
_TEMPLATES: Final = Path(__file__).parent.parent / "templates"

_STDLIB: Final[Mapping[str, str]] = {
    "ABC": "abc",
    "abstractmethod": "abc",
    "AsyncGenerator": "collections.abc",
    "AsyncIterator": "collections.abc",
    "Iterable": "collections.abc",
    "Mapping": "collections.abc",
    "datetime": "datetime",
    "timedelta": "datetime",
    "Final": "typing",
    "Generic": "typing",
    "Literal": "typing",
    "TYPE_CHECKING": "typing",
    "TypeVar": "typing",
}
_GRPCLIB: Final[Mapping[str, str]] = {
    "Cardinality": "grpclib.const",
    "Handler": "grpclib.const",
}
#: What only annotations name, and only a server has loaded anyway.
_TYPES_ALONE: Final[Mapping[str, str]] = {"Stream": "grpclib.server"}


def _runtime_names() -> Iterator[tuple[str, str]]:
    """What the runtime's modules define for generated code, each with its module."""
    for module in (
        *("codec", "command", "decoding", "encoding", "enums", "fields", "grpc", "message"),
        "wellknown",
    ):
        source = resources.files(_RUNTIME).joinpath(f"{module}.py").read_text(encoding="utf-8")
        for node in ast.parse(source).body:
            if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
                yield node.name, f"{_RUNTIME}.{module}"
            elif isinstance(node, (ast.Assign, ast.AnnAssign)):
                targets = node.targets if isinstance(node, ast.Assign) else [node.target]
                for target in targets:
                    yield ast.unparse(target), f"{_RUNTIME}.{module}"


_WIRE: Final[Mapping[str, str]] = {
    name: module for name, module in _runtime_names() if not name.startswith("_")
}


def render(schema: ir.Schema, descriptor_set: bytes) -> dict[str, bytes]:
    """Every generated file by its path below the output folder."""
    texts = dict(_texts(schema))
    python = {path: text for path, text in texts.items() if path.endswith(".py")}
    files = {path: text.encode() for path, text in (texts | _format(python)).items()}
    files[f"{schema.root}/contract.binpb"] = descriptor_set
    files[f"{schema.root}/py.typed"] = b""
    if schema.commands:
        files[f"{schema.root}/commands.json"] = _summary(schema.commands).encode()
    for path, content in files.items():
        if path.endswith(".py"):
            _check(path, content)
    return dict(sorted(files.items()))


def _summary(commands: ir.Commands) -> str:
    """What can be said of the commands without importing any of it: their names and texts."""
    texts = {command.name: " ".join(command.text.split()) for command in commands.commands}
    summary = {"commands": texts, "protocol": commands.protocol}
    return json.dumps(summary, ensure_ascii=False, indent=2) + "\n"


def _texts(schema: ir.Schema) -> Iterator[tuple[str, str]]:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,
    )
    environment.filters["docstring"] = docstring
    environment.filters["repr"] = repr
    modules = ", ".join(package.module for package in schema.packages)
    yield f"{schema.root}/__init__.py", _header(f"The contract as Python: {modules}.", ())
    for package in schema.packages:
        views = Views(schema, package)
        for name, template, doc, context in _plan(schema, package, views):
            body = environment.get_template(template).render(package=package, **context)
            head = _header(doc, package.files)
            imports = "" if name == "__init__" else _imports(schema, package, name, body)
            yield f"{schema.root}/{package.module}/{name}.py", f"{head}\n{imports}\n\n{body}"
            if name == "codec":
                types = environment.get_template("codec.pxd.j2")
                text = types.render(cimports=_cimports(schema, package, body), **context)
                yield f"{schema.root}/{package.module}/codec.pxd", text


_CODEC_DOC: Final = """The codec of every message of {}.

``encode_…`` appends a message to ``out``; ``label`` names it in errors. ``decode_…`` reads
``data[pos:end]`` into a new message or into the one given, which is how protobuf merges. Below
either, messages may nest ``depth`` levels more.
"""

#: Module, template, docstring and what the template needs.
Row = tuple[str, str, str, Mapping[str, object]]


def _plan(schema: ir.Schema, package: ir.Package, views: Views) -> Iterator[Row]:
    """The files of one package."""
    names = {
        "enums": sorted(enum.name for enum in package.enums),
        "messages": sorted(message.name for message in package.messages),
    }
    title = package.proto_name or "the unnamed package"
    yield "__init__", "package.py.j2", package.doc or f"Messages of {title}.", names
    if package.enums:
        yield "enums", "enums.py.j2", f"The enums of {title}.", {}
    yield (
        "messages",
        "messages.py.j2",
        f"The messages of {title}.",
        {"messages": list(views.messages())},
    )
    codec_views = CodecViews(schema, package)
    codecs = {
        "codecs": list(codec_views.codecs()),
        "enum_tables": list(codec_views.enum_tables()),
    }
    yield "codec", "codec.py.j2", _CODEC_DOC.format(title), codecs
    if package.services:
        services = {"services": list(views.services())}
        yield "services", "services.py.j2", f"The services of {title}: data, stub, base.", services
    if schema.commands and schema.commands.module == package.module:
        yield from _command_plan(schema.commands, CommandViews(schema, package))


def _command_plan(commands: ir.Commands, views: CommandViews) -> Iterator[Row]:
    context: dict[str, object] = {
        "commands": commands,
        "command_views": list(views.commands(commands)),
        "kind_enum": views.type_name(commands.kind_enum, enum=True),
        "value_message": views.type_name(commands.value_message),
    }
    yield "commands", "commands.py.j2", "Every command as data.", context
    yield "handlers", "handlers.py.j2", "What whoever answers commands implements.", context
    for module, name, manner, prefix, awaited in (
        ("session", "SessionCommands", "async", "async ", "await "),
        ("session_sync", "SyncSessionCommands", "blocking", "", ""),
    ):
        own = {"class_name": name, "manner": manner, "prefix": prefix, "awaited": awaited}
        yield module, "session.py.j2", f"Every command as a method, {manner}.", {**context, **own}


def _cimports(schema: ir.Schema, package: ir.Package, body: str) -> list[str]:
    """What a compiled codec takes from other modules as C has it."""
    used = {node.id for node in ast.walk(_parse("codec.py", body)) if isinstance(node, ast.Name)}
    lines = [f"from {_RUNTIME} cimport native"] if "native" in used else []
    for module in ("decoding", "encoding"):
        types = resources.files(_RUNTIME).joinpath(f"{module}.pxd").read_text(encoding="utf-8")
        names = used.intersection(re.findall(r"^cpdef .*?\b(\w+)\(", types, re.MULTILINE))
        names_in_c = "".join(f"    {name},\n" for name in sorted(names))
        lines.append(f"from {_RUNTIME}.{module} cimport (\n{names_in_c})")
    for other in schema.packages:
        if other is not package and f"{other.module}_codec" in used:
            lines.append(f"from {schema.root}.{other.module} cimport codec as {other.module}_codec")
    return lines


def _header(doc: str, files: tuple[str, ...]) -> str:
    origin = f" from {', '.join(files)}" if files else ""
    return docstring(
        f"{doc}\n\nGenerated by `python -m codegen generate`{origin}; edits are lost.", 0
    )


def _imports(schema: ir.Schema, package: ir.Package, module: str, body: str) -> str:
    """Imports of exactly what ``body`` uses."""
    tree = _parse(f"{package.module}/{module}.py", body)
    used = _names_read(tree)
    if used & _TYPES_ALONE.keys():
        used.add("TYPE_CHECKING")
    used -= {node.name for node in tree.body if isinstance(node, (ast.ClassDef, ast.FunctionDef))}
    local: dict[str, str] = {}
    if module != "enums":
        local |= dict.fromkeys((enum.name for enum in package.enums), ".enums")
    if module not in ("enums", "messages"):
        local |= dict.fromkeys((message.name for message in package.messages), ".messages")
    blocks = [["from __future__ import annotations"]]
    if "native" in used:
        blocks.append([f"from {_RUNTIME} import native"])
    for table in (_STDLIB, _GRPCLIB, _WIRE):
        blocks.append(_from_imports({n: table[n] for n in used & table.keys() if n not in local}))
    relative = _from_imports({name: local[name] for name in used & local.keys()})
    for other in schema.packages:
        for kind, alias in (("messages", ""), ("enums", "_enums"), ("codec", "_codec")):
            if other is not package and f"{other.module}{alias}" in used:
                relative.append(f"from ..{other.module} import {kind} as {other.module}{alias}")
    if "commands" in used and module.startswith("session"):
        relative.append("from . import commands")
    blocks.append(sorted(relative))
    if types := _from_imports({n: _TYPES_ALONE[n] for n in used & _TYPES_ALONE.keys()}):
        blocks.append(["if TYPE_CHECKING:", *(f"    {line}" for line in types)])
    return "\n\n".join("\n".join(block) for block in blocks if block)


def _names_read(tree: ast.Module) -> set[str]:
    """Every name that is read, save for a function's own arguments in its body."""
    own: set[ast.AST] = set()
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            arguments = {argument.arg for argument in (*node.args.args, *node.args.kwonlyargs)}
            own.update(
                name
                for statement in node.body
                for name in ast.walk(statement)
                if isinstance(name, ast.Name) and name.id in arguments
            )
    return {
        node.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and node not in own
    }


def _from_imports(names: Mapping[str, str]) -> list[str]:
    by_module: dict[str, list[str]] = {}
    for name, module in names.items():
        by_module.setdefault(module, []).append(name)
    return [
        f"from {module} import {', '.join(sorted(found))}"
        for module, found in sorted(by_module.items())
    ]


def _format(texts: Mapping[str, str]) -> dict[str, str]:
    """``ruff format`` over all files at once."""
    with tempfile.TemporaryDirectory() as scratch:
        for path, text in texts.items():
            _parse(path, text)
            target = Path(scratch, path)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text, encoding="utf-8", newline="\n")
        command_line = [find_ruff_bin(), "format", "--isolated", "--no-cache", "--quiet"]
        command_line += ["--line-length", "100", "--target-version", "py311", scratch]
        done = subprocess.run(command_line, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise CodegenError(
                f"ruff format failed: {done.stderr.strip()}", hint="see the template"
            )
        return {path: Path(scratch, path).read_text(encoding="utf-8") for path in texts}


def _parse(path: str, text: str) -> ast.Module:
    try:
        return ast.parse(text)
    except SyntaxError as error:
        line = text.splitlines()[(error.lineno or 1) - 1] if text else ""
        raise CodegenError(
            f"the template gave no Python: {error.msg}: {line.strip()!r}",
            where=f"{path}:{error.lineno}",
            hint="this is a fault of the generator; please report the contract that shows it",
        ) from None


def _check(path: str, content: bytes) -> None:
    compile(content, path, "exec", dont_inherit=True)
