"""A finished or running journal, read from outside without touching it."""

from contextlib import closing, suppress
from dataclasses import dataclass

from domain.errors import ConfigError, JournalError
from domain.operator.commands import OperatorCommand
from domain.portfolio.protection import ProtectionState
from domain.trading.decisions import Approval
from domain.trading.order import Order
from domain.trading.orders import OrderUpdate
from domain.trading.positions import Execution, Trade
from domain.trading.trailing import StopMoved
from domain.trading.transfers import Transfer
from infra.store import rows
from infra.store.codec import value_of
from infra.store.location import Location
from infra.store.reading import Reading, open_reading


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalView:
    """All facts of a run at one moment; each with its fact id, oldest first."""

    executions: list[tuple[int, Execution]]
    orders: dict[str, Order]
    """By client order id."""
    updates: list[tuple[int, OrderUpdate]]
    intended_ms: dict[str, int]
    """When each intent was stored, exchange time, by client order id."""
    intended_at: dict[str, int]
    """Their fact ids."""
    approvals: list[tuple[int, Approval]]
    samples: list[tuple[int, ProtectionState]]
    trades: list[Trade]
    transfers: tuple[Transfer, ...] = ()
    commands: tuple[tuple[int, OperatorCommand], ...] = ()
    stop_moves: tuple[StopMoved, ...] = ()


def read_journal(file: Location) -> JournalView:
    """Return what a journal holds.

    Raises:
        ConfigError: there is none.
        JournalError: it cannot be read.
    """
    with closing(open_reading(file)) as journal, journal.snapshot():
        return _read(journal)


def read_epochs(file: Location) -> dict[str, int]:
    """Return by address how many incarnations have written, as far as the file is made yet."""
    with suppress(ConfigError, JournalError), closing(open_reading(file)) as journal:
        found = journal.rows("SELECT address, holder FROM pen")
        return {row["address"]: row["holder"] for row in found}
    return {}


def execution_pen(asset: str) -> str:
    """Return the address under which an asset's execution writes."""
    return f"execution/{asset}"


def _read(journal: Reading) -> JournalView:
    ask = journal.rows
    intents = ask("SELECT * FROM intent JOIN fact ON fact.id = fact_id ORDER BY fact_id")
    orders = {row["client_order_id"]: Order(intent=rows.intent_of(row)) for row in intents}
    updates = [
        (row["fact_id"], value_of(OrderUpdate, row))
        for row in ask("SELECT * FROM order_update ORDER BY fact_id")
    ]
    for _, update in updates:
        orders[update.client_order_id] = orders[update.client_order_id].apply(update)
    return JournalView(
        executions=[
            (row["fact_id"], value_of(Execution, row))
            for row in ask("SELECT * FROM execution ORDER BY fact_id")
        ],
        orders=orders,
        updates=updates,
        intended_ms={row["client_order_id"]: row["recorded_ms"] for row in intents},
        intended_at={row["client_order_id"]: row["fact_id"] for row in intents},
        approvals=[
            (row["fact_id"], value_of(Approval, row))
            for row in ask("SELECT * FROM decision_grant ORDER BY fact_id, place")
        ],
        samples=[
            (row["fact_id"], value_of(ProtectionState, row))
            for row in ask("SELECT * FROM equity_sample ORDER BY fact_id")
        ],
        trades=[value_of(Trade, row) for row in ask("SELECT * FROM trade ORDER BY fact_id")],
        transfers=tuple(
            value_of(Transfer, row) for row in ask("SELECT * FROM transfer ORDER BY fact_id")
        ),
        commands=tuple(
            (row["fact_id"], value_of(OperatorCommand, row))
            for row in ask("SELECT * FROM operator_command ORDER BY fact_id")
        ),
        stop_moves=tuple(
            value_of(StopMoved, row) for row in ask("SELECT * FROM stop_move ORDER BY fact_id")
        ),
    )
