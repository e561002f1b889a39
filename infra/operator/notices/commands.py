"""Messages from a user to the system, and the answers: the interface to the command handler."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Button:
    """A button under an answer."""

    label: str
    text: str
    """Handled as if it had been written; 64 bytes at most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """An answer to a user."""

    text: str
    buttons: tuple[Button, ...] = ()


HandleCommand = Callable[[str, str], Answer]
"""Takes the requester and the text; called in a thread of its own, one command at a time."""
