"""Sends the same query to every system on this machine, each by its run directory."""

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from domain.errors import ConfigError
from domain.operator.commands import Command, UnknownCommandError
from domain.operator.replies import ReplyCode
from infra.operator.control.client import LateAnswerError, NoAnswerError, NotRunningError
from infra.operator.control.sending import send
from infra.operator.panic_file import is_run_directory

SERVICES = Path("/var/lib/short-trading")
"""Where the systemd units keep their runs."""
FAILED, NOTHING_RUNS = "failed", "not_running"


@dataclass(frozen=True, slots=True, kw_only=True)
class SystemAnswer:
    """The answer of one system."""

    directory: Path
    answer: dict[str, Any]
    """As described on the page of the interface; `code` is FAILED, NOTHING_RUNS or LATE if no
    system answered, and `title` says why."""

    def as_dict(self) -> dict[str, Any]:
        """Return the answer as plain values for other programs."""
        return {"run_dir": str(self.directory), **self.answer}


def run_directories(places: Iterable[Path]) -> list[Path]:
    """Return the directories in which runs were started: these places, or their subfolders."""
    found = {directory.resolve() for place in places for directory in _below(place)}
    return sorted(directory for directory in found if is_run_directory(directory))


def ask_everywhere(places: Sequence[Path], asked: Command, who: str) -> list[SystemAnswer]:
    """Return each system's answer to a query, in the order of their directories.

    Args:
        places: run directories, and directories that contain some.
        asked: the query.
        who: the requester.

    Raises:
        UnknownCommandError: it is not a query.
        ConfigError: no run was ever started there.
    """
    if asked.changes:
        raise UnknownCommandError(
            f"expected a query with --all, such as status, found {asked.name}: commands that "
            "change something go to one system, by --run-dir or --mode"
        )
    directories = run_directories(places)
    if not directories:
        named = " or ".join(map(str, places))
        raise ConfigError(f"no run was ever started in {named}; name their directory by --run-dir")
    ask = partial(_answered, asked=asked, who=who)
    with ThreadPoolExecutor(max_workers=len(directories)) as threads:
        return list(threads.map(ask, directories))


def _answered(directory: Path, *, asked: Command, who: str) -> SystemAnswer:
    try:
        answer = send(directory, asked, who, is_confirmed=False)
    except NotRunningError:
        answer = {"code": NOTHING_RUNS, "title": "nothing runs there"}
    except LateAnswerError as error:
        answer = {"code": ReplyCode.LATE, "title": str(error)}
    except (ConfigError, NoAnswerError) as error:
        answer = {"code": FAILED, "title": str(error)}
    return SystemAnswer(directory=directory, answer=answer)


def _below(place: Path) -> Iterator[Path]:
    yield place
    try:
        yield from (child for child in place.iterdir() if child.is_dir())
    except OSError:
        return  # nothing ever ran there, or it belongs to another user
