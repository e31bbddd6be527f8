"""The Galaxy client against the simulator on a real socket: the README's promises, and filters."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given, strategies as st

from zb_mom_ww_mxgateway import GatewayClient, MxDataType, to_mx_value
from zb_mom_ww_mxgateway.errors import (
    MxGatewayArgumentError,
    MxGatewayAuthenticationError,
    MxGatewayNotFoundError,
    MxGatewaySessionClosedError,
    MxGatewayUnavailableError,
)
from zb_mom_ww_mxgateway.galaxy import (
    GalaxyRepositoryClient,
    ObjectCategory,
    SecurityClassification,
    data_type_of,
    deploy_time,
)
from zb_mom_ww_mxgateway.galaxy.browse import BrowseNode
from zb_mom_ww_mxgateway_contracts.galaxy_repository_v1 import (
    BrowseChildrenRequest,
    DeployEvent,
    DiscoverHierarchyRequest,
    GalaxyObject,
    WatchDeployEventsRequest,
)
from zb_mom_ww_mxgateway_sim import SimulatedGateway

MACHINE = "TestMachine_001"


@pytest.fixture
async def gateway() -> AsyncIterator[SimulatedGateway]:
    async with SimulatedGateway(machines=4, plant=False) as running:
        yield running


def connecting(gateway: SimulatedGateway) -> Any:
    return GalaxyRepositoryClient.connect(
        endpoint=gateway.endpoint, api_key=gateway.api_key, plaintext=True
    )


@pytest.fixture
async def galaxy(gateway: SimulatedGateway) -> AsyncIterator[GalaxyRepositoryClient]:
    async with await connecting(gateway) as connected:
        yield connected


def names(objects: list[GalaxyObject]) -> list[str]:
    return [found.tag_name for found in objects]


async def test_a_newcomer_tests_the_connection_and_lists_everything(
    gateway: SimulatedGateway, galaxy: GalaxyRepositoryClient
) -> None:
    assert await galaxy.test_connection() is True
    assert repr(galaxy) == f"<GalaxyRepositoryClient {gateway.endpoint}>"
    last_deploy = await galaxy.get_last_deploy_time()
    assert last_deploy is not None
    assert last_deploy.tzinfo is timezone.utc
    assert abs(datetime.now(timezone.utc) - last_deploy) < timedelta(minutes=5)
    hierarchy = await galaxy.discover_hierarchy()
    assert len(hierarchy) == 9
    assert all(isinstance(found, GalaxyObject) for found in hierarchy)
    assert hierarchy == [found async for found in galaxy.iter_hierarchy()]


async def test_every_reference_that_is_listed_reads_with_good_quality_in_a_session(
    gateway: SimulatedGateway, galaxy: GalaxyRepositoryClient
) -> None:
    references = {
        attribute.full_tag_reference: data_type_of(attribute)
        for found in await galaxy.discover_hierarchy()
        for attribute in found.attributes
    }
    assert len(references) == 84
    async with (
        await GatewayClient.connect(
            gateway.endpoint, api_key=gateway.api_key, plaintext=True
        ) as client,
        await client.open_session() as session,
    ):
        server = await session.register("tests")
        results = await session.read_bulk(server, list(references))
    assert [(r.was_successful, r.quality) for r in results] == [(True, 192)] * len(references)
    for result in results:
        assert result.value is not None
        array = result.value.array_value
        data_type = result.value.data_type if array is None else array.element_data_type
        assert data_type == references[result.tag_address]


# Filters: any combination gives what the same conditions keep of everything


class Kept:
    """The model: the whole hierarchy, and what a filter keeps of it."""

    def __init__(self, everything: list[GalaxyObject]) -> None:
        self.everything = everything
        self.parents = {found.gobject_id: found.parent_gobject_id for found in everything}
        self.names = {found.gobject_id: found.browse_name for found in everything}

    def path(self, gobject_id: int) -> list[int]:
        """From a root to the object."""
        parent = self.parents[gobject_id]
        return [*(self.path(parent) if parent else []), gobject_id]

    def spelled(self, gobject_id: int) -> str:
        return "/".join(self.names[step] for step in self.path(gobject_id))

    def of(self, root: int | None, max_depth: int | None, **filters: Any) -> list[GalaxyObject]:
        return [
            found
            for found in self.everything
            if self.reached(self.path(found.gobject_id), root, max_depth)
            and self.matches(found, **filters)
        ]

    def reached(self, path: list[int], root: int | None, max_depth: int | None) -> bool:
        if root is not None and root not in path:
            return False
        depth = len(path) - 1 - (path.index(root) if root is not None else 0)
        return max_depth is None or depth <= max_depth

    def matches(
        self,
        found: GalaxyObject,
        category_ids: list[int] | None = None,
        template_chain_contains: list[str] | None = None,
        tag_name_glob: str = "*",
        alarm_bearing_only: bool = False,
        historized_only: bool = False,
    ) -> bool:
        texts = template_chain_contains
        return (
            (not category_ids or found.category_id in category_ids)
            and (not texts or any(text in t for text in texts for t in found.template_chain))
            and found.tag_name.startswith(tag_name_glob.partition("*")[0])
            and (not alarm_bearing_only or any(a.is_alarm for a in found.attributes))
            and (not historized_only or any(a.is_historized for a in found.attributes))
        )


_FILTERS = st.fixed_dictionaries(
    {},
    optional={
        "category_ids": st.lists(st.sampled_from([*ObjectCategory, 99]), max_size=3),
        "template_chain_contains": st.lists(
            st.sampled_from(["$Test", "$UserDefined", "Area", "App", "nothing"]), max_size=2
        ),
        "tag_name_glob": st.sampled_from(["Test*", "TestMachine_*", "TestMachine_002*", "X*"]),
        "alarm_bearing_only": st.booleans(),
        "historized_only": st.booleans(),
    },
)


@given(
    filters=_FILTERS,
    root=st.none() | st.sampled_from([1, 2, 4, 5, 8]),
    named=st.sampled_from(["root_gobject_id", "root_tag_name", "root_contained_path"]),
    max_depth=st.none() | st.integers(0, 4),
    page_size=st.integers(0, 4),
    with_attributes=st.booleans(),
)
def test_any_filters_in_pages_of_any_size_keep_what_the_conditions_say(
    filters: dict[str, Any],
    root: int | None,
    named: str,
    max_depth: int | None,
    page_size: int,
    with_attributes: bool,
) -> None:
    async def run() -> None:
        async with (
            SimulatedGateway(machines=3, plant=False) as gateway,
            await connecting(gateway) as galaxy,
        ):
            kept = Kept(await galaxy.discover_hierarchy())
            arguments: dict[str, Any] = {**filters, "max_depth": max_depth, "page_size": page_size}
            if root is not None:
                tags = {found.gobject_id: found.tag_name for found in kept.everything}
                arguments[named] = {
                    "root_gobject_id": root,
                    "root_tag_name": tags[root],
                    "root_contained_path": kept.spelled(root),
                }[named]
            expected = kept.of(root, max_depth, **filters)
            listed = await galaxy.discover_hierarchy(
                **arguments, include_attributes=with_attributes
            )
            assert names(listed) == names(expected)
            if with_attributes:
                assert listed == expected
            else:
                assert not any(found.attributes for found in listed)
            lazily = galaxy.iter_hierarchy(**arguments, include_attributes=with_attributes)
            assert [found async for found in lazily] == listed

    asyncio.run(run())


async def expanded(nodes: tuple[BrowseNode, ...]) -> list[GalaxyObject]:
    """The nodes and all that is below them, parents before their children."""
    found: list[GalaxyObject] = []
    for node in nodes:
        found += [node.object, *await expanded(await node.children())]
    return found


@given(filters=_FILTERS, page_size=st.integers(0, 3), machines=st.integers(0, 5))
def test_the_expanded_tree_is_what_discovery_lists(
    filters: dict[str, Any], page_size: int, machines: int
) -> None:
    async def run() -> None:
        async with (
            SimulatedGateway(machines=machines, plant=False) as gateway,
            await connecting(gateway) as galaxy,
        ):
            whole = await expanded(await galaxy.browse(page_size=page_size))
            assert whole == await galaxy.discover_hierarchy()
            # With filters, what is below an object that does not match is not reached.
            kept = Kept(whole)
            matching = {found.gobject_id for found in kept.of(None, None, **filters)}
            expected = [f for f in whole if matching.issuperset(kept.path(f.gobject_id))]
            assert expected == await expanded(await galaxy.browse(**filters, page_size=page_size))

    asyncio.run(run())


async def test_browsing_may_begin_below_any_object(galaxy: GalaxyRepositoryClient) -> None:
    path = f"TestPlant/TestArea/{MACHINE}"
    for children in (
        galaxy.browse(parent_gobject_id=5, include_attributes=False),
        galaxy.browse(parent_tag_name=MACHINE, include_attributes=False),
        galaxy.browse(parent_contained_path=path, include_attributes=False),
    ):
        (child,) = await children
        assert child.object.tag_name == "TestChildObject"
        assert child.object.contained_name == "ChildObject"
        assert not child.object.attributes
        assert repr(child) == "<BrowseNode TestChildObject>"


async def test_nodes_of_a_closed_client_say_so(gateway: SimulatedGateway) -> None:
    async with await connecting(gateway) as galaxy:
        (plant,) = await galaxy.browse()
    with pytest.raises(MxGatewaySessionClosedError, match="client was closed"):
        await plant.children()


# Arguments


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"root_gobject_id": 1, "root_tag_name": "a"}, "root_gobject_id and root_tag_name"),
        ({"root_tag_name": "a", "root_contained_path": ""}, "root_tag_name and root_contained"),
        ({"max_depth": -1}, "max_depth must not be negative"),
        ({"page_size": -5}, "page_size must not be negative"),
        ({"template_chain_contains": "$Test"}, "takes a list of texts"),
    ],
)
async def test_arguments_that_cannot_be_are_refused_at_once(
    galaxy: GalaxyRepositoryClient, arguments: dict[str, Any], said: str
) -> None:
    with pytest.raises(MxGatewayArgumentError, match=said):
        galaxy.iter_hierarchy(**arguments)
    with pytest.raises(MxGatewayArgumentError, match=said):
        await galaxy.discover_hierarchy(**arguments)
    arguments = {name.replace("root", "parent"): value for name, value in arguments.items()}
    if "max_depth" not in arguments:
        with pytest.raises(MxGatewayArgumentError, match=said.replace("root", "parent")):
            await galaxy.browse(**arguments)


async def test_a_filter_that_is_misspelled_is_a_type_error(galaxy: GalaxyRepositoryClient) -> None:
    wrong: dict[str, Any] = {"tag_name": "x"}
    with pytest.raises(TypeError, match="tag_name"):
        galaxy.iter_hierarchy(**wrong)
    with pytest.raises(TypeError, match="tag_name"):
        await galaxy.browse(**wrong)


async def test_numbers_that_do_not_fit_are_refused_before_anything_is_sent(
    galaxy: GalaxyRepositoryClient,
) -> None:
    with pytest.raises(MxGatewayArgumentError, match="nothing was sent"):
        await galaxy.discover_hierarchy(root_gobject_id=2**31)


async def test_an_object_that_is_not_deployed_is_not_found(galaxy: GalaxyRepositoryClient) -> None:
    with pytest.raises(MxGatewayNotFoundError, match="root_tag_name"):
        await galaxy.discover_hierarchy(root_tag_name="Nobody")
    with pytest.raises(MxGatewayNotFoundError, match="parent_contained_path"):
        await galaxy.browse(parent_contained_path="TestPlant/Nobody")


async def test_a_wrong_key_and_metadata_that_are_not_loaded_are_told_apart() -> None:
    async with SimulatedGateway(deployed=False, plant=False) as gateway:
        async with await GalaxyRepositoryClient.connect(
            gateway.endpoint, api_key="mxgw_other_topsecret", plaintext=True
        ) as stranger:
            with pytest.raises(MxGatewayAuthenticationError) as refused:
                await stranger.test_connection()
            assert "topsecret" not in str(refused.value)
        async with await connecting(gateway) as galaxy:
            assert await galaxy.test_connection()
            for call in (galaxy.get_last_deploy_time, galaxy.discover_hierarchy, galaxy.browse):
                with pytest.raises(MxGatewayUnavailableError) as unavailable:
                    await call()
                assert unavailable.value.transient
            await gateway.deploy()
            assert len(await galaxy.discover_hierarchy()) == 15


async def test_the_raw_forms_answer_one_page_as_it_is(galaxy: GalaxyRepositoryClient) -> None:
    page = await galaxy.discover_hierarchy_raw(DiscoverHierarchyRequest(page_size=2))
    assert (len(page.objects), page.total_object_count) == (2, 9)
    rest = await galaxy.discover_hierarchy_raw(
        DiscoverHierarchyRequest(page_token=page.next_page_token)
    )
    assert len(rest.objects) == 7
    children = await galaxy.browse_children_raw(BrowseChildrenRequest(parent_gobject_id=1))
    assert children.child_has_children == [True, False, False]
    assert (await galaxy.test_connection_raw()).ok
    time = (await galaxy.get_last_deploy_time_raw()).time_of_last_deploy
    assert time is not None
    assert time.to_datetime() == await galaxy.get_last_deploy_time()
    async with galaxy.watch_deploy_events_raw(WatchDeployEventsRequest()) as events:
        assert (await anext(events)).time_of_last_deploy == time


# Attributes


async def test_an_attribute_tells_how_to_write_it(galaxy: GalaxyRepositoryClient) -> None:
    (machine,) = await galaxy.discover_hierarchy(tag_name_glob=MACHINE)
    by_name = {attribute.attribute_name: attribute for attribute in machine.attributes}
    secured = by_name["ProtectedValue"]
    assert secured.security_classification == SecurityClassification.SECURED_WRITE
    value = to_mx_value(7, data_type=data_type_of(by_name["TestChangingInt"]))
    assert (value.data_type, value.int32_value) == (MxDataType.INTEGER, 7)


# Deploys


async def test_the_readmes_watch_loop_sees_the_present_and_each_deploy(
    gateway: SimulatedGateway, galaxy: GalaxyRepositoryClient
) -> None:
    last_seen: datetime | None = None
    events: list[DeployEvent] = []
    async with asyncio.timeout(5):
        async for event in galaxy.watch_deploy_events(last_seen_deploy_time=last_seen):
            assert isinstance(event, DeployEvent)
            assert event.time_of_last_deploy is not None
            if event.time_of_last_deploy_present:
                last_seen = event.time_of_last_deploy.ToDatetime(tzinfo=timezone.utc)
                assert last_seen == deploy_time(event) == await galaxy.get_last_deploy_time()
            events.append(event)
            if len(events) == 3:
                break
            await gateway.deploy(machines=len(events))
    assert [event.sequence for event in events] == [1, 2, 3]
    assert [event.object_count for event in events] == [9, 6, 7]
    assert len(await galaxy.discover_hierarchy()) == 7


@pytest.mark.parametrize("as_datetime", [True, False])
async def test_a_state_that_was_seen_is_left_out(
    gateway: SimulatedGateway, galaxy: GalaxyRepositoryClient, as_datetime: bool
) -> None:
    raw = (await galaxy.get_last_deploy_time_raw()).time_of_last_deploy
    assert raw is not None
    zone = timezone(timedelta(hours=5))
    seen = raw.to_datetime().astimezone(zone) if as_datetime else raw
    async with asyncio.timeout(5), galaxy.watch_deploy_events(last_seen_deploy_time=seen) as events:
        await galaxy.test_connection()  # behind the call of the stream
        await gateway.deploy()
        assert (await anext(events)).sequence == 2


async def test_a_last_seen_time_needs_a_zone(galaxy: GalaxyRepositoryClient) -> None:
    with pytest.raises(MxGatewayArgumentError, match=r"last_seen_deploy_time.*tzinfo"):
        galaxy.watch_deploy_events(last_seen_deploy_time=datetime(2026, 1, 31))
