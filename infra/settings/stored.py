"""Restores the settings that a run has recorded in its journal."""

import re
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from pydantic import ValidationError

from domain.errors import ConfigError
from domain.operator.pairs import PairChange
from domain.rules import CapitalChange
from infra.settings.comparison import ABSENT, NONE, flat, is_hidden
from infra.settings.load import load_settings
from infra.settings.pairs import node_of, with_pairs
from infra.settings.problems import Place
from infra.settings.sections.whole import Settings
from infra.settings.strategy_versions import PREFIX

_PRIVATE = ("exchange.", "notifications.", "control.", "database.")
"""Sections with secrets, which are not recorded; they contain no trading rules."""
_LEFT_OUT = (*_PRIVATE, PREFIX)
_STEP = re.compile(r"([^.\[\]]+)|\[([^\]]*)\]")
_CHANGE = re.compile(r"(?P<key>\S+): (?P<was>.*?) -> (?P<now>.*)")


def settings_before(
    noted: Mapping[str, str], changes: Iterable[tuple[int, str]], t_ms: int
) -> dict[str, str]:
    """Return the settings in force before a time, by key.

    Args:
        noted: those in force now, in the form of `flat`.
        changes: time and lines of each stored change, oldest first.
        t_ms: the time.
    """
    found = dict(noted)
    for changed_ms, lines in reversed(list(changes)):
        if changed_ms < t_ms:
            break
        for change in map(_CHANGE.fullmatch, lines.splitlines()):
            if change is None:
                continue
            if change["was"] == ABSENT:
                found.pop(change["key"], None)
            else:
                found[change["key"]] = change["was"]
    return found


def capital_changes(changes: Iterable[tuple[int, str]]) -> tuple[CapitalChange, ...]:
    """Return the changes of `portfolio.total_capital` among stored ones, oldest first.

    Args:
        changes: time and lines of each stored change, oldest first.
    """
    return tuple(
        CapitalChange(ts_ms=ts_ms, before=_money(change["was"]), limit=_money(change["now"]))
        for ts_ms, lines in changes
        for change in map(_CHANGE.fullmatch, lines.splitlines())
        if change is not None and change["key"] == "portfolio.total_capital"
    )


def _money(text: str) -> Decimal | None:
    return None if text in {"null", ABSENT} else Decimal(text)


def settings_of(noted: Mapping[str, str], where: str, pairs: Sequence[PairChange] = ()) -> Settings:
    """Return settings from the form of `flat`; secrets, and sections with secrets, get defaults.

    Args:
        noted: text by key.
        where: names the origin in errors.
        pairs: changes of the recorded pairs; see `with_pairs`.

    Raises:
        ConfigError: this version has different settings.
    """
    default = flat(load_settings(None, environ={}, dotenv=None), "")
    lists = ("portfolio.assets[", "instruments[")
    values = {key: text for key, text in default.items() if not key.startswith(lists)}
    values |= {key: text for key, text in noted.items() if not key.startswith(_LEFT_OUT)}
    tree: dict[str, Any] = {}
    for key, text in values.items():
        is_unsaid = text == "null" and key.startswith("portfolio.assets[")
        if not (is_hidden(text) or is_unsaid):
            _put(tree, key, text)
    assets = tree["portfolio"]["assets"]
    tree["portfolio"]["assets"] = list(assets.values())
    try:
        return Settings.model_validate(with_pairs(node_of(tree, Place(file=where)), pairs).plain())
    except ValidationError as error:
        first = ".".join(map(str, error.errors(include_url=False)[0]["loc"]))
        raise ConfigError(
            f"{where}: the settings recorded there are of another version ({first}); name the "
            "run's own by --settings"
        ) from None


def _put(tree: dict[str, Any], key: str, text: str) -> None:
    *above, last = [name or item for name, item in _STEP.findall(key)]
    for step in above:
        tree = tree.setdefault(step, {})
    tree[last] = _plain(text)


def _plain(text: str) -> Any:
    if text in {"null", NONE}:
        return None
    if text.startswith("[") and text.endswith("]"):
        if text.startswith("[["):
            return [inner.split(", ") for inner in text[2:-2].split("], [")]
        return [item for item in text[1:-1].split(", ") if item]
    return text
