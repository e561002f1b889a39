"""The comparable part of the strategy in other libraries; runs in their environment alone.

    python peer_runs.py backtesting|vectorbt|raptorbt FOLDER OUT.json

FOLDER holds candles as SYMBOL.npz. Averages, crosses, regime exits, stop loss, take profit and
fees; no portfolio rules, which the first two cannot express, and one account for each asset.
raptorbt has one account for all, a limit of positions and a halt by drawdown, rules of its own;
what enters and leaves is made before it and not counted, and it knows no longest hold. OUT.json
has the seconds of processor time, which other work on the machine hardly changes.
"""

import json
import sys
import time
import warnings
from pathlib import Path

import numpy as np
import pandas as pd

SHORT, LONG, WARM_UP, DAY = 240, 600, 3000, 288
STOP_LOSS, TAKE_PROFIT, FEE, SLIPPAGE, SHARE = 0.015, 0.06, 0.00055, 0.0002, 0.7


def read(folder):
    return {file.stem: dict(np.load(file)) for file in sorted(folder.glob("*.npz"))}


def signals(close):
    """Return where a short may be opened, and where the regime is active."""
    series = pd.Series(close)
    short = series.ewm(span=SHORT, adjust=False).mean().to_numpy()
    long = series.ewm(span=LONG, adjust=False).mean().to_numpy()
    active = (close < short) & (close < long) & (short < long)
    active[:WARM_UP] = False
    crossed = np.zeros(len(close), dtype=bool)
    for average in (short, long):
        crossed[1:] |= (close[:-1] > average[:-1]) & (close[1:] < average[1:])
    return active & crossed, active


def run_backtesting(candles):
    from backtesting import Backtest, Strategy  # noqa: PLC0415 - the other may not be there

    class Short(Strategy):
        def init(self):
            enter, active = signals(np.asarray(self.data.Close))
            self.enter = self.I(lambda: enter, plot=False)
            self.active = self.I(lambda: active, plot=False)

        def next(self):
            if self.position:
                held = len(self.data) - self.trades[0].entry_bar
                if not self.active[-1] or held >= DAY:
                    self.position.close()
            elif self.enter[-1]:
                price = self.data.Close[-1]
                stops = {"sl": price * (1 + STOP_LOSS), "tp": price * (1 - TAKE_PROFIT)}
                self.sell(size=SHARE / 10, **stops)

    trades = 0
    for columns in candles.values():
        index = pd.to_datetime(columns["open_time"], unit="ms")
        names = {name.capitalize(): columns[name] for name in ("open", "high", "low", "close")}
        frame = pd.DataFrame(names, index=index)
        costs = {"commission": FEE, "spread": SLIPPAGE, "margin": 0.1}
        run = Backtest(frame, Short, cash=1_000_000, trade_on_close=True, **costs)
        trades += int(run.run()["# Trades"])
    return trades


def run_vectorbt(candles):
    import vectorbt  # noqa: PLC0415 - the other may not be there

    trades = 0
    for columns in candles.values():
        enter, active = signals(columns["close"])
        portfolio = vectorbt.Portfolio.from_signals(
            columns["close"],
            entries=enter,
            exits=~active,
            direction="shortonly",
            open=columns["open"],
            high=columns["high"],
            low=columns["low"],
            sl_stop=STOP_LOSS,
            tp_stop=TAKE_PROFIT,
            fees=FEE,
            slippage=SLIPPAGE,
            size=SHARE,
            size_type="percent",
            freq="5min",
        )
        trades += int(portfolio.trades.count())
        portfolio.stats()
    return trades


def run_raptorbt(candles):
    """Return the trades, and the seconds of its own part."""
    import raptorbt  # noqa: PLC0415 - the other may not be there

    instruments = []
    for symbol, columns in candles.items():
        enter, active = signals(columns["close"])
        prices = [columns[name] for name in ("open", "high", "low", "close")]
        times_ns = columns["open_time"].astype(np.int64) * 1_000_000
        volume = np.ones(len(times_ns))
        instruments.append((times_ns, *prices, volume, enter, ~active, -1, 1.0, symbol))
    config = raptorbt.BacktestConfig(
        initial_capital=1_000_000.0,
        fees=FEE,
        slippage=SLIPPAGE,
        max_positions=3,
        max_drawdown_pct=99.0,
    )
    config.set_fixed_stop(STOP_LOSS)
    config.set_fixed_target(TAKE_PROFIT)
    began_s = time.process_time()
    found = raptorbt.run_portfolio_backtest(instruments, config)
    return int(found.metrics.total_trades), time.process_time() - began_s


def main():
    warnings.simplefilter("ignore")
    runs = {"backtesting": run_backtesting, "vectorbt": run_vectorbt, "raptorbt": run_raptorbt}
    run = runs[sys.argv[1]]
    candles = read(Path(sys.argv[2]))
    seconds = []
    # vectorbt compiles in its first run; its second is what it costs from then on.
    for _ in range(2 if run is run_vectorbt else 1):
        began_s = time.process_time()
        trades = run(candles)
        seconds.append(time.process_time() - began_s)
        if run is run_raptorbt:
            trades, seconds[-1] = trades
    Path(sys.argv[3]).write_text(json.dumps({"seconds": seconds, "trades": trades}))


if __name__ == "__main__":
    main()
