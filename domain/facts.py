"""The facts: what is stored once and never changed. Everything else is derived from them.

Facts have one sequence over all kinds; a fact's number in it is its `fact_id`.
"""

from dataclasses import dataclass

from domain.market.instruments import Candle
from domain.operator.commands import OperatorCommand, SettingsChanged
from domain.portfolio.protection import ProtectionState
from domain.trading.decisions import Decision, Denial
from domain.trading.orders import Intent, OrderUpdate
from domain.trading.positions import Execution, Trade
from domain.trading.trailing import StopMoved
from domain.trading.transfers import Transfer


@dataclass(frozen=True, slots=True, kw_only=True)
class ClosedCandle:
    """The first accepted version of a closed candle."""

    asset: str
    candle: Candle


Fact = (
    ClosedCandle
    | Decision
    | Denial
    | Intent
    | OrderUpdate
    | Execution
    | Trade
    | ProtectionState
    | Transfer
    | OperatorCommand
    | SettingsChanged
    | StopMoved
)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredExecution:
    """An execution with its `fact_id`."""

    fact_id: int
    execution: Execution


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptFact:
    """A fact that waits to be stored."""

    batch: int
    """Number of the batch with which it is stored, all or none."""
    fact: Fact


@dataclass(frozen=True, slots=True, kw_only=True)
class StateChange:
    """Two consecutive equity samples between which the protection changed."""

    before: ProtectionState
    after: ProtectionState


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredNews:
    """A fact that notices are made of, with its `fact_id`."""

    fact_id: int
    fact: Execution | Trade | OrderUpdate | Decision | StateChange | SettingsChanged
