"""The actor of the portfolio: waits for all assets' reports of a close, then decides over them.

Receives: AssetReported from the assets; PositionChanged, OrderRejected, PositionMarked from the
executions, and AssetFlat, AssetFrozen, AssetThawed, MalfunctionBegan, MalfunctionEnded;
TransferSeen, WalletSeen from the account; OperatorAsked from the roof; CoordinationEnded,
ReservationExpired, WatchDue from its own timers; StateWanted from the notifier; Restarted, GivenUp.
Publishes: EntryGranted, EntryRefused, GlobalCooldownStarted to the assets; ClosePosition,
Flatten and ResolveEntry to the executions; ProtectionFired, LossStreakReached, RiskRaised,
SystemChanged, StateTold to the notifier.
Owns: balance, exposure, reservations, drawdown, daily loss, correlations, the global cooldown, the
operator's pauses and panic.
"""

from dataclasses import replace

from actors.core.actor import Incarnation, SupervisedActor
from actors.messages import (
    AssetFlat,
    AssetFrozen,
    AssetReported,
    AssetThawed,
    ClosePosition,
    CoordinationEnded,
    Describe,
    EntryGranted,
    EntryRefused,
    GivenUp,
    GlobalCooldownStarted,
    LossStreakReached,
    MalfunctionBegan,
    MalfunctionEnded,
    Message,
    OperatorAsked,
    OrderRejected,
    PositionChanged,
    PositionMarked,
    ProtectionFired,
    ReservationExpired,
    ResolveEntry,
    Restarted,
    StateTold,
    StateWanted,
    TransferSeen,
    WalletSeen,
    WatchDue,
)
from actors.names import NOTIFIER, asset_name, asset_of, execution_name
from actors.operating import Operations, told_of
from actors.ports import Clock, Feed, Journals, Timer
from actors.watch import LiveChecks, MalfunctionWatch, WalletAudit, lost_journal_risk, transfer_risk
from domain.candles import CandleSeries
from domain.closing import is_younger
from domain.decisions import Decision, Grant, Protection, Refusal, RefusalReason, Report
from domain.facts import Fact, StoredExecution
from domain.market import exact
from domain.operator import CommandName, OperatorCommand
from domain.portfolio import PortfolioState
from domain.positions import ZERO
from domain.protection import ProtectionState, initial_state
from domain.rules import TradingRules
from domain.snapshots import PortfolioSnapshot
from domain.transfers import Transfer


class PortfolioActor(SupervisedActor):
    """All assets at once."""

    def __init__(
        self,
        incarnation: Incarnation,
        *,
        rules: TradingRules,
        feed: Feed,
        clock: Clock,
        journals: Journals,
        checks: LiveChecks | None = None,
        unknown: tuple[str, ...] = (),
    ) -> None:
        """Take over `portfolio`.

        Args:
            incarnation: the life.
            rules: the limits.
            feed: the newest closes.
            clock: for timers.
            journals: where the facts are.
            checks: between closes; None where nothing happens between them.
            unknown: assets that were open at the exchange while the journal knew of nothing.
        """
        super().__init__(incarnation)
        self._rules = rules
        self._feed = feed
        self._clock = clock
        self._journals = journals
        self._assets = tuple(asset.asset for asset in rules.assets)
        self._applied_through = dict.fromkeys(self._assets, 0)
        self._reports: dict[int, dict[str, Report]] = {}
        """Of closes not decided yet, by close and asset."""
        self._timers: dict[int | str, Timer] = {}
        """By the close that waits for reports, or the asset whose grant waits for its fill."""
        self._told_cooldown_ms = 0
        self._checks = checks
        self._unknown = unknown
        self._is_moved = False
        """A price or the balance has changed since the equity was looked at."""
        self._malfunctions: MalfunctionWatch | None = None
        self._wallet = WalletAudit()
        self._frozen: set[str] = set()

    def on_start(self) -> None:
        """Rebuild the books from the facts, and tell again what was decided last."""
        self._journal = self.hold(self._journals.open(self.name, lambda: self.origin))
        self._stored_state = self._read_state()
        oldest = self._journal.oldest_state() or self._stored_state
        transfers = self._journal.transfers()
        self._transfers = {transfer.transfer_id for transfer in transfers}
        initial_balance = oldest.balance + sum((t.amount for t in transfers), ZERO)
        self._state = PortfolioState(self._rules, self._stored_state, initial_balance)
        self._suspend()
        self._operations = Operations(rules=self._rules, books=self._state, wallet=self._wallet)
        self._operations.read(self._journal)
        self._protection = self._journal.newest_protection()
        self._decision = self._journal.newest_decision(self._rules.strategy.candle_ms)
        # A close whose sample is stored was decided, if only to do nothing.
        decided_ms = 0 if self._decision is None else self._decision.t_ms
        self._decided_ms = max(decided_ms, self._stored_state.close_ms)
        for asset in self._assets:
            stored = self._journal.executions(asset)
            self._reserve_again(asset, {s.execution.client_order_id for s in stored})
            self._hear(stored)
            self._remember_market(asset)
        self._state.fold_before(self._decided_ms)
        self._tell_closes()
        self._tell_operations()
        self._tell_cooldown()
        if oldest.is_halted and self._stored_state.is_halted:
            self.tell(NOTIFIER, lost_journal_risk(oldest.t_ms, self._unknown))
        if self._protection is not None:
            self.tell(NOTIFIER, ProtectionFired(protection=self._protection))
        if self._checks is not None:
            self._malfunctions = MalfunctionWatch(self._rules, self._checks, self.now_ms)
            self._is_moved = True
            self._watch_again(self._checks)

    def handle(self, message: Message) -> PortfolioSnapshot | OperatorCommand | None:
        """Do what a message says."""
        match message:
            case Describe():
                return self._snapshot()
            case StateWanted():
                self.tell(NOTIFIER, StateTold(snapshot=self._snapshot()))
            case OperatorAsked():
                return self._on_operator(message)
            case AssetFlat():
                self._on_flat(message)
            case AssetReported(report=report):
                self._on_report(report)
            case PositionChanged(fact_id=fact_id, execution=execution):
                self._on_execution(StoredExecution(fact_id=fact_id, execution=execution))
            case OrderRejected():
                self._on_rejected(message)
            case PositionMarked():
                self._on_marked(message)
            case TransferSeen(transfer=transfer):
                self._on_transfer(transfer)
            case WalletSeen():
                self._on_wallet(message)
            case AssetFrozen(asset=asset):
                self._frozen.add(asset)
                self._suspend()
            case AssetThawed(asset=asset):
                self._frozen.discard(asset)
                self._suspend()
            case MalfunctionBegan() | MalfunctionEnded():
                self._on_malfunction(message)
            case WatchDue():
                self._on_watch()
            case CoordinationEnded(t_ms=t_ms):
                if t_ms in self._reports:
                    self._decide(t_ms)
            case ReservationExpired(grant=grant):
                self._on_reservation_expired(grant)
            case Restarted(address=address):
                self._on_restarted(address)
            case GivenUp(address=address):
                self._on_given_up(address)
            case _:
                self.refuse(message)
        return None

    def _on_report(self, report: Report) -> None:
        newest_ms = max(self._reports, default=0)
        if report.t_ms <= self._decided_ms or report.t_ms < newest_ms:
            self._answer_late(report)
            return
        if report.t_ms > newest_ms:
            self._forget_reports(newest_ms)
        self._reports.setdefault(report.t_ms, {})[report.asset] = report
        if report.t_ms not in self._timers:
            due_ms = self.now_ms + self._rules.grant.coordination_window_ms
            self._remind(report.t_ms, due_ms, CoordinationEnded(t_ms=report.t_ms))
        self._decide_complete()

    def _answer_late(self, report: Report) -> None:
        """Repeat the answer to a report, or refuse a wish that no decision knows."""
        if self._answer(report.asset, report.t_ms) or report.wish is None:
            return
        refusal = Refusal(
            asset=report.asset,
            t_ms=report.t_ms,
            reason=RefusalReason.STALE,
            cross_ms=report.wish.cross_ms,
            figures=f"decided_ms={self._decided_ms}",
        )
        self._journal.append(refusal)
        self.tell(asset_name(report.asset), EntryRefused(refusal=refusal))

    def _on_execution(self, stored: StoredExecution) -> None:
        self._hear([stored])
        execution, fired = stored.execution, self._protection
        is_entry = execution.decided_ms is not None and execution.reason is None
        if fired is not None and is_entry and (execution.decided_ms or 0) < fired.t_ms:
            # It was under way when everything was closed.
            self._tell_closes()
        if is_entry and self._operations.wants_closed(execution.asset):
            self._tell_operations()

    # The operator.

    def _on_operator(self, message: OperatorAsked) -> OperatorCommand:
        done = self._operations.do(message.command, message.operator, self._between_closes())
        self._journal.append(*done.facts)
        if self._state.protection in done.facts:
            self._stored_state = self._state.protection
        self._note_broken()
        if done.answer.is_done:
            self._tell_done(message.command.name, done.answer)
        return done.answer

    def _tell_done(self, name: CommandName, answer: OperatorCommand) -> None:
        if name is CommandName.PANIC:
            self._protection = self._journal.newest_protection()
            if self._protection is not None:
                self._tell_protection(self._protection)
        else:
            self.tell(NOTIFIER, told_of(answer))
        self._tell_closes()
        self._tell_operations()

    def _on_flat(self, message: AssetFlat) -> None:
        for risk in self._operations.on_flat(message):
            self.tell(NOTIFIER, risk)

    def _tell_operations(self) -> None:
        """Tell what the operator has asked for and what is not so yet."""
        for close in self._operations.closes():
            self.tell(execution_name(close.asset), close)
        for flatten in self._operations.flattenings():
            self.tell(execution_name(flatten.asset), flatten)

    def _snapshot(self) -> PortfolioSnapshot:
        return replace(self._state.snapshot(), not_flat=self._operations.not_flat)

    def _on_marked(self, message: PositionMarked) -> None:
        if self._malfunctions is not None:
            self._malfunctions.sources.hear(message.asset, message.ts_ms)
        self._state.remember_price(message.asset, message.mark_price)
        self._is_moved = True

    def _on_transfer(self, transfer: Transfer) -> None:
        """Book a transfer once; it and what it shifts are stored together, or neither is."""
        if transfer.transfer_id in self._transfers:
            return
        self._transfers.add(transfer.transfer_id)
        self._state.apply_transfer(transfer)
        self._stored_state = self._state.protection
        self._journal.append(transfer, self._stored_state)
        self.tell(NOTIFIER, transfer_risk(transfer))

    def _on_wallet(self, message: WalletSeen) -> None:
        risk = self._wallet.compare(self._state.present().balance, message.balance, message.ts_ms)
        self._note_broken()
        if risk is not None:
            self.tell(NOTIFIER, risk)

    def _note_broken(self) -> None:
        """Let nothing be opened while anything is broken, or the balance is in doubt."""
        watched = {} if self._malfunctions is None else self._malfunctions.details
        self._state.malfunctions = {**watched, **self._wallet.details}

    def _on_malfunction(self, message: MalfunctionBegan | MalfunctionEnded) -> None:
        if self._malfunctions is None:
            return
        if isinstance(message, MalfunctionBegan):
            self._malfunctions.sources.begin(message.source, message.detail)
        else:
            self._malfunctions.sources.end(message.source)

    # Between closes.

    def _on_watch(self) -> None:
        if self._malfunctions is None or self._checks is None:
            return
        self._watch_malfunctions(self._malfunctions)
        if self._is_moved:
            self._is_moved = False
            self._protect(self._state.watch(self._between_closes()))
        self._watch_again(self._checks)

    def _watch_malfunctions(self, malfunctions: MalfunctionWatch) -> None:
        held = self._state.present().positions
        risks, is_new = malfunctions.look(self.now_ms, held)
        self._note_broken()
        for risk in risks:
            self.tell(NOTIFIER, risk)
        if is_new and held and self._rules.protection.malfunction_closes_all:
            self._protect(self._state.close_all(self._between_closes()))

    def _watch_again(self, checks: LiveChecks) -> None:
        self._remind("watch", self.now_ms + checks.every_ms, WatchDue())

    def _between_closes(self) -> int:
        """Return the present; a decision at a very close would take the name of that close's."""
        t_ms = max(self.now_ms, self._state.protection.t_ms + 1)
        return t_ms + (t_ms % self._rules.strategy.candle_ms == 0)

    def _protect(self, protection: Protection | None) -> None:
        """Store what fired between closes and tell it; else what is worth it of the equity."""
        state = self._state.protection
        if protection is not None:
            self._stored_state = state
            self._journal.append(state, Decision(t_ms=protection.t_ms, protection=protection))
            self._tell_protection(protection)
            self._tell_closes()
            self._tell_cooldown()
        elif state.is_worth_storing(self._stored_state):
            self._stored_state = state
            self._journal.append(state)

    def _on_rejected(self, message: OrderRejected) -> None:
        grant = self._state.reserved.get(message.asset)
        if grant is not None and grant.client_order_id == message.client_order_id:
            self._state.release(grant)

    def _on_reservation_expired(self, grant: Grant) -> None:
        if self._state.reserved.get(grant.asset) == grant:
            self.tell(execution_name(grant.asset), ResolveEntry(grant=grant))

    def _on_restarted(self, address: str) -> None:
        if address == NOTIFIER:
            self._tell_streak()
            for risk in () if self._malfunctions is None else self._malfunctions.risks():
                self.tell(NOTIFIER, risk)
        asset = asset_of(address)
        if asset is None:
            return
        if address == execution_name(asset):
            # It begins without doubts, and tells those that it finds.
            self._frozen.discard(asset)
            self._suspend()
            self._on_malfunction(MalfunctionEnded(source=address))
            self._hear(self._journal.executions(asset, self._applied_through[asset]))
            self._tell_closes()
            self._tell_operations()
        else:
            self._suspend()  # it may have been given up, and was taken back
            self._tell_reservation(asset)
            self.tell(address, GlobalCooldownStarted(end_ms=self._state.global_cooldown_end_ms))

    def _on_given_up(self, address: str) -> None:
        asset = asset_of(address)
        if asset is None:
            return
        self._suspend()
        grant = self._state.reserved.get(asset)
        if grant is not None:
            self.tell(execution_name(asset), ResolveEntry(grant=grant))
        self._decide_complete()

    def release(self) -> None:
        """Let go of the timers."""
        for timer in self._timers.values():
            timer.cancel()

    def _decide_complete(self) -> None:
        """Decide the close that waits, once nobody's report is missing."""
        for t_ms in list(self._reports):
            if all(
                asset in self._reports[t_ms] or self.is_given_up(asset_name(asset))
                for asset in self._assets
            ):
                self._decide(t_ms)

    def _decide(self, t_ms: int) -> None:
        collected = self._reports[t_ms]
        reports = [collected[asset] for asset in self._assets if asset in collected]
        for report in reports:
            if not self._state.follows(report):
                self._state.remember_closes(report.asset, self._recent(report.asset).until(t_ms))
        decision = self._state.decide(t_ms, reports, now_ms=self.now_ms)
        self._store(decision)
        self._decision, self._decided_ms = decision, t_ms
        self._forget_reports(t_ms)
        for grant in decision.grants:
            self._expect(grant)
        for asset in self._assets:
            self._answer(asset, t_ms)
        if decision.protection is not None:
            self._tell_protection(decision.protection)
        self._tell_closes()
        self._tell_cooldown()

    def _tell_protection(self, protection: Protection) -> None:
        self._protection = protection
        self.tell(NOTIFIER, ProtectionFired(protection=protection))

    def _store(self, decision: Decision) -> None:
        facts: list[Fact] = []
        state = self._state.protection
        if not state.equals_but_for_time(self._stored_state):
            facts.append(state)
            self._stored_state = state
        if not decision.is_empty:
            facts.append(decision)
        if facts:
            self._journal.append(*facts)

    def _forget_reports(self, t_ms: int) -> None:
        for old_ms in [other_ms for other_ms in self._reports if other_ms <= t_ms]:
            del self._reports[old_ms]
            if old_ms in self._timers:
                self._timers.pop(old_ms).cancel()

    def _answer(self, asset: str, t_ms: int) -> bool:
        """Tell an asset what was decided about its wish; False where nothing was."""
        if self._decision is None or self._decision.t_ms != t_ms:
            return False
        answer = self._decision.answer_to(asset)
        if isinstance(answer, Grant):
            self.tell(asset_name(asset), EntryGranted(grant=answer))
        elif answer is not None:
            self.tell(asset_name(asset), EntryRefused(refusal=answer))
        return answer is not None

    def _hear(self, stored: list[StoredExecution]) -> None:
        for fact in stored:
            asset = fact.execution.asset
            if fact.fact_id > self._applied_through[asset]:
                self._applied_through[asset] = fact.fact_id
                self._state.hear(fact.execution)
                self._is_moved = True

    def _expect(self, grant: Grant) -> None:
        due_ms = grant.t_ms + self._rules.grant.reservation_ms
        self._remind(grant.asset, due_ms, ReservationExpired(grant=grant))

    def _remind(self, key: int | str, due_ms: int, message: Message) -> None:
        self._timers[key] = self._clock.call_at(
            due_ms, lambda: self.hand_in(message, sender="clock")
        )

    def _tell_reservation(self, asset: str) -> None:
        grant = self._state.reserved.get(asset)
        if grant is not None:
            self.tell(asset_name(asset), EntryGranted(grant=grant))

    def _tell_closes(self) -> None:
        """Tell the closes of the newest protection, until what they close is gone."""
        if self._protection is None:
            return
        positions = self._state.present().positions
        for close in self._protection.closes:
            position = positions.get(close.asset)
            if position is not None and not is_younger(position, self._protection.t_ms):
                command = ClosePosition(
                    asset=close.asset,
                    t_ms=self._protection.t_ms,
                    purpose=close.purpose,
                    reason=close.reason,
                )
                self.tell(execution_name(close.asset), command)

    def _tell_cooldown(self) -> None:
        end_ms = self._state.global_cooldown_end_ms
        if end_ms > self._told_cooldown_ms:
            self._told_cooldown_ms = end_ms
            for asset in self._assets:
                self.tell(asset_name(asset), GlobalCooldownStarted(end_ms=end_ms))
            self._tell_streak()

    def _tell_streak(self) -> None:
        end_ms = self._state.streak.cooldown_end_ms
        if end_ms:
            self.tell(NOTIFIER, LossStreakReached(end_ms=end_ms))

    def _read_state(self) -> ProtectionState:
        stored = self._journal.newest_state()
        if stored is not None:
            return stored
        balance = self._rules.fills.initial_balance
        # Whoever opened them, the facts behind them are lost: a person has to look.
        first = initial_state(balance, self.now_ms, is_halted=bool(self._unknown))
        self._journal.append(first)
        return first

    def _remember_market(self, asset: str) -> None:
        series = self._recent(asset)
        if self.is_given_up(asset_name(asset)):
            if len(series):
                self._state.remember_price(asset, exact(float(series.close[-1])))
        else:
            self._state.remember_closes(asset, series)

    def _recent(self, asset: str) -> CandleSeries:
        # One more than the window holds: what came after t is cut off again.
        return self._feed.recent(asset, self._rules.strategy.volatility_window + 2)

    def _suspend(self) -> None:
        self._state.suspended = self._frozen | {
            asset
            for asset in self._assets
            if self.is_given_up(execution_name(asset)) or self.is_given_up(asset_name(asset))
        }

    def _reserve_again(self, asset: str, executed: set[str | None]) -> None:
        """Reserve what was granted and has neither filled nor failed, and tell it again."""
        grant = self._journal.newest_grant(asset)
        if grant is None or grant.client_order_id in executed:
            return
        orders = {order.client_order_id: order for order in self._journal.orders(asset)}
        order = orders.get(grant.client_order_id)
        if order is None or order.is_under_way:
            self._state.reserved[asset] = grant
            self._expect(grant)
            self._tell_reservation(asset)
