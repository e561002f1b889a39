"""The JSON of closed candles, built once each."""

import orjson

from infra.venues.simulator.prices.bars import Window
from infra.venues.simulator.shapes.market import kline_row


class KlineRows:
    """Caches the rows of each series."""

    def __init__(self) -> None:
        self._written: dict[tuple[str, str], list[bytes]] = {}

    def done(self, window: Window) -> list[bytes]:
        """Return the rows of a window's closed candles, oldest first."""
        written = self._written.setdefault((window.symbol, window.interval), [])
        for bar in window.bars[len(written) : window.last]:
            written.append(orjson.dumps(kline_row(bar)))
        return written[window.first : window.last]
