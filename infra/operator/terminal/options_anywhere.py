"""A command group whose own options may also come after the subcommand."""

from itertools import islice
from typing import Any

from typer.core import TyperGroup

_FLAGS, _VALUED = ("--json", "--all"), ("--run-dir", "--mode", "--settings")
"""Options of the group: flags, and options with a value."""


class OptionsAnywhere(TyperGroup):
    """Accepts the group's options anywhere."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Move the group's options to the front."""
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
