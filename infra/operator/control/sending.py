"""Sends a command to a system; a panic that cannot be sent is requested by the file."""

from pathlib import Path
from typing import Any

from domain.errors import ConfigError
from domain.operator.commands import Command, CommandName
from infra.operator.control.client import LateAnswerError, NoAnswerError, NotRunningError, ask
from infra.operator.panic_file import FILE, is_run_directory, panic_by_file


def send(directory: Path, asked: Command, who: str, *, is_confirmed: bool) -> Any:
    """Return the answer to a command. See `infra.operator.control.client.ask`.

    Raises:
        LateAnswerError: also if the file requests the panic instead.
    """
    is_urgent = asked.name is CommandName.PANIC and is_confirmed
    try:
        return ask(directory, asked.name, asked.argument, who, is_confirmed=is_confirmed)
    except ConfigError as error:
        if not is_urgent:
            raise
        raise _by_file(directory, who, str(error)) from None
    except NoAnswerError as error:
        if is_urgent:
            raise _by_file(directory, who, str(error)) from None
        if isinstance(error, NotRunningError):
            raise _not_running(directory) from None
        told = f"{error}; the file {directory / FILE} requests a panic without it"
        raise type(error)(told) from None


def _by_file(directory: Path, who: str, why: str) -> NoAnswerError:
    if not is_run_directory(directory):
        return _not_running(directory)
    is_asked, text = panic_by_file(directory, who, why)
    return LateAnswerError(text) if is_asked else NoAnswerError(text)


def _not_running(directory: Path) -> NotRunningError:
    return NotRunningError(
        f"No running system takes commands in {directory}. Start it with bin/run-actors, or name "
        "another run by --run-dir or --mode; control.enabled must be true. Without it, the file "
        f"{directory / FILE} still requests a panic, and audit still works."
    )
