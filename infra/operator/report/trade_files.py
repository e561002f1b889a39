"""Trades as csv (strategy section 10.7)."""

import csv
import os
from collections.abc import Iterable
from decimal import Decimal
from pathlib import Path

from domain.errors import ConfigError
from domain.market.instruments import Side
from domain.trading.positions import Trade

_COLUMNS = (
    "asset",
    "side",
    "entry_time_ms",
    "exit_time_ms",
    "qty",
    "entry_price",
    "exit_price",
    "fees",
    "funding",
    "pnl",
    "reason",
)


def write_trades(file: Path, trades: Iterable[Trade]) -> None:
    """Write trades, one a row, all or none; what stood in the file before is replaced.

    Raises:
        ConfigError: the file cannot be written.
    """
    unfinished = file.with_name(f"{file.name}.{os.getpid()}.tmp")
    try:
        with unfinished.open("w", newline="", encoding="utf-8") as out:
            writer = csv.writer(out, lineterminator="\n")
            writer.writerow(_COLUMNS)
            writer.writerows(_row(trade) for trade in trades)
        unfinished.replace(file)
    except OSError as error:
        raise ConfigError(f"{file}: the trades cannot be written: {error.strerror}") from error


def _row(trade: Trade) -> tuple[str, ...]:
    return (
        trade.asset,
        "short" if trade.side is Side.SELL else "long",
        str(trade.entry_ms),
        str(trade.exit_ms),
        *map(_plain, (trade.qty, trade.entry_price, trade.exit_price)),
        *map(_plain, (trade.fees, trade.funding, trade.pnl)),
        trade.reason.value,
    )


def _plain(value: Decimal) -> str:
    """Return a decimal exactly, without exponent or trailing zeros."""
    text = format(value, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text
