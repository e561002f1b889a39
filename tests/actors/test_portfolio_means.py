"""What the portfolio may use: capital set aside, and markets that are deep enough."""

from dataclasses import replace
from decimal import Decimal

import pytest

from domain.errors import UnavailableError
from domain.market.instruments import MINUTE_MS
from domain.market.order_book import OrderBook
from domain.rules import CapitalChange
from domain.trading.decisions import DenialReason
from tests.actors.test_portfolio import (
    CANDLE_MS,
    CHECKS,
    NOON_MS,
    RULES,
    START_MS,
    NoCandles,
    opened,
)

T_MS = NOON_MS + CANDLE_MS
TIGHT = replace(RULES, approval=replace(RULES.approval, max_depth_share=Decimal("0.5")))


def capital(limit, *changes: CapitalChange):
    amount = None if limit is None else Decimal(limit)
    return replace(RULES, total_capital=amount, capital_changes=changes)


def test_another_capital_at_a_restart_is_no_drawdown_and_stays_known(tmp_path):
    with opened(tmp_path) as desk:
        desk.open_short("BTC", 2_000)
        desk.wait(CHECKS.every_ms)
        assert desk.snapshot().capital == desk.snapshot().balance

    change = CapitalChange(ts_ms=START_MS + 5_000, before=None, limit=Decimal(4_000))
    for life in (1, 2):
        with opened(tmp_path, capital(4_000, change), now_ms=START_MS + life * MINUTE_MS) as desk:
            desk.mark("BTC", 2_000)
            desk.wait(CHECKS.every_ms)
            found = desk.snapshot()
            assert desk.fired() == []
            assert found.capital == 4_000
            assert found.balance > found.capital
            assert abs(found.drawdown) < Decimal("0.001")


def test_a_loss_is_held_against_the_capital_and_not_the_wallet(tmp_path):
    with opened(tmp_path, capital(4_000)) as desk:
        desk.open_short("BTC", 2_000)
        desk.mark("BTC", 2_450)
        desk.wait(CHECKS.every_ms)

        # 4.5 % of the wallet, 11 % of the capital.
        assert desk.snapshot().drawdown > Decimal("0.11")
        assert desk.fired() != []


def test_an_entry_is_denied_where_the_book_is_thin_and_granted_where_it_is_not(
    tmp_path, monkeypatch
):
    books = {
        "BTC": OrderBook(
            bids=((Decimal("99.99"), Decimal("0.001")),), asks=((Decimal(100), Decimal(9)),)
        )
    }
    monkeypatch.setattr(NoCandles, "order_book", lambda _, asset: books[asset], raising=False)
    with opened(tmp_path, TIGHT) as desk:
        assert desk.denial(T_MS) is DenialReason.LIQUIDITY

        # A refused entry reserves nothing.
        books["BTC"] = OrderBook(
            bids=((Decimal("99.99"), Decimal(900)),), asks=((Decimal(100), Decimal(9)),)
        )
        assert desk.denial(T_MS + CANDLE_MS) is None


def test_a_market_that_cannot_be_looked_at_is_not_entered(tmp_path, monkeypatch):
    def silent(_feed, _asset):
        raise UnavailableError("no answer")

    monkeypatch.setattr(NoCandles, "order_book", silent, raising=False)
    with opened(tmp_path, TIGHT) as desk:
        assert desk.denial(T_MS) is DenialReason.LIQUIDITY


@pytest.mark.parametrize("rules", [RULES, TIGHT])
def test_the_past_has_no_book_and_judges_none(tmp_path, monkeypatch, rules):
    monkeypatch.setattr(NoCandles, "order_book", lambda _, __: None, raising=False)
    with opened(tmp_path, rules) as desk:
        assert desk.denial(T_MS) is None
