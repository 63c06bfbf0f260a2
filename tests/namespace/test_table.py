"""What is bound on what: the rules of bind(2) and of the original's cmount, case by case."""

from __future__ import annotations

import pytest

from netrelay.errors import UsageError
from netrelay.namespace import Namespace, Order
from netrelay.namespace.table import Found
from netrelay.types import Spot, Tree


def found(space: Namespace, *names: str) -> Found:
    """What names lead to."""
    there = space.table.find(names, space.known)
    assert there is not None
    return there


def members(space: Namespace, names: tuple[str, ...]) -> list[str]:
    """What is mounted there."""
    there = found(space, *names)
    return [f"{each.spot}{' -c' if each.create else ''}" for each in there.members]


@pytest.fixture
def space() -> Namespace:
    """Two stacks, and two servers' trees."""
    made = Namespace.of_stacks("alt")
    made.mount("tcp!gw2!9fs", "/n/gw2")
    made.mount("unix!/srv/files", "/n/files", create=True)
    return made


def test_a_bind_replaces_unless_it_is_told_where(space: Namespace) -> None:
    space.bind("/n/gw2/net", "/net")
    assert members(space, ("net",)) == ["#M0/net"]
    space.bind("#I1", "/net")
    assert members(space, ("net",)) == ["#I1"]


def test_the_first_before_or_after_joins_what_is_there(space: Namespace) -> None:
    space.bind("/n/gw2/net", "/net", Order.AFTER)
    assert members(space, ("net",)) == ["#I0", "#M0/net"]
    space.bind("#I1", "/net", Order.BEFORE)
    assert members(space, ("net",)) == ["#I1", "#I0", "#M0/net"]
    space.bind("#I1", "/empty", Order.AFTER)
    assert members(space, ("empty",)) == ["#//empty", "#I1"]


def test_a_bind_goes_to_the_directory_and_not_to_what_is_on_it(space: Namespace) -> None:
    """Two names of one directory have the same things mounted on them."""
    space.bind("#I1/tcp", "#I0/tcp", Order.AFTER)
    assert members(space, ("net", "tcp")) == ["#I0/tcp", "#I1/tcp"]
    space.bind("#I0", "/other")
    assert members(space, ("other", "tcp")) == ["#I0/tcp", "#I1/tcp"]


def test_a_union_is_copied_as_it_is(space: Namespace) -> None:
    space.bind("/n/gw2/net", "/net", Order.AFTER)
    space.bind("/net", "/both")
    space.bind("#I1", "/net", Order.AFTER)
    assert members(space, ("both",)) == ["#I0", "#M0/net"]


def test_files_are_made_where_c_says(space: Namespace) -> None:
    assert members(space, ("n", "files")) == ["#M1 -c"]
    space.bind("/n/files", "/net", Order.AFTER, create=True)
    assert members(space, ("net",)) == ["#I0", "#M1 -c"]
    space.bind("/n/files", "/plain", Order.AFTER)
    assert members(space, ("plain",)) == ["#//plain", "#M1"]


def test_a_true_union_is_not_created_in(space: Namespace) -> None:
    space.bind("/n/files", "/net", Order.AFTER, create=True)
    with pytest.raises(UsageError, match="inconsistent mount"):
        space.bind("/net", "/both", create=True)
    with pytest.raises(UsageError, match="inconsistent mount"):
        space.bind("/n/gw2", "/both", create=True)
    space.bind("/n/files", "/both", create=True)


@pytest.mark.parametrize(
    ("new", "old", "order"),
    [
        ("/net/cs", "/net/tcp", Order.REPLACE),
        ("/net/tcp", "/net/cs", Order.REPLACE),
        ("/net/cs", "/net/dns", Order.AFTER),
        ("/net/cs", "/net/dns", Order.BEFORE),
        ("/net/tcp/0/ctl", "/net/tcp/1", Order.REPLACE),
    ],
)
def test_files_and_directories_do_not_mix(
    space: Namespace, new: str, old: str, order: Order
) -> None:
    with pytest.raises(UsageError, match=f"bind {new} {old}: inconsistent mount"):
        space.bind(new, old, order)


def test_a_file_may_stand_for_another(space: Namespace) -> None:
    space.bind("/net.alt/cs", "/net/cs")
    assert members(space, ("net", "cs")) == ["#I1/cs"]


def test_the_first_member_that_has_a_name_is_taken(space: Namespace) -> None:
    """Directories of the same name are never merged (NET-TREE 5.6)."""
    space.bind("/n/gw2/net", "/net", Order.AFTER)
    assert str(found(space, "net", "tcp").spot) == "#I0/tcp"
    assert str(found(space, "net", "nothing").spot) == "#M0/net/nothing"


def test_one_member_is_taken_away_or_all(space: Namespace) -> None:
    space.bind("/n/gw2/net", "/net", Order.AFTER)
    space.unmount("/net", "#I0")
    assert members(space, ("net",)) == ["#M0/net"]
    space.unmount("/net", "/n/gw2/net")
    assert members(space, ("net",)) == []
    space.unmount("/n/gw2", "tcp!gw2!564")
    with pytest.raises(UsageError, match="unmount /n/gw2: not mounted"):
        space.unmount("/n/gw2")


def test_what_is_not_there_is_not_unmounted(space: Namespace) -> None:
    space.bind("/n/gw2/net", "/net", Order.AFTER)
    with pytest.raises(UsageError, match="not in union"):
        space.unmount("/net", "#I1")
    with pytest.raises(UsageError, match="not mounted"):
        space.unmount("/net/tcp")
    with pytest.raises(UsageError, match="file does not exist"):
        space.unmount("/nowhere")


def test_what_is_mounted_on_is_made_in_the_root_alone(space: Namespace) -> None:
    space.bind("#I1", "/n/a/b")
    assert ("n", "a") in space.config.directories
    with pytest.raises(UsageError, match="file does not exist"):
        space.bind("#I1", "/net/a")
    with pytest.raises(UsageError, match="file does not exist"):
        space.bind("/n/c", "/n/d")


def test_a_refused_operation_changes_nothing(space: Namespace) -> None:
    def seen() -> tuple[object, ...]:
        return space.config, space.sessions, space.lines()

    before = seen()
    with pytest.raises(UsageError, match="file does not exist"):
        space.mount("tcp!gw3!9fs", "/net/nowhere")
    with pytest.raises(UsageError, match="inconsistent mount"):
        space.bind("/net/cs", "/nowhere")
    assert seen() == before


def test_mounts_of_one_tree_are_one_session(space: Namespace) -> None:
    space.mount("tcp!gw2!564", "/n/again")
    space.mount("tcp!gw2!9fs", "/n/other", aname="/net.alt")
    assert members(space, ("n", "again")) == ["#M0"]
    assert members(space, ("n", "other")) == ["#M2"]


def test_an_interface_is_a_directory_of_the_first_stack(space: Namespace) -> None:
    space.bind("#l0", "/wire")
    assert members(space, ("wire",)) == ["#I0/ether0"]


@pytest.mark.parametrize("device", ["#", "#Q", "#I-1", "#Ix", "#s/boot"])
def test_other_devices_are_not_known(space: Namespace, device: str) -> None:
    with pytest.raises(UsageError, match="unknown device"):
        space.bind(device, "/x")


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("ether0", True),
        ("ether12/7/type", False),
        ("ether0/addr", False),
        ("ether0/0/ctl", False),
        ("ipifc/0/snoop", False),
        ("tcp/1048575", True),
        ("tcp/1048576", None),
        ("tcp/01", None),
        ("tcp/0/snoop", None),
        ("tcp/addr", None),
        ("tcp/0/ctl/x", None),
        ("ether0/0/status", None),
        ("ether00", None),
        ("cs/x", None),
        ("nothing", None),
    ],
)
def test_what_a_stack_can_have_is_known(path: str, kind: bool | None) -> None:
    known, spot = Namespace().known, Spot(Tree("I"), tuple(path.split("/")))
    assert known.there(spot) == (kind is not None)
    if kind is not None:
        assert known.directory(spot) is kind
