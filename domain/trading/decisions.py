"""What assets report and what the portfolio answers: the values that decisions are made of."""

from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum

from domain.fast_init import fast_init
from domain.market.instruments import Side
from domain.rules import EntryTerms
from domain.strategies.base import Regime, Value
from domain.trading.orders import ExitReason, Purpose, client_order_id


class DenialReason(StrEnum):
    """Why an entry was denied; each is counted under the first reason that holds."""

    HALTED = "HALTED"
    GLOBAL_COOLDOWN = "GLOBAL_COOLDOWN"
    EMERGENCY = "EMERGENCY"
    DAILY_LOSS = "DAILY_LOSS"
    MAX_POSITIONS = "MAX_POSITIONS"
    MAX_SIMULTANEOUS = "MAX_SIMULTANEOUS"
    CORRELATION = "CORRELATION"
    POSITION_SIZE = "POSITION_SIZE"
    GROUP = "GROUP"
    CONCENTRATION = "CONCENTRATION"
    EXPOSURE = "EXPOSURE"
    SIZE = "SIZE"
    STALE = "STALE"
    PAUSED = "PAUSED"
    MALFUNCTION = "MALFUNCTION"
    LIQUIDITY = "LIQUIDITY"


@fast_init
@dataclass(frozen=True, slots=True, kw_only=True)
class EntrySignal:
    """An asset that asks to open a position at a close, with what orders it among others."""

    signal_ms: int
    """Close time of the candle that made the signal."""
    kinds: str = ""
    """What made it, as names of the strategy joined by +."""
    side: Side
    volatility: float
    strength: float


@fast_init
@dataclass(frozen=True, slots=True, kw_only=True)
class AssetEvaluation:
    """What one asset says of a close t."""

    asset: str
    t_ms: int
    close: float
    values: tuple[Value, ...] = ()
    """Figures of the strategy."""
    note: str = ""
    """What they mean, in a few words."""
    regime: Regime
    strategy_exit: ExitReason | None = None
    signal: EntrySignal | None = None


@fast_init
@dataclass(frozen=True, slots=True, kw_only=True)
class Approval:
    """Leave to open one position."""

    asset: str
    t_ms: int
    qty: Decimal
    price: Decimal
    """The close it was sized at."""
    side: Side = Side.SELL
    """An older program stored none: it sold alone."""
    signal_ms: int
    protection_epoch: int
    kinds: str = ""
    """What made the signal; empty where an older program approved it, likewise below."""
    values: tuple[Value, ...] = ()
    """Figures of the strategy at t."""
    terms: EntryTerms | None = None
    judged: str = field(default="", compare=False)
    """Each limit that was kept, in the order of judging, one a line: its name and figures."""

    @property
    def notional(self) -> Decimal:
        """What the grant reserves, quote."""
        return self.qty * self.price

    @property
    def client_order_id(self) -> str:
        """Id of the one order that may use the grant."""
        return client_order_id(self.asset, self.t_ms, Purpose.ENTRY, 1)


@fast_init
@dataclass(frozen=True, slots=True, kw_only=True)
class Denial:
    """An entry signal that was not approved."""

    asset: str
    t_ms: int
    reason: DenialReason
    signal_ms: int
    figures: str
    """The limit and what was found, as `key=value` pairs."""
    judged: str = field(default="", compare=False)
    """The limits that were kept before this one, as in an approval."""

    @property
    def client_order_id(self) -> str:
        """Id of the order that an approval would have led to: it names the signal."""
        return client_order_id(self.asset, self.t_ms, Purpose.ENTRY, 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Close:
    """One position to close, and under which name.

    An asset that exits by its own decision at the same close keeps its own reason.
    """

    asset: str
    purpose: Purpose
    reason: ExitReason


@dataclass(frozen=True, slots=True, kw_only=True)
class Protection:
    """Every open position is to be closed, and nothing is opened until a time."""

    t_ms: int
    reason: ExitReason
    closes: tuple[Close, ...]
    epoch: int
    """Rises with each protection: grants of an older epoch are void."""
    cooldown_end_ms: int
    figures: str


@fast_init
@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """All that the portfolio decided at a close t."""

    t_ms: int
    approvals: tuple[Approval, ...] = ()
    denials: tuple[Denial, ...] = ()
    protection: Protection | None = None

    @property
    def is_empty(self) -> bool:
        """Tell whether no entry was signalled and no protection fired."""
        return not (self.approvals or self.denials or self.protection)

    def answer_to(self, asset: str) -> Approval | Denial | None:
        """Return what was decided about one asset's entry signal."""
        answers: tuple[Approval | Denial, ...] = (*self.approvals, *self.denials)
        return next((answer for answer in answers if answer.asset == asset), None)
