"""How a command starts, under the name by which people call it."""

from collections.abc import Callable
from typing import Any

import typer


def start(main: Callable[..., Any] | typer.Typer, name: str) -> None:
    """Run a command of this folder; its help calls it bin/NAME, not by Python's module."""
    if not isinstance(main, typer.Typer):
        function, main = main, typer.Typer(add_completion=False)
        main.command()(function)
    main(prog_name=f"bin/{name}")
