"""Explains to the user which value is in force for each pair, and where it was written."""

from collections.abc import Iterator, Sequence

from domain.operator.pairs import PairChange
from domain.strategies.registry import CONFIRMED_TREND_LONG, EMA_CROSS_SHORT
from infra.settings.load import PROJECT_ROOT, SettingsSource
from infra.settings.merged import Effective, Facts
from infra.settings.problems import Key, show, show_key
from infra.settings.sections.assets import AssetSettings
from infra.settings.sections.strategy import ConfirmedTrendSettings, StrategySettings
from infra.settings.sections.values import Section

_SHARED = (
    "allocation_pct",
    "leverage",
    "correlation_group",
    "stop_loss_pct",
    "take_profit_pct",
    "trail_pct",
    "min_ratchet_pct",
    "max_hold_hours",
)
_SECTIONS: dict[str, tuple[str, type[Section]]] = {
    EMA_CROSS_SHORT: ("strategy", StrategySettings),
    CONFIRMED_TREND_LONG: (CONFIRMED_TREND_LONG, ConfirmedTrendSettings),
}


def explain(source: SettingsSource, pairs: Sequence[PairChange] = ()) -> Iterator[str]:
    """Yield a line for each translated name, and for each value of each enabled pair.

    Args:
        source: of valid settings.
        pairs: added and removed by commands.
    """
    for alias in source.aliases:
        yield _short(str(alias))
    facts = source.merged(pairs)
    for asset in facts.enabled_assets():
        yield f"{facts.text((*asset, 'symbol'))}: {facts.strategy(asset)}"
        for name, found in _values(facts, asset):
            where = "the default" if found.place is None else _short(str(found.place))
            by = f" ({found.name})" if found.name != show_key((*asset, name)) else ""
            yield f"  {name:<26} {show(found.text or 'null'):<14} {where}{by}"


def _values(facts: Facts, asset: Key) -> Iterator[tuple[str, Effective]]:
    for name in _SHARED:
        yield name, facts.effective(asset, name)
    if facts.strategy(asset) not in _SECTIONS:
        parameters: Key = (*asset, "parameters")
        for key in facts.keys(parameters) if facts.has_entries(parameters) else ():
            yield str(key[-1]), facts.said(key)
        return
    section, model = _SECTIONS[facts.strategy(asset)]
    for name in model.model_fields:
        if name not in _SHARED:
            own = name in AssetSettings.model_fields
            yield name, facts.effective(asset, name) if own else facts.said((section, name))


def _short(text: str) -> str:
    return text.replace(f"{PROJECT_ROOT}/", "")
