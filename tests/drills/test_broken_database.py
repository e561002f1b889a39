"""A journal whose database breaks for a while, with SQLite's own refusals, and mends again."""

from decimal import Decimal
from pathlib import Path

import pytest

from domain.errors import ConfigError, JournalError
from domain.portfolio.protection import ProtectionState, initial_state
from infra.drills.broken_database import Breakage, BrokenDatabase, Damage, read_breakage
from infra.store.journal import JournalStore
from infra.store.opening import open_store


@pytest.fixture
def journals(tmp_path: Path) -> JournalStore:
    return open_store(tmp_path / "journal.sqlite", lambda: 0, busy_timeout_ms=1000)


def sample(number: int) -> ProtectionState:
    return initial_state(Decimal(10_000 + number), number)


@pytest.mark.parametrize(
    ("damage", "words"), [(Damage.FULL, "disk is full"), (Damage.READ_ONLY, "readonly")]
)
def test_the_chosen_appends_fail_and_the_others_are_kept(
    journals: JournalStore, damage: Damage, words: str
) -> None:
    broken = BrokenDatabase(Breakage(damage=damage, first=3, count=400))
    writer = journals.open("portfolio", lambda: None)
    journals.before_write = broken.before_write
    kept, refused = [], []
    try:
        for number in range(410):
            try:
                writer.append(sample(number))
                kept.append(number)
            except JournalError as error:
                refused.append(str(error))
    finally:
        writer.close()

    with journals.connected():
        stored = [state.t_ms for state in journals.samples()]
    assert stored == kept
    assert kept[:2] == [0, 1]
    assert kept[-8:] == list(range(402, 410))
    assert len(refused) == 400
    assert {text for text in refused if words not in text} == set()


@pytest.mark.parametrize("text", ["", "5", "0:5", "5:0", "a:b", "5:5:5"])
def test_what_is_no_breakage_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="20:5"):
        read_breakage(Damage.FULL, text)
