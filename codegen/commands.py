"""Pairs each command kind with its request arm and its reply arm, and derives its method.

Kind and request pair by the request's message type, never by member name or number; kind and
reply pair by the reply's member name, or as conventions.toml says. Whatever is left over stops
the build.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from . import ir
from .conventions import CommandConventions, Conventions
from .errors import CodegenError
from .names import METHOD_NAMES, PARAMETER_NAMES, Names, python_name, squeeze


def with_commands(schema: ir.Schema, conventions: Conventions) -> ir.Schema:
    """The schema with its commands, where the conventions say which rpc carries them."""
    if conventions.commands is None:
        return schema
    return replace(schema, commands=_Pairing(schema, conventions, conventions.commands).commands())


@dataclass(frozen=True, slots=True)
class _Carrier:
    """A message that carries one payload of many, and its kind."""

    message: ir.Message
    kind: ir.Field
    arms: tuple[ir.Field, ...]


class _Pairing:
    def __init__(
        self, schema: ir.Schema, conventions: Conventions, rules: CommandConventions
    ) -> None:
        self._schema = schema
        self._file = conventions.file
        self._rules = rules
        method = self._method(rules.rpc)
        self._module = method.request.module
        self._request = self._carrier(method.request)
        self._reply = self._carrier(method.reply)
        self._reply_ref = method.reply
        self._used_replies: set[str] = set()
        self._used_rules: set[str] = set()

    def commands(self) -> ir.Commands:
        kind_ref = self._request.kind.ref
        assert kind_ref is not None
        enum = next(
            e for e in self._schema.package(kind_ref.module).enums if e.name == kind_ref.name
        )
        requests = self._requests_by_kind()
        kinds = {value.number: value for value in reversed(enum.values) if value.number != 0}
        commands = tuple(self._command(kind, requests, enum) for _, kind in sorted(kinds.items()))
        if requests:
            arm = next(iter(requests.values()))
            raise CodegenError(
                f"{self._request.message.proto_name}.{arm.proto_name} has no kind "
                f"in {enum.proto_name}",
                where=arm.where,
                hint=f"add a value named as {arm.ref.name if arm.ref else arm.name} "
                f"without {self._rules.request_suffix!r}",
            )
        self._check_leftovers(commands)
        return ir.Commands(
            module=self._module,
            envelope=self._ref_of(self._request.message),
            reply=self._reply_ref,
            kind_enum=kind_ref,
            value_message=self._value_ref(),
            protocol=self._rules.protocol,
            max_bulk_items=self._rules.max_bulk_items,
            commands=commands,
        )

    # --- finding the parts ---

    def _method(self, full: str) -> ir.Method:
        for package in self._schema.packages:
            for service in package.services:
                for method in service.methods:
                    if f"{service.proto_name}.{method.path.rpartition('/')[2]}" == full:
                        return method
        raise CodegenError(f"there is no rpc {full!r}", where=self._file, hint="see [commands] rpc")

    def _carrier(self, ref: ir.Ref) -> _Carrier:
        """The message at ``ref``, or one inside it, that has an enum and a oneof of messages."""
        message = self._schema.message(ref)
        nested = [f.ref for f in message.fields if f.type == "message" and f.ref and not f.oneof]
        for candidate in [message, *(self._schema.message(r) for r in nested)]:
            kinds = [f for f in candidate.fields if f.type == "enum" and not f.repeated]
            if len(candidate.oneofs) == 1 and len(kinds) == 1:
                arms = tuple(f for f in candidate.fields if f.oneof)
                return _Carrier(candidate, kinds[0], arms)
        raise CodegenError(
            f"{message.proto_name} carries no kind with a oneof of payloads",
            where=message.where,
            hint="commands need a message with one enum field and one oneof",
        )

    def _requests_by_kind(self) -> dict[str, ir.Field]:
        """Request arms by what their kind must be called, squeezed."""
        arms: dict[str, ir.Field] = {}
        for arm in self._request.arms:
            name = arm.ref.name if arm.ref else arm.name
            key = squeeze(name.removesuffix(self._rules.request_suffix))
            if key in arms:
                raise CodegenError(
                    f"{arm.proto_name!r} and {arms[key].proto_name!r} carry the same "
                    f"payload {name}",
                    where=arm.where,
                    hint="give each command a message of its own",
                )
            arms[key] = arm
        return arms

    # --- one command ---

    def _command(
        self, kind: ir.EnumValue, requests: dict[str, ir.Field], enum: ir.Enum
    ) -> ir.Command:
        arm = requests.pop(squeeze(kind.proto_name.removeprefix(enum.prefix)), None)
        if arm is None or arm.ref is None:
            raise CodegenError(
                f"{kind.proto_name} has no payload in {self._request.message.proto_name}",
                where=enum.where,
                hint=f"add a oneof member whose message is named as the kind, with "
                f"{self._rules.request_suffix!r} behind it",
            )
        name = python_name(kind.proto_name.removeprefix(enum.prefix).lower(), METHOD_NAMES)
        payload = self._schema.message(arm.ref)
        reply = self._reply_arm(kind.proto_name.removeprefix(enum.prefix))
        result = self._result(reply)
        lists = [field.name for field in payload.fields if field.repeated]
        is_bulk = len(lists) == 1 and result is not None and result.repeated
        return ir.Command(
            name=name,
            constant=name.upper(),
            doc=kind.doc or payload.doc,
            kind=kind.name,
            member=arm.name,
            payload=arm.ref,
            params=self._params(name, payload),
            reply_member=reply.name if reply else None,
            reply=reply.ref if reply else None,
            result=result,
            bulk_field=lists[0] if is_bulk else None,
        )

    def _reply_arm(self, kind: str) -> ir.Field | None:
        shared = self._rules.reply_arms.get(kind)
        if shared:
            self._used_rules.add(f"reply_arms.{kind}")
        for arm in self._reply.arms:
            if arm.proto_name == shared or (
                shared is None and squeeze(arm.proto_name) == squeeze(kind)
            ):
                self._used_replies.add(arm.name)
                return arm
        if shared:
            raise CodegenError(
                f"[commands.reply_arms] {kind}: there is no reply member {shared!r}",
                where=self._file,
                hint=f"name a member of {self._reply.message.proto_name}",
            )
        return None

    def _result(self, reply: ir.Field | None) -> ir.Field | None:
        """The field that stands for the whole reply payload: its only one."""
        if reply is None or reply.ref is None:
            return None
        fields = self._schema.message(reply.ref).fields
        return fields[0] if len(fields) == 1 else None

    def _params(self, command: str, payload: ir.Message) -> tuple[ir.Param, ...]:
        rules = self._rules
        optional = self._rule(rules.optional, "optional", command)
        keyword_only = self._rule(rules.keyword_only, "keyword_only", command)
        known = {field.proto_name for field in payload.fields}
        for name in [*optional, *keyword_only]:
            if name not in known:
                raise CodegenError(
                    f"[commands] {command}: {payload.proto_name} has no field {name!r}",
                    where=self._file,
                    hint=f"its fields are {', '.join(sorted(known)) or 'none'}",
                )
        names = Names(f"the parameters of {command!r}")
        params = [
            ir.Param(
                name=names.take(
                    python_name(field.name, PARAMETER_NAMES), field.proto_name, field.where
                ),
                field=field,
                doc=field.doc,
                required=field.proto_name not in optional,
                keyword_only=field.proto_name in keyword_only,
                value=field.ref is not None and field.ref == self._value_ref(),
            )
            for field in payload.fields
        ]
        for before, after in pairwise(param for param in params if not param.keyword_only):
            if after.required and not before.required:
                raise CodegenError(
                    f"{command}: {after.name!r} is required and stands behind "
                    f"{before.name!r}, which is optional",
                    where=self._file,
                    hint="make it optional too, or one of them keyword_only",
                )
        return tuple(sorted(params, key=lambda param: param.keyword_only))

    def _rule(self, table: Mapping[str, Sequence[str]], label: str, command: str) -> Sequence[str]:
        if command in table:
            self._used_rules.add(f"{label}.{command}")
        return table.get(command, ())

    # --- checks and references ---

    def _check_leftovers(self, commands: tuple[ir.Command, ...]) -> None:
        for arm in self._reply.arms:
            if arm.name not in self._used_replies:
                raise CodegenError(
                    f"{self._reply.message.proto_name}.{arm.proto_name} answers no command",
                    where=arm.where,
                    hint="name it as its kind, or under [commands.reply_arms] in conventions.toml",
                )
        rules = self._rules
        tables = ("reply_arms", "optional", "keyword_only")
        for label in tables:
            for name in getattr(rules, label):
                if f"{label}.{name}" not in self._used_rules:
                    raise CodegenError(
                        f"[commands.{label}] {name}: there is no such command",
                        where=self._file,
                        hint=f"remove the line; commands are {', '.join(c.name for c in commands)}",
                    )

    def _value_ref(self) -> ir.Ref:
        for package in self._schema.packages:
            for message in package.messages:
                if message.proto_name == self._rules.value_message:
                    return ir.Ref(module=package.module, name=message.name)
        raise CodegenError(
            f"there is no message {self._rules.value_message!r}",
            where=self._file,
            hint="see [commands] value_message",
        )

    def _ref_of(self, message: ir.Message) -> ir.Ref:
        return ir.Ref(module=self._module, name=message.name)
