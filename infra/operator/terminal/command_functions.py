"""The arguments of each command to a running system, as on a command line."""

from collections.abc import Callable
from typing import Annotated, Protocol

import typer

from domain.operator.commands import MANUALS, CommandName, Parameter

_Yes = Annotated[bool, typer.Option("--yes", help="Do not ask for confirmation.")]


class Send(Protocol):
    """Sends a command."""

    def __call__(self, name: CommandName, argument: str, *, is_confirmed: bool) -> None:
        """Send the command with its argument as typed."""


def function_of(name: CommandName, send: Send) -> Callable[..., None]:
    """Return a function for Typer with the arguments of a command."""
    manual = MANUALS[name]
    needed = Annotated[str, typer.Argument(metavar=str(manual.parameter))]

    def plain(*, yes: _Yes = False) -> None:
        send(name, "", is_confirmed=yes)

    def with_argument(argument: needed, *, yes: _Yes = False) -> None:
        send(name, argument, is_confirmed=yes)

    def with_optional(argument: needed = "", *, yes: _Yes = False) -> None:
        send(name, argument, is_confirmed=yes)

    def with_part(
        asset: Annotated[str, typer.Argument(metavar="ASSET")],
        fraction: Annotated[str, typer.Argument(metavar="FRACTION")] = "",
        *,
        yes: _Yes = False,
    ) -> None:
        send(name, f"{asset} {fraction}".rstrip(), is_confirmed=yes)

    def of_letters(
        action: Annotated[str, typer.Argument(metavar="list|show|drop|redeliver")] = "",
        letter: Annotated[str, typer.Argument(metavar="ID")] = "",
        *,
        yes: _Yes = False,
    ) -> None:
        send(name, f"{action} {letter}".strip(), is_confirmed=yes)

    def with_pair(
        action: Annotated[str, typer.Argument(metavar="add|remove|list")],
        symbol: Annotated[str, typer.Argument(metavar="SYMBOL")] = "",
        *,
        like: Annotated[
            str, typer.Option(metavar="SYMBOL", help="Copy the settings of this pair.")
        ] = "",
        yes: _Yes = False,
    ) -> None:
        end = f"--like {like}" if like else ""
        send(name, " ".join(f"{action} {symbol} {end}".split()), is_confirmed=yes)

    if name is CommandName.DEADLETTERS:
        return of_letters
    if manual.parameter is None:
        return plain
    usual: Callable[..., None] = with_optional if manual.is_optional else with_argument
    special: dict[Parameter, Callable[..., None]] = {
        Parameter.PART: with_part,
        Parameter.PAIR: with_pair,
    }
    return special.get(manual.parameter, usual)
