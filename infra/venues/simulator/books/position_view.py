"""A position as reported."""

from dataclasses import dataclass
from decimal import Decimal

from domain.market.instruments import Side
from domain.trading.positions import ZERO, Position
from infra.venues.simulator.books.account import Account
from infra.venues.simulator.books.margins import Margins
from infra.venues.simulator.books.tiers import bankruptcy_price, tier_of
from infra.venues.simulator.position_keys import idx_of, symbol_of
from infra.venues.simulator.prices.market import Market
from infra.venues.simulator.records import SymbolBook

_LEAST_FEE_RATE = Decimal("0.00055")


@dataclass(frozen=True, slots=True, kw_only=True)
class PositionView:
    """A position at the current mark price; a flat one has no side."""

    symbol: str
    position_idx: int
    side: Side | None
    qty: Decimal
    avg_entry_price: Decimal
    notional: Decimal
    """Value at the entry price."""
    mark_price: Decimal
    unrealized_pnl: Decimal
    leverage: Decimal
    adds_margin: bool
    initial_margin: Decimal
    maintenance_margin: Decimal
    liquidation_price: Decimal | None
    bankruptcy_price: Decimal | None
    break_even_price: Decimal
    stop_loss: Decimal | None
    take_profit: Decimal | None
    trailing_stop: Decimal
    """Trailing distance behind the best price; 0: none."""
    tier: int
    tier_limit: Decimal
    realized_now: Decimal
    realized_ever: Decimal
    opened_ms: int
    updated_ms: int
    seq: int


def position_view(
    account: Account,
    margins: Margins,
    market: Market,
    key: str,
    stops: dict[str, Decimal],
    trailing: Decimal,
) -> PositionView:
    """Return a position as reported; `stops` are its levels by kind."""
    position, book = account.position(key), account.books[key]
    mark_price = market.mark_price(symbol_of(key))
    entry_price = ZERO if position is None else position.avg_entry_price
    notional = ZERO if position is None else position.notional
    tier = tier_of(notional)
    return PositionView(
        symbol=symbol_of(key),
        position_idx=idx_of(key),
        side=None if position is None else position.side,
        qty=ZERO if position is None else position.qty,
        avg_entry_price=entry_price,
        notional=notional,
        mark_price=mark_price,
        unrealized_pnl=ZERO if position is None else position.unrealized_pnl(mark_price),
        leverage=book.leverage,
        adds_margin=book.adds_margin,
        initial_margin=margins.initial(key),
        maintenance_margin=margins.maintenance(key),
        liquidation_price=margins.liquidation_price(key),
        bankruptcy_price=None
        if position is None
        else bankruptcy_price(position.side, entry_price, book.leverage),
        break_even_price=_break_even(position, book, account.rules.taker_fee_rate),
        stop_loss=stops.get("StopLoss"),
        take_profit=stops.get("TakeProfit"),
        trailing_stop=trailing,
        tier=tier.number,
        tier_limit=tier.limit,
        realized_now=book.realized_now,
        realized_ever=book.realized_ever,
        opened_ms=book.opened_ms,
        updated_ms=max(book.updated_ms, book.opened_ms),
        seq=book.seq,
    )


def _break_even(position: Position | None, book: SymbolBook, fee_rate: Decimal) -> Decimal:
    if position is None:
        return ZERO
    rate = max(fee_rate, _LEAST_FEE_RATE)
    if position.side is Side.SELL:
        return (position.notional + book.realized_now) / (position.qty * (1 + rate))
    return (position.notional - book.realized_now) / (position.qty * (1 - rate))
