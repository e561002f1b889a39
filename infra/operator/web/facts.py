"""Read-only access of the page to a run's journal; each call opens it anew."""

from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import TypeVar

from domain.errors import ConfigError, JournalError
from domain.operator.system import SystemSnapshot
from domain.rules import TradingRules
from infra.store.ended import performances_of, rules_of, snapshot_of
from infra.store.location import find_journal
from infra.store.reader import FactReader

_T = TypeVar("_T")


class NoFactsError(Exception):
    """The journal cannot be read, or does not yet hold what is needed."""


def read_facts(directory: Path, read: Callable[[FactReader], _T]) -> _T:
    """Return what a function reads from a run's journal.

    Raises:
        NoFactsError: it could not.
    """
    try:
        with closing(FactReader(find_journal(directory))) as facts:
            return read(facts)
    except (ConfigError, JournalError) as error:
        raise NoFactsError(str(error)) from error


def read_rules(directory: Path) -> TradingRules:
    """Return the last rules of a run.

    Raises:
        NoFactsError: they cannot be read.
    """
    return read_facts(directory, lambda facts: rules_of(facts, find_journal(directory)))


def read_ended(directory: Path) -> tuple[TradingRules, SystemSnapshot]:
    """Return the state of a run that does not answer, as of its newest fact.

    Raises:
        NoFactsError: it has not traded yet, or cannot be read.
    """

    def read(facts: FactReader) -> tuple[TradingRules, SystemSnapshot]:
        rules = rules_of(facts, find_journal(directory))
        newest = facts.newest_states(1)
        if not newest:
            raise ConfigError("the journal holds no facts of trading yet")
        return rules, SystemSnapshot(
            performance=performances_of(find_journal(directory), rules),
            actors=(),
            dead_letters=0,
            portfolio=snapshot_of(facts, rules),
            mode=facts.mode() or "",
            now_ms=newest[0].t_ms,
            machine_ms=newest[0].t_ms,
        )

    return read_facts(directory, read)
