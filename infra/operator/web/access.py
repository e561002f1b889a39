"""The page's own record of logins, refusals and commands: an append-only file."""

import json
import os
import time
from pathlib import Path

from loguru import logger

from domain.text import plain
from infra.operator.control.buckets import Buckets
from infra.operator.web.files import ACCESS_FILE, open_private

_LONGEST = 200
_PER_SECOND = 2
"""Most lines of one kind from one address; further ones are counted in the next line."""
_SHOWN_BYTES = 400_000


class AccessLog:
    """Writes a line for each access."""

    def __init__(self, directory: Path) -> None:
        """Open the file.

        Raises:
            OSError: it cannot be opened.
        """
        self._file = open_private(directory / ACCESS_FILE)
        self._buckets = Buckets(_PER_SECOND)
        self._left_out = 0

    def note(self, who: str, address: str, what: str, result: str) -> None:
        """Add a line; a flood of the same is only counted, so that it cannot fill the disk."""
        if not self._buckets.take((address, result[:20])):
            self._left_out += 1
            return
        line = {
            "ts_ms": time.time_ns() // 1_000_000,
            "who": plain(who)[:_LONGEST],
            "address": plain(address)[:_LONGEST],
            "what": plain(what)[:_LONGEST],
            "result": plain(result)[:_LONGEST],
        }
        if self._left_out:
            line["left_out_before"] = self._left_out
            self._left_out = 0
        try:
            os.write(self._file, (json.dumps(line) + "\n").encode())
        except OSError as error:
            logger.warning("an access could not be recorded: {}", error.strerror)

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)


def newest_accesses(directory: Path, count: int) -> list[dict[str, object]]:
    """Return the newest lines, newest first."""
    try:
        with (directory / ACCESS_FILE).open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - _SHOWN_BYTES))
            lines = file.read().splitlines()
    except OSError:
        return []
    found = []
    for line in reversed(lines[-count:]):
        try:
            found.append(json.loads(line))
        except ValueError:  # the first may be incomplete
            continue
    return found
