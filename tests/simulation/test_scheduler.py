"""Loops in one thread: who runs next, how time passes, and how a process dies."""

import queue
from random import Random

import pytest

from tests.simulation.scheduler import Process, Scheduler, SimulatedThreads


@pytest.fixture
def scheduler() -> Scheduler:
    return Scheduler(Random(1))


@pytest.fixture
def threads(scheduler: Scheduler) -> SimulatedThreads:
    return SimulatedThreads(scheduler, Process())


def run(scheduler: Scheduler, until_s: float) -> None:
    scheduler.call_in(until_s - scheduler.now_s(), lambda: None)
    while scheduler.now_s() < until_s:
        scheduler.step()


def test_time_passes_only_where_nobody_can_run(scheduler, threads):
    seen = []

    def loop() -> None:
        for _ in range(3):
            seen.append(scheduler.now_s())
            scheduler.sleep(60.0)

    threads.start(loop, "loop")
    run(scheduler, 300.0)

    assert seen == [0.0, 60.0, 120.0]


def test_a_wait_that_is_shorter_than_the_clock_can_tell_ends_all_the_same(scheduler, threads):
    waits = []

    def loop() -> None:
        inbox = threads.queue()
        while len(waits) < 3:
            with pytest.raises(queue.Empty):
                inbox.get(timeout=1e-9)
            waits.append(scheduler.now_s())

    task = threads.start(loop, "loop")
    run(scheduler, 1.0)

    assert task.is_over
    assert waits == sorted(set(waits))


def test_an_item_wakes_who_waits_for_it_before_its_time_is_over(scheduler, threads):
    inbox, got = threads.queue(), []
    threads.start(lambda: got.append((inbox.get(timeout=10.0), scheduler.now_s())), "loop")
    scheduler.call_in(2.0, lambda: inbox.put("item"))

    run(scheduler, 20.0)

    assert got == [("item", 2.0)]


def test_equal_seeds_give_equal_orders_and_others_give_others():
    def order(seed: int) -> list[str]:
        scheduler, found = Scheduler(Random(seed)), []
        threads = SimulatedThreads(scheduler, Process())

        def loop(name: str) -> None:
            for _ in range(5):
                found.append(name)
                scheduler.pause()

        for name in "abc":
            threads.start(lambda name=name: loop(name), name)
        run(scheduler, 1.0)
        return found

    assert order(1) == order(1)
    assert len({tuple(order(seed)) for seed in range(5)}) > 1


def test_a_process_that_died_lets_go_of_all_its_loops_and_runs_none_again(scheduler):
    process = Process()
    threads, ends = SimulatedThreads(scheduler, process), []

    def loop(name: str) -> None:
        try:
            scheduler.sleep(1000.0)
        finally:
            ends.append(name)

    tasks = [threads.start(lambda name=name: loop(name), name) for name in "ab"]
    run(scheduler, 1.0)
    process.is_dead = True
    scheduler.bury(process)

    assert sorted(ends) == ["a", "b"]
    assert all(task.is_over and task.error is None for task in tasks)


def test_a_flag_and_a_condition_let_go_of_who_waits_for_them(scheduler, threads):
    flag, condition, state, ends = threads.flag(), threads.condition(), [], []
    threads.start(lambda: ends.append(flag.wait(5.0)), "flag")
    threads.start(lambda: ends.append(condition.wait_for(lambda: bool(state), 5.0)), "condition")
    threads.start(lambda: ends.append(threads.flag().wait(1.0)), "late")

    def happen() -> None:
        state.append(1)
        flag.set()
        condition.notify_all()

    scheduler.call_in(2.0, happen)
    run(scheduler, 10.0)

    assert ends == [False, True, True]
