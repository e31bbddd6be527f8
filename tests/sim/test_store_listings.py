"""Listings of a store: what filters keep, what a narrowed key sees, and more than a slice has."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hypothesis import given, strategies as st

from zb_mom_ww_mxgateway_sim.galaxy.definition import (
    ObjectDefinition,
    ObjectSeries,
)
from zb_mom_ww_mxgateway_sim.galaxy.selection import SLICE, Filters

from .galaxies import (
    NOTHING,
    SETS,
    forests,
    listed,
    made,
    path_of,
    stored,
    tags,
    tree_order,
)


def glob_matches(glob, text):
    """What * and ? mean, by recursion."""
    if not glob:
        return not text
    if glob[0] == "*":
        return any(glob_matches(glob[1:], text[cut:]) for cut in range(len(text) + 1))
    return bool(text) and glob[0] in ("?", text[0]) and glob_matches(glob[1:], text[1:])


filters = st.builds(
    Filters,
    category_ids=st.lists(st.sampled_from([1, 3, 10, 13, 7]), max_size=3).map(tuple),
    templates=st.lists(st.sampled_from(["test", "area", "$", "x", "nothing"]), max_size=2).map(
        tuple
    ),
    tag_name_glob=st.text("abAB1_[].*?é\0", max_size=4).map(str.casefold),
    alarm_bearing_only=st.booleans(),
    historized_only=st.booleans(),
)


def matches(definition, wanted):
    """What filters mean, all of which must match."""
    attributes = definition.attributes.attributes
    return (
        (not wanted.category_ids or definition.category in wanted.category_ids)
        and (
            not wanted.templates
            or any(
                re.search(re.escape(text), template, re.IGNORECASE)
                for text in wanted.templates
                for template in definition.template_chain
            )
        )
        and (
            not wanted.tag_name_glob
            or glob_matches(wanted.tag_name_glob, definition.tag_name.casefold())
        )
        and (not wanted.alarm_bearing_only or any(a.alarm for a in attributes))
        and (not wanted.historized_only or any(a.is_historized for a in attributes))
    )


@given(st.data(), forests(), filters, st.none() | st.integers(0, 4))
def test_listings_have_what_matches_all_filters_in_tree_order(data, objects, wanted, depth):
    """Row: filters combined with AND: root, max_depth relative to the root (0 = root alone, unset =
    all), category_ids, template_chain_contains (substring), tag_name_glob (*, ?, anchored, any
    case), alarm_bearing_only, historized_only.
    """
    store = stored(objects)
    root = data.draw(st.none() | st.sampled_from([o.tag_name for o in objects] or [None]))
    expected = []
    for definition in tree_order(objects):
        path = path_of(objects, definition.tag_name)
        if root is None or root in path:
            level = len(path) - 1 - (0 if root is None else path.index(root))
            if (depth is None or level <= depth) and matches(definition, wanted):
                expected.append(definition.tag_name)
    top = None if root is None else store.find(tag_name=root)
    level = 0 if top is None else top.level
    for shallowest in {0, level}:
        found = listed(
            store,
            root=top,
            shallowest=shallowest,
            deepest=None if depth is None else level + depth,
            filters=wanted,
        )
        assert tags(found) == expected
    # The same by its levels, as children are listed.
    if depth is not None:
        found = listed(
            store, root=top, shallowest=level + depth, deepest=level + depth, filters=wanted
        )
        assert tags(found) == [t for t in expected if len(path_of(objects, t)) == level + depth + 1]


@pytest.mark.parametrize(
    ("glob", "kept"),
    [
        ("[ab]", ["[ab]"]),
        ("[!a]*", ["[!a]x"]),
        ("a?", ["A-", "ab"]),
        ("?", ["a"]),
        ("\\*", []),
        ("a*", ["a", "A-", "ab"]),
        ("*" * 100_000, ["[!a]x", "[ab]", "a", "A-", "ab"]),
        ("a" * 100_000, []),
        ("*" + "?*" * 50_000, []),
        ("a\0*", []),
    ],
)
def test_nothing_but_stars_and_question_marks_means_anything_in_a_glob(glob, kept):
    store = stored([made(tag) for tag in ("a", "ab", "A-", "[ab]", "[!a]x")])
    assert tags(listed(store, filters=Filters(tag_name_glob=glob))) == kept


# Narrowed keys


@given(st.data(), forests(), filters)
def test_a_narrowed_key_sees_its_subtrees_and_without_attributes_what_leads_there(
    data, objects, wanted
):
    """Row: a key may be narrowed to tag subtrees for browse."""
    store = stored(objects)
    known = [o.tag_name for o in objects]
    roots = tuple(data.draw(st.lists(st.sampled_from([*known, "Nobody"]), max_size=3)))
    expected, hidden = [], set()
    for definition in tree_order(objects):
        tag = definition.tag_name
        inside = not set(roots).isdisjoint(path_of(objects, tag))
        leads = any(tag in path_of(objects, root) for root in roots if root in known)
        assert store.within(tag.swapcase(), roots) == inside
        assert store.within(f"{tag}.Any.Attribute[1]", roots) == inside
        if not inside and leads:
            hidden.add(tag)
            definition = replace(definition, attributes=NOTHING)
        if (inside or leads) and matches(definition, wanted):
            expected.append(tag)
    found = listed(store, filters=wanted, roots=tuple(root.swapcase() for root in roots))
    assert tags(found) == expected
    for shown in found:
        assert (shown.tag_name not in hidden) or not shown.attributes.attributes
    visible = {tag for tag in known if store.view(roots).span_of(store.find(tag_name=tag).place)}
    everything = listed(store, roots=roots)
    assert visible == set(tags(everything))
    assert not store.within("Nobody", roots)


# Many


@pytest.fixture(scope="module")
def big():
    """More objects than two slices have, all in one area; every thousandth has an alarm."""
    plain = ObjectDefinition(tag_name="Plain_{n:05}", attributes=SETS[1], parent="Area")
    alarmed = ObjectDefinition(tag_name="Plain_{n:02}999x", attributes=SETS[3], parent="Area")
    return stored(
        [
            made("Area", category=13),
            ObjectSeries(pattern=plain, count=25_000),
            ObjectSeries(pattern=alarmed, count=25),
        ]
    )


def test_listings_go_on_from_slice_to_slice(big):
    assert big.object_count == 25_026 > 2 * SLICE
    everything = listed(big)
    assert tags(everything) == ["Area", *sorted(tags(everything[1:]))]
    alarmed = [f"Plain_{n:02}999x" for n in range(1, 26)]
    assert tags(listed(big, filters=Filters(alarm_bearing_only=True))) == alarmed
    assert tags(listed(big, filters=Filters(tag_name_glob="*99x"))) == alarmed
    area = big.find(tag_name="area")
    assert len(listed(big, root=area, shallowest=1, deepest=1)) == 25_025
    assert tags(listed(big, deepest=0)) == ["Area"]
    assert [found.tag_name for found, _ in big.alarms()] == alarmed


def test_ids_stay_in_large_galaxies_too(big):
    rebuilt = stored([made("New"), made("plain_00777")], before=big)
    again, before = (store.find(tag_name="Plain_00777") for store in (rebuilt, big))
    assert again.gobject_id == before.gobject_id
    assert rebuilt.find(tag_name="New").gobject_id > max(o.gobject_id for o in listed(big))
