"""What the page reads of a run's journal, which is only read; each call opens it anew."""

from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from domain.errors import ConfigError, JournalError
from domain.rules import TradingRules
from infra.settings.stored import settings_of
from infra.store.location import find_journal
from infra.store.reader import FactReader

_T = TypeVar("_T")


class NoFactsError(Exception):
    """The journal cannot be read, or does not hold yet what is needed."""


def read_facts(directory: Path, read: Callable[[FactReader], _T]) -> _T:
    """Return what a function reads of a run's journal.

    Raises:
        NoFactsError: it could not.
    """
    try:
        with closing(FactReader(find_journal(directory))) as facts:
            return read(facts)
    except (ConfigError, JournalError) as error:
        raise NoFactsError(str(error)) from error


def read_rules(facts: FactReader) -> TradingRules:
    """Return the rules of a run, with the instruments that it has found.

    Raises:
        ConfigError: it notes none.
    """
    noted = facts.settings()
    if noted is None:
        raise ConfigError("the journal notes no settings yet")
    rules, stored = settings_of(noted, "the journal").trading_rules(), facts.instruments()
    assets = (
        replace(rule, instrument=stored.get(rule.asset, rule.instrument)) for rule in rules.assets
    )
    return replace(rules, assets=tuple(assets))
