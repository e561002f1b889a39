"""What is known about a journal, seen from outside."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Inspection:
    """What is known about a journal."""

    mode: str | None
    """The mode whose facts it holds; None if no run has claimed it yet."""
    size_bytes: int
