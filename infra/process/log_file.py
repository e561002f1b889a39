"""A log file with daily rotation, whose write errors never reach the caller."""

import json
import logging
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, time
from logging.handlers import TimedRotatingFileHandler
from pathlib import Path
from typing import TextIO


class LogFile:
    """Takes lines; one that cannot be written is counted, and writing is retried with the next.

    A full disk is reported once on the screen when it begins, and once on the screen and in the
    file when it is over. Not thread-safe: loguru locks each of its sinks.
    """

    def __init__(
        self, file: Path, *, rotation: time, retention_days: int, screen: Callable[[str], object]
    ) -> None:
        """Prepare the file; nothing is opened yet.

        Args:
            file: of the lines; an earlier day's file is renamed, with its date at the end.
            rotation: UTC time of day at which a new file begins.
            retention_days: how many earlier files are kept.
            screen: takes a line for the user.
        """
        self._file = file
        self._rotation = rotation
        self._retention_days = retention_days
        self._screen = screen
        self._handler: TimedRotatingFileHandler | None = None
        self._lost = 0
        """Lines lost since the last successful write."""

    def write(self, line: str) -> None:
        """Write a line with its line end, or count it as lost."""
        try:
            self._put(line)
        except OSError as error:
            self._let_go()
            self._lost += 1
            if self._lost == 1:
                self._tell(f"the log cannot be written, and is tried again: {error}")
        else:
            lost, self._lost = self._lost, 0
            if lost:
                self._tell(f"the log is written again; lines lost: {lost}")

    def stop(self) -> None:
        """Close the file; the next line opens it again."""
        self._let_go()

    def _put(self, line: str) -> None:
        handler = self._handler or self._open()
        record = logging.makeLogRecord({"msg": line})
        if handler.shouldRollover(record):
            handler.doRollover()
        stream = handler.stream
        if stream is None:
            raise OSError("its file is closed")
        if self._lost:
            self._mend(stream)
        stream.write(line)
        stream.flush()

    def _open(self) -> TimedRotatingFileHandler:
        self._file.parent.mkdir(parents=True, exist_ok=True)
        self._handler = TimedRotatingFileHandler(
            self._file,
            when="midnight",
            backupCount=self._retention_days,
            encoding="utf-8",
            utc=True,
            atTime=self._rotation,
        )
        return self._handler

    def _mend(self, stream: TextIO) -> None:
        """Note the lost lines in the file, on a line of its own: the last line may be torn."""
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        text = f"the log could not be written; lines lost: {self._lost}"
        told = {"time": now, "level": "WARNING", "message": text}
        stream.write(f"\n{json.dumps(told)}\n")
        stream.flush()

    def _let_go(self) -> None:
        handler, self._handler = self._handler, None
        if handler is not None:
            with suppress(OSError):  # closing retries what could not be written
                handler.close()

    def _tell(self, text: str) -> None:
        now = datetime.now(UTC).strftime("%H:%M:%S.%f")[:-3]
        self._screen(f"{now} WARNING {self._file}: {text}\n")
