"""Where a run's journal lies."""

from pathlib import Path

_NOTE = "journal.path"
_USUAL = "journal.sqlite"


def journal_file(directory: Path, named: str | None) -> Path:
    """Return the journal of a run.

    Args:
        directory: of the run.
        named: the setting `database.file`; None: the usual name.
    """
    return directory / (named or _USUAL)


def note_journal(directory: Path, named: str | None) -> None:
    """Leave a note in the run directory for those who read no settings."""
    note = directory / _NOTE
    if named is None:
        note.unlink(missing_ok=True)
    else:
        note.write_text(f"{named}\n", encoding="utf-8")


def find_journal(directory: Path) -> Path:
    """Return the journal of a run, as its own note says where it lies."""
    try:
        named = (directory / _NOTE).read_text(encoding="utf-8").strip()
    except OSError:
        named = ""
    return journal_file(directory, named or None)
