"""The actor of the portfolio: waits for all assets' evaluations of a close, then decides on them.

Receives: AssetReported from the assets; PositionChanged, EntrySubmitted, OrderRejected,
PositionMarked from the executions, and AssetFlat, ReconcileMismatch, ReconcileMatch,
JournalOutdated, MalfunctionBegan, MalfunctionEnded; TransferSeen, WalletSeen from the account;
OperatorAsked from the runtime; CoordinationEnded, ReservationExpired, WatchDue, StoreAgain from its
own timers; StateWanted from the notifier; Restarted, GivenUp.
Publishes: EntryApproved, EntryDenied, GlobalCooldownStarted to the assets; ClosePosition,
ReducePosition, Flatten and ResolveEntry to the executions; ProtectionFired, LossStreakReached,
RiskRaised, RebalanceAdvised, SystemChanged, StateTold to the notifier.
Owns: balance, exposure, reservations, drawdown, daily loss, correlations, the global cooldown, the
operator's pauses and panic.
"""

from collections.abc import Sequence
from dataclasses import replace

from loguru import logger

from actors.backlog import Backlog
from actors.core.actor import Incarnation, SupervisedActor
from actors.messages import (
    AssetFlat,
    AssetReported,
    CoordinationEnded,
    Describe,
    EntrySubmitted,
    GivenUp,
    JournalOutdated,
    MalfunctionBegan,
    MalfunctionEnded,
    Message,
    OperatorAsked,
    OrderRejected,
    PositionChanged,
    PositionMarked,
    ReconcileMatch,
    ReconcileMismatch,
    ReservationExpired,
    Restarted,
    StateTold,
    StateWanted,
    StoreAgain,
    TransferSeen,
    WalletSeen,
    WatchDue,
)
from actors.names import NOTIFIER, asset_of, execution_name
from actors.portfolio.context import PortfolioContext
from actors.portfolio.decisions import Decisions
from actors.portfolio.executions import Executions
from actors.portfolio.liquidity import Liquidity
from actors.portfolio.money import Money
from actors.portfolio.operating import Done, Operations, told_of
from actors.portfolio.protections import Protections
from actors.portfolio.recent import RecentCloses
from actors.portfolio.reservations import Reservations
from actors.portfolio.submissions import Submissions
from actors.portfolio.suspensions import Suspensions
from actors.portfolio.timers import Timers
from actors.portfolio.watching import Watching
from actors.ports import Clock, Feed, Journal, Journals
from actors.watch import LiveChecks, WalletAudit, lost_journal_risk, outdated_risk
from domain.errors import JournalError
from domain.facts import StoredExecution
from domain.operator.commands import PROTECTING, OperatorCommand
from domain.portfolio.protection import ProtectionState, initial_state
from domain.portfolio.snapshots import PortfolioSnapshot
from domain.portfolio.state import PortfolioState
from domain.rules import TradingRules
from domain.trading.positions import ZERO, book
from domain.trading.transfers import Transfer

AGAIN_MS = 1_000
"""Pause before the journal is retried; with live checks: their interval."""


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
        facts_until_ms: int | None = None,
    ) -> None:
        """Take over `portfolio`.

        Args:
            incarnation: of this actor.
            rules: the limits.
            feed: the newest closes.
            clock: for timers.
            journals: of the facts.
            checks: between closes; None if nothing happens between them.
            unknown: assets with positions at the exchange when the journal was still empty.
            facts_until_ms: when the newest fact before this process was stored; None: none.
        """
        super().__init__(incarnation)
        self._rules = rules
        self._feed = feed
        self._clock = clock
        self._journals = journals
        self._checks = checks
        self._again_ms = AGAIN_MS if checks is None else checks.every_ms
        self._unknown = unknown
        self._facts_until_ms = facts_until_ms

    def on_start(self) -> None:
        """Rebuild the books from the facts, and resend the last decision."""
        journal = self.hold(self._journals.open(self.name, lambda: self.origin))
        backlog = Backlog(self, journal, self._clock, again_ms=self._again_ms)
        self._backlog = self.hold(backlog)
        state, transfers = self._read_state(journal), journal.transfers()
        oldest = journal.oldest_state() or state
        self._began_ms = oldest.t_ms
        begun_with = oldest.balance + sum((transfer.amount for transfer in transfers), ZERO)
        if not state.entry_capital:  # An older version stored none.
            state = replace(state, entry_capital=begun_with)
        books = PortfolioState(self._rules, state, begun_with)
        self._make_parts(journal, books, transfers)
        for asset in self._rules.former:
            self._hear_former(asset)
        for asset in self._context.assets:
            stored = self._context.journal.executions(asset)
            executed = {fact.execution.client_order_id for fact in stored}
            self._reservations.recover(asset, executed)
            self._executions.hear(stored)
            self._recent.remember(asset)
        unfilled = self._context.books.present().reserved.values()
        self._submissions.add(self._decisions.ranked(unfilled))
        self._context.books.take_up_capital()
        self._context.books.fold_before(self._decisions.decided_ms)
        self._protections.tell_closes()
        self._tell_operations()
        self._protections.tell_cooldown()
        if oldest.is_halted and state.is_halted:
            self.tell(NOTIFIER, lost_journal_risk(oldest.t_ms, self._unknown))
        self._tell_outdated()
        self._protections.tell_fired()
        self._watching.begin()

    def _hear_former(self, asset: str) -> None:
        """Book the past results of an asset that is no longer traded."""
        stored = self._context.journal.executions(asset)
        position = None
        for fact in stored:
            position = book(position, fact.execution).position
        if position is None:
            self._executions.hear(stored)
        else:
            text = "{} is not in the settings and was left open: its executions are not counted"
            logger.bind(actor=self.name, asset=asset).warning(text, asset)

    def _read_state(self, journal: Journal) -> ProtectionState:
        # What waits to be stored is newer than everything stored.
        waiting = self._backlog.waiting(ProtectionState)
        stored = waiting[-1] if waiting else journal.newest_state()
        if stored is not None:
            return stored
        balance = self._rules.fills.initial_balance
        # Whoever opened them, their facts are lost: the operator must check.
        first = initial_state(
            balance,
            self.now_ms,
            limit=self._rules.total_capital,
            is_halted=bool(self._unknown),
        )
        self._backlog.store(first)
        return first

    def _make_parts(
        self, journal: Journal, books: PortfolioState, transfers: Sequence[Transfer]
    ) -> None:
        timers, wallet = self.hold(Timers(self, self._clock)), WalletAudit()
        self._context = context = PortfolioContext(
            actor=self,
            rules=self._rules,
            journal=journal,
            backlog=self._backlog,
            books=books,
            timers=timers,
        )
        self._suspensions = Suspensions(context)
        self._operations = Operations(rules=self._rules, books=context.books, wallet=wallet)
        waiting = self._backlog.waiting(OperatorCommand)
        self._operations.read([*context.journal.commands(), *waiting])
        self._protections = Protections(context)
        self._submissions = Submissions(context)
        self._reservations = Reservations(context, self._submissions)
        self._recent = RecentCloses(context, self._feed)
        self._decisions = Decisions(
            context,
            self._recent,
            self._reservations,
            self._protections,
            self._submissions,
            Liquidity(context, self._feed),
        )
        self._watching = Watching(context, self._checks, self._protections, wallet)
        self._executions = Executions(context, self._watching)
        self._money = Money(context, transfers, self._protections, self._watching, wallet)

    def handle(self, message: Message) -> PortfolioSnapshot | OperatorCommand | None:
        if getattr(message, "asset", None) in self._rules.former:
            return None  # the last messages of a removed actor
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
                self._decisions.hear(report)
            case PositionChanged():
                self._on_execution(message)
            case EntrySubmitted(asset=asset):
                self._submissions.free(asset)
            case OrderRejected():
                self._reservations.reject(message)
            case PositionMarked():
                self._watching.mark(message)
            case TransferSeen(transfer=transfer):
                self._money.transfer(transfer)
            case WalletSeen():
                self._money.compare(message)
            case ReconcileMismatch(asset=asset):
                self._suspensions.freeze(asset)
            case ReconcileMatch(asset=asset):
                self._suspensions.thaw(asset)
            case JournalOutdated():
                self._on_outdated(message)
            case MalfunctionBegan() | MalfunctionEnded():
                self._watching.malfunction(message)
            case WatchDue():
                self._watching.look()
            case StoreAgain():
                self._backlog.flush()
            case CoordinationEnded(t_ms=t_ms):
                self._decisions.decide_incomplete(t_ms)
            case ReservationExpired(approval=approval):
                self._reservations.expire(approval)
            case Restarted(address=address):
                self._on_restarted(address)
            case GivenUp(address=address):
                self._on_given_up(address)
            case _:
                self.refuse(message)
        return None

    def _snapshot(self) -> PortfolioSnapshot:
        panic = self._operations.state.panic
        return replace(
            self._context.books.snapshot(),
            panic_by="" if panic is None else panic.operator,
            not_flat=self._operations.not_flat,
            outdated=self._operations.outdated,
        )

    # Handlers that involve several parts.

    def _on_operator(self, message: OperatorAsked) -> OperatorCommand:
        t_ms, undo = self._context.between_closes(), self._operations.undo()
        done = self._operations.do(message.command, message.operator, t_ms)
        if not done.answer.is_done or message.command.name in PROTECTING:
            self._protections.store(*done.facts, protects=done.answer.is_done)
        else:
            try:
                self._protections.store_now(*done.facts)
            except JournalError as error:
                undo()
                result = f"not done, because it cannot be stored: {error}"
                return replace(done.answer, is_done=False, result=result)
        self._watching.note_broken(self._backlog.shortage())
        if done.answer.is_done:
            self._tell_done(done)
        return done.answer

    def _tell_done(self, done: Done) -> None:
        if done.fired is None:
            self.tell(NOTIFIER, told_of(done.answer))
        else:
            self._protections.fire(done.fired)
        self._protections.tell_closes()
        self._tell_operations()

    def _on_outdated(self, message: JournalOutdated) -> None:
        t_ms = self._context.between_closes()
        if message.ts_ms <= self._began_ms:
            return  # orders older than the journal cannot be in any copy of it
        found = self._operations.outdate(message, self._facts_until_ms, t_ms)
        if found is not None:
            self._protections.store(*found.facts, protects=True)
            self._tell_outdated()

    def _tell_outdated(self) -> None:
        found = self._operations.state.outdated
        if found is not None:
            self.tell(NOTIFIER, outdated_risk(found))

    def _on_flat(self, message: AssetFlat) -> None:
        for found in self._operations.on_flat(message, self._context.between_closes()):
            if isinstance(found, OperatorCommand):
                self._protections.store(found, protects=True)
            else:
                self.tell(NOTIFIER, found)

    def _on_execution(self, message: PositionChanged) -> None:
        execution = message.execution
        self._executions.hear([StoredExecution(fact_id=message.fact_id, execution=execution)])
        if execution.decided_ms is None or execution.reason is not None:
            return
        self._submissions.free(execution.asset)
        if self._protections.came_too_late(execution):
            self._protections.tell_closes()
        if self._operations.wants_closed(execution.asset):
            self._tell_operations()

    def _tell_operations(self, only: str | None = None) -> None:
        """Resend the operator's commands not completed yet; of one asset, or of all."""
        for wanted in self._operations.wanted():
            if only in {None, wanted.asset}:
                self.tell(execution_name(wanted.asset), wanted)

    def _on_restarted(self, address: str) -> None:
        if address == NOTIFIER:
            self._protections.tell_streak()
            self._watching.tell_again()
            self._tell_outdated()
        asset = asset_of(address)
        if asset not in self._context.assets:
            return
        self._submissions.free(asset)
        if address == execution_name(asset):
            # It starts without doubts, and reports those that it finds.
            self._suspensions.thaw(asset)
            self._watching.malfunction(MalfunctionEnded(source=address))
            self._executions.catch_up(asset)
            self._protections.tell_closes()
            self._tell_operations(asset)
        else:
            self._suspensions.look()  # it may have been given up and revived
            self._reservations.tell_again(asset)
            self._protections.tell_cooldown_to(address)

    def _on_given_up(self, address: str) -> None:
        asset = asset_of(address)
        if asset not in self._context.assets:
            return
        self._suspensions.look()
        self._submissions.free(asset)
        self._reservations.resolve(asset)
        self._decisions.decide_complete()
