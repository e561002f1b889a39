"""Where a run's journal is stored: in a file, or in a PostgreSQL database."""

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from domain.errors import ConfigError
from infra.settings.sections.running import DatabaseSettings

_NOTE = "journal.path"
_USUAL = "journal.sqlite"
_URL = re.compile(r"postgres(ql)?://.+")
PASSWORD = "POSTGRES_PASSWORD"  # noqa: S105 (the variable's name)


class NoJournalError(ConfigError):
    """Nothing was ever stored there."""


@dataclass(frozen=True, slots=True)
class PostgresAddress:
    """A schema in a PostgreSQL database."""

    url: str
    """Without a password."""
    schema: str
    password: str | None = field(default=None, repr=False, compare=False)

    def __str__(self) -> str:
        return f"{self.url}#{self.schema}"


Location = Path | PostgresAddress


def journal_location(directory: Path, settings: DatabaseSettings, mode: str) -> Location:
    """Return where to store the journal of a run; each mode has a schema of its own."""
    url = settings.postgres_url()
    if url is None:
        return journal_file(directory, settings)
    password = settings.password
    return PostgresAddress(
        url, f"trading_{mode}", None if password is None else password.get_secret_value()
    )


def journal_file(directory: Path, settings: DatabaseSettings) -> Path:
    """Return the file of a run's journal, for runs whose journal is always a file."""
    return directory / (settings.file or _USUAL)


def note_journal(directory: Path, location: Location) -> None:
    """Leave a note in the run directory for commands that read no settings."""
    note = directory / _NOTE
    if location == directory / _USUAL:
        note.unlink(missing_ok=True)
    else:
        text = _relative(directory, location) if isinstance(location, Path) else str(location)
        note.write_text(f"{text}\n", encoding="utf-8")


def find_journal(directory: Path, environ: Mapping[str, str] = os.environ) -> Location:
    """Return the location of a run's journal, as its note says."""
    try:
        named = (directory / _NOTE).read_text(encoding="utf-8").strip()
    except OSError:
        named = ""
    return read_location(named, environ) if _URL.match(named) else directory / (named or _USUAL)


def read_location(text: str, environ: Mapping[str, str] = os.environ) -> Location:
    """Return the location named by a text: a file, or `postgresql://USER@HOST/NAME#SCHEMA`.

    Raises:
        ConfigError: it names no schema, or another kind of database.
    """
    if not _URL.match(text):
        scheme, is_url, _ = text.partition("://")
        if is_url:
            raise ConfigError(
                f"expected a file or postgresql://USER@HOST/NAME#SCHEMA, found {scheme}://"
            )
        return Path(text)
    url, _, schema = text.partition("#")
    if not re.fullmatch(r"[a-z_][a-z0-9_]{0,40}", schema):
        raise ConfigError(
            f"expected postgresql://USER@HOST/NAME#SCHEMA with a schema like trading_live, "
            f"found the schema {schema!r}"
        )
    return PostgresAddress(url, schema, environ.get(PASSWORD))


def journal_exists(directory: Path) -> bool:
    """Tell whether a run may have a journal; only a query to the server could tell more."""
    location = find_journal(directory)
    return not isinstance(location, Path) or location.is_file()


def journal_files(location: Location) -> Iterator[Path]:
    """Yield the files of a journal on this machine; one on a server has none here."""
    if isinstance(location, Path):
        yield from location.parent.glob(f"{location.name}*")


def _relative(directory: Path, file: Path) -> str:
    return str(file.relative_to(directory)) if file.is_relative_to(directory) else str(file)
