"""Asks a question on the terminal, or reads the answer from a pipe."""

import sys
from getpass import getpass

from domain.errors import ConfigError


def typed_answer(question: str, default: str, *, is_secret: bool = False) -> str:
    """See `infra.operator.setup.questions.Ask`."""
    prompt = f"{question}{f' [{default}]' if default else ''}: "
    try:
        if is_secret and sys.stdin.isatty():
            return getpass(prompt) or default
        return input(prompt) or default
    except EOFError:
        raise ConfigError(
            "setup: the answers ended before the questions; nothing was written. Start it in a "
            "terminal, or give an answer a line"
        ) from None
