"""Texts on how many assets may be entered, and on what entries wait for."""

from collections.abc import Iterable, Mapping
from itertools import chain

from domain.operator import wording as say
from domain.portfolio.snapshots import AssetSnapshot
from domain.strategies.base import Regime
from domain.strategies.explanation import OPEN_POSITION


def opportunity(snapshots: Iterable[AssetSnapshot | None]) -> str:
    """Return how many of all assets are ACTIVE; those that did not answer count as not."""
    found = list(snapshots)
    active = sum(
        one is not None and one.report is not None and one.report.regime == Regime.ACTIVE
        for one in found
    )
    if not found:
        return "No asset is traded"
    none = ": no asset may be entered" if not active else ""
    return f"ACTIVE {active} of {len(found)}, {say.percent(active / len(found), 0)}{none}"


def waiting(assets: Mapping[str, AssetSnapshot]) -> list[str]:
    """Return what entries of assets without a position wait for: assets by condition."""
    by_condition: dict[str, list[str]] = {}
    for asset, snapshot in assets.items():
        explanation = snapshot.explanation
        is_flat = snapshot.position is None
        failed = explanation.failed_entry if explanation is not None and is_flat else None
        if failed is not None and failed.name != OPEN_POSITION:
            by_condition.setdefault(failed.name, []).append(asset)
    lists = [say.listed(f"- {name}:", names) for name, names in by_condition.items()]
    return ["Entries wait for:", *chain.from_iterable(lists)] if lists else []
