"""A group of commands whose own options may stand after the command too."""

from itertools import islice
from typing import Any

from typer.core import TyperGroup

_FLAGS, _VALUED = ("--json", "--all"), ("--run-dir", "--mode", "--settings")
"""Options of all commands: alone, and with a value."""


class OptionsAnywhere(TyperGroup):
    """Takes the options of all commands wherever they stand."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Bring them to the front."""
        front: list[str] = []
        rest: list[str] = []
        words = iter(args)
        for word in words:
            if word in _VALUED:
                front += [word, *islice(words, 1)]
            elif word in _FLAGS or word.startswith(tuple(f"{name}=" for name in _VALUED)):
                front.append(word)
            else:
                rest.append(word)
        return super().parse_args(ctx, front + rest)
