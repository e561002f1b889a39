"""Breaks the journal's database for a while, with SQLite's own refusals."""

import re
import threading
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from domain.errors import ConfigError

Pragma = Callable[[str, object], object]
"""Sets a pragma of the connection at hand; returns its value."""
_NO_LIMIT = 1_073_741_823
"""Pages; SQLite's own default."""
_FORM = re.compile(r"(?P<first>[1-9]\d*):(?P<count>[1-9]\d*)")


class Damage(StrEnum):
    """What the database refuses with."""

    FULL = "full"
    """`database or disk is full`: no page can be added."""
    READ_ONLY = "readonly"
    """`attempt to write a readonly database`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Breakage:
    """A damage, and which appends meet it."""

    damage: Damage
    first: int
    """The first append of the process that is refused, counted from 1."""
    count: int


def read_breakage(damage: Damage, text: str) -> Breakage:
    """Return the breakage of a text like `20:5`: five appends from the twentieth on.

    Raises:
        ConfigError: it is not of this form.
    """
    found = _FORM.fullmatch(text)
    if found is None:
        raise ConfigError(f"--drill {damage}={text}: expected FIRST:COUNT of appends, like 20:5")
    return Breakage(damage=damage, first=int(found["first"]), count=int(found["count"]))


class BrokenDatabase:
    """Counts all appends of the process, and lets the chosen ones fail."""

    def __init__(self, breakage: Breakage) -> None:
        """Let the first appends pass."""
        self._breakage = breakage
        self._appends = 0
        self._lock = threading.Lock()

    def before_append(self, pragma: Pragma) -> None:
        """Break or mend the connection that is about to write."""
        with self._lock:
            self._appends += 1
            place = self._appends - self._breakage.first
        is_broken = 0 <= place < self._breakage.count
        if self._breakage.damage is Damage.READ_ONLY:
            pragma("query_only", int(is_broken))
        else:
            # A limit below the present size is taken as the present size.
            pragma("max_page_count", 1 if is_broken else _NO_LIMIT)
