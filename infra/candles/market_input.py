"""Reads the candles that command line options select."""

from pathlib import Path

from domain.market.candles import CandleSeries
from domain.rules import TradingRules
from infra.candles.files import read_candles
from infra.process.times import read_time


def read_market(
    directory: Path, rules: TradingRules, from_time: str | None, to_time: str | None
) -> dict[str, CandleSeries]:
    """Return the candles of the enabled assets, by asset, in the order of the settings.

    Args:
        directory: of candle files, one per symbol.
        rules: name the assets and the candle length.
        from_time: ISO; open time of the first candle. None: the first of the files.
        to_time: ISO; close time of the last candle. None: the last of the files.

    Raises:
        ConfigError: a time, a file's name or the range is wrong.
        BadDataError: the content of a file is wrong.
    """
    by_symbol = read_candles(
        directory,
        [asset.instrument.symbol for asset in rules.assets],
        candle_ms=rules.candles.candle_ms,
        from_ms=None if from_time is None else read_time("--from", from_time),
        to_ms=None if to_time is None else read_time("--to", to_time),
    )
    return {asset.asset: by_symbol[asset.instrument.symbol] for asset in rules.assets}
