"""Symbols and intervals on the command line."""

from collections.abc import Sequence

from domain.errors import ConfigError
from domain.market.instruments import MINUTE_MS
from infra.venues.bybit.shapes.queries import interval_of


def read_symbols(text: str) -> Sequence[str]:
    """Return the symbols of `--symbols`, without repeats.

    Raises:
        ConfigError: one is not a symbol.
    """
    symbols = list(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))
    wrong = [s for s in symbols if not (s.isascii() and s.isalnum() and s.isupper())]
    if wrong or not symbols:
        raise ConfigError(
            f"--symbols {text!r}: expected perpetuals as the exchange names them, like "
            "BTCUSDT,ETHUSDT"
        )
    return symbols


def read_candle_ms(minutes: int) -> int:
    """Return the interval of `--interval` in ms.

    Raises:
        ConfigError: the exchange has no such candles.
    """
    try:
        interval_of(minutes * MINUTE_MS)
    except ValueError as error:
        allowed = "1, 3, 5, 15, 30, 60, 120, 240, 360 or 720"
        raise ConfigError(f"--interval {minutes}: expected minutes: {allowed}") from error
    return minutes * MINUTE_MS
