"""Perpetuals that a generated market lists beside those of the settings."""

from collections.abc import Collection, Sequence
from decimal import Decimal

from domain.market.instruments import Instrument
from infra.settings import Settings

_FILTERS = {
    "BTCUSDT": ("0.001", "0.1", "119"),
    "ETHUSDT": ("0.01", "0.01", "724"),
    "SOLUSDT": ("0.1", "0.01", "9690"),
    "AVAXUSDT": ("0.1", "0.001", "26000"),
    "ADAUSDT": ("1", "0.0001", "960000"),
    "XRPUSDT": ("0.1", "0.0001", "660000"),
    "DOGEUSDT": ("1", "0.00001", "3600000"),
    "LINKUSDT": ("0.1", "0.001", "35000"),
    "DOTUSDT": ("0.1", "0.001", "120000"),
    "LTCUSDT": ("0.1", "0.01", "14000"),
    "BNBUSDT": ("0.01", "0.1", "2000"),
    "UNIUSDT": ("0.1", "0.001", "60000"),
    "NEARUSDT": ("0.1", "0.001", "150000"),
    "SUIUSDT": ("10", "0.0001", "400000"),
}
"""Quantity step and minimum, tick size, largest market order."""


def others_than(symbols: Collection[str]) -> list[Instrument]:
    """Return the further listed perpetuals, without some symbols."""
    return [
        Instrument(
            symbol=symbol,
            qty_step=Decimal(step),
            min_order_qty=Decimal(step),
            tick_size=Decimal(tick),
            min_notional=Decimal(5),
            max_market_order_qty=Decimal(largest),
        )
        for symbol, (step, tick, largest) in _FILTERS.items()
        if symbol not in symbols
    ]


def with_settings(settings: Settings, traded: Sequence[Instrument]) -> list[Instrument]:
    """Return the traded symbols, and all others known to the settings."""
    known = {symbol: row.instrument(symbol) for symbol, row in settings.instruments.items()}
    others = known.keys() - {instrument.symbol for instrument in traded}
    return [*traded, *(known[symbol] for symbol in sorted(others))]
