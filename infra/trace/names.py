"""Old names of things, so that traces of older versions can be read: old names become current ones.

A trace of format 0 was written before `Session.format` existed. What is renamed or reshaped later
is added here, under the last format that had the old name.
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from domain.portfolio.performance import Performances
from infra.trace.old_rules import rules_of_today, with_values
from infra.trace.records import Session, StoredCall, StoredHandling, StoredRaised, StoredTold

FORMAT = 1
"""Format of the traces that this version writes."""

_MESSAGES = {
    "EntryGranted": "EntryApproved",
    "EntryRefused": "EntryDenied",
    "AskExchange": "Reconcile",
    "AskNext": "ContinueReconcile",
    "AssetFrozen": "ReconcileMismatch",
    "AssetThawed": "ReconcileMatch",
    "PositionNaked": "PositionUnprotected",
}
ADDED_MESSAGES = frozenset({"EntrySubmitted"})
"""Messages that no version of format 0 sent in situations where this version sends them."""
_TYPES = _MESSAGES | {
    "EntryWish": "EntrySignal",
    "Grant": "Approval",
    "Holding": "VenuePosition",
    "Refusal": "Denial",
    "Report": "AssetEvaluation",
    "StaleGrantError": "StaleApprovalError",
    "Stray": "UnmanagedPosition",
}
_FIELDS = {
    "cross_ms": "signal_ms",
    "crosses": "kinds",
    "grant": "approval",
    "grants": "approvals",
    "is_naked": "is_unprotected",
    "newest_cross_ms": "newest_signal_ms",
    "own_exit": "strategy_exit",
    "refusal": "denial",
    "refusals": "denials",
    "regime_strength": "strength",
    "wish": "signal",
}
_METHODS = {
    "grant": "approval",
    "holding": "venue_position",
    "newest_grant": "newest_approval",
    "refusals": "denials",
    "strays": "unmanaged_positions",
}
ADDED_CALLS: Mapping[tuple[str, str], Any] = {
    ("journal", "kept"): [],
    ("journal", "newest_stop_move"): None,
    ("journal", "performances"): Performances(),
    ("journal", "protection_resting_until"): None,
    ("journal", "shortage"): None,
}
"""Port and method of calls that no version of format 0 made, and the answers it would have got."""
_ANSWERS = {"accept": False, "set_stops": True}
"""By method, what the missing answer (None) of format 0 means today."""


class Renamer:
    """Turns the records of one session into records of the current format."""

    def __init__(self, session: Session) -> None:
        """Look up the periods of the averages, which are part of value names today."""
        strategy: Mapping[str, Any] = {}
        for actor in session.actors:
            _, stored = actor.arguments.get("rules", (None, None))
            if stored:
                strategy = stored[1].get("strategy", strategy)
                actor.arguments["rules"] = ("value", (stored[0], rules_of_today(stored[1])))
        self._strategy = strategy

    def handling(self, old: StoredHandling) -> StoredHandling:
        """Rename everything in a record, in place."""
        old.kind = _MESSAGES.get(old.kind, old.kind)
        old.payload = self._raw(old.payload)
        for call in old.calls:
            self._call(call)
        old.told = [
            StoredTold(
                told.message_id,
                told.receiver,
                _MESSAGES.get(told.kind, told.kind),
                self._raw(told.payload),
            )
            for told in old.told
        ]
        _rename_raised(old.raised)
        return old

    def _call(self, call: StoredCall) -> None:
        call.method = _METHODS.get(call.method, call.method)
        call.arguments = self._raw(call.arguments)
        call.result = self._raw(call.result)
        if call.method in _ANSWERS and call.raised is None:
            call.result = msgspec.Raw(msgspec.msgpack.encode(_ANSWERS[call.method]))
        _rename_raised(call.raised)

    def _raw(self, stored: msgspec.Raw) -> msgspec.Raw:
        return msgspec.Raw(msgspec.msgpack.encode(self._value(msgspec.msgpack.decode(stored))))

    def _value(self, stored: Any) -> Any:
        if isinstance(stored, list):
            if len(stored) == 2 and isinstance(stored[1], dict) and isinstance(stored[0], str):  # noqa: PLR2004 (type, fields)
                return [_TYPES.get(stored[0], stored[0]), self._value(stored[1])]
            return [self._value(item) for item in stored]
        return self._fields(stored) if isinstance(stored, dict) else stored

    def _fields(self, stored: dict[Any, Any]) -> dict[Any, Any]:
        """Rename fields; the strategy's own figures become its labelled values."""
        found = {_FIELDS.get(name, name): self._value(value) for name, value in stored.items()}
        if "=" in found:
            found["="] = _TYPES.get(found["="], found["="])
        if "regime_strength" in stored:
            found["side"] = "SELL"  # the only strategy of that time sold short
        if "is_emergency_armed" in found and "is_reduced" in found:
            found["reduction_step"] = int(found.pop("is_reduced"))
        return with_values(found, self._strategy)


def message_name(name: str) -> str:
    """Return the current name of a message."""
    return _MESSAGES.get(name, name)


def _rename_raised(raised: StoredRaised | None) -> None:
    if raised is not None:
        module, colon, name = raised.kind.partition(":")
        raised.kind = f"{module}{colon}{_TYPES.get(name, name)}"
        for old, new in _TYPES.items():
            if raised.cause.startswith(f"{old}:"):
                raised.cause = f"{new}{raised.cause.removeprefix(old)}"
