"""How far prices may move against open positions: to their stops, and to liquidation."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal

from domain.market.instruments import Side
from domain.rules import TradingRules
from domain.trading.positions import ZERO, Position
from domain.trading.sizing import ONE, rounded_toward


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """One open position. Prices are quote per base."""

    asset: str
    price: Decimal
    """The newest one."""
    stop_loss: Decimal
    liquidation: Decimal
    """Price at which the isolated margin is lost; the exchange liquidates earlier."""
    to_stop: Decimal
    """Change of the equity if the stop fires at its level, quote; a loss is negative.

    Before fees and slippage.
    """

    @property
    def stop_distance(self) -> Decimal:
        """Distance from the newest price, a fraction of it."""
        return abs(self.stop_loss / self.price - ONE)

    @property
    def liquidation_distance(self) -> Decimal:
        """Distance from the newest price, a fraction of it."""
        return abs(self.liquidation / self.price - ONE)


def rooms(
    positions: Mapping[str, Position],
    prices: Mapping[str, Decimal],
    stops: Mapping[str, Decimal],
    rules: TradingRules,
) -> Iterator[Room]:
    """Yield the room of each position whose price is known.

    Args:
        positions: open positions by asset.
        prices: the newest ones, above 0.
        stops: the level of each position's stop.
        rules: the leverage.
    """
    for asset, position in positions.items():
        price, stop_loss = prices.get(asset), stops[asset]
        if price is not None:
            yield Room(
                asset=asset,
                price=price,
                stop_loss=stop_loss,
                liquidation=_liquidation(position, rules),
                to_stop=position.unrealized_pnl(stop_loss) - position.unrealized_pnl(price),
            )


def _liquidation(position: Position, rules: TradingRules) -> Decimal:
    asset, entry = rules.asset(position.asset), position.avg_entry_price
    away = -ONE if position.side is Side.BUY else ONE
    level = max(ZERO, entry * (ONE + away / asset.leverage))
    return rounded_toward(entry, level, asset.instrument)
