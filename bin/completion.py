"""The command `bin/completion`: completion of all commands, for bash and zsh."""

import re
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
_STARTS = re.compile(r"-m ([\w.]+)")
"""The module that a script of bin/ hands over to."""
_OTHERS = {
    "bench": Completed(options=("--candles", "--peers", "--help")),
    "docs": Completed(words=("build", "serve", "configuration"), options=("--help",)),
    "test": Completed(options=("-m", "-k", "-x", "--lf", "--help")),
}
"""Commands that have no Typer application."""


def main(
    shell: Annotated[str, typer.Argument(metavar="bash|zsh", help="Which shell completes.")],
) -> None:
    """Print a script that completes the commands of bin/ and their options."""
    if shell not in SHELLS:
        text = f"expected {' or '.join(SHELLS)}, found {shell}"
        Screen(stderr=True).print(text, style="red", highlight=False, soft_wrap=True)
        raise typer.Exit(WRONG_USE)
    folder = _ROOT / "bin"
    names = sorted(file.name for file in folder.iterdir() if file.is_file() and not file.suffix)
    made = {name: _OTHERS.get(name) or _command(name) for name in names}
    print(script(shell, _ROOT, made), end="")


def _command(name: str) -> Completed:
    (module_name,) = _STARTS.findall((_ROOT / "bin" / name).read_text(encoding="utf-8"))
    try:
        module = import_module(module_name)
    except ImportError:  # what tests alone need is not installed where the system runs
        return Completed(options=("--help",))
    main = getattr(module, "app", None) or module.main
    command: Any = typer.main.get_command(application(main, name))
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
