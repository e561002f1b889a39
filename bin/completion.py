"""The command `bin/completion`: completion of all commands, for bash and zsh."""

import re
from importlib import import_module
from pathlib import Path
from typing import Annotated

import typer

from bin.command import application, one_line, start
from domain.errors import ConfigError
from infra.operator.terminal.command_words import completed
from infra.operator.terminal.completion import SHELLS, Completed, script

_ROOT = Path(__file__).resolve().parents[1]
_STARTS = re.compile(r"-m ([\w.]+)")
"""The module that a script of bin/ runs."""
_OTHERS = {
    "bench": Completed(options=("--candles", "--compare", "--json", "--peers", "--help")),
    "docs": Completed(words=("build", "serve", "configuration"), options=("--help",)),
    "test": Completed(options=("-m", "-k", "-x", "--lf", "--help")),
}
"""Commands that have no Typer application."""


def main(
    shell: Annotated[str, typer.Argument(metavar="bash|zsh", help="Your shell.")],
) -> None:
    """Print a shell script for tab completion of the commands in bin/."""
    with one_line():
        if shell not in SHELLS:
            raise ConfigError(f"expected {' or '.join(SHELLS)}, found {shell}")
    folder = _ROOT / "bin"
    names = sorted(file.name for file in folder.iterdir() if file.is_file() and not file.suffix)
    made = {name: _OTHERS.get(name) or _command(name) for name in names}
    print(script(shell, _ROOT, made), end="")


def _command(name: str) -> Completed:
    (module_name,) = _STARTS.findall((_ROOT / "bin" / name).read_text(encoding="utf-8"))
    try:
        module = import_module(module_name)
    except ImportError:  # packages that only tests need are not installed in production
        return Completed(options=("--help",))
    main = getattr(module, "app", None) or module.main
    return completed(typer.main.get_command(application(main, name)), name)


if __name__ == "__main__":
    start(main, "completion")
