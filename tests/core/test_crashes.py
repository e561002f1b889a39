"""A failure of any kind ends one incarnation of one actor, and nothing else."""

import threading
import traceback
from collections.abc import Callable
from itertools import count

import pykka
import pytest

from actors.core.actor import whose_thread
from actors.core.concurrency import Loop, Threads
from actors.core.supervisor import ChildStatus
from actors.core.system import ActorCrashedError, Moment
from tests.core.helpers import (
    HANG_S,
    PATIENCE_S,
    BoomError,
    Do,
    Hooks,
    Note,
    Worker,
    failing,
    only_in,
    raising,
    registered,
)

ANY_ERROR = [BoomError, SystemExit, KeyboardInterrupt, GeneratorExit, BaseException, MemoryError]


class MuteError(Exception):
    """Cannot say what it is."""

    def __str__(self) -> str:
        raise BoomError


def assert_only_a_was_replaced(house, generation: int = 2) -> None:
    assert house.ask("a") == generation
    assert house.ask("b") == 1
    assert house.ask("c") == 1
    house.wait_quiet()
    assert house.child("a").status is ChildStatus.RUNNING
    for incarnation in house.incarnations:
        if incarnation.address.name == "a" and incarnation.generation < generation:
            assert incarnation.ended.wait(PATIENCE_S)
    assert registered() == ["Worker", "Worker", "Worker"]


@pytest.mark.parametrize("error", ANY_ERROR)
def test_a_failure_under_tell_replaces_that_actor_alone(build, error):
    house = build("a", "b", "c")

    house.tell("a", failing(error("why")))

    house.wait_quiet()
    assert_only_a_was_replaced(house)
    assert house.reports[0].cause == f"{error.__name__}: why"


@pytest.mark.parametrize("error", ANY_ERROR)
def test_a_failure_under_ask_tells_the_asker_and_replaces_the_actor(build, error):
    house = build("a", "b", "c")

    with pytest.raises(ActorCrashedError, match="why"):
        house.ask("a", failing(error("why")))

    house.wait_quiet()
    assert_only_a_was_replaced(house)


@pytest.mark.parametrize("error", ANY_ERROR)
def test_a_failure_in_on_start_replaces_that_actor_alone(build, error):
    house = build("a", "b", "c", hooks={"a": Hooks(start=only_in(1, raising(error("why"))))})

    assert_only_a_was_replaced(house)
    assert house.reports[0].cause == f"{error.__name__}: why"
    assert house.reports[0].poison is None


@pytest.mark.parametrize("error", ANY_ERROR)
def test_a_failure_in_the_restart_replaces_that_actor_again(build, error):
    house = build("a", "b", "c", hooks={"a": Hooks(start=only_in(2, raising(error("why"))))})

    house.tell("a", failing())

    house.wait_quiet()
    assert_only_a_was_replaced(house, generation=3)


@pytest.mark.parametrize("error", ANY_ERROR)
def test_a_failure_in_the_constructor_at_first_start_is_that_actors_alone(build, error):
    house = build("a", "b", "c", hooks={"a": Hooks(init=only_in(1, raising(error("why"))))})

    assert_only_a_was_replaced(house)
    assert house.reports[0].cause == f"{error.__name__}: why"


@pytest.mark.parametrize("error", ANY_ERROR)
def test_a_failure_in_the_constructor_at_a_restart_leaves_the_supervisor_alive(build, error):
    house = build("a", "b", "c", hooks={"a": Hooks(init=only_in(2, raising(error("why"))))})

    house.tell("a", failing())

    house.wait_quiet()
    assert_only_a_was_replaced(house, generation=3)


@pytest.mark.parametrize("error", ANY_ERROR)
def test_a_failure_in_release_is_the_end_of_that_actor_alone(build, error):
    house = build("a", "b", "c", hooks={"a": Hooks(release=only_in(1, raising(error("why"))))})

    house.tell("a", failing())

    house.wait_quiet()
    assert_only_a_was_replaced(house)


@pytest.mark.parametrize("error", ANY_ERROR)
def test_a_failure_in_release_after_a_failed_start_is_found_too(build, error):
    hooks = Hooks(start=only_in(1, raising(BoomError())), release=only_in(1, raising(error("why"))))

    house = build("a", "b", "c", hooks={"a": hooks})

    assert_only_a_was_replaced(house)


@pytest.mark.parametrize("error", ANY_ERROR)
def test_a_failure_in_release_at_the_orderly_stop_stops_no_other_actor_early(build, error):
    gate_of_b = threading.Event()
    house = build("a", "b", "c", hooks={"c": Hooks(release=raising(error("why")))})
    house.tell("b", Do(act=lambda _actor: gate_of_b.wait(PATIENCE_S)))
    house.tell("b", Note(value="queued"))
    gate_of_b.set()

    late = house.supervisor.stop(PATIENCE_S)

    assert late == []
    assert house.values("b") == ["queued"]


def test_a_failure_that_cannot_say_its_text_is_reported_by_its_type(build):
    house = build("a", "b", "c")

    house.tell("a", failing(MuteError()))

    house.wait_quiet()
    assert_only_a_was_replaced(house)
    assert house.reports[0].cause == "MuteError"


@pytest.mark.parametrize("moment", list(Moment))
@pytest.mark.parametrize("error", [BoomError, SystemExit])
def test_a_failure_at_any_moment_of_the_work_replaces_that_actor_alone(build, moment, error):
    strikes = [error()]

    def probe(address: str, at: Moment) -> None:
        if address == "a" and at is moment and strikes:
            raise strikes.pop()

    house = build("a", "b", "c", probe=probe)
    house.tell("a", Note(value=1))

    house.wait_quiet()
    assert_only_a_was_replaced(house)


@pytest.mark.parametrize("failing_tick", [1, 2])
def test_a_failing_trading_clock_is_a_crash_like_any_other(build, failing_tick):
    ticks = count(1)

    def now_ms() -> int:
        tick = next(ticks)
        if tick == failing_tick:
            raise BoomError
        return tick

    house = build("a", now_ms=now_ms)  # on_start reads it once, each message once
    house.tell("a", Note(value=1))

    house.wait_quiet()
    assert house.ask("a") == 2
    assert [report.cause for report in house.reports] == ["BoomError: "]


def test_no_half_changed_state_survives_a_crash(build):
    house = build("a")

    def change_half(actor):
        actor.state.append("half")
        raise BoomError

    with pytest.raises(ActorCrashedError):
        house.ask("a", Do(act=change_half))

    assert house.ask("a", Do(act=lambda actor: actor.state)) == []


def test_a_crash_report_names_life_cause_and_poison(build):
    house = build("a")
    poison = failing(BoomError("why"))

    house.tell("a", failing())
    house.tell("a", poison)

    house.wait_quiet()
    report = house.reports[1]
    assert (report.address, report.generation, report.is_hang) == ("a", 2, False)
    assert report.cause == "BoomError: why"
    assert "raise BoomError" in report.details
    assert report.poison.message is poison
    assert list(house.child("a").reports) == house.reports


def test_the_message_that_crashed_an_actor_is_quarantined_not_delivered_again(build):
    house = build("a")
    tries = []

    def fail(actor):
        tries.append(actor.generation)
        raise BoomError("why")

    house.tell("a", Do(act=fail))

    house.wait_quiet()
    assert tries == [1]
    assert [letter.cause for letter in house.system.dead_letters] == ["BoomError: why"]


def test_release_runs_once_at_a_crash_and_once_at_the_stop(build):
    released = []
    house = build("a", hooks={"a": Hooks(release=lambda actor: released.append(actor.generation))})

    house.tell("a", failing())
    house.wait_quiet()
    house.supervisor.stop(PATIENCE_S)

    assert released == [1, 2]


def test_release_is_done_before_the_next_life_starts(build):
    order = []
    hooks = Hooks(
        start=lambda actor: order.append(f"start {actor.generation}"),
        release=lambda actor: order.append(f"release {actor.generation}"),
    )
    house = build("a", hooks={"a": hooks})

    house.tell("a", failing())

    house.wait_quiet()
    assert order == ["start 1", "release 1", "start 2"]


def test_a_release_that_hangs_after_a_crash_is_replaced_and_keeps_its_poison(build, gates):
    gate = gates.new()
    house = build("a", hooks={"a": Hooks(release=only_in(1, gate))}, hang_s=HANG_S)
    poison = failing()

    house.tell("a", poison)
    house.tell("a", Note(value="after"))

    house.wait_quiet()
    assert house.values("a") == ["after"]
    assert [letter.envelope.message for letter in house.system.dead_letters] == [poison]


def test_an_actor_that_stops_itself_is_replaced(build):
    house = build("a", "b", "c", hang_s=HANG_S)

    house.tell("a", Do(act=lambda actor: actor.stop()))
    house.wait_event("crashed")

    assert_only_a_was_replaced(house)
    assert house.reports[0].cause == "ended without being asked to"


def test_it_is_not_quiet_while_an_actor_that_stopped_itself_waits_for_its_restart(build):
    house = build("a", hang_s=HANG_S, backoff_initial_s=600.0, backoff_max_s=600.0)

    house.tell("a", Do(act=lambda actor: actor.stop()))
    house.wait_event("crashed")

    assert not house.system.work.wait_quiet(0.0)
    house.supervisor.give_up("a", "enough")
    house.wait_quiet()


def test_actors_stopped_behind_the_supervisors_back_are_replaced(build):
    house = build("a", "b", "c", hang_s=HANG_S)

    pykka.ActorRegistry.stop_all()
    for _ in range(3):
        house.wait_event("crashed")

    assert [house.ask(name) for name in "abc"] == [2, 2, 2]


class FewThreads(Threads):
    """Stands for a machine that has no more threads for an actor, at first."""

    left = 2

    def start(self, run: Callable[[], None], name: str) -> Loop:
        if name == "a" and self.left:
            self.left -= 1
            raise RuntimeError("can't start new thread")
        return super().start(run, name)


def test_an_actor_that_finds_no_thread_is_started_again_and_leaves_no_zombie(build):
    house = build("a", "b", "c", concurrency=FewThreads())

    assert house.ask("a") == 3
    assert registered() == ["Worker", "Worker", "Worker"]
    assert [report.cause for report in house.reports] == [
        "RuntimeError: can't start new thread"
    ] * 2


def test_a_listener_that_fails_keeps_no_child_from_its_restart(build):
    house = build("a", "b", "c", vital="b", max_restarts=1)
    house.on_event = lambda _what, _report: raising(BoomError())(None)

    house.tell("a", failing())
    house.wait_quiet()
    assert_only_a_was_replaced(house)

    house.tell("b", failing())
    house.tell("b", failing())
    house.wait_quiet()
    assert house.child("b").status is ChildStatus.GIVEN_UP
    assert house.supervisor.escalated.is_set()


def test_a_message_that_no_handler_knows_is_a_crash(build):
    class Silent(Worker):
        def handle(self, message):
            return super(Worker, self).handle(message)

    house = build("a", "b", classes={"a": Silent})

    with pytest.raises(ActorCrashedError, match="NotImplementedError"):
        house.ask("a", Note(value=1))
    house.wait_quiet()


def test_a_thread_knows_for_whom_and_on_what_it_works(build):
    house = build("a")

    whose, trace_id = house.ask("a", Do(act=lambda a: (whose_thread(), a.origin.trace_id)))

    assert whose == ("a", trace_id)
    assert whose_thread() is None


def test_between_two_messages_a_thread_works_on_nothing(build):
    origins = []
    house = build("a", hooks={"a": Hooks(release=lambda actor: origins.append(actor.origin))})
    house.tell("a", Note(value=1))

    house.supervisor.stop(PATIENCE_S)

    assert origins == [None]


def test_a_cause_is_told_with_its_own_cause(build):
    house = build("a")

    def chain(_actor):
        try:
            raising(BoomError("deep"))(None)
        except BoomError as error:
            raise ValueError("shallow") from error

    house.tell("a", Do(act=chain))

    house.wait_quiet()
    assert "deep" in house.reports[0].details
    assert traceback.format_exception_only(ValueError("shallow"))[0] in house.reports[0].details


class Held:
    """Notes when it is closed, and may fail at it."""

    def __init__(self, name, closed, error=None):
        self.name, self.closed, self.error = name, closed, error

    def close(self):
        self.closed.append(self.name)
        if self.error is not None:
            raise self.error


@pytest.mark.parametrize("error", [None, BoomError("close"), SystemExit(3)])
def test_what_an_actor_holds_is_closed_newest_first_at_its_crash(build, error):
    closed = []

    def take_hold(actor):
        actor.hold(Held(f"first {actor.generation}", closed))
        actor.hold(Held(f"second {actor.generation}", closed, error))

    house = build("a", "b", hooks={"a": Hooks(start=take_hold)})

    house.tell("a", failing())

    house.wait_quiet()
    assert closed == ["second 1", "first 1"]
    assert house.ask("a") == 2
    assert house.ask("b") == 1


def test_what_an_actor_holds_is_closed_at_its_stop(build):
    closed = []
    house = build("a", hooks={"a": Hooks(start=lambda actor: actor.hold(Held("it", closed)))})

    house.supervisor.stop(PATIENCE_S)

    assert closed == ["it"]
