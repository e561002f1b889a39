"""The exchange of paper trading: orders and stops at prices that streams tell, or nobody."""

from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from random import Random

import pytest

from domain.errors import FencedError, StopPassedError
from domain.trading.orders import ExitReason, OrderStatus, OrderUpdate
from domain.trading.positions import FLAT, Execution
from domain.trading.sizing import ProtectiveLevels
from infra.net.server_clock import ServerClock
from infra.venues.bybit.errors import AlreadyAcceptedError, NeverSentError
from infra.venues.bybit.http.client import Patience
from infra.venues.bybit.limits import bybit_limiter
from infra.venues.bybit.rest import BybitRest
from infra.venues.bybit.shapes.market import Ticker
from infra.venues.paper.account import PaperAccount
from infra.venues.paper.exchange import PaperExchange
from infra.venues.paper.memory import Memory
from tests.venues.paper.test_account import LEVELS, RULES, order

NOW_MS = 1_750_000_000_000


class Ear:
    def __init__(self) -> None:
        self.heard: list[object] = []
        self.prices: list[tuple[int, Decimal]] = []

    def on_execution(self, execution: Execution) -> None:
        self.heard.append(execution)

    def on_order(self, update: OrderUpdate) -> None:
        self.heard.append(update)

    def on_price(self, ts_ms: int, last_price: Decimal) -> None:
        self.prices.append((ts_ms, last_price))

    def on_mark_price(self, ts_ms: int, mark_price: Decimal) -> None:
        self.heard.append((ts_ms, mark_price))


def ticker(price: int) -> Ticker:
    return Ticker(
        symbol="BTCUSDT", last_price=Decimal(price), mark_price=Decimal(price + 1), ts_ms=NOW_MS
    )


def ours() -> bool:
    return True


@pytest.fixture
def exchange(tmp_path: Path) -> PaperExchange:
    """Return an exchange whose venue answers nothing."""
    rest = BybitRest(
        None,
        "http://127.0.0.1:9",
        limiter=bybit_limiter(),
        clock=ServerClock(),
        rng=Random(1),
        patience=Patience(read_budget_s=0.2),
    )
    account = PaperAccount(RULES, Memory(tmp_path / "paper.state"))
    return PaperExchange(account, rest, symbols={"BTC": "BTCUSDT"}, now_ms=lambda: NOW_MS)


def test_an_order_fills_at_the_price_last_heard_and_is_told(exchange: PaperExchange) -> None:
    ear = Ear()
    exchange.subscribe("BTC", ear)
    exchange.on_ticker("BTC", ticker(60_000))

    answer = exchange.submit(order(1), ours)

    mark, execution, update = ear.heard
    assert answer.status is OrderStatus.ACCEPTED
    assert mark == (NOW_MS, 60_001)
    assert isinstance(execution, Execution)
    assert execution.price == 60_000 * (1 - RULES.fills.slippage_fraction)
    assert update == exchange.order("BTC", "order-1")
    assert exchange.venue_position("BTC").stop_loss == LEVELS.stop_loss


def test_without_a_price_nothing_is_sent_and_the_order_is_known_to_be_absent(
    exchange: PaperExchange,
) -> None:
    exchange.on_ticker("BTC", ticker(60_000))
    exchange.forget_price("BTC")

    with pytest.raises(NeverSentError):
        exchange.submit(order(1), ours)

    assert exchange.order("BTC", "order-1") is None


def test_a_price_beyond_the_stop_closes_the_position_there(exchange: PaperExchange) -> None:
    exchange.on_ticker("BTC", ticker(60_000))
    exchange.submit(order(1), ours)

    exchange.on_ticker("BTC", ticker(60_899))
    assert exchange.venue_position("BTC") != FLAT
    exchange.on_ticker("BTC", ticker(61_500))

    assert exchange.venue_position("BTC") == FLAT
    last = exchange.executions("BTC", 0)[-1]
    assert last.reason is ExitReason.STOP_LOSS
    assert last.price == 61_500 * (1 + RULES.fills.slippage_fraction)


def test_a_stop_moves_in_place_unless_the_price_has_passed_it(exchange: PaperExchange) -> None:
    ear = Ear()
    exchange.subscribe("BTC", ear)
    assert not exchange.set_stops("BTC", LEVELS, ours)
    exchange.on_ticker("BTC", ticker(60_000))
    exchange.submit(order(1), ours)

    tighter = ProtectiveLevels(stop_loss=Decimal(60_100), take_profit=None)
    assert exchange.set_stops("BTC", tighter, ours)
    with pytest.raises(StopPassedError):
        exchange.set_stops("BTC", replace(tighter, stop_loss=Decimal(59_000)), ours)

    assert exchange.venue_position("BTC").stop_loss == 60_100
    assert ear.prices == [(NOW_MS, 60_000)]


def test_no_order_id_is_taken_twice(exchange: PaperExchange) -> None:
    exchange.on_ticker("BTC", ticker(60_000))
    exchange.submit(order(1), ours)

    with pytest.raises(AlreadyAcceptedError):
        exchange.submit(order(1), ours)

    assert len(exchange.executions("BTC", 0)) == 1


def test_a_replaced_sender_sends_nothing_and_moves_no_stop(exchange: PaperExchange) -> None:
    exchange.on_ticker("BTC", ticker(60_000))

    with pytest.raises(FencedError):
        exchange.submit(order(1), lambda: False)
    with pytest.raises(FencedError):
        exchange.set_stops("BTC", LEVELS, lambda: False)

    assert exchange.executions("BTC", 0) == []
