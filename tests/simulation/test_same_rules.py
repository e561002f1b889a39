"""A recorded market by threads, and the same again by the scheduler: equal facts."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from random import Random
from typing import Any

from actors.core.host import Host
from actors.core.trace import Handling
from bin.bootstrap.assembly import REPLAY, Place, assemble
from bin.bootstrap.run import Ports, Run
from infra.run.journals import open_fresh_journals
from infra.settings import Settings
from infra.store.journal import JournalStore
from infra.store.sqlite.connection import SqliteReading
from infra.venues.replay.lockstep import LockStep
from tests.chaos.harness.journal_view import read_journal
from tests.replay.runs import UNTRACED, finish, lively_settings, made_up_market
from tests.simulation.faults import Misfortune
from tests.simulation.plan import NONE
from tests.simulation.scheduler import Process, Scheduler, SimulatedThreads, Task
from tests.simulation.system import PlayedJournals

CANDLES = 200
SEEDS = (1, 2, 3)
ATTEMPTS = 5
"""Handlers of two threads can overlap so that what they tell arrives in an order that no order of
whole handlers gives; the facts are equal all the same."""
Order = list[tuple[str, str]]
"""Who dealt with which kind of message, one after the other."""
OpenJournals = Callable[[Settings, Path, str, Callable[[], int]], JournalStore]
"""Opens a fresh journal for settings, in a folder, of a mode, by a clock."""


def facts(folder: Path) -> dict[str, Any]:
    """Return what is stored, in its order, without numbers that depend on who came first."""
    view = read_journal(folder / "journal.sqlite")
    return {
        "executions": sorted(repr(fact) for _, fact in view.executions),
        "orders": sorted(repr(order) for order in view.orders.values()),
        "approvals": [fact for _, fact in view.approvals],
        "samples": [fact for _, fact in view.samples],
        "trades": sorted(repr(trade) for trade in view.trades),
    }


def written(folder: Path) -> dict[str, list[tuple[Any, ...]]]:
    """Return of what kind the facts of each writer are, one after the other."""
    by_writer = defaultdict(list)
    with closing(SqliteReading(folder / "journal.sqlite")) as journal:
        for row in journal.rows("SELECT * FROM fact ORDER BY id"):
            by_writer[row["writer"]].append((row["kind"], row["asset"], row["recorded_ms"]))
    return by_writer


def assembled(
    folder: Path, host: Host, open_journals: OpenJournals
) -> tuple[Run, LockStep, JournalStore]:
    """Return a replay of the market that is ready to start."""
    folder.mkdir()
    settings = lively_settings(folder, **UNTRACED)
    lockstep = LockStep(made_up_market(0, CANDLES), settings.trading_rules())
    now_ms = lockstep.clock.now_ms
    raw = open_journals(settings, folder, REPLAY, now_ms)
    calm = Misfortune(
        scheduler=Scheduler(Random(0)),
        seed="",
        chances=NONE,
        is_dead=lambda: False,
        die=lambda _where: None,
    )
    is_played = isinstance(host.concurrency, SimulatedThreads)
    journals: Any = PlayedJournals(raw, calm) if is_played else raw
    run = assemble(
        Place(settings=settings, directory=folder, mode=REPLAY, account="candle files"),
        settings.trading_rules(),
        Ports(
            feed=lockstep.feed,
            exchange=lockstep.exchange,
            clock=lockstep.clock,
            journals=journals,
        ),
        host=host,
    )
    return run, lockstep, raw


def by_threads(folder: Path) -> Order:
    """Play the replay in threads, and return in which order they took their messages."""
    taken: list[tuple[int, str, str]] = []
    host = Host(watch=lambda handling: taken.append(seen(handling)))
    run, lockstep, _ = assembled(folder, host, open_fresh_journals)
    finish(run, lockstep)
    return [(receiver, kind) for _, receiver, kind in sorted(taken)]


def by_scheduler(
    folder: Path,
    seed: int,
    choose: Callable[[Sequence[Task]], int] | None = None,
    open_journals: OpenJournals = open_fresh_journals,
) -> Order:
    """Play the replay in one thread, and return who dealt with messages, in their order."""
    scheduler, process = Scheduler(Random(seed), choose), Process()
    order: Order = [] if not isinstance(choose, Follows) else choose.done
    host = Host(
        concurrency=SimulatedThreads(scheduler, process),
        watch=lambda handling: order.append(seen(handling)[1:]),
    )
    run, lockstep, raw = assembled(folder, host, open_journals)
    raw.database.connect()
    try:
        run.start()
        for _ in lockstep.steps(lambda: is_quiet(scheduler, run)):
            pass
        stopping = scheduler.start(process, lambda: run.stop(30.0))
        step_until(scheduler, lambda: stopping.is_over)
    finally:
        process.is_dead = True
        scheduler.bury(process)
        raw.database.close()
    return order


class Follows:
    """Chooses who runs next so that messages are dealt with in an order that was recorded."""

    def __init__(self, recorded: Order) -> None:
        self.done: Order = []
        self._recorded = recorded
        self._actors = {receiver for receiver, _ in recorded}

    def __call__(self, ready: Sequence[Task]) -> int:
        """Return whose turn it is; else who is no actor, and may cause that turn."""
        names = [task.name for task in ready]
        wanted = self._recorded[len(self.done)][0] if len(self.done) < len(self._recorded) else ""
        if wanted in names:
            return names.index(wanted)
        return next((n for n, name in enumerate(names) if name not in self._actors), 0)


def seen(handling: Handling) -> tuple[int, str, str]:
    envelope = handling.envelope
    return envelope.taken_ns, envelope.receiver, type(envelope.message).__name__


def is_quiet(scheduler: Scheduler, run: Run) -> bool:
    step_until(scheduler, lambda: run.system.work.wait_quiet(0.0))
    return not run.is_to_end()


def step_until(scheduler: Scheduler, is_done: Callable[[], bool]) -> None:
    while not is_done():
        scheduler.step()


def test_a_recorded_market_gives_the_same_facts_by_threads_and_in_any_order(tmp_path: Path) -> None:
    by_threads(tmp_path / "threads")
    orders = {tuple(by_scheduler(tmp_path / str(seed), seed)) for seed in SEEDS}

    expected = facts(tmp_path / "threads")

    assert len(expected["trades"]) > 5
    assert len(orders) == len(SEEDS)
    for seed in SEEDS:
        assert facts(tmp_path / str(seed)) == expected


def test_a_run_of_threads_is_driven_again_in_its_order_with_equal_facts(tmp_path: Path) -> None:
    for attempt in range(ATTEMPTS):
        threads, again = tmp_path / f"threads{attempt}", tmp_path / f"again{attempt}"
        recorded = by_threads(threads)
        driven = by_scheduler(again, 1, Follows(recorded))
        assert facts(again) == facts(threads)
        if driven == recorded:
            break

    assert driven == recorded
    assert len(recorded) > CANDLES
    assert written(again) == written(threads)
