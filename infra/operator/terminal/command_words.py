"""The words that may follow each command, read from the command itself."""

import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from domain.errors import ConfigError
from domain.operator.commands import MANUALS, CommandName, Parameter
from infra.operator.terminal.completion import SHELLS, Completed
from infra.settings import load_settings
from infra.venues.modes import STEPPED, Mode


def completed(command: Any, name: str) -> Completed:
    """Return the words that may follow a command of bin/.

    Args:
        command: as defined in click.
        name: that it is called by.
    """
    inside = {
        word: _completed(below, command_words(word) if name == "ctl" else ())
        for word, below in getattr(command, "commands", {}).items()
    }
    return _completed(command, SHELLS if name == "completion" else (), inside)


_NOTHING: Mapping[str, Completed] = {}


def _completed(
    command: Any, words: Sequence[str], inside: Mapping[str, Completed] = _NOTHING
) -> Completed:
    options = [one for one in command.params if one.param_type_name == "option"]
    return Completed(
        options=[*(name for one in options for name in (*one.opts, *one.secondary_opts)), "--help"],
        valued={
            name: _values(command.name, name)
            for one in options
            if not one.is_flag
            for name in one.opts
        },
        words=words,
        inside=inside,
    )


def _values(command: str, option: str) -> tuple[str, ...]:
    if option != "--mode":
        return ()
    return tuple(Mode) if command == "main" else (*Mode, STEPPED)


def command_words(word: str) -> tuple[str, ...]:
    """Return the arguments of a command that are known in advance; none if it is unknown."""
    if word not in set(CommandName):
        return ()
    assets = _assets()
    known: dict[Parameter | None, tuple[str, ...]] = {
        Parameter.ASSET: ("all", *assets),
        Parameter.PART: assets,
        Parameter.ACTOR: ("portfolio", "notifier", *_actors(assets)),
        Parameter.ID: assets,
        Parameter.LEVEL: ("DEBUG", "INFO", "WARNING", "ERROR"),
        Parameter.COMMAND: tuple(CommandName),
        Parameter.VIEW: tuple(Parameter.VIEW.split("|")),
        Parameter.PERIOD: ("all", "7d", "30d"),
    }
    return known.get(MANUALS[CommandName(word)].parameter, ())


def _actors(assets: tuple[str, ...]) -> Iterator[str]:
    return (f"{kind}/{asset}" for kind in ("asset", "execution") for asset in assets)


def _assets() -> tuple[str, ...]:
    try:
        rules = load_settings(None, environ=os.environ, dotenv=None).trading_rules()
    except ConfigError:  # bin/check reports it
        return ()
    return tuple(asset.asset for asset in rules.assets)
