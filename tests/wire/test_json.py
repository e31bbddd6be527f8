"""ProtoJSON's rules, one by one: what is printed, what is read, what is refused."""

from __future__ import annotations

import json
import keyword
from typing import Any

import pytest
from google.protobuf import json_format

from tests.contracts import fragments
from zb_mom_ww_mxgateway_wire.codec import DecodeError

PLAIN = fragments()["fragments.scalars.Plain"]
SCALARS = fragments().module("fragments_scalars")
MAPS = fragments().module("fragments_maps")
NAMED = fragments()["fragments.json_names.Named"]
TREE = fragments()["fragments.recursion.Tree"]
DYNAMIC = fragments()["fragments.well_known.Dynamic"]
GOOGLE = fragments().module("google_protobuf.messages")
CASES = fragments()["fragments.field_names.Cases"]


def google_reads(pair: Any, text: str) -> Any:
    return json_format.Parse(text, pair.google(), descriptor_pool=pair.pool)


#: What both sides read, and read alike.
READ = {
    "int32": ["5", '"5"', "5.0", "5e0", '"-5"', "null", "-0"],
    "uint32": ["4294967295", '"4294967295"'],
    "int64": ['"9223372036854775807"', "-9223372036854775808", '"-1"'],
    "uint64": ['"18446744073709551615"', "18446744073709551615"],
    "float": ["1.5", '"1.5"', '"NaN"', '"Infinity"', '"-Infinity"', "1", "-0.0", "3.4028234e38"],
    "double": ["1e308", '"1e-3"', "5", "1.7976931348623157e308"],
    "bool": ["true", "false", "null"],
    "string": ['"a"', r'"\ud83d\ude00"', '""', "null"],
    "bytes": ['"YQ=="', '"YQ"', '"_-8="', '"/+8="', '""'],
    "kind": ['"KIND_ONE"', "-1", "99", '"KIND_UNSPECIFIED"', "null"],
}
#: What we refuse. The oracle in Python is laxer in places; the rules are protobuf.dev's.
REFUSED = {
    "int32": [
        "2147483648",
        "1.5",
        '"1.5"',
        '""',
        '" 5"',
        '"5 "',
        '"0x5"',
        "true",
        "[]",
        "{}",
        '"+5"',
    ],
    "uint32": ["-1", "4294967296", '"-1"'],
    "int64": ['"9223372036854775808"', "1e30", '"NaN"'],
    "uint64": ["-1", '"18446744073709551616"'],
    "float": ["1e39", '"1e39"', '"nan"', '""', "true", '"inf"', "[]"],
    "double": ["1e999", '"1e999"', '"Inf"', "1" + "0" * 398],
    "bool": ['"true"', "0", "1", '"false"', "[]"],
    "string": ["5", "true", "[]", "{}", r'"\ud800"'],
    "bytes": ["5", '"a"', '"!!!!"', "[]"],
    "kind": ['"ONE"', '"kind_one"', "1.5", "true", "2147483648"],
}


def cases(table: dict[str, list[str]]) -> list[tuple[str, str]]:
    return [(name, value) for name, values in table.items() for value in values]


@pytest.mark.parametrize(("name", "value"), cases(READ))
def test_what_protojson_allows_is_read_as_the_oracle_reads_it(name: str, value: str) -> None:
    text = f'{{"{name}Value": {value}}}'
    ours = PLAIN.ours.from_json(text)
    assert bytes(ours) == google_reads(PLAIN, text).SerializeToString()


@pytest.mark.parametrize(("name", "value"), cases(REFUSED))
def test_what_it_does_not_is_refused_by_the_fields_name(name: str, value: str) -> None:
    with pytest.raises(DecodeError, match=rf"fragments\.scalars\.Plain\.{name}_value: "):
        PLAIN.ours.from_json(f'{{"{name}Value": {value}}}')


NO_MESSAGES: list[str | bytes] = [
    "",
    "{",
    "[]",
    "5",
    "null",
    "NaN",
    "{}{}",
    b"\xff",
    '{"a": 1}',
    '{"int32Value": NaN}',
    '{"int32Value": 1,}',
    '{"int32Value": 1, "int32Value": 2}',
    '{"int32Value": 1, "int32_value": 2}',
    "[" * 100_000,
]


@pytest.mark.parametrize("text", NO_MESSAGES, ids=lambda text: repr(text)[:40])
def test_text_that_is_no_such_message_is_refused(text: str | bytes) -> None:
    with pytest.raises(DecodeError):
        PLAIN.ours.from_json(text)


def test_unknown_names_are_refused_or_left_out_as_asked() -> None:
    text = '{"int32Value": 1, "other": {"a": [1]}, "plainValue": 5}'
    with pytest.raises(DecodeError, match="has no field 'other'"):
        PLAIN.ours.from_json(text)
    assert PLAIN.ours.from_json(text, ignore_unknown_fields=True) == SCALARS.Plain(int32_value=1)
    nested = '{"plainValue": [{"x": 1, "int32Value": 2}]}'
    read = SCALARS.Repeated.from_json(nested, ignore_unknown_fields=True)
    assert read == SCALARS.Repeated(plain_value=[SCALARS.Plain(int32_value=2)])


def test_two_members_of_a_oneof_are_refused() -> None:
    with pytest.raises(DecodeError, match="int32Value was given already"):
        SCALARS.OneOf.from_json('{"int32Value": 1, "boolValue": true}')
    assert SCALARS.OneOf.from_json('{"int32Value": null, "boolValue": true}').bool_value is True


def test_null_in_a_list_or_a_map_is_refused() -> None:
    for text in ('{"int32Value": [null]}', '{"plainValue": [null]}'):
        with pytest.raises(DecodeError, match="null is no element"):
            SCALARS.Repeated.from_json(text)
    with pytest.raises(DecodeError, match="null is no element"):
        MAPS.Values.from_json('{"ofItem": {"a": null}}')


def test_null_is_a_value_where_the_type_says_so() -> None:
    text = '{"value": null, "values": [null, 1], "null": null, "chosen": null, "maybe": null}'
    ours: Any = DYNAMIC.ours.from_json(text)
    assert bytes(ours) == google_reads(DYNAMIC, text).SerializeToString()
    assert ours.value.null_value == 0
    assert ours.which_choice() == "chosen"


def test_a_json_name_goes_before_anothers_proto_name() -> None:
    text = '{"x_y": 1, "xY": 2, "ONE": 3, "somethingElse": 4, "gr\\u00f6\\u00dfe": ["a"]}'
    ours: Any = NAMED.ours.from_json(text)
    assert (ours.first, ours.x_y, ours.one_way, ours.given, ours.umlaut) == (1, 2, 3, 4, ["a"])
    assert bytes(ours) == google_reads(NAMED, text).SerializeToString()


def test_proto_names_are_printed_when_asked_and_read_always() -> None:
    ours = CASES.ours(camelCase="a", Mixed_Case_Name="b")
    assert ours.to_dict() == {"camelCase": "a", "MixedCaseName": "b"}
    assert ours.to_dict(proto_names=True) == {"camelCase": "a", "Mixed_Case_Name": "b"}
    assert CASES.ours.from_json(ours.to_json(proto_names=True)) == ours


def test_python_keywords_are_printed_as_the_contract_spells_them() -> None:
    keywords = fragments()["fragments.field_names.Keywords"]
    hard = [f for f in keywords.google.DESCRIPTOR.fields if keyword.iskeyword(f.name)]
    assert len(hard) == len(keyword.kwlist)
    for field in hard:
        value = [1] if field.is_repeated else "a" if field.type == field.TYPE_STRING else 1
        assert list(keywords.ours(**{f"{field.name}_": value}).to_dict()) == [field.name]


def test_defaults_are_printed_when_asked() -> None:
    shown = SCALARS.Plain().to_dict(include_default_values=True)
    theirs = json_format.MessageToDict(
        PLAIN.google(), always_print_fields_with_no_presence=True, descriptor_pool=PLAIN.pool
    )
    assert shown == theirs
    assert SCALARS.Optional().to_dict(include_default_values=True) == {}


def test_text_outside_ascii_is_printed_as_it_is_and_may_be_indented() -> None:
    message = SCALARS.Plain(string_value="Größe")
    assert message.to_json() == '{"stringValue": "Größe"}'
    assert message.to_json(indent=2) == '{\n  "stringValue": "Größe"\n}'


@pytest.mark.parametrize("levels", [100, 101, 5_000])
def test_json_is_read_a_hundred_levels_deep_as_bytes_are(levels: int) -> None:
    text = '{"left":' * levels + "{}" + "}" * levels
    if levels == 100:
        assert TREE.ours.FromString(bytes(TREE.ours.from_json(text))) == TREE.ours.from_json(text)
    else:
        with pytest.raises(DecodeError):
            TREE.ours.from_json(text)


@pytest.mark.parametrize("levels", [49, 50, 60])
def test_dynamic_values_that_were_read_can_be_sent(levels: int) -> None:
    for text in ("[" * levels + "]" * levels, '{"a":' * levels + "1" + "}" * levels):
        try:
            value = GOOGLE.Value.from_json(text)
        except DecodeError:
            continue
        assert GOOGLE.Value.FromString(bytes(value)) == value
        assert json.loads(value.to_json()) == json.loads(text)


def test_a_map_key_is_text_in_json_whatever_its_type() -> None:
    keys = MAPS.Keys(by_bool={True: "a", False: "b"}, by_int64={-1: "c"}, by_string={"": "d"})
    assert keys.to_dict() == {
        "byInt64": {"-1": "c"},
        "byBool": {"true": "a", "false": "b"},
        "byString": {"": "d"},
    }


NO_KEYS = [
    '{"byBool": {"True": "a"}}',
    '{"byInt32": {"a": "a"}}',
    '{"byInt32": {"2147483648": "a"}}',
    '{"byInt32": []}',
    '{"byUint32": {"-1": "a"}}',
    r'{"byString": {"\ud800": "a"}}',
]


@pytest.mark.parametrize("text", NO_KEYS)
def test_a_map_key_of_another_type_is_refused(text: str) -> None:
    with pytest.raises(DecodeError, match=r"fragments\.maps\.Keys\.by_"):
        MAPS.Keys.from_json(text)


def test_the_values_of_secret_fields_are_never_in_an_error() -> None:
    options = fragments().module("fragments_options")
    with pytest.raises(DecodeError) as caught:
        options.Measured.from_json('{"password": 12345678}')
    assert "12345678" not in str(caught.value)
