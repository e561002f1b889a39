"""An entry is refused where the order book is too thin for it."""

from dataclasses import replace
from decimal import Decimal

import pytest

from domain.market.instruments import Side
from domain.market.order_book import OrderBook
from domain.portfolio.liquidity import judges_liquidity, too_thin
from domain.trading.decisions import Approval, DenialReason
from infra.settings import load_settings

DEFAULT = load_settings(None, environ={}, dotenv=None).trading_rules()


def level(price: str, qty: str) -> tuple[Decimal, Decimal]:
    return Decimal(price), Decimal(qty)


BOOK = OrderBook(
    bids=(level("99.99", "2"), level("99.91", "3"), level("99.89", "50")),
    asks=(level("100.01", "4"), level("100.10", "1"), level("100.11", "50")),
)


def approval(qty: str, side: Side = Side.BUY) -> Approval:
    return Approval(
        asset="BTC",
        t_ms=300_000,
        qty=Decimal(qty),
        price=Decimal(100),
        side=side,
        signal_ms=300_000,
        protection_epoch=0,
        kinds="X",
        values=(),
        terms=DEFAULT.assets[0].terms,
    )


def rules(spread: str | None = None, share: str | None = None):
    found = [None if text is None else Decimal(text) for text in (spread, share)]
    return replace(DEFAULT.approval, max_spread_bps=found[0], max_depth_share=found[1])


def test_nothing_is_judged_unless_the_settings_ask_for_it():
    assert not judges_liquidity(DEFAULT.approval)
    assert judges_liquidity(rules(spread="1"))
    assert judges_liquidity(rules(share="0.1"))


@pytest.mark.parametrize(
    ("side", "qty", "spread", "share", "figures"),
    [
        (Side.BUY, "2.5", "2", "0.5", None),
        (Side.BUY, "2.6", "2", "0.5", "qty=2.6 book_within_10_bps=5 limit=0.5"),
        (Side.SELL, "2.5", None, "0.5", None),
        (Side.SELL, "6", None, "1", "qty=6 book_within_10_bps=5 limit=1"),
        (Side.BUY, "2.5", "1.9", None, "spread_bps=2.00 limit=1.9"),
        (Side.BUY, "900", "2", None, None),
    ],
)
def test_spread_and_depth_are_held_against_their_limits(side, qty, spread, share, figures):
    denial = too_thin(approval(qty, side), BOOK, rules(spread, share))

    assert (denial and denial.figures) == figures
    assert denial is None or denial.reason is DenialReason.LIQUIDITY


def test_a_side_without_any_level_is_too_thin():
    denial = too_thin(approval("1"), OrderBook(bids=BOOK.bids, asks=()), rules(share="1"))

    assert denial is not None
    assert denial.figures == "book=empty"
