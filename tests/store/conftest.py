"""A journal in either database, to which no connection is left open."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.store.journal import JournalStore
from infra.store.location import Location
from infra.store.writer import JournalWriter
from tests.store.facts import MADE, journals_at


@pytest.fixture(params=["sqlite", "postgres"])
def location(request: pytest.FixtureRequest, tmp_path: Path) -> Location:
    """Return a database of its own."""
    if request.param == "sqlite":
        return tmp_path / "journal.sqlite"
    address: Location = request.getfixturevalue("cluster").new_address()
    return address


@pytest.fixture(autouse=True)
def _no_connection_is_left() -> Iterator[None]:
    yield
    while MADE:
        store = MADE.pop()
        with store.connected():
            pass
        store.release()


@pytest.fixture
def journals(location: Location) -> JournalStore:
    return journals_at(location)


@pytest.fixture
def journal(journals: JournalStore) -> Iterator[JournalWriter]:
    writer = journals.open("execution/BTC", lambda: (7, 8))
    yield writer
    writer.close()
