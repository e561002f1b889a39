"""Answers about a run that is over, from its journal alone, which is only read."""

from contextlib import closing
from dataclasses import replace
from pathlib import Path

from actors.operator.performance_view import performance_view
from actors.operator.portfolio_view import portfolio_view
from domain.errors import ConfigError
from domain.market.instruments import exact
from domain.operator import wording as say
from domain.operator.commands import CommandName, fold
from domain.operator.replies import Reply
from domain.portfolio.snapshots import PortfolioSnapshot
from domain.portfolio.state import PortfolioState
from domain.rules import TradingRules
from domain.trading.positions import ZERO
from infra.settings.stored import settings_of
from infra.store.location import Location, find_journal
from infra.store.reader import FactReader


def answer_of_ended(directory: Path, name: CommandName, argument: str) -> Reply:
    """Return the answer to `portfolio` or `performance` as it was at the run's end.

    Raises:
        ConfigError: there is no journal, or it holds no facts of trading.
    """
    journal = find_journal(directory)
    with closing(FactReader(journal)) as facts:
        rules = _rules(facts, journal)
        states = facts.states()
        if not states:
            raise ConfigError(f"{journal}: holds no facts of trading")
        if name is CommandName.PERFORMANCE:
            assets = [asset.asset for asset in rules.assets]
            trades = [trade for _, trade in facts.trades()]
            reply = performance_view(trades, assets, argument.lower(), states[-1].t_ms)
        else:
            reply = portfolio_view(argument, _snapshot(facts, rules), rules)
    ended = f"Nothing takes commands there: as of {say.utc(states[-1].t_ms)}, from the journal"
    return replace(reply, lines=(ended, *reply.lines), data={**reply.data, "is_running": False})


def _rules(facts: FactReader, journal: Location) -> TradingRules:
    noted = facts.settings()
    if noted is None:
        raise ConfigError(f"{journal}: notes no settings")
    rules, stored = settings_of(noted, str(journal)).trading_rules(), facts.instruments()
    assets = (
        replace(rule, instrument=stored.get(rule.asset, rule.instrument)) for rule in rules.assets
    )
    return replace(rules, assets=tuple(assets))


def _snapshot(facts: FactReader, rules: TradingRules) -> PortfolioSnapshot:
    """Return the portfolio after all facts, valued at the newest closes."""
    states, names = facts.states(), [asset.asset for asset in rules.assets]
    moved = sum((transfer.amount for transfer in facts.transfers()), ZERO)
    books = PortfolioState(rules, states[-1], states[0].balance + moved)
    for execution in facts.executions():
        if execution.asset in names:
            books.book(execution)
    for asset, close in facts.newest_closes().items():
        books.remember_close(asset, exact(close))
    books.paused = fold(facts.commands(), names).paused
    return books.snapshot()
