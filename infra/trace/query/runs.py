"""The runs that have a trace, and the readers of their parts."""

from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

from domain.errors import ConfigError
from domain.text import plain
from infra.settings.strategy_versions import changed_since
from infra.store.location import find_journal
from infra.store.reader import FactReader
from infra.store.trace_ids import read_id
from infra.trace.reader import TraceReader
from infra.trace.recording import trace_directory


def newest_run(var: Path) -> Path:
    """Return the run directory in a folder with the most recently written trace.

    Raises:
        ConfigError: none has a trace.
    """
    runs = [file.parent for file in var.glob("*/trace") if any(file.iterdir())]
    if not runs:
        raise ConfigError(f"no run in {var} has a trace; name one by --run-dir")
    return max(runs, key=lambda run: trace_directory(run).stat().st_mtime)


def reader_of(run: Path) -> TraceReader:
    """Return a reader of the trace of a run directory, or of a crash file."""
    return TraceReader(run if run.is_file() else trace_directory(run))


def facts_of(run: Path) -> FactReader:
    """Return a reader of the journal of a run directory.

    Raises:
        ConfigError: it is a crash file.
    """
    if run.is_file():
        raise ConfigError(f"{run}: a crash file has no journal; this command needs the run's")
    return FactReader(find_journal(run))


def read_message_id(text: str) -> int:
    """Return the message id that a text such as `2.1234` stands for.

    Raises:
        ConfigError: it is not one.
    """
    found = read_id(text)
    if found is None:
        raise ConfigError(f"{text}: not the id of a message; they are written like 1.2345")
    return found


def replay_notes(run: Path, reader: TraceReader) -> Iterator[str]:
    """Yield the reasons why a replayed actor may behave differently.

    Args:
        run: its directory, or a crash file.
        reader: of its trace.
    """
    sampled = max(session.tick_every for session in reader.sessions())
    if sampled > 1:
        yield (
            f"one price tick in {sampled} was recorded (trace.tick_every): what an actor "
            "did with the others is missing, and shows as a difference"
        )
    with suppress(ConfigError):  # a crash file has no journal
        with closing(facts_of(run)) as facts:
            settings = facts.settings()
        yield from map(plain, changed_since(settings or {}))


def check_actor(reader: TraceReader, actor: str) -> None:
    """Check that a trace has an actor.

    Raises:
        ConfigError: it does not; the message names the actors that it has.
    """
    known = [one.address for session in reader.sessions() for one in session.actors]
    if actor not in known:
        names = ", ".join(dict.fromkeys(known))
        raise ConfigError(f"{actor}: no such actor in the trace; there are {names}")
