"""Logs: readable on the screen, JSON lines in a file with daily rotation.

A message is one line, whatever it quotes: unprintable characters are escaped.
"""

import json
from collections.abc import Callable
from datetime import UTC, time
from pathlib import Path
from textwrap import indent
from traceback import format_exception
from typing import TYPE_CHECKING, Any

from loguru import logger

from domain.text import plain, plain_lines
from infra.process.log_file import LogFile

if TYPE_CHECKING:
    from loguru import Record

Context = Callable[[], tuple[str, int | None] | None]
"""Returns the actor and the trace id that the calling thread works for."""

LEVELS = ("TRACE", "DEBUG", "INFO", "SUCCESS", "WARNING", "ERROR", "CRITICAL")
_SCREEN = "<dim>{time:HH:mm:ss.SSS!UTC}</dim> <level>{level: <7}</level> {message}\n"
_TRACEBACK = "{extra[traceback]}\n"
_INDENT = "    "
"""Indentation of a traceback's lines, so that none looks like a line of the log."""


def start_logging(
    *,
    file: Path | None,
    level: str,
    rotation: str,
    retention_days: int,
    screen: Callable[[str], Any],
    screen_level: str,
    context: Context,
    hide: Callable[[str], str] = str,
) -> None:
    """Send all logs to the screen and to a file of JSON lines.

    Args:
        file: of the JSON lines; a new one begins at the rotation time. None: only the screen.
        level: lowest level of the file.
        rotation: UTC time of day, HH:MM.
        retention_days: how many files of earlier days are kept.
        screen: writes one line, already colored.
        screen_level: lowest level of the screen.
        context: names the actor at work.
        hide: removes secrets from a text.
    """
    logger.remove()
    logger.configure(patcher=lambda record: _prepare(record, context))
    _places.clear()
    # `diagnose` would show the values of variables in tracebacks, including keys and signatures.
    _add(
        lambda text: screen(hide(text)),
        screen_level,
        format=_screen_format,
        colorize=True,
        diagnose=False,
    )
    if file is None:
        return
    hour, minute = (int(part) for part in rotation.split(":"))
    lines = LogFile(file, rotation=time(hour, minute), retention_days=retention_days, screen=screen)
    _add(lines, level, format=lambda record: _json_line(record, hide), diagnose=False)


def set_level(level: str) -> None:
    """Set the lowest level of both the screen and the file."""
    places = list(_places)
    _places.clear()
    for number, place, _, options in places:
        _add(place, level, **options)
        logger.remove(number)


def current_level() -> str | None:
    """Return the lowest level of the file, or of the screen if there is no file.

    None before the logs were started.
    """
    return _places[-1][2] if _places else None


_places: list[tuple[int, Any, str, dict[str, Any]]] = []
"""Id, sink, level and options of each; loguru itself cannot change the level of a sink."""


def _add(place: Any, level: str, **options: Any) -> None:
    _places.append((logger.add(place, level=level, **options), place, level, options))


def _prepare(record: "Record", context: Context) -> None:
    record["message"] = plain(record["message"])
    _add_context(record, context)


def _screen_format(record: "Record") -> str:
    exception = record["exception"]
    if exception is None:
        return _SCREEN
    # Values of variables, which may be keys and signatures, are left out of tracebacks.
    shown = "".join(format_exception(*exception)).rstrip("\n")
    record["extra"]["traceback"] = indent(plain_lines(shown), _INDENT)
    return _SCREEN + _TRACEBACK


def _add_context(record: "Record", context: Context) -> None:
    found = context()
    if found is None:
        return
    actor, trace_id = found
    record["extra"].setdefault("actor", actor)
    if trace_id is not None:
        record["extra"].setdefault("trace_id", trace_id)
    _, slash, asset = record["extra"]["actor"].partition("/")
    if slash:
        record["extra"].setdefault("asset", asset)


def _json_line(record: "Record", hide: Callable[[str], str]) -> str:
    line = {
        "time": record["time"].astimezone(UTC).isoformat(timespec="milliseconds"),
        "level": record["level"].name,
        "message": record["message"],
        **record["extra"],
    }
    exception = record["exception"]
    if exception is not None:
        line["exception"] = repr(exception.value)
    record["extra"] = {"json": hide(json.dumps(line, default=str))}
    return "{extra[json]}\n"
