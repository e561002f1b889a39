"""What a run did, compared close by close with what the rules decide on the same facts.

There is no second history: at each close the rules get the books as the facts had them, so that
one difference does not lead to a hundred others, and each is reported with its cause.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal

from domain.market.candles import CandleSeries
from domain.market.instruments import Candle, Side, exact
from domain.portfolio.protection import ProtectionState
from domain.portfolio.state import PortfolioState
from domain.rules import TradingRules
from domain.trading.asset import AssetState
from domain.trading.booking_order import counts_before
from domain.trading.decisions import Approval, AssetEvaluation, Decision, Denial, DenialReason
from domain.trading.order import Order
from domain.trading.orders import ExitReason, Purpose
from domain.trading.positions import ZERO, Execution, ExecutionKind, Position, Trade
from domain.trading.sizing import protective_levels
from domain.trading.transfers import Transfer

_LIVE_ONLY = frozenset(
    {
        DenialReason.STALE,
        DenialReason.PAUSED,
        DenialReason.MALFUNCTION,
        DenialReason.LIQUIDITY,
    }
)
"""Reasons that do not exist in a backtest."""
_NOTHING = "nothing"


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """The stored facts of a run."""

    candles: Mapping[str, CandleSeries]
    """Candles by asset, from the first stored one."""
    late_ms: Mapping[tuple[str, int], int]
    """By asset and close: how long after the close its candle arrived."""
    decisions: Mapping[int, Decision]
    """By close; only those in which an entry was signalled or a protection fired."""
    denials: Mapping[tuple[str, int], Denial]
    """By asset and close; including signals that came after the decision."""
    orders: Sequence[Order]
    executions: Sequence[Execution]
    """Executions in the order in which they were booked."""
    booked_ms: Mapping[str, int]
    """By execution id: when it was booked."""
    states: Sequence[ProtectionState]
    """Equity samples, oldest first."""
    transfers: Sequence[Transfer]


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One thing that the run did not do as the rules decide."""

    t_ms: int
    asset: str
    rules: str
    """What the rules decide."""
    done: str
    cause: str


@dataclass(slots=True, kw_only=True)
class Parity:
    """Result of the comparison over a period."""

    from_ms: int
    until_ms: int
    closes: int = 0
    """Number of compared closes of assets."""
    alike: int = 0
    """Number of approvals, denials, exits, stops and protections that were the same."""
    differences: list[Difference] = field(default_factory=list)
    fills: int = 0
    """Number of executions of decisions at closes."""
    cost: Decimal = ZERO
    """How much worse their prices were than the close, quote; negative is better."""
    notional: Decimal = ZERO
    fees: Decimal = ZERO

    @property
    def slippage_bps(self) -> Decimal | None:
        """Average cost of fills against the close; None without fills."""
        return self.cost / self.notional * 10_000 if self.notional else None

    @property
    def fee_rate(self) -> Decimal | None:
        """Fees / notional; None without fills."""
        return self.fees / self.notional if self.notional else None


def compare(record: Record, rules: TradingRules, from_ms: int, until_ms: int) -> Parity:
    """Compare the closes after `from_ms`, up to `until_ms`.

    Args:
        record: the stored facts, from the first candle.
        rules: the rules of the run.
        from_ms: a time on the grid of candles, like `until_ms`.
        until_ms: the last close.
    """
    return compare_spans(record, [(rules, from_ms, until_ms)])


def compare_spans(record: Record, spans: Sequence[tuple[TradingRules, int, int]]) -> Parity:
    """Compare a period in which the rules changed.

    Args:
        record: the stored facts, from the first candle.
        spans: rules, each with start and end; each begins where the one before ends.
    """
    parity = Parity(from_ms=spans[0][1], until_ms=spans[-1][2])
    for rules, from_ms, until_ms in spans:
        shadow, candle_ms = _Shadow(record, rules, from_ms), rules.candles.candle_ms
        for t_ms in range(from_ms + candle_ms, until_ms + 1, candle_ms):
            shadow.close(t_ms, parity)
    _add_costs(parity, record, spans[0][0].candles.candle_ms)
    return parity


class _Shadow:
    """Applies the rules to the books of the facts."""

    def __init__(self, record: Record, rules: TradingRules, from_ms: int) -> None:
        self._record = record
        self._rules = rules
        self._candle_ms = rules.candles.candle_ms
        self._waiting = list(record.executions)
        self._transfers = sorted(record.transfers, key=lambda transfer: transfer.ts_ms)
        self._states = list(record.states)
        self._orders = {order.client_order_id: order for order in record.orders}
        self._exits = {
            (order.intent.decided_ms, order.intent.request.asset): order.intent.reason
            for order in reversed(record.orders)
            if order.intent.purpose is Purpose.EXIT
        }
        self._assets = {
            rule.asset: AssetState(rule.asset, rules)
            for rule in rules.assets
            if rule.asset in record.candles
        }
        first = record.states[0]
        self._portfolio = PortfolioState(rules, first, first.balance)
        for name, state in self._assets.items():
            before = record.candles[name].until(from_ms)
            state.apply_candles(before)
            self._portfolio.remember_closes(name, before)
        for execution in self._due(from_ms):
            self._fold(execution)
        self._portfolio.reserved.update(self._on_their_way(from_ms))

    def _on_their_way(self, from_ms: int) -> dict[str, Approval]:
        """Return by asset the approvals up to a time that were filled too late to count at it."""
        filled = {(each.asset, each.decided_ms) for each in self._waiting if each.reason is None}
        granted = (a for decision in self._record.decisions.values() for a in decision.approvals)
        return {a.asset: a for a in granted if a.t_ms <= from_ms and (a.asset, a.t_ms) in filled}

    def close(self, t_ms: int, parity: Parity) -> None:
        """Decide one close, and compare it with what was done."""
        before, ended = self._catch_up(t_ms)
        self._portfolio.fold_before(t_ms)
        reports = []
        for name, state in self._assets.items():
            index = self._record.candles[name].index_at_close(t_ms)
            if index is None:
                continue
            candle = self._record.candles[name].candle(index)
            self._judge_stop(before[name], candle, ended.get(name), parity)
            state.global_cooldown_end_ms = self._portfolio.global_cooldown_end_ms
            state.apply_candle(candle)
            report = state.report(may_enter=True)
            if report is not None:
                reports.append(report)
        parity.closes += len(reports)
        done = self._record.decisions.get(t_ms, Decision(t_ms=t_ms))
        # As if every signal had come in time; the books then get only what took up room.
        wanted = self._portfolio.present().decide(t_ms, reports, now_ms=t_ms)
        decision = self._portfolio.decide(t_ms, _in_time(reports, done), now_ms=t_ms)
        self._judge(t_ms, reports, (decision, wanted), done, parity)
        for approval in decision.approvals:
            if not self._has_filled(approval):
                self._portfolio.release(approval)

    def _catch_up(self, t_ms: int) -> tuple[dict[str, Position | None], dict[str, ExitReason]]:
        """Fold everything before t's decisions.

        Returns:
            What was open inside the candle, and what the exchange closed of it, by asset.
        """
        due = self._due(t_ms)
        for execution in due:
            if execution.decided_ms is not None:  # of the close before
                self._fold(execution)
        before = {name: state.position for name, state in self._assets.items()}
        ended: dict[str, ExitReason] = {}
        for execution in due:
            if execution.decided_ms is None:
                trade = self._fold(execution)
                if trade is not None:
                    ended[execution.asset] = trade.reason
        return before, ended

    def _due(self, t_ms: int) -> list[Execution]:
        """Fold transfers and states before a time; return the executions that count before it."""
        while self._transfers and self._transfers[0].ts_ms < t_ms:
            self._portfolio.apply_transfer(self._transfers.pop(0))
        while self._states and self._states[0].t_ms < t_ms:
            self._portfolio.protection = self._states.pop(0)
        due = [e for e in self._waiting if counts_before(e, t_ms, self._candle_ms)]
        self._waiting = [e for e in self._waiting if not counts_before(e, t_ms, self._candle_ms)]
        return due

    def _fold(self, execution: Execution) -> Trade | None:
        self._portfolio.hear(execution)
        state = self._assets.get(execution.asset)
        return None if state is None else state.apply_execution(execution).trade

    def _has_filled(self, approval: Approval) -> bool:
        order = self._orders.get(approval.client_order_id)
        return order is not None and bool(order.state.filled_qty)

    # Comparisons.

    def _judge_stop(
        self,
        position: Position | None,
        candle: Candle,
        done: ExitReason | None,
        parity: Parity,
    ) -> None:
        """Compare what the exchange closed inside a candle with the candle's extremes."""
        decided_ms = None if position is None else position.decided_ms
        if position is None or decided_ms is None or decided_ms > candle.open_time_ms:
            return
        levels = protective_levels(
            position.avg_entry_price,
            position.side,
            self._rules.asset(position.asset).stops,
            self._rules.asset(position.asset).instrument,
        )
        high, low = exact(candle.high), exact(candle.low)
        is_short = position.side is Side.SELL
        lost = high >= levels.stop_loss if is_short else low <= levels.stop_loss
        target = levels.take_profit
        won = target is not None and (low <= target if is_short else high >= target)
        wanted = ExitReason.STOP_LOSS if lost else ExitReason.TAKE_PROFIT if won else None
        if wanted is None and done not in {ExitReason.STOP_LOSS, ExitReason.TAKE_PROFIT}:
            return
        cause = f"high {high} low {low}, stop {levels.stop_loss} target {levels.take_profit}"
        self._note(candle.close_time_ms, position.asset, wanted, done, cause, parity)

    def _judge(
        self,
        t_ms: int,
        reports: Sequence[AssetEvaluation],
        decisions: tuple[Decision, Decision],
        done: Decision,
        parity: Parity,
    ) -> None:
        """Compare a close with the decision over the signals in time, and with that over all."""
        decision, wanted = decisions
        fired = None if decision.protection is None else decision.protection.reason
        was_fired = None if done.protection is None else done.protection.reason
        if fired or was_fired:
            self._note(t_ms, "portfolio", fired, was_fired, "unexplained", parity)
        for report in reports:
            exited = self._exits.get((t_ms, report.asset))
            if report.strategy_exit or exited:
                cause = self._why_late(report.asset, t_ms)
                if exited is None:
                    cause = self._why_not_closed(report.asset, t_ms) or cause
                cause = cause or "unexplained"
                self._note(t_ms, report.asset, report.strategy_exit, exited, cause, parity)
            answer = decision.answer_to(report.asset) or wanted.answer_to(report.asset)
            self._judge_signal(report, answer, done, parity)

    def _judge_signal(
        self,
        report: AssetEvaluation,
        wanted: Approval | Denial | None,
        done: Decision,
        parity: Parity,
    ) -> None:
        found = done.answer_to(report.asset) or self._record.denials.get(
            (report.asset, report.t_ms)
        )
        cause = self._cause(report, found)
        if wanted is not None or found is not None:
            self._note(report.t_ms, report.asset, _text(wanted), _text(found), cause, parity)
        if isinstance(found, Approval):
            self._judge_fill(report, found, parity)

    def _cause(self, report: AssetEvaluation, found: Approval | Denial | None) -> str:
        if isinstance(found, Denial) and found.reason in _LIVE_ONLY:
            return found.figures
        late = self._why_late(report.asset, report.t_ms)
        if late:
            return late
        return "the close was not decided" if found is None else "unexplained"

    def _why_not_closed(self, asset: str, t_ms: int) -> str:
        """Return why an asset found nothing to close at t; empty: no cause was found."""
        for execution in self._record.executions:
            asked_ms = execution.decided_ms
            if execution.asset != asset or asked_ms is None or asked_ms == t_ms:
                continue
            is_entry = execution.reason is None
            told = (self._booked_late if is_entry else self._under_way)(execution, asked_ms, t_ms)
            if told:
                return told
        return ""

    def _under_way(self, close: Execution, asked_ms: int, t_ms: int) -> str:
        """Explain by a close in flight at t that was requested before the asset decided."""
        decides_ms = self._record.late_ms.get((close.asset, t_ms), 0)
        decides_ms += t_ms + self._rules.approval.coordination_window_ms
        if not (asked_ms <= decides_ms and close.ts_ms >= t_ms):
            return ""
        before_s = (t_ms - asked_ms) / 1000
        when = f"{abs(before_s):.1f} s {'before' if before_s > 0 else 'after'} the close"
        who = "the operator" if close.reason is ExitReason.OPERATOR else f"{close.reason}"
        return f"it was being closed by {who}, asked for {when}"

    def _booked_late(self, entry: Execution, _: int, t_ms: int) -> str:
        """Explain by a fill before t that was booked after the asset decided."""
        booked_ms = self._record.booked_ms.get(entry.exec_id, 0)
        if not entry.ts_ms < t_ms <= booked_ms:
            return ""
        before_s, after_s = (t_ms - entry.ts_ms) / 1000, (booked_ms - t_ms) / 1000
        return f"its fill {before_s:.1f} s before the close was booked {after_s:.1f} s after it"

    def _why_late(self, asset: str, t_ms: int) -> str:
        late_ms = self._record.late_ms.get((asset, t_ms), 0)
        if late_ms <= self._rules.candles.entry_max_age_ms:
            return ""
        return f"its candle was there {late_ms / 1000:.0f} s after the close"

    def _judge_fill(self, report: AssetEvaluation, approval: Approval, parity: Parity) -> None:
        order = self._orders.get(approval.client_order_id)
        if order is None or not order.state.filled_qty:
            status = "no order" if order is None else str(order.state.status)
            self._note(report.t_ms, report.asset, "filled", status, "the order failed", parity)

    def _note(
        self,
        t_ms: int,
        asset: str,
        wanted: str | None,
        done: str | None,
        cause: str,
        parity: Parity,
    ) -> None:
        if wanted == done:
            parity.alike += 1
            return
        parity.differences.append(
            Difference(
                t_ms=t_ms,
                asset=asset,
                rules=wanted or _NOTHING,
                done=done or _NOTHING,
                cause=cause,
            )
        )


def _in_time(reports: Sequence[AssetEvaluation], done: Decision) -> list[AssetEvaluation]:
    """Return reports without the signals that were not decided together with the others.

    They came too late, or their asset was paused, and took up no room.
    """
    found = []
    for report in reports:
        answer = done.answer_to(report.asset)
        is_paused = isinstance(answer, Denial) and answer.reason is DenialReason.PAUSED
        took_part = answer is not None and not is_paused
        found.append(report if took_part else replace(report, signal=None))
    return found


def _text(answer: Approval | Denial | None) -> str | None:
    if answer is None:
        return None
    if isinstance(answer, Approval):
        return f"granted {answer.qty:f}"
    return f"refused {answer.reason}"


def _add_costs(parity: Parity, record: Record, candle_ms: int) -> None:
    """Add the cost of fills against the closes of their decisions."""
    for execution, close in _fills(record, candle_ms, parity):
        worse = close - execution.price if execution.side is Side.SELL else execution.price - close
        parity.fills += 1
        parity.cost += worse * execution.qty
        parity.notional += close * execution.qty
        parity.fees += execution.fee


def _fills(record: Record, candle_ms: int, parity: Parity) -> Iterator[tuple[Execution, Decimal]]:
    for execution in record.executions:
        t_ms, series = execution.decided_ms, record.candles.get(execution.asset)
        if t_ms is None or series is None or execution.kind is not ExecutionKind.TRADE:
            continue
        index = series.index_at_close(t_ms)
        if index is None or t_ms % candle_ms or not parity.from_ms < t_ms <= parity.until_ms:
            continue
        yield execution, exact(float(series.close[index]))
