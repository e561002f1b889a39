"""Restarts are told, slowed down and limited; who fails too often is given up."""

import threading
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.core.messages import GivenUp, Restarted
from actors.core.supervisor import ChildStatus, RestartPolicy
from actors.core.system import DeadLetterError
from tests.core.helpers import (
    HANG_S,
    PATIENCE_S,
    POLICY,
    BoomError,
    Do,
    FinalError,
    Hooks,
    Note,
    failing,
    only_in,
    raising,
    registered,
)


def policy(**changes: float) -> RestartPolicy:
    return RestartPolicy(**{**POLICY, **changes})


def test_a_first_start_is_not_told(build):
    house = build("a", "b")

    assert house.heard == {"a": [], "b": []}


def test_a_restart_is_told_to_everyone_else(build):
    house = build("a", "b", "c")

    house.tell("a", failing())

    house.wait_quiet()
    assert house.news("a") == []
    assert house.news("b") == house.news("c") == [Restarted(address="a", generation=2)]
    envelope = house.heard["b"][0].envelope
    assert (envelope.sender, envelope.sender_generation) == ("a", 2)


def test_a_restart_is_told_before_what_on_start_told(build):
    house = build(
        "a", "b", hooks={"a": Hooks(start=lambda a: a.tell("b", Note(value=a.generation)))}
    )

    house.tell("a", failing())

    house.wait_quiet()
    assert [heard.message for heard in house.heard["b"]] == [
        Note(value=1),
        Restarted(address="a", generation=2),
        Note(value=2),
    ]


def test_a_restart_whose_start_fails_is_told_by_the_life_that_became_ready(build):
    house = build("a", "b", hooks={"a": Hooks(start=only_in(2, raising(BoomError())))})

    house.tell("a", failing())

    house.wait_quiet()
    assert house.news("b") == [Restarted(address="a", generation=3)]


def test_a_restart_is_told_to_those_who_are_restarting_themselves(build):
    house = build("a", "b")
    gate = house.hold("b")
    house.tell("b", failing())

    house.tell("a", failing())
    house.ask("a")
    gate.opened.set()

    house.wait_quiet()
    assert house.news("b") == [Restarted(address="a", generation=2)]


@pytest.mark.parametrize("max_restarts", [0, 1, 3])
def test_a_child_is_given_up_at_the_first_failure_beyond_its_limit(build, max_restarts):
    house = build("a", "b", max_restarts=max_restarts)
    for _ in range(max_restarts):
        house.tell("a", failing())
    house.wait_quiet()
    assert house.child("a").status is ChildStatus.RUNNING
    assert house.child("a").restarts == max_restarts

    house.tell("a", failing(BoomError("last")))

    house.wait_quiet()
    child = house.child("a")
    assert child.status is ChildStatus.GIVEN_UP
    assert child.given_up_because == "BoomError: last"
    assert child.restarts == max_restarts
    assert child.generation == max_restarts + 1
    assert house.ask("b") == 1


def test_failed_constructors_count_towards_the_limit(build):
    house = build("a", "b", hooks={"a": Hooks(init=raising(BoomError()))}, max_restarts=2)

    assert house.child("a").status is ChildStatus.GIVEN_UP
    assert house.child("a").generation == 3
    (told,) = house.news("b")
    assert told == GivenUp(address="a", cause="BoomError: ")
    assert (told.failures, told.allowed) == (3, 2)
    assert told.crash_id == house.child("a").reports[-1].crash_id


def test_failed_starts_count_towards_the_limit(build):
    house = build("a", "b", hooks={"a": Hooks(start=raising(SystemExit()))}, max_restarts=2)

    assert house.child("a").status is ChildStatus.GIVEN_UP
    assert len(house.reports) == 3


def test_hangs_count_towards_the_limit(build):
    house = build("a", max_restarts=1, hang_s=HANG_S)

    for _ in range(2):
        house.tell("a", Do(act=house.gates.new()))

    house.wait_quiet()
    assert house.child("a").status is ChildStatus.GIVEN_UP
    assert [report.is_hang for report in house.reports] == [True, True]


def test_failures_older_than_the_window_do_not_count(build):
    house = build("a", max_restarts=2, within_s=100.0)
    for _ in range(10):
        house.tell("a", failing())
        house.tell("a", failing())
        house.wait_quiet()
        assert len(house.child("a").failures_s) == 2

        # As if 100 s had gone by.
        failures_s = house.child("a").failures_s
        failures_s.extend([failures_s.popleft() - 100.0 for _ in range(2)])

    assert house.child("a").status is ChildStatus.RUNNING
    assert house.child("a").restarts == 20


def test_failures_within_the_window_count_though_they_are_old(build):
    house = build("a", max_restarts=1, within_s=100.0)
    house.tell("a", failing())
    house.wait_quiet()
    failures_s = house.child("a").failures_s
    failures_s.append(failures_s.popleft() - 50.0)

    house.tell("a", failing())

    house.wait_quiet()
    assert house.child("a").status is ChildStatus.GIVEN_UP


def test_each_child_has_a_limit_of_its_own(build):
    house = build("a", "b", max_restarts=1)

    house.tell("a", failing())
    house.tell("b", failing())

    house.wait_quiet()
    assert [house.ask("a"), house.ask("b")] == [2, 2]


def test_the_pause_doubles_up_to_its_bound():
    plan = policy(backoff_initial_s=0.5, backoff_max_s=10.0)

    pauses_s = [plan.backoff_s(n, Random(0)) for n in range(1, 8)]

    assert pauses_s == [0.5, 1.0, 2.0, 4.0, 8.0, 10.0, 10.0]


@pytest.mark.parametrize("failures", [61, 1_100, 10_000, 10**9])
def test_the_pause_stays_bounded_after_very_many_failures(failures):
    plan = policy(backoff_initial_s=0.1, backoff_max_s=10.0)

    assert plan.backoff_s(failures, Random(0)) == 10.0


@given(
    failures=st.integers(1, 10_000),
    fraction=st.floats(0.0, 1.0),
    seed=st.integers(0, 2**32),
)
def test_jitter_stays_within_its_fraction(failures, fraction, seed):
    plain_s = policy(backoff_initial_s=0.1, backoff_max_s=10.0).backoff_s(failures, Random(0))
    plan = policy(backoff_initial_s=0.1, backoff_max_s=10.0, backoff_jitter_fraction=fraction)

    pause_s = plan.backoff_s(failures, Random(seed))

    assert plain_s * (1 - fraction) * 0.999999 <= pause_s <= plain_s * (1 + fraction) * 1.000001


def test_jitter_goes_both_ways_and_differs():
    plan = policy(backoff_initial_s=1.0, backoff_max_s=1.0, backoff_jitter_fraction=0.2)
    random = Random(7)

    pauses_s = [plan.backoff_s(1, random) for _ in range(100)]

    assert min(pauses_s) < 0.9
    assert max(pauses_s) > 1.1
    assert len(set(pauses_s)) == 100


def test_the_pause_before_a_restart_grows_with_the_failures_in_the_window(build):
    house = build("a", backoff_initial_s=0.001, backoff_max_s=600.0)
    for _ in range(3):
        house.tell("a", failing())
    house.wait_quiet()
    child = house.child("a")
    child.failures_s.extend([child.failures_s[-1]] * 20)  # as if it had failed so often

    house.tell("a", failing())
    house.wait_event("crashed")
    while len(house.reports) < 4:
        house.wait_event("crashed")
    house.supervisor.give_up("a", "worked on after the crash")

    # 24 failures: 0.001 s * 2^23 is beyond 600 s, so no restart came before the order.
    assert child.generation == 4


def test_giving_up_is_told_to_all(build):
    house = build("a", "b", "c")

    house.supervisor.give_up("a", "by order")

    house.wait_quiet()
    expected = [GivenUp(address="a", cause="by order")]
    assert house.news("b") == house.news("c") == expected
    assert house.heard["b"][0].envelope.sender == "supervisor"


def test_who_is_given_up_ends_and_nobody_answers_there_any_more(build):
    house = build("a", "b")

    house.supervisor.give_up("a", "by order")

    assert house.incarnation("a", 1).ended.wait(PATIENCE_S)
    assert not house.incarnation("a", 1).is_ours()
    assert registered() == ["Worker"]
    assert house.system.given_up == {"a"}
    with pytest.raises(DeadLetterError, match="a was given up"):
        house.ask("a")
    assert house.ask("b", Do(act=lambda actor: actor.is_given_up("a")))
    assert not house.ask("b", Do(act=lambda actor: actor.is_given_up("b")))


def test_what_waited_for_a_given_up_child_becomes_dead_letters(build):
    house = build("a", "b")
    gate = house.hold("a")
    for value in range(3):
        house.tell("a", Note(value=value))

    house.supervisor.give_up("a", "by order")

    assert house.dead_values() == [0, 1, 2]
    gate.opened.set()
    house.wait_quiet()
    assert house.values("a") == []


def test_what_a_child_works_on_when_it_is_given_up_is_a_dead_letter_and_answered(build):
    house = build("a")
    gate = house.gates.new()
    reply = []

    def ask() -> None:
        try:
            house.ask("a", Do(act=gate))
        except DeadLetterError as error:
            reply.append(str(error))

    asker = threading.Thread(target=ask, daemon=True)
    asker.start()
    gate.wait_until_entered()
    house.supervisor.give_up("a", "by order")
    asker.join(PATIENCE_S)

    assert reply == ["a was given up while it worked"]
    assert [letter.envelope.message.act for letter in list(house.system.dead_letters)[:1]] == [gate]
    assert house.system.work.count == 0


def test_what_a_given_up_life_still_tells_is_dropped(build):
    house = build("a", "b")
    gate = house.gates.new()

    def tell_late(actor):
        gate()
        actor.tell("b", Note(value="late"))

    house.tell("a", Do(act=tell_late))
    gate.wait_until_entered()
    house.supervisor.give_up("a", "by order")
    gate.opened.set()
    assert house.incarnation("a", 1).ended.wait(PATIENCE_S)

    house.wait_quiet()
    assert house.values("b") == []


def test_a_given_up_child_is_not_restarted_by_its_late_failure(build):
    house = build("a")
    gate = house.gates.new()

    def fail_late(_actor):
        gate()
        raise BoomError

    house.tell("a", Do(act=fail_late))
    gate.wait_until_entered()
    house.supervisor.give_up("a", "by order")
    gate.opened.set()
    assert house.incarnation("a", 1).ended.wait(PATIENCE_S)

    house.wait_quiet()
    assert house.child("a").generation == 1
    assert house.child("a").status is ChildStatus.GIVEN_UP


def test_a_child_can_be_given_up_while_it_waits_for_its_restart(build):
    house = build("a", "b", backoff_initial_s=600.0, backoff_max_s=600.0)
    house.tell("a", failing())
    house.wait_event("crashed")
    house.tell("a", Note(value="waits"))

    house.supervisor.give_up("a", "by order")

    house.wait_quiet()
    assert house.child("a").generation == 1
    assert house.dead_values() == ["waits"]


def test_a_child_can_be_given_up_while_it_starts(build, gates):
    gate = gates.new()
    house = build("a", "b", hooks={"a": Hooks(start=gate)}, is_started=False)
    house.start()
    gate.wait_until_entered()

    house.supervisor.give_up("a", "by order")

    house.wait_quiet()
    gate.opened.set()
    assert house.incarnation("a", 1).ended.wait(PATIENCE_S)
    assert house.child("a").status is ChildStatus.GIVEN_UP


def test_giving_up_twice_is_told_once(build):
    house = build("a", "b")

    house.supervisor.give_up("a", "one")
    house.supervisor.give_up("a", "two")

    house.wait_quiet()
    assert house.news("b") == [GivenUp(address="a", cause="one")]
    assert house.child("a").given_up_because == "one"


def test_giving_up_an_unknown_address_is_an_error_of_the_caller(build):
    house = build("a")

    with pytest.raises(KeyError):
        house.supervisor.give_up("nobody", "by order")


def test_giving_up_after_the_stop_returns_and_changes_nothing(build):
    house = build("a")
    house.supervisor.stop(PATIENCE_S)

    house.supervisor.give_up("a", "too late")

    assert house.child("a").status is ChildStatus.STOPPED


def test_a_vital_child_given_up_escalates(build):
    house = build("a", "b", vital="b", max_restarts=0)
    house.tell("a", failing())
    house.wait_quiet()
    assert not house.supervisor.escalated.is_set()

    house.tell("b", failing())

    house.wait_quiet()
    assert house.supervisor.escalated.is_set()


def test_a_life_that_ends_for_good_escalates_at_once_whosever_it_is(build):
    house = build("a", "b", vital="b")

    house.tell("a", Do(act=raising(FinalError())))

    assert house.supervisor.escalated.wait(PATIENCE_S)


def test_a_kept_child_is_told_as_given_up_once_and_goes_on_being_restarted(build):
    house = build("a", "b", kept="a", max_restarts=1)

    for _ in range(4):
        house.tell("a", failing())
    house.wait_quiet()

    child = house.child("a")
    assert child.status is ChildStatus.RUNNING
    assert child.generation == 5
    assert child.given_up_because is not None
    assert [type(m) for m in house.news("b")].count(GivenUp) == 1
    assert house.ask("a") == 5


def test_a_kept_child_that_is_given_up_by_order_loses_nothing(build):
    house = build("a", "b", kept="a")
    gate = house.hold("a")
    house.tell("a", Note(value=1))

    house.supervisor.give_up("a", "by order")
    gate.opened.set()

    house.wait_quiet()
    assert [heard.message for heard in house.heard["a"]][-1] == GivenUp(
        address="a", cause="by order"
    )
    assert Note(value=1) in [heard.message for heard in house.heard["a"]]
    assert house.child("a").generation == 1
    assert GivenUp(address="a", cause="by order") in house.news("b")


def test_only_the_newest_dead_letters_are_kept_and_all_are_counted(build):
    house = build("a", "b")
    house.supervisor.give_up("a", "by order")
    before = house.system.dead_letter_count

    for number in range(1500):
        house.tell("a", Note(value=number))

    assert house.system.dead_letter_count == before + 1500
    assert len(house.system.dead_letters) == 1000
    assert house.system.dead_letters[-1].envelope.message == Note(value=1499)


def test_a_tick_for_a_given_up_address_is_no_dead_letter(build):
    house = build("a", "b")
    house.supervisor.give_up("a", "by order")
    before = house.system.dead_letter_count

    house.tell("a", Note(value=1), latest="tick")

    house.wait_quiet()
    assert house.system.dead_letter_count == before


def test_a_restart_by_order_loses_no_message_and_counts_as_no_failure(build):
    house = build("a", "b", max_restarts=0)
    gate = house.hold("a")
    house.tell("a", Note(value="waits"))
    threading.Timer(0.0, gate.opened.set).start()

    assert house.supervisor.restart("a", PATIENCE_S)

    house.wait_quiet()
    assert house.values("a") == ["waits"]
    assert house.ask("a") == 2
    assert house.ask("b") == 1
    assert house.news("b") == [Restarted(address="a", generation=2)]
    assert house.child("a").given_up_because is None
    assert house.reports == []


def test_a_restart_by_order_takes_back_who_was_given_up(build):
    house = build("a", "b")
    house.supervisor.give_up("a", "test")
    house.tell("a", Note(value="lost"))

    assert house.supervisor.restart("a", PATIENCE_S)

    house.tell("a", Note(value="heard"))
    house.wait_quiet()
    assert house.values("a") == ["heard"]
    assert house.system.given_up == set()
    assert house.child("a").status is ChildStatus.RUNNING


def test_a_restart_by_order_of_one_that_hangs_waits_no_longer_than_told(build):
    house = build("a", "b")
    gate = house.hold("a")

    assert not house.supervisor.restart("a", 0.05)

    gate.opened.set()
    house.wait_quiet()
    assert house.ask("a") == 2


def test_a_life_that_crashes_while_it_is_asked_to_end_is_replaced_once(build):
    house = build("a", "b")
    gate = house.hold("a")
    house.tell("a", failing())
    threading.Timer(0.0, gate.opened.set).start()

    assert house.supervisor.restart("a", PATIENCE_S)

    house.wait_quiet()
    assert house.ask("a") == 2
