"""One life of the whole system's process: put together as a live run is, in virtual time."""

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from random import Random
from types import SimpleNamespace
from typing import Any

import peewee
import pykka

from actors.core.host import Host
from actors.core.supervisor import Supervisor
from actors.core.system import ActorSystem
from actors.core.trace import Handling
from actors.pace import ReconcilePace
from actors.watch import LiveChecks
from bin.bootstrap.assembly import Place as RunPlace
from bin.bootstrap.assembly import Present
from bin.bootstrap.present import compose
from bin.bootstrap.run import Run
from domain.rules import TradingRules
from domain.trading.orders import Intent
from infra.net.server_clock import ServerClock
from infra.settings import Settings
from infra.store.journal import JournalStore
from infra.store.reserve import Reserve
from infra.store.settings_record import SettingsRecord
from infra.venues.bybit.exchange import BybitExchange
from infra.venues.bybit.feed import BybitFeed
from tests.simulation.channels import Place, connect
from tests.simulation.disk import Disk, PlayedEngine
from tests.simulation.exchange import START_MS, Exchange
from tests.simulation.faults import Misfortune
from tests.simulation.scheduler import (
    Process,
    Scheduler,
    SimulatedThreads,
    Timer,
)
from tests.simulation.streams import Streams
from tests.simulation.transport import PlayedRest, PlayedTransport

MODE = "sim"
SPARE_CANDLES = 60
_RESERVE_BYTES = 1 << 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How often a process looks at the present."""

    watch_ms: int = 10_000


class Clock:
    """The trading clock: the exchange's time as measured, and timers of it."""

    def __init__(self, scheduler: Scheduler, process: Process, now_ms: Callable[[], int]) -> None:
        self.now_ms = now_ms
        self._scheduler = scheduler
        self._process = process

    def call_at(self, due_ms: int, call: Callable[[], None]) -> Timer:
        """Call once when the clock has reached a time."""
        timer = Timer(call)

        def look() -> None:
            if timer.call is None or self._process.is_dead:
                return
            left_ms = due_ms - self.now_ms()
            if left_ms > 0:
                self._scheduler.call_in(left_ms / 1000, look)
            else:
                timer.call()

        self._scheduler.call_in(max(0, due_ms - self.now_ms()) / 1000, look)
        return timer


class PlayedJournals:
    """The store of one process, whose disk can refuse, and at whose writes it can die."""

    def __init__(self, journals: JournalStore, misfortune: Misfortune) -> None:
        self._journals = journals
        self._misfortune = misfortune

    def __getattr__(self, name: str) -> Any:
        return getattr(self._journals, name)

    def open(self, address: str, origin: Any) -> "PlayedJournal":
        """Take an address's lease."""
        self._misfortune.at("store", "open", "before")
        return PlayedJournal(self._journals.open(address, origin), self._misfortune)


class PlayedJournal:
    """One actor's writer. All loops share one connection, so nobody closes it."""

    def __init__(self, journal: Any, misfortune: Misfortune) -> None:
        self._journal = journal
        self._misfortune = misfortune

    def __getattr__(self, name: str) -> Any:
        return getattr(self._journal, name)

    def append(self, *facts: Any) -> list[int]:
        """Store facts, all or none."""
        kind = type(facts[0]).__name__ if facts else "nothing"
        self._misfortune.at("append", kind, "before")
        self._misfortune.wait_for_disk()
        made: list[int] = self._journal.append(*facts)
        self._misfortune.stored(facts)
        self._misfortune.of_disk()
        self._misfortune.wait_for_disk()
        self._misfortune.at("append", kind, "after")
        return made

    def keep(self, *facts: Any) -> bool:
        """Keep in the reserve what could not be stored."""
        self._misfortune.at("keep", "facts", "before")
        kept: bool = self._journal.keep(*facts)
        if kept:
            self._misfortune.stored(facts)
        self._misfortune.at("keep", "facts", "after")
        return kept

    def close(self) -> None:
        """Let go of nothing."""


class SystemProcess:
    """A process that starts on what the disk has kept."""

    def __init__(
        self,
        *,
        scheduler: Scheduler,
        exchange: Exchange,
        misfortune: Callable[["SystemProcess"], Misfortune],
        settings: Settings,
        rules: TradingRules,
        disk: Disk,
        rng: Random,
        record: Callable[[Handling], None],
        life: int,
        pace: Pace,
        places: tuple[Place, ...] = (),
    ) -> None:
        self.process = Process()
        self.is_started = False
        self.is_buried = False
        self.run: Run | None = None
        self.supervisor: Supervisor | None = None
        self.system: ActorSystem | None = None
        self._scheduler = scheduler
        self._exchange = exchange
        self._settings = settings
        self._rng = rng
        self._record = record
        self._life = life
        self._pace = pace
        self._places = places
        self._disk = disk
        self._file = disk.file
        self.misfortune = misfortune(self)
        self.rules = rules
        self._symbols = {a.asset: a.instrument.symbol for a in self.rules.assets}
        self.wall_jump_s = rng.uniform(-3600, 3600) if rng.random() < 0.2 else 0.0
        self.clock = ServerClock(
            monotonic_s=scheduler.now_s,
            wall_s=lambda: START_MS / 1000 + scheduler.now_s() + self.wall_jump_s,
        )
        self.streams = Streams(
            scheduler, self.process, exchange, self.misfortune, rng, self._symbols
        )
        self._journals: JournalStore | None = None
        self._reserve: Reserve | None = None
        self.main = scheduler.start(self.process, self._boot)

    @property
    def is_over(self) -> bool:
        """Tell whether it ended by itself: it did not start, or a vital actor was given up."""
        escalated = self.supervisor is not None and self.supervisor.escalated.is_set()
        return escalated or (self.main.is_over and not self.is_started)

    def kept_ids(self) -> list[str]:
        """Return the client order ids of intents that wait in the reserve."""
        records = () if self._reserve is None else self._reserve.records()
        intents = (fact for record in records for fact in record.facts if isinstance(fact, Intent))
        return [intent.request.client_order_id for intent in intents]

    def reload(self, rng: Random) -> None:
        """Let other settings hold, as the command of that name does; in a loop of the process."""
        notices = {
            "alert_cooldown_minutes": rng.choice((1, 30)),
            "max_waiting": rng.choice((10, 1000)),
        }
        notifications = self._settings.notifications.model_copy(update=notices)
        self._settings = self._settings.model_copy(update={"notifications": notifications})
        run = self.run
        if run is not None:
            record = SettingsRecord(run.ports.journals)
            record.note(self._settings, "simulated", self.clock.now_ms(), lambda: None)
            run.change(self._settings)

    def bury(self) -> None:
        """Let go of everything, the process being dead."""
        if self.is_buried:
            return
        self.process.is_dead = self.is_buried = True
        if self.supervisor is not None:
            self.supervisor.stop(0.0)
        self._scheduler.bury(self.process)
        for ref in pykka.ActorRegistry.get_all():
            pykka.ActorRegistry.unregister(ref)
        if self._reserve is not None:
            self._reserve.close()

    def _boot(self) -> None:
        settings = self._settings
        self._reserve = reserve = Reserve(self._file.with_suffix(".reserve"), _RESERVE_BYTES)
        if self._file.exists():
            self._disk.hold()
        engine = PlayedEngine(self._disk, busy_timeout_ms=settings.database.busy_timeout_ms)
        self._journals = raw = JournalStore(engine, self.clock.now_ms, reserve)
        self._disk.hold()
        raw.before_write = self._before_write
        journals: Any = PlayedJournals(raw, self.misfortune)
        self.misfortune.hang_s = float(settings.supervision.hang_seconds)
        self.run = run = compose(
            RunPlace(
                settings=settings, directory=self._file.parent, mode=MODE, account="simulated"
            ),
            journals,
            self._connected(journals),
            self._present(),
            probe=self.misfortune.probe,
            host=Host(
                concurrency=SimulatedThreads(self._scheduler, self.process),
                rng=self._rng,
                session=self._life,
                watch=self._record,
            ),
        )
        if self._places:
            connect(
                run.channels,
                self._places,
                settings,
                self._scheduler,
                self.process,
                self.misfortune,
                journals,
                self._rng,
            )
        self.system, self.supervisor = run.system, run.supervisor
        raw.database.connect(reuse_if_open=True)
        self.streams.open_account(run.ports.exchange)
        run.start()
        self.is_started = True

    def _connected(self, journals: Any) -> Any:
        """Return what stands for a `Connection`: the real client over a played wire."""
        rules, now_ms = self.rules, self.clock.now_ms
        wire = PlayedTransport(
            self._scheduler, self.process, self._exchange, self.misfortune, self.clock, self._rng
        )
        rest: Any = PlayedRest(wire)
        stream: Any = self.streams.market
        exchange = BybitExchange(
            rest,
            stream,
            symbols=self._symbols,
            now_ms=now_ms,
            monotonic_s=self._scheduler.now_s,
        )
        feed = BybitFeed(
            rest,
            stream,
            lambda address: journals.open(address, lambda: None),
            journals.recent_candles,
            symbols=self._symbols,
            candle_ms=rules.candles.candle_ms,
            history=rules.candles.warmup_candles + SPARE_CANDLES,
            now_ms=now_ms,
        )

        def prepare(rules: TradingRules, _delisted: Collection[str]) -> TradingRules:
            fills = replace(rules.fills, initial_balance=rest.wallet().balance)
            self.rules = replace(rules, fills=fills)
            return self.rules

        return SimpleNamespace(
            market=SimpleNamespace(
                clock=Clock(self._scheduler, self.process, now_ms),
                feed=feed,
                measure_clock=wire.sync_clock,
            ),
            account=SimpleNamespace(exchange=exchange, wallet=exchange, prepare=prepare),
        )

    def _present(self) -> Present:
        stale_ms = int(self.rules.protection.stale_data_ms)
        reconcile_s = float(self._settings.execution.reconcile_seconds)
        return Present(
            asking=ReconcilePace.at_speed(1.0, reconcile_s, stale_ms),
            checks=LiveChecks(every_ms=self._pace.watch_ms, stale_ms=stale_ms),
        )

    def _before_write(self, _database: Any) -> None:
        self.misfortune.at("write", "transaction", "inside")
        why = self.misfortune.refusal_of_write()
        if why is not None:
            raise peewee.OperationalError(why)
