"""The changes of pairs that a run has stored, read while it is not running."""

from contextlib import closing

from domain.operator.commands import pair_changes
from domain.operator.pairs import PairChange
from infra.store.location import Location, NoJournalError
from infra.store.reader import FactReader


def stored_changes(journal: Location) -> list[PairChange]:
    """Return the changes of pairs that a run has stored, oldest first; none without a journal.

    Raises:
        JournalError: the journal cannot be read.
    """
    try:
        with closing(FactReader(journal)) as facts:
            return pair_changes(facts.commands())
    except NoJournalError:
        return []
