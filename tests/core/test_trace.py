"""Every message is recorded once, with what became of it."""

from collections import Counter

import pytest

from actors.core.calls import noted
from actors.core.messages import Start
from actors.core.trace import Handling, Outcome
from tests.core.helpers import HANG_S, Do, Note, Worker, failing, telling


@pytest.fixture
def recorded(build):
    def start(*names, **options):
        house = build(*names, is_started=False, **options)
        taken: list[Handling] = []
        house.system._record = taken.append
        house.start()
        house.wait_quiet()
        taken.clear()
        return house, taken

    return start


def outcomes(taken):
    return [
        (type(h.envelope.message).__name__, str(h.outcome))
        for h in taken
        if not isinstance(h.envelope.message, Start)
    ]


def test_what_is_done_is_recorded_with_what_it_told(recorded):
    house, taken = recorded("a", "b")

    house.tell("a", telling("b", 1, 2))
    house.wait_quiet()

    first = taken[0]
    assert outcomes(taken) == [("Do", "done"), ("Note", "done"), ("Note", "done")]
    assert [told.message.value for told in first.told] == [1, 2]
    assert first.envelope.sent_ns <= first.envelope.taken_ns <= first.done_ns
    assert [h.envelope.parent_id for h in taken[1:]] == [first.envelope.message_id] * 2


def test_a_crash_is_recorded_once_and_causes_the_start_after_it(recorded):
    house, taken = recorded("a")

    house.tell("a", failing())
    house.wait_quiet()

    crash, start = taken
    assert (crash.outcome, crash.raised.cause) == (Outcome.CRASHED, "BoomError: boom")
    assert "Traceback" in crash.raised.details
    assert (type(start.envelope.message), start.outcome) == (Start, Outcome.DONE)
    assert start.envelope.parent_id == crash.envelope.message_id
    report = house.wait_event("crashed")
    assert report.crash_id == str(crash.envelope.message_id)


def test_a_crash_tells_nothing_and_so_records_nothing_told(recorded):
    house, taken = recorded("a", "b")

    def tell_and_fail(actor: Worker) -> None:
        actor.tell("b", Note(value="half"))
        raise ValueError

    house.tell("a", Do(act=tell_and_fail))
    house.wait_quiet()

    assert taken[0].told == []


def test_a_message_that_a_newer_one_displaced_is_recorded_as_conflated(recorded):
    house, taken = recorded("a")
    gate = house.hold("a")
    for value in range(3):
        house.tell("a", Note(value=value), latest="price")

    gate.opened.set()
    house.wait_quiet()

    assert Counter(outcome for _, outcome in outcomes(taken)) == {"conflated": 2, "done": 2}
    assert all(h.envelope.is_tick for h in taken if h.outcome is Outcome.CONFLATED)


def test_mail_of_an_address_that_was_given_up_is_recorded_as_dead_letters(recorded):
    house, taken = recorded("a", "b")
    house.supervisor.give_up("a", "test")

    house.tell("a", Note(value=1))
    house.wait_quiet()

    assert ("Note", "dead letter") in outcomes(taken)


def test_a_hang_is_recorded_once_and_what_the_sleeper_tells_is_fenced(recorded):
    house, taken = recorded("a", "b", hang_s=HANG_S)
    gate = house.gates.new()

    def hang(actor: Worker) -> None:
        actor.tell("b", Note(value="late"))
        gate()

    house.tell("a", Do(act=hang))
    house.wait_event("hung")
    house.wait_quiet()
    gate.opened.set()
    assert house.incarnation("a", 1).ended.wait(20)

    assert Counter(outcomes(taken))[("Do", "hung")] == 1
    assert ("Do", "done") not in outcomes(taken)
    assert ("Note", "fenced") in outcomes(taken)


def test_calls_of_ports_are_noted_with_their_answers_and_failures(recorded):
    house, taken = recorded("a")

    class Shop:
        def price(self, name):
            if name == "gold":
                raise KeyError(name)
            return 7

    shop = noted(Shop(), "shop")

    def ask(_actor: Worker) -> None:
        shop.price("salt")
        with pytest.raises(KeyError):
            shop.price("gold")

    house.tell("a", Do(act=ask))
    house.wait_quiet()

    salt, gold = taken[0].calls
    assert (salt.port, salt.method, salt.arguments, salt.result) == ("shop", "price", ("salt",), 7)
    assert gold.raised.kind is KeyError
    assert shop.price("salt") == 7  # nobody is at work: nothing is noted
    assert len(taken[0].calls) == 2
