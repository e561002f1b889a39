"""The portfolio as a journal's facts rebuild it."""

from contextlib import closing
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

from domain.market.instruments import Side
from domain.portfolio.protection import initial_state
from domain.trading.orders import ExitReason
from domain.trading.positions import Execution, ExecutionKind
from infra.settings import load_settings
from infra.store.ended import snapshot_of
from infra.store.opening import open_store
from infra.store.reader import FactReader

CANDLE_MS = 300_000
T_MS = 1_744_802_700_000
EXIT_MS = T_MS + CANDLE_MS
SOLD = Execution(
    exec_id="1",
    asset="BTC",
    ts_ms=T_MS + 20,
    kind=ExecutionKind.TRADE,
    side=Side.SELL,
    qty=Decimal(1),
    price=Decimal(100),
    fee=Decimal(0),
    decided_ms=T_MS,
)


def bought(asset: str, price: int) -> Execution:
    return replace(
        SOLD,
        exec_id=f"{asset} closed",
        asset=asset,
        ts_ms=EXIT_MS + 30,
        side=Side.BUY,
        price=Decimal(price),
        decided_ms=EXIT_MS,
        reason=ExitReason.REGIME,
    )


def test_exits_at_one_close_count_in_the_order_of_the_assets_however_they_were_stored(
    tmp_path: Path,
) -> None:
    rules = load_settings(None, environ={}, dotenv=None).trading_rules()
    journals = open_store(tmp_path / "journal.sqlite", lambda: T_MS, busy_timeout_ms=5000)
    with journals.connected():
        journals.open("portfolio", lambda: None).append(initial_state(Decimal(1000), T_MS))
        stored = {name: journals.open(f"execution/{name}", lambda: None) for name in ("BTC", "ETH")}
        for name, journal in stored.items():
            journal.append(replace(SOLD, exec_id=name, asset=name))

        # ETH, the second asset, gains, and its fill is stored before the loss of BTC.
        stored["ETH"].append(bought("ETH", 90))
        stored["BTC"].append(bought("BTC", 120))

        with closing(FactReader(tmp_path / "journal.sqlite")) as facts:
            found = snapshot_of(facts, rules)

    assert found.realized_pnl == Decimal(-10)
    assert found.streak == 0
