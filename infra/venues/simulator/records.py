"""The exchange's records of orders and executions; words and states as on the wire."""

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from domain.market.instruments import Side
from domain.trading.positions import ZERO, Execution, Position
from infra.venues.simulator.position_keys import position_key, symbol_of


class Status(StrEnum):
    """The status of an order."""

    CREATED = "Created"
    """Acknowledged, but not matched yet."""
    NEW = "New"
    PARTIALLY_FILLED = "PartiallyFilled"
    UNTRIGGERED = "Untriggered"
    TRIGGERED = "Triggered"
    FILLED = "Filled"
    CANCELLED = "Cancelled"
    REJECTED = "Rejected"
    DEACTIVATED = "Deactivated"


OPEN = frozenset({Status.NEW, Status.PARTIALLY_FILLED, Status.UNTRIGGERED})


class ExecType(StrEnum):
    """The kind of an execution."""

    TRADE = "Trade"
    FUNDING = "Funding"
    ADL = "AdlTrade"
    BUST = "BustTrade"


@dataclass(slots=True, kw_only=True)
class VenueOrder:
    """An order as recorded by the exchange; never deleted."""

    seq: int
    order_id: str
    link_id: str
    symbol: str
    side: Side
    is_market: bool
    qty: Decimal
    price: Decimal
    """Limit price; for a market order the bound computed by the exchange."""
    time_in_force: str
    created_ms: int
    updated_ms: int
    reduce_only: bool = False
    close_on_trigger: bool = False
    stop_loss: Decimal | None = None
    take_profit: Decimal | None = None
    sl_trigger_by: str = "LastPrice"
    tp_trigger_by: str = "LastPrice"
    tpsl_mode: str = ""
    """Full or Partial: whether its stops protect the whole position or only its own fills."""
    sl_limit_price: Decimal | None = None
    tp_limit_price: Decimal | None = None
    trailing_distance: Decimal | None = None
    """Distance of a trailing stop, whose trigger follows the best price."""
    active_price: Decimal | None = None
    """Price at which a trailing stop becomes active; None once it is."""
    oco_id: str = ""
    """Order that ends when this one is triggered."""
    trigger_price: Decimal | None = None
    trigger_direction: int = 0
    """1: triggered by a rise, 2: by a fall, 0: not conditional."""
    trigger_by: str = ""
    stop_order_type: str = ""
    """Stop, StopLoss, TakeProfit, TrailingStop, PartialStopLoss or PartialTakeProfit."""
    create_type: str = "CreateByUser"
    position_idx: int = 0
    parent_link_id: str = ""
    """Id of the order that brought this stop."""
    slippage_type: str = ""
    slippage_tolerance: Decimal | None = None
    """In ticks (TickSize) or percent (Percent) from the best price."""
    smp_type: str = "None"
    takes_rpi: bool = False
    status: Status = Status.CREATED
    cancel_type: str = "UNKNOWN"
    reject_reason: str = "EC_NoError"
    last_price_on_created: Decimal = ZERO
    filled_qty: Decimal = ZERO
    filled_notional: Decimal = ZERO
    fee: Decimal = ZERO
    closed_pnl: Decimal = ZERO
    is_shown: bool = False
    """Whether queries find it from its acknowledgement on, not only once it was matched."""

    @property
    def key(self) -> str:
        """Key of its position."""
        return position_key(self.symbol, self.position_idx)

    @property
    def is_pending(self) -> bool:
        """Tell whether queries show the order as open although it has not been matched yet."""
        return self.is_shown and self.status is Status.CREATED

    @property
    def shown_status(self) -> Status:
        """Return the order's status as shown to clients."""
        if not self.is_pending:
            return self.status
        return Status.NEW if self.trigger_price is None else Status.UNTRIGGERED

    @property
    def is_open(self) -> bool:
        """Tell whether the order can still change."""
        return self.status in OPEN

    @property
    def is_closed(self) -> bool:
        """Tell whether the order can no longer change."""
        return not self.is_open and self.status is not Status.CREATED

    @property
    def is_protective(self) -> bool:
        """Tell whether it is one of the position's own full stops."""
        return self.stop_order_type in {"StopLoss", "TakeProfit", "TrailingStop"}

    @property
    def is_stop_of_position(self) -> bool:
        """Tell whether it protects a position or a part of it."""
        return self.is_protective or self.stop_order_type.startswith("Partial")

    @property
    def leaves_qty(self) -> Decimal:
        """Return what is still to be filled; 0 once the order is closed."""
        is_alive = self.is_open or self.status in {Status.CREATED, Status.TRIGGERED}
        return self.qty - self.filled_qty if is_alive else ZERO


@dataclass(frozen=True, slots=True, kw_only=True)
class VenueExecution:
    """An execution as recorded by the exchange: what the engine booked, and its origin."""

    seq: int
    exec_id: str
    exec_type: ExecType
    booked: Execution
    order_id: str
    link_id: str
    order_type: str
    """Market, Limit or UNKNOWN."""
    stop_order_type: str
    create_type: str
    order_qty: Decimal
    order_price: Decimal
    leaves_qty: Decimal
    is_maker: bool
    fee_rate: Decimal
    mark_price: Decimal
    closed_qty: Decimal = ZERO
    leverage: Decimal = ZERO

    @property
    def symbol(self) -> str:
        return symbol_of(self.booked.asset)

    @property
    def cost(self) -> Decimal:
        """Return fee or funding as the exchange shows them: positive means paid."""
        if self.exec_type is ExecType.FUNDING:
            return -self.booked.funding
        return self.booked.fee


@dataclass(frozen=True, slots=True, kw_only=True)
class ClosedPnl:
    """The profit of the closing part of one execution."""

    seq: int
    symbol: str
    order_id: str
    side: Side
    """Quantity of the closing order."""
    order_type: str
    exec_type: ExecType
    order_qty: Decimal
    order_price: Decimal
    qty: Decimal
    entry_price: Decimal
    exit_price: Decimal
    open_fee: Decimal
    close_fee: Decimal
    pnl: Decimal
    """Net of both fees."""
    leverage: Decimal
    ts_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Transaction:
    """One change of the wallet."""

    execution: VenueExecution
    cash_flow: Decimal
    """Realized profit before the fee."""
    change: Decimal
    balance: Decimal
    """Wallet balance after it."""
    position_qty: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Deposit:
    """A deposit or withdrawal."""

    seq: int
    ts_ms: int
    amount: Decimal
    """Negative: withdrawn."""
    balance: Decimal
    """Wallet balance after it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StopRecord:
    """The stops of a position from a time on."""

    ts_ms: int
    symbol: str
    signed_qty: Decimal
    stop_loss: Decimal | None
    take_profit: Decimal | None
    position_idx: int = 0


@dataclass(slots=True, kw_only=True)
class SymbolBook:
    """The account's records of one symbol besides the position."""

    leverage: Decimal = Decimal(10)
    open_fees: Decimal = ZERO
    """Fees of the part that is still open."""
    realized_now: Decimal = ZERO
    """Realized PnL since the position was opened, including fees and funding."""
    realized_ever: Decimal = ZERO
    added_margin: Decimal = ZERO
    """Margin added to an isolated position, until it is closed."""
    adds_margin: bool = False
    """Whether an isolated position takes margin from the account before it is liquidated."""
    opened_ms: int = 0
    updated_ms: int = 0
    seq: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountState:
    """The state of the account, without its history."""

    seq: int
    """The newest assigned number."""
    wallet: Decimal
    positions: dict[str, Position]
    books: dict[str, SymbolBook]
