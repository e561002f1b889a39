"""One thing that was checked."""

from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """How bad it is."""

    OK = "ok"
    WARN = "warn"
    FAIL = "FAIL"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What was found, what was expected, and what to do about the difference."""

    level: Level
    name: str
    found: str
    expected: str = ""
    advice: str = ""


def ok(name: str, found: str, expected: str = "") -> Finding:
    """Return a finding that is fine."""
    return Finding(level=Level.OK, name=name, found=found, expected=expected)


def warn(name: str, found: str, expected: str, advice: str) -> Finding:
    """Return a finding that a run can live with."""
    return Finding(level=Level.WARN, name=name, found=found, expected=expected, advice=advice)


def fail(name: str, found: str, expected: str, advice: str) -> Finding:
    """Return a finding that no run should start with."""
    return Finding(level=Level.FAIL, name=name, found=found, expected=expected, advice=advice)
