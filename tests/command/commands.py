"""The commands of bin/ as they are, held against a line that shows one."""

import re
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

import typer

from bin import command

BIN = Path(__file__).resolve().parents[2] / "bin"
OTHERS: dict[str, set[str]] = {
    "bench": {"--candles", "--compare", "--json", "--peers"},
    "docs": set(),
    "test": set(),
}
"""Commands without a Typer application, and their options; those of tests are pytest's."""
_STARTS = re.compile(r"-m ([\w.]+)")
"""The module that a script of bin/ hands over to."""


def names() -> list[str]:
    return sorted(file.name for file in BIN.iterdir() if file.is_file() and not file.suffix)


@cache
def application(name: str) -> typer.Typer:
    (module_name,) = _STARTS.findall((BIN / name).read_text(encoding="utf-8"))
    module: Any = import_module(module_name)
    return command.application(getattr(module, "app", None) or module.main, name)


def every() -> Iterator[tuple[str, ...]]:
    """Yield each command of bin/ as words, and each command inside it."""
    for name in names():
        if name not in OTHERS:
            yield (name,)
            yield from ((name, word) for word in inside(name))


@cache
def inside(name: str) -> list[str]:
    """Return the commands inside a command."""
    if name in OTHERS:
        return []
    return list(getattr(typer.main.get_command(application(name)), "commands", ()))


@cache
def options(name: str, *words: str) -> set[str]:
    """Return the options of a command, or of a command inside it."""
    if name in OTHERS:
        return OTHERS[name] | {"--help"}
    found: Any = typer.main.get_command(application(name))
    for word in words:
        found = found.commands[word]
    return {
        option
        for parameter in found.params
        if parameter.param_type_name == "option"
        for option in (*parameter.opts, *parameter.secondary_opts)
    } | {"--help"}


def wrong_in(words: list[str]) -> Iterator[str]:
    """Yield what a shown command has and the real one has not."""
    name = words[0].rpartition("/")[2]
    if not (BIN / name).is_file():
        yield f"no command {words[0]}"
        return
    below = [word for word in words[1:] if word in inside(name)][:1]
    if inside(name) and not below and not all(word.startswith("-") for word in words[1:2]):
        yield f"no command {words[1]} in {name}"
    known = options(name) | options(name, *below)
    for word in words[1:] if name != "test" else ():
        option = word.partition("=")[0]
        if re.fullmatch(r"-[a-zA-Z]|--[a-z][a-z-]*", option) and option not in known:
            yield f"no option {option} of {' '.join([name, *below])}"
