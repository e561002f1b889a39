"""The answers of the first set-up, and the two files made of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

import yaml

from infra.settings.load import PROJECT_ROOT
from infra.settings.tree import read_tree


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """The answers."""

    mode: str
    strategy: str
    symbols: Sequence[str]
    total_capital: str | None
    """USDT; None: the whole wallet."""
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Environment variables and their values, for .env."""


def known_instruments() -> dict[str, dict[str, str]]:
    """Return the order filters that come with the project, by symbol."""
    found: dict[str, dict[str, str]] = {}
    for name in ("examples/multi_pair.yaml", "settings.yaml"):
        section = read_tree(PROJECT_ROOT / name).child("instruments")
        found |= section.plain() if section is not None else {}
    return found


def settings_text(answers: Answers) -> str:
    """Return the settings file: what differs from `settings.yaml`."""
    instruments = known_instruments()
    share = _share(answers.strategy)
    assets = [
        {"symbol": symbol, "strategy": answers.strategy, "allocation_pct": str(share)}
        for symbol in answers.symbols
    ]
    portfolio = {
        "total_allocation_pct": str(share * len(assets)),
        "total_capital": answers.total_capital,
        "assets": assets,
    }
    found = {
        "portfolio": portfolio,
        "instruments": {symbol: instruments[symbol] for symbol in answers.symbols},
    }
    head = "# Written by bin/setup. It overrides settings.yaml, which explains every key.\n\n"
    return head + yaml.safe_dump(found, sort_keys=False, default_flow_style=False)


def _share(strategy: str) -> Decimal:
    """Return the default margin of one position, as a fraction of the balance."""
    tree = read_tree(PROJECT_ROOT / "settings.yaml")
    own = tree.child(strategy)
    node = own.child("allocation_pct") if own is not None else None
    return Decimal((node or tree.nearest(("portfolio", "assets", 0, "allocation_pct"))).plain())


def dotenv_text(old: str, secrets: Mapping[str, str]) -> str:
    """Return the text of .env with these values; every other line stays as it is."""
    left, lines = dict(secrets), []
    for line in old.splitlines():
        name = line.partition("=")[0].strip()
        lines.append(f"{name}={left.pop(name)}" if name in left else line)
    lines += [f"{name}={value}" for name, value in left.items()]
    return "\n".join([*lines, ""])
