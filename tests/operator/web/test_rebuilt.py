"""An actor's state as the facts have it."""

from contextlib import closing
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

from domain.trading.trailing import StopMoved
from infra.operator.web.rebuilt import rebuilt
from infra.settings import load_settings
from infra.store.opening import open_store
from infra.store.reader import FactReader
from tests.store.test_ended import SOLD, T_MS


def test_a_stop_stands_around_the_fill_until_it_has_moved(tmp_path: Path) -> None:
    rules = load_settings(None, environ={}, dotenv=None).trading_rules()
    moved = StopMoved(
        asset="BTC",
        opened_ms=SOLD.ts_ms,
        best=Decimal(98),
        stop_loss=Decimal("100.4"),
        ts_ms=T_MS + 60_000,
    )
    journals = open_store(tmp_path / "journal.sqlite", lambda: T_MS, busy_timeout_ms=5000)
    with journals.connected(), closing(FactReader(tmp_path / "journal.sqlite")) as facts:
        journal = journals.open("execution/BTC", lambda: None)

        found = []
        for fact in (replace(SOLD, price=Decimal("100.2")), moved):
            journal.append(fact)
            found += [row["stored"] for row in rebuilt(facts, rules, None, "execution/BTC")]

    assert found == ["101.7", "100.4"]
