"""Messages as Python objects: presence, oneofs, repr, equality, dicts, streams."""

from __future__ import annotations

import copy
import io
import tomllib
from typing import Any

import pytest
from hypothesis import given, strategies as st

from tests.contracts import PROTO, Pair, all_pairs, fragments, real
from tests.oracle import encoded, google_messages
from zb_mom_ww_mxgateway_wire.codec import DecodeError
from zb_mom_ww_mxgateway_wire.fields import FieldInfo, fields_of
from zb_mom_ww_mxgateway_wire.message import Message, OneofMessage

ONEOFS = fragments().module("fragments_oneofs")
SCALARS = fragments().module("fragments_scalars")
RECURSION = fragments().module("fragments_recursion")
NUMBERS = fragments().module("fragments_field_numbers")
OPTIONS = fragments().module("fragments_options")

EACH = pytest.mark.parametrize("pair", all_pairs(), ids=lambda pair: pair.name)
WITH_ONEOFS = [pair for pair in all_pairs() if issubclass(pair.ours, OneofMessage)]
SECRET = "hunter2"


@EACH
def test_a_new_message_is_empty_equal_to_its_like_and_true(pair: Pair) -> None:
    new = pair.ours()
    assert bytes(new) == b""
    assert len(new) == 0
    assert new == pair.ours()
    assert bool(new)
    assert repr(new) == f"{pair.ours.__name__}()"
    assert not any(new.is_set(name) for name in fields_of(pair.ours))


@EACH
@given(data=st.data())
def test_repr_shows_the_fields_that_are_set_and_no_others(pair: Pair, data: st.DataObject) -> None:
    google = data.draw(google_messages(pair.google))
    message = pair.ours.FromString(encoded(google))
    present = {field.name for field, _ in google.ListFields()}
    infos = fields_of(pair.ours)
    set_now = [name for name, info in infos.items() if info.proto_name in present]
    assert [name for name in infos if message.is_set(name)] == set_now
    shown = (
        f"{name}={'<redacted>' if infos[name].redact else repr(getattr(message, name))}"
        for name in set_now
    )
    assert repr(message) == f"{pair.ours.__name__}({', '.join(shown)})"
    assert [row[0] for row in message.__rich_repr__()] == set_now


@pytest.mark.parametrize("pair", WITH_ONEOFS, ids=lambda pair: pair.name)
@given(data=st.data())
def test_of_a_oneofs_members_only_the_one_set_last_is_set(pair: Pair, data: st.DataObject) -> None:
    members = [name for name, info in fields_of(pair.ours).items() if info.oneof]
    message = pair.ours()
    last: dict[str | None, str] = {}
    for name in data.draw(st.lists(st.sampled_from(members), min_size=1, max_size=6)):
        info = fields_of(pair.ours)[name]
        setattr(message, name, _something(info))
        last[info.oneof] = name
    assert {name for name in members if message.is_set(name)} == set(last.values())
    sent = pair.google.FromString(bytes(message))
    proto_names = {fields_of(pair.ours)[name].proto_name for name in last.values()}
    assert {sent.WhichOneof(oneof) for oneof in last} == proto_names


def _something(info: FieldInfo) -> Any:
    if info.type_of is not None:
        kind: Any = info.type_of()
        return kind() if info.proto_type == "message" else kind(0)
    return {"string": "", "bytes": b"", "bool": False}.get(info.proto_type, 0)


def test_the_accessor_names_the_member_that_is_set() -> None:
    message = ONEOFS.Several(text="a", flag=False)
    assert (message.which_first(), message.which_second()) == ("text", "flag")
    message.nothing = ONEOFS.Nothing()
    assert (message.which_first(), message.text) == ("nothing", None)
    message.nothing = None
    assert message.which_first() is None
    assert message.which_second() == "flag"


def test_unsetting_a_member_of_a_oneof_leaves_the_one_that_is_set() -> None:
    message = ONEOFS.Several(text="a")
    message.choice = None
    assert message.text == "a"


def test_accessors_make_way_for_fields_of_their_name() -> None:
    message = ONEOFS.CloseNames(which_x=5, b=ONEOFS.Nothing(), None_=6)
    assert message.which_x == 5
    assert message.which_x_() == "which_x"
    assert message.which_class() == "None_"
    again = ONEOFS.CloseNames.FromString(bytes(message))
    assert again == message
    assert again.b == ONEOFS.Nothing()


@pytest.mark.parametrize("member", ["nothing", "nothing_else"])
def test_an_empty_submessage_that_is_set_stays_set(member: str) -> None:
    message = ONEOFS.Several(**{member: ONEOFS.Nothing()})
    for again in (
        ONEOFS.Several.FromString(bytes(message)),
        ONEOFS.Several.from_json(message.to_json()),
        ONEOFS.Several().from_pydict(message.to_pydict()),
        copy.deepcopy(message),
    ):
        assert again == message
        assert again.is_set(member)
        assert again != ONEOFS.Several()
    assert RECURSION.Tree(left=RECURSION.Tree()) != RECURSION.Tree()


def test_messages_differ_by_class_field_presence_and_unknown_fields() -> None:
    assert SCALARS.Optional(int32_value=0) != SCALARS.Optional()
    assert SCALARS.Plain() != SCALARS.Optional()
    assert SCALARS.Plain() != 5
    unknown = SCALARS.Plain.FromString(b"\xf8\x01\x05")
    assert unknown != SCALARS.Plain()
    assert unknown == SCALARS.Plain.FromString(b"\xf8\x01\x05")


def test_messages_are_mutable_and_so_not_hashable() -> None:
    with pytest.raises(TypeError, match="unhashable"):
        hash(SCALARS.Plain())


def test_lists_and_maps_are_each_messages_own() -> None:
    one, other = RECURSION.Tree(), RECURSION.Tree()
    one.children.append(RECURSION.Tree())
    one.named["x"] = RECURSION.Tree()
    assert other == RECURSION.Tree()
    decoded, twin = RECURSION.Tree.FromString(b""), RECURSION.Tree.FromString(b"")
    decoded.children.append(one)
    assert twin.children == []


def test_a_copy_shares_submessages_and_a_deep_copy_does_not() -> None:
    tree = RECURSION.Tree(left=RECURSION.Tree())
    assert copy.copy(tree).left is tree.left
    assert copy.deepcopy(tree).left is not tree.left


def test_secret_fields_are_never_in_repr() -> None:
    message = OPTIONS.Measured(length=1.0, password=SECRET, secrets=[SECRET])
    assert repr(message) == "Measured(length=1.0, password=<redacted>, secrets=<redacted>)"
    assert SECRET not in repr(list(message.__rich_repr__()))


WITH_SECRETS = [
    (pair, name)
    for pair in real().pairs.values()
    for name, info in fields_of(pair.ours).items()
    if info.redact
]


@pytest.mark.parametrize(
    ("pair", "name"), WITH_SECRETS, ids=lambda value: getattr(value, "name", value)
)
def test_the_contracts_secrets_are_never_in_repr(pair: Pair, name: str) -> None:
    info = fields_of(pair.ours)[name]
    value: Any = SECRET
    if info.type_of is not None:
        kind: Any = info.type_of()
        value = kind(string_value=SECRET)
    message = pair.ours(**{name: value})
    assert repr(message) == f"{pair.ours.__name__}({name}=<redacted>)"
    assert SECRET.encode() in bytes(message)


def test_all_that_conventions_toml_calls_secret_is_secret() -> None:
    wanted = tomllib.loads((PROTO / "conventions.toml").read_text())["redact"]
    infos = {(pair.name, name): fields_of(pair.ours)[name] for pair, name in WITH_SECRETS}
    redacted = {f"{message}.{info.proto_name}" for (message, _), info in infos.items()}
    assert wanted
    assert set(wanted) <= redacted


@EACH
def test_dicts_with_defaults_name_every_field(pair: Pair) -> None:
    assert list(pair.ours().to_pydict(include_default_values=True)) == list(fields_of(pair.ours))


def test_a_python_dict_keeps_python_values() -> None:
    message = SCALARS.Repeated(bytes_value=[b"a"], plain_value=[SCALARS.Plain(double_value=1.5)])
    assert message.to_pydict() == {"bytes_value": [b"a"], "plain_value": [{"double_value": 1.5}]}


def test_a_python_dict_with_an_unknown_name_is_refused_by_that_name() -> None:
    with pytest.raises(DecodeError, match=r"fragments\.scalars\.Plain has no field 'nonsense'"):
        SCALARS.Plain().from_pydict({"nonsense": 1})


@given(st.lists(st.binary(max_size=300)))
def test_messages_written_one_after_the_other_are_read_one_by_one(bodies: list[bytes]) -> None:
    stream = io.BytesIO()
    for body in bodies:
        SCALARS.Plain(bytes_value=body).dump(stream, delimit=True)
    stream.seek(0)
    assert [SCALARS.Plain().load(stream, size=-1).bytes_value for _ in bodies] == bodies
    with pytest.raises(DecodeError, match="cut off"):
        SCALARS.Plain().load(stream, size=-1)


@pytest.mark.parametrize(
    "data", [b"", b"\x80", b"\x05ab", b"\x80" * 10 + b"\x01", b"\xff" * 5 + b"\x01"]
)
def test_a_stream_that_is_cut_off_is_an_error(data: bytes) -> None:
    with pytest.raises(DecodeError):
        SCALARS.Plain().load(io.BytesIO(data), size=-1)


def test_load_reads_as_many_bytes_as_it_is_told() -> None:
    stream = io.BytesIO(b"\x18\x05\x18\x06")
    assert SCALARS.Plain().load(stream, size=2).int32_value == 5
    assert SCALARS.Plain().load(stream).int32_value == 6
    with pytest.raises(DecodeError, match="middle of a field"):
        SCALARS.Plain().load(io.BytesIO(b"\x18"), size=2)


def test_parse_reads_into_the_message_and_returns_it() -> None:
    message = SCALARS.Plain(string_value="a", int32_value=1)
    assert message.parse(b"\x18\x05") is message
    assert (message.string_value, message.int32_value) == ("a", 5)


def test_fields_are_sent_in_the_order_of_their_numbers() -> None:
    sent = bytes(NUMBERS.Numbers(largest=1, one=2, fifteen="a"))
    assert sent == b"\x08\x02\x7a\x01a\xf8\xff\xff\xff\x0f\x01"


def test_every_message_of_the_contract_is_exported_by_its_package() -> None:
    for pair in all_pairs():
        package = pair.ours.__module__.rpartition(".")[0]
        contract = fragments() if package.startswith(fragments().root) else real()
        module = contract.module(package.partition(".")[2])
        assert getattr(module, pair.ours.__name__) is pair.ours
        assert issubclass(pair.ours, Message)
