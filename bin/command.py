"""How a command of bin/ starts, under the name that the user types."""

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from domain.errors import BadDataError, ConfigError
from domain.text import plain
from infra.operator.terminal.examples import example_of
from infra.operator.terminal.screen import Screen

DONE, FAILED, WRONG_USE = range(3)
"""Exit codes of most commands."""
VAR = Path(__file__).resolve().parents[1] / "var"
"""The run directories of all modes."""
MISUSED: Mapping[type[Exception], int] = {ConfigError: WRONG_USE, BadDataError: WRONG_USE}
"""The exit codes of errors that a user can put right."""
SettingsFile = Annotated[
    Path | None, typer.Option(help="Your settings; they override settings.yaml.")
]


def start(main: Callable[..., Any] | typer.Typer, name: str) -> None:
    """Run a command of this folder; its help calls it bin/NAME, not by Python's module.

    An argument that cannot be printed is refused: no file, asset or id has such a name, and an
    error that quotes it would write it to the terminal.
    """
    for argument in sys.argv[1:]:
        if not argument.isprintable():
            say_error(f"expected arguments of printable characters, found {plain(argument)}")
            raise SystemExit(WRONG_USE)
    application(main, name)(prog_name=f"bin/{name}")


def say_error(text: str) -> None:
    """Print what is wrong, as one line."""
    Screen(stderr=True).print(text, style="red", highlight=False, soft_wrap=True)


@contextmanager
def one_line(codes: Mapping[type[Exception], int] = MISUSED) -> Iterator[None]:
    """End with one line and an exit code where an error comes out.

    Args:
        codes: by the error's type; the first that fits is taken, and other errors come out.
    """
    try:
        yield
    except tuple(codes) as error:
        say_error(str(error))
        code = next(code for kind, code in codes.items() if isinstance(error, kind))
        raise typer.Exit(code) from None


def application(main: Callable[..., Any] | typer.Typer, name: str) -> typer.Typer:
    """Return a command as Typer runs it, an example at the end of each help."""
    if not isinstance(main, typer.Typer):
        made = typer.Typer(add_completion=False)
        made.command(epilog=example_of(name))(main)
        return made
    for inside in main.registered_commands:
        word = inside.name or getattr(inside.callback, "__name__", "").replace("_", "-")
        inside.epilog = example_of(name, word)
    said = main.info.epilog
    texts = (said if isinstance(said, str) else None, example_of(name))
    main.info.epilog = "\n\n".join(text for text in texts if text)
    return main
