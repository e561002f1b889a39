"""What a run did in a period, in the form of a backtest, and the backtest of the same candles."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, replace

import numpy as np

from domain.backtesting.market import Market
from domain.backtesting.result import BacktestResult, EquitySeries, Refused
from domain.backtesting.run import run_backtest
from domain.backtesting.summary import in_order
from domain.errors import ConfigError
from domain.market.candles import CandleSeries
from domain.market.instruments import Candle
from domain.portfolio.protection import ProtectionState
from domain.rules import TradingRules
from domain.trading.positions import Execution, Position, book
from infra.candles.stored import series_of
from infra.store.ended import rules_of
from infra.store.location import Location
from infra.store.reader import FactReader


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RunPeriod:
    """A period of a run, both on the same grid of closes."""

    run: BacktestResult
    """What the run did; at each close the equity stored last."""
    backtest: BacktestResult
    """The backtest of its candles with the run's last rules."""


def read_period(
    journal: Location,
    from_ms: int | None,
    to_ms: int | None,
    counter: Callable[[Market], Callable[[int], None] | None] = lambda _market: None,
) -> RunPeriod:
    """Return a period of a run.

    Args:
        journal: of the run, which may be running.
        from_ms: first close; None: the first that the run decided on.
        to_ms: last close; None: the newest.
        counter: makes, from the candles, a callback that is told how many closes were played.

    Raises:
        ConfigError: the journal holds nothing of this period.
    """
    with closing(FactReader(journal)) as facts:
        rules, states = rules_of(facts, journal), facts.states()
        if not states:
            raise ConfigError(f"{journal}: holds no candles that a run has decided on")
        begin_ms = states[0].t_ms if from_ms is None else max(from_ms, states[0].t_ms)
        candles = _candles(facts, rules, begin_ms, to_ms)
        if not candles:
            raise ConfigError(f"{journal}: holds no candles of this period")
        assets = tuple(asset for asset in rules.assets if asset.asset in candles)
        before = next((s for s in reversed(states) if s.t_ms <= begin_ms), states[0])
        fills = replace(rules.fills, initial_balance=before.balance)
        rules = replace(rules, assets=assets, fills=fills)
        market = Market(candles)
        made = run_backtest(market, rules, counter(market))
        made = replace(made, counts_from_ms=begin_ms)
        return RunPeriod(run=_as_run(made, facts, states, begin_ms), backtest=made)


def _candles(
    facts: FactReader, rules: TradingRules, begin_ms: int, to_ms: int | None
) -> dict[str, CandleSeries]:
    """Return the candles of a period, with as many before it as the strategies need."""
    candle_ms = rules.candles.candle_ms
    warm_ms = begin_ms - rules.candles.warmup_candles * candle_ms
    found: defaultdict[str, list[Candle]] = defaultdict(list)
    for _, asset, candle in facts.candles():
        if candle.open_time_ms >= warm_ms and (to_ms is None or candle.close_time_ms <= to_ms):
            found[asset].append(candle)
    names = [asset.asset for asset in rules.assets]
    return {name: series_of(found[name], candle_ms) for name in names if found[name]}


def _as_run(
    made: BacktestResult, facts: FactReader, states: Sequence[ProtectionState], begin_ms: int
) -> BacktestResult:
    """Return the backtest's result with the facts of the run in place of its own."""
    end_ms, names = int(made.equity.time_ms[-1]), list(made.histories)
    decisions = [each for each in facts.decisions() if begin_ms <= each.t_ms <= end_ms]
    trades = [
        trade
        for _, trade in facts.trades()
        if trade.asset in names and begin_ms <= trade.entry_ms and trade.exit_ms <= end_ms
    ]
    refused = [
        Refused(asset=one.asset, t_ms=one.t_ms, reason=one.reason, signal_ms=one.signal_ms)
        for _, one in facts.denials()
        if one.asset in names and begin_ms <= one.t_ms <= end_ms
    ]
    executions = [each for each in facts.executions() if each.ts_ms <= end_ms]
    return replace(
        made,
        trades=in_order(trades, names),
        open_positions=[each for each in _open(executions) if each.asset in names],
        refused=sorted(refused, key=lambda one: (one.t_ms, names.index(one.asset))),
        protections=[each.protection for each in decisions if each.protection is not None],
        equity=_equity(made, [each for each in states if each.t_ms <= end_ms]),
        protection=next((s for s in reversed(states) if s.t_ms <= end_ms), states[0]),
    )


def _open(executions: Sequence[Execution]) -> list[Position]:
    held: dict[str, Position | None] = {}
    for execution in executions:
        held[execution.asset] = book(held.get(execution.asset), execution).position
    return [position for position in held.values() if position is not None]


def _equity(made: BacktestResult, states: Sequence[ProtectionState]) -> EquitySeries:
    """Return the equity stored last at each close; before the first: the initial equity."""
    time_ms = made.equity.time_ms
    indices = np.searchsorted([each.t_ms for each in states], time_ms, side="right")
    initial = made.initial_balance
    balance = np.array([initial, *(float(each.balance) for each in states)])
    equity = np.array([initial, *(float(each.equity) for each in states)])
    return EquitySeries(time_ms=time_ms, balance=balance[indices], equity=equity[indices])
