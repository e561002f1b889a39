"""Answers about a run that has ended, read from its journal."""

from contextlib import closing
from dataclasses import replace
from pathlib import Path

from actors.operator.performance_view import performance_view
from actors.operator.portfolio_view import portfolio_view
from domain.errors import ConfigError
from domain.operator import wording as say
from domain.operator.commands import CommandName
from domain.operator.replies import Reply
from domain.portfolio.metrics import metrics
from infra.store.ended import performances_of, rules_of, snapshot_of
from infra.store.location import find_journal
from infra.store.reader import FactReader


def answer_of_ended(directory: Path, name: CommandName, argument: str) -> Reply:
    """Return the answer to `portfolio` or `performance` as it was at the run's end.

    Raises:
        ConfigError: there is no journal, or it holds no facts of trading.
    """
    journal = find_journal(directory)
    with closing(FactReader(journal)) as facts:
        rules = rules_of(facts, journal)
        states = facts.states()
        if not states:
            raise ConfigError(f"{journal}: holds no facts of trading")
        end_ms = states[-1].t_ms
        if name is CommandName.PERFORMANCE:
            assets = [asset.asset for asset in rules.assets]
            trades = [trade for _, trade in facts.trades()]
            done, money = performances_of(journal, rules), metrics(snapshot_of(facts, rules), rules)
            reply = performance_view(trades, assets, argument.lower(), end_ms, done, money)
        else:
            reply = portfolio_view(argument, snapshot_of(facts, rules), rules)
    ended = f"No system is running there: as of {say.utc(end_ms)}, from the journal"
    return replace(reply, lines=(ended, *reply.lines), data={**reply.data, "is_running": False})
