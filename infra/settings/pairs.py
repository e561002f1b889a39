"""The settings with the pairs that commands have added and removed since.

A stored command overrides the file: a removed pair stays out although the file names it, and an
added one is traded although it does not. For pairs that the file itself trades, its values count.
"""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from decimal import Decimal
from typing import Any

from domain.market.instruments import Instrument
from domain.operator.pairs import PairAction, PairChange, newest_changes
from infra.settings.merged import ASSETS, Facts, UnjudgedError
from infra.settings.problems import Key, Place
from infra.settings.sections.assets import MAY_BE_NONE, AssetSettings
from infra.settings.tree import Node, put

_TOTAL: Key = ("portfolio", "total_allocation_pct")


def settings_text(asset: AssetSettings) -> dict[str, str | Mapping[str, str] | None]:
    """Return the values of an entry under `portfolio.assets`, as text by key; None: null."""
    said = asset.model_dump(exclude_none=True, exclude_defaults=True)
    said |= {name: None for name in MAY_BE_NONE if name not in said and asset.says(name)}
    return {
        name: dict(value) if isinstance(value, Mapping) else _text(value)
        for name, value in {"symbol": asset.symbol, **said}.items()
    }


def instrument_text(instrument: Instrument) -> dict[str, str]:
    """Return an instrument's entry under `instruments`."""
    return {
        "qty_step": f"{instrument.qty_step:f}",
        "min_order_qty": f"{instrument.min_order_qty:f}",
        "tick_size": f"{instrument.tick_size:f}",
        "min_notional_value": f"{instrument.min_notional:f}",
        "max_market_order_qty": f"{instrument.max_market_order_qty:f}",
    }


def with_pairs(tree: Node, changes: Iterable[PairChange]) -> Node:
    """Return the tree with the newest change of each pair applied."""
    newest = newest_changes(changes)
    for change in newest.values():
        tree = _with_pair(tree, change)
    is_added = any(change.action is PairAction.ADD for change in newest.values())
    return _with_enough_allocation(tree) if is_added else tree


def _with_pair(tree: Node, change: PairChange) -> Node:
    place = Place(file=f"the command pairs {change.action} {change.symbol}")
    listed = tree.nearest(ASSETS)
    if not isinstance(listed.content, list):
        return tree
    index, entry = _entry(listed.content, change.symbol)
    is_member = change.action is not PairAction.LEAVE
    if entry is None or (is_member and not _is_enabled(entry)):
        entry = entry if change.settings is None else node_of(change.settings, place)
    if entry is None:
        return tree
    if is_member is not _is_enabled(entry):
        entry = put(entry, ("enabled",), Node(str(is_member).lower(), place))
    return _with_instrument(_listed(tree, index, entry), change, place)


def _with_instrument(tree: Node, change: PairChange, place: Place) -> Node:
    """Return the tree with a pair's filters added, if it has none."""
    key: Key = ("instruments", change.symbol)
    instruments = tree.child("instruments")
    if change.instrument is None or instruments is None or instruments.child(change.symbol):
        return tree
    return put(tree, key, node_of(change.instrument, place))


def _entry(items: Sequence[Node], symbol: str) -> tuple[int | None, Node | None]:
    for index, item in enumerate(items):
        named = item.child("symbol")
        if named is not None and named.content == symbol:
            return index, item
    return None, None


def _is_enabled(entry: Node) -> bool:
    said = entry.child("enabled")
    return said is None or str(said.content).lower() not in {"false", "no", "off"}


def _listed(tree: Node, index: int | None, entry: Node) -> Node:
    if index is not None:
        return put(tree, (*ASSETS, index), entry)
    listed = tree.nearest(ASSETS)
    items = listed.content if isinstance(listed.content, list) else []
    return put(tree, ASSETS, replace(listed, content=[*items, entry]))


def _with_enough_allocation(tree: Node) -> Node:
    """Raise the total for added pairs; what may be open is limited by other settings."""
    facts = Facts(tree, ())
    with suppress(UnjudgedError, ArithmeticError):
        shares = [facts.effective(key, "allocation_pct") for key in facts.enabled_assets()]
        used = sum((share.value or Decimal(0) for share in shares), Decimal(0))
        if used > facts.number(_TOTAL):
            total = min(used, Decimal(1))
            return put(tree, _TOTAL, Node(f"{total:f}", Place(file="the command pairs add")))
    return tree


def node_of(value: Any, place: Place) -> Node:
    """Return plain values as a tree with a given place."""
    if isinstance(value, Mapping):
        return Node({name: node_of(inner, place) for name, inner in value.items()}, place)
    if isinstance(value, list):
        return Node([node_of(inner, place) for inner in value], place)
    return Node(None if value is None else str(value), place)


def _text(value: object) -> str | None:
    if value is None:
        return None
    return str(value).lower() if isinstance(value, bool) else str(value)
