"""Pairs that commands add to or remove from those of the settings file; stored as facts.

A pair joins at a close, and takes part in the decisions of that close and all later ones. One that
is removed opens nothing from then on, and leaves once it is flat.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

_QUOTE = "USDT"


class PairAction(StrEnum):
    """What happens to a pair."""

    ADD = "add"
    REMOVE = "remove"
    """It opens no more positions, and leaves once it is flat."""
    LEAVE = "leave"
    """It is flat, and no longer traded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PairChange:
    """A pair joins, is about to leave, or has left."""

    action: PairAction
    symbol: str
    """As BTCUSDT."""
    from_ms: int = 0
    """The first close that it takes part in, or no longer takes part in; REMOVE: since when."""
    settings: Mapping[str, str | Mapping[str, str] | None] | None = None
    """If it joins: its entry under `portfolio.assets`, as text by key; null as None."""
    instrument: Mapping[str, str] | None = None
    """If it joins: its entry under `instruments`."""

    @property
    def asset(self) -> str:
        """The base coin."""
        return asset_of_symbol(self.symbol)

    def written(self) -> str:
        """Return the arguments under which the command is stored."""
        values = {"from_ms": self.from_ms, "settings": self.settings, "instrument": self.instrument}
        return f"{self.action} {self.symbol} {json.dumps(values, separators=(',', ':'))}"


def read_change(text: str) -> PairChange | None:
    """Return the change that `PairChange.written` stored; None if it is not one."""
    action, _, rest = text.partition(" ")
    symbol, _, values = rest.partition(" ")
    if not values.startswith("{") or action not in set(PairAction):
        return None
    return PairChange(action=PairAction(action), symbol=symbol, **json.loads(values))


def newest_changes(changes: Iterable[PairChange]) -> dict[str, PairChange]:
    """Return the newest change of each pair, with the settings that it joined with."""
    newest: dict[str, PairChange] = {}
    for change in changes:
        before = newest.get(change.symbol)
        if change.action is PairAction.ADD or before is None or before.settings is None:
            newest[change.symbol] = change
        else:
            newest[change.symbol] = replace(
                change, settings=before.settings, instrument=before.instrument
            )
    return newest


def added(changes: Iterable[PairChange]) -> list[str]:
    """Return the symbols that are traded because of a command, including those about to leave."""
    newest = newest_changes(changes).values()
    return [each.symbol for each in newest if each.action is not PairAction.LEAVE]


def changes_at(changes: Iterable[PairChange], t_ms: int) -> list[PairChange]:
    """Return the changes in effect at a close, including those that began with it.

    A pair whose first change came later and was not to join was traded until then because of the
    file; one that joined later was not traded.
    """
    found: list[PairChange] = []
    seen: set[str] = set()
    for change in changes:
        is_first = change.symbol not in seen
        seen.add(change.symbol)
        if change.from_ms <= t_ms:
            found.append(change)
        elif is_first:
            was_out = change.action is PairAction.ADD
            found.append(replace(change, action=PairAction.LEAVE) if was_out else change)
    return found


def joined_ms(changes: Iterable[PairChange]) -> dict[str, int]:
    """Return by asset the first close of each pair that joined by a command."""
    found: dict[str, int] = {}
    for change in changes:
        if change.action is PairAction.ADD:
            found[change.asset] = change.from_ms
        elif change.action is PairAction.LEAVE:
            found.pop(change.asset, None)
    return found


def symbol_of(text: str) -> str:
    """Return the symbol of a text like BTC, btcusdt or BTCUSDT."""
    upper = text.upper()
    return upper if upper.endswith(_QUOTE) else f"{upper}{_QUOTE}"


def asset_of_symbol(symbol: str) -> str:
    """Return the base coin of a symbol."""
    return symbol.removesuffix(_QUOTE)
