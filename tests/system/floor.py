"""The whole system at a simulated exchange, in one process, under faults."""

import json
import threading
import time
import urllib.request
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from decimal import Decimal
from pathlib import Path
from typing import Any

from actors.core.messages import Ping
from actors.core.system import ActorCrashedError
from bin.bootstrap.present import build_live
from bin.bootstrap.run import Run
from domain.market.instruments import Instrument
from domain.trading.positions import Trade
from infra.net.timing import StreamTiming
from infra.settings import Settings, load_settings
from infra.store.location import find_journal
from infra.venues.bybit.credentials import Credentials
from infra.venues.bybit.venues import Venue
from infra.venues.connection import Connection
from infra.venues.simulator.exchange import SimulatedExchange
from infra.venues.simulator.faults.kinds import LASTING
from infra.venues.simulator.options import SimulatorOptions
from tests.chaos.harness.invariants import differences, violations
from tests.chaos.harness.journal_view import read_journal

SPEED = 600.0
PATIENCE_S = 60
LOOK_EVERY_S = 0.05
RECONCILE_S = 1
BUSY_S = 4
"""What a look-up and a busy machine may add to a reconcile period."""
AGREED_S = 15 * RECONCILE_S
"""One period, and room for a machine that is busy with other tests."""
TIMING = StreamTiming(
    backoff_max_s=1.0, ping_s=1.0, answer_s=1.5, tick_s=0.2, stale_s={"kline": 4.0, "tickers": 4.0}
)
"""Less patient than at a real exchange, whose faults take minutes to be noticed."""
SETTINGS = {
    "strategy": {
        "ema_short_period": 5,
        "ema_long_period": 12,
        "warmup_candles": 40,
        "volatility_window": 20,
        "cross_threshold": 200,
        "entry_max_age_ms": 600_000,
    },
    "portfolio": {"correlation_limit": 1.0},
    "risk": {"high_correlation_threshold": 1.0, "max_daily_loss_pct": 0.5},
    "cooldown": {
        "per_asset_settings": {
            "short_hold_cooldown_hours": 0,
            "loss_streak_cooldown_hours": 0,
            "trades_per_hour_cooldown_minutes": 0,
            "trades_per_day_cooldown_hours": 0,
        },
        "global_settings": {"loss_streak_cooldown_hours": 0, "emergency_cooldown_hours": 0},
    },
    "execution": {"reconcile_seconds": RECONCILE_S},
}
"""Settings under which a minute holds a dozen trades."""


class Floor:
    """A running system, and the exchange's own word on what it did."""

    def __init__(
        self, sim: SimulatedExchange, run: Run, connection: Connection, settings: Settings, at: Path
    ) -> None:
        self.sim, self.run, self.connection, self.settings = sim, run, connection, settings
        self.folder, self.journal = at, find_journal(at)
        self.rules = run.rules
        """Of the first start: with the balance that the books began with."""
        self._stirred = threading.Event()
        run.system.probe = lambda *_: self._stirred.set()

    def restart(self, meanwhile: Callable[[], None], delisted: Collection[str] = ()) -> None:
        """Stop the system, and start another process's worth of it at the same exchange."""
        self.run.stop(10.0)
        self.connection.close()
        meanwhile()
        self.run, self.connection = build_live(
            self.settings, venue_of(self.sim), self.folder, "sim", delisted=delisted
        )
        self.run.system.probe = lambda *_: self._stirred.set()
        self.connection.start()
        self.run.start()

    # What goes wrong.

    def fault(self, **spec: object) -> None:
        """Let something go wrong at the exchange."""
        self._call("POST", "/sim/faults", spec)

    def suffer(self, *specs: Mapping[str, object]) -> None:
        """Let faults happen, wait until all of them have, and end those that would last."""
        for spec in specs:
            self.fault(**spec)

        def have_happened() -> bool:
            return all(
                fault["fired"] and (fault["is_over"] or _lasts(fault))
                for fault in self.state()["faults"]
            )

        self.wait(have_happened, "the faults have happened")
        self.heal()

    def heal(self) -> None:
        """Let nothing go wrong any more."""
        self._call("DELETE", "/sim/faults")

    def position(self, **spec: object) -> None:
        """Let somebody else act on a position."""
        self._call("POST", "/sim/position", spec)

    def transfer(self, amount: str) -> None:
        """Let somebody bring money in, or take it out."""
        self._call("POST", "/sim/transfer", {"amount": amount})

    def act_until(self, is_done: Callable[[], object], **spec: object) -> None:
        """Let somebody act on whatever position is open, until that had its effect."""

        def attempt() -> object:
            symbol = next(iter(self.held()), None)
            if symbol is not None:
                self.position(symbol=symbol, **spec)
            return is_done()

        self.wait(attempt, f"{spec} on an open position")

    def crash(self, address: str) -> None:
        """Let an actor crash once, and wait until its next incarnation has read the facts."""
        crashed = threading.Event()

        def probe(name: str, _: object) -> None:
            if name == address and not crashed.is_set():
                crashed.set()
                raise RuntimeError(f"{address} crashes on demand")

        found = self.run.system.address(address)
        before = found.ask(Ping(), sender="test", timeout_s=PATIENCE_S)
        usual, self.run.system.probe = self.run.system.probe, probe
        try:
            with suppress(ActorCrashedError):
                found.ask(Ping(), sender="test", timeout_s=PATIENCE_S)
        finally:
            self.run.system.probe = usual
        assert found.ask(Ping(), sender="test", timeout_s=PATIENCE_S) > before

    # What the exchange says.

    def state(self) -> Any:
        return self._call("GET", "/sim/state")

    def records(self) -> Any:
        return self._call("GET", "/sim/records")

    def held(self) -> dict[str, Decimal]:
        """Return the quantities of open positions by symbol."""
        signs = {"Sell": -1, "Buy": 1}
        return {
            row["symbol"]: signs[row["side"]] * Decimal(row["size"])
            for row in self.state()["positions"]
            if Decimal(row["size"])
        }

    def executions(self, **wanted: str) -> int:
        """Return how many executions have these fields."""
        return sum(wanted.items() <= row.items() for row in self.records()["executions"])

    # What the system says.

    def trades(self) -> list[Trade]:
        return read_journal(self.journal).trades

    def differences(self) -> list[str]:
        """Return where the books and the exchange differ at this moment."""
        journal = read_journal(self.journal)
        return differences(self.state(), self.records(), journal, self.rules)

    def broken_promises(self, unprotected_s: float = 0.0) -> list[str]:
        """Return what should never have happened since the start.

        Args:
            unprotected_s: how long a position may have stood without its stop, real seconds.
        """
        # In this order: what is sent between the two has its intent in the journal already.
        records = self.records()
        journal = read_journal(self.journal)
        unprotected_ms = unprotected_s * 1000 * SPEED
        return [
            *violations(records, journal, self.rules, unprotected_limit_ms=unprotected_ms),
            *self.run.given_up(),
        ]

    # Waiting.

    def wait(self, wanted: Callable[[], object], what: str, patience_s: float = PATIENCE_S) -> None:
        """Wait until something is so; it is looked at after an actor has done something.

        A look reads all that both sides have: without a pause it would take the time of what it
        waits for.
        """
        deadline_s = time.monotonic() + patience_s
        pause = threading.Event()
        while True:
            self._stirred.clear()
            with suppress(OSError):  # the exchange may be down
                if wanted():
                    return
            left_s = deadline_s - time.monotonic()
            assert left_s > 0, f"not in {patience_s} s: {what}"
            self._stirred.wait(left_s)
            pause.wait(LOOK_EVERY_S)

    def wait_for_trades(self, more: int) -> None:
        """Wait until so many more trades were booked."""
        wanted = len(self.trades()) + more
        self.wait(lambda: len(self.trades()) >= wanted, f"{more} more trades")

    def wait_until_agreed(self) -> None:
        """Wait until the books are the exchange's, which reconciling must bring about."""
        found: list[str] = []

        def agrees() -> bool:
            found[:] = self.differences()
            return not found

        try:
            self.wait(agrees, "the books agree with the exchange", AGREED_S)
        except AssertionError as error:
            raise AssertionError(f"{error}: {found}") from None

    def _call(self, method: str, path: str, body: object = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.sim.base_url}{path}", data, method=method)
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.load(answer)


def _lasts(fault: Mapping[str, object]) -> bool:
    return fault["kind"] in LASTING and "for_s" not in fault and "times" not in fault


def venue_of(sim: SimulatedExchange) -> Venue:
    """Return how a simulated exchange is reached."""
    return Venue(
        rest_url=sim.base_url,
        public_stream_url=f"{sim.ws_url}/v5/public/linear",
        private_stream_url=f"{sim.ws_url}/v5/private",
        credentials=Credentials(api_key=sim.keys.api_key, api_secret=sim.keys.api_secret),
        speed=SPEED,
        timing=TIMING,
    )


@contextmanager
def floor(
    folder: Path,
    seed: int = 120,
    environ: Mapping[str, str] | None = None,
    changes: Mapping[str, object] | None = None,
    state: Path | None = None,
    others: Sequence[Instrument] = (),
) -> Iterator[Floor]:
    """Start an exchange and the system at it, and stop both.

    Args:
        folder: of the run.
        seed: of the exchange's market; in the default one trades end soon and often.
        environ: variables that the run has.
        changes: of the settings.
        state: file that the exchange goes on from.
        others: more instruments that the exchange lists.
    """
    folder.mkdir(exist_ok=True)
    (folder / "settings.yaml").write_text(json.dumps({**SETTINGS, **(changes or {})}))
    settings = load_settings(folder / "settings.yaml", environ=environ or {}, dotenv=None)
    rules = settings.trading_rules()
    options = SimulatorOptions(
        instruments=[asset.instrument for asset in rules.assets],
        others=others,
        fills=rules.fills,
        speed=SPEED,
        seed=seed,
        history=rules.candles.history_candles,
        state=state,
    )
    with SimulatedExchange(options) as sim:
        run, connection = build_live(settings, venue_of(sim), folder, "sim")
        here = Floor(sim, run, connection, settings, folder)
        connection.start()
        run.start()
        try:
            yield here
        finally:
            here.run.stop(10.0)
            here.connection.close()
            here.run.ports.journals.release()
