"""The stop is orderly where it can be, and bounded in time where it cannot."""

import threading

import pytest

from actors.core.supervisor import ChildStatus
from tests.core.helpers import (
    HANG_S,
    PATIENCE_S,
    BoomError,
    Do,
    Hooks,
    Note,
    failing,
    only_in,
    raising,
    registered,
)

SOON_S = 0.4
"""Time to stop, in tests where something does not."""


def test_children_stop_in_reverse_order_each_after_the_one_before_has_ended(build):
    order = []
    release = Hooks(release=lambda actor: order.append(actor.name))
    house = build("a", "b", "c", hooks=dict.fromkeys("abc", release))

    late = house.supervisor.stop(PATIENCE_S)

    assert late == []
    assert order == ["c", "b", "a"]
    assert {child.status for child in house.supervisor.children()} == {ChildStatus.STOPPED}
    assert registered() == []


def test_all_that_was_queued_before_the_stop_is_handled(build):
    house = build("a", "b")
    gate = house.gates.new()
    for name in "ab":
        house.tell(name, Do(act=gate))
        for value in range(50):
            house.tell(name, Note(value=value))
    stopper = threading.Thread(target=house.supervisor.stop, args=(PATIENCE_S,), daemon=True)
    stopper.start()
    gate.opened.set()
    stopper.join(PATIENCE_S)

    assert house.values("a") == house.values("b") == list(range(50))


def test_what_a_later_child_tells_at_the_end_is_handled_by_an_earlier_one(build):
    house = build("a", "b")
    gate = house.gates.new()

    def tell_late(actor):
        gate()
        actor.tell("a", Note(value="at the end"))

    house.tell("b", Do(act=tell_late))
    gate.wait_until_entered()
    stopper = threading.Thread(target=house.supervisor.stop, args=(PATIENCE_S,), daemon=True)
    stopper.start()
    gate.opened.set()
    stopper.join(PATIENCE_S)

    assert house.values("a") == ["at the end"]


def test_a_hung_child_is_reported_as_late_and_no_other(build):
    house = build("a", "b", "c")
    house.hold("c")

    late = house.supervisor.stop(SOON_S)

    assert late == ["c"]
    assert registered() == ["Worker"]


def test_a_hung_child_leaves_the_others_time_to_finish(build):
    released = []
    release = Hooks(release=lambda actor: released.append(actor.name))
    house = build("a", "b", "c", hooks=dict.fromkeys("ab", release))
    house.hold("c")
    for value in range(100):
        house.tell("b", Note(value=value))

    late = house.supervisor.stop(SOON_S)

    assert late == ["c"]
    assert sorted(released) == ["a", "b"]
    assert house.values("b") == list(range(100))


def test_a_child_that_ended_too_late_may_do_nothing_any_more(build):
    house = build("a", "b")
    gate = house.gates.new()

    def tell_late(actor):
        gate()
        actor.tell("a", Note(value="late"))

    house.tell("b", Do(act=tell_late))
    gate.wait_until_entered()
    assert house.supervisor.stop(SOON_S) == ["b"]
    incarnation = house.incarnation("b", 1)

    assert not incarnation.is_ours()
    gate.opened.set()
    assert incarnation.ended.wait(PATIENCE_S)
    assert house.system.address("a").mailbox.depth == 0


def test_a_child_that_waits_for_its_restart_is_not_started_any_more(build):
    house = build("a", "b", backoff_initial_s=600.0, backoff_max_s=600.0)
    house.tell("a", failing())
    house.wait_event("crashed")

    late = house.supervisor.stop(PATIENCE_S)

    assert late == []
    assert house.child("a").generation == 1
    assert house.child("a").status is ChildStatus.STOPPED


def test_a_child_whose_constructor_failed_delays_no_stop(build):
    house = build(
        "a",
        "b",
        hooks={"a": Hooks(init=raising(BoomError()))},
        is_started=False,
        backoff_initial_s=600.0,
        backoff_max_s=600.0,
    )
    house.start()

    assert house.supervisor.stop(PATIENCE_S) == []


def test_a_child_that_has_just_started_is_stopped_too(build):
    for _ in range(20):
        released = []
        release = Hooks(release=lambda actor, released=released: released.append(actor.name))
        house = build("a", "b", "c", hooks=dict.fromkeys("abc", release), is_started=False)
        house.start()

        assert house.supervisor.stop(PATIENCE_S) == []

        assert released == ["c", "b", "a"]
        assert registered() == []


def test_a_child_that_is_still_starting_is_stopped_after_its_start(build, gates):
    gate = gates.new()
    house = build("a", hooks={"a": Hooks(start=gate)}, is_started=False)
    house.start()
    gate.wait_until_entered()
    stopped = []
    stopper = threading.Thread(
        target=lambda: stopped.append(house.supervisor.stop(PATIENCE_S)), daemon=True
    )
    stopper.start()
    gate.opened.set()
    stopper.join(PATIENCE_S)

    assert stopped == [[]]
    assert registered() == []


def test_a_start_that_hangs_is_reported_as_late(build, gates):
    gate = gates.new()
    house = build("a", "b", hooks={"a": Hooks(start=gate)}, is_started=False)
    house.start()
    gate.wait_until_entered()

    assert house.supervisor.stop(SOON_S) == ["a"]


def test_a_given_up_child_is_still_known_as_given_up_after_the_stop(build):
    house = build("a", "b")
    house.supervisor.give_up("a", "by order")

    house.supervisor.stop(PATIENCE_S)

    assert house.child("a").status is ChildStatus.GIVEN_UP


def test_a_crash_during_the_stop_is_a_dead_letter_and_starts_nobody(build):
    house = build("a")
    gate = house.hold("a")
    poison = failing()
    house.tell("a", poison)
    stopper = threading.Thread(target=house.supervisor.stop, args=(PATIENCE_S,), daemon=True)
    stopper.start()
    house.supervisor._loop.join(PATIENCE_S)
    gate.opened.set()
    stopper.join(PATIENCE_S)

    assert [letter.envelope.message for letter in house.system.dead_letters] == [poison]
    assert house.child("a").generation == 1
    assert house.system.work.count == 0


def test_an_order_to_give_up_that_comes_during_the_stop_changes_nothing(build):
    house = build("a")
    gate = house.hold("a")
    stopper = threading.Thread(target=house.supervisor.stop, args=(PATIENCE_S,), daemon=True)
    stopper.start()
    house.supervisor._loop.join(PATIENCE_S)

    house.supervisor.give_up("a", "too late")
    gate.opened.set()
    stopper.join(PATIENCE_S)

    assert house.child("a").status is ChildStatus.STOPPED
    assert house.system.given_up == set()


def test_stopping_twice_is_quick_and_stops_nobody(build):
    house = build("a")
    house.supervisor.stop(PATIENCE_S)

    assert house.supervisor.stop(PATIENCE_S) == []


def test_stopping_what_never_started_returns(build):
    house = build("a", is_started=False)

    assert house.supervisor.stop(PATIENCE_S) == []


def test_the_supervisors_thread_ends_with_the_stop(build):
    house = build("a")

    house.supervisor.stop(PATIENCE_S)

    assert not house.supervisor._loop.is_alive()


def test_a_constructor_that_hangs_keeps_no_stop_from_its_end(build, gates):
    gate = gates.new()
    house = build("a", "b", hooks={"a": Hooks(init=only_in(2, gate))})
    house.tell("a", failing())
    gate.wait_until_entered()  # the supervisor itself stands there now

    late = house.supervisor.stop(SOON_S)

    assert late == ["a"]
    gate.opened.set()
    house.supervisor._loop.join(PATIENCE_S)
    assert not house.supervisor._loop.is_alive()


def test_no_thread_of_ours_keeps_the_process_alive(build):
    house = build("a", "b", hang_s=HANG_S)
    house.hold("a")
    house.wait_event("hung")
    house.wait_quiet()

    threads = [t for t in threading.enumerate() if t.name in ("a", "b", "supervisor")]

    assert len(threads) >= 4  # two of "a", one of "b", the supervisor's
    assert all(thread.daemon for thread in threads)


def test_nothing_is_left_running_after_the_stop(build):
    before = set(threading.enumerate())
    house = build("a", "b")
    house.tell("a", failing())
    house.wait_quiet()

    house.supervisor.stop(PATIENCE_S)

    for thread in set(threading.enumerate()) - before:
        thread.join(PATIENCE_S)
        assert not thread.is_alive()


@pytest.mark.parametrize("error", [BoomError, SystemExit])
def test_a_release_that_fails_at_the_stop_is_no_lateness(build, error):
    house = build("a", "b", hooks={"a": Hooks(release=raising(error()))})

    assert house.supervisor.stop(PATIENCE_S) == []
    assert house.reports == []
