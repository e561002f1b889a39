"""Looks after a running system, in a thread of its own: figures, alerts, and what HTTP shows."""

import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import Future, wait
from pathlib import Path
from typing import Any

from loguru import logger

from bin.bootstrap.run import Run
from domain.errors import ConfigError, JournalError
from domain.portfolio.snapshots import AssetSnapshot, ExecutionSnapshot, PortfolioSnapshot
from infra.operator.health.figures import ActorFigures, AssetFigures, Figures
from infra.operator.health.limits import LimitWatch
from infra.operator.health.machine import MachineWatch, size_bytes
from infra.operator.health.metrics import MetricsPage
from infra.operator.health.pages import Pages
from infra.operator.health.readiness import why_degraded, why_not_ready
from infra.settings import Settings
from infra.store.books import Books, BooksReader
from infra.store.location import journal_file
from infra.venues.connection import Connection

_ANSWER_S = 1.0
"""How long a look waits for the actors' answers; a later one counts for the next look."""
TURN_S = 15.0
"""The supervisor turns at least once a second; much later it hangs."""
_RATE_S = 60.0
_RUNNING = "RUNNING"


class Health:
    """The newest figures of a run, and who is told of them."""

    def __init__(
        self,
        run: Run,
        connection: Connection,
        settings: Settings,
        directory: Path,
        *,
        turn_s: float = TURN_S,
        accesses: Callable[[], Mapping[int, int]] = dict,
    ) -> None:
        """Look at nothing yet.

        Args:
            run: what is looked at.
            connection: its ties to the exchange.
            settings: limits and the journal's name.
            directory: of the run.
            turn_s: how long the supervisor may take for a turn.
            accesses: returns how many requests to the control interface there were, by status.
        """
        self._run, self._connection, self._directory = run, connection, directory
        self._turn_s = turn_s
        self._accesses = accesses
        self._every_s = float(settings.health.every_seconds)
        self._limits = LimitWatch(settings.health, again_s=_again_s(settings))
        self._journal = journal_file(directory, settings.database.file)
        self._machine = MachineWatch(directory)
        self._books = BooksReader(self._journal)
        self._known_books = Books()
        self._questions = _Questions(run)
        self._sent: deque[tuple[float, int]] = deque()
        self._turned_s: float | None = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="health", daemon=True)
        self.figures: Figures | None = None
        """Of the newest look; None before the first."""

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def close(self) -> None:
        """Look no more."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(2 * _ANSWER_S)  # a look that takes longer must not delay the stop

    def change(self, settings: Settings) -> None:
        """Let other limits hold from the next look on."""
        self._every_s = float(settings.health.every_seconds)
        self._limits.change(settings.health, again_s=_again_s(settings))

    def turn(self) -> None:
        """Take note that the supervisor works; called by it."""
        self._turned_s = time.monotonic()

    def why_sick(self) -> str | None:
        """Return why the process should be replaced; None where it should not."""
        turned_s = self._turned_s
        if turned_s is None:
            return "the supervisor has not started yet"
        silent_s = time.monotonic() - turned_s
        return (
            f"the supervisor has not turned for {silent_s:.0f} s"
            if silent_s > self._turn_s
            else None
        )

    def why_not_ready(self) -> tuple[str, ...]:
        """Return why not all assets can be traded, as the newest look found it."""
        sick, figures = self.why_sick(), self.figures
        if sick is not None or figures is None:
            return (sick or "nothing was looked at yet",)
        age_s = time.time() - figures.at_s
        if age_s > self._turn_s + self._every_s:
            return (f"the newest look is {age_s:.0f} s old",)
        return tuple(why_not_ready(figures))

    def why_degraded(self) -> tuple[str, ...]:
        """Return what else is broken, as the newest look found it."""
        return () if self.figures is None else tuple(why_degraded(self.figures))

    def pages(self) -> Pages:
        """Return what is shown over HTTP."""
        return Pages(
            why_sick=self.why_sick,
            why_not_ready=self.why_not_ready,
            why_degraded=self.why_degraded,
            metrics=MetricsPage(lambda: self.figures),
        )

    # In the thread.

    def _watch(self) -> None:
        while not self._stop.is_set():
            try:
                self.figures = figures = self._look()
                for alert in self._limits.look(figures, time.monotonic()):
                    self._run.tell_operator(
                        f"health/{alert.source}/{time.time_ns()}", alert.title, alert.detail
                    )
            except Exception:  # noqa: BLE001 (who watches must not end because a look failed)
                logger.opt(exception=True).error("the health could not be looked at")
            self._stop.wait(self._every_s)
        self._books.close()

    def _look(self) -> Figures:
        run, market = self._run, self._connection.market
        self._questions.ask(_ANSWER_S)
        books = self._read_books()
        streams = [*market.stream_stats(), *self._connection.account.stream_stats()]
        actors, assets = self._actors(), self._assets()
        portfolio = self._questions.portfolio
        offset_ms = market.server_clock.offset_ms
        recorder = run.recorder
        return Figures(
            mode=run.info.mode,
            at_s=time.time(),
            machine=self._machine.look(),
            journal_bytes=size_bytes(self._journal.parent.glob(f"{self._journal.name}*")),
            trace_bytes=0 if recorder is None else size_bytes(recorder.directory.glob("*.trace")),
            actors=actors,
            dead_letters=run.system.dead_letter_count,
            assets=assets,
            portfolio=portfolio,
            books=books,
            orders_per_minute=self._orders_per_minute(sum(books.orders.values())),
            requests=market.rest.stats(),
            streams=streams,
            refused=self._refused(),
            is_clock_known=market.server_clock.is_usable,
            clock_offset_s=None if offset_ms is None else offset_ms / 1000,
            accesses=self._accesses(),
            troubles=run.channels.troubles(),
        )

    def _refused(self) -> dict[tuple[str, str], int]:
        connection = self._connection
        exchange = connection.market.refused() | connection.account.refused()
        return exchange | self._run.channels.refused()

    def _read_books(self) -> Books:
        try:
            self._known_books = self._books.read()
        except (ConfigError, JournalError) as error:
            # What was read stands; the connection may not.
            logger.warning("the journal could not be read for the health figures: {}", error)
            self._books.close()
        return self._known_books

    def _actors(self) -> list[ActorFigures]:
        now_ns = time.perf_counter_ns()
        found = []
        for child in self._run.supervisor.children():
            mailbox = child.address.mailbox
            sent_ns = mailbox.oldest_sent_ns()
            found.append(
                ActorFigures(
                    address=child.spec.address,
                    is_running=child.status == _RUNNING,
                    is_given_up=child.given_up_because is not None,
                    restarts=child.restarts,
                    depth=mailbox.depth,
                    oldest_s=0.0 if sent_ns is None else max(0.0, (now_ns - sent_ns) / 1e9),
                )
            )
        return found

    def _assets(self) -> list[AssetFigures]:
        market, now_s = self._connection.market, time.monotonic()
        found = []
        for asset, symbol in market.symbols.items():
            heard_s = market.stream.heard_s(symbol)
            seen = self._questions.assets.get(asset)
            execution = self._questions.executions.get(asset)
            report = None if seen is None else seen.report
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
        # A candle may be known here before our measure of the exchange's clock has reached its end.
        return max(0.0, -self._connection.market.server_clock.seconds_until(venue_ms))

    def _orders_per_minute(self, orders: int) -> float:
        now_s = time.monotonic()
        self._sent.append((now_s, orders))
        while len(self._sent) > 2 and now_s - self._sent[1][0] >= _RATE_S:  # noqa: PLR2004 (a span has two ends)
            self._sent.popleft()
        since_s, before = self._sent[0]
        return (orders - before) * 60 / (now_s - since_s) if now_s > since_s else 0.0


def _again_s(settings: Settings) -> float:
    return settings.notifications.alert_cooldown_minutes * 60.0


class _Questions:
    """Asks the actors for their snapshots; one that has not answered is not asked again."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._open: dict[str, Future[Any]] = {}
        self.assets: dict[str, AssetSnapshot] = {}
        self.executions: dict[str, ExecutionSnapshot] = {}
        """The newest answers, by asset."""
        self.portfolio: PortfolioSnapshot | None = None
        """None where it did not answer this time."""

    def ask(self, timeout_s: float) -> None:
        """Take the answers that come in time, and those that came since the look before."""
        self.portfolio = None
        for address in self._run.describable():
            if address not in self._open:
                self._open[address] = self._run.question(address)
        done, _ = wait(self._open.values(), timeout_s)
        for address, future in list(self._open.items()):
            if future in done:
                del self._open[address]
                if future.exception() is None:
                    self._take(future.result())

    def _take(self, snapshot: Any) -> None:
        if isinstance(snapshot, PortfolioSnapshot):
            self.portfolio = snapshot
        elif isinstance(snapshot, AssetSnapshot):
            self.assets[snapshot.asset] = snapshot
        elif isinstance(snapshot, ExecutionSnapshot):
            self.executions[snapshot.asset] = snapshot
