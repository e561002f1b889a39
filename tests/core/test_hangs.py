"""An actor that hangs is abandoned and replaced; when it wakes up it can do no harm."""

import threading
from dataclasses import replace

import pytest

from actors.core.supervisor import ChildStatus
from actors.core.system import DeadLetterError
from infra.venues.replay.subscribers import Subscribers
from tests.core.helpers import HANG_S, PATIENCE_S, BoomError, Do, Hooks, Note, only_in, registered


def test_a_handler_that_hangs_is_replaced_and_its_message_quarantined(build):
    house = build("a", "b", hang_s=HANG_S)
    gate = house.hold("a")
    house.tell("a", Note(value="waits"))

    report = house.wait_event("hung")

    house.wait_quiet()
    assert house.values("a") == ["waits"]
    assert (house.ask("a"), house.ask("b")) == (2, 1)
    assert report.is_hang
    assert report.poison.message.act is gate
    assert report.cause.startswith("worked on one message for 0.")
    assert report.cause.endswith(f"{HANG_S} s are allowed")
    assert [letter.envelope for letter in house.system.dead_letters] == [report.poison]


def test_a_start_that_hangs_is_replaced(build, gates):
    gate = gates.new()

    house = build(
        "a", "b", hooks={"a": Hooks(start=only_in(1, gate))}, start_s=HANG_S, hang_s=HANG_S
    )

    assert (house.ask("a"), house.ask("b")) == (2, 1)
    assert house.reports[0].is_hang
    assert house.reports[0].poison is None
    assert house.reports[0].cause.startswith("worked on its start for 0.")


def test_a_start_may_take_longer_than_a_message(build, gates):
    gate = gates.new()
    house = build(
        "a", "b", hooks={"a": Hooks(start=gate)}, is_started=False, start_s=60.0, hang_s=HANG_S
    )
    house.start()
    gate.wait_until_entered()

    # Proof that the time of a message has passed: the supervisor saw another one hang meanwhile.
    house.hold("b")
    house.wait_event("hung")
    gate.opened.set()

    house.wait_quiet()
    assert house.ask("a") == 1
    assert [report.address for report in house.reports] == ["b"]


def test_an_actor_that_waits_for_messages_does_not_hang(build):
    house = build("a", "b", hang_s=HANG_S)
    house.tell("a", Note(value=1))

    house.hold("b")
    house.wait_event("hung")

    assert house.ask("a") == 1


def test_who_asked_a_hung_actor_gets_an_answer(build):
    house = build("a", hang_s=HANG_S)

    with pytest.raises(DeadLetterError, match="worked on one message"):
        house.ask("a", Do(act=house.gates.new()))


def test_an_abandoned_life_that_wakes_up_takes_no_message_and_ends_by_itself(build):
    house = build("a", hang_s=HANG_S)
    gate = house.hold("a")
    house.wait_event("hung")
    house.wait_quiet()
    successor = house.hold("a")
    house.tell("a", Note(value="for the successor"))

    gate.opened.set()
    assert house.incarnation("a", 1).ended.wait(PATIENCE_S)
    assert house.values("a") == []
    successor.opened.set()

    house.wait_quiet()
    assert [(h.generation, h.message.value) for h in house.heard["a"]] == [(2, "for the successor")]
    assert registered() == ["Worker"]


def test_an_abandoned_life_that_wakes_up_takes_no_stop_of_its_successor(build):
    house = build("a", hang_s=HANG_S)
    gate = house.hold("a")
    house.wait_event("hung")
    house.wait_quiet()
    successor = house.hold("a")
    house.tell("a", Note(value="before the stop"))
    house.child("a").ref.stop(block=False)

    gate.opened.set()
    assert house.incarnation("a", 1).ended.wait(PATIENCE_S)
    assert not house.incarnation("a", 2).ended.is_set()
    successor.opened.set()

    assert house.incarnation("a", 2).ended.wait(PATIENCE_S)
    assert house.values("a") == ["before the stop"]


def test_what_an_abandoned_life_tells_is_dropped(build):
    house = build("a", "b", hang_s=HANG_S)
    gate = house.gates.new()

    def tell_around_a_hang(actor):
        actor.tell("b", Note(value="before"))
        gate()
        actor.tell("b", Note(value="after"))

    house.tell("a", Do(act=tell_around_a_hang))
    house.wait_event("hung")
    gate.opened.set()
    assert house.incarnation("a", 1).ended.wait(PATIENCE_S)

    house.wait_quiet()
    assert house.values("b") == []


def test_what_an_abandoned_start_tells_is_dropped_its_restart_included(build, gates):
    gate = gates.new()

    def start(actor):
        actor.tell("b", Note(value=actor.generation))
        if actor.generation == 2:
            gate()

    house = build("a", "b", hooks={"a": Hooks(start=start)}, start_s=HANG_S, hang_s=HANG_S)
    house.tell("a", Do(act=lambda actor: actor.stop()))
    house.wait_event("hung")
    house.wait_quiet()
    gate.opened.set()
    assert house.incarnation("a", 2).ended.wait(PATIENCE_S)

    house.wait_quiet()
    assert house.values("b") == [1, 3]
    assert [event.generation for event in house.news("b")] == [3]


def test_an_abandoned_start_that_returns_makes_nobody_ready(build, gates):
    first, second = gates.new(), gates.new()
    house = build(
        "a",
        hooks={"a": Hooks(start=lambda a: (first if a.generation == 1 else second)())},
        is_started=False,
        start_s=HANG_S,
        hang_s=HANG_S,
        backoff_initial_s=600.0,
        backoff_max_s=600.0,
    )
    house.start()
    house.wait_event("hung")

    first.opened.set()
    assert house.incarnation("a", 1).ended.wait(PATIENCE_S)
    house.supervisor.give_up("a", "what it told the supervisor is worked on before this")

    assert house.child("a").status is ChildStatus.GIVEN_UP
    assert len(house.incarnations) == 1


@pytest.mark.parametrize("error", [BoomError, SystemExit])
def test_the_late_failure_of_an_abandoned_life_is_ignored(build, error):
    house = build("a", hang_s=HANG_S)
    gate = house.gates.new()

    def hang_and_fail(_actor):
        gate()
        raise error

    house.tell("a", Do(act=hang_and_fail))
    house.wait_event("hung")
    house.wait_quiet()
    gate.opened.set()
    assert house.incarnation("a", 1).ended.wait(PATIENCE_S)

    assert house.ask("a") == 2
    assert len(house.reports) == 1
    assert len(house.system.dead_letters) == 1
    assert house.child("a").restarts == 1


def test_the_address_is_no_longer_ours_once_a_life_was_abandoned(build):
    house = build("a", hang_s=HANG_S)
    gate, found = house.gates.new(), []

    def look(actor):
        found.append(actor.incarnation.is_ours())
        gate()
        found.append(actor.incarnation.is_ours())

    house.tell("a", Do(act=look))
    house.wait_event("hung")
    gate.opened.set()
    assert house.incarnation("a", 1).ended.wait(PATIENCE_S)

    assert found == [True, False]
    assert house.ask("a", Do(act=lambda actor: actor.incarnation.is_ours()))


def test_an_abandoned_life_lets_go_when_it_wakes_up(build):
    released = []
    house = build(
        "a",
        hooks={"a": Hooks(release=lambda a: released.append(a.generation))},
        hang_s=HANG_S,
    )
    gate = house.hold("a")
    house.wait_event("hung")
    house.wait_quiet()
    assert released == []

    gate.opened.set()
    assert house.incarnation("a", 1).ended.wait(PATIENCE_S)

    assert released == [1]


def test_an_abandoned_start_that_goes_on_takes_no_place_from_its_successor(build, gates):
    gate, places = gates.new(), Subscribers()

    def start(actor):
        if actor.generation == 1:
            gate()
        actor.hold_if_ours(lambda: places.add("news", actor.generation))

    house = build("a", hooks={"a": Hooks(start=start)}, start_s=HANG_S, hang_s=HANG_S)
    assert places.get("news") == 2
    gate.opened.set()
    assert house.incarnation("a", 1).ended.wait(PATIENCE_S)

    assert places.get("news") == 2
    assert (house.ask("a"), len(house.reports)) == (2, 1)


def test_a_place_is_left_at_the_end_of_a_life(build):
    places = Subscribers()

    def start(actor):
        actor.hold_if_ours(lambda: places.add("news", actor.generation))

    house = build("a", hooks={"a": Hooks(start=start)})
    assert places.get("news") == 1
    house.close()

    assert places.get("news") is None


def test_a_chain_of_hangs_is_replaced_each_time(build, gates):
    house = build("a", hang_s=HANG_S)
    messages = [Do(act=gates.new()) for _ in range(3)]
    for message in messages:
        house.tell("a", message)
    house.tell("a", Note(value="at last"))

    house.wait_quiet()
    assert house.values("a") == ["at last"]
    assert [report.poison.message for report in house.reports] == messages


def test_a_message_begun_after_a_long_one_ended_is_innocent(build):
    house = build("a", hang_s=60.0)
    gate = house.hold("a")
    incarnation = house.incarnation("a", 1)
    began_s = incarnation.busy_since_s
    house.tell("a", Note(value="innocent"))
    gate.opened.set()
    house.wait_quiet()

    # As if the supervisor had looked at the clock just before the long one ended.
    house.supervisor._abandon(incarnation, began_s, 60.0)

    assert incarnation.is_ours()
    assert house.ask("a") == 1


def test_many_may_hang_at_once(build):
    names = [f"w{n}" for n in range(20)]
    house = build(*names, hang_s=HANG_S)
    gates = [house.gates.new() for _ in names]
    for name, gate in zip(names, gates, strict=True):
        house.tell(name, Do(act=gate))
        house.tell(name, Note(value=name))

    house.wait_quiet()
    assert [house.values(name) for name in names] == [[name] for name in names]
    assert threading.active_count() > 2 * len(names)


def test_a_loop_without_end_is_ended_where_it_may_be(build):
    def loop():
        while True:
            try:
                sum(range(100))
            except Exception:  # noqa: BLE001 (as careless loops do)
                continue

    house = build("a", hang_s=HANG_S, is_started=False)
    house.specs[0] = replace(house.specs[0], may_end_in=loop)
    house.start()
    house.tell("a", Do(act=lambda _actor: loop()))

    assert house.wait_event("hung").is_hang
    assert house.incarnation("a", 1).ended.wait(PATIENCE_S)

    house.wait_quiet()
    assert house.ask("a") == 2
    assert [report.is_hang for report in house.reports] == [True]


def test_who_hangs_elsewhere_is_left_to_itself(build):
    house = build("a", hang_s=HANG_S, is_started=False)
    house.specs[0] = replace(house.specs[0], may_end_in=registered)
    house.start()
    gate = house.hold("a")
    house.wait_event("hung")
    house.wait_quiet()
    ended_before = house.incarnation("a", 1).ended.is_set()

    gate.opened.set()

    assert not ended_before
    assert house.incarnation("a", 1).ended.wait(PATIENCE_S)
    assert house.ask("a") == 2
