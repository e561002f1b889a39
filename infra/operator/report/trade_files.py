"""Trades as CSV (strategy section 10.7)."""

import csv
import os
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from types import MappingProxyType
from typing import TextIO

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
_TAX_COLUMNS = (
    "Date",
    "Sent Amount",
    "Sent Currency",
    "Received Amount",
    "Received Currency",
    "Label",
    "Description",
    "TxHash",
)
_CURRENCY = "USDT"
"""Currency of the account, which perpetuals are settled in."""


def write_trades(file: Path, trades: Iterable[Trade]) -> None:
    """Write trades, one per row, the whole file or nothing; an existing file is replaced.

    Raises:
        ConfigError: the file cannot be written.
    """
    unfinished = file.with_name(f"{file.name}.{os.getpid()}.tmp")
    try:
        with unfinished.open("w", newline="", encoding="utf-8") as out:
            put_trades(out, trades)
        unfinished.replace(file)
    except OSError as error:
        raise ConfigError(f"{file}: the trades cannot be written: {error.strerror}") from error


def put_trades(out: TextIO, trades: Iterable[Trade]) -> None:
    """Write trades to an open file, one per row."""
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(_COLUMNS)
    writer.writerows(_row(trade) for trade in trades)


def put_taxable(out: TextIO, trades: Iterable[Trade]) -> None:
    """Write the result of each trade, in the columns that tax tools read.

    Args:
        out: an open file.
        trades: each is one realized gain or loss, at its exit.
    """
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(_TAX_COLUMNS)
    for trade in trades:
        amount = (_plain(abs(trade.pnl)), _CURRENCY)
        sent, received = (amount, ("", "")) if trade.pnl < 0 else (("", ""), amount)
        time = datetime.fromtimestamp(trade.exit_ms / 1000, UTC)
        direction = "short" if trade.side is Side.SELL else "long"
        described = (
            f"{trade.asset} perpetual, {direction} {_plain(trade.qty)} from "
            f"{_plain(trade.entry_price)} to {_plain(trade.exit_price)}; of which fees "
            f"{_plain(trade.fees)}, funding {_plain(trade.funding)}"
        )
        key = f"{trade.asset}-{trade.entry_ms}-{trade.exit_ms}"
        writer.writerow(
            (f"{time:%Y-%m-%d %H:%M:%S} UTC", *sent, *received, "realized gain", described, key)
        )


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


LAYOUTS: Mapping[str, Callable[[TextIO, Iterable[Trade]], None]] = MappingProxyType(
    {"plain": put_trades, "tax": put_taxable}
)
"""How trades can be written, by name."""
