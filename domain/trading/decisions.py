"""What assets report, and what the portfolio answers."""

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
    """A request to open a position at a close, with the values that rank it among others."""

    signal_ms: int
    """Close time of the candle that made the signal."""
    kinds: str = ""
    """The strategy's names of its causes, joined by +."""
    side: Side
    volatility: float
    strength: float


@fast_init
@dataclass(frozen=True, slots=True, kw_only=True)
class AssetEvaluation:
    """One asset's evaluation of a close t."""

    asset: str
    t_ms: int
    close: float
    values: tuple[Value, ...] = ()
    """The strategy's figures."""
    note: str = ""
    """What they mean, in a few words."""
    regime: Regime
    strategy_exit: ExitReason | None = None
    signal: EntrySignal | None = None


@fast_init
@dataclass(frozen=True, slots=True, kw_only=True)
class Approval:
    """Permission to open one position."""

    asset: str
    t_ms: int
    qty: Decimal
    price: Decimal
    """The close that it was sized at."""
    side: Side = Side.SELL
    """SELL in facts of older versions, which only sold."""
    signal_ms: int
    protection_epoch: int
    kinds: str = ""
    """Causes of the signal; empty in facts of older versions, likewise below."""
    values: tuple[Value, ...] = ()
    """The strategy's figures at t."""
    terms: EntryTerms | None = None
    judged: str = field(default="", compare=False)
    """Each limit that was kept, in the order of judging, one per line: its name and figures."""

    @property
    def notional(self) -> Decimal:
        """What the approval reserves, quote."""
        return self.qty * self.price

    @property
    def client_order_id(self) -> str:
        """Id of the one order that may use the approval."""
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
    """The limits kept before this one, as in an approval."""

    @property
    def client_order_id(self) -> str:
        """Id of the order that an approval would have led to; it identifies the signal."""
        return client_order_id(self.asset, self.t_ms, Purpose.ENTRY, 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Close:
    """One position to close, and the reason.

    An asset that exits by its own decision at the same close keeps its own reason.
    """

    asset: str
    purpose: Purpose
    reason: ExitReason


@dataclass(frozen=True, slots=True, kw_only=True)
class Protection:
    """Close every open position, and open nothing until a time."""

    t_ms: int
    reason: ExitReason
    closes: tuple[Close, ...]
    epoch: int
    """Rises with each protection: approvals of an older epoch are void."""
    cooldown_end_ms: int
    figures: str


@fast_init
@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """Everything that the portfolio decided at a close t."""

    t_ms: int
    approvals: tuple[Approval, ...] = ()
    denials: tuple[Denial, ...] = ()
    protection: Protection | None = None

    @property
    def is_empty(self) -> bool:
        """Tell whether no entry was signalled and no protection fired."""
        return not (self.approvals or self.denials or self.protection)

    def answer_to(self, asset: str) -> Approval | Denial | None:
        """Return the decision on one asset's entry signal."""
        answers: tuple[Approval | Denial, ...] = (*self.approvals, *self.denials)
        return next((answer for answer in answers if answer.asset == asset), None)
