"""What a column may hold follows from the field it is read into, and from a few more rules."""

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from types import MappingProxyType, NoneType, UnionType
from typing import Any, get_args, get_type_hints

import msgspec

from domain.errors import ConfigError
from domain.market.instruments import Candle, Instrument
from domain.operator.notices import Notice
from domain.portfolio.protection import ProtectionState
from domain.rules import AssetRules
from domain.trading.decisions import Approval, Close, Denial, Protection
from domain.trading.orders import Intent, OrderRequest, OrderUpdate
from domain.trading.positions import Execution, Trade
from domain.trading.trailing import StopMoved
from domain.trading.transfers import Transfer

MOST_TOLD = 10
LATEST_MS = 10**14
KINDS: Mapping[str, tuple[type, ...]] = MappingProxyType(
    {
        "asset": (AssetRules, Instrument),
        "candle": (Candle,),
        "decision": (Protection,),
        "decision_close": (Close,),
        "decision_grant": (Approval,),
        "decision_refusal": (Denial,),
        "equity_sample": (ProtectionState,),
        "execution": (Execution,),
        "intent": (Intent, OrderRequest),
        "notice": (Notice,),
        "order_update": (OrderUpdate,),
        "stop_move": (StopMoved,),
        "trade": (Trade,),
        "transfer": (Transfer,),
    }
)
"""Class that the rows of each table are read into."""
PARTS = ("fact", "decision_close", "decision_grant")
"""Tables of facts whose rows have no row of their own in `fact`."""
FIELDS = MappingProxyType({"protection_reason": "reason"})
"""Columns whose field has a different name."""
MORE: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "candle": {
            "low": "low > 0 AND low <= open AND low <= close",
            "high": "high < 1e300 AND high >= open AND high >= close",
            "close_time_ms": "close_time_ms > open_time_ms",
        },
        "decision": {
            "protection_reason": "protection_reason IS NULL OR (epoch IS NOT NULL AND "
            "cooldown_end_ms IS NOT NULL AND figures IS NOT NULL)"
        },
        "decision_grant": {
            "qty": "CAST(qty AS DOUBLE PRECISION) > 0",
            "price": "CAST(price AS DOUBLE PRECISION) > 0",
        },
        "execution": {
            "qty": "kind = 'FUNDING' OR CAST(qty AS DOUBLE PRECISION) > 0",
            "price": "kind = 'FUNDING' OR CAST(price AS DOUBLE PRECISION) > 0",
        },
        "intent": {"qty": "CAST(qty AS DOUBLE PRECISION) > 0"},
        "order_update": {"filled_qty": "CAST(filled_qty AS DOUBLE PRECISION) >= 0"},
        "trade": {"qty": "CAST(qty AS DOUBLE PRECISION) > 0"},
    }
)
"""Further rules that columns must satisfy."""


def hint_of(table: str, field: str) -> Any:
    """Return the type of the field that a column is read into; None: it is not read."""
    for kind in KINDS.get(table, ()):
        hints = get_type_hints(kind)
        if field in hints:
            hint = hints[field]
            if not isinstance(hint, UnionType):
                return hint
            return next(part for part in get_args(hint) if part is not NoneType)
    return None


def misfiled_query(table: str, differs: str) -> str | None:
    """Return the query for a fact whose row in `fact` has another kind or asset than it has.

    Args:
        table: of facts.
        differs: the database's operator for "differs", which treats NULL as a value.
    """
    if table in PARTS:
        return None
    kinds = f"'{table}'" if table != "decision_refusal" else "'decision_refusal', 'decision'"
    has_asset = table in ("asset", "candle", "execution", "intent", "trade")
    asset = f" OR f.asset {differs} t.asset" if has_asset else ""
    return (
        f"SELECT f.id FROM {table} t JOIN fact f ON f.id = t.fact_id "  # noqa: S608 (our own names)
        f"WHERE f.kind NOT IN ({kinds}){asset} LIMIT 1"
    )


def refuse_damaged(location: object, found: Sequence[str]) -> None:
    """Raise an error that lists damaged facts.

    Raises:
        ConfigError: always; the journal is refused.
    """
    if found:
        lines = "".join(f"\n- {problem}" for problem in found)
        raise ConfigError(
            f"{location}: the journal is damaged, so nothing is done on it:{lines}\n"
            "Restore an undamaged copy, or start over with another --run-dir: what is open at the "
            "exchange then counts as opened by hand."
        )


def reads_as(found: str, table: str, field: str) -> bool:
    """Tell whether the text of a column can be read as its field's type."""
    try:
        _decoder(table, field)(found)
    except (TypeError, ValueError):
        return False
    return True


@cache
def _decoder(table: str, field: str) -> Callable[[Any], Any]:
    return msgspec.json.Decoder(hint_of(table, field)).decode
