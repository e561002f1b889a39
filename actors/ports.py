"""The actors' ports to the outer world, in terms of the domain. `infra` implements them."""

from collections.abc import Callable, Collection, Mapping, Sequence
from decimal import Decimal
from typing import Protocol

from actors.core.envelope import Origin
from domain.facts import Fact, KeptFact, StoredExecution, StoredNews
from domain.market.candles import CandleSeries
from domain.market.instruments import Candle
from domain.market.order_book import OrderBook
from domain.operator.commands import OperatorCommand
from domain.operator.notices import Notice, NoticeKind, NoticeRules, Similar
from domain.portfolio.performance import Performances
from domain.portfolio.protection import ProtectionState
from domain.trading.decisions import Approval, Decision, DenialReason, Protection
from domain.trading.order import Order
from domain.trading.orders import OrderRequest, OrderUpdate, RestingOrder
from domain.trading.positions import Execution, Trade, UnmanagedPosition, VenuePosition
from domain.trading.sizing import ProtectiveLevels
from domain.trading.trailing import StopMoved
from domain.trading.transfers import Transfer


class Timer(Protocol):
    """A pending call."""

    def cancel(self) -> None:
        """Cancel the call; do nothing if it was already made."""


class Clock(Protocol):
    """The trading clock: the exchange's time, or the candles' in a replay."""

    def now_ms(self) -> int:
        """Return the present, ms since 1970 UTC."""

    def call_at(self, due_ms: int, call: Callable[[], None]) -> Timer:
        """Call once when the clock reaches a time. The call must only tell."""


class Subscription(Protocol):
    """A subscription that can be ended."""

    def close(self) -> None:
        """End it; may be called twice."""


class Feed(Protocol):
    """Closed candles, past and future."""

    def history(self, asset: str) -> CandleSeries:
        """Return all closed candles up to now, from the first. Only for the asset's own actor."""

    def recent(self, asset: str, count: int) -> CandleSeries:
        """Return the newest accepted closed candles; nothing is fetched."""

    def accept(self, asset: str, candle: Candle) -> bool:
        """Append a closed candle that follows the history.

        Returns:
            Whether it still has to be stored, by `store`.
        """

    def store(self, asset: str) -> None:
        """Store accepted candles; those that the journal refuses keep waiting."""

    def order_book(self, asset: str) -> OrderBook | None:
        """Return the current order book; None if unknown, as for the past.

        Raises:
            BadDataError: the exchange's answer cannot be read.
            UnavailableError: the exchange did not answer.
        """

    def subscribe(
        self,
        asset: str,
        on_candle: Callable[[Candle], None],
        on_connected: Callable[[], None],
        on_lost: Callable[[str], None],
    ) -> Subscription:
        """Call for each candle that closes from now on, from the feed's thread.

        Args:
            asset: of the candles.
            on_candle: takes a closed candle, which may be a repeat, or come after a gap.
            on_connected: called whenever the feed works again: candles may have been missed.
            on_lost: called with the reason when it stops working.
        """


class ExchangeListener(Protocol):
    """Receives the exchange's updates, in its thread. The calls must only tell."""

    def on_execution(self, execution: Execution) -> None:
        """Take an execution."""

    def on_order(self, update: OrderUpdate) -> None:
        """Take an update of an order."""

    def on_mark_price(self, ts_ms: int, mark_price: Decimal) -> None:
        """Take the price at which the exchange values the open position."""

    def on_price(self, ts_ms: int, last_price: Decimal) -> None:
        """Take the last traded price."""

    def on_stop_moved(self, ts_ms: int, best: Decimal, stop_loss: Decimal) -> None:
        """Learn that the exchange itself has trailed the stop."""

    def on_doubt(self, why: str) -> None:
        """Learn that updates may have been missed, so the exchange should be queried."""


class Exchange(Protocol):
    """One account at the exchange."""

    def submit(self, order: OrderRequest, is_ours: Callable[[], bool]) -> OrderUpdate:
        """Send an order, once.

        Args:
            order: to send.
            is_ours: checked immediately before the order is sent.

        Raises:
            FencedError: the sender was replaced; nothing was sent.
            OrderNotProcessedError: the exchange did not process it; it may be sent again.
            OrderRefusedError: the exchange refused it; nothing was traded.
            OutcomeUnknownError: it may have been accepted.
        """

    def order(self, asset: str, client_order_id: str) -> OrderUpdate | None:
        """Return what the exchange knows about an order; None if it provably never arrived.

        Raises:
            UnprovenError: it is not known, and may still arrive.
            UnavailableError: the exchange did not answer.
        """

    def executions(self, asset: str, since_ms: int) -> Sequence[Execution]:
        """Return the asset's executions from a time on, oldest first.

        Raises:
            UnavailableError: the exchange did not answer.
        """

    def venue_position(self, asset: str) -> VenuePosition:
        """Return the position at the exchange, with its stops.

        Raises:
            UnavailableError: the exchange did not answer.
        """

    def open_orders(self, asset: str) -> Sequence[RestingOrder]:
        """Return an asset's resting orders, whoever sent them, except the stops of its position.

        Raises:
            UnavailableError: the exchange did not answer.
        """

    def cancel(self, asset: str, order: RestingOrder, is_ours: Callable[[], bool]) -> None:
        """Request the cancellation of an order; it may fill first. Do nothing if it is gone.

        Raises:
            FencedError: the caller was replaced; nothing was sent.
            OrderRefusedError: the exchange does not cancel it.
            OutcomeUnknownError: it may or may not be canceled.
        """

    def set_stops(self, asset: str, levels: ProtectiveLevels, is_ours: Callable[[], bool]) -> bool:
        """Move the stops of the open position in place, and read them back.

        Returns:
            Whether they are in force; False if the position is gone and nothing was moved.

        Raises:
            FencedError: the caller was replaced; nothing was sent.
            StopPassedError: the price has passed the stop loss; nothing moved.
            OrderRefusedError: the exchange refuses these levels; nothing moved.
            UnavailableError: they may or may not have moved.
        """

    def subscribe(self, asset: str, listener: ExchangeListener) -> Subscription:
        """Send the asset's updates to a listener from now on."""


class Wallet(Protocol):
    """The money of the account, apart from trades and funding."""

    def transfers(self, since_ms: int) -> Sequence[Transfer]:
        """Return deposits and withdrawals from a time on, oldest first.

        Raises:
            UnavailableError: the exchange did not answer.
        """

    def balance(self) -> Decimal:
        """Return the wallet balance, quote.

        Raises:
            UnavailableError: the exchange did not answer.
        """

    def unmanaged_positions(self) -> Sequence[UnmanagedPosition]:
        """Return the open positions in symbols that are not in the settings.

        Raises:
            UnavailableError: the exchange did not answer.
        """


class Journal(Protocol):
    """One actor's writer lease and its view of all facts. Only the newest epoch can write."""

    def append(self, *facts: Fact) -> list[int]:
        """Store facts, all or none, and return their fact ids.

        Those that waited in the reserve no longer wait.

        Raises:
            FencedError: another incarnation has taken the lease.
            JournalError: nothing can be stored: the disk is full, the database locked or read-only.
            StaleApprovalError: an entry's approval is of an older protection epoch, or nothing may
                be opened because of a shortage.
        """

    def keep(self, *facts: Fact) -> bool:
        """Keep facts in the reserve, to be appended together once that is possible.

        Returns:
            False if a kill would lose them, as the reserve itself cannot be written.

        Raises:
            FencedError: another incarnation has taken the lease.
        """

    def kept(self) -> list[KeptFact]:
        """Return what waits in the reserve to be appended by this address, oldest first."""

    def shortage(self) -> str | None:
        """Return why nothing may be opened; None: nothing waits in the reserve, and it has space.

        Facts waiting there block all addresses, whoever's they are.
        """

    def close(self) -> None:
        """Close the connection; may be called twice."""

    def executions(self, asset: str, after: int = 0) -> list[StoredExecution]:
        """Return an asset's executions with a higher fact id, oldest first."""

    def orders(self, asset: str) -> list[Order]:
        """Return an asset's orders, oldest first."""

    def oldest_state(self) -> ProtectionState | None:
        """Return the first equity sample: the initial state of the account."""

    def newest_state(self) -> ProtectionState | None:
        """Return the newest equity sample."""

    def transfers(self) -> list[Transfer]:
        """Return all transfers, oldest first."""

    def newest_decision(self, candle_ms: int) -> Decision | None:
        """Return the newest stored decision made at a close; those between closes are left out."""

    def newest_protection(self) -> Protection | None:
        """Return the newest protection that fired."""

    def protection_resting_until(self, end_ms: int) -> Protection | None:
        """Return the first protection whose cooldown ends at a time: the one that set it."""

    def newest_epoch(self) -> int:
        """Return the newest protection epoch: begun by an emergency, pause, panic or rearm.

        One that waits in the reserve counts.
        """

    def newest_stop_move(self, asset: str) -> StopMoved | None:
        """Return the newest move of an asset's stop."""

    def stop_moves(self, asset: str, opened_ms: int) -> Sequence[StopMoved]:
        """Return the moves of the stop of the position opened at a time, oldest first."""

    def commands(self) -> list[OperatorCommand]:
        """Return the commands that stay in force until others end them, and those, oldest first."""

    def newest_approval(self, asset: str) -> Approval | None:
        """Return the newest approval of an asset."""

    def news(self, after: int) -> tuple[Sequence[StoredNews], int]:
        """Return the facts with higher fact ids to notify of, and the newest fact's id.

        The facts are in the order of storing.
        """

    def order(self, client_order_id: str) -> Order | None:
        """Return one order; None if it is not stored."""

    def approval(self, asset: str, t_ms: int) -> Approval | None:
        """Return the approval that an asset got at a close."""

    def trades(self, from_ms: int, until_ms: int) -> Sequence[Trade]:
        """Return the trades closed at or after a time and before another."""

    def denials(self, from_ms: int, until_ms: int) -> Mapping[DenialReason, int]:
        """Return how many entries were denied at these closes, by reason."""

    def balance_at(self, t_ms: int) -> Decimal | None:
        """Return the wallet balance of the newest equity sample up to a time."""

    def first_balance(self) -> Decimal | None:
        """Return the wallet balance of the first equity sample."""

    def performances(self, candle_ms: int) -> Performances:
        """Return the performance of each asset, and of all together, over all facts.

        Args:
            candle_ms: candle length of the run.
        """

    def first_recorded_ms(self) -> int | None:
        """Return when the first fact was stored."""


class Journals(Protocol):
    """The database of facts."""

    def open(self, address: str, origin: Callable[[], Origin | None]) -> Journal:
        """Take an address's lease, in the thread that will use it.

        Args:
            address: of the actor whose facts are written.
            origin: returns the current message, stored with each fact.
        """


class Outbox(Protocol):
    """The stored notices, and the channels that deliver them; never waits for the outer world."""

    def notice_rules(self) -> NoticeRules:
        """Return the current rules of when to notify."""

    def read_through(self) -> int:
        """Return the fact id up to which notices have been made."""

    def read_on(self, fact_id: int) -> None:
        """Store that notices have been made up to this fact."""

    def put(self, notice: Notice) -> None:
        """Store a notice for its channels, unless its key is stored already."""

    def put_answered(self, notice: Notice) -> None:
        """Store a notice for all its channels except the one that got it as an answer."""

    def hold_back(self, notice: Notice) -> None:
        """Store a notice only to count it, unless its key is stored already."""

    def knows(self, key: str) -> bool:
        """Tell whether a notice with this key is stored."""

    def before(self, notice: Notice) -> Similar | None:
        """Return the previous notice of the same kind, asset and cause; None if there was none."""

    def newest(self, kind: NoticeKind, causes: Collection[str]) -> Notice | None:
        """Return the newest notice of a kind with one of the given causes."""

    def causes(self, kind: NoticeKind, from_ms: int, until_ms: int) -> Mapping[str, int]:
        """Return the number of notices of a kind by cause, held back or not."""

    def close(self) -> None:
        """Close the connection; may be called twice."""


class Outboxes(Protocol):
    """Where the outbox is stored."""

    def open(self) -> Outbox:
        """Open it, in the thread that will use it. Only the newest holder can write."""
