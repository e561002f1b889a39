"""A message waits, in order, through crashes; what it causes leaves once it is done."""

import threading
from random import Random

import pytest

from actors.core.concurrency import Threads
from actors.core.system import DeadLetterError, Moment
from tests.core.helpers import (
    PATIENCE_S,
    BoomError,
    Do,
    Hooks,
    Note,
    failing,
    only_in,
    raising,
    telling,
)


def test_what_waits_while_the_actor_crashes_is_handled_by_the_next_life_in_order(build):
    house = build("a")
    gate = house.gates.new()

    def hold_and_fail(_actor):
        gate()
        raise BoomError

    house.tell("a", Do(act=hold_and_fail))
    gate.wait_until_entered()
    for value in range(5):
        house.tell("a", Note(value=value))
    gate.opened.set()

    house.wait_quiet()
    assert house.values("a") == [0, 1, 2, 3, 4]
    assert {heard.generation for heard in house.heard["a"]} == {2}


def test_what_is_told_while_a_restart_is_pending_is_handled_after_it(build, gates):
    gate = gates.new()
    house = build("a", hooks={"a": Hooks(start=only_in(2, gate))})
    house.tell("a", failing())
    gate.wait_until_entered()

    house.tell("a", Note(value="during the start"))
    gate.opened.set()

    house.wait_quiet()
    assert house.values("a") == ["during the start"]


def test_what_is_told_before_the_first_start_is_handled_after_it(build):
    house = build("a", is_started=False)
    house.tell("a", Note(value="early"))

    house.start()

    house.wait_quiet()
    assert house.values("a") == ["early"]


def test_one_sender_is_heard_in_the_order_of_its_tells(build):
    house = build("a", "b")

    house.tell("b", telling("a", *range(50)))
    house.tell("b", telling("a", *range(50, 100)))

    house.wait_quiet()
    assert house.values("a") == list(range(100))


def test_two_senders_are_heard_in_the_order_in_which_they_told(build):
    house = build("a", "b", "c")
    gate = house.hold("a")
    for number in range(10):
        house.tell("bc"[number % 2], telling("a", number))
        # What it told has left once it answers.
        house.ask("bc"[number % 2])

    gate.opened.set()

    house.wait_quiet()
    assert house.values("a") == list(range(10))


def test_messages_sent_from_many_threads_are_handled_in_the_order_of_their_mailbox(build):
    house = build("a")

    def send(sender: int) -> None:
        for number in range(200):
            house.tell("a", Note(value=(sender, number)))

    senders = [threading.Thread(target=send, args=(n,), daemon=True) for n in range(6)]
    for sender in senders:
        sender.start()
    for sender in senders:
        sender.join(PATIENCE_S)

    house.wait_quiet()
    for sender in range(6):
        assert [n for s, n in house.values("a") if s == sender] == list(range(200))


@pytest.mark.parametrize("seed", range(4))
def test_each_message_is_handled_once_or_is_the_poison_of_one_crash(build, seed):
    senders, each = 6, 120
    random, lock = Random(seed), threading.Lock()

    def strike(_address: str, moment: Moment) -> None:
        with lock:
            is_hit = random.random() < (0.02 if moment is not Moment.START else 0.2)
        # Not after the tells: what crashes there has told, and is poison nevertheless.
        if is_hit and moment is not Moment.AFTER_TELLS:
            raise random.choice([BoomError, SystemExit, KeyboardInterrupt])

    house = build("a", "b", probe=strike)

    def relay(value: object) -> Do:
        return Do(act=lambda actor: actor.tell("b", Note(value=value)))

    def send(sender: int) -> None:
        for number in range(each):
            house.tell("a", relay((sender, number)))
            house.tell("b", Note(value=("direct", sender, number)))

    threads = [threading.Thread(target=send, args=(n,), daemon=True) for n in range(senders)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE_S)
    house.wait_quiet()

    dead = [letter.envelope for letter in house.system.dead_letters]
    poison = [report.poison for report in house.reports if report.poison is not None]
    assert sorted(e.message_id for e in dead) == sorted(e.message_id for e in poison)
    assert len({e.message_id for e in dead}) == len(dead)

    # A note is written down before the probe may strike, so that it can be both; once each.
    handled = house.values("b")
    assert len(set(handled)) == len(handled)
    lost_relays = sum(e.receiver == "a" and isinstance(e.message, Do) for e in dead)
    reached = {v for v in handled if len(v) == 2} | {v for v in house.dead_values() if len(v) == 2}
    assert len(reached) == senders * each - lost_relays
    for sender in range(senders):
        direct = [v for v in handled if v[:2] == ("direct", sender)]
        assert direct == sorted(direct)
        dead_too = [v for v in house.dead_values() if v[:2] == ("direct", sender)]
        assert len(set(direct) | set(dead_too)) == each


def test_what_a_handler_tells_leaves_only_after_it_returned(build):
    house = build("a", "b")
    gate = house.gates.new()

    def tell_and_wait(actor):
        actor.tell("b", Note(value="told"))
        gate()

    house.tell("a", Do(act=tell_and_wait))
    gate.wait_until_entered()
    house.ask("b")  # all that it was told is done
    assert house.values("b") == []

    gate.opened.set()
    house.wait_quiet()
    assert house.values("b") == ["told"]


def test_a_handler_that_tells_and_then_fails_tells_nothing(build):
    house = build("a", "b")

    def tell_and_fail(actor):
        actor.tell("b", Note(value="told"))
        raise BoomError

    house.tell("a", Do(act=tell_and_fail))

    house.wait_quiet()
    assert house.values("b") == []


def test_a_start_that_tells_and_then_fails_tells_nothing(build):
    def tell_and_fail(actor):
        actor.tell("b", Note(value=actor.generation))
        if actor.generation == 1:
            raise BoomError

    house = build("a", "b", hooks={"a": Hooks(start=tell_and_fail)})

    assert house.values("b") == [2]


def strike_once(at: Moment):
    strikes = [BoomError()]

    def probe(address: str, moment: Moment) -> None:
        if address == "a" and moment is at and strikes:
            raise strikes.pop()

    return probe


@pytest.mark.parametrize(
    ("moment", "told"),
    [
        (Moment.BEFORE_WORK, []),
        (Moment.AFTER_FACTS, []),
        (Moment.AFTER_TELLS, ["told"]),
    ],
)
def test_a_crash_tells_nothing_unless_it_comes_after_the_tells(build, moment, told):
    house = build("a", "b", probe=strike_once(moment))

    house.tell("a", telling("b", "told"))

    house.wait_quiet()
    assert house.values("b") == told
    assert len(house.reports) == 1
    assert house.reports[0].poison is not None


def test_what_a_message_caused_is_recorded_as_its_child(build):
    house = build("a", "b")

    def tell_b(actor):
        actor.tell("b", telling("a", "grandchild"))
        actor.tell("b", Note(value="child"))

    house.tell("a", Do(act=tell_b))

    house.wait_quiet()
    child = house.heard["b"][0].envelope
    grandchild = house.heard["a"][0].envelope
    root_id = child.parent_id
    assert child.trace_id == grandchild.trace_id == root_id
    assert grandchild.parent_id not in (None, root_id, child.message_id)
    assert grandchild.parent_id == child.message_id - 1  # told just before the child


def test_a_message_from_outside_begins_a_tree(build):
    house = build("a")

    house.tell("a", Note(value=1))
    house.tell("a", Note(value=2))

    house.wait_quiet()
    one, two = (heard.envelope for heard in house.heard["a"])
    assert (one.parent_id, two.parent_id) == (None, None)
    assert one.trace_id == one.message_id
    assert two.trace_id == two.message_id != one.trace_id


def test_a_message_that_continues_an_older_tree_takes_its_children_along(build):
    house = build("a", "b")
    origins = []
    house.ask("a", Do(act=lambda actor: origins.append(actor.origin)))
    house.ask("a", Do(act=lambda actor: actor.tell("b", Note(value="elsewhere"))))

    def continue_it(actor):
        actor.continue_trace(origins[0])
        actor.tell("b", Note(value="child"))
        return actor.origin, actor._current.parent_id, actor._current.trace_id

    origin, parent_id, trace_id = house.ask("a", Do(act=continue_it))

    house.wait_quiet()
    elsewhere, child = (heard.envelope for heard in house.heard["b"])
    assert parent_id == origins[0].message_id
    assert trace_id == child.trace_id == origins[0].trace_id
    assert child.parent_id == origin.message_id
    assert elsewhere.trace_id != origins[0].trace_id


def test_a_message_without_an_older_tree_stays_in_its_own(build):
    house = build("a")

    def continue_nothing(actor):
        before = actor.origin
        actor.continue_trace(None)
        return before == actor.origin

    assert house.ask("a", Do(act=continue_nothing))


def test_what_a_start_tells_is_caused_by_the_start_and_that_by_the_crash_before_it(build):
    house = build(
        "a", "b", hooks={"a": Hooks(start=lambda actor: actor.tell("b", Note(value="up")))}
    )
    house.tell("a", failing())

    house.wait_quiet()
    first, second = [h.envelope for h in house.heard["b"] if isinstance(h.message, Note)]
    crash = house.wait_event("crashed").origin
    assert first.trace_id == first.parent_id != first.message_id
    assert second.trace_id == crash.trace_id != first.trace_id
    assert second.parent_id > crash.message_id


def test_an_envelope_says_who_sent_it_in_which_life_and_when(build):
    ticks = iter(range(1_000_000))
    house = build("a", "b", now_ms=lambda: next(ticks))
    house.tell("a", failing())

    house.tell("a", telling("b", "told"))

    house.wait_quiet()
    told = next(h.envelope for h in house.heard["b"] if isinstance(h.message, Note))
    assert (told.sender, told.sender_generation, told.receiver) == ("a", 2, "b")
    assert 0 < told.sent_ns <= told.taken_ns
    assert told.now_ms > 0


def test_a_handler_reads_one_time_from_its_envelope(build):
    ticks = iter(range(1_000_000))
    house = build("a", now_ms=lambda: next(ticks))

    times = house.ask("a", Do(act=lambda actor: (actor.now_ms, actor.now_ms, actor._current)))

    assert times[0] == times[1] == times[2].now_ms


def test_ids_rise_and_are_never_used_twice(build):
    house = build("a", "b")
    for _ in range(20):
        house.tell("b", telling("a", "x"))

    house.wait_quiet()
    ids = [heard.envelope.message_id for heard in house.heard["a"]]
    assert ids == sorted(set(ids))


def test_the_answer_to_a_ping_means_that_all_before_it_is_done(build):
    house = build("a")
    for value in range(20):
        house.tell("a", Note(value=value))

    generation = house.ask("a")

    assert generation == 1
    assert house.values("a") == list(range(20))


def test_asking_waits_no_longer_than_its_time(build):
    house = build("a")
    house.hold("a")

    with pytest.raises(TimeoutError):
        house.system.address("a").ask(Note(value=1), sender="runtime", timeout_s=0.01)


def test_an_answer_that_nobody_waits_for_any_more_harms_nobody(build):
    house = build("a")
    gate = house.hold("a")
    with pytest.raises(TimeoutError):
        house.system.address("a").ask(Note(value="late"), sender="runtime", timeout_s=0.01)

    gate.opened.set()

    house.wait_quiet()
    assert house.values("a") == ["late"]
    assert house.reports == []


def test_handing_in_puts_a_message_at_once_from_any_thread(build):
    actors = []
    house = build("a", hooks={"a": Hooks(start=actors.append)})
    gate = house.hold("a")

    feed = threading.Thread(
        target=lambda: actors[0].hand_in(Note(value="tick"), sender="feed"), daemon=True
    )
    feed.start()
    feed.join(PATIENCE_S)

    assert house.system.address("a").mailbox.depth == 1
    gate.opened.set()
    house.wait_quiet()
    assert house.values("a") == ["tick"]
    assert house.heard["a"][0].envelope.sender == "feed"


def test_the_newest_of_a_key_wins_keeps_its_place_and_leaves_other_keys_alone(build):
    house = build("a")
    gate = house.hold("a")
    house.tell("a", Note(value="BTC 1"), latest="BTC")
    house.tell("a", Note(value="ETH 1"), latest="ETH")
    house.tell("a", Note(value="command"))
    house.tell("a", Note(value="BTC 2"), latest="BTC")

    gate.opened.set()

    house.wait_quiet()
    assert house.values("a") == ["BTC 2", "ETH 1", "command"]


def test_what_actors_tell_conflates_too(build):
    house = build("a", "b")
    gate = house.hold("a")

    def tell_marks(actor):
        for value in range(3):
            actor.tell("a", Note(value=value), latest="mark")

    house.ask("b", Do(act=tell_marks))
    gate.opened.set()

    house.wait_quiet()
    assert house.values("a") == [2]


def test_a_displaced_message_is_no_dead_letter(build):
    house = build("a")
    gate = house.hold("a")
    house.tell("a", Note(value=1), latest="mark")
    house.tell("a", Note(value=2), latest="mark")
    gate.opened.set()

    house.wait_quiet()
    assert list(house.system.dead_letters) == []


@pytest.mark.parametrize("state", ["crashed", "hung", "given up", "stopped", "no constructor"])
def test_telling_never_raises_in_the_sender(build, state):
    hooks = {"a": Hooks(init=raising(BoomError()))} if state == "no constructor" else {}
    house = build(
        "a",
        "b",
        hooks=hooks,
        is_started=False,
        backoff_initial_s=600.0,
        backoff_max_s=600.0,
        hang_s=0.2,
    )
    house.start()
    if state == "crashed":
        house.tell("a", failing())
        house.wait_event("crashed")
    elif state == "hung":
        house.hold("a")
        house.wait_event("hung")
    elif state == "given up":
        house.supervisor.give_up("a", "test")
    elif state == "stopped":
        house.supervisor.stop(PATIENCE_S)

    house.tell("a", Note(value=1))
    house.tell("a", Note(value=2), latest="mark")
    if state != "stopped":
        house.ask("b", telling("a", 3))

    assert len(house.reports) == (state in ("crashed", "hung", "no constructor"))


def test_telling_and_asking_where_nobody_answers_makes_dead_letters(build):
    house = build("a")
    house.supervisor.give_up("a", "test")

    house.tell("a", Note(value="told"))
    with pytest.raises(DeadLetterError):
        house.ask("a", Note(value="asked"))

    assert house.dead_values() == ["told", "asked"]
    assert house.system.work.count == 0


YIELDS_S = 7.5


class _Yields(Threads):
    """Stands still, and passes at once the time that an actor leaves to others."""

    def __init__(self):
        self.present_s = 1_000.0
        self.waits = 0

    def now_s(self):
        return self.present_s

    def flag(self):
        outer = self

        class Flag(threading.Event):
            def wait(self, timeout=None):
                if timeout != YIELDS_S:
                    return super().wait(timeout)
                outer.waits += 1
                outer.present_s += timeout
                return False

        return Flag()


def test_the_first_message_after_a_pause_is_left_to_wait_and_those_behind_it_are_not(build):
    def yielding(actor):
        actor.yields_s = YIELDS_S

    concurrency = _Yields()
    house = build("a", "b", hooks={"a": Hooks(start=yielding)}, concurrency=concurrency)

    for value in range(3):
        house.tell("a", Note(value=value))
        house.tell("b", Note(value=value))
        house.wait_quiet()
    assert concurrency.waits == 1

    concurrency.present_s += YIELDS_S + 0.1
    house.tell("a", Note(value=3))
    house.wait_quiet()
    assert concurrency.waits == 2
    assert house.values("a") == [0, 1, 2, 3]
