"""The whole system at a simulated exchange, in one process, under faults."""

import json
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

from bin.bootstrap import Connection, Run, build_live
from domain.positions import ZERO, Position, Trade, book
from infra.bybit.http.client import Credentials
from infra.bybit.venues import Venue
from infra.settings import load_settings
from infra.simulator.core import SimulatorOptions
from infra.simulator.exchange import SimulatedExchange

SPEED = 600.0
PATIENCE_S = 60
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
    "risk": {"high_correlation_threshold": 1.0},
    "cooldown": {
        "per_asset_settings": {
            "short_hold_cooldown_hours": 0,
            "loss_streak_cooldown_hours": 0,
            "trades_per_hour_cooldown_minutes": 0,
            "trades_per_day_cooldown_hours": 0,
        },
        "global_settings": {"loss_streak_cooldown_hours": 0, "emergency_cooldown_hours": 0},
    },
    "execution": {"reconcile_seconds": 1},
}
"""Settings under which a minute holds a dozen trades."""


class Floor:
    """A running system, and the exchange's own word on what it did."""

    def __init__(self, sim: SimulatedExchange, run: Run, connection: Connection) -> None:
        self.sim, self.run, self.connection = sim, run, connection

    def fault(self, **spec: object) -> None:
        """Let something go wrong at the exchange."""
        self._call("POST", "/sim/faults", spec)

    def heal(self) -> None:
        """Let nothing go wrong any more."""
        self._call("DELETE", "/sim/faults")

    def position(self, **spec: object) -> None:
        """Let somebody else act on a position."""
        self._call("POST", "/sim/position", spec)

    def state(self) -> Any:
        return self._call("GET", "/sim/state")

    def records(self) -> Any:
        return self._call("GET", "/sim/records")

    def trades(self) -> list[Trade]:
        with self.run.ports.journals.connected():
            return self.run.ports.journals.trades()

    def wait(self, wanted: Callable[[], object], what: str) -> None:
        """Wait until something is so."""
        deadline_s = time.monotonic() + PATIENCE_S
        while not wanted():
            assert time.monotonic() < deadline_s, f"not in {PATIENCE_S} s: {what}"
            time.sleep(0.05)

    def wait_for_trades(self, more: int) -> None:
        """Wait until so many more trades were booked."""
        wanted = len(self.trades()) + more
        self.wait(lambda: len(self.trades()) >= wanted, f"{more} more trades")

    def books(self) -> tuple[Decimal, dict[str, Decimal]]:
        """Return the balance and the quantities that the journal's executions add up to."""
        balance, held = Decimal(10_000), {}
        with self.run.ports.journals.connected():
            reader = self.run.ports.journals.open("reader", lambda: None)
            for asset in self.run.rules.assets:
                position: Position | None = None
                for stored in reader.executions(asset.asset):
                    booked = book(position, stored.execution)
                    position, balance = booked.position, balance + booked.cash
                if position is not None:
                    held[asset.instrument.symbol] = position.signed_qty
        return balance, held

    def exchange_books(self) -> tuple[Decimal, dict[str, Decimal]]:
        """Return the balance and the quantities that the exchange has."""
        state = self.state()
        signs = {"Sell": -1, "Buy": 1}
        held = {
            row["symbol"]: signs[row["side"]] * Decimal(row["size"])
            for row in state["positions"]
            if Decimal(row["size"])
        }
        return Decimal(state["wallet"]), held

    def agrees(self) -> bool:
        (ours, held), (theirs, there) = self.books(), self.exchange_books()
        return held == there and abs(ours - theirs) < Decimal("0.000001")

    def wait_until_agreed(self) -> None:
        self.wait(self.agrees, "the books agree with the exchange")

    def longest_naked_s(self) -> float:
        """Return for how long, in exchange time, a position stood without its stop loss."""
        worst_ms, since = 0, {}
        for record in self.records()["stops"]:
            symbol, ts_ms = record["symbol"], record["ts_ms"]
            if symbol in since:
                worst_ms = max(worst_ms, ts_ms - since.pop(symbol))
            if Decimal(record["signed_qty"]) != ZERO and record["stop_loss"] is None:
                since[symbol] = ts_ms
        return worst_ms / 1000

    def _call(self, method: str, path: str, body: object = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.sim.base_url}{path}", data, method=method)
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.load(answer)


@contextmanager
def floor(folder: Path, seed: int = 1) -> Iterator[Floor]:
    """Start an exchange and the system at it, and stop both."""
    folder.mkdir(exist_ok=True)
    (folder / "settings.yaml").write_text(json.dumps(SETTINGS))
    settings = load_settings(folder / "settings.yaml", environ={}, dotenv=None)
    rules = settings.trading_rules()
    options = SimulatorOptions(
        instruments=[asset.instrument for asset in rules.assets],
        fills=rules.fills,
        speed=SPEED,
        seed=seed,
    )
    with SimulatedExchange(options) as sim:
        venue = Venue(
            rest_url=sim.base_url,
            public_stream_url=f"{sim.ws_url}/v5/public/linear",
            private_stream_url=f"{sim.ws_url}/v5/private",
            credentials=Credentials(api_key=sim.keys.api_key, api_secret=sim.keys.api_secret),
            speed=SPEED,
        )
        run, connection = build_live(settings, venue, folder, "sim")
        connection.start()
        run.start()
        try:
            yield Floor(sim, run, connection)
        finally:
            run.stop(10.0)
            connection.close()
