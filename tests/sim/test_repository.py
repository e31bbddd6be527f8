"""The tree of objects: what the default galaxy shows, and what filters keep of any galaxy."""

from __future__ import annotations

import asyncio
import re
from itertools import pairwise

import pytest
from grpclib.const import Status
from grpclib.exceptions import GRPCError
from hypothesis import given, strategies as st

from zb_mom_ww_mxgateway.galaxy import SecurityClassification, data_type_of
from zb_mom_ww_mxgateway_contracts.galaxy_repository_v1 import (
    BrowseChildrenRequest,
    DiscoverHierarchyRequest,
    GalaxyAttribute,
    GalaxyObject,
)
from zb_mom_ww_mxgateway_contracts.google_protobuf import Timestamp
from zb_mom_ww_mxgateway_sim.deploys import QUEUE_LIMIT, Deploys
from zb_mom_ww_mxgateway_sim.galaxy import GOOD, Galaxy
from zb_mom_ww_mxgateway_sim.repository import Filters, Node, Repository, below, objects_of


def names(nodes):
    return [node.object.tag_name for node in nodes]


def default(machines=2):
    return Repository(objects_of(Galaxy(seed=0, machines=machines)))


# The default galaxy


def test_areas_come_first_and_then_names():
    assert names(below(default().roots, None)) == [
        "TestPlant",
        "TestArea",
        "TestMachine_001",
        "TestChildObject",
        "TestMachine_002",
        "TestEngine",
        "TestPlatform",
    ]


@pytest.mark.parametrize("machines", [0, 1, 12])
def test_every_attribute_reads_with_good_quality_and_its_type_under_its_reference(machines):
    galaxy = Galaxy(seed=0, machines=machines)
    repository = Repository(objects_of(galaxy))
    seen = 0
    for node in below(repository.roots, None):
        for attribute in node.object.attributes:
            point = galaxy.resolve(galaxy.normalize(attribute.full_tag_reference))
            reading = galaxy.read(point)
            assert reading.quality == GOOD
            assert reading.value is not None
            array = reading.value.array_value
            assert attribute.is_array == (array is not None)
            data_type = reading.value.data_type if array is None else array.element_data_type
            assert data_type_of(attribute) == data_type
            bare = f"{node.object.tag_name}.{attribute.attribute_name}"
            assert attribute.full_tag_reference == bare + "[]" * attribute.is_array
            seen += 1
    assert seen == repository.attribute_count == len(list(galaxy.attributes()))


def test_attributes_say_what_they_are():
    machine = default().find(tag_name="TestMachine_001")
    child = default().find(tag_name="TestChildObject")
    assert machine is not None
    assert child is not None
    by_name = {a.attribute_name: a for a in [*machine.object.attributes, *child.object.attributes]}
    classes = {name: a.security_classification for name, a in by_name.items()}
    assert classes["ProtectedValue"] == SecurityClassification.SECURED_WRITE
    assert classes["ProtectedValue1"] == SecurityClassification.VERIFIED_WRITE
    assert classes["MachineCode"] == SecurityClassification.OPERATE
    assert {name for name, a in by_name.items() if a.is_historized} == {"TestHistoryValue"}
    alarms = {"TestAlarm001", "TestAlarm002", "TestAlarm003"}
    assert {name for name, a in by_name.items() if a.is_alarm} == alarms
    array = by_name["TestStringArray"]
    assert (array.is_array, array.array_dimension_present, array.array_dimension) == (
        True,
        True,
        10,
    )
    assert (array.mx_data_type, array.data_type_name) == (5, "String")


@pytest.mark.parametrize(
    "path",
    [
        "TestPlant/TestArea/TestMachine_001/ChildObject",
        "/testplant/TESTAREA/testmachine_001/childobject/",
    ],
)
def test_a_path_is_the_names_in_the_tree(path):
    found = default().find(contained_path=path)
    assert found is not None
    assert (found.object.tag_name, found.object.browse_name) == ("TestChildObject", "ChildObject")
    assert default().find(contained_path=path + "/x") is None
    assert default().find(contained_path="") is None


def test_without_machines_the_child_object_stands_in_the_area():
    found = default(machines=0).find(contained_path="TestPlant/TestArea/TestChildObject")
    assert found is not None
    assert (found.object.tag_name, found.object.contained_name) == ("TestChildObject", "")


def test_a_deploy_changes_machines_and_keeps_ids_and_values():
    galaxy = Galaxy(seed=0, machines=2)
    before = Repository(objects_of(galaxy))
    code = galaxy.resolve(galaxy.normalize("TestMachine_001.MachineCode"))
    assert code is not None
    galaxy.write(code, "kept", Timestamp.now())
    galaxy.deploy(3)
    after = Repository(objects_of(galaxy))
    assert set(names(below(after.roots, None))) - set(names(below(before.roots, None))) == {
        "TestMachine_003"
    }
    for node in below(before.roots, None):
        again = after.find(gobject_id=node.object.gobject_id)
        assert again is not None
        assert again.object == node.object
    assert galaxy.resolve(galaxy.normalize("TestMachine_001.MachineCode")) == code
    galaxy.deploy(0)
    assert galaxy.resolve(galaxy.normalize("TestMachine_001.MachineCode")) is None


# Any galaxy

_names = st.text("abAB1_[.é", min_size=1, max_size=4)


@st.composite
def forests(draw):
    """Objects whose parents come before them, some with a parent that is not deployed."""
    tags = draw(st.lists(_names, unique_by=str.casefold, max_size=12))
    objects = []
    for number, tag in enumerate(tags, 1):
        attributes = [
            GalaxyAttribute(attribute_name="a", is_alarm=alarm, is_historized=historized)
            for alarm, historized in draw(
                st.lists(st.tuples(st.booleans(), st.booleans()), max_size=2)
            )
        ]
        objects.append(
            GalaxyObject(
                gobject_id=number,
                tag_name=tag,
                browse_name=draw(_names),
                parent_gobject_id=draw(st.integers(0, number - 1) | st.just(99)),
                is_area=draw(st.booleans()),
                category_id=draw(st.sampled_from([1, 3, 10, 13])),
                template_chain=draw(st.lists(st.sampled_from(["$Area", "$Test", "$testX"]))),
                attributes=attributes,
            )
        )
    return draw(st.permutations(objects))


@given(forests())
def test_every_object_is_in_the_tree_once_below_its_parent(objects):
    repository = Repository(objects)
    listed = [node.object for node in below(repository.roots, None)]
    assert sorted(o.gobject_id for o in listed) == sorted(o.gobject_id for o in objects)
    places = {shown.gobject_id: place for place, shown in enumerate(listed)}
    for shown in listed:
        node = repository.find(gobject_id=shown.gobject_id)
        assert node is not None
        assert repository.find(tag_name=shown.tag_name.swapcase()) is node
        assert {child.object.gobject_id for child in node.children} == {
            o.gobject_id for o in objects if o.parent_gobject_id == shown.gobject_id
        }
        if shown.parent_gobject_id in places:
            assert places[shown.parent_gobject_id] < places[shown.gobject_id]


@given(forests())
def test_siblings_are_in_the_order_of_trees(objects):
    repository = Repository(objects)
    for siblings in (repository.roots, *(n.children for n in below(repository.roots, None))):
        for one, following in pairwise(node.object for node in siblings):
            if one.is_area == following.is_area:
                assert one.browse_name.casefold() <= following.browse_name.casefold()
            else:
                assert one.is_area


@given(forests(), st.integers(0, 12))
def test_depth_counts_levels_below_the_start(objects, depth):
    repository = Repository(objects)
    parents = {o.gobject_id: o.parent_gobject_id for o in objects}

    def level(gobject_id):
        return 0 if parents[gobject_id] not in parents else 1 + level(parents[gobject_id])

    listed = [node.object.gobject_id for node in below(repository.roots, depth)]
    assert sorted(listed) == sorted(i for i in parents if level(i) <= depth)


def glob_matches(glob, text):
    """What * and ? mean, by recursion."""
    if not glob:
        return not text
    if glob[0] == "*":
        return any(glob_matches(glob[1:], text[cut:]) for cut in range(len(text) + 1))
    return bool(text) and glob[0] in ("?", text[0]) and glob_matches(glob[1:], text[1:])


@given(
    forests(),
    st.sets(st.sampled_from([1, 3, 10, 13, 7])),
    st.lists(st.sampled_from(["test", "AREA", "$", "x", "nothing"]), max_size=2),
    st.text("abAB1_[.*?é", max_size=4),
    st.booleans(),
    st.booleans(),
)
def test_filters_keep_what_matches_all_of_them(objects, ids, texts, glob, alarms, history):
    nodes = list(below(Repository(objects).roots, None))
    fields = {
        "category_ids": list(ids),
        "template_chain_contains": texts,
        "tag_name_glob": glob,
        "alarm_bearing_only": alarms,
        "historized_only": history,
    }
    expected = [
        node
        for node in nodes
        if (not ids or node.object.category_id in ids)
        and (
            not texts
            or any(
                re.search(re.escape(text), template, re.IGNORECASE)
                for text in texts
                for template in node.object.template_chain
            )
        )
        and (not glob or glob_matches(glob.casefold(), node.object.tag_name.casefold()))
        and (not alarms or any(a.is_alarm for a in node.object.attributes))
        and (not history or any(a.is_historized for a in node.object.attributes))
    ]
    for request in (DiscoverHierarchyRequest(**fields), BrowseChildrenRequest(**fields)):
        assert Filters.of(request).keep(nodes) == expected


@pytest.mark.parametrize(
    ("glob", "kept"),
    [
        ("[ab]", ["[ab]"]),
        ("[!a]*", ["[!a]x"]),
        ("a?", ["ab", "A-"]),
        ("?", ["a"]),
        ("\\*", []),
        ("A*", ["a", "ab", "A-"]),
    ],
)
def test_nothing_but_stars_and_question_marks_means_anything_in_a_glob(glob, kept):
    tags = ["a", "ab", "A-", "[ab]", "[!a]x"]
    nodes = [Node(GalaxyObject(tag_name=tag)) for tag in tags]
    assert names(Filters.of(DiscoverHierarchyRequest(tag_name_glob=glob)).keep(nodes)) == kept


# Deploys


def test_nothing_is_known_before_the_first_deploy():
    deploys = Deploys(Galaxy(seed=0, machines=1))
    with pytest.raises(GRPCError) as caught:
        _ = deploys.current
    assert caught.value.status is Status.UNAVAILABLE
    deploys.deploy()
    assert deploys.current.event.object_count == 6


async def test_whoever_comes_while_the_gateway_shuts_down_is_sent_away():
    deploys = Deploys(Galaxy(seed=0, machines=0))
    deploys.deploy()
    with deploys.watch(None) as watcher:
        deploys.shut()
        assert (await watcher.next()).sequence == 1
        with pytest.raises(GRPCError) as told:
            await watcher.next()
    with pytest.raises(GRPCError) as refused, deploys.watch(None):
        pass
    assert told.value.status is refused.value.status is Status.UNAVAILABLE


async def test_a_slow_reader_loses_the_oldest_events_which_shows_as_a_gap():
    deploys = Deploys(Galaxy(seed=0, machines=0))
    deploys.deploy()
    with deploys.watch(None) as slow, deploys.watch(None) as quick:
        assert (await quick.next()).sequence == 1
        for expected in range(2, QUEUE_LIMIT + 4):
            deploys.deploy()
            assert (await quick.next()).sequence == expected
        kept = [(await slow.next()).sequence for _ in range(QUEUE_LIMIT)]
        assert kept == list(range(4, QUEUE_LIMIT + 4))


async def test_deploys_have_rising_times_and_watchers_that_left_are_forgotten():
    deploys = Deploys(Galaxy(seed=0, machines=0))
    deploys.deploy()
    deploys.current.time = Timestamp(seconds=2**33)  # and then the clock is set back
    times = [deploys.current.time.to_datetime()]
    with deploys.watch(deploys.current.time) as watcher:
        for _ in range(3):
            deploys.deploy()
            times.append(deploys.current.time.to_datetime())
        assert [(await watcher.next()).sequence for _ in range(3)] == [2, 3, 4]
    assert times == sorted(set(times))
    deploys.deploy()
    waiting = asyncio.ensure_future(watcher.next())
    await asyncio.sleep(0)
    assert not waiting.done()
    waiting.cancel()
