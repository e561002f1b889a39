"""Quiet means that nothing is on its way: waiting, at hand, about to be told, or restarting."""

import threading

from hypothesis import given, settings
from hypothesis import strategies as st

from actors.core.supervisor import ChildStatus
from actors.core.work import WorkCounter
from tests.core.helpers import (
    HANG_S,
    PATIENCE_S,
    BoomError,
    Do,
    Gates,
    Hooks,
    House,
    Note,
    failing,
    only_in,
    raising,
    telling,
)


def test_a_new_counter_is_quiet():
    assert WorkCounter().wait_quiet(0.0)


def test_waiting_for_quiet_ends_with_its_time():
    work = WorkCounter()
    work.add()

    assert not work.wait_quiet(0.001)


def test_quiet_comes_with_the_last_of_several_and_not_before():
    work = WorkCounter()
    work.add(2)
    work.add()
    work.done()
    assert not work.wait_quiet(0.0)

    work.done(2)

    assert work.wait_quiet(0.0)
    assert work.count == 0


def test_who_waits_for_quiet_is_woken_by_it():
    work = WorkCounter()
    work.add()
    waiting, answers = threading.Event(), []

    def wait() -> None:
        waiting.set()
        answers.append(work.wait_quiet(PATIENCE_S))

    waiters = [threading.Thread(target=wait, daemon=True) for _ in range(3)]
    for waiter in waiters:
        waiter.start()
    assert waiting.wait(PATIENCE_S)
    work.done()

    for waiter in waiters:
        waiter.join(PATIENCE_S)
    assert answers == [True, True, True]


def test_it_is_not_quiet_while_a_handler_works_though_every_mailbox_is_empty(build):
    house = build("a")
    gate = house.hold("a")

    assert house.system.address("a").mailbox.depth == 0
    assert not house.system.work.wait_quiet(0.0)

    gate.opened.set()
    house.wait_quiet()


def test_it_is_not_quiet_before_a_first_start_has_returned(build, gates):
    gate = gates.new()
    house = build("a", hooks={"a": Hooks(start=gate)}, is_started=False)
    house.start()
    gate.wait_until_entered()

    assert not house.system.work.wait_quiet(0.0)

    gate.opened.set()
    house.wait_quiet()


def test_quiet_means_that_a_chain_of_tells_has_come_to_its_end(build):
    house = build("a", "b", "c")

    def pass_on(left: int) -> Do:
        def act(actor):
            receiver = "b" if actor.name == "a" else "a"
            actor.tell(receiver, pass_on(left - 1) if left else Note(value="end"))

        return Do(act=act)

    for number in range(30):
        house.tell("a", pass_on(number))
        house.wait_quiet()
        assert house.values("a").count("end") + house.values("b").count("end") == number + 1


def test_it_is_not_quiet_while_a_restart_is_pending(build):
    house = build("a", backoff_initial_s=600.0, backoff_max_s=600.0)

    house.tell("a", failing())
    house.wait_event("crashed")

    assert house.system.work.count == 1
    house.supervisor.give_up("a", "enough")
    house.wait_quiet()


def test_the_credit_of_a_crash_is_kept_until_the_next_start_has_returned(build, gates):
    gate = gates.new()
    house = build("a", hooks={"a": Hooks(start=only_in(2, gate))})
    house.tell("a", failing())
    gate.wait_until_entered()

    assert house.system.work.count == 1

    gate.opened.set()
    house.wait_quiet()


def test_the_credit_of_a_hang_is_kept_until_the_next_start_has_returned(build, gates):
    gate = gates.new()
    house = build("a", hooks={"a": Hooks(start=only_in(2, gate))}, hang_s=HANG_S)
    house.hold("a")
    gate.wait_until_entered()

    assert house.system.work.count == 1

    gate.opened.set()
    house.wait_quiet()
    assert not house.incarnation("a", 1).ended.is_set()


def test_an_abandoned_life_that_wakes_up_gives_no_credit_back_a_second_time(build):
    house = build("a", hang_s=HANG_S)
    gate = house.hold("a")
    house.wait_event("hung")
    house.wait_quiet()

    gate.opened.set()
    assert house.incarnation("a", 1).ended.wait(PATIENCE_S)

    assert house.system.work.count == 0


def test_several_failed_starts_give_their_credit_back_once(build):
    tries = iter([BoomError(), BoomError(), BoomError()])

    def start(_actor):
        error = next(tries, None)
        if error is not None:
            raise error

    house = build("a", hooks={"a": Hooks(start=start)})

    assert house.child("a").generation == 4
    assert house.system.work.count == 0


def test_a_failed_constructor_gives_its_credit_back_once(build):
    house = build("a", hooks={"a": Hooks(init=only_in(1, raising(BoomError())))})

    assert house.child("a").status is ChildStatus.RUNNING
    assert house.system.work.count == 0


def test_a_displaced_message_gives_its_credit_back(build):
    house = build("a")
    gate = house.hold("a")
    for value in range(5):
        house.tell("a", Note(value=value), latest="mark")

    assert house.system.work.count == 2  # the one at hand and the newest

    gate.opened.set()
    house.wait_quiet()
    assert house.values("a") == [4]


def test_a_message_counts_until_what_its_handler_told_was_put(build):
    house = build("a", "b")
    counts = []

    class Key(str):
        """Looks at the count while its message is put."""

        __slots__ = ()

        def __hash__(self) -> int:
            counts.append(house.system.work.count)
            return super().__hash__()

    house.ask("a", Do(act=lambda actor: actor.tell("b", Note(value=1), latest=Key("key"))))

    assert counts[0] == 2  # the message at hand and the one that is being put


def test_a_dead_letter_gives_its_credit_back(build):
    house = build("a")
    house.supervisor.give_up("a", "test")

    house.tell("a", Note(value=1))
    house.tell("a", Note(value=2), latest="mark")

    assert house.system.work.count == 0


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["a", "b"]),
        st.sampled_from(["note", "latest", "crash", "exit", "tell", "tell and crash"]),
    ),
    max_size=12,
)


@settings(max_examples=40)
@given(steps=STEPS)
def test_any_mix_of_tells_crashes_and_conflation_ends_at_zero(steps):
    house = House(
        ("a", "b"),
        hooks={},
        classes={},
        vital=None,
        probe=None,
        now_ms=lambda: 0,
        policy={},
        gates=Gates(),
    )
    house.start()

    def tell_and_crash(actor):
        actor.tell("b", Note(value="never"))
        raise BoomError

    makes = {
        "note": lambda: Note(value="note"),
        "crash": failing,
        "exit": lambda: failing(SystemExit()),
        "tell": lambda: telling("b", "told"),
        "tell and crash": lambda: Do(act=tell_and_crash),
    }
    for address, kind in steps:
        if kind == "latest":
            house.tell(address, Note(value="latest"), latest="mark")
        else:
            house.tell(address, makes[kind]())

    house.wait_quiet()
    assert house.system.work.count == 0
    assert "never" not in house.values("b")
    crashes = sum(kind in ("crash", "exit", "tell and crash") for _, kind in steps)
    assert len(house.reports) == crashes
    house.close()
