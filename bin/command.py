"""How a command starts, under the name by which people call it."""

import sys
from collections.abc import Callable
from typing import Any

import typer

from domain.text import plain
from infra.operator.terminal.screen import Screen

WRONG_USE = 2


def start(main: Callable[..., Any] | typer.Typer, name: str) -> None:
    """Run a command of this folder; its help calls it bin/NAME, not by Python's module.

    An argument that cannot be printed is refused: no file, asset or id is called so, and whatever
    names it in an error would write it to the terminal.
    """
    for argument in sys.argv[1:]:
        if not argument.isprintable():
            text = f"expected arguments of printable characters, found {plain(argument)}"
            Screen(stderr=True).print(text, style="red", highlight=False, soft_wrap=True)
            raise SystemExit(WRONG_USE)
    if not isinstance(main, typer.Typer):
        function, main = main, typer.Typer(add_completion=False)
        main.command()(function)
    main(prog_name=f"bin/{name}")
