"""The audit trail: every fact that is a decision, an order, money or a command, in one timeline."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import asdict, dataclass
from typing import Any

from domain.errors import ConfigError, JournalError
from domain.operator.commands import ALL
from domain.text import plain
from infra.store.location import Location
from infra.store.reading import Reading, open_reading
from infra.store.trace_ids import id_text

_WHAT = {
    "decision": "SELECT fact_id, 'all' AS asset, protection_reason || ' epoch ' || epoch || ' ' || "
    "figures AS what FROM decision WHERE protection_reason IS NOT NULL",
    "grant": "SELECT fact_id, asset, 'approved ' || qty || ' at ' || price AS what "
    "FROM decision_grant",
    "refusal": "SELECT fact_id, asset, reason || ' ' || figures AS what FROM decision_refusal",
    "close": "SELECT fact_id, asset, 'to be closed: ' || reason AS what FROM decision_close",
    "intent": "SELECT fact_id, asset, client_order_id || ' ' || side || ' ' || qty || "
    "COALESCE(' ' || reason, '') || COALESCE(' stop ' || stop_loss, '') || "
    "COALESCE(' target ' || take_profit, '') AS what FROM intent",
    "order_update": "SELECT u.fact_id, i.asset, u.client_order_id || ' ' || u.status || ' ' || "
    "u.filled_qty || ' ' || u.detail AS what FROM order_update u "
    "JOIN intent i USING (client_order_id)",
    "execution": "SELECT fact_id, asset, kind || ' ' || side || ' ' || qty || ' at ' || price "
    "AS what FROM execution",
    "trade": "SELECT fact_id, asset, reason || ' pnl ' || pnl AS what FROM trade",
    "transfer": "SELECT fact_id, NULL AS asset, kind || ' ' || amount AS what FROM transfer",
    "operator_command": "SELECT fact_id, CASE "
    "WHEN command IN ('pause', 'resume', 'close', 'liquidate', 'flat', 'reduce') THEN arguments "
    "WHEN command IN ('panic', 'rearm') THEN 'all' END AS asset, "
    "operator || ': ' || command || ' ' || "
    "arguments || CASE is_done WHEN 1 THEN ' -> ' ELSE ' -> NOT DONE: ' END || result AS what "
    "FROM operator_command",
    "settings_change": "SELECT fact_id, 'all' AS asset, operator || ': ' || changes AS what "
    "FROM settings_change",
    "asset": "SELECT fact_id, asset, 'share ' || allocation_fraction || ' leverage ' || leverage "
    "AS what FROM asset",
}
"""Kinds of entries, each with the query of what is said about it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEntry:
    """One line of the timeline."""

    fact_id: int
    recorded_ms: int
    kind: str
    asset: str | None
    writer: str
    what: str
    trace_id: str | None
    """As bin/trace writes it; None if only the operator's own request led to it."""

    def as_dict(self) -> dict[str, Any]:
        """Return the entry as plain values for other programs."""
        return asdict(self)


def read_audit(file: Location, from_ms: int = 0, asset: str | None = None) -> list[AuditEntry]:
    """Return the timeline of a journal, even of one in use; nothing is written to it.

    Args:
        file: the journal.
        from_ms: earliest time of storing.
        asset: only its facts and those that concern all assets; None: every asset's.

    Raises:
        ConfigError: there is no journal, or it cannot be read.
    """
    try:
        with closing(open_reading(file)) as journal:
            found = [entry for kind in _WHAT for entry in _entries(journal, kind, from_ms)]
    except JournalError as error:
        raise ConfigError(f"{error}; was it written by this program?") from error
    meant = (asset, ALL)
    wanted = [entry for entry in found if asset is None or entry.asset in meant]
    return sorted(wanted, key=lambda entry: entry.fact_id)


def _entries(journal: Reading, kind: str, from_ms: int) -> Iterator[AuditEntry]:
    query = (
        "SELECT f.id, f.recorded_ms, f.writer, f.trace_id, "  # noqa: S608 (our own text)
        "COALESCE(w.asset, f.asset) AS asset, w.what "
        f"FROM fact f JOIN ({_WHAT[kind]}) w ON w.fact_id = f.id WHERE f.recorded_ms >= %s"
    )
    separator = "; " if kind == "settings_change" else " "
    for row in journal.rows(query, from_ms):
        fact_id, recorded_ms, writer, trace_id, asset, what = row.values()
        yield AuditEntry(
            fact_id=fact_id,
            recorded_ms=recorded_ms,
            kind=kind,
            asset=None if asset is None else plain(asset.split(" ")[0]),
            writer=plain(writer),
            what=plain(" ".join((what or "").replace("\n", separator).split())),
            trace_id=None if trace_id is None else id_text(trace_id),
        )
