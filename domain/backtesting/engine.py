"""Runs the rules over candles in leaps, from one close at which something can happen to the next.

It decides as `plain_loop.py` does: every decision is made by the same functions of the domain.
It only skips the closes that need no decision: no entry is possible, no position ends or is
funded, and no protection can fire. Tests compare it with the plain loop.
"""

from collections.abc import Callable, Sequence
from decimal import Decimal

import numpy as np

from domain.backtesting.asset_run import AssetRun
from domain.backtesting.correlations import RoughCorrelations
from domain.backtesting.histories import average_periods, history_of
from domain.backtesting.market import Market
from domain.backtesting.result import BacktestResult, EquitySeries, Refused
from domain.backtesting.summary import in_order
from domain.backtesting.watch import MARGIN, Limits, is_idle, needs_check
from domain.backtesting.windows import HistoryWindows
from domain.market.indicators import Array
from domain.market.instruments import DAY_MS, Side
from domain.portfolio.protection import initial_state, sample
from domain.portfolio.state import PortfolioState
from domain.rules import EntryTerms, TradingRules
from domain.strategies.registry import strategy_class
from domain.trading.decisions import Approval, AssetEvaluation, Decision, DenialReason, Protection
from domain.trading.matching import funding_execution, taker_fee, worsened
from domain.trading.orders import ExitReason
from domain.trading.positions import Booked, Execution, ExecutionKind, Trade


def play_in_leaps(
    market: Market, rules: TradingRules, tell: Callable[[int], None] | None = None
) -> BacktestResult:
    """Return what the rules make of the candles.

    Args:
        market: candles by asset; others than those of the rules take no part.
        rules: which assets, limits and costs; each strategy offers a history.
        tell: called after each leap with how many closes of the grid are played.
    """
    return _Run(market, rules).result(tell)


class _Run:
    """One run. Closes are numbers on the market's grid."""

    def __init__(self, market: Market, rules: TradingRules) -> None:
        self._market, self._rules = market, rules
        window = rules.candles.volatility_window
        market.prepare(average_periods(rules))
        windows = HistoryWindows(market, window)
        self._assets = [
            AssetRun(
                market,
                market.assets[asset.asset],
                rules,
                windows,
                strategy_class(asset.terms.strategy.name),
                history_of(market, asset.asset, rules),
            )
            for asset in rules.assets
            if asset.asset in market.assets
        ]
        self._by_name = {asset.name: asset for asset in self._assets}
        balance = rules.fills.initial_balance
        state = initial_state(balance, market.first_open_ms, limit=rules.total_capital)
        self._portfolio = PortfolioState(rules, state, balance, windows, explains=False)
        self._limits = Limits(rules.protection)
        self._rough = RoughCorrelations(window)
        self._day = self._day_ends_at = -1
        self._done = -1
        """The newest close that is done."""
        self._is_settled = False
        """Nothing is open, and another close with this balance would change nothing."""
        self._trades: list[Trade] = []
        self._refused: list[Refused] = []
        self._protections: list[Protection] = []
        self._balances = np.empty(market.closes)
        self._equities = np.empty(market.closes)

    def result(self, tell: Callable[[int], None] | None) -> BacktestResult:
        """Play all closes and return the result."""
        last = self._market.closes - 1
        while self._done < last:
            self._leap()
            if tell is not None:
                tell(self._done + 1)
        portfolio = self._portfolio
        self._price_open(last)
        indices = {asset.name: index for index, asset in enumerate(self._assets)}
        self._balances[-1], self._equities[-1] = portfolio.balance, portfolio.equity()
        return BacktestResult(
            rules=self._rules,
            market=self._market,
            histories={asset.name: asset.history for asset in self._assets},
            trades=in_order(self._trades, [asset.asset for asset in self._rules.assets]),
            open_positions=list(portfolio.positions.values()),
            refused=sorted(self._refused, key=lambda one: (one.t_ms, indices[one.asset])),
            protections=self._protections,
            equity=EquitySeries(
                time_ms=self._market.times_ms,
                balance=self._balances,
                equity=self._equities,
            ),
            protection=portfolio.protection,
        )

    # Leaps from event to event.

    def _leap(self) -> None:
        """Play all closes up to the next event, and that event."""
        first, last = self._done + 1, self._market.closes - 1
        free_from = self._free_from()
        coming = [asset.next_event(first, free_from) for asset in self._assets]
        event = min(*coming, self._midnight(first), last)
        filled = [asset for asset in self._assets if asset.acts_at == event]
        # Events inside the candle come before the equity at its close is checked.
        end = event if filled else event + 1
        check_at = self._watch(first, end)
        close = min(event, check_at)
        if first < free_from:
            self._refuse_blocked(first, min(close, free_from))
        if close < event:
            filled = []
        self._play(close, filled, must_decide=bool(filled) or check_at < end)

    def _free_from(self) -> int:
        """Return the first close at which entries have to be looked at."""
        if self._portfolio.protection.is_halted:
            return self._market.closes
        return self._market.first_close_from(self._portfolio.global_cooldown_end_ms)

    def _midnight(self, first: int) -> int:
        """Return the first close of the next day; it does not matter if nothing is open."""
        if not self._portfolio.positions:
            return self._market.closes
        return max(first, self._day_end())

    def _day_end(self) -> int:
        """Return the first close after the day of the newest sample."""
        day = self._portfolio.protection.day
        if day != self._day:
            self._day, self._day_ends_at = day, self._market.first_close_from((day + 1) * DAY_MS)
        return self._day_ends_at

    def _refuse_blocked(self, first: int, end: int) -> None:
        """Count the entries of the closes in [first, end), which are all blocked."""
        is_halted = self._portfolio.protection.is_halted
        reason = DenialReason.HALTED if is_halted else DenialReason.GLOBAL_COOLDOWN
        for asset in self._assets:
            if asset.name in self._portfolio.positions:
                continue
            for t_ms, signal_ms in asset.entries_between(first, end):
                self._refused.append(
                    Refused(asset=asset.name, t_ms=t_ms, reason=reason, signal_ms=signal_ms)
                )

    # Protection between events.

    def _watch(self, first: int, end: int) -> int:
        """Return the first close in [first, end) that is not surely idle, or `end`.

        The idle ones are played: their equity is recorded and the peak follows it.
        """
        if first >= end:
            return end
        portfolio = self._portfolio
        capital = float(portfolio.capital)
        self._balances[first:end] = float(portfolio.balance)
        if not portfolio.positions:
            self._equities[first:end] = capital
            return self._watch_flat(first, end, capital)
        equity = self._equities[first:end]
        equity[:] = capital
        for asset in self._open_assets():
            asset.add_unrealized(equity, first, end)
        span = float(np.minimum.reduce(equity)), float(np.maximum.reduce(equity))
        idle = self._idle_closes(equity, first, *span)
        if idle == len(equity):
            self._raise_peak(equity, first, span[1])
        elif idle:
            self._raise_peak(equity[:idle], first, float(np.maximum.reduce(equity[:idle])))
        return first + idle

    def _watch_flat(self, first: int, end: int, capital: float) -> int:
        portfolio = self._portfolio
        found = self._limits.acting_on(portfolio.protection)
        if not self._is_settled and not is_idle(capital, capital, found):
            return first
        if capital > found.peak * (1 - MARGIN) or self._is_past_midnight(end - 1):
            # Every close of the span would give the same sample, except for its day.
            self._sample(self._market.time_ms(end - 1))
        return end

    def _is_past_midnight(self, close: int) -> bool:
        return close >= self._day_end()

    def _sample(self, t_ms: int) -> None:
        portfolio = self._portfolio
        portfolio.protection = sample(
            portfolio.protection,
            equity=portfolio.equity(),
            balance=portfolio.balance,
            t_ms=t_ms,
            rules=self._rules.protection,
        )

    def _idle_closes(self, equity: Array, first: int, lowest: float, highest: float) -> int:
        """Return how many closes, from the first on, are surely idle."""
        flags = None
        found = self._limits.acting_on(self._portfolio.protection)
        if not is_idle(lowest, highest, found):
            flags = needs_check(equity, found)
        limit = self._rules.protection.high_correlation_threshold
        if len(self._portfolio.positions) > 1 and limit is not None and limit < 1.0:
            held = [
                (self._by_name[name].market, position.side)
                for name, position in self._portfolio.positions.items()
            ]
            moved = self._rough.may_exceed(held, first, first + len(equity), limit)
            flags = moved if flags is None else flags | moved
        return len(equity) if flags is None or not flags.any() else int(flags.argmax())

    def _raise_peak(self, equity: Array, first: int, highest: float) -> None:
        """Let the peak follow the equity of idle closes exactly."""
        portfolio = self._portfolio
        room = MARGIN * abs(highest)
        if highest < float(portfolio.protection.peak_equity) - room:
            return
        for index in np.flatnonzero(equity >= highest - room).tolist():
            for asset in self._open_assets():
                portfolio.remember_price(asset.name, asset.price(first + index))
            self._sample(self._market.time_ms(first + index))

    # A single close.

    def _play(self, close: int, filled: Sequence[AssetRun], *, must_decide: bool) -> None:
        """Play one close in the order of strategy 10.3.

        Args:
            close: which.
            filled: the assets for which the exchange acts inside its candle.
            must_decide: the portfolio looks at the close even if no asset asks for an entry.
        """
        self._done, t_ms = close, self._market.time_ms(close)
        for asset in filled:
            self._fill_inside(asset, close, t_ms)
        cooldown_end_ms = self._portfolio.global_cooldown_end_ms
        found = [
            asset.report(close, t_ms, cooldown_end_ms)
            for asset in self._assets
            if asset.speaks_from <= close
        ]
        reports = [report for report in found if report is not None]
        signals = sum(report.signal is not None for report in reports)
        if signals > 1 or self._rules.risk.volatility_sizing:
            # The volatility does not matter for a single signal of full size.
            reports = [self._by_name[report.asset].measured(report) for report in reports]
        decision = None
        if must_decide or signals:
            decision = self._decide(close, t_ms, reports)
        elif self._portfolio.positions and self._is_past_midnight(close):
            self._price_open(close)
            self._sample(t_ms)
        self._fill_at_close(close, t_ms, reports, decision)

    def _fill_inside(self, asset: AssetRun, close: int, t_ms: int) -> None:
        rate = asset.funding_rate(close)
        if rate is not None:
            self._fund(asset, asset.open_price(close), rate, close)
        fill = asset.fill_inside(close)
        if fill is not None:
            self._end(asset, fill.price, t_ms, fill.reason, decided_ms=None)

    def _fund(self, asset: AssetRun, price: Decimal, rate: Decimal, close: int) -> None:
        position = self._portfolio.positions[asset.name]
        open_ms = self._market.time_ms(close) - self._market.candle_ms
        self._book(funding_execution(position, price, rate, open_ms, exec_id=""))
        asset.funded(self._portfolio.positions[asset.name], close)

    def _decide(self, close: int, t_ms: int, reports: list[AssetEvaluation]) -> Decision:
        portfolio = self._portfolio
        self._price_open(close)
        before = portfolio.protection
        decision = portfolio.decide(t_ms, reports, now_ms=t_ms)
        is_idle = not (portfolio.positions or decision.approvals)
        self._is_settled = is_idle and before.equals_but_for_time(portfolio.protection)
        self._balances[close] = float(portfolio.balance)
        self._equities[close] = float(portfolio.protection.equity)
        self._refused += [
            Refused(
                asset=denial.asset,
                t_ms=denial.t_ms,
                reason=denial.reason,
                signal_ms=denial.signal_ms,
            )
            for denial in decision.denials
        ]
        if decision.protection is not None:
            self._protections.append(decision.protection)
        return decision

    def _price_open(self, close: int) -> None:
        for asset in self._open_assets():
            self._portfolio.remember_price(asset.name, asset.price(close))

    def _fill_at_close(
        self, close: int, t_ms: int, reports: list[AssetEvaluation], decision: Decision | None
    ) -> None:
        for report in reports:
            if report.strategy_exit is not None:
                self._exit(report.asset, close, t_ms, report.strategy_exit)
        if decision is None:
            return
        if decision.protection is not None:
            for ordered in decision.protection.closes:
                if ordered.asset in self._portfolio.positions:
                    self._exit(ordered.asset, close, t_ms, ordered.reason)
        for approval in sorted(decision.approvals, key=lambda g: self._rules.order_of(g.asset)):
            self._enter(approval, close, t_ms)

    def _exit(self, name: str, close: int, t_ms: int, reason: ExitReason) -> None:
        asset = self._by_name[name]
        if asset.market.is_open(close):
            self._end(asset, asset.price(close), t_ms, reason, decided_ms=t_ms)

    def _end(
        self,
        asset: AssetRun,
        price: Decimal,
        t_ms: int,
        reason: ExitReason,
        *,
        decided_ms: int | None,
    ) -> None:
        position = self._portfolio.positions[asset.name]
        side = position.side.opposite
        execution = self._execution(
            asset.name, side, position.qty, price, t_ms, decided_ms=decided_ms, reason=reason
        )
        trade = self._book(execution).trade
        if trade is not None:
            self._trades.append(trade)
            asset.closed(trade)

    def _enter(self, approval: Approval, close: int, t_ms: int) -> None:
        execution = self._execution(
            approval.asset,
            approval.side,
            approval.qty,
            approval.price,
            t_ms,
            decided_ms=t_ms,
            signal_ms=approval.signal_ms,
            terms=approval.terms,
        )
        position = self._book(execution).position
        if position is not None:
            self._by_name[approval.asset].opened(position, close)

    def _execution(
        self,
        asset: str,
        side: Side,
        qty: Decimal,
        price: Decimal,
        t_ms: int,
        *,
        decided_ms: int | None,
        reason: ExitReason | None = None,
        signal_ms: int | None = None,
        terms: EntryTerms | None = None,
    ) -> Execution:
        fills = self._rules.fills
        filled_at = worsened(price, side, fills)
        return Execution(
            exec_id="",
            asset=asset,
            ts_ms=t_ms,
            kind=ExecutionKind.TRADE,
            side=side,
            qty=qty,
            price=filled_at,
            fee=taker_fee(qty, filled_at, fills),
            decided_ms=decided_ms,
            reason=reason,
            signal_ms=signal_ms,
            terms=terms,
        )

    def _book(self, execution: Execution) -> Booked:
        self._is_settled = False
        return self._portfolio.book(execution)

    def _open_assets(self) -> list[AssetRun]:
        return [self._by_name[name] for name in self._portfolio.positions]
