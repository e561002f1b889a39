"""What the exchange remembers of orders and executions; words and states as on the wire."""

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from domain.market.instruments import Side
from domain.trading.positions import ZERO, Execution, Position
from infra.venues.simulator.position_keys import position_key, symbol_of


class Status(StrEnum):
    """Where an order stands."""

    CREATED = "Created"
    """Acknowledged, and not looked at by the matching yet."""
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
    """What kind of execution it was."""

    TRADE = "Trade"
    FUNDING = "Funding"
    ADL = "AdlTrade"
    BUST = "BustTrade"


@dataclass(slots=True, kw_only=True)
class VenueOrder:
    """An order as the exchange keeps it; never deleted."""

    seq: int
    order_id: str
    link_id: str
    symbol: str
    side: Side
    is_market: bool
    qty: Decimal
    price: Decimal
    """Limit price; of a market order the bound that the exchange computed."""
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
    """Full or Partial: whether its stops are of the position or of its own fills."""
    sl_limit_price: Decimal | None = None
    tp_limit_price: Decimal | None = None
    trailing_distance: Decimal | None = None
    """Of a trailing stop, whose trigger follows the best price."""
    active_price: Decimal | None = None
    """Where a trailing stop begins to follow; None once it does."""
    oco_id: str = ""
    """Order that ends where this one is triggered."""
    trigger_price: Decimal | None = None
    trigger_direction: int = 0
    """1: triggered by a rise, 2: by a fall, 0: not conditional."""
    trigger_by: str = ""
    stop_order_type: str = ""
    """Stop, StopLoss, TakeProfit, TrailingStop, PartialStopLoss or PartialTakeProfit."""
    create_type: str = "CreateByUser"
    position_idx: int = 0
    parent_link_id: str = ""
    """Of the order that brought this stop."""
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
    """Whether queries find it from its acknowledgement on, and not only once it was matched."""

    @property
    def key(self) -> str:
        """Name of the position that it is about."""
        return position_key(self.symbol, self.position_idx)

    @property
    def is_pending(self) -> bool:
        """Tell whether queries show an order as open that the matching has not looked at yet."""
        return self.is_shown and self.status is Status.CREATED

    @property
    def shown_status(self) -> Status:
        """Return where the order stands in the eyes of clients."""
        if not self.is_pending:
            return self.status
        return Status.NEW if self.trigger_price is None else Status.UNTRIGGERED

    @property
    def is_open(self) -> bool:
        """Tell whether more can happen to the order."""
        return self.status in OPEN

    @property
    def is_closed(self) -> bool:
        """Tell whether nothing more can happen to the order."""
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
        """Return what is still to be filled; nothing once the order is done."""
        is_alive = self.is_open or self.status in {Status.CREATED, Status.TRIGGERED}
        return self.qty - self.filled_qty if is_alive else ZERO


@dataclass(frozen=True, slots=True, kw_only=True)
class VenueExecution:
    """An execution as the exchange keeps it: what the engine booked, and what it came from."""

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
        """Of the position."""
        return symbol_of(self.booked.asset)

    @property
    def cost(self) -> Decimal:
        """Return fee or funding as the exchange shows them: positive was paid."""
        if self.exec_type is ExecType.FUNDING:
            return -self.booked.funding
        return self.booked.fee


@dataclass(frozen=True, slots=True, kw_only=True)
class ClosedPnl:
    """What the closing part of one execution earned."""

    seq: int
    symbol: str
    order_id: str
    side: Side
    """Of the closing order."""
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
    """After it."""
    position_qty: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Deposit:
    """Money that somebody brought in, or took out."""

    seq: int
    ts_ms: int
    amount: Decimal
    """Negative: taken out."""
    balance: Decimal
    """After it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StopRecord:
    """Which stops a position had from a time on."""

    ts_ms: int
    symbol: str
    signed_qty: Decimal
    stop_loss: Decimal | None
    take_profit: Decimal | None
    position_idx: int = 0


@dataclass(slots=True, kw_only=True)
class SymbolBook:
    """What the account keeps of one symbol besides the position."""

    leverage: Decimal = Decimal(10)
    open_fees: Decimal = ZERO
    """Fees of the part that is still open."""
    realized_now: Decimal = ZERO
    """Since the position was opened, fees and funding included."""
    realized_ever: Decimal = ZERO
    added_margin: Decimal = ZERO
    """What was added to an isolated position, until it is closed."""
    adds_margin: bool = False
    """Whether an isolated position takes margin from the account before it is taken over."""
    opened_ms: int = 0
    updated_ms: int = 0
    seq: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountState:
    """What the account has come to, its history left out."""

    seq: int
    """The newest number that was given."""
    wallet: Decimal
    positions: dict[str, Position]
    books: dict[str, SymbolBook]
