"""What the health figures read of a journal that somebody writes."""

from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from domain.errors import ConfigError
from domain.market.instruments import Side
from domain.trading.decisions import Denial, DenialReason
from domain.trading.orders import (
    ExitReason,
    Intent,
    OrderRequest,
    OrderStatus,
    OrderUpdate,
    Purpose,
    client_order_id,
)
from domain.trading.positions import Trade
from infra.store.books import Books, BooksReader
from infra.store.opening import open_store
from infra.store.writer import JournalWriter

T_MS = 1_744_802_700_000


@pytest.fixture
def writer(tmp_path: Path) -> Iterator[JournalWriter]:
    journals = open_store(tmp_path / "journal.sqlite", lambda: T_MS, busy_timeout_ms=5000)
    with journals.connected():
        yield journals.open("execution/BTC", lambda: None)


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[BooksReader]:
    made = BooksReader(tmp_path / "journal.sqlite")
    yield made
    made.close()


def intent(attempt: int) -> Intent:
    return Intent(
        request=OrderRequest(
            client_order_id=client_order_id("BTC", T_MS, Purpose.ENTRY, attempt),
            asset="BTC",
            side=Side.SELL,
            qty=Decimal("0.1"),
            reduce_only=False,
        ),
        decided_ms=T_MS,
        purpose=Purpose.ENTRY,
        attempt=attempt,
        reason=None,
        signal_ms=T_MS,
        protection_epoch=0,
    )


def news(attempt: int, status: OrderStatus) -> OrderUpdate:
    order_id = intent(attempt).request.client_order_id
    return OrderUpdate(client_order_id=order_id, status=status, filled_qty=Decimal(0), ts_ms=T_MS)


TRADE = Trade(
    asset="BTC",
    side=Side.SELL,
    entry_ms=T_MS,
    exit_ms=T_MS + 1,
    qty=Decimal("0.1"),
    entry_price=Decimal(80_000),
    exit_price=Decimal(79_000),
    fees=Decimal(8),
    funding=Decimal(0),
    pnl=Decimal(92),
    reason=ExitReason.REGIME,
    decided_ms=T_MS,
)


def test_trades_orders_and_refusals_are_counted_once_however_often_it_is_read(
    writer: JournalWriter, reader: BooksReader
) -> None:
    refusal = Denial(asset="BTC", t_ms=T_MS, reason=DenialReason.STALE, signal_ms=T_MS, figures="")
    writer.append(intent(1), news(1, OrderStatus.FILLED), TRADE)
    first = reader.read()
    writer.append(replace(TRADE, pnl=Decimal(-5)), refusal, refusal)

    second, third = reader.read(), reader.read()

    assert first == Books(trades={("BTC", True): 1}, orders={("BTC", "entry"): 1})
    assert second == third
    assert second.trades == {("BTC", True): 1, ("BTC", False): 1}
    assert second.orders == {("BTC", "entry"): 1}
    assert second.refusals == {"STALE": 2}


def test_an_order_is_unknown_from_its_lost_answer_to_its_proof(
    writer: JournalWriter, reader: BooksReader
) -> None:
    seen = []
    for fact in (
        intent(1),
        news(1, OrderStatus.UNKNOWN),
        news(1, OrderStatus.ACCEPTED),
        news(1, OrderStatus.FILLED),
        news(1, OrderStatus.UNKNOWN),
    ):
        writer.append(fact)
        seen.append(reader.read().unknown_orders)

    assert seen == [0, 1, 0, 0, 0]


def test_an_intent_without_news_is_unknown_once_it_cannot_be_under_way_any_more(
    writer: JournalWriter, reader: BooksReader
) -> None:
    writer.append(intent(1))

    assert [reader.read().unknown_orders for _ in range(3)] == [0, 1, 1]


def test_a_journal_that_is_not_there_is_an_error_and_is_not_made(tmp_path: Path) -> None:
    reader = BooksReader(tmp_path / "none.sqlite")

    with pytest.raises(ConfigError, match="no journal there"):
        reader.read()

    assert list(tmp_path.iterdir()) == []
