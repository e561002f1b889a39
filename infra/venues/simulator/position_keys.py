"""Names of positions: a symbol in one-way mode, in hedge mode a symbol with its positionIdx."""

from domain.market.instruments import Side

ONE_WAY, LONG, SHORT = 0, 1, 2
"""positionIdx: of the only position, and of the two sides of hedge mode."""


def position_key(symbol: str, idx: int) -> str:
    return symbol if idx == ONE_WAY else f"{symbol}/{idx}"


def symbol_of(key: str) -> str:
    return key.partition("/")[0]


def idx_of(key: str) -> int:
    return int(key.partition("/")[2] or ONE_WAY)


def opening_side(idx: int) -> Side | None:
    """Return the side of the orders that open a position of hedge mode; None in one-way mode."""
    return {LONG: Side.BUY, SHORT: Side.SELL}.get(idx)
