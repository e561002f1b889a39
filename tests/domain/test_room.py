"""How far prices may go against open positions."""

from dataclasses import replace
from decimal import Decimal

import pytest

from domain.market.instruments import Side
from domain.portfolio.room import rooms
from domain.rules import TradingRules
from domain.trading.positions import Position
from tests.domain.builders import NOON_MS, RULES

SHORT = Position(
    asset="SOL",
    side=Side.SELL,
    qty=Decimal(10),
    opened_ms=NOON_MS,
    decided_ms=None,
    signal_ms=None,
    open_notional=Decimal(1000),
    entry_qty=Decimal(10),
    entry_notional=Decimal(1000),
)


def rules(leverage: int) -> TradingRules:
    assets = tuple(replace(each, leverage=Decimal(leverage)) for each in RULES.assets)
    return replace(RULES, assets=assets)


@pytest.mark.parametrize(
    ("side", "leverage", "liquidation"),
    [(Side.SELL, 10, 110), (Side.BUY, 10, 90), (Side.SELL, 1, 200), (Side.BUY, 1, 0)],
)
def test_liquidation_is_where_the_isolated_margin_is_gone(
    side: Side, leverage: int, liquidation: int
) -> None:
    held, prices, stops = {"SOL": replace(SHORT, side=side)}, {"SOL": Decimal(100)}, Decimal(101)

    (room,) = rooms(held, prices, {"SOL": stops}, rules(leverage))

    assert room.liquidation == liquidation
    assert room.liquidation_distance == abs(Decimal(liquidation) / 100 - 1)


def test_a_stop_that_fires_costs_the_way_from_the_newest_price() -> None:
    (room,) = rooms({"SOL": SHORT}, {"SOL": Decimal(96)}, {"SOL": Decimal(99)}, rules(10))

    assert room.to_stop == Decimal(-30)
    assert room.stop_distance == Decimal("0.03125")


def test_a_position_without_a_price_has_no_room() -> None:
    assert list(rooms({"SOL": SHORT}, {}, {"SOL": Decimal(99)}, rules(10))) == []
