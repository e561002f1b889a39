"""The configuration reference, docs/configuration.md, made from the settings' own fields.

`python -m infra.settings.reference` prints it. Keys, units and ranges are those of the fields,
defaults and meanings those of `settings.yaml`.
"""

import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, get_args, get_origin

from pydantic import BaseModel, BeforeValidator

from infra.settings.environment import VARIABLES
from infra.settings.fields import Described, described
from infra.settings.load import PROJECT_ROOT
from infra.settings.problems import Key
from infra.settings.sections.whole import Settings
from infra.settings.tree import EVERY, Node, read_tree

_HEAD = """\
# Configuration reference

Made from the program by `bin/docs configuration`; do not edit it by hand. `settings.yaml` holds
the defaults; a file given with `--settings` holds only what differs. [Start](start.md#settings)
says how files, environment variables and `.env` go together.

A key that ends in `_pct` is a fraction: 0.07 is seven percent. `null` is allowed where the range
says so. Money and prices are USDT, times are UTC.

"""
_COMMENT = re.compile(r"(?:^|\s)#\s?(.*)$")
_SOURCE = re.compile(r" \(\d+(\.\d+)?(, \d+(\.\d+)?)*\)$")
_ONLY_ASSETS: Mapping[str, str] = {
    "strategy": "which strategy decides for it",
    "correlation_group": "pairs of one group share limits; null = grouped as measured",
    "parameters": "what a strategy named `module:Class` reads, by name",
    "trail_pct": "trailing stop's distance from the best price; null = none, unset = strategy's",
    "min_ratchet_pct": "the stop moves only by more than this; null = its strategy's",
    "stop_loss_pct": "distance of the stop from the entry; null = none, unset = strategy's",
    "take_profit_pct": "distance of the target from the entry; null = none, unset = strategy's",
    "max_hold_hours": "a position held as long is closed; null = never, unset = strategy's",
    "entry_confirmation_level": "of the three confirmations, at least; null = its strategy's",
    "max_entry_wait_candles": "age of the trigger at entry, at most; null = its strategy's",
    "ema_trigger_period": "a close above this average is a trigger; null = its strategy's",
    "ema_trend_period": "a close above this average confirms; null = its strategy's",
    "macd_fast_period": "of the MACD's faster average; null = its strategy's",
    "macd_slow_period": "of the MACD's slower average; null = its strategy's",
    "macd_signal_period": "of the MACD's signal; null = its strategy's",
    "rsi_period": "of the RSI; null = its strategy's",
    "rsi_level": "above it the RSI confirms; null = its strategy's",
}
"""What an asset may say and the file of defaults does not show."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A line of the reference."""

    key: str
    unit: str
    default: str
    allowed: str
    meaning: str


def entries(section: str) -> list[Entry]:
    """Return all settings of a section, in the order of their fields."""
    file = PROJECT_ROOT / "settings.yaml"
    tree, lines = read_tree(file), file.read_text(encoding="utf-8").splitlines()
    model = _model_in(Settings.model_fields[section].annotation)
    if model is None:
        raise ValueError(f"expected a section, found {section}")
    start: Key = (section,)
    return list(_of_model(model, (*start, *_below(section)), tree, lines))


def page() -> str:
    """Return the whole page."""
    parts = [_HEAD]
    for section, field in Settings.model_fields.items():
        model = _model_in(field.annotation)
        words = (model.__doc__ or "").split("\n\n", maxsplit=1)[0] if model else ""
        parts.append(f"## {section}\n\n{' '.join(words.split())}\n\n")
        parts.append("| key | unit | default | allowed | meaning |\n|---|---|---|---|---|\n")
        parts += map(_row, entries(section))
        parts.append("\n")
    return "".join([*parts, *_variables()])


def _below(section: str) -> Key:
    return ("BTCUSDT",) if section == "instruments" else ()


def _of_model(model: type[BaseModel], at: Key, tree: Node, lines: list[str]) -> Iterator[Entry]:
    for name, field in model.model_fields.items():
        below, key = _model_in(field.annotation), (*at, name)
        if below is not None:
            first: Key = (0,) if get_origin(field.annotation) is tuple else ()
            yield from _of_model(below, (*key, *first), tree, lines)
            continue
        said = _described([field.annotation, *field.metadata])
        yield Entry(
            key=_shown(key),
            unit=said.unit,
            default=_default(tree, key, field.default),
            allowed=_listed(field.annotation) + said.allowed + _or_null(field.annotation),
            meaning=_meaning(tree, key, lines),
        )


def _shown(key: Key) -> str:
    """Return a key as people write it: any asset, any symbol."""
    text = ".".join("*" if isinstance(step, int) else str(step) for step in key)
    return text.replace(".*", "[*]").replace("instruments.BTCUSDT", "instruments.SYMBOL")


def _described(parts: list[Any]) -> Described:
    for part in _flat(parts):
        if isinstance(part, BeforeValidator):
            found = described(part.func)
            if found is not None:
                return found
    is_mapping = any(get_origin(part) is Mapping for part in parts)
    return Described(unit="", allowed="texts by name" if is_mapping else "")


def _flat(parts: list[Any]) -> Iterator[Any]:
    for part in parts:
        yield part
        yield from getattr(part, "__metadata__", ())
        yield from _flat(list(get_args(part)) if get_origin(part) is not None else [])


def _listed(annotation: Any) -> str:
    parts = (annotation, *get_args(annotation))
    return "list of " if any(get_origin(part) is tuple for part in parts) else ""


def _or_null(annotation: Any) -> str:
    return ", or null" if type(None) in get_args(annotation) else ""


def _default(tree: Node, key: Key, otherwise: Any) -> str:
    node = tree.nearest(key)
    if node is not _child(tree, key):
        return _yaml("null" if otherwise is None else otherwise)
    return _yaml(node.plain())


def _child(tree: Node, key: Key) -> Node | None:
    node: Node | None = tree
    for step in key:
        node = None if node is None else node.child(step)
    return node


def _yaml(value: Any) -> str:
    match value:
        case None:
            text = "null"
        case list():
            text = f"[{', '.join(_yaml(item).strip('`') for item in value)}]"
        case dict():
            text = "{}"
        case _:
            text = str(value)
    return f"`{text}`"


def _meaning(tree: Node, key: Key, lines: list[str]) -> str:
    node, name = _child(tree, key), str(key[-1])
    if key[:2] == ("portfolio", "assets") and name in _ONLY_ASSETS:
        return _ONLY_ASSETS[name]
    if node is None:
        return ""
    number = node.place.line - 1
    # A list in several lines has its comment where its key is.
    while number and not re.match(rf"\s*(- )?{re.escape(name)}:", lines[number]):
        number -= 1
    return _SOURCE.sub("", " ".join(_comments(lines, number)))


def _comments(lines: list[str], number: int) -> Iterator[str]:
    above = lines[number - 1].strip()
    found = _COMMENT.search(lines[number])
    if found or above.startswith("#"):
        yield found[1] if found else above.lstrip("# ")
    for line in lines[number + 1 :]:
        if not line.strip().startswith("#"):
            return
        yield line.strip().lstrip("# ")


def _row(entry: Entry) -> str:
    cells = (f"`{entry.key}`", entry.unit, entry.default, entry.allowed, entry.meaning)
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |\n"


def _variables() -> Iterator[str]:
    yield "## Environment variables\n\nThey override both files; in `.env` too.\n\n"
    yield "| variable | setting |\n|---|---|\n"
    for name, key in VARIABLES.items():
        setting = ".".join(map(str, key)).replace(f".{EVERY}", f"[{EVERY}]")
        yield f"| `{name}` | `{setting}` |\n"
    yield "| `DEBUG_MODE` | `logging.level`: DEBUG where true |\n"
    yield "| `LIVE_TRADING` | `yes` is needed by `--mode live`; not read from `.env` |\n"
    yield "| `PYTHON` | interpreter that the first start uses |\n"


def _model_in(annotation: Any) -> type[BaseModel] | None:
    for part in (annotation, *get_args(annotation)):
        if isinstance(part, type) and issubclass(part, BaseModel):
            return part
    return None


if __name__ == "__main__":
    sys.stdout.write(page())
