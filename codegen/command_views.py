"""Commands as templates want them: methods, rows of the table, abstract handlers."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from . import ir
from .docstrings import docstring, entry
from .pytypes import NATIVE, SCALARS
from .views import Views


@dataclass(frozen=True, slots=True)
class ParamView:
    """A parameter in a signature, and the argument that passes it on."""

    declaration: str
    argument: str
    keyword_only: bool


@dataclass(frozen=True, slots=True)
class CommandView:
    """A command: its method, its row in the table and its abstract handler."""

    name: str
    constant: str
    doc: str
    method_doc: str
    handler_doc: str
    kind: str
    member: str
    payload: str
    params: tuple[ParamView, ...]
    rows: tuple[str, ...]
    annotation: str
    arguments: str
    before: str
    after: str
    reply: str
    reply_member: str
    result_field: str
    bulk_field: str


class CommandViews(Views):
    """The commands of one package."""

    def commands(self, commands: ir.Commands) -> Iterable[CommandView]:
        """Every command, for the session, the table and the handlers."""
        for command in commands.commands:
            reply = self.type_name(command.reply) if command.reply else "None"
            result = command.result
            params = tuple(self._param(param) for param in command.params)
            doc = command.text
            yield CommandView(
                name=command.name,
                constant=command.constant,
                doc=repr(" ".join(doc.split())),
                method_doc=docstring(_method_doc(doc, command), indent=8),
                handler_doc=docstring(doc, indent=8),
                kind=command.kind,
                member=repr(command.member),
                payload=self.type_name(command.payload),
                params=params,
                rows=tuple(_row(param) for param in command.params),
                annotation=self.annotation(result) if result else reply,
                arguments=", ".join(param.argument for param in params),
                before="return (" if result else "return " if command.reply else "",
                after=f").{result.name}" if result else "",
                reply=reply if command.reply else "type(None)",
                reply_member=repr(command.reply_member),
                result_field=repr(result.name if result else None),
                bulk_field=repr(command.bulk_field),
            )

    def _param(self, param: ir.Param) -> ParamView:
        field = param.field
        element = self.element_type(field)
        proto_name = (
            self._schema.message(field.ref).proto_name
            if field.type == "message" and field.ref
            else ""
        )
        argument = param.name
        if param.value:
            made = f"self._value({param.name})"
            annotation = "V" if param.required else "V | None"
            argument = made if param.required else f"{made} if {param.name} is not None else None"
        elif field.repeated:
            annotation, argument = f"Iterable[{element}]", f"listed({param.name})"
        elif proto_name in NATIVE:
            native, convert = NATIVE[proto_name]
            annotation = native if param.required else f"{native} | None"
            made = f"{element}.{convert}({param.name})"
            argument = made if param.required else f"{made} if {param.name} is not None else None"
        else:
            annotation = self.annotation(field)
            if param.required and field.presence:
                annotation = element
        default = "" if param.required else f" = {self._default(param)}"
        return ParamView(
            declaration=f"{param.name}: {annotation}{default}",
            argument=f"{field.name}={argument}",
            keyword_only=param.keyword_only,
        )

    def _default(self, param: ir.Param) -> str:
        field = param.field
        if field.repeated:
            return "()"
        if field.presence or field.map_key:
            return "None"
        if field.type == "enum" and field.ref:
            enum = next(
                e for e in self._schema.package(field.ref.module).enums if e.name == field.ref.name
            )
            zero = next(value for value in enum.values if value.number == 0)
            return f"{self.type_name(field.ref, enum=True)}.{zero.name}"
        return SCALARS[field.type].default


def _row(param: ir.Param) -> str:
    parts = [
        f"name={param.name!r}",
        f"field={param.field.name!r}",
        f"doc={' '.join(param.doc.split())!r}",
    ]
    parts += [
        f"{key}=True"
        for key, on in (
            ("required", param.required),
            ("keyword_only", param.keyword_only),
            ("value", param.value),
        )
        if on
    ]
    return f"Param({', '.join(parts)})"


def _method_doc(doc: str, command: ir.Command) -> str:
    lines = [doc, "", "Args:"]
    lines += [entry(f"{param.name}: {param.doc}") for param in command.params]
    lines.append(entry("correlation_id: Names this call in logs; made up when empty."))
    if command.result is not None and command.result.doc:
        lines += ["", "Returns:", entry(command.result.doc, hang=0)]
    return "\n".join(lines)
