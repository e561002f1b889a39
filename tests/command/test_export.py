"""bin/ctl writes the trades of a run, wherever its journal lies."""

import os
import subprocess
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pandas as pd
import pytest

from domain.market.instruments import Side
from domain.trading.orders import ExitReason
from domain.trading.positions import Trade
from infra.store.location import Location, note_journal
from infra.store.opening import open_store
from tests.programs import run_program

ROOT = Path(__file__).resolve().parents[2]
NOON_MS = 1_746_100_800_000  # 2025-05-01T12:00
WON = Trade(
    asset="BTC",
    side=Side.SELL,
    entry_ms=NOON_MS - 60_000,
    exit_ms=NOON_MS,
    qty=Decimal("0.10"),
    entry_price=Decimal(100),
    exit_price=Decimal("99.5"),
    fees=Decimal("0.01"),
    funding=Decimal("-0.005"),
    pnl=Decimal("0.035"),
    reason=ExitReason.TIME,
    decided_ms=None,
)
LOST = replace(WON, asset="ETH", side=Side.BUY, exit_ms=NOON_MS + 1_000, pnl=Decimal("-1.50"))


def export(run_dir: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return run_program(
        *("bin.ctl", "--run-dir", str(run_dir), "export", *words),
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "PYTHONSAFEPATH": "1"},
    )


def in_a_notebook(trade: Trade) -> dict[str, object]:
    return {
        "asset": trade.asset,
        "side": "short" if trade is WON else "long",
        "entry_time": pd.Timestamp(trade.entry_ms, unit="ms", tz="UTC"),
        "exit_time": pd.Timestamp(trade.exit_ms, unit="ms", tz="UTC"),
        "qty": 0.1,
        "entry_price": 100.0,
        "exit_price": 99.5,
        "fees": 0.01,
        "funding": -0.005,
        "pnl": float(trade.pnl),
        "reason": "TIME",
    }


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
def test_the_trades_of_a_time_are_written_for_people_and_for_tax_tools(
    request: pytest.FixtureRequest, tmp_path: Path, kind: str
) -> None:
    location: Location = tmp_path / "journal.sqlite"
    if kind == "postgres":
        location = request.getfixturevalue("cluster").new_address()
    note_journal(tmp_path, location)
    store = open_store(location, lambda: NOON_MS, busy_timeout_ms=5_000)
    journal = store.open("execution/BTC", lambda: None)
    journal.append(WON, LOST)
    journal.close()

    plain = export(tmp_path, "trades", "--csv", "--to", "2025-05-01T12:00:01")
    tax = export(tmp_path, "trades", "--csv", "--layout", "tax", "--from", "2025-05-01T12:00:01")
    file = tmp_path / "trades.parquet"
    written = export(tmp_path, "trades", "--parquet", str(file))
    both = export(tmp_path, "trades", "--csv", "--parquet", str(file))
    nowhere = export(tmp_path, "trades", "--parquet", str(tmp_path / "none" / "trades.parquet"))
    wrong = export(tmp_path, "orders", "--csv")
    store.release()

    assert plain.stdout.splitlines() == [
        "asset,side,entry_time_ms,exit_time_ms,qty,entry_price,exit_price,fees,funding,pnl,reason",
        f"BTC,short,{NOON_MS - 60_000},{NOON_MS},0.1,100,99.5,0.01,-0.005,0.035,TIME",
    ]
    assert tax.stdout.splitlines()[1:] == [
        (
            '2025-05-01 12:00:01 UTC,1.5,USDT,,,realized gain,"ETH perpetual, long 0.1 from 100 to '
            f'99.5; of which fees 0.01, funding -0.005",ETH-{NOON_MS - 60_000}-{NOON_MS + 1_000}'
        ),
    ]
    frame = pd.read_parquet(file)
    assert (written.returncode, written.stdout) == (0, ""), written.stderr
    assert frame.to_dict("records") == [in_a_notebook(WON), in_a_notebook(LOST)]
    assert (both.returncode, both.stdout) == (2, "")
    assert "none/trades.parquet: the trades cannot be written: " in nowhere.stderr
    assert nowhere.stderr.count("\n") == 1
    assert (wrong.returncode, wrong.stdout) == (2, "")
    assert "expected: export trades --csv" in wrong.stderr
