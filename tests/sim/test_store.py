"""The store: the tree of objects, by name and in order, their attributes, and their ids."""

from __future__ import annotations

import gc
import weakref

import pytest
from hypothesis import given, strategies as st

from zb_mom_ww_mxgateway_sim.galaxy.definition import (
    AttributeSet,
    ObjectDefinition,
)
from zb_mom_ww_mxgateway_sim.galaxy.store import Store
from zb_mom_ww_mxgateway_sim.galaxy.tree import MAX_LEVELS

from .galaxies import (
    PLANT,
    SETS,
    forests,
    listed,
    made,
    names,
    path_of,
    stored,
    tags,
    tree_order,
)

# The tree


def test_areas_come_first_and_then_names():
    """Row: browse names are contained names in a tree (areas first, then by name without regard to
    case).
    """
    assert tags(listed(Store.build(PLANT, 2))) == [
        "TestPlant",
        "TestArea",
        "TestMachine_001",
        "TestChildObject",
        "TestMachine_002",
        "TestEngine",
        "TestPlatform",
    ]


@given(forests())
def test_objects_stand_in_tree_order_and_know_their_place(objects):
    store = stored(objects)
    found = listed(store)
    assert tags(found) == [o.tag_name for o in tree_order(objects)]
    assert store.object_count == len(objects)
    by_tag = {shown.tag_name: shown for shown in found}
    ids = {shown.gobject_id for shown in found}
    assert len(ids) == len(objects)
    assert all(gobject_id > 0 for gobject_id in ids)
    for place, shown in enumerate(found):
        definition = next(o for o in objects if o.tag_name == shown.tag_name)
        path = path_of(objects, shown.tag_name)
        below = [o for o in objects if shown.tag_name in path_of(objects, o.tag_name)]
        areas = [tag for tag in path if by_tag[tag].is_area]
        assert (shown.place, shown.last) == (place, place + len(below) - 1)
        assert shown.has_children == (len(below) > 1)
        assert shown.level == len(path) - 1
        assert shown.area == (areas[-1] if areas else "")
        assert shown.parent_gobject_id == (by_tag[path[-2]].gobject_id if path[1:] else 0)
        host = definition.host
        assert shown.host_gobject_id == (by_tag[host].gobject_id if host else 0)
        assert (shown.category_id, shown.is_area) == (definition.category, definition.is_area)
        assert shown.template_chain == definition.template_chain
        assert shown.attributes is definition.attributes
        assert (shown.contained_name, shown.browse_name) == (
            definition.contained_name,
            definition.browse_name,
        )


@given(forests())
def test_objects_are_found_by_id_tag_name_and_path_in_any_case(objects):
    store = stored(objects)
    order = [o.tag_name for o in tree_order(objects)]
    browse_names = {o.tag_name: o.browse_name for o in objects}
    paths = {}
    for tag in order:
        path = "/".join(browse_names[above] for above in path_of(objects, tag))
        paths.setdefault(path.casefold(), tag)  # siblings of one name: the first is found
    for shown in listed(store):
        assert store.find(gobject_id=shown.gobject_id) == shown
        assert store.find(tag_name=shown.tag_name.swapcase()) == shown
    for path, tag in paths.items():
        for written in (path, f"/{path.upper()}/"):
            if written.strip("/").casefold() == path:  # not all letters survive a change of case
                found = store.find(contained_path=written)
                assert found is not None
                assert found.tag_name == tag
        assert store.find(contained_path=f"{path}/?") is None
    for path in ("", "/", "a/" * 100_000 + "a"):
        assert store.find(contained_path=path) is None
    assert store.find(tag_name="") is None
    assert store.find(gobject_id=0) is None


def test_a_path_is_the_names_in_the_tree():
    store = Store.build(PLANT, 2)
    for path in (
        "TestPlant/TestArea/TestMachine_001/ChildObject",
        "/testplant/TESTAREA/testmachine_001/childobject/",
    ):
        found = store.find(contained_path=path)
        assert found is not None
        assert (found.tag_name, found.browse_name) == ("TestChildObject", "ChildObject")
        assert store.find(contained_path=path + "/x") is None
    assert store.find(contained_path="TestMachine_001/ChildObject") is None


def test_without_machines_the_child_object_stands_in_the_area():
    found = Store.build(PLANT, 0).find(contained_path="TestPlant/TestArea/TestChildObject")
    assert found is not None
    assert (found.tag_name, found.contained_name) == ("TestChildObject", "")


# Attributes


@given(forests(), names)
def test_a_reference_is_tag_name_dot_attribute_in_any_case(objects, name):
    """Row: a runtime reference is tag_name.AttributeName, tag names being unique."""
    store = stored(objects)
    count = 0
    for shown in listed(store):
        for attribute in shown.attributes.attributes:
            for reference in (
                f"{shown.tag_name}.{attribute.name}",
                f"{shown.tag_name}.{attribute.name}".swapcase(),
            ):
                assert store.attribute(reference) == (shown, attribute)
            count += 1
        assert store.attribute(f"{shown.tag_name}.{name}!") is None
        assert store.attribute(shown.tag_name) is None
    assert store.attribute(f"{name}!.P.q") is None
    assert store.attribute_count == count


@given(forests())
def test_alarms_are_told_in_tree_order_and_driven_ones_apart(objects):
    store = stored(objects)
    all_of_them = [
        (shown, attribute)
        for shown in listed(store)
        for attribute in shown.attributes.attributes
        if attribute.alarm is not None
    ]
    assert list(store.alarms()) == all_of_them
    assert list(store.driven_alarms()) == [
        (shown, attribute) for shown, attribute in all_of_them if attribute.name in ("D", "M", "T")
    ]


# Deploys


@given(st.lists(forests(), min_size=1, max_size=4))
def test_ids_stay_through_all_deploys_also_of_objects_that_come_back(deploys):
    ids, store = {}, None
    for objects in deploys:
        store = stored(objects, before=store)
        for shown in listed(store):
            known = ids.setdefault(shown.tag_name.casefold(), shown.gobject_id)
            assert shown.gobject_id == known
    assert len(set(ids.values())) == len(ids)


def test_a_store_that_nobody_has_any_more_is_gone_and_one_can_be_closed_twice():
    store = Store.build(PLANT, 3)
    list(store.alarms())
    listed(store, roots=("TestArea",))
    known = weakref.ref(store)
    gc.disable()
    try:
        del store
        assert known() is None
    finally:
        gc.enable()
    store = Store.build(PLANT, 3)
    store.close()
    store.close()


@pytest.mark.parametrize(
    ("objects", "text"),
    [
        ([made("A"), made("a")], "two objects are called 'a'"),
        ([made("A", parent="B"), made("B")], "parent of object 'A' is 'B'.* before it"),
        ([made("A", parent="A")], "parent of object 'A' is 'A'"),
        ([made("A", host="B")], "host of object 'A' is 'B': no object is called that"),
        ([made("A.b")], r"'A\.b' cannot be a tag name"),
        ([made("")], "'' cannot be a tag name"),
        ([made("A\0")], "cannot be a tag name"),
        (
            [made(f"A{n}", parent=f"A{n - 1}" if n else "") for n in range(MAX_LEVELS + 1)],
            f"'A{MAX_LEVELS}' stands more than {MAX_LEVELS} levels deep",
        ),
    ],
)
def test_a_definition_that_contradicts_itself_is_refused_with_the_names(objects, text):
    with pytest.raises(ValueError, match=text):
        stored(objects)


def test_an_object_may_be_hosted_by_one_that_is_defined_after_it():
    store = stored([made("Area", host="Engine"), made("Engine", parent="Area")])
    area, engine = store.find(tag_name="Area"), store.find(tag_name="Engine")
    assert area is not None
    assert engine is not None
    assert area.host_gobject_id == engine.gobject_id


def test_objects_may_stand_as_deep_as_allowed():
    chain = [made(f"A{n}", parent=f"A{n - 1}" if n else "") for n in range(MAX_LEVELS)]
    assert len(listed(stored(chain))) == MAX_LEVELS


def test_sets_of_equal_attributes_are_kinds_of_their_own():
    one, other = AttributeSet(SETS[1].attributes), AttributeSet(SETS[1].attributes)
    store = stored(
        [
            ObjectDefinition(tag_name="A", attributes=one),
            ObjectDefinition(tag_name="B", attributes=other),
        ]
    )
    assert store.find(tag_name="A").attributes is one
    assert store.find(tag_name="B").attributes is other
