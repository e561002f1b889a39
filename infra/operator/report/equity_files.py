"""Balance and equity of a backtest as csv."""

import os
from pathlib import Path

from domain.backtesting.result import EquitySeries
from domain.errors import ConfigError


def write_equity(file: Path, series: EquitySeries) -> None:
    """Write a row for every close: time_ms, balance, equity; the whole file or nothing.

    Raises:
        ConfigError: the file cannot be written.
    """
    rows = zip(
        series.time_ms.tolist(), series.balance.tolist(), series.equity.tolist(), strict=True
    )
    unfinished = file.with_name(f"{file.name}.{os.getpid()}.tmp")
    try:
        with unfinished.open("w", encoding="utf-8") as out:
            out.write("time_ms,balance,equity\n")
            out.writelines(f"{time_ms},{balance},{equity}\n" for time_ms, balance, equity in rows)
        unfinished.replace(file)
    except OSError as error:
        raise ConfigError(f"{file}: the equity cannot be written: {error.strerror}") from error
