"""Runs the rules over candles in one plain loop: what the actors do by messages, on one page.

Each close goes through the steps (a) to (e) of strategy 10.3.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from domain.market.candles import CandleSeries
from domain.market.funding import FundingHistory, funding_rate
from domain.market.instruments import Candle, exact
from domain.portfolio.protection import initial_state
from domain.portfolio.state import PortfolioState
from domain.rules import StopPolicy, TradingRules
from domain.trading.asset import AssetState
from domain.trading.decisions import Approval, AssetEvaluation, Close, Decision
from domain.trading.intents import close_intent, entry_intent
from domain.trading.matching import CandlePrices, Event, MatchingEngine
from domain.trading.order import Order
from domain.trading.orders import Intent, Purpose
from domain.trading.positions import Execution, Position, Trade
from domain.trading.trailing import StopState, first_stop, follow, policy_of


@dataclass(kw_only=True)
class Result:
    """Result of a run."""

    trades: list[Trade] = field(default_factory=list)
    decisions: list[Decision] = field(default_factory=list)
    """Only those in which an entry was signalled or a protection fired."""


class Backtest:
    """One run over the candles of all assets."""

    def __init__(self, candles: Mapping[str, CandleSeries], rules: TradingRules) -> None:
        """Prepare a run; candles by asset."""
        self._rules = rules
        self._names = [asset.asset for asset in rules.assets if asset.asset in candles]
        self._candles = candles
        self._assets = {name: AssetState(name, rules) for name in self._names}
        start_ms = min(int(series.open_time_ms[0]) for series in candles.values())
        self.engine = MatchingEngine(rules.fills)
        balance = rules.fills.initial_balance
        state = initial_state(balance, start_ms, limit=rules.total_capital)
        self.portfolio = PortfolioState(rules, state, balance)
        self.stops: dict[str, StopState] = {}
        """Stop of each open position."""
        self.result = Result()

    def run(self) -> Result:
        """Return the trades and decisions of the whole run."""
        for t_ms, candles in candles_by_close(self._candles, self._names):
            for name, candle in candles.items():
                self._inside(name, candle)
            self._at_close(t_ms, candles)
        return self.result

    def _inside(self, name: str, candle: Candle) -> None:
        history = self._candles[name].funding
        position = self._assets[name].position
        if position is None:
            return
        inside = InsideCandle(self.engine, self._rules, candle, history)
        events, stop = inside.events(position, self.stops[name])
        self.stops[name] = stop
        for event in events:
            self._apply(event)

    def _at_close(self, t_ms: int, candles: Mapping[str, Candle]) -> None:
        reports = []
        self.portfolio.fold_before(t_ms)
        for name, candle in candles.items():
            asset = self._assets[name]
            asset.global_cooldown_end_ms = self.portfolio.global_cooldown_end_ms
            asset.apply_candle(candle)
            report = asset.report(may_enter=True)
            if report is not None:
                reports.append(report)
        decision = self.portfolio.decide(t_ms, reports, now_ms=t_ms)
        if not decision.is_empty:
            self.result.decisions.append(decision)
        self._fill(reports, decision)

    def _fill(self, reports: list[AssetEvaluation], decision: Decision) -> None:
        closes = [
            Close(asset=report.asset, purpose=Purpose.EXIT, reason=report.strategy_exit)
            for report in reports
            if report.strategy_exit is not None
        ]
        if decision.protection is not None:
            closes += decision.protection.closes
        taking_part = {report.asset for report in reports}
        for close in closes:
            if close.asset in taking_part:
                self._close(close, decision.t_ms)
        for approval in sorted(
            decision.approvals, key=lambda approval: self._names.index(approval.asset)
        ):
            self._open(approval)

    def _close(self, close: Close, t_ms: int) -> None:
        position = self.engine.positions.get(close.asset)
        if position is None:
            return
        intent = close_intent(
            position, decided_ms=t_ms, purpose=close.purpose, reason=close.reason, attempt=1
        )
        self._trade(intent)

    def _open(self, approval: Approval) -> None:
        self._trade(entry_intent(approval, self._rules))
        position = self._assets[approval.asset].position
        if position is not None:
            self.stops[approval.asset] = first_stop(position, self._rules)
            self.engine.set_stops(approval.asset, self.stops[approval.asset].levels)

    def _trade(self, intent: Intent) -> None:
        request, t_ms, order = intent.request, intent.decided_ms, Order(intent=intent)
        self.engine.submit(request, t_ms)
        close = self.portfolio.prices[request.asset]
        for event in self.engine.fill(request.client_order_id, close, t_ms):
            if isinstance(event, Execution):
                self._apply(order.explain(event))

    def _apply(self, event: Event) -> None:
        if isinstance(event, Execution):
            booked = self._assets[event.asset].apply_execution(event)
            self.portfolio.hear(event)
            if booked.trade is not None:
                self.stops.pop(event.asset, None)
                self.result.trades.append(booked.trade)


class InsideCandle:
    """What the exchange does to one asset inside a candle: funding, stops, the trail (10.2, 5)."""

    def __init__(
        self,
        engine: MatchingEngine,
        rules: TradingRules,
        candle: Candle,
        funding: FundingHistory | None = None,
    ) -> None:
        self._engine, self._rules, self._candle, self._funding = engine, rules, candle, funding
        self._prices = CandlePrices(
            open=exact(candle.open),
            high=exact(candle.high),
            low=exact(candle.low),
            close=exact(candle.close),
        )

    def events(self, position: Position, stop: StopState) -> tuple[list[Event], StopState]:
        """Return the executions of an open position, and its stop after them."""
        events: list[Event] = []
        fills, candle = self._rules.fills, self._candle
        rate = funding_rate(candle.open_time_ms, fills.funding, self._funding)
        if rate is not None:
            events += self._engine.settle_funding(
                position.asset, self._prices.open, rate, candle.open_time_ms
            )
        policy = policy_of(position, self._rules)
        if policy.trail_fraction is None:
            ended = self._engine.trade_through(
                position.asset, self._prices, candle.close_time_ms, stop.reason
            )
            return [*events, *ended], stop
        ended, stop = self._along_the_path(position, stop, policy)
        return [*events, *ended], stop

    def _along_the_path(
        self, position: Position, stop: StopState, policy: StopPolicy
    ) -> tuple[list[Event], StopState]:
        instrument = self._rules.asset(position.asset).instrument
        for index, price in enumerate(self._prices.path):
            ended = self._engine.touch(
                position.asset,
                price,
                self._prices,
                self._candle.close_time_ms,
                is_open=index == 0,
                stop_reason=stop.reason,
            )
            if ended:
                return ended, stop
            moved = follow(stop, price, policy, instrument)
            if moved.levels != stop.levels:
                self._engine.set_stops(position.asset, moved.levels)
            stop = moved
        return [], stop


def candles_by_close(
    candles: Mapping[str, CandleSeries], names: list[str]
) -> Iterator[tuple[int, dict[str, Candle]]]:
    """Yield each close time with the candles that end at it, by name."""
    first_ms = min(int(series.open_time_ms[0]) + series.candle_ms for series in candles.values())
    last_ms = max(int(series.open_time_ms[-1]) + series.candle_ms for series in candles.values())
    step_ms = next(iter(candles.values())).candle_ms
    coming = {name: candles[name].candles() for name in names}
    heads = {name: next(candles_of, None) for name, candles_of in coming.items()}
    for t_ms in range(first_ms, last_ms + 1, step_ms):
        closing = {
            name: candle
            for name, candle in heads.items()
            if candle is not None and candle.close_time_ms == t_ms
        }
        for name in closing:
            heads[name] = next(coming[name], None)
        yield t_ms, closing
