"""The settings of a run in readable words and units."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from decimal import Decimal
from typing import Any

from domain.market.instruments import MINUTE_MS
from domain.operator import wording as say
from domain.rules import TradingRules
from infra.operator.report.html import table

_TITLES = {
    "candles": "Candles",
    "risk": "Risk",
    "protection": "Protection of the portfolio",
    "cooldown": "Cooldowns of an asset",
    "approval": "Limits of entries",
    "fills": "Fills of the backtest",
}
_SHARES = ("_fraction", "rate")


def parameters(rules: TradingRules) -> str:
    """Return all parameters: a table for each group, and one with a column for each asset."""
    groups = asdict(rules)
    assets = groups.pop("assets")
    parts = [_group(title, _flat("", groups.pop(name))) for name, title in _TITLES.items()]
    parts.append(_group("Capital", _flat("", groups)))
    return f"<div class=groups>{''.join(parts)}</div><h3>Assets</h3>{_assets(assets)}"


def _group(title: str, rows: Iterable[tuple[str, str]]) -> str:
    return f"<div><h3>{title}</h3>{table(list(rows))}</div>"


def _assets(assets: list[Mapping[str, Any]]) -> str:
    columns = [dict(_flat("", asset)) for asset in assets]
    names = dict.fromkeys(name for column in columns for name in column)
    rows = [(name, *(column.get(name, "") for column in columns)) for name in names]
    head, *rest = rows
    return table(rest, head)


def _flat(prefix: str, values: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _flat(f"{prefix}{_words(name)}: ", value)
        else:
            yield f"{prefix}{_words(name)}", _shown(name, value)


def _words(name: str) -> str:
    return name.removesuffix("_ms").removesuffix("_fraction").replace("_", " ")


def _shown(name: str, value: object) -> str:
    if value is None or isinstance(value, bool):
        return {None: "none", True: "yes", False: "no"}[value]
    if isinstance(value, tuple | list | frozenset):
        return ", ".join(_item(name, each) for each in value) or "none"
    if name.endswith("_ms") and isinstance(value, int):
        return say.duration(value) if value % MINUTE_MS == 0 and value else f"{value / 1000:g} s"
    if name.endswith(_SHARES):
        return _share(value)
    return f"{value:f}" if isinstance(value, Decimal) else str(value)


def _item(name: str, value: Any) -> str:
    if name == "drawdown_steps":
        return f"from {_share(value[0])} on at {_share(value[1])} size"
    return str(value)


def _share(value: object) -> str:
    return f"{float(str(value)) * 100:,.10g} %"
