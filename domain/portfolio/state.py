"""All decisions about the portfolio: its books, its protection, its approvals.

The portfolio folds executions in the market's order (see `BookingKey`), not in that of arrival, so
that its decision at a close does not depend on which message came first.
"""

from bisect import insort
from collections.abc import Collection, Iterator, Mapping, Sequence
from copy import copy
from dataclasses import replace
from decimal import Decimal
from itertools import combinations, product

from domain.market.candles import CandleSeries
from domain.market.indicators import correlation
from domain.market.instruments import exact
from domain.portfolio.approvals import Blocked, RiskSnapshot, decide_entries
from domain.portfolio.capital import Capital
from domain.portfolio.entry_gate import EntryGate, blocked_before, blocked_now, kept_limits
from domain.portfolio.groups import Held, signed
from domain.portfolio.protection import (
    ProtectionState,
    drawdown_multiplier,
    fire,
    halt,
    rearm,
    sample,
    watch,
)
from domain.portfolio.protection import transfer as shifted
from domain.portfolio.rebalancing import Advice, advise
from domain.portfolio.snapshots import PairTally, PortfolioSnapshot
from domain.portfolio.windows import ReportedWindows, Windows
from domain.rules import TradingRules
from domain.trading.booking_order import DECISION_PHASE, BookingKey, booking_key
from domain.trading.cooldowns import CooldownReason
from domain.trading.decisions import (
    Approval,
    AssetEvaluation,
    Close,
    Decision,
    Denial,
    DenialReason,
    Protection,
)
from domain.trading.orders import ExitReason, Purpose
from domain.trading.positions import ZERO, Booked, Execution, Position, book
from domain.trading.streaks import LossStreak
from domain.trading.transfers import Transfer

_NO_TALLY = PairTally()
_PAIR = 2
_WITHOUT_COOLDOWN = frozenset({ExitReason.MALFUNCTION, ExitReason.OPERATOR})


class PortfolioState:
    """The fold of all assets' executions and closes.

    Always true: `balance` is the starting balance plus the cash of every folded execution and the
    amount of every transfer.
    """

    def __init__(
        self,
        rules: TradingRules,
        state: ProtectionState,
        initial_balance: Decimal,
        windows: Windows | None = None,
        *,
        explains: bool = True,
    ) -> None:
        """Start from a stored state (of the start, or of a restart) and no execution.

        Args:
            rules: the limits.
            state: the protection's state.
            initial_balance: quote, with every transfer that `state` has seen.
            windows: the log returns behind correlations; None: those of the closes reported.
            explains: answers to entries tell which limits were kept.
        """
        self._rules = rules
        self._pending: list[tuple[BookingKey, Execution]] = []
        self._windows = ReportedWindows(rules) if windows is None else windows
        self._explains = explains
        self._arrivals = 0
        self.protection = state
        self.balance = initial_balance
        self.capital_limit = Capital(rules.total_capital, rules.capital_changes)
        self.positions: dict[str, Position] = {}
        self.reserved: dict[str, Approval] = {}
        """Approvals that have neither filled nor failed yet."""
        self.suspended: set[str] = set()
        """Assets that get no new positions."""
        self.malfunctions: dict[str, str] = {}
        """What is broken, by its source; while anything is, nothing is opened (8.8)."""
        self.paused: frozenset[str] = frozenset()
        """Assets that the operator has paused."""
        self.panic_since_ms: int | None = None
        """During a panic: since when."""
        self.emergency_reason: ExitReason | None = None
        """Reason of the emergency that set the end of the protection's cooldown."""
        self.streak = LossStreak()
        self.trades = 0
        self.realized_pnl = ZERO
        self._cash = ZERO
        """Earned or lost by executions, quote."""
        self.prices: dict[str, Decimal] = {}
        """Newest known price of each asset: its close, or the exchange's mark price."""
        self._closes: dict[str, Decimal] = {}
        self._tallies: dict[str, PairTally] = {}

    @property
    def capital(self) -> Decimal:
        """The balance that sizing and limits use (multi-pair 10)."""
        return self.capital_limit.of(self.balance)

    @property
    def global_cooldown_end_ms(self) -> int:
        """The portfolio is in a cooldown at each t before this."""
        return max(self.protection.cooldown_end_ms, self.streak.cooldown_end_ms)

    @property
    def global_cooldown_reason(self) -> str:
        """Reason of the portfolio's newest cooldown; empty if there was none."""
        if self.streak.cooldown_end_ms > self.protection.cooldown_end_ms:
            return CooldownReason.LOSS_STREAK
        return "" if self.emergency_reason is None else self.emergency_reason

    def hear(self, execution: Execution) -> None:
        """Queue an execution; it is folded in its turn."""
        index, candle_ms = self._rules.order_of(execution.asset), self._rules.candles.candle_ms
        self._arrivals += 1
        key = booking_key(execution, index, self._arrivals, candle_ms)
        insort(self._pending, (key, execution), key=lambda pair: pair[0])

    def follows(self, report: AssetEvaluation) -> bool:
        """Tell whether no close is missing between the newest known one and a report's."""
        newest_ms = self._windows.newest_ms(report.asset)
        return report.t_ms <= newest_ms + self._rules.candles.candle_ms

    def remember_closes(self, asset: str, series: CandleSeries) -> None:
        """Fill an asset's window with closes that did not come as reports.

        Without them a correlation would pair returns of different times.
        """
        self._windows.remember(asset, series)
        if len(series):
            self.prices[asset] = self._closes[asset] = exact(float(series.close[-1]))

    def remember_close(self, asset: str, price: Decimal) -> None:
        """Record an asset's newest close, without the returns before it."""
        self.prices[asset] = self._closes[asset] = price

    def remember_price(self, asset: str, price: Decimal) -> None:
        """Set the price at which an asset is valued until its next close."""
        self.prices[asset] = price

    def apply_transfer(self, transfer: Transfer) -> None:
        """Shift the balance, and peak and day start as far as the capital changes by it."""
        now = self.present()
        moved = now.capital_limit.of(now.balance + transfer.amount) - now.capital
        self.balance += transfer.amount
        self.protection = shifted(self.protection, transfer.amount, capital=moved)

    def take_up_capital(self) -> None:
        """Shift peak and day start by changes of the capital that the stored state lacks.

        Call it at a start, once all executions were queued: new capital is neither gain nor loss.
        """
        now = self.present()
        moved = now.capital_limit.moved_after(self.protection.t_ms, now.balance)
        self.protection = shifted(self.protection, ZERO, capital=moved)

    def release(self, approval: Approval) -> None:
        """Free what an approval reserved, because it will never fill."""
        if self.reserved.get(approval.asset) == approval:
            del self.reserved[approval.asset]

    def deny(self, decision: Decision, why: str) -> Decision:
        """Return a decision without its approvals, and free what they had reserved."""
        for approval in decision.approvals:
            self.release(approval)
        denied = tuple(
            Denial(
                asset=approval.asset,
                t_ms=approval.t_ms,
                reason=DenialReason.MALFUNCTION,
                signal_ms=approval.signal_ms,
                figures=why,
                judged=approval.judged,
            )
            for approval in decision.approvals
        )
        return replace(decision, approvals=(), denials=(*decision.denials, *denied))

    def decide(self, t_ms: int, reports: Sequence[AssetEvaluation], *, now_ms: int) -> Decision:
        """Return the decision at a close, reserve its approvals, and remember its sample.

        Deciding a t again from the facts before its decisions gives the same decision.

        Args:
            t_ms: the close.
            reports: of that close, in the order of the settings.
            now_ms: the present time; signals of a close long past are stale.
        """
        self.fold_before(t_ms)
        for report in reports:
            self._apply_close(report)
        self.protection = sample(
            self.protection,
            equity=self.equity(),
            balance=self.balance,
            t_ms=t_ms,
            rules=self._rules.protection,
        )
        present = self._entry_gate(t_ms, now_ms)
        already = blocked_before(present, self._rules)
        self.protection, reason = fire(
            self.protection,
            open_correlation=self._firing_correlation(t_ms),
            rules=self._rules.protection,
        )
        protection = None
        if reason is not None:
            protection = self._protection(reason, self, reports)
            present = self._entry_gate(t_ms, now_ms)
        if all(report.signal is None for report in reports):
            return Decision(t_ms=t_ms, protection=protection)
        blocked = already or blocked_now(present, protection, self._rules)
        approvals, denials = decide_entries(
            reports, self._risk_snapshot(present, blocked), self._rules
        )
        self.reserved.update((approval.asset, approval) for approval in approvals)
        return Decision(t_ms=t_ms, approvals=approvals, denials=denials, protection=protection)

    def watch(self, t_ms: int) -> Protection | None:
        """Check the present between closes, and return what fires on it.

        Correlations are judged only at closes.

        Args:
            t_ms: the present time; not that of a close, because it identifies the decision.
        """
        now = self.present()
        state = watch(
            self.protection,
            equity=now.equity(),
            balance=now.balance,
            t_ms=t_ms,
            rules=self._rules.protection,
        )
        self.protection, reason = fire(state, open_correlation=None, rules=self._rules.protection)
        return None if reason is None else self._protection(reason, now, ())

    def between_closes(self, now_ms: int) -> int:
        """Return the time of a decision between closes: the present, but never that of a close."""
        t_ms = max(now_ms, self.protection.t_ms + 1)
        return t_ms + (t_ms % self._rules.candles.candle_ms == 0)

    def close_all(self, t_ms: int) -> Protection:
        """Return the close of all positions on a malfunction; no cooldown follows from it."""
        self.protection = replace(self.protection, t_ms=t_ms, epoch=self.protection.epoch + 1)
        return self._protection(ExitReason.MALFUNCTION, self.present(), ())

    def panic(self, t_ms: int) -> Protection:
        """Return the operator's close of everything; nothing is opened after it."""
        self.protection = replace(self.protection, t_ms=t_ms, epoch=self.protection.epoch + 1)
        return self._protection(ExitReason.OPERATOR, self.present(), ())

    def halt(self) -> None:
        """Let nothing be opened until the operator ends it."""
        self.protection = halt(self.protection)

    def begin_epoch(self) -> None:
        """Make every approval so far void."""
        self.protection = replace(self.protection, epoch=self.protection.epoch + 1)

    def rearm(self) -> None:
        """End a halt; if there is none, only begin an epoch."""
        if self.protection.is_halted:
            self.protection = rearm(self.protection)
        else:
            self.begin_epoch()

    def fold_before(self, t_ms: int) -> None:
        """Fold queued executions of earlier closes, and fills inside the candle that ends at t."""
        while self._pending and self._pending[0][0] < (t_ms, DECISION_PHASE):
            self.book(self._pending.pop(0)[1])

    def fold_all(self) -> None:
        """Fold everything queued so far: the present state, for display and reports."""
        while self._pending:
            self.book(self._pending.pop(0)[1])

    def equity(self) -> Decimal:
        """Return the capital plus unrealized PnL at the newest prices, quote."""
        unrealized = (
            position.unrealized_pnl(self.prices.get(asset, position.avg_entry_price))
            for asset, position in self.positions.items()
        )
        return self.capital + sum(unrealized, ZERO)

    def present(self) -> "PortfolioState":
        """Return a copy with everything queued so far folded."""
        now = copy(self)
        vars(now).update(
            positions=dict(self.positions),
            reserved=dict(self.reserved),
            _pending=list(self._pending),
            _tallies=dict(self._tallies),
        )
        now.fold_all()
        return now

    def snapshot(self) -> PortfolioSnapshot:
        """Return a snapshot of everything queued so far, at the newest prices."""
        now = self.present()
        state = replace(self.protection, equity=now.equity(), balance=now.balance)
        return PortfolioSnapshot(
            balance=now.balance,
            equity=state.equity,
            exposure=sum((held.notional for held in now.positions.values()), ZERO),
            drawdown=max(ZERO, state.drawdown),
            daily_loss=state.daily_loss,
            day_start_equity=state.day_start_equity,
            positions=now.positions,
            prices=dict(self.prices),
            global_cooldown_end_ms=now.global_cooldown_end_ms,
            global_cooldown_reason=now.global_cooldown_reason,
            is_halted=state.is_halted,
            is_reduced=state.is_reduced,
            trades=now.trades,
            realized_pnl=now.realized_pnl,
            streak=now.streak.losses,
            open_correlation=self._open_correlation(self.protection.close_ms, now.positions),
            correlations=dict(self._correlations(self.protection.close_ms, now.positions)),
            paused=self._in_order(self.paused),
            panic_since_ms=self.panic_since_ms,
            malfunctions=dict(self.malfunctions),
            suspended=self._in_order(self.suspended),
            capital=now.capital,
            cash=now._cash,  # noqa: SLF001 (a copy of itself)
            entry_capital=state.entry_capital,
            size_multiplier=now._size_multiplier(self.protection.close_ms),  # noqa: SLF001
            tallies=now._tallies,  # noqa: SLF001
            advice=now.advice(),
        )

    def advice(self) -> tuple[Advice, ...]:
        """Return the rebalancing advice for what is open, at the newest closes."""
        unrealized = (
            position.unrealized_pnl(self._closes.get(asset, position.avg_entry_price))
            for asset, position in self.positions.items()
        )
        equity = self.balance + sum(unrealized, ZERO)
        return tuple(advise(self.positions, self._closes, equity, self._rules))

    def book(self, execution: Execution) -> Booked:
        """Fold an execution at once, when none can come before it, and return what it did."""
        booked = book(self.positions.get(execution.asset), execution)
        self.balance += booked.cash
        self._cash += booked.cash
        self.capital_limit = self.capital_limit.booked(execution.ts_ms, booked.cash)
        approval = self.reserved.get(execution.asset)
        if approval is not None and execution.decided_ms == approval.t_ms:
            del self.reserved[execution.asset]
        if booked.position is None:
            self.positions.pop(execution.asset, None)
        else:
            self.positions[execution.asset] = booked.position
        self._count(execution.asset, booked)
        if booked.trade is not None:
            self.trades += 1
            self.realized_pnl += booked.trade.pnl
            rules = self._rules.protection
            self.streak = self.streak.apply(
                booked.trade, limit=rules.loss_streak, cooldown_ms=rules.loss_streak_cooldown_ms
            )
        return booked

    def _count(self, asset: str, booked: Booked) -> None:
        before, trade = self._tallies.get(asset, _NO_TALLY), booked.trade
        self._tallies[asset] = PairTally(
            cash=before.cash + booked.cash,
            trades=before.trades + (trade is not None),
            wins=before.wins + (trade is not None and trade.pnl > 0),
        )

    def _apply_close(self, report: AssetEvaluation) -> None:
        self._windows.append(report)
        self.prices[report.asset] = self._closes[report.asset] = exact(report.close)

    def _protection(
        self, reason: ExitReason, held: "PortfolioState", reports: Sequence[AssetEvaluation]
    ) -> Protection:
        state = self.protection
        if reason not in _WITHOUT_COOLDOWN:
            self.emergency_reason = reason
        return Protection(
            t_ms=state.t_ms,
            reason=reason,
            closes=tuple(held.closes(reason, reports)),
            epoch=state.epoch,
            cooldown_end_ms=state.cooldown_end_ms,
            figures=f"drawdown={state.drawdown:.4f} daily_loss={state.daily_loss:.4f}",
        )

    def closes(self, reason: ExitReason, reports: Sequence[AssetEvaluation]) -> Iterator[Close]:
        """Return what has to be closed, each with the reason of its first close."""
        own = {report.asset: report.strategy_exit for report in reports}
        # An entry in flight may still fill: it is closed like the others.
        for asset in sorted({*self.positions, *self.reserved}, key=self._rules.order_of):
            strategy_exit = own.get(asset)
            if reason is ExitReason.OPERATOR:
                yield Close(asset=asset, purpose=Purpose.OPERATOR, reason=reason)
            elif strategy_exit is not None:
                yield Close(asset=asset, purpose=Purpose.EXIT, reason=strategy_exit)
            else:
                yield Close(asset=asset, purpose=Purpose.EMERGENCY, reason=reason)

    def _entry_gate(self, t_ms: int, now_ms: int) -> EntryGate:
        return EntryGate(
            t_ms=t_ms,
            now_ms=now_ms,
            protection=self.protection,
            cooldown_end_ms=self.global_cooldown_end_ms,
            cooldown_reason=self.global_cooldown_reason,
            panic_since_ms=self.panic_since_ms,
            malfunctions=self.malfunctions,
        )

    def _risk_snapshot(self, present: EntryGate, blocked: Blocked | None) -> RiskSnapshot:
        held: dict[str, Approval | Position] = {**self.reserved, **self.positions}
        return RiskSnapshot(
            t_ms=present.t_ms,
            balance=self.capital,
            held={asset: Held(side=one.side, notional=one.notional) for asset, one in held.items()},
            suspended=frozenset(self.suspended),
            paused=self.paused,
            size_multiplier=self._size_multiplier(present.t_ms),
            protection_epoch=self.protection.epoch,
            blocked=blocked,
            kept=lambda: kept_limits(present, self._rules),
            explains=self._explains,
            correlate=lambda left, right: self._correlation(present.t_ms, left, right),
        )

    def _in_order(self, assets: Collection[str]) -> tuple[str, ...]:
        return tuple(rule.asset for rule in self._rules.assets if rule.asset in assets)

    def _firing_correlation(self, t_ms: int) -> float | None:
        """Return the correlation of the open positions, if a protection on it can fire."""
        # Ten positions are 45 pairs, and this is computed at every close.
        if self._rules.protection.high_correlation_threshold is None:
            return None
        return self._open_correlation(t_ms, self.positions)

    def _open_correlation(self, t_ms: int, held: Mapping[str, Position]) -> float | None:
        if len(held) < _PAIR:
            return None
        series = [
            (self._windows.deviations(asset, t_ms), held[asset].side)
            for asset in sorted(held, key=self._rules.order_of)
        ]
        judged = [
            signed(correlation(left, right), left_side, right_side)
            for (left, left_side), (right, right_side) in combinations(series, 2)
        ]
        found = [value for value in judged if value is not None]
        return sum(found) / len(found) if found else None

    def _correlations(
        self, t_ms: int, held: Collection[str]
    ) -> Iterator[tuple[tuple[str, str], float | None]]:
        for rules, other in product(self._rules.assets, held):
            if rules.asset != other:
                yield (rules.asset, other), self._correlation(t_ms, rules.asset, other)

    def _size_multiplier(self, t_ms: int) -> Decimal:
        rules = self._rules.protection
        multiplier = drawdown_multiplier(self.protection, rules)
        if rules.high_correlation_size_level is None:
            return multiplier
        found = self._open_correlation(t_ms, self.positions)
        is_high = found is not None and found > rules.high_correlation_size_level
        return multiplier * rules.high_correlation_size_multiplier if is_high else multiplier

    def _correlation(self, t_ms: int, left: str, right: str) -> float | None:
        windows = self._windows
        return correlation(windows.deviations(left, t_ms), windows.deviations(right, t_ms))
