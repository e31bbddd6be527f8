"""Tag subtrees: what a key that is narrowed to some may browse, read and write."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from grpclib.const import Status
from hypothesis import given, strategies as st

from zb_mom_ww_mxgateway import MxGatewayArgumentError
from zb_mom_ww_mxgateway_sim.auth.access import EVERYTHING, Access, AccessDenied, Tree

#: Numbers of objects; each is below one with a lower number, or a root.
PARENTS = st.lists(st.integers(0, 6), min_size=1, max_size=12)
NAMES = st.integers(0, 14).map("Object_{}".format)
ROOTS = st.lists(NAMES, max_size=3).map(tuple)
ACTS = st.sampled_from(["browse", "read", "write"])


class Objects:
    """Objects under each other; an attribute of one is behind a point."""

    def __init__(self, parents: list[int]) -> None:
        numbered = enumerate(parents)
        self.parents = {
            f"Object_{number}": f"Object_{parent}" if parent < number else None
            for number, parent in numbered
        }

    def above(self, name: str) -> list[str]:
        """The object itself and those that it is below."""
        found: list[str] = []
        at: str | None = name
        while at is not None and at in self.parents:
            found.append(at)
            at = self.parents[at]
        return found

    def within(self, reference_or_tag_name: str, roots: tuple[str, ...]) -> bool:
        return not set(self.above(reference_or_tag_name.partition(".")[0])).isdisjoint(roots)


def required(access: Access, act: str) -> Callable[[Tree, str], None]:
    return {
        "browse": access.require_browse,
        "read": access.require_read,
        "write": access.require_write,
    }[act]


def allowed(access: Access, act: str) -> Callable[[Tree, str], bool]:
    return {"browse": access.may_browse, "read": access.may_read, "write": access.may_write}[act]


@given(parents=PARENTS, roots=ROOTS, name=NAMES, act=ACTS)
def test_a_subtree_is_its_object_and_all_below_it_and_each_act_has_its_own(
    parents: list[int], roots: tuple[str, ...], name: str, act: str
) -> None:
    """Row: a key may be narrowed to tag subtrees for browse, read, write."""
    tree = Objects(parents)
    access = Access.of(**{act: list(roots)})
    inside = any(above in roots for above in tree.above(name))
    for reference in (name, f"{name}.Attribute"):
        assert allowed(access, act)(tree, reference) is inside
        if not inside:
            with pytest.raises(AccessDenied):
                required(access, act)(tree, reference)
        else:
            required(access, act)(tree, reference)
    for other in {"browse", "read", "write"} - {act}:
        assert allowed(access, other)(tree, name)


@given(parents=PARENTS, name=NAMES, act=ACTS)
def test_a_key_that_is_not_narrowed_may_everything_and_one_with_no_subtree_nothing(
    parents: list[int], name: str, act: str
) -> None:
    tree = Objects(parents)
    required(EVERYTHING, act)(tree, name)
    nothing = Access(browse=(), read=(), write=())
    with pytest.raises(AccessDenied, match="narrowed to nothing") as caught:
        required(nothing, act)(tree, name)
    assert caught.value.status is Status.PERMISSION_DENIED
    assert caught.value.message == caught.value.text


@given(roots=ROOTS, name=NAMES)
def test_a_refusal_does_not_tell_whether_there_is_such_a_thing(
    roots: tuple[str, ...], name: str
) -> None:
    """D: what names no object is in no subtree."""
    access = Access(read=tuple(root for root in roots if root != name))
    reference = f"{name}.Attribute"
    texts: list[str] = []
    for tree in (Objects(list(range(15))), Objects([])):  # everything is a root, and there is none
        with pytest.raises(AccessDenied) as caught:
            access.require_read(tree, reference)
        texts.append(caught.value.text)
    assert texts[0] == texts[1]
    assert reference in texts[0]


@given(names=st.lists(NAMES, min_size=1, max_size=200), length=st.integers(1, 100_000))
def test_a_refusal_says_what_was_asked_and_where_the_key_may_and_stays_short(
    names: list[str], length: int
) -> None:
    with pytest.raises(AccessDenied) as caught:
        Access(write=tuple(names)).require_write(Objects([]), "x" * length)
    text = caught.value.text
    assert "may not write 'x" in text
    assert names[0] in text
    assert len(text) < 400


def test_one_name_is_not_taken_for_a_list_of_letters() -> None:
    with pytest.raises(TypeError, match=r"as in \['TestArea'\]"):
        Access.of(read="TestArea")


@pytest.mark.parametrize("name", ["", " ", "Tank_01.Level", "Tank_01."])
@pytest.mark.parametrize("part", ["browse", "read", "write"])
def test_a_key_is_narrowed_to_objects_and_not_to_attributes(part, name):
    for make in (Access.of, Access):
        with pytest.raises(MxGatewayArgumentError, match="no tag name") as caught:
            make(**{part: ("Tank_01", name)})
        assert ("give the object, 'Tank_01'" in str(caught.value)) is name.startswith("Tank_01")
