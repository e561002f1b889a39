"""The section `instruments` of a settings file, written without touching the rest of the file."""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import TypeVar

import yaml

from domain.errors import ConfigError
from domain.market.instruments import Instrument
from infra.settings.aliases import Translation
from infra.settings.problems import report
from infra.settings.tree import UnreadableError, compose, read_text, read_tree

_SECTION = "instruments"
_T = TypeVar("_T")


def section(instruments: Iterable[Instrument]) -> str:
    """Return the section as YAML text."""
    lines = [f"{_SECTION}:"]
    for instrument in instruments:
        lines += _entry(instrument)
    return "\n".join(lines) + "\n"


def symbols_of(file: Path) -> list[str]:
    """Return the perpetuals named in a settings file, in its order.

    Raises:
        ConfigError: it cannot be read, or names none.
    """
    tree = Translation(_read(lambda: read_tree(file))).tree
    portfolio = tree.child("portfolio")
    assets = None if portfolio is None else portfolio.child("assets")
    items = assets.plain() if assets is not None else None
    found = [item.get("symbol") for item in items or () if isinstance(item, dict)]
    symbols = [symbol for symbol in found if isinstance(symbol, str)]
    if not symbols:
        message = f"{file}: expected assets with their symbols under portfolio, or --symbols"
        raise ConfigError(message)
    return symbols


def write(file: Path, instruments: Sequence[Instrument]) -> None:
    """Write instruments to a file's section: known ones are replaced, others appended.

    Raises:
        ConfigError: the file cannot be read or written, or its section is written in braces.
    """
    lines = _read(lambda: read_text(file)).splitlines()
    _read(lambda: read_tree(file))  # reports all errors of the YAML
    new = {instrument.symbol: _entry(instrument) for instrument in instruments}
    _replace(file, "\n".join([*_merged(file, lines, new), ""]))


def _merged(file: Path, lines: list[str], new: Mapping[str, Sequence[str]]) -> list[str]:
    root = _read(lambda: compose(file, "\n".join(lines)))
    pairs = root.value if isinstance(root, yaml.MappingNode) else []
    found = [(key, value) for key, value in pairs if key.value == _SECTION]
    if not found:
        return [*lines, "", f"{_SECTION}:", *_flat(new.values())]
    key, value = found[0]
    entries = value.value if isinstance(value, yaml.MappingNode) else []
    if isinstance(value, yaml.MappingNode) and value.flow_style:
        where = f"{file}:{key.start_mark.line + 1}"
        raise ConfigError(f"{where}: {_SECTION}: expected a line for each value, found braces")
    spans = {name.value: (name.start_mark.line, _last_line(inner)) for name, inner in entries}
    end = max((last for _, last in spans.values()), default=key.start_mark.line)
    if spans and pairs[0][0].start_mark.column != 0:
        raise ConfigError(f"{file}: expected the sections at the start of their lines")
    added = {symbol: entry for symbol, entry in new.items() if symbol not in spans}
    out = [*lines[: end + 1], *_flat(added.values()), *lines[end + 1 :]]
    for symbol, (first, last) in sorted(spans.items(), key=lambda item: -item[1][0]):
        if symbol in new:
            out[first : last + 1] = new[symbol]
    return out


def _last_line(node: yaml.Node) -> int:
    """Return the last line of a value itself; YAML counts the blank lines after it too."""
    if isinstance(node, yaml.MappingNode) and node.value and not node.flow_style:
        return max(_last_line(inner) for _, inner in node.value)
    return int(node.end_mark.line)


def _entry(instrument: Instrument) -> list[str]:
    values = {
        "qty_step": instrument.qty_step,
        "min_order_qty": instrument.min_order_qty,
        "tick_size": instrument.tick_size,
        "min_notional_value": instrument.min_notional,
        "max_market_order_qty": instrument.max_market_order_qty,
    }
    lines = [f'    {name}: "{value:f}"' for name, value in values.items()]
    return [f"  {instrument.symbol}:", *lines]


def _flat(entries: Iterable[Sequence[str]]) -> Iterator[str]:
    for entry in entries:
        yield from entry


def _read(read: Callable[[], _T]) -> _T:
    try:
        return read()
    except UnreadableError as error:
        raise ConfigError(report(error.problems)) from None


def _replace(file: Path, text: str) -> None:
    """Replace a file atomically: readers see either the old or the new one."""
    try:
        mode = file.stat().st_mode
        with NamedTemporaryFile("w", dir=file.parent, encoding="utf-8", delete=False) as new:
            new.write(text)
            new.flush()
            os.fsync(new.fileno())
        Path(new.name).chmod(mode & 0o777)
        Path(new.name).replace(file)
    except OSError as error:
        raise ConfigError(f"{file}: cannot be written: {error.strerror}") from error
