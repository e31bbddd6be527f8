"""Galaxies for tests: a small plant, whatever hypothesis makes up, and stores of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from hypothesis import strategies as st

from zb_mom_ww_mxgateway.galaxy import ObjectCategory, SecurityClassification
from zb_mom_ww_mxgateway_contracts.mxaccess_gateway_v1 import MxDataType
from zb_mom_ww_mxgateway_sim import ManualClock
from zb_mom_ww_mxgateway_sim.galaxy.definition import (
    AlarmDefinition,
    AttributeDefinition,
    AttributeSet,
    GalaxyDefinition,
    ObjectDefinition,
    ObjectSeries,
    Threshold,
)
from zb_mom_ww_mxgateway_sim.galaxy.live import Galaxy
from zb_mom_ww_mxgateway_sim.galaxy.loading import default_galaxy
from zb_mom_ww_mxgateway_sim.galaxy.selection import SLICE, Filters
from zb_mom_ww_mxgateway_sim.galaxy.signals import Changing
from zb_mom_ww_mxgateway_sim.galaxy.store import Store, StoredObject
from zb_mom_ww_mxgateway_sim.users import Users

BOOLEAN, INTEGER, STRING = MxDataType.BOOLEAN, MxDataType.INTEGER, MxDataType.STRING
_SECURED = SecurityClassification.SECURED_WRITE
_VERIFIED = SecurityClassification.VERIFIED_WRITE

NOTHING = AttributeSet()
MACHINE = AttributeSet(
    [
        AttributeDefinition(name="TestChangingInt", data_type=INTEGER, value=0, signal=Changing()),
        *(
            AttributeDefinition(
                name=f"TestAlarm00{n}", data_type=BOOLEAN, value=False, alarm=AlarmDefinition()
            )
            for n in (1, 2, 3)
        ),
        AttributeDefinition(
            name="ProtectedValue", data_type=BOOLEAN, value=False, security=_SECURED
        ),
        AttributeDefinition(
            name="ProtectedValue1", data_type=BOOLEAN, value=False, security=_VERIFIED
        ),
        AttributeDefinition(
            name="TestHistoryValue", data_type=INTEGER, value=0, is_historized=True
        ),
        AttributeDefinition(name="MachineCode", data_type=STRING, value="M"),
    ]
)
CHILD = AttributeSet(
    [
        AttributeDefinition(name="TestBool", data_type=BOOLEAN, value=False),
        AttributeDefinition(name="TestInt", data_type=INTEGER, value=0),
        AttributeDefinition(name="TestString", data_type=STRING, value=""),
        AttributeDefinition(
            name="TestStringArray", data_type=STRING, value=[f"Item {n}" for n in range(1, 11)]
        ),
    ]
)


def _area(tag_name: str, parent: str = "") -> ObjectDefinition:
    return ObjectDefinition(
        tag_name=tag_name,
        category=ObjectCategory.AREA,
        template_chain=("$Area",),
        attributes=NOTHING,
        parent=parent,
        host="TestEngine",
    )


#: TestPlant holds a platform, an engine and TestArea, which holds the machines; the first of these
#: contains TestChildObject.
PLANT = GalaxyDefinition(
    entries=(
        _area("TestPlant"),
        ObjectDefinition(
            tag_name="TestPlatform",
            category=ObjectCategory.PLATFORM,
            template_chain=("$WinPlatform",),
            attributes=NOTHING,
            parent="TestPlant",
        ),
        ObjectDefinition(
            tag_name="TestEngine",
            category=ObjectCategory.ENGINE,
            template_chain=("$AppEngine",),
            attributes=NOTHING,
            parent="TestPlant",
            host="TestPlatform",
        ),
        _area("TestArea", "TestPlant"),
        ObjectSeries(
            pattern=ObjectDefinition(
                tag_name="TestMachine_{n:03}",
                template_chain=("$TestMachine", "$UserDefined"),
                attributes=MACHINE,
                parent="TestArea",
                host="TestEngine",
            ),
            count=None,
        ),
        ObjectDefinition(
            tag_name="TestChildObject",
            template_chain=("$TestChildObject", "$UserDefined"),
            attributes=CHILD,
            parent="TestMachine_001",
            host="TestEngine",
            contained_name="ChildObject",
            else_parent="TestArea",
        ),
    )
)

# Any galaxy

names = st.text("abAB1_[é", min_size=1, max_size=4)
_ALARM = AttributeDefinition(name="A", data_type=BOOLEAN, value=False, alarm=AlarmDefinition())
_DRIVEN = AttributeDefinition(
    name="D",
    data_type=BOOLEAN,
    value=False,
    alarm=AlarmDefinition(threshold=Threshold(attribute="H", above=1.0)),
)
_MOVED = AttributeDefinition(
    name="M", data_type=BOOLEAN, value=False, alarm=AlarmDefinition(), signal=Changing()
)
_TRUE = AttributeDefinition(name="T", data_type=BOOLEAN, value=True, alarm=AlarmDefinition())
_HISTORY = AttributeDefinition(name="H", data_type=INTEGER, value=0, is_historized=True)
_PLAIN = AttributeDefinition(name="P.q", data_type=STRING, value="")
#: What kinds of objects have.
SETS = [
    NOTHING,
    AttributeSet([_PLAIN]),
    AttributeSet([_HISTORY, _PLAIN]),
    AttributeSet([_PLAIN, _ALARM]),
    AttributeSet([_HISTORY, _ALARM, _DRIVEN, _MOVED, _TRUE]),
]


@st.composite
def forests(draw: st.DrawFn) -> list[ObjectDefinition]:
    """Objects in any tree, each after its parent."""
    tags = draw(st.lists(names, unique_by=str.casefold, max_size=12))
    return [
        ObjectDefinition(
            tag_name=tag,
            category=draw(st.sampled_from([1, 3, 10, 13])),
            template_chain=tuple(
                draw(st.lists(st.sampled_from(["$Area", "$Test", "$testX"]), max_size=2))
            ),
            attributes=draw(st.sampled_from(SETS)),
            parent=draw(st.sampled_from(["", *tags[:number]])),
            host=draw(st.sampled_from(["", *tags])),
            contained_name=draw(st.just("") | names),
        )
        for number, tag in enumerate(tags)
    ]


def tree_order(objects: Sequence[ObjectDefinition]) -> Iterator[ObjectDefinition]:
    """Depth first; areas first among siblings, then by browse name in any case, then as defined."""

    def below(parent: str) -> Iterator[ObjectDefinition]:
        siblings = [o for o in objects if o.parent.casefold() == parent.casefold()]
        for placed in sorted(siblings, key=lambda o: (not o.is_area, o.browse_name.casefold())):
            yield placed
            yield from below(placed.tag_name)

    return below("")


def path_of(objects: Sequence[ObjectDefinition], tag_name: str) -> list[str]:
    """An object and what it stands in, from the root on."""
    parents, path = {o.tag_name: o.parent for o in objects}, list[str]()
    while tag_name:
        path.insert(0, tag_name)
        tag_name = parents[tag_name]
    return path


# Stores


def stored(
    objects: Iterable[ObjectDefinition | ObjectSeries], before: Store | None = None
) -> Store:
    """A store of these objects."""
    return Store.build(GalaxyDefinition(entries=tuple(objects)), 0, before=before)


def listed(
    store: Store,
    *,
    root: StoredObject | None = None,
    shallowest: int = 0,
    deepest: int | None = None,
    filters: Filters | None = None,
    roots: tuple[str, ...] | None = None,
) -> list[StoredObject]:
    """All of a listing, slice by slice; each slice counts what it lists."""
    listing = store.listing(
        root=root,
        shallowest=shallowest,
        deepest=deepest,
        filters=filters or Filters(),
        view=store.view(roots),
    )
    found: list[StoredObject] = []
    for span in listing.slices():
        objects = store.listed(listing, span, SLICE)
        assert store.count(listing, span) == len(objects)
        found += objects
    return found


def tags(objects: Iterable[StoredObject]) -> list[str]:
    """Their tag names."""
    return [found.tag_name for found in objects]


def made(
    tag_name: str, *, parent: str = "", host: str = "", category: int = 10
) -> ObjectDefinition:
    """An object without attributes."""
    return ObjectDefinition(
        tag_name=tag_name, attributes=NOTHING, parent=parent, host=host, category=category
    )


#: The galaxy that a simulated gateway has by itself.
DEFAULT = default_galaxy(0.4)


def live(machines: int = 1, seed: int = 0, definition: GalaxyDefinition = DEFAULT) -> Galaxy:
    """A galaxy at run time, whose time stands still."""
    store, users = Store.build(definition, machines), Users(definition)
    return Galaxy(store, users, seed=seed, clock=ManualClock(), change_interval=0.4)
