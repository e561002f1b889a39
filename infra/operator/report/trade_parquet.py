"""Trades as parquet, for notebooks: times are timestamps, and money is double."""

import os
from collections.abc import Sequence
from pathlib import Path

from domain.errors import ConfigError
from domain.market.instruments import Side
from domain.trading.positions import Trade

_MONEY = ("qty", "entry_price", "exit_price", "fees", "funding", "pnl")


def write_parquet(file: Path, trades: Sequence[Trade]) -> None:
    """Write trades, one per row, the whole file or nothing; an existing file is replaced.

    Raises:
        ConfigError: the file cannot be written.
    """
    # Imported here, as it costs programs that write no file tens of ms and MB.
    import pyarrow as pa  # noqa: PLC0415
    from pyarrow import parquet  # noqa: PLC0415

    time = pa.timestamp("ms", tz="UTC")
    columns = {
        "asset": pa.array([trade.asset for trade in trades], pa.string()),
        "side": pa.array([_side(trade) for trade in trades], pa.string()),
        "entry_time": pa.array([trade.entry_ms for trade in trades], time),
        "exit_time": pa.array([trade.exit_ms for trade in trades], time),
    }
    for name in _MONEY:
        columns[name] = pa.array([float(getattr(trade, name)) for trade in trades], pa.float64())
    columns["reason"] = pa.array([trade.reason.value for trade in trades], pa.string())
    unfinished = file.with_name(f"{file.name}.{os.getpid()}.tmp")
    try:
        parquet.write_table(pa.table(columns), unfinished)
        unfinished.replace(file)
    except OSError as error:
        unfinished.unlink(missing_ok=True)
        reason = error.strerror or str(error)
        raise ConfigError(f"{file}: the trades cannot be written: {reason}") from error


def _side(trade: Trade) -> str:
    return "short" if trade.side is Side.SELL else "long"
