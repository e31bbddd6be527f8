"""How one contract differs from another, in words: what was added, removed, renumbered, retyped.

Messages, enums and services are matched by full name, their members by name, and what is left of
fields and values by number. Files count by name alone: they are not on the wire. Needs
google.protobuf, which the extra ``sim`` brings.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, TypeVar

from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    EnumDescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
    FileDescriptorSet,
    MethodDescriptorProto,
    ServiceDescriptorProto,
)

_T = TypeVar("_T")

#: Every protobuf library brings these files, and they do not change.
_STANDARD: Final = "google/protobuf/"
_REPEATED: Final = FieldDescriptorProto.LABEL_REPEATED


@dataclass(frozen=True, slots=True, order=True)
class Change:
    """One difference: of what, how, and whether both sides still understand each other."""

    kind: str
    name: str
    text: str
    compatible: bool

    def __str__(self) -> str:
        return f"{self.kind} {self.name}: {self.text}"


def changes(ours: bytes, theirs: bytes) -> list[Change]:
    """What is other in ``theirs`` than in ``ours``, sorted; both are serialized descriptor sets.

    Only what services use is compared, as nothing else can be seen from outside.
    """
    before, after = _Contract.of(ours), _Contract.of(theirs)
    found = [
        *_present("file", before.files, after.files, _FILE_GONE),
        *_present("message", before.messages, after.messages),
        *_present("enum", before.enums, after.enums),
        *_present("service", before.services, after.services),
    ]
    for name, enum, other in _both(before.enums, after.enums):
        found += _enum(name, enum, other)
    for name, message, twin in _both(before.messages, after.messages):
        found += _Messages(name, message, twin, before, after).changes()
    for name, service, peer in _both(before.services, after.services):
        found += _service(name, service, peer)
    return sorted(found)


_FILE_GONE: Final = "not there under this name, which is not on the wire"


def _present(
    kind: str, before: Mapping[str, _T], after: Mapping[str, _T], gone: str = ""
) -> Iterator[Change]:
    for name in before.keys() - after.keys():
        yield Change(kind, name, gone or "removed", compatible=bool(gone))
    for name in after.keys() - before.keys():
        yield Change(kind, name, "added", compatible=True)


def _both(before: Mapping[str, _T], after: Mapping[str, _T]) -> Iterator[tuple[str, _T, _T]]:
    return ((name, before[name], after[name]) for name in sorted(before.keys() & after.keys()))


@dataclass(frozen=True, slots=True)
class _Contract:
    """The files that services use, and what they declare, by full name."""

    files: dict[str, FileDescriptorProto]
    messages: dict[str, DescriptorProto]
    enums: dict[str, EnumDescriptorProto]
    services: dict[str, ServiceDescriptorProto]

    @classmethod
    def of(cls, descriptor_set: bytes) -> _Contract:
        files = _used(FileDescriptorSet.FromString(descriptor_set).file)
        found = cls({file.name: file for file in files}, {}, {}, {})
        for file in files:
            found._add(file.package, file.message_type, file.enum_type)
            for service in file.service:
                found.services[f"{file.package}.{service.name}".lstrip(".")] = service
        return found

    def _add(
        self, scope: str, messages: Iterable[DescriptorProto], enums: Iterable[EnumDescriptorProto]
    ) -> None:
        for enum in enums:
            self.enums[f"{scope}.{enum.name}".lstrip(".")] = enum
        for message in messages:
            name = f"{scope}.{message.name}".lstrip(".")
            if not message.options.map_entry:
                self.messages[name] = message
            self._add(name, message.nested_type, message.enum_type)

    def kind_of(self, field: FieldDescriptorProto, owner: DescriptorProto) -> str:
        """A field's type in words: ``int32``, ``repeated string``, ``map<string, x.Y>``."""
        name = field.type_name.rpartition(".")[2]
        for entry in owner.nested_type:
            if entry.options.map_entry and entry.name == name and field.label == _REPEATED:
                key, value = entry.field
                return f"map<{_type(key)}, {_type(value)}>"
        return f"repeated {_type(field)}" if field.label == _REPEATED else _type(field)


def _used(files: Iterable[FileDescriptorProto]) -> list[FileDescriptorProto]:
    """The files with services, and all that they import, but the standard ones."""
    by_name = {file.name: file for file in files}
    wanted = [file.name for file in by_name.values() if file.service]
    used: dict[str, FileDescriptorProto] = {}
    while wanted:
        name = wanted.pop()
        if name in by_name and name not in used and not name.startswith(_STANDARD):
            used[name] = by_name[name]
            wanted += by_name[name].dependency
    return list(used.values())


def _type(field: FieldDescriptorProto) -> str:
    if field.type_name:
        return field.type_name.removeprefix(".")
    return FieldDescriptorProto.Type.Name(field.type).removeprefix("TYPE_").lower()


def _enum(name: str, before: EnumDescriptorProto, after: EnumDescriptorProto) -> Iterator[Change]:
    ours = {value.name: value.number for value in before.value}
    theirs = {value.name: value.number for value in after.value}
    renamed = _renamed(ours, theirs)
    for value, number in ours.items():
        where = f"{name}.{value}"
        if value in renamed:
            yield Change("value", where, _renamed_to(renamed[value], number), compatible=True)
        elif value not in theirs:
            yield Change("value", where, f"removed, was {number}", compatible=False)
        elif theirs[value] != number:
            text = f"renumbered from {number} to {theirs[value]}"
            yield Change("value", where, text, compatible=False)
    for value in theirs.keys() - ours.keys() - set(renamed.values()):
        text = f"added, as {theirs[value]}"
        yield Change("value", f"{name}.{value}", text, compatible=True)


def _renamed(before: Mapping[str, int], after: Mapping[str, int]) -> dict[str, str]:
    """Names that are gone, each with the new name that has its number.

    A number that keeps a name has no new one: enums may give a number several.
    """
    new = {number: name for name, number in after.items() if name not in before}
    kept = {number for name, number in before.items() if after.get(name) == number}
    return {
        name: new[number]
        for name, number in before.items()
        if name not in after and number in new and number not in kept
    }


def _renamed_to(name: str, number: int) -> str:
    return (
        f"renamed to {name}, still {number}: the same on the wire, so see whether it means the same"
    )


@dataclass(frozen=True, slots=True)
class _Messages:
    """One message on both sides."""

    name: str
    before: DescriptorProto
    after: DescriptorProto
    ours: _Contract
    theirs: _Contract

    def changes(self) -> Iterator[Change]:
        before = {field.name: field for field in self.before.field}
        after = {field.name: field for field in self.after.field}
        numbers = {name: field.number for name, field in before.items()}
        renamed = {
            old: new
            for old, new in _renamed(
                numbers, {name: field.number for name, field in after.items()}
            ).items()
            if self._retyped(before[old], after[new]) is None
        }
        pairs = {name: renamed.get(name, name) for name in before}
        oneofs = self._renamed_oneofs(
            [(before[old], after[new]) for old, new in pairs.items() if new in after]
        )
        for old, new in sorted(oneofs.items()):
            text = f"renamed to {new}, with the same members; it is not on the wire"
            yield Change("oneof", f"{self.name}.{old}", text, compatible=True)
        for old, new in pairs.items():
            if new not in after:
                yield self._change(old, f"removed, was {numbers[old]}")
                continue
            if old in renamed:
                yield self._change(old, _renamed_to(new, numbers[old]), compatible=True)
            yield from self._field(before[old], after[new], oneofs)
        for name in after.keys() - set(pairs.values()):
            yield self._added(after[name], {number: old for old, number in numbers.items()})

    def _change(self, field: str, text: str, *, compatible: bool = False) -> Change:
        return Change("field", f"{self.name}.{field}", text, compatible=compatible)

    def _added(self, field: FieldDescriptorProto, before: Mapping[int, str]) -> Change:
        text = f"added, as {field.number} of type {self.theirs.kind_of(field, self.after)}"
        if field.number in before:
            text += f", the number that {before[field.number]} has in the SDK"
        return self._change(field.name, text, compatible=field.number not in before)

    def _field(
        self,
        before: FieldDescriptorProto,
        after: FieldDescriptorProto,
        oneofs: Mapping[str, str],
    ) -> Iterator[Change]:
        if before.number != after.number:
            yield self._change(before.name, f"renumbered from {before.number} to {after.number}")
        retyped = self._retyped(before, after)
        if retyped:
            yield self._change(before.name, retyped)
        left, entered = _oneof(before, self.before), _oneof(after, self.after)
        if oneofs.get(left, left) != entered:
            yield self._change(before.name, _moved(left, entered))
        elif not (left or retyped) and _is_optional(before) != _is_optional(after):
            text = (
                "has become optional: unset and default are two things there"
                if _is_optional(after)
                else "is optional no more: unset and default are one thing there"
            )
            yield self._change(before.name, text)

    def _retyped(self, before: FieldDescriptorProto, after: FieldDescriptorProto) -> str | None:
        was, now = self.ours.kind_of(before, self.before), self.theirs.kind_of(after, self.after)
        return None if was == now else f"retyped from {was} to {now}"

    def _renamed_oneofs(
        self, pairs: Iterable[tuple[FieldDescriptorProto, FieldDescriptorProto]]
    ) -> dict[str, str]:
        """Oneofs that only their name has changed of: they have the same members of both sides."""
        met = {(_oneof(old, self.before), _oneof(new, self.after)) for old, new in pairs}
        theirs = {oneof.name for oneof in self.after.oneof_decl}
        ours = {oneof.name for oneof in self.before.oneof_decl}
        return {
            old: new
            for old, new in met
            if old and new and old not in theirs and new not in ours
            if [pair for pair in met if old == pair[0] or new == pair[1]] == [(old, new)]
        }


def _is_optional(field: FieldDescriptorProto) -> bool:
    """Whether unset and default are two things; for a message they always are."""
    return field.proto3_optional and field.type != FieldDescriptorProto.TYPE_MESSAGE


def _oneof(field: FieldDescriptorProto, message: DescriptorProto) -> str:
    """The oneof that a field is in; empty where it is in none."""
    if not field.HasField("oneof_index") or field.proto3_optional:
        return ""
    return message.oneof_decl[field.oneof_index].name


def _moved(left: str, entered: str) -> str:
    if not left:
        return f"moved into oneof {entered}"
    return f"moved from oneof {left} to {entered}" if entered else f"moved out of oneof {left}"


def _service(
    name: str, before: ServiceDescriptorProto, after: ServiceDescriptorProto
) -> Iterator[Change]:
    ours = {f"{name}.{rpc.name}": rpc for rpc in before.method}
    theirs = {f"{name}.{rpc.name}": rpc for rpc in after.method}
    yield from _present("rpc", ours, theirs)
    for rpc, was, now in _both(ours, theirs):
        for side, old, new in (
            ("request", _request(was), _request(now)),
            ("reply", _reply(was), _reply(now)),
        ):
            if old != new:
                yield Change("rpc", rpc, f"{side} changed from {old} to {new}", compatible=False)


def _request(rpc: MethodDescriptorProto) -> str:
    return "stream " * rpc.client_streaming + rpc.input_type.removeprefix(".")


def _reply(rpc: MethodDescriptorProto) -> str:
    return "stream " * rpc.server_streaming + rpc.output_type.removeprefix(".")
