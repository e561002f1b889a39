"""Children come and go while the others live on."""

from dataclasses import replace

from actors.core.supervisor import ChildSpec
from tests.core.helpers import HANG_S, PATIENCE_S, Do, Hooks, House, Note, Worker, telling


def spec_of(house: House, address: str) -> ChildSpec:
    house.heard.setdefault(address, [])
    return ChildSpec(address=address, actor=Worker, arguments={"house": house, "hooks": Hooks()})


def add(house: House, address: str) -> None:
    assert house.supervisor.add([spec_of(house, address)], PATIENCE_S)


def test_a_child_that_is_added_hears_what_waits_and_the_others_live_on(build):
    house = build("a")
    house.tell("b", Note(value=1))

    add(house, "b")

    house.wait_quiet()
    assert house.values("b") == [1]
    assert (house.child("a").generation, house.news("a")) == (1, [])


def test_a_child_that_is_added_is_restarted_like_any_other(build):
    house = build("a")
    add(house, "b")

    house.tell("b", Do(act=lambda _: 1 / 0))

    house.wait_quiet()
    assert house.child("b").generation == 2


def test_a_child_that_is_removed_does_first_what_waits_for_it(build):
    house = build("a", "b")
    gate = house.hold("b")
    house.tell("b", Note(value=1))
    house.tell("b", Do(act=lambda _: gate.opened.set()))
    gate.opened.set()

    assert house.supervisor.remove("b", PATIENCE_S)

    house.wait_quiet()
    assert house.values("b") == [1]
    assert [child.spec.address for child in house.supervisor.children()] == ["a"]


def test_nobody_answers_where_a_child_was_removed(build):
    house = build("a", "b")
    assert house.supervisor.remove("b", PATIENCE_S)

    house.tell("a", telling("b", 2))

    house.wait_quiet()
    assert house.dead_values() == [2]
    assert house.system.dead_letters[0].cause == "b was removed"
    assert [address.name for address in house.system.addresses()] == ["a"]


def test_a_restart_is_not_told_to_whom_was_removed(build):
    house = build("a", "b")
    assert house.supervisor.remove("b", PATIENCE_S)

    assert house.supervisor.restart("a", PATIENCE_S)

    house.wait_quiet()
    assert house.system.dead_letter_count == 0


def test_a_child_that_comes_back_has_a_higher_generation_than_any_before(build):
    house = build("a", "b")
    assert house.supervisor.remove("b", PATIENCE_S)

    add(house, "b")
    house.tell("b", Note(value=3))

    house.wait_quiet()
    assert house.values("b") == [3]
    assert house.child("b").generation == 2


def test_a_child_that_hangs_is_removed_all_the_same(build):
    house = build("a", "b", hang_s=HANG_S)
    house.hold("b")

    assert house.supervisor.remove("b", PATIENCE_S)

    house.wait_quiet()
    assert [child.spec.address for child in house.supervisor.children()] == ["a"]


def test_a_child_that_was_given_up_can_be_removed(build):
    house = build("a", "b")
    house.supervisor.give_up("b", "by a test")

    assert house.supervisor.remove("b", PATIENCE_S)

    assert house.system.given_up == set()


def test_what_a_child_is_made_with_counts_from_its_next_life_on(build):
    house, born = build("a"), []
    changed = replace(
        house.child("a").spec,
        arguments={"house": house, "hooks": Hooks(init=lambda a: born.append(a.generation))},
    )

    house.supervisor.revise([changed])
    house.wait_quiet()
    before = list(born)
    assert house.supervisor.restart("a", PATIENCE_S)

    assert (before, born) == ([], [2])
