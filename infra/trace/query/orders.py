"""Every order and every denied entry, as text and as JSON."""

import json
from collections.abc import Iterator
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.table import Column, Table
from rich.text import Text

from domain.text import plain
from domain.trading.orders import Purpose
from infra.process.times import show_time
from infra.store.reader import FactReader
from infra.store.trace_ids import id_text


def orders_of(facts: FactReader) -> list[dict[str, Any]]:
    """Return a row for each order, each denied entry and each exit made by the exchange itself.

    They are in the order of their facts.
    """
    orders = [
        {
            "id": order.client_order_id,
            "asset": order.intent.request.asset,
            "purpose": order.intent.purpose.value,
            "candle_ms": order.intent.decided_ms,
            "outcome": order.state.status.value,
            "detail": order.detail or (order.intent.reason or ""),
            "message": _message(order.source.message_id),
            "fact_id": order.source.fact_id,
        }
        for order in facts.orders()
    ]
    refused = [
        {
            "id": denial.client_order_id,
            "asset": denial.asset,
            "purpose": Purpose.ENTRY.value,
            "candle_ms": denial.t_ms,
            "outcome": "REFUSED",
            "detail": f"{denial.reason} {denial.figures}",
            "message": _message(source.message_id),
            "fact_id": source.fact_id,
        }
        for source, denial in facts.denials()
    ]
    return sorted([*orders, *refused, *_exits_by_exchange(facts)], key=lambda row: row["fact_id"])


def _exits_by_exchange(facts: FactReader) -> Iterator[dict[str, Any]]:
    """Yield a row for each trade that was not closed by one of our orders: by a stop, by hand."""
    for source, trade in facts.exits_by_exchange():
        yield {
            "id": f"trade/{source.fact_id}",
            "asset": trade.asset,
            "purpose": Purpose.EXIT.value,
            "candle_ms": trade.exit_ms,
            "outcome": "FILLED",
            "detail": f"{trade.reason} at the exchange: {trade.exit_price:.8g}",
            "message": _message(source.message_id),
            "fact_id": source.fact_id,
        }


def _message(message_id: int | None) -> str | None:
    return None if message_id is None else id_text(message_id)


def orders_json(facts: FactReader) -> str:
    """Return all orders and denied entries as one JSON list."""
    return json.dumps(orders_of(facts), indent=2)


def orders_table(facts: FactReader) -> Table:
    """Return the rows as a table; ids are not shortened, so that they can be copied."""
    whole = (Column(name, no_wrap=True) for name in ("id", "asset", "purpose", "candle", "outcome"))
    table = Table(*whole, "detail", Column("message", no_wrap=True), box=SIMPLE_HEAD)
    for row in orders_of(facts):
        style = {"FILLED": "green", "REFUSED": "yellow"}.get(row["outcome"], "red")
        candle = show_time(row["candle_ms"])
        outcome = Text(row["outcome"], style)
        table.add_row(
            row["id"],
            row["asset"],
            row["purpose"],
            candle,
            outcome,
            plain(row["detail"]),
            row["message"] or "",
        )
    return table
