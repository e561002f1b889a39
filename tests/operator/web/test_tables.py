"""What the page's tables make of facts."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest

from domain.facts import ClosedCandle
from domain.market.instruments import Side
from domain.trading.orders import ExitReason, Intent, OrderRequest, Purpose
from domain.trading.positions import Trade
from infra.operator.web.correlations import correlations
from infra.operator.web.marks import marks
from infra.operator.web.tables import audited, orders
from infra.store.audit import AuditEntry
from infra.store.opening import JournalStore, open_store
from infra.store.reader import FactReader
from tests.domain.builders import RULES, candle
from tests.store.test_ended import CANDLE_MS, EXIT_MS, SOLD, T_MS, bought

ENTRY = "BTC-1-entry-1"


@pytest.fixture
def journals(tmp_path: Path) -> Iterator[JournalStore]:
    made = open_store(tmp_path / "journal.sqlite", lambda: T_MS, busy_timeout_ms=5000)
    with made.connected():
        yield made


@pytest.fixture
def facts(journals: JournalStore, tmp_path: Path) -> Iterator[FactReader]:  # noqa: ARG001 (makes it)
    with closing(FactReader(tmp_path / "journal.sqlite")) as reader:
        yield reader


def test_an_order_tells_at_which_average_price_it_was_filled(
    journals: JournalStore, facts: FactReader
) -> None:
    journal = journals.open("execution/BTC", lambda: None)
    request = OrderRequest(
        client_order_id=ENTRY,
        asset="BTC",
        side=Side.SELL,
        qty=Decimal(2),
        reduce_only=False,
        stop_loss=Decimal("101.5"),
    )
    journal.append(
        Intent(
            request=request,
            decided_ms=T_MS,
            purpose=Purpose.ENTRY,
            attempt=1,
            reason=None,
            signal_ms=T_MS,
            protection_epoch=0,
        )
    )
    for number, price in enumerate(("100", "100.5")):
        fill = replace(SOLD, exec_id=str(number), price=Decimal(price), client_order_id=ENTRY)
        journal.append(fill)

    (order,) = orders(facts, RULES)["orders"]

    assert (order["fill_price"], order["stop"], order["target"]) == ("$100.2", "$101.5", "")


def test_entries_and_exits_of_a_chart_lead_to_their_reasons(
    journals: JournalStore, facts: FactReader
) -> None:
    journal = journals.open("execution/BTC", lambda: None)
    journal.append(replace(SOLD, client_order_id=ENTRY))
    journal.append(
        bought("BTC", 90),
        Trade(
            asset="BTC",
            side=Side.SELL,
            entry_ms=SOLD.ts_ms,
            exit_ms=EXIT_MS + 30,
            qty=Decimal(1),
            entry_price=Decimal(100),
            exit_price=Decimal(90),
            fees=Decimal(0),
            funding=Decimal(0),
            pnl=Decimal(10),
            reason=ExitReason.REGIME,
            decided_ms=EXIT_MS,
        ),
    )

    found = marks(facts, RULES.asset("BTC"), 0)

    assert [each["why"] for each in found["entries"]] == [ENTRY]
    assert [each["why"] for each in found["exits"]] == ["BTC@2025-04-16T11:30:00"]


def test_correlation_and_volatility_are_told_over_time(
    journals: JournalStore, facts: FactReader
) -> None:
    window = RULES.candles.volatility_window
    names = [asset.asset for asset in RULES.assets]
    steps = np.random.default_rng(1).normal(0.0, 0.001, (len(names), window + 25))
    steps[1] = steps[0]
    for name, closes in zip(names, 100.0 * np.exp(np.cumsum(steps, axis=1)), strict=True):
        journal = journals.open(f"execution/{name}", lambda: None)
        journal.append(
            *(
                ClosedCandle(asset=name, candle=candle(T_MS + place * CANDLE_MS, close, CANDLE_MS))
                for place, close in enumerate(closes.tolist(), 1)
            )
        )

    found = correlations(facts, RULES)

    assert found["matrix"][0][1] == pytest.approx(1.0)
    pairs = [found["matrix"][0][1], found["matrix"][0][2], found["matrix"][1][2]]
    assert found["mean"][-1] == pytest.approx(sum(pairs) / 3)
    assert len(found["time"]) == len(found["mean"]) == 3
    spread = steps[2][-window:].std(ddof=1) * np.sqrt(365 * 24 * 12)
    assert found["volatility"][names[2]][-1] == pytest.approx(spread)


def entry(number: int, **more: str) -> AuditEntry:
    return AuditEntry(
        **{  # type: ignore[arg-type]
            "fact_id": number,
            "recorded_ms": T_MS + number,
            "kind": "trade",
            "asset": "BTC",
            "writer": "execution/BTC",
            "what": "REGIME pnl 3.1",
            "trace_id": None,
            **more,
        }
    )


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({}, [3, 2, 1]),
        ({"kind": "grant"}, [3]),
        ({"asset": "ETH"}, [2]),
        ({"by": "portfolio"}, [3]),
        ({"words": "pnl 3"}, [2, 1]),
        ({"from_ms": str(T_MS + 2), "to_ms": ""}, [3, 2]),
        ({"from_ms": "", "to_ms": str(T_MS + 2)}, [1]),
        ({"kind": "trade", "asset": "ETH"}, [2]),
    ],
)
def test_the_audit_trail_is_filtered(query: dict[str, str], found: list[int]) -> None:
    entries = [
        entry(3, kind="grant", writer="portfolio", what="granted 1"),
        entry(2, asset="ETH"),
        entry(1),
    ]

    answer = audited(entries, query)

    assert [row["fact_id"] for row in answer["rows"]] == found
    assert answer["found"] == len(found)
    assert answer["kinds"] == ["grant", "trade"]
