"""What a person writes to the system, and what is answered: the seam to who handles commands."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Button:
    """Something to press under an answer."""

    label: str
    text: str
    """Handed in as if it had been written; 64 bytes at most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a person reads in return."""

    text: str
    buttons: tuple[Button, ...] = ()


HandleCommand = Callable[[str, str], Answer]
"""Takes who asks and what was written; called in a thread of its own, one command at a time."""
