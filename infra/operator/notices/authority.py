"""Who may give commands by Telegram: given users in a given chat; either is not enough."""

from collections.abc import Mapping
from dataclasses import dataclass

from telegram import Chat, User

from domain.operator.commands import MANUALS

GREETING = "start"
"""What Telegram's own button for a new chat sends."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Authority:
    """The chat that is read, and the users whose commands are obeyed in it."""

    chat_id: int
    user_ids: frozenset[int]
    """Empty: the one user of a private chat; nobody in a group, whose members may change."""

    @property
    def has_nobody(self) -> bool:
        """Tell whether nobody is obeyed: a group, whose ids are negative, without a list."""
        return self.chat_id < 0 and not self.user_ids

    def stranger(self, chat: Chat | None, user: User | None) -> str | None:
        """Return how to call a sender who is not obeyed; None: the sender is obeyed."""
        if chat is None or chat.id != self.chat_id:
            return f"Chat {'unknown' if chat is None else chat.id}"
        # In a private chat the user has the same id as the chat.
        obeyed = self.user_ids or {self.chat_id}
        if user is None or self.has_nobody or user.id not in obeyed:
            return f"Person {'unknown' if user is None else user.id}"
        return None


def menu() -> Mapping[str, str]:
    """Return the commands offered in the chat's menu, with what each does."""
    return {name.value: manual.does for name, manual in MANUALS.items()}


def is_greeting(text: str) -> bool:
    """Tell whether a text is only a greeting."""
    word = text.split(maxsplit=1)[0] if text.strip() else ""
    return word.partition("@")[0] == f"/{GREETING}"
