"""Replays whose journal is in a server of PostgreSQL: the same facts as in a file.

Whoever plays candle files gets a file, whatever the settings say; here the same actors trade the
same market over the other store.
"""

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from itertools import count
from pathlib import Path

import pytest

from actors.core.host import Host
from actors.core.system import Probe
from actors.drills.probes import CrashDrill
from bin.bootstrap.assembly import REPLAY, Place, assemble
from bin.bootstrap.run import Ports, Run
from domain.market.candles import CandleSeries
from infra.run.journals import record_assets
from infra.settings import Settings
from infra.store.copying import TableSum, sums
from infra.store.journal import JournalStore
from infra.store.location import Location
from infra.store.opening import open_store
from infra.store.postgres.engine import postgres_engine
from infra.store.reading import open_reading
from infra.venues.replay.lockstep import LockStep
from tests.postgres_cluster import running_cluster
from tests.postgres_server import START_S, Cluster
from tests.replay.runs import Outcome, finish, made_up_market, outcome, replay
from tests.simulation.test_same_rules import SEEDS, OpenJournals, by_scheduler

pytestmark = [pytest.mark.complete, pytest.mark.timeout(600)]
DAY = 288
PATIENCE_MS = 10_000
EVERY_CLOSES = 60
"""Between two interruptions."""


@pytest.fixture(autouse=True)
def _nobody_has_the_right_to_write() -> Iterator[None]:
    yield
    postgres_engine.cache_clear()


def open_at(
    location: Location, settings: Settings, mode: str, now_ms: Callable[[], int]
) -> JournalStore:
    """Open a fresh journal as a replay does, but anywhere."""
    journals = open_store(location, now_ms, busy_timeout_ms=PATIENCE_MS)
    with journals.connected():
        journals.write_meta("mode", mode)
        record_assets(journals, settings.trading_rules())
    return journals


def opens(location: Location) -> OpenJournals:
    """Return what opens a journal at one place, whatever the folder."""
    return lambda settings, _folder, mode, now_ms: open_at(location, settings, mode, now_ms)


def sums_of(location: Location) -> list[TableSum]:
    with closing(open_reading(location)) as journal:
        return sums(journal)


class Replay:
    """A replay over a journal anywhere, as often as it is begun."""

    def __init__(
        self,
        settings: Settings,
        market: Mapping[str, CandleSeries],
        location: Location,
        folder: Path,
    ) -> None:
        self._settings, self._location, self._folder = settings, location, folder
        self.lockstep = LockStep(market, settings.trading_rules())
        self._sessions = count(1)

    def begin(self, probe: Probe | None = None) -> Run:
        """Return a run over what is stored, ready to start: another process's worth of it."""
        settings, lockstep = self._settings, self.lockstep
        postgres_engine.cache_clear()
        ports = Ports(
            feed=lockstep.feed,
            exchange=lockstep.exchange,
            clock=lockstep.clock,
            journals=open_at(self._location, settings, REPLAY, lockstep.clock.now_ms),
        )
        return assemble(
            Place(settings=settings, directory=self._folder, mode=REPLAY, account="candle files"),
            settings.trading_rules(),
            ports,
            probe=probe,
            is_lenient=probe is not None,
            host=Host(session=next(self._sessions)),
        )

    def finish(
        self, probe: Probe | None = None, before_close: Callable[[int], None] = lambda _: None
    ) -> Outcome:
        """Play all without a break."""
        run = self.begin(probe)
        try:
            return finish(run, self.lockstep, before_close)
        finally:
            run.ports.journals.release()

    def finish_in_parts(self) -> tuple[Outcome, int]:
        """Play all, ending and beginning again every few closes; tell how often."""
        runs = [self.begin()]

        def newest_is_quiet() -> bool:
            return runs[-1].wait_quiet()

        runs[0].start()
        for number, _ in enumerate(self.lockstep.steps(newest_is_quiet), 1):
            if number % EVERY_CLOSES == 0:
                runs[-1].stop(30.0)
                runs[-1].ports.journals.release()
                runs.append(self.begin())
                runs[-1].start()
                runs[-1].wait_quiet()
        runs[-1].stop(30.0)
        found = outcome(runs[-1], self.lockstep)
        runs[-1].ports.journals.release()
        return found, len(runs)


def same(one: Outcome, other: Outcome) -> bool:
    """Tell whether two replays have traded, refused and earned the same."""
    return (one.trades, one.refusals, one.balance, one.books) == (
        other.trades,
        other.refusals,
        other.balance,
        other.books,
    )


@pytest.mark.parametrize("seed", SEEDS)
def test_one_order_of_messages_stores_the_same_rows(
    tmp_path: Path, cluster: Cluster, seed: int
) -> None:
    file, address = tmp_path / "journal.sqlite", cluster.new_address()
    orders = [
        by_scheduler(tmp_path / name, seed, open_journals=opens(location))
        for name, location in (("file", file), ("server", address))
    ]

    assert orders[0] == orders[1]
    assert sums_of(file) == sums_of(address)
    assert {found.table for found in sums_of(file) if found.rows} > {"trade", "execution", "notice"}
    postgres_engine(address, PATIENCE_MS).release()


@pytest.mark.parametrize("seed", range(3))
def test_a_replay_trades_the_same_calm_and_with_crashes(
    lively: Settings, tmp_path: Path, cluster: Cluster, seed: int
) -> None:
    market = made_up_market(seed, 2 * DAY)
    expected = replay(lively, market, tmp_path / "file")

    calm = Replay(lively, market, cluster.new_address(), tmp_path).finish()
    drill = CrashDrill(0.05, seed)
    disturbed = Replay(lively, market, cluster.new_address(), tmp_path).finish(drill)

    assert len(expected.trades) > 5
    assert same(calm, expected)
    assert same(disturbed, expected)
    assert (calm.restarts, disturbed.restarts > 100) == (0, True)


@pytest.mark.parametrize("seed", range(3))
def test_a_replay_that_is_ended_and_begun_again_trades_the_same(
    lively: Settings, tmp_path: Path, cluster: Cluster, seed: int
) -> None:
    market = made_up_market(seed, DAY)
    expected = replay(lively, market, tmp_path / "file")

    found, begun = Replay(lively, market, cluster.new_address(), tmp_path).finish_in_parts()

    assert begun > 3
    assert same(found, expected)


def test_a_replay_whose_server_is_killed_again_and_again_trades_the_same(
    lively: Settings, tmp_path: Path
) -> None:
    market = made_up_market(1, DAY)
    expected = replay(lively, market, tmp_path / "file")
    closes, starts = count(1), []
    with running_cluster() as server:

        def kill_sometimes(_: int) -> None:
            if next(closes) % EVERY_CLOSES == 0:
                server.kill()
                # The next closes are played while it is away.
                starts.append(threading.Thread(target=server.start))
                starts[-1].start()

        made = Replay(lively, market, server.new_address(), tmp_path)
        found = made.finish(before_close=kill_sometimes)
        for start in starts:
            start.join(START_S)

    assert len(starts) > 3
    assert same(found, expected)
