"""A recorded market by threads, and the same again by the scheduler: equal facts."""

from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

from actors.core.host import Host
from bin.bootstrap.assembly import REPLAY, Place, assemble
from bin.bootstrap.run import Ports, Run
from infra.run.journals import open_fresh_journals
from infra.venues.replay.lockstep import LockStep
from tests.chaos.harness.journal_view import read_journal
from tests.replay.runs import UNTRACED, lively_settings, made_up_market, replay
from tests.simulation.faults import Misfortune
from tests.simulation.plan import NONE
from tests.simulation.scheduler import Process, Scheduler, SimulatedThreads
from tests.simulation.system import PlayedJournals

CANDLES = 200
SEEDS = (1, 2, 3)


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


def by_scheduler(folder: Path, seed: int) -> tuple[str, ...]:
    """Play the replay in one thread, and return who dealt with messages, in their order."""
    folder.mkdir()
    settings = lively_settings(folder, **UNTRACED)
    scheduler, process = Scheduler(Random(seed)), Process()
    order: list[str] = []
    lockstep = LockStep(made_up_market(0, CANDLES), settings.trading_rules())
    now_ms = lockstep.clock.now_ms
    raw = open_fresh_journals(settings, folder, REPLAY, now_ms)
    calm = Misfortune(
        scheduler=scheduler, seed="", chances=NONE, is_dead=lambda: False, die=lambda _where: None
    )
    journals: Any = PlayedJournals(raw, calm)
    run = assemble(
        Place(settings=settings, directory=folder, mode=REPLAY, account="candle files"),
        settings.trading_rules(),
        Ports(
            feed=lockstep.feed,
            exchange=lockstep.exchange,
            clock=lockstep.clock,
            journals=journals,
        ),
        host=Host(
            concurrency=SimulatedThreads(scheduler, process),
            watch=lambda handling: order.append(handling.envelope.receiver),
        ),
    )
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
    return tuple(order)


def is_quiet(scheduler: Scheduler, run: Run) -> bool:
    step_until(scheduler, lambda: run.system.work.wait_quiet(0.0))
    return not run.is_to_end()


def step_until(scheduler: Scheduler, is_done: Callable[[], bool]) -> None:
    while not is_done():
        scheduler.step()


def test_a_recorded_market_gives_the_same_facts_by_threads_and_in_any_order(tmp_path: Path) -> None:
    settings = lively_settings(tmp_path, **UNTRACED)
    traded = replay(settings, made_up_market(0, CANDLES), tmp_path / "threads").trades
    orders = {by_scheduler(tmp_path / str(seed), seed) for seed in SEEDS}

    expected = facts(tmp_path / "threads")

    assert len(traded) > 5
    assert len(orders) == len(SEEDS)
    for seed in SEEDS:
        assert facts(tmp_path / str(seed)) == expected
