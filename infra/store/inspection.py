"""What a journal is like, seen from outside."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Inspection:
    """What a journal is like."""

    mode: str | None
    """Whose facts it holds; None where nobody has claimed it yet."""
    size_bytes: int
