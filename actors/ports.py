"""What the actors need of the outer world, in words of the domain. `infra` satisfies it."""

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
    """A call that is still to come."""

    def cancel(self) -> None:
        """Let it not happen; nothing where it already has."""


class Clock(Protocol):
    """The trading clock: the exchange's time, or the candles' in a replay."""

    def now_ms(self) -> int:
        """Return the present."""

    def call_at(self, due_ms: int, call: Callable[[], None]) -> Timer:
        """Call once when the clock reaches a time. The call must only tell."""


class Subscription(Protocol):
    """A flow of news that can be ended."""

    def close(self) -> None:
        """End it; may be called twice."""


class Feed(Protocol):
    """Closed candles, past and to come."""

    def history(self, asset: str) -> CandleSeries:
        """Return all closed candles up to now, from the first. For the asset's own actor alone."""

    def recent(self, asset: str, count: int) -> CandleSeries:
        """Return the newest closed candles that were accepted; nothing is fetched."""

    def accept(self, asset: str, candle: Candle) -> bool:
        """Keep a closed candle that follows the history: from now on it is part of it.

        Returns:
            Whether it still has to be stored, by `store`.
        """

    def store(self, asset: str) -> None:
        """Store the candles that were accepted; those that the journal refuses wait on."""

    def order_book(self, asset: str) -> OrderBook | None:
        """Return what waits to be traded now; None where that is not known: the past.

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
            asset: whose candles.
            on_candle: takes a closed candle; it may be a repeat, or come after a gap.
            on_connected: called whenever the feed works again: candles may have been missed.
            on_lost: called with the reason when it works no more.
        """


class ExchangeListener(Protocol):
    """Whom the exchange tells, from its own thread. The calls must only tell."""

    def on_execution(self, execution: Execution) -> None:
        """Take an execution."""

    def on_order(self, update: OrderUpdate) -> None:
        """Take news of an order."""

    def on_mark_price(self, ts_ms: int, mark_price: Decimal) -> None:
        """Take the price at which the exchange values the open position."""

    def on_price(self, ts_ms: int, last_price: Decimal) -> None:
        """Take the price of the newest trade."""

    def on_stop_moved(self, ts_ms: int, best: Decimal, stop_loss: Decimal) -> None:
        """Learn that the exchange itself has moved the stop behind the best price."""

    def on_doubt(self, why: str) -> None:
        """Learn that news may have been missed: the exchange should be asked."""


class Exchange(Protocol):
    """One account at the exchange."""

    def submit(self, order: OrderRequest, is_ours: Callable[[], bool]) -> OrderUpdate:
        """Send an order, once.

        Args:
            order: what is asked.
            is_ours: checked immediately before the order leaves.

        Raises:
            FencedError: the sender was replaced; nothing was sent.
            OrderNotProcessedError: the exchange did not look at it; it may be sent again.
            OrderRefusedError: the exchange refused it; nothing was traded.
            OutcomeUnknownError: it may have been accepted.
        """

    def order(self, asset: str, client_order_id: str) -> OrderUpdate | None:
        """Return what the exchange knows of an order; None where it provably never arrived.

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
        """Return the position that the exchange has, and the stops that stand there.

        Raises:
            UnavailableError: the exchange did not answer.
        """

    def open_orders(self, asset: str) -> Sequence[RestingOrder]:
        """Return what rests for an asset, whoever sent it, save the stops of its position.

        Raises:
            UnavailableError: the exchange did not answer.
        """

    def cancel(self, asset: str, order: RestingOrder, is_ours: Callable[[], bool]) -> None:
        """Ask for an order to be canceled; it may fill first. Nothing where it is gone.

        Raises:
            FencedError: the caller was replaced; nothing was sent.
            OrderRefusedError: the exchange does not cancel it.
            OutcomeUnknownError: it may or may not be canceled.
        """

    def set_stops(self, asset: str, levels: ProtectiveLevels, is_ours: Callable[[], bool]) -> bool:
        """Move the stops of the open position in place, and read them back.

        Returns:
            Whether they stand; False where the position is gone, and nothing was moved.

        Raises:
            FencedError: the caller was replaced; nothing was sent.
            StopPassedError: the price has passed the stop loss; nothing moved.
            OrderRefusedError: the exchange refuses these levels; nothing moved.
            UnavailableError: they may or may not have moved.
        """

    def subscribe(self, asset: str, listener: ExchangeListener) -> Subscription:
        """Tell a listener what happens to the asset from now on."""


class Wallet(Protocol):
    """The money of the account, besides what trades and funding move."""

    def transfers(self, since_ms: int) -> Sequence[Transfer]:
        """Return what came in and went out from a time on, oldest first.

        Raises:
            UnavailableError: the exchange did not answer.
        """

    def balance(self) -> Decimal:
        """Return the wallet balance, quote.

        Raises:
            UnavailableError: the exchange did not answer.
        """

    def unmanaged_positions(self) -> Sequence[UnmanagedPosition]:
        """Return the open positions in symbols that no asset of the settings answers for.

        Raises:
            UnavailableError: the exchange did not answer.
        """


class Journal(Protocol):
    """One actor's writer lease and its view of all facts. Only the newest epoch can write."""

    def append(self, *facts: Fact) -> list[int]:
        """Store facts, all or none, and return their fact ids.

        What waited in the reserve leaves it with that.

        Raises:
            FencedError: another incarnation has taken the lease.
            JournalError: nothing can be stored: the disk is full, the database locked or read-only.
            StaleApprovalError: an entry's grant is of an older protection epoch, or nothing may be
                opened because of a shortage.
        """

    def keep(self, *facts: Fact) -> bool:
        """Keep facts in the reserve, to be appended together once that can be done.

        Returns:
            False where a kill would forget them: the reserve itself cannot be written.

        Raises:
            FencedError: another incarnation has taken the lease.
        """

    def kept(self) -> list[KeptFact]:
        """Return what waits in the reserve to be appended by this address, oldest first."""

    def shortage(self) -> str | None:
        """Return why nothing may be opened; None: nothing waits in the reserve, and it has space.

        Whoever's facts wait there, they concern all.
        """

    def close(self) -> None:
        """Let go of the database; may be called twice."""

    def executions(self, asset: str, after: int = 0) -> list[StoredExecution]:
        """Return an asset's executions with a higher fact id, oldest first."""

    def orders(self, asset: str) -> list[Order]:
        """Return an asset's orders, oldest first."""

    def oldest_state(self) -> ProtectionState | None:
        """Return the first equity sample: what the account began with."""

    def newest_state(self) -> ProtectionState | None:
        """Return the newest equity sample."""

    def transfers(self) -> list[Transfer]:
        """Return all transfers, oldest first."""

    def newest_decision(self, candle_ms: int) -> Decision | None:
        """Return the newest stored decision of a close; those between closes are left out."""

    def newest_protection(self) -> Protection | None:
        """Return the newest protection that fired."""

    def protection_resting_until(self, end_ms: int) -> Protection | None:
        """Return the first protection whose cooldown ends then: the one that has set its end."""

    def newest_epoch(self) -> int:
        """Return the newest protection epoch: of an emergency, a pause, a panic or a rearm.

        One that waits in the reserve counts.
        """

    def newest_stop_move(self, asset: str) -> StopMoved | None:
        """Return the newest move of an asset's stop."""

    def stop_moves(self, asset: str, opened_ms: int) -> Sequence[StopMoved]:
        """Return the moves of the stop of the position that was opened then, oldest first."""

    def commands(self) -> list[OperatorCommand]:
        """Return the commands that bind until others end them, oldest first."""

    def newest_approval(self, asset: str) -> Approval | None:
        """Return the newest grant of an asset."""

    def news(self, after: int) -> tuple[Sequence[StoredNews], int]:
        """Return the facts with higher fact ids that people hear of, and the newest fact's id.

        The facts are in the order in which they were stored.
        """

    def order(self, client_order_id: str) -> Order | None:
        """Return one order; None where it is not stored."""

    def approval(self, asset: str, t_ms: int) -> Approval | None:
        """Return what an asset was granted at a close."""

    def trades(self, from_ms: int, until_ms: int) -> Sequence[Trade]:
        """Return the trades that were closed at or after a time and before another."""

    def denials(self, from_ms: int, until_ms: int) -> Mapping[DenialReason, int]:
        """Return how many entries of these closes were denied, by reason."""

    def balance_at(self, t_ms: int) -> Decimal | None:
        """Return the wallet balance of the newest equity sample that is not later."""

    def first_balance(self) -> Decimal | None:
        """Return the wallet balance of the first equity sample."""

    def performances(self, candle_ms: int) -> Performances:
        """Return what each asset, and all together, have come to by all facts.

        Args:
            candle_ms: of the run.
        """

    def first_recorded_ms(self) -> int | None:
        """Return when the first fact was stored."""


class Journals(Protocol):
    """The database of facts."""

    def open(self, address: str, origin: Callable[[], Origin | None]) -> Journal:
        """Take an address's lease, in the thread that will use it.

        Args:
            address: whose facts are written.
            origin: the message at hand, stored with each fact.
        """


class Outbox(Protocol):
    """The stored notices, and the channels that carry them; never waits for the outer world."""

    def notice_rules(self) -> NoticeRules:
        """Return when people are told, at present."""

    def read_through(self) -> int:
        """Return the fact id up to which the facts were put into words."""

    def read_on(self, fact_id: int) -> None:
        """Store that the facts were put into words up to this one."""

    def put(self, notice: Notice) -> None:
        """Store a notice for its channels, unless its key is stored already."""

    def put_answered(self, notice: Notice) -> None:
        """Store a notice for all its channels but the one that had it as an answer."""

    def hold_back(self, notice: Notice) -> None:
        """Store a notice only to count it, unless its key is stored already."""

    def knows(self, key: str) -> bool:
        """Tell whether a notice of this key is stored."""

    def before(self, notice: Notice) -> Similar | None:
        """Return what was told of the same kind, asset and cause; None where nothing was."""

    def newest(self, kind: NoticeKind, causes: Collection[str]) -> Notice | None:
        """Return the newest notice of a kind and one of some causes."""

    def causes(self, kind: NoticeKind, from_ms: int, until_ms: int) -> Mapping[str, int]:
        """Return how many notices of a kind there were by cause, held back or not."""

    def close(self) -> None:
        """Let go of the database; may be called twice."""


class Outboxes(Protocol):
    """Where the outbox is stored."""

    def open(self) -> Outbox:
        """Take hold of it, in the thread that will use it. Only the newest holder can write."""
