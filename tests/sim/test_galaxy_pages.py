"""Pages of the Galaxy service: their sizes, their tokens, and all of them together."""

from __future__ import annotations

import asyncio

import pytest
from grpclib.const import Status
from hypothesis import given, strategies as st

from zb_mom_ww_mxgateway_contracts.galaxy_repository_v1 import (
    BrowseChildrenRequest,
    DiscoverHierarchyRequest,
)
from zb_mom_ww_mxgateway_contracts.google_protobuf import Int32Value
from zb_mom_ww_mxgateway_sim.galaxy.definition import (
    GalaxyDefinition,
    ObjectDefinition,
    ObjectSeries,
)
from zb_mom_ww_mxgateway_sim.galaxy.pages import MAX_PAGE_SIZE, PAGE_SIZE

from .galaxies import SETS, forests, tree_order
from .galaxy_serving import names, serving

AREA = "TestPlant/TestArea"


@pytest.fixture
async def served():
    async with serving() as running:
        yield running


@pytest.fixture
def galaxy(served):
    return served.galaxy


async def all_pages(call, request, field, sizes):
    """Everything page by page, the sizes of which repeat."""
    found, turn = [], 0
    while request.page_token or not turn:
        request.page_size = sizes[turn % len(sizes)]
        page = await call(request)
        assert len(getattr(page, field)) <= request.page_size
        found += getattr(page, field)
        request.page_token, turn = page.next_page_token, turn + 1
    return found


@given(
    machines=st.integers(0, 9),
    sizes=st.lists(st.integers(1, 7), min_size=1, max_size=5),
    root=st.sampled_from([None, "TestPlant", "TestArea", "testmachine_001"]),
    depth=st.none() | st.integers(0, 3),
    glob=st.sampled_from(["", "TestMachine_*", "*1", "?estp*"]),
    roots=st.sampled_from([None, ("TestArea",), ("TestEngine", "TestMachine_002"), ()]),
)
def test_pages_of_any_sizes_make_up_the_whole_answer(machines, sizes, root, depth, glob, roots):
    if roots is not None or (root == "testmachine_001" and not machines):
        root = None
    fields = {
        "root_tag_name": root,
        "max_depth": None if depth is None else Int32Value(value=depth),
        "tag_name_glob": glob,
    }

    async def run():
        async with serving(machines=machines) as served:
            galaxy = served.galaxy if roots is None else served.narrowed(*roots)
            whole = await galaxy.discover_hierarchy(DiscoverHierarchyRequest(**fields))
            request = DiscoverHierarchyRequest(**fields)
            paged = await all_pages(galaxy.discover_hierarchy, request, "objects", sizes)
            return whole, paged

    whole, paged = asyncio.run(run())
    assert not whole.next_page_token
    assert whole.total_object_count == len(whole.objects)
    assert paged == whole.objects


@given(forests(), st.integers(1, 3))
def test_browsing_from_the_roots_on_shows_the_whole_tree(objects, size):
    """Row: BrowseChildren: the children of one parent (unset: the roots), pages;
    child_has_children runs parallel.
    """

    async def run():
        async with serving(GalaxyDefinition(entries=tuple(objects))) as served:
            return [shown.tag_name async for shown in below(served.galaxy, None)]

    async def below(galaxy, parent):
        token, turn, total = "", 0, 0
        while token or not turn:
            reply = await galaxy.browse_children(
                BrowseChildrenRequest(parent_gobject_id=parent, page_size=size, page_token=token)
            )
            for child, expandable in zip(reply.children, reply.child_has_children, strict=True):
                yield child
                deeper = [shown async for shown in below(galaxy, child.gobject_id)]
                assert expandable == bool(deeper)
                for shown in deeper:
                    yield shown
            token, turn, total = reply.next_page_token, turn + 1, total + len(reply.children)
        assert reply.total_child_count == total

    assert asyncio.run(run()) == [o.tag_name for o in tree_order(objects)]


async def test_a_page_has_500_objects_unless_asked_and_5000_at_most(refused):
    """Row: DiscoverHierarchy: pages (default 500, at most 5,000); total_object_count is after
    filtering. BrowseChildren: pages of 500, at most 5,000.
    """
    async with serving(machines=MAX_PAGE_SIZE + 1) as served:
        galaxy = served.galaxy
        for size, expected in ((0, PAGE_SIZE), (MAX_PAGE_SIZE + 9, MAX_PAGE_SIZE)):
            hierarchy = await galaxy.discover_hierarchy(
                DiscoverHierarchyRequest(page_size=size, include_attributes=False)
            )
            children = await galaxy.browse_children(
                BrowseChildrenRequest(
                    parent_contained_path=AREA, page_size=size, include_attributes=False
                )
            )
            assert (len(hierarchy.objects), len(children.children)) == (expected, expected)
            assert (hierarchy.total_object_count, children.total_child_count) == (5006, 5001)
            assert len(children.child_has_children) == expected
        filtered = await galaxy.discover_hierarchy(
            DiscoverHierarchyRequest(tag_name_glob="*9", page_size=3)
        )
        assert (len(filtered.objects), filtered.total_object_count) == (3, 500)
        for call in (
            galaxy.discover_hierarchy(DiscoverHierarchyRequest(page_size=-1)),
            galaxy.browse_children(BrowseChildrenRequest(page_size=-1)),
            galaxy.discover_hierarchy(DiscoverHierarchyRequest(max_depth=Int32Value(value=-1))),
        ):
            assert (await refused(call)).status is Status.INVALID_ARGUMENT


async def test_long_listings_are_whole_page_by_page_and_on_one_page():
    """More objects than are looked through at once, more attributes than are encoded at once."""
    plain = ObjectDefinition(tag_name="Plain_{n:05}", attributes=SETS[1])
    alarmed = ObjectDefinition(tag_name="Plain_{n:02}9995", attributes=SETS[3])
    definition = GalaxyDefinition(
        entries=(
            ObjectSeries(pattern=plain, count=21_000),
            ObjectSeries(pattern=alarmed, count=20),
        )
    )
    async with serving(definition) as served:
        galaxy = served.galaxy
        request = DiscoverHierarchyRequest(include_attributes=False)
        everything = await all_pages(galaxy.discover_hierarchy, request, "objects", [5_000, 701])
        assert names(everything) == sorted(names(everything))
        assert len(set(names(everything))) == 21_020
        found = [f"Plain_{n:02}9995" for n in range(1, 21)]
        request = DiscoverHierarchyRequest(alarm_bearing_only=True)
        assert names(await all_pages(galaxy.discover_hierarchy, request, "objects", [7])) == found
        request = BrowseChildrenRequest(tag_name_glob="*_??9995")
        assert names(await all_pages(galaxy.browse_children, request, "children", [3])) == found
        page = await galaxy.browse_children(BrowseChildrenRequest(page_size=5_000))
        assert names(page.children) == names(everything[:5_000])
        assert len(page.child_has_children) == 5_000
        for shown in page.children:
            assert shown.attributes[0].full_tag_reference == f"{shown.tag_name}.P.q"


async def test_a_token_is_good_for_its_own_query_and_deploy_alone(served, galaxy, refused):
    """Row: page tokens are opaque; one from an older deploy, another filter or another parent:
    INVALID_ARGUMENT.
    """
    first = await galaxy.discover_hierarchy(DiscoverHierarchyRequest(page_size=2))
    token = first.next_page_token
    of_children = await galaxy.browse_children(
        BrowseChildrenRequest(parent_contained_path=AREA, page_size=2)
    )
    assert token
    assert of_children.next_page_token
    after, total, seal = token.split("-")
    narrowed = served.narrowed("TestPlant")  # sees the same, but tokens do not know that
    for call in (
        galaxy.discover_hierarchy(DiscoverHierarchyRequest(page_token=token + "0")),
        galaxy.discover_hierarchy(DiscoverHierarchyRequest(page_token=f"3{after}-{total}-{seal}")),
        galaxy.discover_hierarchy(DiscoverHierarchyRequest(page_token=f"{after}-1{total}-{seal}")),
        galaxy.discover_hierarchy(DiscoverHierarchyRequest(page_token="é")),
        galaxy.discover_hierarchy(DiscoverHierarchyRequest(page_token=token, historized_only=True)),
        galaxy.discover_hierarchy(
            DiscoverHierarchyRequest(page_token=token, root_tag_name="TestArea")
        ),
        galaxy.discover_hierarchy(
            DiscoverHierarchyRequest(page_token=token, max_depth=Int32Value(value=1))
        ),
        galaxy.discover_hierarchy(
            DiscoverHierarchyRequest(page_token=token, include_attributes=False)
        ),
        galaxy.discover_hierarchy(DiscoverHierarchyRequest(page_token=of_children.next_page_token)),
        galaxy.browse_children(BrowseChildrenRequest(page_token=token)),
        galaxy.browse_children(BrowseChildrenRequest(page_token=of_children.next_page_token)),
        narrowed.discover_hierarchy(DiscoverHierarchyRequest(page_token=token)),
    ):
        assert (await refused(call)).status is Status.INVALID_ARGUMENT
    again = DiscoverHierarchyRequest(page_token=token, include_attributes=True)
    rest = await galaxy.discover_hierarchy(again)
    assert len(first.objects) + len(rest.objects) == first.total_object_count
    assert rest.total_object_count == first.total_object_count
    # Another way to name the same parent asks the same, and so do filters in another order.
    same = BrowseChildrenRequest(parent_tag_name="testarea", page_token=of_children.next_page_token)
    assert len((await galaxy.browse_children(same)).children) == 5
    ids, texts = [10, 2, 18], ["$Test", "$user"]
    some = DiscoverHierarchyRequest(category_ids=ids, template_chain_contains=texts, page_size=2)
    turned = DiscoverHierarchyRequest(
        category_ids=[*ids[::-1], 2],
        template_chain_contains=["$USER", "$test"],
        page_token=(await galaxy.discover_hierarchy(some)).next_page_token,
    )
    assert len((await galaxy.discover_hierarchy(turned)).objects) == 6
    await served.deploys.deploy()
    refusal = await refused(galaxy.discover_hierarchy(again))
    assert refusal.status is Status.INVALID_ARGUMENT
    assert "deployed since" in refusal.message


async def test_a_page_that_is_under_way_is_of_the_deploy_it_began_with(served, galaxy):
    listing = asyncio.ensure_future(galaxy.discover_hierarchy(DiscoverHierarchyRequest()))
    deploying = asyncio.ensure_future(served.deploys.deploy(machines=1_000))
    reply = await listing
    assert len(reply.objects) == reply.total_object_count == 12
    await deploying
    reply = await galaxy.discover_hierarchy(DiscoverHierarchyRequest())
    assert reply.total_object_count == 1_005
