"""The actor of one asset: follows its candles; signals entries and exits at each close.

Receives: CandleClosed from its feed; EntryApproved, EntryDenied, GlobalCooldownStarted from the
portfolio; PositionChanged, OrderRejected from its execution; StateWanted from the notifier;
Restarted, GivenUp from supervision; StoreDue from its timer.
Publishes: AssetReported to the portfolio; OpenPosition, ClosePosition to its execution;
RegimeChanged, EntryDenied, ConnectionLost, ConnectionRestored, StateTold to the notifier.
Owns: the asset's feed, strategy, regime and cooldown. The position belongs to the exchange; the
actor folds what its execution reports about it.
"""

from collections.abc import Sequence
from dataclasses import replace

from loguru import logger

from actors.core.actor import Incarnation, SupervisedActor
from actors.messages import (
    AssetReported,
    CandleClosed,
    ClosePosition,
    ConnectionLost,
    ConnectionRestored,
    Describe,
    EntryApproved,
    EntryDenied,
    FeedConnected,
    FeedLost,
    GivenUp,
    GlobalCooldownStarted,
    Message,
    OpenPosition,
    OrderRejected,
    PositionChanged,
    RegimeChanged,
    Restarted,
    StateTold,
    StateWanted,
    StoreDue,
)
from actors.names import NOTIFIER, PORTFOLIO, execution_name
from actors.ports import Clock, Feed, Journals, Subscription
from domain.errors import AccessDeniedError, BadDataError, UnavailableError
from domain.facts import StoredExecution
from domain.market.instruments import Candle
from domain.portfolio.snapshots import AssetSnapshot
from domain.rules import TradingRules
from domain.strategies.base import Regime
from domain.strategies.explanation import Explanation
from domain.trading.asset import AssetState
from domain.trading.booking_order import counts_before
from domain.trading.decisions import AssetEvaluation, Denial
from domain.trading.orders import Purpose
from domain.trading.positions import Execution

_FEED = "feed"
FETCH_AGAIN_MS = 5_000
"""Pause before a failed fetch of candles is retried."""
STORE_AFTER_MS = 20
"""Delay from a close to storing its candle: by then entries have been sent."""


class AssetActor(SupervisedActor):
    """One asset, from its candles to its entry signals."""

    def __init__(
        self,
        incarnation: Incarnation,
        *,
        asset: str,
        rules: TradingRules,
        feed: Feed,
        clock: Clock,
        journals: Journals,
    ) -> None:
        """Take over `asset/NAME`."""
        super().__init__(incarnation)
        self._asset = asset
        self._rules = rules
        self._feed = feed
        self._clock = clock
        self._journals = journals
        self._execution = execution_name(asset)
        self._applied_through = 0
        self._entry: OpenPosition | None = None
        """Sent to the execution and not answered yet."""
        self._exit: ClosePosition | None = None
        self._under_way: set[str] = set()
        self._report: AssetEvaluation | None = None
        self._explanation: Explanation | None = None
        """Explanation of the reported close."""
        self._refusal: Denial | None = None
        """Denial of the entry signal of that close."""
        self._denied_signal_ms: int | None = None
        self._lost_ms: int | None = None
        """Since when the feed is lost; None while it works."""
        self._has_unstored = False
        """Whether an accepted candle is to be stored shortly."""

    def on_start(self) -> None:
        """Fold the facts, and decide the newest close again.

        It is decided on the state before its own decisions: on the current state, an asset that
        has exited at this close would enter again. The strategy is constructed here, in the
        actor's own thread: a user-defined one may raise or hang.
        """
        self._state = AssetState(self._asset, self._rules)
        self._journal = self.hold(self._journals.open(self.name, lambda: self.origin))
        self.hold_if_ours(self._subscribe)
        self._fetch_candles()
        newest_ms = self._state.t_ms or 0
        self._under_way = {
            order.client_order_id
            for order in self._journal.orders(self._asset)
            if order.is_under_way and order.intent.decided_ms < newest_ms
        }
        stored = self._journal.executions(self._asset)
        later = self._apply_before(newest_ms, stored)
        self._decide()
        for fact in later:
            self._apply(fact.execution)
        if stored:
            self._applied_through = stored[-1].fact_id

    def handle(self, message: Message) -> AssetSnapshot | None:
        match message:
            case Describe():
                return self._snapshot()
            case CandleClosed(candle=candle):
                self._on_candle(candle)
            case FeedConnected():
                self._on_connected()
            case FeedLost(reason=reason):
                self._on_lost(reason)
            case StoreDue():
                self._store_candles()
            case StateWanted():
                self.tell(NOTIFIER, StateTold(snapshot=self._snapshot()))
            case EntryApproved():
                self._on_approved(message)
            case EntryDenied():
                self._on_denied(message)
            case GlobalCooldownStarted(end_ms=end_ms):
                self._on_global_cooldown(end_ms)
            case PositionChanged(fact_id=fact_id, execution=execution):
                self._hear([StoredExecution(fact_id=fact_id, execution=execution)])
            case OrderRejected(client_order_id=order_id):
                self._settle(order_id)
            case Restarted(address=address):
                self._on_restarted(address)
            case GivenUp():
                pass  # the portfolio decides what follows
            case _:
                self.refuse(message)
        return None

    def _snapshot(self) -> AssetSnapshot:
        state = self._state
        t_ms = state.t_ms or 0
        return AssetSnapshot(
            asset=self._asset,
            report=self._report,
            position=state.position,
            closes_seen=state.closes_seen,
            cooldown_minutes=state.cooldown.minutes_left(max(t_ms, self.now_ms)),
            cooldown_reason=state.cooldown.reason or "",
            cooldown_end_ms=state.cooldown.end_ms,
            loss_streak=state.cooldown.loss_streak,
            newest_signal_ms=state.newest_signal_ms,
            explanation=self._explanation,
            denial=self._refusal,
        )

    def _on_candle(self, candle: Candle) -> None:
        newest_ms = self._state.t_ms
        if newest_ms is not None and candle.close_time_ms <= newest_ms:
            return
        if newest_ms is not None and candle.open_time_ms != newest_ms:
            self._catch_up()
            return
        self._has_unstored |= bool(self._feed.accept(self._asset, candle))
        self._state.apply_candle(candle)
        self._decide()
        if self._has_unstored:
            self._store_in_time()

    def _store_in_time(self) -> None:
        """Store the candle before an exit is sent, or otherwise after an entry was sent.

        An approval holds the figures that it was decided on, a close command does not.
        """
        if self._report is not None and self._report.strategy_exit is not None:
            self._store_candles()
        else:
            self._clock.call_at(self.now_ms + STORE_AFTER_MS, self._hand_in_store)

    def _store_candles(self) -> None:
        if self._has_unstored:
            self._has_unstored = False
            self._feed.store(self._asset)

    def release(self) -> None:
        """Store what is still to be stored, unless a later incarnation does."""
        if self.incarnation.is_ours():
            self._store_candles()

    def _on_connected(self) -> None:
        seen = self._state.closes_seen
        self._catch_up()
        if self._lost_ms is not None:
            restored = ConnectionRestored(
                asset=self._asset,
                what=_FEED,
                down_ms=self.now_ms - self._lost_ms,
                candles=self._state.closes_seen - seen,
            )
            self._lost_ms = None
            self.tell(NOTIFIER, restored)

    def _on_lost(self, reason: str) -> None:
        if self._lost_ms is None:
            self._lost_ms = self.now_ms
            self.tell(NOTIFIER, ConnectionLost(asset=self._asset, what=_FEED, detail=reason))

    def _catch_up(self) -> None:
        """Fold missed candles, and decide only the newest of them."""
        newest_ms = self._state.t_ms
        self._fetch_candles()
        if self._state.t_ms != newest_ms:
            self._decide()

    def _fetch_candles(self) -> None:
        """Fold all candles anew; if the exchange does not answer, retry later."""
        try:
            self._state.apply_candles(self._feed.history(self._asset))
        except (UnavailableError, AccessDeniedError, BadDataError) as error:
            logger.bind(actor=self.name, asset=self._asset).warning("{}: {}", self.name, error)
            self._clock.call_at(self.now_ms + FETCH_AGAIN_MS, self._hand_in_connection)

    def _on_approved(self, message: EntryApproved) -> None:
        approval = message.approval
        if self._state.used_signal_ms == approval.signal_ms:
            return
        self._entry = OpenPosition(approval=approval)
        self._under_way.add(approval.client_order_id)
        self.tell(self._execution, self._entry)

    def _on_denied(self, message: EntryDenied) -> None:
        if self._report is not None and message.denial.t_ms == self._report.t_ms:
            self._refusal = message.denial
        if message.denial.signal_ms != self._denied_signal_ms:
            self._denied_signal_ms = message.denial.signal_ms
            self.tell(NOTIFIER, message)

    def _on_global_cooldown(self, end_ms: int) -> None:
        self._state.global_cooldown_end_ms = end_ms
        # The portfolio notifies of it; the next evaluation must not look like a market change.
        if self._report is not None and self._report.t_ms < end_ms:
            self._report = replace(self._report, regime=Regime.COOLDOWN)

    def _on_restarted(self, address: str) -> None:
        if address == PORTFOLIO and self._report is not None:
            self._tell_report(self._report)
        if address == self._execution:
            self._hear(self._journal.executions(self._asset, self._applied_through))
            for request in (self._entry, self._exit):
                if request is not None:
                    self.tell(self._execution, request)

    def _subscribe(self) -> Subscription:
        return self._feed.subscribe(
            self._asset, self._hand_in_candle, self._hand_in_connection, self._hand_in_loss
        )

    def _hand_in_loss(self, reason: str) -> None:
        self.hand_in(FeedLost(reason=reason), sender=f"feed/{self._asset}")

    def _hand_in_connection(self) -> None:
        self.hand_in(FeedConnected(), sender=f"feed/{self._asset}", latest="connected")

    def _hand_in_store(self) -> None:
        self.hand_in(StoreDue(), sender="clock", latest="store")

    def _hand_in_candle(self, candle: Candle) -> None:
        self.hand_in(CandleClosed(candle=candle), sender=f"feed/{self._asset}")

    def _decide(self) -> None:
        decided = self._state.decide(may_enter=not self._under_way)
        if decided is None:
            return
        report, self._explanation = decided
        self._refusal = None
        if self._report is not None and report.regime is not self._report.regime:
            self.tell(NOTIFIER, RegimeChanged(report=report, previous=self._report.regime))
        self._report = report
        if report.strategy_exit is not None:
            self._exit = ClosePosition(
                asset=self._asset,
                t_ms=report.t_ms,
                purpose=Purpose.EXIT,
                reason=report.strategy_exit,
            )
            # Before the evaluation is sent: an ensuing emergency must find this exit in progress.
            self.tell(self._execution, self._exit)
        self._tell_report(report)

    def _tell_report(self, report: AssetEvaluation) -> None:
        self.tell(PORTFOLIO, AssetReported(report=report, explanation=self._explanation))

    def _apply_before(
        self, newest_ms: int, stored: Sequence[StoredExecution]
    ) -> list[StoredExecution]:
        """Fold the facts before the decisions of the newest close, and return the rest."""
        later = []
        for fact in stored:
            if counts_before(fact.execution, newest_ms, self._rules.candles.candle_ms):
                self._apply(fact.execution)
            else:
                later.append(fact)
        return later

    def _hear(self, stored: Sequence[StoredExecution]) -> None:
        for fact in stored:
            if fact.fact_id > self._applied_through:
                self._applied_through = fact.fact_id
                self._apply(fact.execution)

    def _apply(self, execution: Execution) -> None:
        self._state.apply_execution(execution)
        if execution.client_order_id is not None:
            self._settle(execution.client_order_id)
        if self._state.position is None:
            self._exit = None

    def _settle(self, order_id: str) -> None:
        self._under_way.discard(order_id)
        if self._entry is not None and self._entry.approval.client_order_id == order_id:
            self._entry = None
