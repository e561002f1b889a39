"""Where a journal lies is known to those who read no settings."""

from pathlib import Path

from infra.store.location import find_journal, journal_file, note_journal


def test_a_journal_of_another_name_is_found_by_its_note(tmp_path: Path) -> None:
    note_journal(tmp_path, "facts/mine.sqlite")

    assert find_journal(tmp_path) == journal_file(tmp_path, "facts/mine.sqlite")


def test_a_note_of_an_earlier_name_is_gone_with_the_setting(tmp_path: Path) -> None:
    note_journal(tmp_path, "mine.sqlite")

    note_journal(tmp_path, None)

    assert find_journal(tmp_path) == tmp_path / "journal.sqlite"
