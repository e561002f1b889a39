"""Drives a replay: one close after another, each step only after the previous one is done."""

from collections.abc import Callable, Iterator, Mapping

from domain.backtesting.plain_loop import candles_by_close
from domain.market.candles import CandleSeries
from domain.market.instruments import Candle
from domain.rules import TradingRules
from infra.venues.replay.clock import ReplayClock
from infra.venues.replay.exchange import ReplayExchange
from infra.venues.replay.feed import ReplayFeed

WaitQuiet = Callable[[], bool]
"""Waits until no message is in flight; False if the run is to end."""


class LockStep:
    """The steps of every close t, in the order of strategy 10.3.

    Fills inside the candle; all closed candles, while orders rest accepted; their fills at the
    close. Between the steps the system becomes idle, so nothing depends on the timing of threads.
    """

    def __init__(self, candles: Mapping[str, CandleSeries], rules: TradingRules) -> None:
        """Prepare a run over all candles."""
        self.candles = candles
        self._rules = rules
        first_ms = min(int(series.open_time_ms[0]) for series in candles.values())
        self.clock = ReplayClock(first_ms)
        self.feed = ReplayFeed(candles)
        self.exchange = ReplayExchange(
            rules, self.clock, {name: series.funding for name, series in candles.items()}
        )

    def steps(self, wait_quiet: WaitQuiet) -> Iterator[tuple[int, int]]:
        """Yield each close and the number of its candles, and play it when resumed.

        Ends early if the run is to end.
        """
        self._wait_quiet = wait_quiet
        # No time passes before all have started: otherwise starts would depend on thread timing.
        if not wait_quiet():
            return
        names = [asset.asset for asset in self._rules.assets]
        for t_ms, candles in candles_by_close(self.candles, names):
            yield t_ms, len(candles)
            if not self._step(t_ms, candles):
                return

    def _step(self, t_ms: int, candles: Mapping[str, Candle]) -> bool:
        if not self._let_pass(t_ms):
            return False
        if self.exchange.trade_inside(candles.items()) and not self._wait_quiet():
            return False
        self.feed.publish(t_ms, candles.items())
        if not self._wait_quiet() or not self._end_coordination(t_ms):
            return False
        closes = {asset: candle.close for asset, candle in candles.items()}
        return not self.exchange.fill_at_close(closes, t_ms) or self._wait_quiet()

    def _let_pass(self, until_ms: int) -> bool:
        while self.clock.step(until_ms):
            if not self._wait_quiet():
                return False
        return True

    def _end_coordination(self, t_ms: int) -> bool:
        """End the wait for a missing asset's evaluation, before the fills.

        A portfolio that crashed meanwhile waits once more, from its restart.
        """
        window_ms = self._rules.approval.coordination_window_ms
        until_ms = t_ms + window_ms
        while self.clock.step(until_ms):
            if not self._wait_quiet():
                return False
            until_ms = max(until_ms, self.clock.now_ms() + window_ms)
        return True
