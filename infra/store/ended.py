"""A finished run, as recorded in its journal."""

from contextlib import closing
from dataclasses import replace

from domain.errors import ConfigError
from domain.market.instruments import exact
from domain.operator.commands import fold
from domain.portfolio.performance import Performances
from domain.portfolio.snapshots import PortfolioSnapshot
from domain.portfolio.state import PortfolioState
from domain.rules import TradingRules
from domain.trading.positions import ZERO
from infra.settings.stored import settings_of
from infra.store.location import Location
from infra.store.performance import PerformanceReader
from infra.store.reader import FactReader


def rules_of(facts: FactReader, journal: Location) -> TradingRules:
    """Return the last rules of a run.

    Raises:
        ConfigError: its journal records no settings.
    """
    noted = facts.settings()
    if noted is None:
        raise ConfigError(f"{journal}: records no settings")
    rules, stored = settings_of(noted, str(journal)).trading_rules(), facts.instruments()
    assets = (
        replace(rule, instrument=stored.get(rule.asset, rule.instrument)) for rule in rules.assets
    )
    return replace(rules, assets=tuple(assets))


def performances_of(journal: Location, rules: TradingRules) -> Performances:
    """Return the performance of each asset, and of all together, over all facts."""
    with closing(PerformanceReader(journal, rules.candles.candle_ms)) as reader:
        return reader.read()


def snapshot_of(facts: FactReader, rules: TradingRules) -> PortfolioSnapshot:
    """Return the portfolio after all facts, valued at the newest closes.

    Executions are applied in the portfolio's order, which differs from the order of storing.
    """
    states, names = facts.states(), [asset.asset for asset in rules.assets]
    moved = sum((transfer.amount for transfer in facts.transfers()), ZERO)
    books = PortfolioState(rules, states[-1], states[0].balance + moved)
    for execution in facts.executions():
        if execution.asset in names or execution.asset in rules.former:
            books.hear(execution)
    for asset, close in facts.newest_closes().items():
        books.remember_close(asset, exact(close))
    asked = fold(facts.commands(), names)
    books.paused = asked.paused | asked.leaving
    return books.snapshot()
