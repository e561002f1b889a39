"""Monitors a running system, in a thread of its own: figures, alerts, and the HTTP pages."""

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from loguru import logger

from domain.errors import ConfigError, JournalError
from domain.operator.system import SystemSnapshot, VenueLink
from domain.portfolio.metrics import metrics
from domain.portfolio.performance import Performances
from domain.rules import TradingRules
from infra.operator.health.figures import AssetFigures, BackupFigures, Figures
from infra.operator.health.limits import LimitWatch
from infra.operator.health.links import OrderRate, links_of
from infra.operator.health.machine import MachineWatch, size_bytes
from infra.operator.health.metrics import MetricsPage
from infra.operator.health.pages import Pages
from infra.operator.health.readiness import why_degraded, why_not_ready
from infra.operator.notices.channels import Channels
from infra.settings import Settings
from infra.store.backup.keeper import read_state
from infra.store.books import Books, BooksReader
from infra.store.location import find_journal, journal_files
from infra.store.performance import PerformanceReader
from infra.trace.recorder import TraceRecorder
from infra.venues.connection import Connection

_MS_PER_S = 1000
_ANSWER_S = 1.0
"""How long a sample waits for the actors' answers; later ones count for the next sample."""
_LINKS_EVERY_S = 60.0
_DOUBT_EVERY_S = 86_400.0
TURN_S = 15.0
"""The supervisor's loop turns at least once a second; if it takes much longer, it hangs."""


class Tell(Protocol):
    """Notifies the operator."""

    def __call__(self, key: str, title: str, detail: str) -> None:
        """Send a notice, once per key."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """Where the figures of a run come from, and where alerts go."""

    mode: str
    inspect: Callable[[float], SystemSnapshot]
    """Returns the current state of the actors; takes how long to wait for their answers, s."""
    channels: Channels
    recorder: TraceRecorder | None
    """None if tracing is off."""
    tell: Tell
    tell_links: Callable[[Iterable[VenueLink], int], None]
    """Takes the links to the exchange, and how many connections to the journal are open."""
    connections: Callable[[], int]
    """Returns how many connections to the journal are open."""
    rules: Callable[[], TradingRules]
    """Returns the rules of the pairs that are traded now."""


class Health:
    """Samples the figures of a run, and reports them."""

    def __init__(
        self,
        sources: Sources,
        connection: Connection,
        settings: Settings,
        directory: Path,
        *,
        turn_s: float = TURN_S,
        accesses: Callable[[], Mapping[int, int]] = dict,
    ) -> None:
        """Prepare the thread; nothing is sampled yet.

        Args:
            sources: of the figures.
            connection: to the exchange.
            settings: limits and the journal's name.
            directory: of the run.
            turn_s: how long a turn of the supervisor's loop may take.
            accesses: returns the number of requests to the control interface by status.
        """
        self._sources, self._connection = sources, connection
        self._turn_s = turn_s
        self._accesses = accesses
        self._every_s = float(settings.health.every_seconds)
        self._limits = LimitWatch(settings.health, again_s=_again_s(settings))
        self._journal = find_journal(directory)
        self._has_backup = settings.backup.url is not None
        self._directory, self._began_s = directory, time.time()
        self._machine = MachineWatch(directory)
        self._books = BooksReader(self._journal)
        self._known_books = Books()
        self._told_doubt_s: float | None = None
        self._told_links_s: float | None = None
        candle_ms = settings.trading_rules().candles.candle_ms
        self._performance = PerformanceReader(self._journal, candle_ms)
        self._known_performance = Performances()
        self._rate = OrderRate()
        self._turned_s: float | None = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="health", daemon=True)
        self.figures: Figures | None = None
        """Figures of the newest sample; None before the first."""

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        """Stop sampling."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(2 * _ANSWER_S)  # a sample that takes longer must not delay the stop

    def change(self, settings: Settings) -> None:
        """Apply other limits from the next sample on."""
        self._every_s = float(settings.health.every_seconds)
        self._limits.change(settings.health, again_s=_again_s(settings))

    def turn(self) -> None:
        """Learn that the supervisor works; called by it."""
        self._turned_s = time.monotonic()

    def why_sick(self) -> str | None:
        """Return why the process should be replaced; None if it should not."""
        turned_s = self._turned_s
        if turned_s is None:
            return "the supervisor has not started yet"
        silent_s = time.monotonic() - turned_s
        return (
            f"the supervisor's loop has not run for {silent_s:.0f} s"
            if silent_s > self._turn_s
            else None
        )

    def why_not_ready(self) -> tuple[str, ...]:
        """Return why not all assets can be traded, according to the newest sample."""
        sick, figures = self.why_sick(), self.figures
        if sick is not None or figures is None:
            return (sick or "nothing was checked yet",)
        age_s = time.time() - figures.at_s
        if age_s > self._turn_s + self._every_s:
            return (f"the newest check is {age_s:.0f} s old",)
        return tuple(why_not_ready(figures))

    def why_degraded(self) -> tuple[str, ...]:
        """Return what else is broken, according to the newest sample."""
        return () if self.figures is None else tuple(why_degraded(self.figures))

    def pages(self) -> Pages:
        """Return the sources of the HTTP pages."""
        return Pages(
            why_sick=self.why_sick,
            why_not_ready=self.why_not_ready,
            why_degraded=self.why_degraded,
            metrics=MetricsPage(lambda: self.figures),
        )

    # Below: runs in the thread.

    def _watch(self) -> None:
        while not self._stop.is_set():
            try:
                self.figures = figures = self._look()
                self._tell_doubt(figures.books.doubt)
                self._tell_links(figures)
                for alert in self._limits.look(figures, time.monotonic()):
                    self._sources.tell(
                        f"health/{alert.source}/{time.time_ns()}", alert.title, alert.detail
                    )
            except Exception:  # noqa: BLE001 (who watches must not end because a look failed)
                logger.opt(exception=True).error("the health check failed")
            self._stop.wait(self._every_s)
        self._books.close()
        self._performance.close()

    def _tell_links(self, figures: Figures) -> None:
        now_s = time.monotonic()
        if self._told_links_s is None or now_s - self._told_links_s >= _LINKS_EVERY_S:
            self._told_links_s = now_s
            self._sources.tell_links(figures.links.values(), figures.connections)

    def _tell_doubt(self, doubt: str) -> None:
        now_s = time.monotonic()
        if doubt and (self._told_doubt_s is None or now_s - self._told_doubt_s >= _DOUBT_EVERY_S):
            self._told_doubt_s = now_s
            detail = f"{doubt}. You can: set synchronous_standby_names (docs/postgresql.md)."
            self._sources.tell(f"health/journal/{time.time_ns()}", "Server of the journal", detail)

    def _look(self) -> Figures:
        sources, market = self._sources, self._connection.market
        seen = sources.inspect(_ANSWER_S)
        books, performance = self._read_books(), self._read_performance()
        rates = self._rate.look(books.orders, time.monotonic())
        streams = [*market.stream_stats(), *self._connection.account.stream_stats()]
        offset_ms = market.server_clock.offset_ms
        recorder = sources.recorder
        return Figures(
            mode=sources.mode,
            at_s=time.time(),
            machine=self._machine.look(),
            journal_bytes=size_bytes(journal_files(self._journal)),
            connections=sources.connections(),
            trace_bytes=0 if recorder is None else size_bytes(recorder.directory.glob("*.trace")),
            actors=seen.actors,
            dead_letters=seen.dead_letters,
            assets=self._assets(seen),
            portfolio=seen.portfolio,
            money=None if seen.portfolio is None else metrics(seen.portfolio, sources.rules()),
            books=books,
            orders_per_minute=sum(rates.values()),
            performance=performance,
            links=links_of(market.symbols, market.rest.stats(), streams, rates),
            requests=market.rest.stats(),
            streams=streams,
            refused=self._refused(),
            is_clock_known=market.server_clock.is_usable,
            clock_offset_s=None if offset_ms is None else offset_ms / 1000,
            accesses=self._accesses(),
            troubles=sources.channels.troubles(),
            backup=self._backup(),
        )

    def _backup(self) -> BackupFigures | None:
        if not self._has_backup:
            return None
        state = read_state(self._directory)
        complete_s = state.complete_ms / _MS_PER_S if state.complete_ms else self._began_s
        return BackupFigures(complete_s=complete_s, trouble=state.trouble)

    def _refused(self) -> dict[tuple[str, str], int]:
        connection = self._connection
        exchange = connection.market.refused() | connection.account.refused()
        return exchange | self._sources.channels.refused()

    def _read_books(self) -> Books:
        try:
            self._known_books = self._books.read()
        except (ConfigError, JournalError) as error:
            # What was read remains; the connection may be broken.
            logger.warning("the journal could not be read for the health figures: {}", error)
            self._books.close()
        return self._known_books

    def _read_performance(self) -> Performances:
        try:
            self._known_performance = self._performance.read()
        except (ConfigError, JournalError) as error:
            logger.warning("the journal could not be read for the performance: {}", error)
            self._performance.close()
        return self._known_performance

    def _assets(self, seen: SystemSnapshot) -> list[AssetFigures]:
        market, now_s = self._connection.market, time.monotonic()
        found = []
        for asset, symbol in list(market.symbols.items()):
            heard_s = market.stream.heard_s(symbol)
            told, execution = seen.assets.get(asset), seen.executions.get(asset)
            report = None if told is None else told.report
            found.append(
                AssetFigures(
                    asset=asset,
                    feed_age_s=None if heard_s is None else now_s - heard_s,
                    last_candle_ms=None if report is None else report.t_ms,
                    candle_age_s=None if report is None else self._age_s(report.t_ms),
                    is_unprotected=None if execution is None else execution.is_unprotected,
                )
            )
        return found

    def _age_s(self, venue_ms: int) -> float:
        # A candle may arrive before our estimate of the exchange's clock has reached its end.
        return max(0.0, -self._connection.market.server_clock.seconds_until(venue_ms))


def _again_s(settings: Settings) -> float:
    return settings.notifications.alert_cooldown_minutes * 60.0
