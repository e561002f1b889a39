"""Facts as bytes of a reserve record, and back."""

import json
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from domain.facts import Fact
from domain.operator.commands import OperatorCommand
from domain.portfolio.protection import ProtectionState
from domain.trading.decisions import Decision
from domain.trading.orders import Intent
from domain.trading.trailing import StopMoved
from infra.store import rows
from infra.store.codec import Row, row_of, value_of


def pack(address: str, recorded_ms: int, facts: Sequence[Fact]) -> bytes:
    """Return facts of one address as bytes.

    Raises:
        ValueError: a fact is of a kind that the reserve does not keep.
    """
    packed = [_packed(fact) for fact in facts]
    content = {"address": address, "recorded_ms": recorded_ms, "facts": packed}
    return json.dumps(content, separators=(",", ":")).encode()


def unpack(body: bytes) -> tuple[str, int, tuple[Fact, ...]]:
    """Return the address, time and facts packed by `pack`."""
    content = json.loads(body)
    facts = tuple(_READERS[kind](row) for kind, row in content["facts"])
    return content["address"], content["recorded_ms"], facts


def _packed(fact: Fact) -> tuple[str, Row]:
    match fact:
        case Intent():
            return "intent", rows.intent_row(fact)
        case ProtectionState():
            return "equity_sample", row_of(fact)
        case OperatorCommand():
            return "operator_command", row_of(fact)
        case StopMoved():
            return "stop_move", row_of(fact)
        case Decision(approvals=()):
            return "decision", _decision_row(fact)
        case _:
            message = f"expected a close, a protection, a stop or a command, found {fact}"
            raise ValueError(message)


def _decision_row(decision: Decision) -> Row:
    closes = () if decision.protection is None else decision.protection.closes
    return {
        "protection_reason": None,
        **rows.decision_row(decision),
        "refusals": [row_of(denial) for denial in decision.denials],
        "closes": [row_of(close) for close in closes],
    }


def _decision_of(row: Mapping[str, Any]) -> Decision:
    return rows.decision_of(row, [], row["refusals"], row["closes"])


_READERS: Mapping[str, Callable[[Row], Fact]] = MappingProxyType(
    {
        "intent": rows.intent_of,
        "equity_sample": lambda row: value_of(ProtectionState, row),
        "operator_command": lambda row: value_of(OperatorCommand, row),
        "stop_move": lambda row: value_of(StopMoved, row),
        "decision": _decision_of,
    }
)
