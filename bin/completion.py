"""The command `bin/completion`: completion of all commands, for bash and zsh."""

from importlib import import_module
from pathlib import Path
from typing import Annotated, Any

import typer

from bin.command import WRONG_USE, application, start
from infra.operator.terminal.command_words import command_words
from infra.operator.terminal.completion import SHELLS, Completed, script
from infra.operator.terminal.screen import Screen
from infra.venues.modes import STEPPED, Mode

_ROOT = Path(__file__).resolve().parents[1]
_CHAOS = "--runs --seed --minutes --faults --report --jobs --soak --settings --keep --help"
_SIMULATE = "--seeds --seed --minutes --settings --jobs --without --help"
_OTHERS = {
    "bench": Completed(options=("--candles", "--peers", "--help")),
    "chaos": Completed(options=_CHAOS.split()),
    "docs": Completed(words=("build", "serve", "configuration"), options=("--help",)),
    "simulate": Completed(options=_SIMULATE.split()),
    "test": Completed(options=("-m", "-k", "-x", "--lf", "--help")),
}
"""Commands that are no Python of this folder."""


def main(
    shell: Annotated[str, typer.Argument(metavar="bash|zsh", help="Which shell completes.")],
) -> None:
    """Print a script that completes the commands of bin/ and their options."""
    if shell not in SHELLS:
        text = f"expected {' or '.join(SHELLS)}, found {shell}"
        Screen(stderr=True).print(text, style="red", highlight=False, soft_wrap=True)
        raise typer.Exit(WRONG_USE)
    names = (file.stem for file in Path(__file__).parent.glob("*.py"))
    found = sorted(name for name in names if (_ROOT / "bin" / name.replace("_", "-")).is_file())
    made = {name.replace("_", "-"): _command(name) for name in found}
    print(script(shell, _ROOT, dict(sorted((made | _OTHERS).items()))), end="")


def _command(module_name: str) -> Completed:
    module, name = import_module(f"bin.{module_name}"), module_name.replace("_", "-")
    command: Any = typer.main.get_command(
        application(getattr(module, "app", None) or module.main, name)
    )
    inside = {
        word: _completed(below, command_words(word) if name == "ctl" else ())
        for word, below in getattr(command, "commands", {}).items()
    }
    words = SHELLS if name == "completion" else ()
    return _completed(command, words, inside)


def _completed(
    command: Any, words: tuple[str, ...], inside: dict[str, Completed] | None = None
) -> Completed:
    options = [one for one in command.params if one.param_type_name == "option"]
    return Completed(
        options=[*(name for one in options for name in (*one.opts, *one.secondary_opts)), "--help"],
        valued={
            name: _known(command.name, name)
            for one in options
            if not one.is_flag
            for name in one.opts
        },
        words=words,
        inside=inside or {},
    )


def _known(command: str, option: str) -> tuple[str, ...]:
    if option != "--mode":
        return ()
    return tuple(Mode) if command == "main" else (*Mode, STEPPED)


if __name__ == "__main__":
    start(main, "completion")
